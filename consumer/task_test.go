package consumer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/windows"
)

// fakeBrokers are brokers in memory, for one task.
type fakeBrokers struct {
	mu                            sync.Mutex
	records                       []int64 // event times, by offset
	more                          chan struct{}
	fetchErr, writeErr, commitErr error
	lose                          int            // so many batches are written but not acknowledged
	hold                          chan struct{}  // writes wait for it
	log                           map[int][]byte // what each samples partition holds: offsets, 8 bytes each
	marks                         map[int]int64  // the newest watermark in each
	writes                        []time.Time
	committed                     int64
	commits                       int
	gone                          bool
}

func newFakeBrokers(n int) *fakeBrokers {
	f := &fakeBrokers{more: make(chan struct{}, 1), log: map[int][]byte{}, marks: map[int]int64{}}
	f.append(n)
	return f
}

func (f *fakeBrokers) append(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range n {
		f.records = append(f.records, time.Now().UnixNano())
	}
	select {
	case f.more <- struct{}{}:
	default:
	}
}

func (f *fakeBrokers) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

type fakeFetched struct {
	at, last, log int64
}

func (g *fakeFetched) next(rec *Record) bool {
	if g.at == g.last {
		return false
	}
	*rec = Record{Offset: g.at, Value: binary.BigEndian.AppendUint64(nil, uint64(g.at))}
	g.at++
	return true
}
func (g *fakeFetched) err() error        { return nil }
func (g *fakeFetched) nextOffset() int64 { return g.last }
func (g *fakeFetched) end() int64        { return g.log }

func (f *fakeBrokers) fetch(ctx context.Context, offset int64, wait time.Duration) (fetched, error) {
	f.mu.Lock()
	err, end := f.fetchErr, int64(len(f.records))
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if offset == end {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-f.more:
		case <-t.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	end = int64(len(f.records))
	return &fakeFetched{offset, min(end, offset+100), end}, nil
}

func (f *fakeBrokers) write(ctx context.Context, msgs []message) (left []message, err error) {
	if f.hold != nil {
		<-f.hold
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writeErr != nil {
		return msgs, f.writeErr
	}
	f.writes = append(f.writes, time.Now())
	var b windows.Batch
	for i := range msgs {
		if err := b.Decode(msgs[i].value); err != nil {
			panic(err)
		}
		f.marks[msgs[i].partition] = b.Watermark
		for _, pos := range b.Pos {
			f.log[msgs[i].partition] = binary.BigEndian.AppendUint64(f.log[msgs[i].partition], uint64(pos.Offset))
		}
		if f.lose > 0 && b.Len() > 0 {
			f.lose--
			left = append(left, msgs[i])
			err = errors.New("answer lost")
		}
	}
	return left, err
}

func (f *fakeBrokers) commit(_ context.Context, offset int64, metadata string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.commitErr != nil {
		return f.commitErr
	}
	f.committed = offset
	f.commits++
	return nil
}

func (f *fakeBrokers) layout(lineage) ([]windows.Source, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return nil, !f.gone
}

func (f *fakeBrokers) pauses() func(context.Context, int) bool {
	return func(ctx context.Context, attempt int) bool {
		if attempt == 0 {
			return ctx.Err() == nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// counted are the offsets that detect counts, in all samples partitions together.
func (f *fakeBrokers) counted(t *testing.T) (n int, doubled int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p, log := range f.log {
		next := int64(0)
		for ; len(log) > 0; log = log[8:] {
			at := int64(binary.BigEndian.Uint64(log))
			if int(at%3) != p {
				t.Errorf("offset %d in partition %d", at, p)
			}
			if at < next {
				doubled++
				continue
			}
			next = at + 1
			n++
		}
	}
	return n, doubled
}

// offsetDecoder yields a span whose prompt is the record's number.
type offsetDecoder struct{ f *fakeBrokers }

func (d offsetDecoder) Decode(record []byte, yield func(*Event)) error {
	at := binary.BigEndian.Uint64(record)
	d.f.mu.Lock()
	when := d.f.records[at]
	d.f.mu.Unlock()
	yield(&Event{Call: true, Time: when, Prompt: fmt.Append(nil, at%3)})
	return nil
}

// startTask runs a task on fake brokers inside a synctest bubble.
func startTask(t *testing.T, f *fakeBrokers) (stop func(), ended chan struct{}, logs *bytes.Buffer) {
	logs = &bytes.Buffer{}
	log := slog.New(slog.NewTextHandler(logs, nil))
	set := metrics.NewSet()
	task := &task{
		brokers: f, now: time.Now, log: log, metrics: newTopicMetrics(set, "spans"), gauges: newPartitionMetrics(set, "spans", 0, false),
		trouble: changes{log: log}, flush: 100 * time.Millisecond, heartbeat: 5 * time.Second, commitEvery: time.Second,
		source: newSource(sourceConfig{
			id: windows.Source{Topic: "spans"}, decoder: offsetDecoder{f}, partitions: 3, partition: func(p string) int { return int(p[0] - '0') },
			disorder: 10 * time.Second, idle: 15 * time.Second, now: time.Now().UnixNano(),
		}),
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		task.run(ctx)
	}()
	return func() { cancel(); <-ended }, ended, logs
}

func TestTaskWritesThenCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeBrokers(250)
		f.hold = make(chan struct{})
		stop, _, _ := startTask(t, f)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n, _ := f.counted(t); n != 0 || f.committed != 0 {
			t.Errorf("%d written, %d committed while the broker holds back", n, f.committed)
		}
		close(f.hold)
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if n, doubled := f.counted(t); n != 250 || doubled != 0 || f.committed != 250 {
			t.Errorf("%d written, %d doubled, %d committed", n, doubled, f.committed)
		}
		f.append(1)
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		if n, _ := f.counted(t); n != 251 {
			t.Errorf("%d written 150 ms after the last event", n)
		}
		f.append(1)
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		stop()
		if f.committed != 252 {
			t.Errorf("%d committed at the end, want 252", f.committed)
		}
	})
}

func TestTaskOutlivesBrokenBrokers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeBrokers(100)
		f.fetchErr = errors.New("connection refused")
		stop, _, logs := startTask(t, f)
		time.Sleep(time.Minute)
		f.set(func() { f.fetchErr, f.writeErr, f.lose = nil, errors.New("not enough replicas"), 20 })
		time.Sleep(time.Minute)
		f.append(100)
		f.set(func() { f.writeErr, f.commitErr = nil, errors.New("coordinator not available") })
		time.Sleep(time.Minute)
		if f.committed != 0 {
			t.Errorf("%d committed", f.committed)
		}
		f.set(func() { f.commitErr = nil })
		f.append(100)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		stop()
		if n, doubled := f.counted(t); n != 300 || doubled == 0 || f.committed != 300 {
			t.Errorf("%d counted, %d doubled, %d committed", n, doubled, f.committed)
		}
		for what, most := range map[string]int{"connection refused": 1, "not enough replicas": 20, "works again": 1} {
			if n := strings.Count(logs.String(), what); n < 1 || n > most {
				t.Errorf("%q stands %d times in the log", what, n)
			}
		}
	})
}

func TestTaskSendsHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeBrokers(0)
		stop, _, _ := startTask(t, f)
		time.Sleep(21 * time.Second)
		synctest.Wait()
		stop()
		if len(f.writes) != 6 || f.commits != 0 { // one at the start, one at the log's end, one each five seconds
			t.Errorf("heartbeats at %v, %d commits", f.writes, f.commits)
		}
	})
}

// Who gets no samples of a partition that has been caught up with hears of it before the next heartbeat is due.
func TestTaskTellsThatItHasCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeBrokers(2) // one for partition 0, one for 1
		stop, _, _ := startTask(t, f)
		time.Sleep(time.Second)
		synctest.Wait()
		stop()
		if f.marks[0] == 0 || f.marks[2] != f.marks[0] {
			t.Errorf("watermarks by partition: %v", f.marks)
		}
	})
}

// A partition that cannot be read is one that detect need not wait for.
func TestTaskIsSilentWhileItCannotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeBrokers(0)
		stop, _, _ := startTask(t, f)
		beats := func(d time.Duration) int {
			time.Sleep(d)
			synctest.Wait()
			f.mu.Lock()
			defer f.mu.Unlock()
			return len(f.writes)
		}
		f.set(func() { f.fetchErr = errors.New("leader not available") })
		before := beats(6 * time.Second)
		if n := beats(time.Minute); n != before {
			t.Errorf("%d heartbeats while the partition cannot be read", n-before)
		}
		f.set(func() { f.fetchErr = nil })
		if n := beats(30 * time.Second); n == before {
			t.Error("no heartbeat when it can be read again")
		}
		stop()
	})
}

func TestTaskEndsWithItsLineage(t *testing.T) {
	for name, end := range map[string]func(*fakeBrokers){
		"offset out of range": func(f *fakeBrokers) { f.fetchErr = fmt.Errorf("fetch: %w", errMoved) },
		"topic made again":    func(f *fakeBrokers) { f.gone = true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeBrokers(100)
				f.hold = make(chan struct{})
				_, ended, _ := startTask(t, f)
				time.Sleep(50 * time.Millisecond)
				f.set(func() { end(f) })
				time.Sleep(10 * time.Second)
				close(f.hold)
				<-ended
				if n, _ := f.counted(t); n != 100 || f.committed != 100 {
					t.Errorf("%d written, %d committed of what had been read", n, f.committed)
				}
			})
		})
	}
}

func TestTaskStopsWhenBrokersDoNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeBrokers(100)
		f.writeErr = errors.New("connection refused")
		stop, _, _ := startTask(t, f)
		time.Sleep(time.Second)
		began := time.Now()
		stop()
		if took := time.Since(began); took > 2*grace || f.committed != 0 {
			t.Errorf("stopped in %v with %d committed", took, f.committed)
		}
	})
}
