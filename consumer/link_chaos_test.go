package consumer_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/driftd/driftd/windows"
)

// linkedEvent is an event of linkedEvents.
type linkedEvent struct {
	at    float64 // seconds
	trace int
	score bool
	line  string
}

// linkedEvents are the events of some hundred traces in disorder: whole calls, calls whose prompt stands above or beside them,
// sometimes both, the nearer one coming last; scores before and after their spans.
func linkedEvents(r *rand.Rand, n int) (events []linkedEvent) {
	for i := range n {
		add := func(at float64, format string, args ...any) {
			at += r.Float64() * 4 // seconds of disorder
			line := fmt.Sprintf(format, args...) + fmt.Sprintf(" @%.3f", at)
			events = append(events, linkedEvent{at, i, format[:5] == "score", line})
		}
		prompt := func() string { return fmt.Sprintf("prompt=%c version=v1", 'a'+r.IntN(5)) }
		at := float64(i) * 0.7
		switch r.IntN(4) {
		case 0:
			add(at, "call t%d s1 %s", i, prompt())
		case 1:
			add(at, "call t%d s2<s1", i)
			add(at+1, "span t%d s1 %s", i, prompt())
		default:
			add(at-2, "span t%d s3<s1 %s", i, prompt())
			add(at, "call t%d s2<s4", i)
			if r.IntN(2) == 0 {
				add(at+3, "span t%d s4<s1 %s", i, prompt())
			}
			add(at+1, "span t%d s1", i)
		}
		add(at+r.Float64()*20-2, "score t%d s2", i)
	}
	slices.SortStableFunc(events, func(a, b linkedEvent) int {
		if a.at < b.at {
			return -1
		}
		return 1
	})
	for range n { // neighbours change places
		i := r.IntN(len(events) - 1)
		events[i], events[i+1] = events[i+1], events[i]
	}
	return events
}

// linkedRecords are linkedEvents among broken records. The last two events are far ahead, so that everything before them has
// waited long enough.
func linkedRecords(r *rand.Rand, n int) (records [][]byte) {
	for _, e := range linkedEvents(r, n) {
		if r.IntN(30) == 0 {
			records = append(records, []byte("{"), nil)
		}
		records = append(records, linkEvent(e.line))
	}
	last := linkEvent(fmt.Sprintf("span tz sz @%d", n+100))
	return append(records, last, last)
}

// counted reads the samples topic as detect does: positions by samples partition.
func (s *simulation) counted() (where map[windows.Position][]int, cells map[windows.Position]string) {
	where, cells = map[windows.Position][]int{}, map[windows.Position]string{}
	var b windows.Batch
	for p, log := range s.logs {
		var next windows.Position
		for _, value := range log {
			if err := b.Decode(value); err != nil {
				s.t.Fatal(err)
			}
			for i, pos := range b.Pos {
				if pos.Less(next) {
					continue
				}
				next = pos.After()
				where[pos] = append(where[pos], p)
				cells[pos] = string(b.Cells[b.Cell[i]])
			}
		}
	}
	return where, cells
}

func TestLinkedOnceUnderCrashesZombiesAndRollbacks(t *testing.T) {
	runs := 60
	if testing.Short() {
		runs = 20
	}
	flushed, restarts := 0, 0
	for seed := range uint64(runs) {
		r := rand.New(rand.NewPCG(seed, 8))
		records := linkedRecords(r, 120)
		calm := &simulation{t: t, r: rand.New(rand.NewPCG(seed, 9)), linked: true, records: records, end: int64(len(records))}
		w := calm.spawn()
		for i, record := range records {
			w.core.Add(int64(i), record, testClock)
		}
		w.core.Tend(testClock+1e15, true)
		waves, _, next := w.core.Cut(testClock, false)
		if next != int64(len(records)) || w.core.Waiting() > 0 {
			t.Fatalf("seed %d: %d of %d settled, %d wait", seed, next, len(records), w.core.Waiting())
		}
		for _, wave := range waves {
			for _, b := range wave {
				calm.logs[b.Partition] = append(calm.logs[b.Partition], b.Value)
			}
		}
		_, want := calm.counted()
		if len(want) < 150 {
			t.Fatalf("seed %d: only %d events link", seed, len(want))
		}
		for _, mode := range []struct{ roll, flush bool }{{false, false}, {true, false}, {false, true}} {
			s := &simulation{t: t, r: r, linked: true, records: records, canRoll: mode.roll, flushes: mode.flush}
			s.run()
			flushed += s.flushed
			restarts += len(s.writers) - 1
			where, got := s.counted()
			for pos, lanes := range where {
				if len(lanes) > 1 {
					t.Errorf("seed %d, %+v: the event at %v counts in %v", seed, mode, pos, lanes)
				}
			}
			if !mode.flush && !maps.Equal(got, want) {
				t.Errorf("seed %d, %+v: %d events count, %d without a crash", seed, mode, len(got), len(want))
			}
		}
	}
	if flushed < runs || restarts < runs {
		t.Errorf("%d flushes, %d restarts: the simulation tests nothing", flushed, restarts)
	}
}
