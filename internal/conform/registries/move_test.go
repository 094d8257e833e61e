package registries

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/driftd/driftd/alert/registry"
)

// onWrite calls before and after around the first call that writes.
func onWrite(before, after func()) middleware {
	var once sync.Once
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (resp *http.Response, err error) {
			first := false
			if r.Method != http.MethodGet {
				once.Do(func() { first = true })
			}
			if first && before != nil {
				before()
			}
			resp, err = next.RoundTrip(r)
			if first && after != nil {
				after()
			}
			return resp, err
		})
	}
}

// annotator writes into the registry's own audit.
type annotator interface {
	Annotate(ctx context.Context, prompt string, v registry.Version, note string) error
}

var moving = []testcase{
	{name: "move, read back", run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		p, other := b.prompt(t, 3, 3), b.prompt(t, 3, 3)
		m := b.move(t, c, p, 3, 2)
		if err := c.Move(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Current(t.Context(), p); err != nil || got.ID != m.To.ID {
			t.Errorf("%+v %v", got, err)
		}
		b.stands(t, p, 2)
		b.stands(t, other, 3)
	}},
	{name: "move again is no other move", run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		p := b.prompt(t, 3, 3)
		m := b.move(t, c, p, 3, 2)
		for range 3 {
			if err := c.Move(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		b.stands(t, p, 2)
	}},
	{name: "unknown version", run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		p := b.prompt(t, 2, 2)
		for _, id := range []string{"99", "abc", "", "../1", "UHJvbXB0VmVyc2lvbjo5OTk5OTk="} {
			m := b.move(t, c, p, 2, 1)
			m.To = registry.Version{ID: id}
			err := c.Move(t.Context(), m)
			if e, ok := errors.AsType[*registry.Error](err); !ok || e.Kind == registry.Unavailable || e.Kind == registry.Denied {
				t.Errorf("%q: %v", id, err)
			}
			b.clean(t, err)
		}
		b.stands(t, p, 2)
	}},
	{name: "version of another prompt", run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		p, other := b.prompt(t, 1, 1), b.prompt(t, 5, 5)
		m := b.move(t, c, p, 1, 1)
		m.To = b.version(t, c, other, 4)
		if err := c.Move(t.Context(), m); err == nil {
			t.Error("moved to a version that the prompt does not have")
		}
		b.stands(t, p, 1)
		b.stands(t, other, 5)
	}},
	{name: "no longer current: conflict", run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		p := b.prompt(t, 4, 3)
		m := b.move(t, c, p, 3, 2)
		b.label(t, p, "", 4)
		err := c.Move(t.Context(), m)
		if e, ok := errors.AsType[*registry.ConflictError](err); !ok || !e.Current.Is("v4") {
			t.Errorf("%v", err)
		}
		b.stands(t, p, 4)
	}},
	{name: "a person between read and write", http: true, run: func(t *testing.T, b *bench) {
		var p string
		meddle := onWrite(func() { b.label(t, p, "", 4) }, nil)
		c := b.client(t, daemon, meddle)
		p = b.prompt(t, 4, 3)
		err := c.Move(t.Context(), b.move(t, c, p, 3, 2))
		_, conflict := errors.AsType[*registry.ConflictError](err)
		switch got := b.labelled(t, p, ""); {
		case conflict && got == 4: // a registry that compares
		case err == nil && got == 2: // one that cannot
		default:
			t.Errorf("version %d is current after %v", got, err)
		}
	}},
	{name: "a person right after: read back", http: true, run: func(t *testing.T, b *bench) {
		var p string
		meddle := onWrite(nil, func() { b.label(t, p, "", 4) })
		c := b.client(t, daemon, meddle)
		p = b.prompt(t, 4, 3)
		if err := c.Move(t.Context(), b.move(t, c, p, 3, 2)); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Current(t.Context(), p); err != nil || !got.Is("v4") {
			t.Errorf("%+v %v", got, err)
		}
	}},
	{name: "a person at the same time", run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		p := b.prompt(t, 4, 3)
		for range 10 {
			b.label(t, p, "", 3)
			m := b.move(t, c, p, 3, 2)
			var wg sync.WaitGroup
			wg.Go(func() { b.label(t, p, "", 4) })
			err := c.Move(t.Context(), m)
			wg.Wait()
			if _, conflict := errors.AsType[*registry.ConflictError](err); err != nil && !conflict {
				t.Errorf("neither done nor refused: %v", err)
			}
			got, err := c.Current(t.Context(), p)
			if now := b.labelled(t, p, ""); err != nil || now != 4 && now != 2 || got.ID != b.version(t, c, p, now).ID {
				t.Fatalf("the client reads %+v (%v), people read %d", got, err, now)
			}
		}
	}},
	{name: "other labels stay", run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		p := b.prompt(t, 3, 3)
		for label, n := range map[string]int{"stable": 2, "staging": 2, "canary": 3} {
			b.label(t, p, label, n)
		}
		if err := c.Move(t.Context(), b.move(t, c, p, 3, 2)); err != nil {
			t.Fatal(err)
		}
		b.stands(t, p, 2)
		for label, n := range map[string]int{"stable": 2, "staging": 2, "canary": 3} {
			if got := b.labelled(t, p, label); got != n {
				t.Errorf("%s is at %d, want %d", label, got, n)
			}
		}
	}},
	{name: "a label set meanwhile stays", http: true, run: func(t *testing.T, b *bench) {
		p := b.prompt(t, 3, 3)
		c := b.client(t, daemon, onWrite(func() { b.label(t, p, "stable", 2) }, nil))
		if err := c.Move(t.Context(), b.move(t, c, p, 3, 2)); err != nil {
			t.Fatal(err)
		}
		b.stands(t, p, 2)
		if got := b.labelled(t, p, "stable"); (got != 2) != c.Traits().Replaces {
			t.Errorf("a label that a person set between read and write is at %d, and the client says that it replaces all: %v", got, c.Traits().Replaces)
		}
	}},
	{name: "note in the registry's audit", skip: func(w world) string {
		if _, ok := w.(noter); !ok {
			return "it has no place for one"
		}
		return ""
	}, run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		p := b.prompt(t, 2, 2)
		m := b.move(t, c, p, 2, 1)
		m.Reason += " " + strings.Repeat("ü", 120_000)
		if err := c.Move(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		at := 1
		if a, ok := c.(annotator); ok {
			at = 2
			if err := a.Annotate(t.Context(), p, m.Seen, m.Reason); err != nil {
				t.Fatal(err)
			}
		}
		if got := b.world.(noter).noted(t, p, at); !strings.Contains(got, "GroundingRegressed fires") {
			t.Errorf("%q", got)
		}
		b.stands(t, p, 1)
	}},
}
