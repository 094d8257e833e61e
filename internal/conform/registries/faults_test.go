package registries

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/alert/rollback"
	"github.com/driftd/driftd/internal/outbound"
)

// answers gives this one to all calls, or to those that write.
func answers(writes bool, status int, header map[string]string, body func() io.Reader) middleware {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if writes && r.Method == http.MethodGet {
				return next.RoundTrip(r)
			}
			resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body()), Request: r, ProtoMajor: 1, ProtoMinor: 1}
			for k, v := range header {
				resp.Header.Set(k, v)
			}
			return resp, nil
		})
	}
}

func text(s string) func() io.Reader { return func() io.Reader { return strings.NewReader(s) } }

var asJSON = map[string]string{"Content-Type": "application/json"}

// calls makes each of the calls once and returns what they failed with, by verb.
func calls(ctx context.Context, c rollback.Registry, m registry.Move) map[string]error {
	_, err1 := c.Current(ctx, m.Prompt)
	_, err2 := c.List(ctx, m.Prompt)
	return map[string]error{"current": err1, "list": err2, "move": c.Move(ctx, m)}
}

// broken checks all calls, and the one that writes alone, against a registry that answers like that; the label must stand.
func (b *bench) broken(t *testing.T, status int, header map[string]string, body func() io.Reader, read, write registry.Kind, check func(*registry.Error)) {
	t.Helper()
	sound := b.client(t, daemon, nil)
	p := b.prompt(t, 2, 2)
	m := b.move(t, sound, p, 2, 1)
	reasons := map[string]string{}
	for range 2 {
		for verb, err := range calls(t.Context(), b.client(t, daemon, answers(false, status, header, body)), m) {
			kind := read
			if verb == "move" && write != read { // a client that does not read first
				if e, ok := errors.AsType[*registry.Error](err); ok && e.Kind == write {
					kind = write
				}
			}
			e := b.fails(t, err, kind)
			check(e)
			if before := reasons[verb]; before != "" && before != e.Reason {
				t.Errorf("the reason changes: %q, %q", before, e.Reason)
			}
			reasons[verb] = e.Reason
		}
	}
	check(b.fails(t, b.client(t, daemon, answers(true, status, header, body)).Move(t.Context(), m), write))
	b.stands(t, p, 2)
}

// zeros is an answer without end, and counts what is read of it.
type zeros struct{ n *int64 }

func (z zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	*z.n += int64(len(p))
	return len(p), nil
}

// trickle gives a byte each second.
type trickle struct{ ctx context.Context }

func (s trickle) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		return copy(p, " "), nil
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
}

// late checks that calls end when they must, on a clock of their own.
func (b *bench) late(t *testing.T, through middleware) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := registry.Move{Prompt: "p", To: registry.Version{ID: "1"}, Seen: registry.Version{ID: "2"}, Key: "k"}
		c := b.client(t, daemon, through)
		begin := time.Now()
		_, err := c.Current(t.Context(), "p")
		b.fails(t, err, registry.Unavailable)
		if took := time.Since(begin); took != outbound.Timeout {
			t.Errorf("gave up after %v", took)
		}
		b.fails(t, c.Move(t.Context(), m), registry.Unavailable)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		_, err = c.List(ctx, "p")
		if b.fails(t, err, registry.Unavailable); time.Since(begin) != time.Second {
			t.Errorf("gave up %v after it was told to", time.Since(begin))
		}
	})
}

var faults = []testcase{
	{name: "server error: 500", http: true, run: func(t *testing.T, b *bench) {
		said := "Traceback: " + strings.Join(b.secrets(daemon), " ")
		for _, status := range []int{500, 502, 503, 504} {
			b.broken(t, status, map[string]string{"Content-Type": "text/html"}, text(said), registry.Unavailable, registry.Unavailable, func(e *registry.Error) {
				if !strings.Contains(e.Reason, fmt.Sprint(status)) {
					t.Errorf("%+v", e)
				}
			})
		}
	}},
	{name: "too many calls: 429", http: true, run: func(t *testing.T, b *bench) {
		in := func(least, most time.Duration) func(e *registry.Error) {
			return func(e *registry.Error) {
				if e.After < least || e.After > most {
					t.Errorf("after %v, want %v to %v", e.After, least, most)
				}
			}
		}
		b.broken(t, 429, map[string]string{"Retry-After": "7"}, text("slow down"), registry.Unavailable, registry.Unavailable, in(7*time.Second, 7*time.Second))
		date := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
		b.broken(t, 429, map[string]string{"Retry-After": date}, text(""), registry.Unavailable, registry.Unavailable, in(time.Second, 90*time.Second))
	}},
	{name: "web page with 200", http: true, run: func(t *testing.T, b *bench) {
		b.broken(t, 200, map[string]string{"Content-Type": "text/html; charset=utf-8"}, text("<!doctype html><title>Log in</title>"), registry.Wrong, registry.Unavailable,
			func(e *registry.Error) {
				if !strings.Contains(e.Reason, "web page") || e.Hint == "" {
					t.Errorf("%+v", e)
				}
			})
	}},
	{name: "not the JSON of a registry", http: true, run: func(t *testing.T, b *bench) {
		for _, body := range []string{"", "nil", `{"current":`, `[]`, `"x"`} {
			b.broken(t, 200, asJSON, text(body), registry.Wrong, registry.Unavailable, func(*registry.Error) {})
		}
		// What answers a write may say more than it must.
		c := b.client(t, daemon, answers(false, 200, asJSON, text(`{"current":7,"model_version":7,"model_versions":7,"data":7}`)))
		for verb, err := range calls(t.Context(), c, registry.Move{Prompt: "p", To: registry.Version{ID: "1"}, Seen: registry.Version{ID: "2"}}) {
			if e, ok := errors.AsType[*registry.Error](err); !ok || e.Kind != registry.Wrong && verb != "move" {
				t.Errorf("%s: %v", verb, err)
			}
		}
	}},
	{name: "redirect elsewhere", http: true, run: func(t *testing.T, b *bench) {
		b.broken(t, 307, map[string]string{"Location": "https://elsewhere.test/"}, text(""), registry.Wrong, registry.Wrong, func(e *registry.Error) {
			if e.Hint == "" {
				t.Errorf("%+v", e)
			}
		})
	}},
	{name: "huge answer", http: true, run: func(t *testing.T, b *bench) {
		n := int64(0)
		c := b.client(t, daemon, answers(false, 200, asJSON, func() io.Reader { return zeros{&n} }))
		_, err := c.Current(t.Context(), "p")
		if e := b.fails(t, err, registry.Wrong); !strings.Contains(e.Reason, "longer than") || n > 32<<20 {
			t.Errorf("%+v after %d bytes", e, n)
		}
	}},
	{name: "list without end", http: true, run: func(t *testing.T, b *bench) {
		n := 0
		c := b.client(t, daemon, func(next http.RoundTripper) http.RoundTripper {
			h := answers(false, 200, asJSON, func() io.Reader { n++; return bytes.NewReader([]byte(b.endless)) })(next)
			return h
		})
		all, err := c.List(t.Context(), "p")
		if err != nil || len(all) == 0 || len(all) > registry.MaxVersions || n > 1000 {
			t.Errorf("%d versions of %d answers, %v", len(all), n, err)
		}
	}},
	{name: "hang", http: true, run: func(t *testing.T, b *bench) {
		b.late(t, func(http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
		})
	}},
	{name: "slow body", http: true, run: func(t *testing.T, b *bench) {
		b.late(t, func(http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				return answers(false, 200, asJSON, func() io.Reader { return trickle{r.Context()} })(nil).RoundTrip(r)
			})
		})
	}},
	{name: "secrets in the cause of no answer", http: true, run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, func(http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				return nil, fmt.Errorf("%s %v %v", r.URL, r.Header, b.secrets(daemon))
			})
		})
		for _, err := range calls(t.Context(), c, registry.Move{Prompt: "p", To: registry.Version{ID: "1"}, Seen: registry.Version{ID: "2"}}) {
			b.fails(t, err, registry.Unavailable)
		}
	}},
}
