package langfuse

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/driftd/driftd/alert/registry"
	fake "github.com/driftd/driftd/internal/fakeregistry/langfuse"
)

const prompt = "support/answers"

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// world has a prompt with three versions, the newest in production and the one before stable.
func world() (*fake.Server, *Client) {
	s := fake.New("pk-lf-1", "sk-lf-1")
	for range 3 {
		s.Add(prompt)
	}
	s.Label(prompt, "production", 3)
	s.Label(prompt, "stable", 2)
	return s, New(Config{
		URL: "https://langfuse.test/", Label: "production", PublicKey: "pk-lf-1", SecretKey: "sk-lf-1", Now: time.Now,
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w.Result(), nil
		}),
	})
}

func move(to, seen int) registry.Move {
	return registry.Move{Prompt: prompt, To: version(to), Seen: version(seen), Alert: "9f3c", Reason: "why", Key: "9f3c-2"}
}

func TestMoveAdds(t *testing.T) {
	s, c := world()
	if err := c.Move(t.Context(), move(2, 3)); err != nil {
		t.Fatal(err)
	}
	for label, want := range map[string][]int{"production": {2}, "stable": {2}, "latest": {3}} {
		if got := s.Labelled(prompt, label); !slices.Equal(got, want) {
			t.Errorf("%s is on %v, want %v", label, got, want)
		}
	}
	if got, err := c.Current(t.Context(), prompt); err != nil || !got.Is("2") || !got.Is("v2") {
		t.Errorf("%+v %v", got, err)
	}
}

// TestTwoMovesMeet: two moves at once leave the label on both versions. The person's stands, and no version has it besides.
func TestTwoMovesMeet(t *testing.T) {
	s, c := world()
	person := func(n int) func() { return func() { s.Label(prompt, "production", n) } }
	s.Between(person(1))
	err := c.Move(t.Context(), move(2, 3))
	if e, ok := errors.AsType[*registry.ConflictError](err); !ok || e.Current.ID != "1" {
		t.Errorf("%v", err)
	}
	if got := s.Labelled(prompt, "production"); !slices.Equal(got, []int{1}) {
		t.Errorf("the label is on %v", got)
	}

	s, c = world()
	s.Between(person(2)) // to the same version
	if err := c.Move(t.Context(), move(2, 3)); err != nil {
		t.Error(err)
	}
	if got := s.Labelled(prompt, "production"); !slices.Equal(got, []int{2}) {
		t.Errorf("the label is on %v", got)
	}

	s, c = world()
	s.Between(person(3)) // the bad one is set once more: nothing changes for it, and it is taken off
	if err := c.Move(t.Context(), move(2, 3)); err != nil {
		t.Error(err)
	}
	if got := s.Labelled(prompt, "production"); !slices.Equal(got, []int{2}) {
		t.Errorf("the label is on %v", got)
	}
}

// TestTwoHolders: what people have left with two holders is not moved, and it is said what to do.
func TestTwoHolders(t *testing.T) {
	s, c := world()
	s.Between(func() { s.Label(prompt, "production", 1) })
	if err := c.set(t.Context(), "a person", prompt, 2); err != nil {
		t.Fatal(err)
	}
	if got := s.Labelled(prompt, "production"); !slices.Equal(got, []int{1, 2}) {
		t.Fatalf("the label is on %v", got)
	}
	_, err1 := c.Current(t.Context(), prompt)
	for _, err := range []error{err1, c.Move(t.Context(), move(3, 1))} {
		e, ok := errors.AsType[*registry.Error](err)
		if !ok || e.Kind != registry.Wrong || e.Reason != "versions 1 and 2 both have the label production" || e.Hint == "" {
			t.Errorf("%+v", err)
		}
	}
	if got := s.Labelled(prompt, "production"); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("the label is on %v", got)
	}
}

// TestAfterTheMove: when the label cannot be read back, it is not known what is so, and the next look finds out.
func TestAfterTheMove(t *testing.T) {
	_, c := world()
	next, moved := c.cfg.Transport, false
	cfg := c.cfg
	cfg.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if moved && r.Method == http.MethodGet {
			return nil, errors.New("connection reset")
		}
		moved = moved || r.Method == http.MethodPatch
		return next.RoundTrip(r)
	})
	err := New(cfg).Move(t.Context(), move(2, 3))
	if e, ok := errors.AsType[*registry.Error](err); !ok || e.Kind != registry.Unavailable {
		t.Errorf("%v", err)
	}
	if err := c.Move(t.Context(), move(2, 3)); err != nil {
		t.Error(err)
	}
}

func TestSwitch(t *testing.T) {
	s, c := world()
	for _, want := range []bool{false, true} {
		if off, err := c.Switched(t.Context(), prompt); err != nil || off != want {
			t.Errorf("%v %v, want %v", off, err, want)
		}
		s.Tag(prompt, "movies")
		s.Tag(prompt, "driftd:off")
	}
}

// TestTooManyCalls: Langfuse says until when in one of four ways.
func TestTooManyCalls(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	f := func(name, value, body string, want time.Duration) {
		t.Helper()
		c := New(Config{URL: "https://langfuse.test", Label: "production", Now: func() time.Time { return now }, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set(name, value)
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.WriteString(body)
			return w.Result(), nil
		})})
		_, err := c.Current(t.Context(), prompt)
		if e, ok := errors.AsType[*registry.Error](err); !ok || e.Kind != registry.Unavailable || e.After != want {
			t.Errorf("%s %s: %+v, want %v", name, value, err, want)
		}
	}
	const reset = "X-RateLimit-Reset"
	f("Retry-After", "7", `{"details":{"retryAfterSeconds":30}}`, 7*time.Second)
	f(reset, "Sat Nov 21 2026 13:00:42 GMT+0100 (Central European Standard Time)", "", 42*time.Second)
	f(reset, "2026-11-21T12:00:05.500Z", "", 5500*time.Millisecond)
	f(reset, "Sat, 21 Nov 2026 12:00:09 GMT", "", 9*time.Second)
	f(reset, "Sat Nov 21 2026 11:00:00 GMT+0000 (Coordinated Universal Time)", "", 0)
	f(reset, "Sat Nov 21 2027 11:00:00 GMT+0000 (Coordinated Universal Time)", "", time.Hour)
	f(reset, "Invalid Date", "", 0)
	f("X-Nothing", "", `{"message":"Rate limit exceeded","code":"rate_limited","details":{"retryAfterSeconds":30}}`, 30*time.Second)
	f("X-Nothing", "", `{"details":{"retryAfterSeconds":1e300}}`, time.Hour)
}
