package alert

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/detector"
)

// memLog is the alerts topic in memory, with what can go wrong with it.
type memLog struct {
	*Memory
	others    map[string][]int64    // committed by others than ops
	fail      error                 // what Append answers while it is set
	failWrote bool                  // and whether the records are written all the same
	whole     bool                  // of the cores that run
	late      map[int]chan struct{} // partitions that cannot be read before this is closed
}

func newMemLog(parts int) *memLog { return &memLog{Memory: NewMemory(parts)} }

func (m *memLog) append(_ context.Context, part int, entries []Entry) error {
	m.mu.Lock()
	fail, wrote := m.fail, m.failWrote
	m.mu.Unlock()
	if fail != nil && !wrote {
		return fail
	}
	if err := m.write(part, entries); err != nil {
		return err
	}
	return fail
}

// add writes what detect makes, whatever state the log is in for others.
func (m *memLog) add(t *testing.T, part int, records ...detector.Record) {
	t.Helper()
	if err := m.Add(part, records...); err != nil {
		t.Fatal(err)
	}
}

// of returns the records and the committed offset of a partition.
func (m *memLog) of(part int) (records []detector.Record, committed int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.parts[part]), m.committed[part]
}

func (m *memLog) breakWith(err error, wrote bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail, m.failWrote = err, wrote
}

// all returns the actions in a partition as "type reason" lines.
func (m *memLog) actions(part int) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, r := range m.parts[part] {
		if !r.Type.IsStep() {
			out = append(out, fmt.Sprintf("%s %s/%d %s %s", r.Type, r.ID, r.Step, r.Reason, r.Ref))
		}
	}
	return out
}

type memClaim struct {
	m    *memLog
	of   []int64
	part int
}

func (c memClaim) Commit(_ context.Context, offset int64) error {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	c.of[c.part] = offset
	return nil
}

// run starts an act worker with this core and returns its end. The log keeps what it did, so that another may follow.
func (m *memLog) run(t *testing.T, core Core) (l *loop, stop func()) {
	return m.runAs(t, core, m.committed)
}

// runOther runs another receiver.
func (m *memLog) runOther(t *testing.T, core *Outbox) (l *loop, stop func()) {
	if m.others == nil {
		m.others = map[string][]int64{}
	}
	of := m.others[core.cfg.Name]
	if of == nil {
		of = slices.Repeat([]int64{-1}, len(m.parts))
		m.others[core.cfg.Name] = of
	}
	return m.runAs(t, core, of)
}

func (m *memLog) runAs(t *testing.T, core Core, committed []int64) (l *loop, stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	l = newLoop(core, 500*time.Millisecond)
	l.append, l.total, l.whole = m.append, len(m.parts), m.whole
	var wg sync.WaitGroup
	wg.Go(func() { l.run(ctx) })
	for p := range m.parts {
		wg.Go(func() { m.tail(ctx, l, p, committed) })
	}
	return l, func() {
		cancel()
		m.grown.Broadcast()
		wg.Wait()
	}
}

func (m *memLog) tail(ctx context.Context, l *loop, part int, committed []int64) {
	if late := m.late[part]; late != nil {
		select {
		case <-late:
		case <-ctx.Done():
			return
		}
	}
	m.Memory.tail(ctx, l, part, committed, memClaim{m, committed, part})
}

var quietLog = slog.New(slog.NewTextHandler(io.Discard, nil))

// fakeReceiver writes down what it is told.
type fakeReceiver struct {
	mu     sync.Mutex
	traits Traits
	told   []string
	times  []time.Duration // since start
	start  time.Time
	answer func(n *Notification) error // nil for success
	block  chan struct{}               // when set, Deliver waits for it
	refs   int
	whole  []Notification // delivered
}

// notifications are those that were delivered so far.
func (f *fakeReceiver) notifications() []Notification {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.whole)
}

// news are the types of the last one's.
func (f *fakeReceiver) news() (types []string) {
	all := f.notifications()
	for _, r := range all[len(all)-1].News {
		types = append(types, string(r.Type))
	}
	return types
}

// answers says how it answers from now on.
func (f *fakeReceiver) answers(a func(n *Notification) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = a
}

func (f *fakeReceiver) Traits() Traits { return f.traits }

func (f *fakeReceiver) Deliver(ctx context.Context, n *Notification) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.block != nil {
		select {
		case <-f.block:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	s := fmt.Sprintf("%s/%s", n.Key.Prompt, n.Key.Version)
	if n.Ref != "" {
		s += " (" + n.Ref + ")"
	}
	for _, m := range n.Firing {
		s += fmt.Sprintf(" %s %d firing", CohortName(m.Record.Cohort), m.Record.Step)
	}
	for _, m := range n.Resolved {
		s += fmt.Sprintf(" %s %d resolved", CohortName(m.Record.Cohort), m.Record.Step)
	}
	if n.Rollback != nil {
		s += " " + string(n.Rollback.Type)
	}
	if n.Acknowledged != nil {
		s += " acknowledged"
	}
	if n.Silenced != nil {
		s += " silenced"
	}
	if n.Observed != nil {
		s += " observed"
	}
	if n.Repeat {
		s += " repeated"
	}
	if n.StandIn != "" {
		s += " for " + n.StandIn
	}
	f.times = append(f.times, time.Since(f.start))
	if f.answer != nil {
		if err := f.answer(n); err != nil {
			f.told = append(f.told, "failed: "+s)
			return "", err
		}
	}
	f.told, f.whole = append(f.told, s), append(f.whole, *n)
	if f.traits.PerAlert {
		return "", nil
	}
	if n.Ref != "" {
		return n.Ref, nil
	}
	f.refs++
	return fmt.Sprintf("m%d", f.refs), nil
}

// take returns what was told since the last time.
func (f *fakeReceiver) take() []string {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.told
	f.told, f.times = nil, nil
	return out
}

func newTestOutbox(r Receiver) *Outbox { return NewOutbox(testConfig(r)) }

func testConfig(r Receiver) OutboxConfig {
	return OutboxConfig{Name: "ops", Receiver: r, Route: &Route{Receiver: "ops"}, UntilWorseBy: 0.2, Now: recordNow, Metrics: metrics.NewSet(), Log: quietLog}
}

// recordNow is the clock of records in a bubble: it begins at t0, as events do.
func recordNow() time.Time {
	return t0.Add(time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)))
}

// aliveUnless is the pipeline as a test says it is.
func aliveUnless(problem *atomic.Pointer[string]) func(context.Context) string {
	return func(context.Context) string {
		if p := problem.Load(); p != nil {
			return *p
		}
		return ""
	}
}
