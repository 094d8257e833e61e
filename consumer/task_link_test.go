package consumer

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/windows"
)

// promptless yields a call that names no prompt.
type promptless struct{ offsetDecoder }

func (d promptless) Decode(record []byte, yield func(*Event)) error {
	return d.offsetDecoder.Decode(record, func(e *Event) {
		e.Prompt = nil
		binary.BigEndian.PutUint64(e.Trace[:], 1+binary.BigEndian.Uint64(record))
		yield(e)
	})
}

// linkTask is a task of the topic spans, and the linker that it shares with the topic scores.
func linkTask(t *testing.T, b brokers, d Decoder, fences ...int64) (made *task, l *linker, stop func()) {
	log, set := slog.New(slog.NewTextHandler(io.Discard, nil)), metrics.NewSet()
	l = newLinker(Linking{Wait: 10 * time.Second, Horizon: 30 * time.Minute, Memory: 64 << 20}, 10*time.Second, 1, 2,
		func() []string { return []string{"spans", "scores"} })
	made = &task{
		beginning: beginning{fences: fences}, brokers: b, now: time.Now, log: log, metrics: newTopicMetrics(set, "spans"), gauges: newPartitionMetrics(set, "spans", 0, false),
		trouble: changes{log: log}, flush: 100 * time.Millisecond, heartbeat: 5 * time.Second, commitEvery: time.Second,
		source: newSource(sourceConfig{
			id: windows.Source{Topic: "spans"}, decoder: d, partitions: 3, partition: func(string) int { return 0 }, part: l.join("spans"),
			fences:   fences,
			disorder: 10 * time.Second, idle: 15 * time.Second, now: time.Now().UnixNano(),
		}),
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		made.run(ctx)
	}()
	return made, l, func() { cancel(); <-ended }
}

// A partition that waits for another one does not know that it is at its end: its time stands still.
func TestTimeStandsStillWhileAPartitionWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeBrokers(10)
		task, l, stop := linkTask(t, f, offsetDecoder{f})
		scores := l.join("scores")
		scores.sampled.Store(true)
		scores.entered.Store(time.Now().Add(-time.Hour).UnixNano()) // it has a backlog
		last := time.Now()
		time.Sleep(time.Minute)
		stop()
		if w := time.Unix(0, task.source.watermark); w.After(last) {
			t.Errorf("the watermark is %v ahead of what was read", w.Sub(last))
		}
		if now := time.Now().UnixNano(); task.source.part.entered.Load() > now-int64(50*time.Second) {
			t.Error("scores are told that spans have come further than they were read")
		}
	})
}

// lostAnswers are brokers that commit but say that they have not.
type lostAnswers struct {
	*fakeBrokers
	mu       sync.Mutex
	lost     bool
	metadata []string
}

func (b *lostAnswers) commit(ctx context.Context, offset int64, metadata string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, fences, _ := parseMetadata(metadata); len(fences) > 0 || len(b.metadata) > 0 {
		b.metadata = append(b.metadata, metadata)
		if b.lost {
			return errors.New("the answer is lost")
		}
	}
	return b.fakeBrokers.commit(ctx, offset, metadata)
}

// Where the clock flushes the delay line stands in the commits or nowhere.
func TestFenceWhoseCommitIsUnsureStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &lostAnswers{fakeBrokers: newFakeBrokers(3), lost: true}
		task, l, stop := linkTask(t, b, promptless{offsetDecoder{b.fakeBrokers}})
		l.join("scores").sampled.Store(true)
		time.Sleep(20 * time.Second) // the clock flushes after 15
		b.append(2)
		time.Sleep(5 * time.Second)
		b.mu.Lock()
		b.lost = false
		b.mu.Unlock()
		time.Sleep(10 * time.Second)
		stop()
		if len(b.metadata) < 2 || task.source.next != 5 {
			t.Fatalf("%d commits, read up to %d: nothing was tried", len(b.metadata), task.source.next)
		}
		for _, m := range b.metadata {
			if _, fences, ok := parseMetadata(m); !ok || len(fences) == 0 || fences[0] != 3 {
				t.Errorf("a commit says %q, where a fence at 3 may stand", m)
			}
		}
	})
}

// The clock does not flush more often than commits can remember while nothing can be written: what was flushed first would be linked to
// something else when it is read again. Then it goes on, and forgets the oldest.
func TestFencesOfWhatIsNotWrittenStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fences []int64
		for i := range int64(maxFences - 2) {
			fences = append(fences, 3+i)
		}
		b := &lostAnswers{fakeBrokers: newFakeBrokers(maxFences + 2)}
		b.set(func() { b.writeErr = errors.New("no space is left") })
		task, l, stop := linkTask(t, b, promptless{offsetDecoder{b.fakeBrokers}}, fences...)
		l.join("scores").sampled.Store(true)
		next := int64(maxFences + 2)
		flushes := func() (last []int64) {
			for range 4 {
				time.Sleep(20 * time.Second) // the clock flushes after 15
				b.append(1)
				next++
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			_, last, _ = parseMetadata(b.metadata[len(b.metadata)-1])
			return last
		}
		if got := flushes(); len(got) != maxFences || got[0] != 3 {
			t.Errorf("%d fences, the first at %d, want %d from 3 on", len(got), got[0], maxFences)
		}
		b.set(func() { b.writeErr = nil })
		got := flushes()
		stop()
		if len(got) != maxFences || got[maxFences-1] < next-2 || b.committed < next-1 {
			t.Errorf("%d fences, the last at %d, %d committed, of %d", len(got), got[maxFences-1], b.committed, next)
		}
		if n := task.source.line.len(); n > 1 {
			t.Errorf("%d events wait", n)
		}
	})
}

// A fence behind the log's end, which was cut back, does not keep the clock from flushing.
func TestFenceBehindTheLogsEndIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &lostAnswers{fakeBrokers: newFakeBrokers(3)}
		task, l, stop := linkTask(t, b, promptless{offsetDecoder{b.fakeBrokers}}, 2, 100)
		l.join("scores").sampled.Store(true)
		time.Sleep(20 * time.Second)
		stop()
		last := b.metadata[len(b.metadata)-1]
		if _, fences, ok := parseMetadata(last); !ok || !slices.Equal(fences, []int64{2, 3}) || task.source.line.len() > 0 || b.committed != 3 {
			t.Errorf("%d wait, %d is committed, fences %v", task.source.line.len(), b.committed, fences)
		}
	})
}

func TestMiddleOfTimesIsNoWrongClocks(t *testing.T) {
	for want, times := range map[int64][]int64{0: nil, 4: {4}, 5: {1 << 60, 5}, 6: {1 << 60, 5, 6, 0, 7}} {
		if got := middle(times); got != want {
			t.Errorf("of %v: %d", times, got)
		}
	}
}

// stopping are brokers behind whose empty answer the process stands still for a minute, in which more comes.
type stopping struct {
	*fakeBrokers
	task    atomic.Pointer[task]
	stood   bool
	seen    bool
	mark    int64 // the watermark when more is asked for
	entered int64 // and how far scores were told that spans are read
}

func (b *stopping) fetch(ctx context.Context, offset int64, wait time.Duration) (fetched, error) {
	if b.stood && !b.seen {
		b.seen, b.mark, b.entered = true, b.task.Load().source.watermark, b.task.Load().source.part.entered.Load()
	}
	got, err := b.fakeBrokers.fetch(ctx, offset, wait)
	if b.task.Load() != nil && !b.stood && err == nil && got.nextOffset() == got.end() && offset == got.end() {
		b.stood = true
		time.Sleep(time.Second)
		b.append(1)
		time.Sleep(time.Minute)
	}
	return got, err
}

// What comes while a process is stopped, behind an answer that there is no more, is not taken for missing when it goes on: time does
// not pass it.
func TestTimeDoesNotPassWhatComesWhileAProcessIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &stopping{fakeBrokers: newFakeBrokers(3)}
		task, l, stop := linkTask(t, b, promptless{offsetDecoder{b.fakeBrokers}})
		l.join("scores").sampled.Store(true)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		b.task.Store(task) // it waits in a fetch
		time.Sleep(2 * time.Minute)
		stop()
		when := b.records[3]
		if !b.seen {
			t.Fatal("it did not stand still: this does not show what it should")
		}
		if d := time.Duration(b.mark - when); d > 0 {
			t.Errorf("the watermark was %v ahead of an event that was not read", d)
		}
		if d := time.Duration(b.entered - when); d > 0 {
			t.Errorf("scores were told that spans are read, %v ahead of one that was not", d)
		}
	})
}
