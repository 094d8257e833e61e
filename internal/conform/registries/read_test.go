package registries

import (
	"crypto/rand"
	"strconv"
	"strings"
	"testing"

	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/alert/rollback"
)

var reading = []testcase{
	{name: "traits are true", run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		_, history := c.(rollback.Historian)
		_, off := c.(rollback.Switcher)
		if tr := c.Traits(); tr.History != history || tr.Switch != off {
			t.Errorf("%+v, but Historian %v, Switcher %v", tr, history, off)
		}
	}},
	{name: "current", run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		p := b.prompt(t, 3, 2)
		got, err := c.Current(t.Context(), p)
		if err != nil || got.ID != b.version(t, c, p, 2).ID {
			t.Fatalf("%+v %v", got, err)
		}
		for _, name := range []string{"v2", got.ID} { // as spans may have it
			if !got.Is(name) {
				t.Errorf("%+v is not %s", got, name)
			}
		}
		for _, name := range []string{"v1", "v3", "3", ""} {
			if got.Is(name) {
				t.Errorf("%+v is %q", got, name)
			}
		}
	}},
	{name: "list, newest first", run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		b.prompt(t, 1, 1) // another one in between
		p := b.prompt(t, 12, 12)
		all, err := c.List(t.Context(), p)
		if err != nil || len(all) != 12 {
			t.Fatalf("%d versions, %v", len(all), err)
		}
		for i, v := range all {
			if want := "v" + strconv.Itoa(12-i); !v.Is(want) {
				t.Errorf("place %d has %+v, want %s", i, v, want)
			}
		}
	}},
	{name: "long list", run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		p := b.prompt(t, 120, 0)
		all, err := c.List(t.Context(), p)
		if err != nil || len(all) != 120 || !all[0].Is("v120") || !all[119].Is("v1") {
			t.Fatalf("%d versions, %v", len(all), err)
		}
	}},
	{name: "unknown prompt", run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		p := b.prompt(t, 2, 2)
		m := b.move(t, c, p, 2, 1)
		m.Prompt = "no-such-prompt"
		_, err := c.Current(t.Context(), m.Prompt)
		b.fails(t, err, registry.NoPrompt)
		_, err = c.List(t.Context(), m.Prompt)
		b.fails(t, err, registry.NoPrompt)
		b.fails(t, c.Move(t.Context(), m), registry.NoPrompt)
	}},
	{name: "no label yet", run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		p := b.prompt(t, 2, 0)
		_, err := c.Current(t.Context(), p)
		b.fails(t, err, registry.NoLabel)
	}},
	{name: "label deleted", run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		p := b.prompt(t, 2, 2)
		m := b.move(t, c, p, 2, 1)
		b.label(t, p, "", 0)
		_, err := c.Current(t.Context(), p)
		b.fails(t, err, registry.NoLabel)
		if err := c.Move(t.Context(), m); err == nil {
			t.Error("a label that someone has taken away was set again")
		}
		b.stands(t, p, 0)
	}},
	{name: "version deleted", skip: func(w world) string {
		if _, ok := w.(remover); !ok {
			return "its interface deletes no versions"
		}
		return ""
	}, run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		p := b.prompt(t, 4, 4)
		m := b.move(t, c, p, 4, 2)
		b.world.(remover).remove(t, p, 2)
		b.fails(t, c.Move(t.Context(), m), registry.NoVersion)
		b.stands(t, p, 4)
		if all, err := c.List(t.Context(), p); err != nil || len(all) != 3 || !all[1].Is("v3") || !all[2].Is("v1") {
			t.Errorf("%+v %v", all, err)
		}
		b.world.(remover).remove(t, p, 4)
		_, err := c.Current(t.Context(), p)
		b.fails(t, err, registry.NoLabel)
	}},
	{name: "awkward names", run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		for _, name := range b.names {
			b.seed(t, name, 2)
			b.label(t, name, "", 2)
		}
		for _, name := range b.names {
			if all, err := c.List(t.Context(), name); err != nil || len(all) != 2 {
				t.Errorf("%q: %+v %v", name, all, err)
			}
			if err := c.Move(t.Context(), b.move(t, c, name, 2, 1)); err != nil {
				t.Errorf("%q: %v", name, err)
			}
			if b.labelled(t, name, "") != 1 {
				t.Errorf("%q was not moved", name)
			}
		}
	}},
	{name: "hostile names", run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		p := b.prompt(t, 2, 2)
		for _, name := range []string{
			"", ".", "..", "../" + p, p + "/", p + "?", p + "#", p + "%00", p + "\x00", "/" + p, strings.ToUpper(p), p + "' OR name != '", `x" OR name != "x`,
			p + "/versions", "*", "%", p[:len(p)-1] + "_", p[:len(p)-1] + "%", "UHJvbXB0OjE=", strings.Repeat("x", 5000), "<b>hostile", "\xff\xfe",
		} {
			m := b.move(t, c, p, 2, 1)
			m.Prompt = name
			if err := c.Move(t.Context(), m); err == nil {
				t.Errorf("%q was moved", name)
			}
			if v, err := c.Current(t.Context(), name); err == nil {
				t.Errorf("%q has %+v", name, v)
			}
			if all, err := c.List(t.Context(), name); err == nil && len(all) > 0 {
				t.Errorf("%q has %+v", name, all)
			}
		}
		b.stands(t, p, 2)
	}},
	{name: "what is no prompt", skip: func(w world) string {
		if _, ok := w.(impostor); !ok {
			return "it has only prompts"
		}
		return ""
	}, run: func(t *testing.T, b *bench) {
		c := b.client(t, daemon, nil)
		name := "model-" + strings.ToLower(rand.Text()[:10])
		b.world.(impostor).impostor(t, name)
		for verb, err := range calls(t.Context(), c, registry.Move{Prompt: name, To: registry.Version{ID: "1"}, Seen: registry.Version{ID: "2"}, Key: "k"}) {
			if e := b.fails(t, err, registry.NoPrompt); e.Hint == "" {
				t.Errorf("%s: %+v", verb, e)
			}
		}
		b.stands(t, name, 2)
	}},
	{name: "switched off in the registry", skip: func(w world) string {
		if _, ok := w.(switcher); !ok {
			return "its prompts have no place for it"
		}
		return ""
	}, run: func(t *testing.T, b *bench) {
		c, ok := b.client(t, daemon, nil).(rollback.Switcher)
		if !ok {
			t.Fatal("the client does not look for it")
		}
		p, other := b.prompt(t, 2, 2), b.prompt(t, 2, 2)
		if off, err := c.Switched(t.Context(), p); off || err != nil {
			t.Errorf("before: %v %v", off, err)
		}
		b.world.(switcher).switchOff(t, p)
		if off, err := c.Switched(t.Context(), p); !off || err != nil {
			t.Errorf("after: %v %v", off, err)
		}
		if off, err := c.Switched(t.Context(), other); off || err != nil {
			t.Errorf("another prompt: %v %v", off, err)
		}
		b.stands(t, p, 2)
	}},
}
