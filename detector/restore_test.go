package detector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/driftd/driftd/internal/scripts"
	"github.com/driftd/driftd/windows"
)

// memoryLog is a partitionLog over records in memory; nil ones are gone.
type memoryLog struct {
	records [][]byte
	reads   int // records handed over
	calls   int
}

func (l *memoryLog) bounds(context.Context) (first, next int64, err error) {
	for first < int64(len(l.records)) && l.records[first] == nil {
		first++
	}
	return first, int64(len(l.records)), nil
}

func (l *memoryLog) read(_ context.Context, from, to int64, each func(int64, []byte) error) error {
	l.calls++
	for o := from; o < to; o++ {
		if l.records[o] == nil {
			continue
		}
		l.reads++
		if err := each(o, l.records[o]); err != nil {
			return err
		}
	}
	return nil
}

func (l *memoryLog) append(_ context.Context, records [][]byte) ([]int64, error) {
	return l.write(records)
}

func (l *memoryLog) write(records [][]byte) (offsets []int64, err error) {
	for _, r := range records {
		offsets = append(offsets, int64(len(l.records)))
		l.records = append(l.records, slices.Clone(r))
	}
	return offsets, nil
}

// checkpointed returns a partition with two checkpoints in the log, the second at offset 20.
func checkpointed(t *testing.T, l *memoryLog) *Partition {
	t.Helper()
	s := &script{t: t, p: NewPartition(PartitionOptions{Windows: scriptOptions, Rules: parsed(t, fixtureRules)})}
	for i, offset := range []int64{10, 20} {
		s.run(scripts.Block{Input: fmt.Sprintf("add for=3m series=p/v1/free latency=%d n=20\nadvance 3m\n", 5+i)})
		if err := s.p.Checkpoint(offset, l.write); err != nil {
			t.Fatal(err)
		}
	}
	return s.p
}

func (l *memoryLog) offset(t *testing.T, cp *windows.Checkpoint) int64 {
	t.Helper()
	_, offset, err := RestorePartition(PartitionOptions{Windows: scriptOptions, Rules: parsed(t, fixtureRules)}, cp,
		func(offsets []int64, each func([]byte) error) error {
			return readRecords(t.Context(), l, offsets, each)
		})
	if err != nil {
		t.Fatal(err)
	}
	return offset
}

func TestFindCheckpoint(t *testing.T) {
	find := func(l *memoryLog) *windows.Checkpoint {
		t.Helper()
		cp, err := findCheckpoint(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		return cp
	}
	if cp := find(&memoryLog{}); cp != nil {
		t.Error("found a checkpoint in an empty log")
	}
	l := &memoryLog{records: make([][]byte, 5)}
	checkpointed(t, l)
	if got := l.offset(t, find(l)); got != 20 {
		t.Errorf("found the checkpoint at offset %d, want 20", got)
	}
	for range 1000 { // panes of somebody who never came to a checkpoint, or rubbish
		l.records = append(l.records, []byte("rubbish"))
	}
	l.reads = 0
	if got := l.offset(t, find(l)); got != 20 {
		t.Errorf("behind rubbish found the checkpoint at offset %d, want 20", got)
	}
	if l.reads > 2000 {
		t.Errorf("read %d records to find a checkpoint 1000 from the end", l.reads)
	}
	l.records = append(l.records, resetMark)
	if cp := find(l); cp != nil {
		t.Error("found a checkpoint that was given up")
	}
	checkpointed(t, l)
	if got := l.offset(t, find(l)); got != 20 {
		t.Errorf("behind the mark found the checkpoint at offset %d, want 20", got)
	}
	// The first checkpoint behind a mark is of many records, so that more than one step of the search is needed for it.
	l.records = append(l.records, resetMark)
	p := NewPartition(PartitionOptions{Windows: scriptOptions, Rules: parsed(t, fixtureRules)})
	p.engine.rules = append(p.engine.rules, &rule{key: "a long memory", kind: longMemory(20 << 20)})
	if err := p.Checkpoint(30, l.write); err != nil {
		t.Fatal(err)
	}
	if got := l.offset(t, find(l)); got != 30 {
		t.Errorf("right behind the mark found the checkpoint at offset %d, want 30", got)
	}
}

// longMemory is a kind that remembers that many bytes.
type longMemory int

func (longMemory) views() []windows.ViewSpec { return nil }
func (longMemory) bind([]*windows.View)      {}
func (longMemory) adopt(*alert) bool         { return false }
func (longMemory) tick(*engine)              {}
func (n longMemory) save(dst []byte) []byte  { return append(dst, make([]byte, n)...) }
func (longMemory) load([]byte) error         { return nil }

func TestReadRecords(t *testing.T) {
	l := &memoryLog{}
	for i := range 100 {
		l.records = append(l.records, fmt.Appendf(nil, "%d", i))
	}
	read := func(offsets ...int64) ([]int64, error) {
		var got []int64
		l.calls = 0
		err := readRecords(t.Context(), l, offsets, func(record []byte) error {
			var o int64
			_, err := fmt.Sscan(string(record), &o)
			got = append(got, o)
			return err
		})
		return got, err
	}
	want := []int64{3, 4, 9, 60, 61, 99}
	if got, err := read(want...); err != nil || !slices.Equal(got, want) || l.calls != 3 {
		t.Errorf("read %v in %d runs, %v; want %v in 3", got, l.calls, err, want)
	}
	for _, gone := range []int64{3, 9, 99} {
		kept := l.records[gone]
		l.records[gone] = nil
		if _, err := read(want...); err == nil {
			t.Errorf("record %d is gone and read says nothing", gone)
		}
		l.records[gone] = kept
	}
	stop := errors.New("stop")
	if err := readRecords(t.Context(), l, want, func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error of the caller: %v", err)
	}
}

func TestRestoreRefusesDamage(t *testing.T) {
	l := &memoryLog{}
	p := checkpointed(t, l)
	state, err := p.engine.snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	fresh := func() *engine {
		return NewPartition(PartitionOptions{Windows: scriptOptions, Rules: parsed(t, fixtureRules)}).engine
	}
	e := fresh()
	if err := e.restore(state); err != nil {
		t.Fatal(err)
	}
	if again, err := e.snapshot(nil); err != nil || !slices.Equal(again, state) {
		t.Errorf("a restored engine saves %q, %v, want %q", again, err, state)
	}
	for n := range state {
		if err := fresh().restore(state[:n]); err == nil {
			t.Fatalf("took a state cut at %d of %d bytes", n, len(state))
		}
	}
	if err := fresh().restore(append(slices.Clone(state), 0)); err == nil {
		t.Error("took a state with a byte too many")
	}
}

func FuzzRestore(f *testing.F) {
	t := &testing.T{}
	set := parsed(t, fixtureRules+`
      - {alert: Gone, volume: {below: 50%, against: 24h}}
      - {alert: Dearer, metric: cost, threshold: {stat: mean, window: 5m, above: 120%, against: previous_version}}
`)
	s := &script{t: t, p: NewPartition(PartitionOptions{Windows: scriptOptions, Rules: set})}
	s.run(scripts.Block{Input: "add for=3m series=p/v1/free latency=5 cost=1 n=20\nadvance 3m\nadd for=3m series=p/v2/free latency=5 cost=2 n=20\nadvance 30m\n"})
	state, err := s.p.engine.snapshot(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(state)
	f.Fuzz(func(t *testing.T, state []byte) {
		p := NewPartition(PartitionOptions{Windows: scriptOptions, Rules: set})
		if p.engine.restore(state) == nil {
			p.engine.tick(scriptStart)
			if _, err := p.engine.snapshot(nil); err != nil {
				t.Error(err)
			}
		}
	})
}
