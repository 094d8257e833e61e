package consumer

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The index finds what a map would, while tables grow, are closed and forgotten; also where hashes crowd at a table's end.
func TestIndexFindsWhatAMapWould(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 5))
		x := newIndex(0, 100, 1<<30)
		type entry struct {
			span uint32
			at   int64
		}
		want := map[uint64][]entry{}
		traces := make([]uint64, 500)
		for i := range traces {
			switch traces[i] = r.Uint64(); i % 3 {
			case 0:
				traces[i] |= 0xffffff << 40
			case 1:
				traces[i] &= 1<<20 - 1
			}
			traces[i] |= 1
		}
		at, passed := int64(1000), int64(1000)
		for n := range 20_000 {
			if r.IntN(10) == 0 {
				at += r.Int64N(5)
				passed = max(passed, at-r.Int64N(50))
			}
			x.turn(at, passed)
			trace := traces[r.IntN(len(traces))]
			x.put(trace, uint32(n+2), 0, nil, 0, trace)
			want[trace] = append(want[trace], entry{uint32(n + 2), at})
			if n%50 > 0 {
				continue
			}
			trace = traces[r.IntN(len(traces))]
			var got []uint32
			for _, s := range x.gather(nil, trace) {
				got = append(got, s.span)
			}
			slices.Sort(got)
			if len(slices.Compact(got)) != len(got) {
				t.Fatalf("seed %d: a span is found twice", seed)
			}
			for _, e := range want[trace] {
				if _, found := slices.BinarySearch(got, e.span); !found && e.at > passed-100 {
					t.Fatalf("seed %d: a span of %d is not found at %d, when %d was passed", seed, e.at, at, passed)
				} else if found && e.at < passed-100-2*25-5 {
					t.Fatalf("seed %d: a span of %d is still found when %d was passed", seed, e.at, passed)
				}
			}
			for _, span := range got {
				if !slices.ContainsFunc(want[trace], func(e entry) bool { return e.span == span }) {
					t.Fatalf("seed %d: a span of another trace is found", seed)
				}
			}
		}
	}
}

// Calls are linked while others come, some of them after their generation was closed: labels stand in each but once or twice.
func TestLabelsStandInAGenerationOnce(t *testing.T) {
	x := newIndex(0, 400, 1<<30)
	l := newLabels(string(appendLabels(nil, &Event{Prompt: []byte("p")})), 0)
	for i := range int64(1000) {
		x.turn(1000+i, 1000+i-150)
		x.put(uint64(2*i+1)<<20|1, 2, 0, nil, isCall, 1)
		x.put(uint64(2*i+2)<<20|1, 2, 0, l, 0, 1)
		if i > 150 {
			x.refine(uint64(2*(i-150)+1)<<20|1, 2, l, 1)
		}
	}
	for _, g := range append(x.past, x.now) {
		if len(g.table) > 2 {
			t.Errorf("labels stand %d times in a generation", len(g.table))
		}
	}
}
