package registries

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/alert/registry/hooks"
	"github.com/driftd/driftd/detector"
)

// heard is the alerts topic in memory, of one partition.
type heard struct {
	book    *hooks.Book
	records chan detector.Record
	n       int64
}

func (h *heard) Append(_ context.Context, r detector.Record) (int, int64, error) {
	h.book.Fold(0, alert.Entry{Offset: h.n, Record: r})
	h.n++
	h.records <- r
	return 0, h.n - 1, nil
}

func (h *heard) End(context.Context, string) (int, int64, error) { return 0, h.n, nil }

// TestMLflowHook: MLflow itself calls when a person moves an alias, and is understood. It must be allowed to call this machine.
func TestMLflowHook(t *testing.T) {
	s := real(t, "MLFLOW_URL", "mlflow")
	if s == nil {
		t.Skip("MLFLOW_URL is not set: see make test-registries")
	}
	h := &heard{book: hooks.NewBook(1), records: make(chan detector.Record, 10)}
	h.book.Begin(0)
	h.book.Live(0)
	set := metrics.NewSet()
	intake := hooks.New(hooks.Config{
		Book: h.book, Log: h, Spoken: func(string) []string { return []string{"v1", "v2"} }, Now: time.Now, Metrics: set,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	const secret = "the hook's secret"
	handler, err := hooks.NewHandler(hooks.HandlerConfig{Kind: "mlflow", Label: "production", Secret: secret, Now: time.Now}, intake)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(hooks.Pattern, handler)
	driftd := httptest.NewServer(mux)
	defer driftd.Close()

	w := &mlflowWorld{server: s}
	p := "hook-" + strings.ToLower(rand.Text()[:10])
	w.seed(t, p, 2)
	var made struct {
		Webhook struct {
			ID string `json:"webhook_id"`
		}
	}
	s.ask(t, "POST", "/api/2.0/mlflow/webhooks", nil, object{
		"name": p, "url": driftd.URL + "/hooks/registry", "secret": secret, "status": "ACTIVE",
		"events": []object{{"entity": "PROMPT_ALIAS", "action": "CREATED"}, {"entity": "PROMPT_VERSION", "action": "CREATED"}},
	}, &made)
	defer func() { s.ask(t, "DELETE", "/api/2.0/mlflow/webhooks/"+made.Webhook.ID, nil, nil, nil) }()
	moved := func(n int, version, previous string) {
		t.Helper()
		for deadline := time.After(90 * time.Second); ; {
			w.label(t, p, "", n)
			select {
			case r := <-h.records:
				if r.Prompt != p || r.Version != version || r.Previous != previous || r.Actor != "registry" || time.Since(r.Time).Abs() > 2*time.Minute {
					t.Errorf("%+v", r)
				}
				return
			case <-time.After(2 * time.Second): // MLflow learns of a new webhook within a minute
			case <-deadline:
				t.Fatal("MLflow did not call")
			}
		}
	}
	w.label(t, p, "staging", 1)
	moved(1, "v1", "")
	moved(2, "v2", "v1")
	// What driftd has written down and then done is not told again.
	c := w.client(t, daemon, nil)
	h.book.Fold(0, alert.Entry{Offset: h.n, Record: detector.Record{
		ID: "9f3c", Step: 1, Type: detector.RollbackPromoting, Time: time.Now(), Prompt: p, Version: "v2", Previous: "v1",
	}})
	h.n++
	if err := c.Move(t.Context(), registry.Move{Prompt: p, To: registry.Version{ID: "1"}, Seen: registry.Version{ID: "2"}}); err != nil {
		t.Fatal(err)
	}
	own := set.GetOrCreateCounter(`driftd_alert_registry_hooks_total{result="own"}`)
	for deadline := time.After(90 * time.Second); own.Get() == 0; {
		select {
		case r := <-h.records:
			t.Fatalf("driftd's own move is told: %+v", r)
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatal("MLflow did not call about driftd's own move")
		}
	}
	for _, result := range []string{"unsigned", "unreadable", "failed"} {
		if n := set.GetOrCreateCounter(`driftd_alert_registry_hooks_total{result="` + result + `"}`).Get(); n > 0 {
			t.Errorf("%s: %d", result, n)
		}
	}
}
