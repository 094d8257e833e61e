package consumer

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/driftd/driftd/windows"
)

// brokers is what a task needs of them: the log of its source partition, and the topics that it writes.
type brokers interface {
	// fetch reads from offset; when nothing is there it waits up to wait. What it returns is valid until the next fetch.
	fetch(ctx context.Context, offset int64, wait time.Duration) (fetched, error)
	// write sends messages, in their order for each partition, and returns those that were not acknowledged.
	write(ctx context.Context, msgs []message) (left []message, err error)
	// commit stores the offset to go on from. errLost: another worker has the partition.
	commit(ctx context.Context, offset int64, metadata string) error
	// layout tells which source partitions exist, and whether the topic is still the one of this lineage.
	layout(l lineage) (announced []windows.Source, same bool)
	// pauses returns a function that spaces attempts, the first of which is 0 and due at once; false when ctx has ended.
	pauses() func(ctx context.Context, attempt int) bool
}

// fetched is what was read.
type fetched interface {
	next(rec *Record) bool
	err() error        // of a batch that cannot be read; nextOffset is behind it
	nextOffset() int64 // after the walk: where to fetch next
	end() int64        // of the log
}

var (
	errMoved = errors.New("the offset is not in the log")
	errLost  = errors.New("another worker has the partition")
)

// task reads one source partition, of one lineage. It is owned by one goroutine.
type task struct {
	beginning
	brokers brokers
	now     func() time.Time
	log     *slog.Logger
	metrics *topicMetrics
	gauges  *partitionMetrics
	source  *source

	flush, heartbeat, commitEvery time.Duration
	fares                         func(doing string, err error)   // how it is with the brokers; nil: nobody wants to know
	lost                          func(from, n int64, why string) // is told of records that can never be read; nil likewise

	flight    flight
	claimed   time.Time // when the work on the partition began; zero once what lies before its beginning has been read
	begun     time.Time // when the round at hand got its first record
	beaten    time.Time
	committed time.Time
	done      int64      // everything below is acknowledged
	raised    []int64    // the fences that go with a commit
	unsure    bool       // whether a fence at the source's next offset was committed
	stored    int64      // and this is committed
	storing   chan error // of the commit under way; nil when none is
	storingAt int64
	reported  [numReasons]bool
	short     uint64 // ids that dedup had no room for, as far as counted
	trouble   changes
	atEnd     bool
	asked     int64 // the clock when what is known of the end was asked for
	end       int64 // of the log, as last seen
	caughtUp  bool  // a heartbeat has told of the partition's end
}

// fare tells how it is with something that the task does at the brokers.
func (t *task) fare(doing string, err error) {
	if t.fares != nil {
		t.fares(doing, err)
	}
}

// What a task does at the brokers.
const (
	doingRead   = "read"
	doingWrite  = "write what was read"
	doingCommit = "commit"
)

// run reads until ctx ends, which it waits for even when the partition has gone to another worker, or until the lineage has come
// to its end.
func (t *task) run(ctx context.Context) {
	t.done, t.stored, t.raised = t.offset, t.offset, slices.Clone(t.fences)
	t.beaten, t.committed = time.Now(), time.Now()
	fetchPause, writePause := t.brokers.pauses(), t.brokers.pauses()
	t.flight.write = t.brokers.write
	t.flight.pause = func(ctx context.Context, attempt int, err error) bool {
		if err != nil {
			t.metrics.produceErrors.Inc()
			t.fare(doingWrite, err)
			if attempt == 1 || attempt%50 == 0 {
				t.log.Warn("cannot write samples, trying on", "attempt", attempt, "error", err)
			}
		}
		return writePause(ctx, attempt)
	}
	t.flight.start(ctx)
	// The first that detect hears of this partition says which others there are, so that it waits for their events as well.
	over := !t.beat(true)
	for failed := 0; ctx.Err() == nil && !over; {
		var got fetched
		var err error
		t.source.part.fails(failed > 0)
		blocked := t.source.blocked() || t.unsure
		if blocked {
			t.atEnd = false // there may be more by now: time must not go on by the clock
			t.rest(ctx)
		} else {
			t.asked = t.now().UnixNano()
			t.source.ask(t.asked)
			got, err = t.brokers.fetch(ctx, t.source.next, t.wait())
		}
		if ctx.Err() != nil {
			break
		}
		switch {
		case blocked:
		case err == nil:
			failed = 0
			fetchPause(ctx, 0)
			t.trouble.note(ctx, "", nil)
			t.fare(doingRead, nil)
			t.walk(ctx, got)
		case errors.Is(err, errMoved):
			t.log.Warn("the log no longer holds what comes next", "offset", t.source.next, "error", err)
			over = true
		default:
			t.trouble.note(ctx, "cannot read source partition, trying on", err)
			t.fare(doingRead, err)
			t.atEnd = false
			failed++
			fetchPause(ctx, failed)
		}
		t.tend(ctx)
		// All that wait for this partition hear at once when it is read to its end for the first time, as after a restart.
		if !over && (t.atEnd && !t.caughtUp || time.Since(t.beaten) >= t.heartbeat) {
			over = !t.beat(failed == 0 && !t.source.stuck())
		}
	}
	if over { // what was read of this lineage is written before the next one begins
		t.source.end(t.now().UnixNano())
		t.unload(ctx, t.now().UnixNano())
		t.depart(ctx, true)
		t.landed(t.flight.land(ctx, true))
	}
	t.landed(t.flight.end())
	t.store(true)
}

// lookAgain is how soon a task looks whether its round in flight is written, when that is all it waits for.
const lookAgain = 5 * time.Millisecond

// wait is how long a fetch may wait for records: until the next thing that is due.
func (t *task) wait() time.Duration {
	due := t.heartbeat - time.Since(t.beaten)
	if t.source.begun() {
		due = min(due, t.flush-time.Since(t.begun))
	}
	if t.done > t.stored {
		due = min(due, t.commitEvery-time.Since(t.committed))
	}
	if !t.source.line.empty() {
		due = min(due, t.flush) // another partition may have come further
	}
	if t.flight.busy || t.storing != nil {
		due = max(min(due, t.flush), lookAgain)
	}
	return max(due, 0)
}

// walk takes what was fetched into rounds.
func (t *task) walk(ctx context.Context, got fetched) {
	now := t.now().UnixNano()
	if !t.source.begun() {
		t.begun = time.Now()
	}
	var rec Record
	for got.next(&rec) {
		t.source.add(&rec, now)
		t.unload(ctx, now)
	}
	if err := got.err(); err != nil {
		t.log.Error("cannot read record batch, going on behind it", "offset", t.source.next, "next", got.nextOffset(), "error", err)
		t.source.broken(t.source.next, got.nextOffset(), "the broker's record batch cannot be read", now)
	}
	t.source.skip(got.nextOffset(), now)
	t.ready()
	t.end = got.end()
	t.atEnd = t.source.next >= t.end
	t.gauges.lagGauge.Set(float64(max(got.end()-t.source.next, 0)))
}

// ready tells, once, that what is only remembered has been read: until then the partition stands still.
func (t *task) ready() {
	if t.claimed.IsZero() || t.source.next < t.source.from {
		return
	}
	t.log.Info("source ready", "offset", t.source.from, "read_again", t.source.from-t.source.start,
		"took", time.Since(t.claimed).Round(time.Millisecond))
	t.claimed = time.Time{}
}

// unload sends off full rounds.
func (t *task) unload(ctx context.Context, now int64) {
	for t.source.full() && ctx.Err() == nil {
		t.depart(ctx, true)
		t.begun = time.Now()
		t.source.release(now)
	}
}

// tend does what is due beside reading.
func (t *task) tend(ctx context.Context) {
	t.landed(t.flight.land(ctx, false))
	t.link(ctx)
	if t.source.begun() && time.Since(t.begun) >= t.flush {
		t.depart(ctx, false)
	}
	t.store(false)
	t.remembered()
	if t.source.watermark > 0 {
		t.gauges.behind.Set(t.now().Sub(time.Unix(0, t.source.watermark)).Seconds())
	}
}

// remembered tells of what is known by its ids.
func (t *task) remembered() {
	d := t.source.dedup
	if d == nil {
		return
	}
	t.gauges.dedupIDs.Set(float64(d.taken))
	t.gauges.dedupBytes.Set(float64(d.size()))
	if d.short == t.short {
		return
	}
	if t.short == 0 {
		t.log.Warn("memory is too little to know repeated events for all of `dedup`: linking.memory bounds it too", "bytes", d.size())
	}
	t.metrics.dedupShort.AddInt64(int64(d.short - t.short))
	t.short = d.short
}

// clock is what time goes by for who waits: at the partition's end the clock of when that was asked for. A process that stood still
// meanwhile, as one does that is stopped, would take all that has come since for missing.
func (t *task) clock() int64 {
	if t.atEnd {
		return t.asked
	}
	return t.now().UnixNano()
}

// link lets go what has waited long enough, and tells the partitions of the same number how far this one is.
func (t *task) link(ctx context.Context) {
	s, now := t.source, t.clock()
	if s.part == nil {
		return
	}
	if !s.begun() {
		t.begun = time.Now()
	}
	if (t.unsure || s.stale(now, t.atEnd)) && t.raiseFence() {
		s.flush(now)
	}
	s.release(now)
	t.unload(ctx, now)
	s.publish(now, t.atEnd)
	t.gauges.waiting.Set(float64(s.line.len()))
}

// raiseFence commits that the delay line is flushed by the clock before the offset that comes next. Whoever reads this again
// flushes it there too, and links each call to what it was linked to before, though more of its trace may have come since. When
// the answer is lost, nothing more is read until there is one: the fence may stand.
func (t *task) raiseFence() bool {
	if t.storing != nil {
		return false
	}
	if len(t.source.fences) > 0 { // the log was cut back below them
		t.source.fences = nil
		t.raised = slices.DeleteFunc(t.raised, func(f int64) bool { return f >= t.source.next })
	}
	if n := len(t.raised); n >= maxFences && t.raised[n-maxFences] > t.done {
		return false // the one that would be forgotten is of what is not written yet, and this cannot be written before it
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	at, raised := t.done, append(t.raised[max(0, len(t.raised)-maxFences):], t.source.next)
	if err := t.brokers.commit(ctx, at, t.lineage.metadata(raised)); err != nil {
		t.unsure = !errors.Is(err, errLost)
		if t.unsure {
			t.metrics.commitErrors.Inc()
			t.fare(doingCommit, err)
			t.trouble.note(context.Background(), "cannot commit, trying on", err)
		}
		return false
	}
	t.fare(doingCommit, nil)
	t.stored, t.raised, t.unsure = at, raised, false
	return true
}

// rest waits a little for another partition to come further, or before the next attempt at a commit.
func (t *task) rest(ctx context.Context) {
	wait := lookAgain
	if t.unsure {
		wait = t.flush
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// beat sends heartbeats, unless the partition cannot be read: then detect must not wait for it longer than for any silent one. It
// tells whether the topic is still the one of this lineage.
func (t *task) beat(reading bool) bool {
	if t.flight.busy {
		return true // soon
	}
	t.beaten = time.Now()
	t.caughtUp = t.caughtUp || t.atEnd
	announced, same := t.brokers.layout(t.lineage)
	if !same {
		t.log.Warn("topic was deleted and made again")
		if n := t.end - t.source.next; n > 0 && t.lost != nil {
			t.lost(t.source.next, n, gapDeleted)
		}
		return false
	}
	if reading {
		t.source.beat(announced)
		t.depart(context.Background(), false)
	}
	return true
}

// depart sends the round at hand off. When one is in flight it waits for that if it must, else it leaves it for later.
func (t *task) depart(ctx context.Context, must bool) {
	if t.flight.busy {
		t.landed(t.flight.land(ctx, must))
		if t.flight.busy {
			return
		}
	}
	if r := t.source.cut(t.clock(), t.atEnd); r != nil {
		t.flight.launch(r)
	}
}

// landed takes back a round that is written.
func (t *task) landed(r *round) {
	if r == nil {
		return
	}
	t.done = r.next
	t.fare(doingWrite, nil)
	t.metrics.add(r)
	for reason, n := range r.counted.dead {
		if n > 0 && !t.reported[reason] {
			t.reported[reason] = true
			t.log.Warn("events of this partition go to the dead letters", "reason", Reason(reason).String(), "events", n)
		}
	}
	t.source.recycle(r)
}

// store commits what is done, now and then, without waiting for the answer but at the end.
func (t *task) store(last bool) {
	if t.storing != nil {
		if !last {
			select {
			case err := <-t.storing:
				t.stow(err)
			default:
			}
		} else {
			t.stow(<-t.storing)
		}
	}
	if t.storing != nil || t.done == t.stored || !last && time.Since(t.committed) < t.commitEvery {
		return
	}
	t.committed, t.storingAt = time.Now(), t.done
	answer := make(chan error, 1)
	t.storing = answer
	at, metadata := t.done, t.lineage.metadata(t.raised)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		answer <- t.brokers.commit(ctx, at, metadata)
	}()
	if last {
		t.stow(<-answer)
	}
}

// stow takes a commit's answer.
func (t *task) stow(err error) {
	t.storing = nil
	switch {
	case err == nil:
		t.stored = max(t.stored, t.storingAt)
		t.fare(doingCommit, nil)
	case errors.Is(err, errLost): // the group ends this task soon
	default:
		t.metrics.commitErrors.Inc()
		t.fare(doingCommit, err)
		t.log.Warn("cannot commit, trying on", "offset", t.storingAt, "error", err)
	}
}
