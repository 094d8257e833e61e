package alert

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/outbound"
)

// grace is how long an action that is under way may go on after its partition was lost or the daemon was told to stop:
// long enough to write down what was done.
const grace = 5 * time.Second

// missingAfter is how long a core that can do without waits for partitions that cannot be read: since the first of all began, or
// anything more was read of those that are not at their end.
const missingAfter = 30 * time.Second

// unsureFor is how long nothing is done when nobody could say whether the partitions are still ours.
const unsureFor = 100 * time.Millisecond

// claim is one partition of the alerts topic as the loop needs it.
type claim interface {
	Commit(ctx context.Context, offset int64) error
}

// event is what the readers of partitions tell the loop.
type event struct {
	kind  eventKind
	part  int
	ctx   context.Context // began: of the claim
	claim claim           // began
	next  int64           // began: committed offset, -1 for none; read: where to go on
	entry *Entry          // read; nil for what could not be decoded
	done  chan struct{}   // ended: closed when the loop has let go of the partition
}

type eventKind int

const (
	began  eventKind = iota // the partition is ours; it is read from its start
	read                    // a record
	caught                  // all that was there when it began was read
	ended                   // the partition is no longer ours
)

// part is what the loop knows of a partition.
type part struct {
	ctx       context.Context
	claim     claim
	committed int64
	next      int64
	live      bool
	own       map[int64]struct{} // offsets of records that the core wrote and so knows
}

// loop runs one Core: it owns the core and all that the core knows. It waits until the log is quiet before it acts, since
// the steps of one tick come together and make one notification.
type loop struct {
	core    Core
	events  chan event
	append  func(ctx context.Context, part int, entries []Entry) error // fills in the offsets
	quiet   time.Duration
	commit  time.Duration // between commits while nothing is done
	total   int           // partitions of the topic; 0 for as many as there are
	whole   bool          // nothing is done before all of them have been read
	vigil   *vigil        // nil where nobody else can take over
	unsure  time.Time     // when it could not be found out whether the partitions are still ours
	begun   time.Time     // when the first of those that are there began, one went away, or one came further to its end
	state   atomic.Pointer[State]
	parts   map[int]*part
	first   time.Time // arrival of the oldest step since the last time the log was quiet
	last    time.Time // and of the newest
	checked time.Time // last commit
}

// State is how an act worker is, for the ready page.
type State struct {
	Name   string // of the receiver, or "registry"
	Active bool   // this instance has the receiver's partitions; all others only stand by
	Status
}

func newLoop(core Core, quiet time.Duration) *loop {
	l := &loop{core: core, quiet: quiet, commit: 5 * time.Second, events: make(chan event, 64), parts: map[int]*part{}}
	l.publish()
	return l
}

// run returns when ctx ends, after the action under way and a last commit.
func (l *loop) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer func() { l.commitAll(context.WithoutCancel(ctx)) }()
	for ctx.Err() == nil {
		timer.Reset(l.wait())
		select {
		case <-ctx.Done():
		case ev := <-l.events:
			l.take(ctx, ev)
			for more := true; more; { // what is there already, before the core is asked what to do
				select {
				case ev := <-l.events:
					l.take(ctx, ev)
				default:
					more = false
				}
			}
		case <-timer.C:
			l.act(ctx)
		}
		l.publish()
	}
}

func (l *loop) publish() {
	s := State{Active: len(l.parts) > 0, Status: l.core.Status()}
	if n := l.missing(); s.Problem == "" && s.Active && n > 0 && time.Since(l.begun) >= missingAfter {
		does := "goes on without"
		if l.whole {
			does = "does nothing without"
		}
		s.Problem = fmt.Sprintf("%s %d of %d partitions of the alerts topic that cannot be read (see to their brokers)", does, n, l.total)
	}
	l.state.Store(&s)
}

// missing counts the partitions that have not been read to their end.
func (l *loop) missing() int {
	n := l.total
	for _, p := range l.parts {
		if p.live {
			n--
		}
	}
	return max(n, 0)
}

// held returns how long the core may do nothing yet because partitions are missing: what is in them may change what there is to
// do. False is for ever.
func (l *loop) held(now time.Time) (time.Duration, bool) {
	switch {
	case l.missing() == 0:
		return 0, true
	case l.whole:
		return 0, false
	}
	return l.begun.Add(missingAfter).Sub(now), true
}

// wait returns how long nothing needs to be done unless an event comes.
func (l *loop) wait() time.Duration {
	now := time.Now()
	d := l.checked.Add(l.commit).Sub(now)
	if held, ok := l.held(now); ok {
		if at, due := l.core.Due(); due {
			d = min(d, max(at.Sub(now), l.settled(now), held))
		}
	}
	for _, p := range l.parts {
		if p.ctx.Err() != nil {
			return l.commit // its end is on the way; nothing is begun meanwhile
		}
	}
	return max(d, l.unsure.Add(unsureFor).Sub(now), 0)
}

// settled returns how long it is until the log counts as quiet: no step for the quiet time, or ten times that since the
// first, so that a busy log cannot put off an alert for ever.
func (l *loop) settled(now time.Time) time.Duration {
	if l.last.IsZero() {
		return 0
	}
	return min(l.last.Add(l.quiet).Sub(now), l.first.Add(10*l.quiet).Sub(now))
}

func (l *loop) take(ctx context.Context, ev event) {
	p := l.parts[ev.part]
	if p == nil && ev.kind != began {
		return
	}
	switch ev.kind {
	case began:
		if len(l.parts) == 0 {
			l.begun = time.Now()
		}
		l.parts[ev.part] = &part{ctx: ev.ctx, claim: ev.claim, committed: ev.next, own: map[int64]struct{}{}}
		l.core.Begin(ev.part, ev.next)
	case read:
		p.next = ev.next
		if !p.live {
			l.begun = time.Now()
		}
		if ev.entry == nil {
			return
		}
		if _, ok := p.own[ev.entry.Offset]; ok {
			delete(p.own, ev.entry.Offset)
			return
		}
		l.core.Fold(ev.part, *ev.entry)
		if ev.entry.Record.Type.IsStep() {
			if l.last = time.Now(); l.first.IsZero() {
				l.first = l.last
			}
		}
	case caught:
		p.live = true
		l.core.Live(ev.part)
	case ended:
		l.commitOne(context.WithoutCancel(ctx), ev.part)
		delete(l.parts, ev.part)
		l.begun = time.Now()
		l.core.End(ev.part)
		close(ev.done)
	}
}

// act lets the core do what is due, one thing, when the log is quiet; and commits.
func (l *loop) act(ctx context.Context) {
	now := time.Now()
	if l.wait() > 0 || ctx.Err() != nil {
		return
	}
	at, ok := l.core.Due()
	held, may := l.held(now)
	if !ok || !may || held > 0 || at.After(now) || l.settled(now) > 0 {
		if now.Sub(l.checked) >= l.commit {
			l.commitAll(ctx)
		}
		return
	}
	ctx, cancel := l.graceful(ctx)
	defer cancel()
	for _, n := range slices.Sorted(maps.Keys(l.parts)) { // or the next worker would not know that this one may have told what it finds
		if l.parts[n].committed < 0 {
			l.commitOne(ctx, n)
		}
	}
	if !l.sure(ctx) {
		l.unsure = time.Now()
		return
	}
	l.first, l.last = time.Time{}, time.Time{}
	l.core.Act(l.whileSure(ctx), journal{l})
	if at, more := l.core.Due(); !more || at.Sub(now) > l.commit || time.Since(l.checked) >= l.commit {
		l.commitAll(ctx)
	}
}

// sure says that the partitions are ours. Where this process has stood still it asks, by committing once more what is committed.
func (l *loop) sure(ctx context.Context) bool {
	if l.vigil == nil || l.vigil.sure() {
		return true
	}
	for _, p := range l.parts { // one member has all of them
		if p.committed < 0 {
			continue
		}
		asked := time.Now()
		ctx, cancel := context.WithTimeout(ctx, grace)
		defer cancel()
		if p.claim.Commit(ctx, p.committed) != nil {
			return false
		}
		l.vigil.believe(asked)
		return l.vigil.sure()
	}
	return false
}

// whileSure returns a context in which nothing is sent any more once this process has stood still.
func (l *loop) whileSure(ctx context.Context) context.Context {
	if l.vigil == nil {
		return ctx
	}
	return outbound.While(ctx, l.vigil.sure)
}

// graceful returns a context that ends some time after ctx or one of the claims ends.
func (l *loop) graceful(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	over := func() {
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-t.C:
			cancel()
		case <-out.Done():
		}
	}
	stops := []func() bool{context.AfterFunc(ctx, over)}
	for _, p := range l.parts {
		stops = append(stops, context.AfterFunc(p.ctx, over))
	}
	return out, func() {
		cancel()
		for _, stop := range stops {
			stop()
		}
	}
}

func (l *loop) commitAll(ctx context.Context) {
	l.checked = time.Now()
	for _, n := range slices.Sorted(maps.Keys(l.parts)) {
		l.commitOne(ctx, n)
	}
}

// commitOne commits up to the oldest step that is not dealt with. A failed commit is tried again with the next: what was
// told stands in the topic as well.
func (l *loop) commitOne(ctx context.Context, n int) {
	p := l.parts[n]
	if p == nil || !p.live {
		return
	}
	offset, ok := l.core.Outstanding(n)
	if !ok {
		offset = p.next
	}
	if offset <= p.committed {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if p.claim.Commit(ctx, offset) == nil {
		p.committed = offset
	}
}

// journal is the Journal of the loop's core.
type journal struct{ l *loop }

// Append implements Journal. The offsets of what it wrote are kept, so that the core does not learn it a second time when
// it is read back.
func (j journal) Append(ctx context.Context, n int, records ...detector.Record) error {
	entries := make([]Entry, len(records))
	for i, r := range records {
		entries[i] = Entry{Record: r}
	}
	if err := j.l.append(ctx, n, entries); err != nil {
		return err
	}
	if p := j.l.parts[n]; p != nil {
		for _, e := range entries {
			p.own[e.Offset] = struct{}{}
			j.l.core.Fold(n, e)
		}
	}
	return nil
}
