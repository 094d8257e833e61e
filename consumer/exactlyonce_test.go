package consumer_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/windows"
)

// The model: one source partition, written by workers that crash, live on as zombies, double their produces and start again
// at group offsets that may have been rolled back, into some samples partitions. The core is the real one; the brokers,
// the group and detect's cursors are played. What is linked, sent again or offered again is tried by it; internal/protocol tries
// the plain way through all stages.

type simulation struct {
	t       *testing.T
	r       *rand.Rand
	records [][]byte
	want    map[int][]windows.Position // by samples partition
	logs    [simPartitions][][]byte    // the samples topic

	committed  int64
	generation int
	writers    []*simWriter
	rollbacks  int
	canRoll    bool

	// Where events are linked: the log grows, and a worker at its end may flush what waits.
	linked  bool
	end     int64   // of the log, so far
	fences  []int64 // committed with the offset
	flushes bool
	flushed int

	topic  string           // one of several
	linker *consumer.Linker // that the process at hand shares among them

	names []string // of the records, where they are events that are offered again

	dedup time.Duration
	times []int64 // that the log shows of the records, Unix ms, for dedup; none where all is read again
}

const simPartitions = 3

// simWriter is a worker with the partition, or one that believes so.
type simWriter struct {
	core       *consumer.Core
	generation int
	dead       bool

	next     int64               // record to be read
	flight   [][]consumer.Sealed // waves not yet written
	inFlight bool
	to       int64               // what to commit when they are
	done     int64               // was acknowledged
	built    [][]consumer.Sealed // a round that waits for its turn
	builtTo  int64
	ready    bool
}

func (s *simulation) spawn() *simWriter {
	s.generation++
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: []consumer.Dimension{{Name: "tier"}}})
	if err != nil {
		s.t.Fatal(err)
	}
	c := consumer.CoreConfig{
		Source: windows.Source{Topic: "events"}, Decoder: driftdjson.New(attrs), Dimensions: attrs.Dimensions(), Partitions: simPartitions,
		Partition: simPartition, Start: s.committed, Now: testClock,
	}
	if s.linked {
		c.Linker, c.From, c.Fences, c.Start = consumer.NewLinker(usualLinking, "events"), s.committed, slices.Clone(s.fences), 0
	}
	if s.linker != nil {
		c.Source.Topic, c.Linker, c.From, c.Start = s.topic, s.linker, s.committed, 0
	}
	if c.Dedup = s.dedup; s.times != nil {
		c.From, c.Start = s.committed, s.rewound()
	}
	if s.names != nil {
		c.Again, c.From, c.Start = true, s.committed, 0
	}
	w := &simWriter{generation: s.generation, next: c.Start, done: s.committed, core: consumer.NewCore(c)}
	s.writers = append(s.writers, w)
	return w
}

func simPartition(prompt string) int { return int(prompt[0]-'a') % simPartitions }

// step lets a writer do one thing.
func (s *simulation) step(w *simWriter) {
	switch {
	case w.next == s.end && s.flushes && !w.ready && s.r.IntN(3) == 0 && w.generation == s.generation && !w.core.Refencing():
		s.committed, s.fences = w.done, append(s.fences, w.next)
		s.flushed++
		if fence := w.core.Tend(testClock+int64(time.Hour), true); fence > 0 && fence != w.next {
			s.t.Fatalf("flushed at %d, want %d", fence, w.next)
		}
		w.built, _, w.builtTo = w.core.Cut(testClock, false)
		w.ready = true
	case s.flushes && w.generation != s.generation && !w.ready && !w.inFlight:
		w.dead = true // a zombie knows nothing of later fences; it may write what it holds, but reads no more
	case w.next < s.end && !w.ready && s.r.IntN(2) == 0 && (!s.flushes || w.generation == s.generation): // reads on while a round is in flight
		for range 1 + s.r.IntN(20) {
			if w.next == s.end {
				break
			}
			if s.times != nil {
				w.core.AddAt(w.next, s.times[w.next], s.records[w.next], testClock)
			} else if s.names != nil {
				w.core.AddNamed(w.next, s.names[w.next], s.records[w.next], testClock)
			} else {
				w.core.Add(w.next, s.records[w.next], testClock)
			}
			w.next++
		}
		if s.r.IntN(3) == 0 {
			w.core.Beat(nil)
		}
		w.built, _, w.builtTo = w.core.Cut(testClock, false)
		w.ready = true
	case w.inFlight && len(w.flight) > 0:
		s.write(w)
	case w.inFlight: // all acknowledged
		w.inFlight, w.done = false, w.to
		if w.generation == s.generation {
			s.committed = w.to
		} else if s.r.IntN(2) == 0 { // a zombie's commit is refused; it may go on once more before it notices
			w.dead = true
		}
	case w.ready:
		w.flight, w.to, w.inFlight, w.ready = w.built, w.builtTo, true, false
	}
}

// write appends one batch of the wave at the head: perhaps twice, perhaps with its answer lost, so that the same bytes are sent again.
func (s *simulation) write(w *simWriter) {
	wave := w.flight[0]
	if len(wave) == 0 {
		w.flight = w.flight[1:]
		return
	}
	i := s.r.IntN(len(wave))
	b := wave[i]
	switch s.r.IntN(12) {
	case 0: // refused
		return
	case 1: // written, the answer lost
		s.logs[b.Partition] = append(s.logs[b.Partition], b.Value)
		return
	}
	s.logs[b.Partition] = append(s.logs[b.Partition], b.Value)
	w.flight[0] = slices.Delete(slices.Clone(wave), i, i+1)
}

func (s *simulation) run() {
	if !s.linked {
		s.end = int64(len(s.records))
	}
	s.spawn()
	for steps := 0; ; steps++ {
		if steps > 100_000 {
			s.t.Fatal("the simulation does not end")
		}
		var live []*simWriter
		for _, w := range s.writers {
			if !w.dead {
				live = append(live, w)
			}
		}
		if s.end < int64(len(s.records)) && s.r.IntN(20) == 0 {
			s.end = min(s.end+s.r.Int64N(40), int64(len(s.records)))
		}
		current := s.writers[len(s.writers)-1]
		if s.committed == int64(len(s.records)) && !current.inFlight && !current.ready {
			return
		}
		s.step(live[s.r.IntN(len(live))])
		if s.r.IntN(40) == 0 && len(s.writers) < 8 {
			current.dead = s.r.IntN(2) == 0 // a crash; else it lives on as a zombie
			if s.canRoll && s.rollbacks < 2 && s.r.IntN(2) == 0 {
				s.committed, s.fences = s.r.Int64N(s.committed+1), nil
				s.rollbacks++
			}
			s.spawn()
		}
	}
}

// check reads the samples topic as detect does and compares with what there should be.
func (s *simulation) check(seed uint64) (doubled int) {
	var b windows.Batch
	for p, log := range s.logs {
		var next windows.Position
		var got []windows.Position
		for _, value := range log {
			if err := b.Decode(value); err != nil {
				s.t.Fatal(err)
			}
			for _, pos := range b.Pos {
				if pos.Less(next) {
					doubled++
					continue
				}
				got = append(got, pos)
				next = pos.After()
			}
		}
		if !slices.Equal(got, s.want[p]) {
			s.t.Errorf("seed %d: samples partition %d counts %d events, want %d", seed, p, len(got), len(s.want[p]))
		}
	}
	return doubled
}
