package webhook

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/internal/fakeregistry"
	"github.com/driftd/driftd/internal/signature"
)

const base = "https://user:pass-word@registry.test/api?key=very-secret"

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func handler(h http.Handler) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result(), nil
	}
}

func key(t *testing.T, secret string) signature.Key {
	t.Helper()
	k, err := signature.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func setup(t *testing.T) (*fakeregistry.Server, *Client) {
	s := fakeregistry.New(fakeregistry.Config{Key: key(t, "shared"), Now: time.Now})
	for _, v := range []string{"v1", "v2", "v3"} {
		s.Set("p", v)
	}
	return s, New(Config{URL: "https://registry.test/", Key: key(t, "shared"), Transport: handler(s), Now: time.Now})
}

func TestProtocol(t *testing.T) {
	s, c := setup(t)
	got, err := c.Current(t.Context(), "p")
	if err != nil || got.ID != "v3" {
		t.Fatalf("%+v %v", got, err)
	}
	all, err := c.List(t.Context(), "p")
	if err != nil || len(all) != 3 || all[0].ID != "v3" || all[2].ID != "v1" {
		t.Fatalf("%+v %v", all, err)
	}
	p := registry.Move{Prompt: "p", To: registry.Version{ID: "v2"}, Seen: got, Alert: "9f3c", Reason: "why", Key: "9f3c-2"}
	for range 2 { // the second is the same promotion, not another
		if err := c.Move(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	want := []fakeregistry.Promotion{{Prompt: "p", From: "v3", To: "v2", Alert: "9f3c", Reason: "why", Key: "9f3c-2"}}
	if got := s.Promotions(); !slices.Equal(got, want) {
		t.Errorf("promotions %+v", got)
	}
	p.Key = "another"
	err = c.Move(t.Context(), p)
	if e, ok := errors.AsType[*registry.ConflictError](err); !ok || e.Current.ID != "v2" {
		t.Errorf("conflict: %v", err)
	}
}

func TestPromptNames(t *testing.T) {
	s, c := setup(t)
	for _, name := range []string{"a/b", "a b?c#d", "../../admin", "ü&%2f", "<script>"} {
		s.Set(name, "v1")
		if got, err := c.Current(t.Context(), name); err != nil || got.ID != "v1" {
			t.Errorf("%q: %+v %v", name, got, err)
		}
	}
	for _, name := range []string{"", ".", ".."} {
		_, err := c.Current(t.Context(), name)
		if e, ok := errors.AsType[*registry.Error](err); !ok || e.Kind != registry.NoPrompt {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestErrors(t *testing.T) {
	_, wrong := setup(t)
	wrong.cfg.Key = key(t, "not shared")
	_, err := wrong.Current(t.Context(), "p")
	if e, ok := errors.AsType[*registry.Error](err); !ok || e.Kind != registry.Denied || e.Reason != "the registry answered 401" {
		t.Errorf("bad signature: %v", err)
	}
	_, c := setup(t)
	if _, err := c.Current(t.Context(), "unknown"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("unknown prompt: %v", err)
	}

	f := func(status int, retryAfter, body string, retry bool, after time.Duration) {
		t.Helper()
		c := New(Config{URL: base, Key: key(t, "shared"), Now: time.Now, Transport: handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", retryAfter)
			w.Header().Set("Location", "https://elsewhere.test")
			w.WriteHeader(status)
			fmt.Fprint(w, body, " ", r.Header.Get(signature.HeaderSignature))
		}))})
		_, err1 := c.Current(t.Context(), "p")
		err2 := c.Move(t.Context(), registry.Move{Prompt: "p", To: registry.Version{ID: "v2"}, Seen: registry.Version{ID: "v3"}})
		for _, err := range []error{err1, err2} {
			e, ok := errors.AsType[*registry.Error](err)
			if !ok || (e.Kind == registry.Unavailable) != retry && status != 200 || e.After != after {
				t.Errorf("%d: %v", status, err)
				continue
			}
			for _, s := range []string{"very-secret", "pass-word", "v1,"} {
				if strings.Contains(err.Error(), s) {
					t.Errorf("the error shows %s: %v", s, err)
				}
			}
		}
	}
	f(500, "", "oops "+base, true, 0)
	f(429, "7", "", true, 7*time.Second)
	f(403, "7", "no", false, 0)
	f(307, "", "", false, 0)
	f(409, "", "no current in it", false, 0)
	f(200, "", "<html>", false, 0)
	f(200, "", "{}", false, 0)

	bad := New(Config{URL: "://very-secret", Now: time.Now})
	if _, err := bad.Current(t.Context(), "p"); err == nil || strings.Contains(err.Error(), "very-secret") {
		t.Errorf("not an address: %v", err)
	}
}

func TestHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Config{URL: base, Key: key(t, "shared"), Now: time.Now, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			<-r.Context().Done()
			return nil, fmt.Errorf("%s %s: %w", r.URL, body, r.Context().Err())
		})})
		begin := time.Now()
		err := c.Move(t.Context(), registry.Move{Prompt: "p", To: registry.Version{ID: "v2"}})
		e, ok := errors.AsType[*registry.Error](err)
		if !ok || e.Kind != registry.Unavailable || time.Since(begin) != 10*time.Second || strings.Contains(err.Error(), "very-secret") {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}
