package rig

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/driftd/driftd/internal/chaos/stream"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/windows"
)

const (
	// step is how far the clock moves at once. It must not be more than the disorder that ingest allows: all records of a step are
	// written together.
	step = 2 * time.Second
	// beat is how far it moves at least, up to where it stands still: each write wakes all who read.
	beat = time.Second
	// lead is how far the clock may be ahead of the clock that ingest has written last for any source partition into any lane of the
	// samples. Detect gives up waiting for a source partition that is a minute behind, as it must where a producer has died. With that a
	// fault, or a slow machine, slows the clock, and what is on time in the stream is never late.
	lead = 40 * time.Second
	// atOnce is how many records are in one write.
	atOnce = 500
)

// Feed writes the stream at the pace of the clock, which it moves: only to times up to which all records stand in the topics.
type Feed struct {
	w *World

	mu struct {
		sync.Mutex
		limit   time.Time // the clock stands still there
		written int
		clocks  map[lane]int64
		free    bool // the clock does not wait for driftd
		frozen  bool // the clock stands still, and nothing is written
		sources int  // partitions of each source topic
		held    func(*stream.Record) bool
	}
	kept    []stream.Record // held back, in their order
	done    chan struct{}   // closed when all is written
	writing sync.Mutex      // of one step of the clock
}

// lane is what one source partition writes into one partition of the samples.
type lane struct {
	topic            string
	partition, lanes int
}

func newFeed(w *World) *Feed {
	f := &Feed{w: w, done: make(chan struct{})}
	f.mu.clocks = map[lane]int64{}
	f.mu.sources = w.Stream.Partitions
	f.mu.limit = w.Stream.Begin
	return f
}

// End is the event time at which the whole stream is written.
func (f *Feed) End() time.Time {
	r := f.w.Stream.Records
	return f.w.Stream.Begin.Add(r[len(r)-1].Due).Add(step)
}

// Allow lets the clock go on up to t.
func (f *Feed) Allow(t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.After(f.mu.limit) {
		f.mu.limit = t
	}
}

// Free makes the clock go on although driftd does not, until it is called with false.
func (f *Feed) Free(free bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.free = free
}

// Grown says that each source topic has so many partitions now: the clock waits until driftd reads all of them.
func (f *Feed) Grown(partitions int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.sources = partitions
}

// Freeze makes the clock stand still, and nothing be written, until it is called with false.
func (f *Feed) Freeze(frozen bool) {
	f.writing.Lock()
	defer f.writing.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.frozen = frozen
}

// Hold keeps the records for which is says so from being written, until it is called with nil; then they come first.
func (f *Feed) Hold(is func(*stream.Record) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.held = is
}

// Written is how many records are in the source topics.
func (f *Feed) Written() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.written
}

// Done is closed when the whole stream is written.
func (f *Feed) Done() <-chan struct{} { return f.done }

// Await waits until the clock has come to t.
func (f *Feed) Await(ctx context.Context, t time.Time) error {
	return Until(ctx, fmt.Sprintf("the event clock at %s", t.Format(time.TimeOnly)), func() bool { return !f.w.Clock.True().Before(t) })
}

// Run writes the stream until its end; it fails only when ctx ends.
func (f *Feed) Run(ctx context.Context) error {
	reading, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	for p := range f.w.Partitions {
		wg.Go(func() { f.follow(reading, p) })
	}
	records, now := f.w.Stream.Records, f.w.Stream.Begin
	end := f.End()
	base, began := now, time.Now() // the pace is kept from here
	var stood time.Time            // since when the clock waits for driftd
	whole := time.Now()
	defer func() { f.w.Log.Info("the stream ends", "at", now, "took", time.Since(whole)) }()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for now.Before(end) {
		next := base.Add(time.Duration(float64(time.Since(began)) * f.w.Speed))
		if most := now.Add(step); next.After(most) {
			next = most
		}
		asked := next
		if !f.may(&next) {
			if stood.IsZero() {
				stood = time.Now()
			}
			base, began = now, time.Now()
			next = now
		} else if !stood.IsZero() {
			if d := time.Since(stood); d > time.Second {
				f.w.Log.Info("the clock stood still", "at", now, "for", d)
			}
			stood = time.Time{}
		}
		last := next.Before(asked) || !next.Before(end) // the rest up to where it stands still
		if d := next.Sub(now); d <= 0 || d < beat && !last {
			select {
			case <-tick.C:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		n, ok, err := f.advance(ctx, records, next)
		if err != nil {
			return err
		}
		if ok {
			records, now = records[n:], next
		}
	}
	close(f.done)
	return nil
}

// advance writes the records that are due at next and moves the clock there, unless it was frozen meanwhile.
func (f *Feed) advance(ctx context.Context, records []stream.Record, next time.Time) (n int, ok bool, err error) {
	f.writing.Lock()
	defer f.writing.Unlock()
	f.mu.Lock()
	frozen := f.mu.frozen
	f.mu.Unlock()
	if frozen {
		return 0, false, nil
	}
	for n < len(records) && !f.w.Stream.Begin.Add(records[n].Due).After(next) {
		n++
	}
	if err := f.write(ctx, records[:n]); err != nil {
		return 0, false, err
	}
	f.w.Clock.Set(next)
	return n, true, nil
}

// may tells whether the clock may go on to t, or to what it makes of t.
func (f *Feed) may(t *time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.After(f.mu.limit) {
		*t = f.mu.limit
	}
	if f.mu.frozen {
		return false
	}
	if f.mu.free {
		return true
	}
	want := len(f.w.Stream.Topics) * f.mu.sources * f.w.Partitions
	if len(f.mu.clocks) < want {
		return false
	}
	for _, c := range f.mu.clocks {
		if t.UnixNano()-c > int64(lead) {
			return false
		}
	}
	return true
}

// write writes records and does not come back before they are acknowledged. What was sent without an answer may stand in a topic twice:
// then it is two events, for the oracle too.
func (f *Feed) write(ctx context.Context, records []stream.Record) error {
	f.mu.Lock()
	held := f.mu.held
	f.mu.Unlock()
	if held == nil && len(f.kept) > 0 {
		records = append(f.kept, records...)
		f.kept = nil
	}
	var msgs []kafkalog.Message
	for i := range records {
		r := &records[i]
		if held != nil && held(r) {
			f.kept = append(f.kept, *r)
			continue
		}
		msgs = append(msgs, kafkalog.Message{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Time: f.w.Stream.Begin.Add(r.Due)})
	}
	for b := (kafkalog.Backoff{Max: 500 * time.Millisecond}); len(msgs) > 0; {
		if !b.Wait(ctx) {
			return context.Cause(ctx)
		}
		n := min(len(msgs), atOnce)
		_, err := f.w.Client.Produce(ctx, msgs[:n])
		var left []kafkalog.Message
		if failed, ok := errors.AsType[*kafkalog.ProduceError](err); ok {
			for _, m := range msgs[:n] {
				for _, p := range failed.Failed {
					if p.Topic == m.Topic && p.Partition == m.Partition {
						left = append(left, m)
					}
				}
			}
		} else if err != nil {
			left = msgs[:n:n]
		} else {
			b.Reset()
		}
		f.mu.Lock()
		f.mu.written += n - len(left)
		f.mu.Unlock()
		msgs = append(left, msgs[n:]...)
	}
	return nil
}

// follow reads a partition of the samples beside detect, to know how far ingest is.
func (f *Feed) follow(ctx context.Context, partition int) {
	topic := f.w.Prefix() + "samples"
	fetcher, offset := f.w.Client.NewFetcher(topic, partition), int64(0)
	var batch windows.Batch
	for b := (kafkalog.Backoff{Min: 20 * time.Millisecond, Max: 200 * time.Millisecond}); b.Wait(ctx); {
		got, err := fetcher.Fetch(ctx, offset, time.Second)
		if err != nil {
			continue
		}
		b.Reset()
		for got.Next() {
			if batch.Decode(got.Record().Value) != nil || batch.Watermark == windows.Timeless {
				continue
			}
			at := lane{batch.Source.Topic, int(batch.Source.Partition), partition}
			f.mu.Lock()
			f.mu.clocks[at] = max(f.mu.clocks[at], batch.Clock)
			f.mu.Unlock()
		}
		offset = got.NextOffset()
	}
}
