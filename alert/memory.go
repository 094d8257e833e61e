package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/driftd/driftd/detector"
)

// Memory is an alerts topic in memory: for tests that run whole act workers without a broker, and kill them. It is for
// concurrent use.
type Memory struct {
	// Appended, where set, is called when a worker has written records, before the worker learns that it has.
	Appended func(part int, records []detector.Record)

	mu        sync.Mutex
	grown     *sync.Cond
	parts     [][]detector.Record
	committed []int64
}

// NewMemory returns an empty topic of that many partitions.
func NewMemory(parts int) *Memory {
	m := &Memory{parts: make([][]detector.Record, parts), committed: make([]int64, parts)}
	for i := range m.committed {
		m.committed[i] = -1
	}
	m.grown = sync.NewCond(&m.mu)
	return m
}

// Add writes what others than the workers write: steps of alerts, and what people do.
func (m *Memory) Add(part int, records ...detector.Record) error {
	entries := make([]Entry, len(records))
	for i, r := range records {
		entries[i].Record = r
	}
	return m.write(part, entries)
}

// Records returns what stands in a partition.
func (m *Memory) Records(part int) []detector.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.parts[part])
}

// write takes records through JSON, as in the topic.
func (m *Memory) write(part int, entries []Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range entries {
		b, err := json.Marshal(entries[i].Record)
		if err != nil {
			return fmt.Errorf("encode alert record: %w", err)
		}
		r, err := Decode(b)
		if err != nil {
			return err
		}
		entries[i].Offset = int64(len(m.parts[part]))
		m.parts[part] = append(m.parts[part], r)
	}
	m.grown.Broadcast()
	return nil
}

// MemoryWorker is an act worker on a Memory.
type MemoryWorker struct {
	m      *Memory
	loop   *loop
	cut    atomic.Bool
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

var errCut = errors.New("the worker is cut off from its log")

// Start starts an act worker that has all partitions, from what was committed by the one before it. It ends with Stop.
func (m *Memory) Start(ctx context.Context, core Core) *MemoryWorker {
	ctx, cancel := context.WithCancel(ctx)
	w := &MemoryWorker{m: m, loop: newLoop(core, DefaultQuiet), cancel: cancel}
	w.loop.append, w.loop.total = w.append, len(m.parts)
	w.wg.Go(func() { w.loop.run(ctx) })
	for p := range m.parts {
		w.wg.Go(func() { m.tail(ctx, w.loop, p, m.committed, memoryClaim{w, p}) })
	}
	return w
}

// Cut makes all that the worker writes or commits from now on fail without a trace, as if the process were gone. It may be
// called from anywhere, from within a delivery too.
func (w *MemoryWorker) Cut() { w.cut.Store(true) }

// Stop ends the worker and waits for it. Without Cut it commits first, as a daemon that is told to stop does.
func (w *MemoryWorker) Stop() {
	w.cancel()
	w.m.mu.Lock()
	w.m.grown.Broadcast()
	w.m.mu.Unlock()
	w.wg.Wait()
}

// State tells how the worker is.
func (w *MemoryWorker) State() State { return *w.loop.state.Load() }

func (w *MemoryWorker) append(_ context.Context, part int, entries []Entry) error {
	if w.cut.Load() {
		return errCut
	}
	if err := w.m.write(part, entries); err != nil {
		return err
	}
	if f := w.m.Appended; f != nil {
		records := make([]detector.Record, len(entries))
		for i := range entries {
			records[i] = entries[i].Record
		}
		f(part, records)
	}
	if w.cut.Load() {
		return errCut
	}
	return nil
}

// tail hands a partition to l, from its start, until ctx ends. Committed are the offsets that stand committed, by partition.
func (m *Memory) tail(ctx context.Context, l *loop, part int, committed []int64, c claim) {
	send := func(ev event) {
		ev.part = part
		select {
		case l.events <- ev:
		case <-ctx.Done():
		}
	}
	m.mu.Lock()
	end, from := len(m.parts[part]), committed[part]
	m.mu.Unlock()
	send(event{kind: began, ctx: ctx, claim: c, next: from})
	for next := 0; ctx.Err() == nil; next++ {
		if next == end {
			send(event{kind: caught})
		}
		m.mu.Lock()
		for next == len(m.parts[part]) && ctx.Err() == nil {
			m.grown.Wait()
		}
		if ctx.Err() != nil {
			m.mu.Unlock()
			return
		}
		e := Entry{Offset: int64(next), Record: m.parts[part][next]}
		m.mu.Unlock()
		send(event{kind: read, next: int64(next) + 1, entry: &e})
	}
}

type memoryClaim struct {
	w    *MemoryWorker
	part int
}

// Commit implements claim.
func (c memoryClaim) Commit(_ context.Context, offset int64) error {
	if c.w.cut.Load() {
		return errCut
	}
	c.w.m.mu.Lock()
	defer c.w.m.mu.Unlock()
	c.w.m.committed[c.part] = offset
	return nil
}
