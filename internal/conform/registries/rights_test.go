package registries

import (
	"strings"
	"testing"

	"github.com/driftd/driftd/alert/registry"
)

// behind is the bench with a registry that asks who one is.
func (b *bench) behind(t *testing.T) *bench {
	t.Helper()
	if g, ok := b.world.(guarded); ok {
		return &bench{b.subject, g.guarded()}
	}
	return b
}

func unguarded(w world) string {
	if g, ok := w.(guarded); ok && g.guarded() == nil {
		return "there is no server that asks for credentials"
	}
	return ""
}

var rights = []testcase{
	{name: "wrong token: 401", http: true, skip: unguarded, run: func(t *testing.T, b *bench) {
		b = b.behind(t)
		c := b.client(t, daemon, nil)
		p := b.prompt(t, 2, 2)
		m := b.move(t, c, p, 2, 1)
		c = b.client(t, stranger, nil)
		_, err1 := c.Current(t.Context(), p)
		_, err2 := c.List(t.Context(), p)
		for _, err := range []error{err1, err2, c.Move(t.Context(), m)} {
			if e := b.fails(t, err, registry.Denied); !strings.Contains(e.Reason, "401") || e.Hint == "" {
				t.Errorf("%+v", e)
			}
		}
		b.stands(t, p, 2)
	}},
	{name: "no right to move: 403", http: true, skip: unguarded, run: func(t *testing.T, b *bench) {
		b = b.behind(t)
		p := b.prompt(t, 2, 2)
		m := b.move(t, b.client(t, daemon, nil), p, 2, 1)
		c := b.client(t, reader, nil)
		if got, err := c.Current(t.Context(), p); err != nil || got.ID != m.Seen.ID {
			t.Errorf("reading: %+v %v", got, err)
		}
		if e := b.fails(t, c.Move(t.Context(), m), registry.Denied); !strings.Contains(e.Reason, "403") || e.Hint == "" {
			t.Errorf("%+v", e)
		}
		b.stands(t, p, 2)
	}},
	{name: "unknown host name: 403 with a hint", skip: func(w world) string {
		if _, ok := w.(misnamed); !ok {
			return "it answers to every host name"
		}
		return ""
	}, run: func(t *testing.T, b *bench) {
		_, err := b.world.(misnamed).misnamed(t).Current(t.Context(), "p")
		if e := b.fails(t, err, registry.Denied); !strings.Contains(e.Hint, "mlflow.internal:5000") {
			t.Errorf("%+v", e)
		}
	}},
	{name: "least right is enough", skip: unguarded, run: func(t *testing.T, b *bench) {
		b = b.behind(t)
		c := b.client(t, daemon, nil)
		p := b.prompt(t, 2, 2)
		m := b.move(t, c, p, 2, 1)
		if err := c.Move(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		b.stands(t, p, 1)
		if a, ok := c.(annotator); ok {
			if err := a.Annotate(t.Context(), p, m.Seen, "why"); err != nil {
				t.Error(err)
			}
		}
	}},
}
