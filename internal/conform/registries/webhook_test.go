package registries

import (
	"strconv"
	"testing"
	"time"

	"github.com/driftd/driftd/alert/registry/webhook"
	"github.com/driftd/driftd/alert/rollback"
	"github.com/driftd/driftd/internal/fakeregistry"
	"github.com/driftd/driftd/internal/signature"
)

// TestWebhook runs the suite over a registry that answers as the protocol says, which is driftd's own.
func TestWebhook(t *testing.T) {
	run(t, subject{
		name:  "webhook (protocol)",
		world: newWebhook,
		names: []string{"a/b", "a b?c#d", "../../admin", "ü&%2f", "<script>", "o'brien", `say "hi"`},
		not: map[string]string{
			"label deleted":               "the protocol has no call for it: see no label yet",
			"other labels stay":           "the protocol knows one label",
			"a label set meanwhile stays": "the protocol knows one label",
			"no right to move: 403":       "whoever can sign may move",
			"list without end":            "the list has no pages",
			"version of another prompt":   "versions are text, of each prompt its own",
		},
	})
}

const hookSecret = "the registry's secret"

type webhookWorld struct {
	*server
	fake *fakeregistry.Server
}

func newWebhook(t *testing.T) world {
	f := fakeregistry.New(fakeregistry.Config{Key: hookKey(t, hookSecret), Now: time.Now})
	return &webhookWorld{fake(f), f}
}

func hookKey(t *testing.T, secret string) signature.Key {
	t.Helper()
	k, err := signature.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (w *webhookWorld) power() power { return w.off }

// secrets are what the registry hears of; the key itself never leaves driftd.
func (w *webhookWorld) secrets(who) []string { return []string{"query-secret"} }

func (w *webhookWorld) seed(_ *testing.T, prompt string, n int) {
	for i := range n {
		w.fake.Add(prompt, "v"+strconv.Itoa(i+1))
	}
}

func (w *webhookWorld) label(_ *testing.T, prompt, _ string, n int) {
	w.fake.Set(prompt, "v"+strconv.Itoa(n))
}

func (w *webhookWorld) labelled(_ *testing.T, prompt, _ string) int {
	if v := w.fake.Current(prompt); v != "" {
		n, _ := strconv.Atoi(v[1:])
		return n
	}
	return 0
}

func (w *webhookWorld) client(t *testing.T, as who, through middleware) rollback.Registry {
	secret := hookSecret
	if as == stranger {
		secret = "not the secret"
	}
	return webhook.New(webhook.Config{URL: w.base + "/?key=query-secret", Key: hookKey(t, secret), Transport: w.between(through), Now: time.Now})
}
