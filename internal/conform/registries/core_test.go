package registries

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/rollback"
	"github.com/driftd/driftd/detector"
)

// act is the act stage of one rollback: its core, the client of the registry, and a log that outlives both.
type act struct {
	log  []detector.Record
	core *rollback.Core
	lose detector.RecordType // the next of this kind is not written: the process dies there
}

// fires begins with an alert that fires for v3, whose rule lets v2 be promoted.
func fires(prompt string) *act {
	value, bound := 0.78, 0.85
	return &act{log: []detector.Record{{
		ID: "alert-of-" + prompt, Step: 3, Type: detector.Firing, Time: time.Now().UTC(), Group: "support", Rule: "GroundingRegressed", Prompt: prompt, Version: "v3", Previous: "v2",
		Metric: "citation_grounding", Kind: "drift", Value: &value, Bound: &bound, Samples: 412, Cause: detector.CausePromptVersion,
		Rollback: "auto", Target: &detector.Target{Version: "v2", Calls: 5000, Templates: 1},
	}}}
}

// process is driftd, started anew: it reads the log and acts until nothing is due, or it dies.
func (a *act) process(t *testing.T, c rollback.Registry) {
	t.Helper()
	a.core = rollback.New(rollback.Config{
		Registry: c, Enabled: true, Now: time.Now, Metrics: metrics.NewSet(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Link: func(alert string) string { return "https://driftd.test/alerts/" + alert },
	})
	a.core.Begin(0, -1)
	for i, r := range a.log {
		a.core.Fold(0, alert.Entry{Offset: int64(i), Record: r})
	}
	a.core.Live(0)
	for range 100 {
		at, ok := a.core.Due()
		if !ok || at.After(time.Now()) {
			return
		}
		a.core.Act(t.Context(), a)
	}
	t.Fatalf("it does not come to rest: %v", a.said())
}

// Append implements alert.Journal.
func (a *act) Append(_ context.Context, part int, rs ...detector.Record) error {
	if rs[0].Type == a.lose {
		return errors.New("the process is gone")
	}
	for _, r := range rs {
		a.log = append(a.log, r)
		a.core.Fold(part, alert.Entry{Offset: int64(len(a.log)) - 1, Record: r})
	}
	return nil
}

// said are the actions.
func (a *act) said() (out []string) {
	for _, r := range a.log[1:] {
		s := string(r.Type)
		if r.Guard != "" {
			s += " " + r.Guard
		}
		out = append(out, s)
	}
	return out
}

func (a *act) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := a.said(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

const (
	proposed, promoting, promoted = "rollback_proposed", "rollback_promoting", "rollback_promoted"
	standsDown                    = "rollback_refused not_current"
)

// whole is the rollback on top of the client.
var whole = []testcase{
	{name: "rollback: promoted", run: func(t *testing.T, b *bench) {
		p := b.prompt(t, 4, 3)
		a := fires(p)
		a.process(t, b.client(t, daemon, nil))
		a.expect(t, proposed, promoting, promoted)
		b.stands(t, p, 2)
		n, ok := b.world.(noter)
		if !ok {
			return
		}
		at := 2
		if _, ok := b.client(t, daemon, nil).(annotator); ok {
			at = 3
		}
		if note := n.noted(t, p, at); !strings.Contains(note, "GroundingRegressed fires for v3") || !strings.Contains(note, "driftd.test/alerts/alert-of-"+p) {
			t.Errorf("the registry's own audit says %q", note)
		}
	}},
	{name: "rollback: a person was first", run: func(t *testing.T, b *bench) {
		p := b.prompt(t, 4, 4)
		a := fires(p)
		a.process(t, b.client(t, daemon, nil))
		a.expect(t, proposed, standsDown)
		b.stands(t, p, 4)
	}},
	{name: "rollback: a person right after", http: true, run: func(t *testing.T, b *bench) {
		p := b.prompt(t, 4, 3)
		a := fires(p)
		a.process(t, b.client(t, daemon, onWrite(nil, func() { b.label(t, p, "", 4) })))
		a.expect(t, proposed, promoting, "rollback_refused set_back")
		b.stands(t, p, 4)
	}},
	{name: "rollback: target is not there", run: func(t *testing.T, b *bench) {
		p := b.prompt(t, 3, 3)
		a := fires(p)
		a.log[0].Previous, a.log[0].Target.Version = "v22", "v22"
		a.process(t, b.client(t, daemon, nil))
		a.expect(t, proposed, "rollback_refused unknown_target")
		b.stands(t, p, 3)
	}},
	{name: "rollback: switched off in the registry", skip: func(w world) string {
		if _, ok := w.(switcher); !ok {
			return "its prompts have no place for it"
		}
		return ""
	}, run: func(t *testing.T, b *bench) {
		p := b.prompt(t, 3, 3)
		b.world.(switcher).switchOff(t, p)
		a := fires(p)
		a.process(t, b.client(t, daemon, nil))
		a.expect(t, proposed, "rollback_refused kill_switch")
		b.stands(t, p, 3)
	}},
	{name: "rollback: killed before it was asked", run: func(t *testing.T, b *bench) {
		p := b.prompt(t, 3, 3)
		a := fires(p)
		a.lose = detector.RollbackPromoting
		a.process(t, b.client(t, daemon, nil))
		a.expect(t, proposed)
		b.stands(t, p, 3)
		a.lose = ""
		a.process(t, b.client(t, daemon, nil))
		a.expect(t, proposed, promoting, promoted)
		b.stands(t, p, 2)
	}},
	{name: "rollback: killed after it was done", run: func(t *testing.T, b *bench) {
		p := b.prompt(t, 3, 3)
		a := fires(p)
		a.lose = detector.RollbackPromoted
		a.process(t, b.client(t, daemon, nil))
		a.expect(t, proposed, promoting)
		b.stands(t, p, 2)
		a.lose = ""
		a.process(t, b.client(t, daemon, nil))
		a.expect(t, proposed, promoting, promoted)
		b.stands(t, p, 2)
	}},
	{name: "rollback: registry restarts before the write", http: true, skip: notOurs, run: func(t *testing.T, b *bench) {
		s := b.world.(powered).power()
		p := b.prompt(t, 3, 3)
		a := fires(p)
		a.process(t, b.client(t, daemon, onWrite(func() { s.stop(t) }, nil)))
		a.expect(t, proposed, promoting)
		s.start(t)
		b.stands(t, p, 3)
		a.process(t, b.client(t, daemon, nil))
		a.expect(t, proposed, promoting, promoted)
		b.stands(t, p, 2)
	}},
	{name: "rollback: registry restarts before the answer", http: true, skip: notOurs, run: func(t *testing.T, b *bench) {
		s := b.world.(powered).power()
		p := b.prompt(t, 3, 3)
		a := fires(p)
		writes := 0
		count := func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "set-tag") { // a note
					writes++
				}
				return next.RoundTrip(r)
			})
		}
		a.process(t, b.client(t, daemon, func(next http.RoundTripper) http.RoundTripper { return count(answerLost(func() { s.stop(t) })(next)) }))
		a.expect(t, proposed, promoting)
		s.start(t)
		b.stands(t, p, 2)
		a.process(t, b.client(t, daemon, count))
		a.expect(t, proposed, promoting, promoted)
		b.stands(t, p, 2)
		if writes > 1 {
			t.Errorf("the label was written %d times", writes)
		}
	}},
}
