package registries

import (
	"errors"
	"net/http"
	"testing"

	"github.com/driftd/driftd/alert/registry"
)

func notOurs(w world) string {
	if s, ok := w.(powered); !ok || s.power() == nil {
		return "it has no server that the suite could take down"
	}
	return ""
}

// answerLost lets the first call that writes have its effect and loses the answer, as meanwhile happens what it is told.
func answerLost(meanwhile func()) middleware {
	return func(next http.RoundTripper) http.RoundTripper {
		lost := false
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if r.Method == http.MethodGet || lost {
				return resp, err
			}
			lost = true
			if err == nil {
				resp.Body.Close()
			}
			meanwhile()
			return nil, errors.New("connection reset by peer")
		})
	}
}

var restarts = []testcase{
	{name: "server down", skip: notOurs, run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		p := b.prompt(t, 2, 2)
		m := b.move(t, c, p, 2, 1)
		s := b.world.(powered).power()
		s.stop(t)
		for verb, err := range calls(t.Context(), c, m) {
			if e := b.fails(t, err, registry.Unavailable); e.Reason != "no answer" {
				t.Errorf("%s: %+v", verb, e)
			}
		}
		s.start(t)
		if err := c.Move(t.Context(), m); err != nil {
			t.Error(err)
		}
		b.stands(t, p, 1)
	}},
	{name: "restart between read and write", http: true, skip: notOurs, run: func(t *testing.T, b *bench) {
		s := b.world.(powered).power()
		c := b.client(t, daemon, onWrite(func() { s.stop(t) }, nil))
		p := b.prompt(t, 2, 2)
		m := b.move(t, c, p, 2, 1)
		b.fails(t, c.Move(t.Context(), m), registry.Unavailable)
		s.start(t)
		if got, err := c.Current(t.Context(), p); err != nil || got.ID != m.Seen.ID {
			t.Errorf("the label moved, or not even that can be read: %+v %v", got, err)
		}
		if err := c.Move(t.Context(), m); err != nil {
			t.Error(err)
		}
		b.stands(t, p, 1)
	}},
	{name: "restart before the answer", http: true, skip: notOurs, run: func(t *testing.T, b *bench) {
		s := b.world.(powered).power()
		c := b.client(t, daemon, answerLost(func() { s.stop(t) }))
		p := b.prompt(t, 2, 2)
		m := b.move(t, c, p, 2, 1)
		b.fails(t, c.Move(t.Context(), m), registry.Unavailable)
		s.start(t)
		if got, err := c.Current(t.Context(), p); err != nil || got.ID != m.To.ID {
			t.Errorf("what was done is not read back: %+v %v", got, err)
		}
		if err := c.Move(t.Context(), m); err != nil { // the same once more
			t.Error(err)
		}
		b.stands(t, p, 1)
	}},
}
