package rollback

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/alert/registry/webhook"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeregistry"
	"github.com/driftd/driftd/internal/signature"
)

// rig is one partition of the alerts topic, a registry behind its real client, and a core between them that may die at any
// of its calls to either.
type rig struct {
	t    *testing.T
	reg  *fakeregistry.Server
	log  []detector.Record
	core *Core
	cfg  Config

	ops      []string // "append rollback_proposed", "read", "promote"
	dieAt    int      // of ops, from 1; 0 never
	dieAfter bool     // after it had its effect
	dead     bool
	deaf     int // appends that fail without effect
}

var errDead = errors.New("the process is gone")

// direct calls the handler itself: no network, and a clock that stands still.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Code = 0
	done := make(chan struct{})
	go func() { defer close(done); d.ServeHTTP(w, r) }()
	<-done
	if w.Code == 0 {
		return nil, errors.Join(errors.New("connection reset"), r.Context().Err())
	}
	return w.Result(), nil
}

func newRig(t *testing.T) *rig {
	t.Helper()
	key, err := signature.ParseKey("registry-secret")
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{t: t, reg: fakeregistry.New(fakeregistry.Config{Key: key, Now: time.Now})}
	g.reg.Set("p", "v22")
	g.reg.Set("p", "v23")
	client := webhook.New(webhook.Config{URL: "https://registry.test", Key: key, Transport: direct{g.reg}, Now: time.Now})
	g.cfg = Config{Registry: mortal{g, client}, Enabled: true, Cooldown: time.Hour, Now: time.Now, Metrics: metrics.NewSet(), Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	g.start()
	return g
}

// start begins with a new core and all of the log, as after a restart.
func (g *rig) start() {
	g.dead, g.dieAt = false, 0
	g.core = New(g.cfg)
	g.core.Begin(0, -1)
	for i, r := range g.log {
		g.core.Fold(0, alert.Entry{Offset: int64(i), Record: r})
	}
	g.core.Live(0)
}

// add appends steps as detect does.
func (g *rig) add(rs ...detector.Record) {
	for _, r := range rs {
		g.log = append(g.log, r)
		g.core.Fold(0, alert.Entry{Offset: int64(len(g.log)) - 1, Record: r})
	}
}

// settle lets the core act until nothing is due within the hour.
func (g *rig) settle() {
	g.t.Helper()
	for range 200 {
		at, ok := g.core.Due()
		if !ok || g.dead || time.Until(at) > time.Hour {
			return
		}
		time.Sleep(time.Until(at))
		g.core.Act(g.t.Context(), g)
	}
	g.t.Fatalf("it does not come to rest: %v", g.actions())
}

// op is a call to the outside. It returns what it would have to return when the process dies there.
func (g *rig) op(name string, effect func()) error {
	if g.dead {
		return errDead
	}
	g.ops = append(g.ops, name)
	die := g.dieAt == len(g.ops)
	if !die || g.dieAfter {
		effect()
	}
	g.dead = die
	if die {
		return errDead
	}
	return nil
}

// Append implements alert.Journal.
func (g *rig) Append(_ context.Context, _ int, rs ...detector.Record) error {
	if g.deaf > 0 {
		g.deaf--
		return errors.New("not enough replicas")
	}
	n := len(g.log)
	if err := g.op("append "+string(rs[0].Type), func() { g.log = append(g.log, rs...) }); err != nil {
		return err
	}
	for i, r := range rs {
		g.core.Fold(0, alert.Entry{Offset: int64(n + i), Record: r})
	}
	return nil
}

// mortal is the registry's client in a process that may die.
type mortal struct {
	g    *rig
	next Registry
}

func (m mortal) Current(ctx context.Context, prompt string) (v registry.Version, err error) {
	if dead := m.g.op("read", func() { v, err = m.next.Current(ctx, prompt) }); dead != nil {
		return v, dead
	}
	return v, err
}

func (m mortal) List(ctx context.Context, prompt string) ([]registry.Version, error) {
	return m.next.List(ctx, prompt)
}

func (m mortal) Traits() registry.Traits { return m.next.Traits() }

func (m mortal) Move(ctx context.Context, p registry.Move) (err error) {
	if dead := m.g.op("promote", func() { err = m.next.Move(ctx, p) }); dead != nil {
		return dead
	}
	return err
}

// actions returns what the core wrote, as "type: reason".
func (g *rig) actions() []string {
	var out []string
	for _, r := range g.log {
		if !r.Type.IsStep() {
			s := string(r.Type)
			if r.Reason != "" {
				s += ": " + r.Reason
			}
			out = append(out, s)
		}
	}
	return out
}

func (g *rig) expect(what string, want ...string) {
	g.t.Helper()
	if got := g.actions(); !slices.Equal(got, want) {
		g.t.Errorf("%s:\n got  %q\n want %q", what, got, want)
	}
}

// promoted checks how often the registry was really moved.
func (g *rig) promoted(want int) {
	g.t.Helper()
	if got := g.reg.Promotions(); len(got) != want {
		g.t.Errorf("the registry was moved %d times, want %d: %+v", len(got), want, got)
	}
}

// step makes a step of an alert of prompt p; id "a1" is a cohort of rule a.
func step(id string, n int, typ detector.RecordType, mode string) detector.Record {
	v, b := 0.78, 0.85
	return detector.Record{ID: id, Step: n, Type: typ, Time: time.Now(), Group: "g", Rule: id[:1], Prompt: "p", Version: "v23", Previous: "v22",
		Cohort: map[string]string{"tier": id[1:]}, Metric: "m", Kind: "threshold", Value: &v, Bound: &b, Samples: 412, Cause: detector.CausePromptVersion, Rollback: mode}
}

func fire(id string, n int) detector.Record { return step(id, n, detector.Firing, "auto") }

func end(id string, n int) detector.Record { return step(id, n, detector.Resolved, "auto") }

// meddler lets a person act just before a promotion arrives.
type meddler struct {
	Registry
	act func()
}

func (m meddler) Move(ctx context.Context, p registry.Move) error {
	m.act()
	return m.Registry.Move(ctx, p)
}

// liar is a registry that answers promotions without making them.
type liar struct{ Registry }

func (liar) Move(context.Context, registry.Move) error { return nil }
