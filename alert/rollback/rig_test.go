package rollback

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
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

// partitions of the rig's topic: prompt p is in the first, all others in the second, and so is what has no prompt.
const partitions = 2

func partition(prompt string) int {
	if prompt == "p" {
		return 0
	}
	return 1
}

// rig is the alerts topic, a registry behind its real client, and a core between them that may die at any of its calls to either.
type rig struct {
	t    *testing.T
	reg  *fakeregistry.Server
	logs [partitions][]detector.Record
	all  []detector.Record // of both, as they came
	core *Core
	cfg  Config

	ops      []string // "append rollback_proposed", "read", "promote"
	dieAt    int      // of ops, from 1; 0 never
	dieAfter bool     // after it had its effect
	dead     bool
	deaf     int // appends that fail without effect

	// What the registry can besides.
	traits  registry.Traits
	history []registry.Change
	off     map[string]bool
	notes   []string
	before  func(m registry.Move) // runs before a move arrives
	liar    bool                  // moves are answered and not made
	reading func()                // runs before a read is answered
	down    bool                  // nothing is answered
	forgets bool                  // it takes no idempotency key: what is asked twice is done twice
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
	g := &rig{t: t, reg: fakeregistry.New(fakeregistry.Config{Key: key, Now: time.Now}), off: map[string]bool{}}
	g.reg.Set("p", "v22")
	g.reg.Set("p", "v23")
	g.configure(mortal{g, webhook.New(webhook.Config{URL: "https://registry.test", Key: key, Transport: direct{g.reg}, Now: time.Now})})
	return g
}

// configure begins with the usual limits.
func (g *rig) configure(reg Registry) {
	g.cfg = Config{
		Registry: reg, Enabled: true, Cooldown: time.Hour, PromptPerDay: 2, FleetPerDay: 10, MinSamples: 200, Horizon: 7 * day,
		ApproveWithin: day, RemindAfter: time.Hour, Watch: time.Hour, Grace: time.Minute,
		Now: time.Now, Metrics: metrics.NewSet(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	g.start()
}

// start begins with a new core and all of the log, as after a restart.
func (g *rig) start() {
	g.dead, g.dieAt = false, 0
	g.core = New(g.cfg)
	g.core.backoff = func(n int) time.Duration { return time.Second << min(n-1, 6) }
	for n := range g.logs {
		g.core.Begin(n, -1)
	}
	for n, log := range g.logs {
		for i, r := range log {
			g.core.Fold(n, alert.Entry{Offset: int64(i), Record: r})
		}
		g.core.Live(n)
	}
}

// add appends records as detect and people do.
func (g *rig) add(rs ...detector.Record) {
	for _, r := range rs {
		n := partition(r.Prompt)
		g.logs[n] = append(g.logs[n], r)
		g.all = append(g.all, r)
		g.core.Fold(n, alert.Entry{Offset: int64(len(g.logs[n])) - 1, Record: r})
	}
}

// now lets the core do what is due.
func (g *rig) now() {
	g.t.Helper()
	for range 1000 {
		at, ok := g.core.Due()
		if !ok || g.dead || at.After(time.Now()) {
			return
		}
		g.core.Act(g.t.Context(), g)
	}
	g.t.Fatalf("it does not come to rest: %v", g.said(0))
}

// advance lets time go by, and the core do what becomes due.
func (g *rig) advance(d time.Duration) {
	g.t.Helper()
	for end := time.Now().Add(d); ; {
		g.now()
		left := time.Until(end)
		if left <= 0 {
			return
		}
		if at, ok := g.core.Due(); ok && !g.dead {
			left = min(left, max(time.Until(at), time.Millisecond))
		}
		time.Sleep(left)
	}
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
func (g *rig) Append(_ context.Context, part int, rs ...detector.Record) error {
	if g.deaf > 0 {
		g.deaf--
		return errors.New("not enough replicas")
	}
	n := len(g.logs[part])
	err := g.op("append "+string(rs[0].Type), func() {
		g.logs[part] = append(g.logs[part], rs...)
		g.all = append(g.all, rs...)
	})
	if err != nil {
		return err
	}
	for i, r := range rs {
		g.core.Fold(part, alert.Entry{Offset: int64(n + i), Record: r})
	}
	return nil
}

// mortal is the registry's client in a process that may die.
type mortal struct {
	g    *rig
	next Registry
}

func (m mortal) Current(ctx context.Context, prompt string) (v registry.Version, err error) {
	if hook := m.g.reading; hook != nil {
		m.g.reading = nil
		hook()
	}
	if m.g.down {
		return v, &registry.Error{Op: "read", Kind: registry.Unavailable, Reason: "no answer"}
	}
	if dead := m.g.op("read", func() { v, err = m.next.Current(ctx, prompt) }); dead != nil {
		return v, dead
	}
	return v, err
}

func (m mortal) List(ctx context.Context, prompt string) ([]registry.Version, error) {
	return m.next.List(ctx, prompt)
}

func (m mortal) Traits() registry.Traits { return m.g.traits }

func (m mortal) Move(ctx context.Context, p registry.Move) (err error) {
	if m.g.before != nil {
		m.g.before(p)
	}
	if m.g.liar {
		return nil
	}
	if m.g.forgets {
		p.Key = fmt.Sprintf("%s#%d", p.Key, len(m.g.ops))
	}
	if dead := m.g.op("promote", func() { err = m.next.Move(ctx, p) }); dead != nil {
		return dead
	}
	return err
}

func (m mortal) History(context.Context, string) ([]registry.Change, error) { return m.g.history, nil }

func (m mortal) Switched(_ context.Context, prompt string) (bool, error) {
	return m.g.off[prompt], nil
}

func (m mortal) Annotate(_ context.Context, prompt string, v registry.Version, note string) error {
	m.g.notes = append(m.g.notes, fmt.Sprintf("%s %s: %s", prompt, v, note))
	return nil
}

// said returns the actions from the nth record on, as "type: reason [guard]".
func (g *rig) said(n int) (out []string) {
	for _, r := range g.all[n:] {
		if r.Type.IsStep() || r.Type == detector.Observed {
			continue
		}
		s := string(r.Type)
		if r.Reason != "" {
			s += ": " + r.Reason
		}
		if r.Guard != "" {
			s += " [" + r.Guard + "]"
		}
		out = append(out, s)
	}
	return out
}

// moves checks how often the registry was really moved.
func (g *rig) moves(want int) {
	g.t.Helper()
	if got := g.reg.Promotions(); len(got) != want {
		g.t.Errorf("the registry was moved %d times, want %d: %+v", len(got), want, got)
	}
}

// attempt returns what the log says of one, as any reader of it would know it.
func (g *rig) attempt(id string) *alert.Attempt {
	all := told{}
	for _, log := range g.logs {
		for i := range log {
			all.fold(&log[i])
		}
	}
	return cmp.Or(all[id], &alert.Attempt{})
}

// step makes a step of an alert of prompt p; id "a1" is a cohort of rule a.
func step(id string, n int, typ detector.RecordType, mode string) detector.Record {
	v, b := 0.78, 0.85
	return detector.Record{ID: id, Step: n, Type: typ, Time: time.Now().UTC(), Group: "g", Rule: id[:1], Prompt: "p", Version: "v23", Previous: "v22",
		Cohort: map[string]string{"tier": id[1:]}, Metric: "m", Kind: "threshold", Value: &v, Bound: &b, Samples: 412, Cause: detector.CausePromptVersion,
		Rollback: mode, Target: &detector.Target{Version: "v22", Calls: 5000, Templates: 1}}
}

func fire(id string, n int) detector.Record { return step(id, n, detector.Firing, "auto") }

func end(id string, n int) detector.Record { return step(id, n, detector.Resolved, "auto") }

// observed is an observation of an alert that fires.
func observed(r detector.Record, share, target float64, samples int64) detector.Record {
	r.Type, r.Time, r.Share = detector.Observed, time.Now().UTC(), &share
	r.Target = &detector.Target{Version: r.Previous, Calls: 5000, Templates: 1, Value: &target, Samples: samples}
	return r
}

// told are all rollbacks of what was read of the topic, by their id, as any reader of it knows them.
type told map[string]*alert.Attempt

// fold takes a record, and returns the attempt that it changed, nil for none.
func (as told) fold(r *detector.Record) *alert.Attempt {
	id := alert.AttemptID(r)
	a := as[id]
	if a == nil {
		a = &alert.Attempt{Step: *r}
	}
	if !a.Fold(r) {
		return nil
	}
	as[id] = a
	return a
}

// named is a registry with names of its own.
type named struct {
	all     []registry.Version
	current int
	moved   registry.Move
}

func (n *named) Current(context.Context, string) (registry.Version, error) {
	return n.all[n.current], nil
}

func (n *named) List(context.Context, string) ([]registry.Version, error) { return n.all, nil }

func (n *named) Traits() registry.Traits { return registry.Traits{} }

func (n *named) Move(_ context.Context, m registry.Move) error {
	n.moved = m
	for i, v := range n.all {
		if v.ID == m.To.ID {
			n.current = i
		}
	}
	return nil
}

// hanging is a registry that takes ten seconds to give no answer.
type hanging struct {
	Registry
	reads *int
}

func (h hanging) Current(context.Context, string) (registry.Version, error) {
	*h.reads++
	time.Sleep(10 * time.Second)
	return registry.Version{}, &registry.Error{Op: "read", Kind: registry.Unavailable, Reason: "no answer"}
}
