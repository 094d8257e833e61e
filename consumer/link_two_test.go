package consumer_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/windows"
)

// twoTopics is the model of exactlyonce_test.go for spans and scores in topics of their own: workers read one partition of each
// with what they remember in common, crash or live on as zombies, or lose one of the partitions for a moment; each topic has its
// own offset, which may be rolled back.
type twoTopics struct {
	t    *testing.T
	r    *rand.Rand
	sims [2]*simulation
}

// apart takes the scores, and spans of every eighth trace, into a topic of their own.
func apart(t *testing.T, r *rand.Rand, traces int) *twoTopics {
	w := &twoTopics{t: t, r: r}
	for i, topic := range []string{"spans", "scores"} {
		w.sims[i] = &simulation{t: t, r: r, topic: topic}
	}
	put := func(i int, record []byte) { w.sims[i].records = append(w.sims[i].records, record) }
	for _, e := range linkedEvents(r, traces) {
		if r.IntN(30) == 0 {
			put(r.IntN(2), []byte("{"))
		}
		i := 0
		if e.score || e.trace%8 == 0 && r.IntN(2) == 0 {
			i = 1
		}
		put(i, linkEvent(e.line))
	}
	for i, s := range w.sims {
		last := linkEvent(fmt.Sprintf("span tz%d sz @%d", i, traces+200))
		s.records = append(s.records, last, last)
		s.end = int64(len(s.records))
	}
	return w
}

// start begins a process with both partitions, or one partition anew in the process at hand.
func (w *twoTopics) start(which ...int) {
	if len(which) == 2 || w.sims[0].linker == nil {
		linker := consumer.NewLinker(usualLinking, "spans", "scores")
		w.sims[0].linker, w.sims[1].linker = linker, linker
	}
	for _, i := range which {
		w.sims[i].spawn()
	}
}

func (w *twoTopics) step(s *simulation, v *simWriter) {
	switch {
	case !v.ready && s.r.IntN(2) == 0:
		for range 1 + s.r.IntN(20) {
			if v.next == s.end || v.core.Blocked() {
				break
			}
			v.core.Add(v.next, s.records[v.next], testClock)
			v.next++
		}
		v.core.Tend(testClock, v.next == s.end)
		if s.r.IntN(3) == 0 {
			v.core.Beat(nil)
		}
		v.built, _, v.builtTo = v.core.Cut(testClock, false)
		v.ready = true
	case v.inFlight && len(v.flight) > 0:
		s.write(v)
	case v.inFlight:
		v.inFlight, v.done = false, v.to
		if v.generation == s.generation {
			s.committed = v.to
		} else if s.r.IntN(2) == 0 {
			v.dead = true
		}
	case v.ready:
		v.flight, v.to, v.inFlight, v.ready = v.built, v.builtTo, true, false
	}
}

// run goes on until both topics are committed to their ends; crashes is how many starts there may be beside the first.
func (w *twoTopics) run(crashes int, canRoll bool) (starts int) {
	w.start(0, 1)
	for steps := 0; ; steps++ {
		if steps > 200_000 {
			w.t.Fatal("the simulation does not end")
		}
		over := true
		for _, s := range w.sims {
			current := s.writers[len(s.writers)-1]
			over = over && s.committed == s.end && !current.inFlight && !current.ready
		}
		if over {
			return starts
		}
		s := w.sims[w.r.IntN(2)]
		var live []*simWriter
		for _, v := range s.writers {
			if !v.dead {
				live = append(live, v)
			}
		}
		w.step(s, live[w.r.IntN(len(live))])
		if starts == crashes || w.r.IntN(40) > 0 {
			continue
		}
		starts++
		which := [][]int{{0, 1}, {0}, {1}}[w.r.IntN(3)]
		for _, i := range which {
			s := w.sims[i]
			s.writers[len(s.writers)-1].dead = w.r.IntN(2) == 0
			if canRoll && w.r.IntN(3) == 0 {
				s.committed = w.r.Int64N(s.committed + 1)
			}
		}
		w.start(which...)
	}
}

// What came in time is linked to the same and counts once, whichever of the two topics is read again, from where, and by how many.
func TestTwoTopicsLinkOnceUnderCrashesZombiesAndRollbacks(t *testing.T) {
	runs := 60
	if testing.Short() {
		runs = 20
	}
	starts := 0
	for seed := range uint64(runs) {
		make := func() *twoTopics { return apart(t, rand.New(rand.NewPCG(seed, 21)), 100) }
		calm := make()
		calm.run(0, false)
		var want [2]map[windows.Position]string
		for i, s := range calm.sims {
			_, want[i] = s.counted()
		}
		if len(want[0]) < 60 || len(want[1]) < 60 {
			t.Fatalf("seed %d: only %d and %d events link", seed, len(want[0]), len(want[1]))
		}
		for _, canRoll := range []bool{false, true} {
			w := make()
			w.r = rand.New(rand.NewPCG(seed, 22))
			w.sims[0].r, w.sims[1].r = w.r, w.r
			starts += w.run(7, canRoll)
			for i, s := range w.sims {
				where, got := s.counted()
				for pos, lanes := range where {
					if len(lanes) > 1 {
						t.Errorf("seed %d, topic %s: the event at %v counts in %v", seed, s.topic, pos, lanes)
					}
				}
				if !maps.Equal(got, want[i]) {
					var differ []string
					for pos, cell := range want[i] {
						if got[pos] != cell {
							differ = append(differ, fmt.Sprintf("%v is %q, not %q: %s", pos, got[pos], cell, s.records[pos.Offset]))
						}
					}
					slices.Sort(differ)
					t.Errorf("seed %d, rolled back %v, topic %s: %d events count, %d without a crash: %q", seed, canRoll, s.topic, len(got), len(want[i]), differ)
				}
			}
		}
	}
	if starts < 5*runs {
		t.Errorf("%d starts: the simulation tests nothing", starts)
	}
}
