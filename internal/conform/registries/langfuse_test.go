package registries

import (
	"cmp"
	"encoding/base64"
	"testing"
	"time"

	"github.com/driftd/driftd/alert/registry/langfuse"
	"github.com/driftd/driftd/alert/rollback"
	fakelangfuse "github.com/driftd/driftd/internal/fakeregistry/langfuse"
)

// TestLangfuse runs the suite over a fake that answers as the definition of Langfuse's public API says.
func TestLangfuse(t *testing.T) {
	run(t, subject{
		name: "langfuse (documented API)",
		world: func(*testing.T) world {
			f := fakelangfuse.New("pk-lf-daemon", "sk-lf-daemon")
			return &langfuseWorld{fake(f), f}
		},
		names:   []string{"a/b", "team/support/answers", "a b?c#d", "../../admin", "ü&%2f", "<script>", "o'brien", `say "hi"`, "p|q"},
		endless: `{"data":[{"name":"p","versions":[1,2]}],"meta":{"page":1,"limit":100,"totalPages":1000000,"totalItems":1}}`,
		not: map[string]string{
			"no right to move: 403": "an API key may all that its project lets",
		},
	})
}

type langfuseWorld struct {
	*server
	fake *fakelangfuse.Server
}

func (w *langfuseWorld) power() power { return w.off }

func langfuseSecret(as who) string {
	if as == stranger {
		return "sk-lf-wrong"
	}
	return "sk-lf-daemon"
}

func (w *langfuseWorld) secrets(as who) []string {
	s := langfuseSecret(as)
	return []string{s, base64.StdEncoding.EncodeToString([]byte("pk-lf-daemon:" + s))}
}

func (w *langfuseWorld) client(_ *testing.T, as who, through middleware) rollback.Registry {
	return langfuse.New(langfuse.Config{
		URL: w.base, Label: "production", PublicKey: "pk-lf-daemon", SecretKey: langfuseSecret(as), Grace: time.Minute,
		Transport: w.between(through), Now: time.Now,
	})
}

func (w *langfuseWorld) seed(_ *testing.T, prompt string, n int) {
	for range n {
		w.fake.Add(prompt)
	}
}

func (w *langfuseWorld) label(_ *testing.T, prompt, label string, n int) {
	w.fake.Label(prompt, cmp.Or(label, "production"), n)
}

func (w *langfuseWorld) labelled(t *testing.T, prompt, label string) int {
	t.Helper()
	all := w.fake.Labelled(prompt, cmp.Or(label, "production"))
	if len(all) == 0 {
		return 0
	}
	if len(all) > 1 {
		t.Errorf("versions %v have the label", all)
	}
	return all[0]
}

func (w *langfuseWorld) remove(_ *testing.T, prompt string, n int) { w.fake.Delete(prompt, n) }

func (w *langfuseWorld) switchOff(_ *testing.T, prompt string) { w.fake.Tag(prompt, "driftd:off") }
