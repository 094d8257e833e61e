package phoenix

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/driftd/driftd/alert/registry"
)

// The client's conduct is held by internal/conform/registries, over a fake and over Phoenix itself.

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestIDsAreNotAskedFor: Phoenix finds a prompt by its id as well, which a stranger may have written on a span.
func TestIDsAreNotAskedFor(t *testing.T) {
	c := New(Config{URL: "http://phoenix.test", Tag: "production", Now: time.Now, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		t.Errorf("asked: %s", r.URL)
		return nil, errors.New("no")
	})})
	for _, name := range []string{"UHJvbXB0OjE=", "UHJvbXB0OjE", "P", "a/b", "a%2fb", "-a", "a-", "", "a b"} {
		for _, err := range []error{
			func() error { _, err := c.Current(t.Context(), name); return err }(),
			func() error { _, err := c.List(t.Context(), name); return err }(),
			func() error { _, err := c.Switched(t.Context(), name); return err }(),
			c.Move(t.Context(), registry.Move{Prompt: name, To: registry.Version{ID: "UHJvbXB0VmVyc2lvbjox"}}),
		} {
			if e, ok := errors.AsType[*registry.Error](err); !ok || e.Kind != registry.NoPrompt {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
}

// TestNumbersOfAListThatIsCut: the oldest version is 1, and where it was not read no version has a number.
func TestNumbersOfAListThatIsCut(t *testing.T) {
	c := New(Config{URL: "http://phoenix.test", Tag: "production", Now: time.Now, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":[{"id":"UHJvbXB0VmVyc2lvbjo3"}],"next_cursor":"more"}`)
		return w.Result(), nil
	})})
	all, err := c.List(t.Context(), "p")
	if err != nil || len(all) == 0 || all[0].Names != nil {
		t.Errorf("%d %+v %v", len(all), all[:min(len(all), 1)], err)
	}
}

// FuzzAnswer holds that nothing that a server says is more than an error.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "application/json", `{"data":{"id":"UHJvbXB0VmVyc2lvbjoz"}}`)
	f.Add(200, "application/json", `{"data":[{"id":"UHJvbXB0VmVyc2lvbjoz"}],"next_cursor":null}`)
	f.Add(404, "text/plain", "Not Found")
	f.Add(200, "text/html", "<!DOCTYPE html>")
	f.Fuzz(func(t *testing.T, status int, kind, body string) {
		c := New(Config{URL: "http://phoenix.test", Tag: "production", Token: "a-token", Now: time.Now, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(min(max(status, 200), 599))
			_, _ = io.WriteString(w, body)
			return w.Result(), nil
		})})
		v, err1 := c.Current(t.Context(), "p")
		all, err2 := c.List(t.Context(), "p")
		if err1 == nil && v.ID == "" || err2 == nil && len(all) == 0 {
			t.Errorf("%+v, %+v", v, all)
		}
		_, err3 := c.Switched(t.Context(), "p")
		m := registry.Move{Prompt: "p", To: registry.Version{ID: "1"}, Seen: registry.Version{ID: "3"}}
		for _, err := range []error{err1, err2, err3, c.Move(t.Context(), m)} {
			if err == nil {
				continue
			}
			if _, ok := errors.AsType[*registry.ConflictError](err); ok {
				continue
			}
			if e, ok := errors.AsType[*registry.Error](err); !ok || e.Reason == "" {
				t.Errorf("%v", err)
			}
		}
	})
}
