package consumer_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/driftd/driftd/windows"
)

const simHorizon = time.Minute

// rewound is where a worker begins to read that takes the partition over, as Worker.rewind finds it: no event of these is newer than
// its record, nor more than disorder older.
func (s *simulation) rewound() int64 {
	if s.committed == 0 {
		return 0
	}
	since := s.times[s.committed-1] - (s.dedup + 10*time.Second).Milliseconds()
	at, _ := slices.BinarySearch(s.times, since)
	return min(int64(at), s.committed)
}

// resent is a log of calls and scores, one a second, of which some are sent again, soon or long after; and which of them count. The
// rule stands here a second time, by the log from its start on.
func resent(r *rand.Rand, n int) (records [][]byte, times []int64, want map[int][]windows.Position) {
	type event struct {
		record []byte
		id     string
		at     int64 // s
		lane   int
	}
	want = map[int][]windows.Position{}
	var log []event
	for i := range n {
		prompt := string(rune('a' + r.IntN(5)))
		e := event{at: int64(i - r.IntN(10)), lane: simPartition(prompt)}
		line := fmt.Sprintf("t%d s%d @%d prompt=%s version=v1", i/2, i%2, e.at, prompt)
		switch k := r.IntN(12); {
		case k == 0:
			e.record = []byte("{")
		case k == 1:
			e.record = linkEvent("call " + fmt.Sprintf("@%d prompt=%s version=v1", e.at, prompt)) // has no ids
			e.id = "-"
		case k < 5:
			e.record, e.id = linkEvent("score "+line), fmt.Sprintf("score %d @%d", i, e.at)
		default:
			e.record, e.id = linkEvent("call "+line), fmt.Sprintf("call %d", i)
		}
		if r.IntN(3) == 0 && len(log) > 0 { // in place of it one that came before, perhaps twice
			e = log[max(0, len(log)-1-r.IntN(90))]
		}
		log = append(log, e)
	}
	var newest, steady int64
	for i, e := range log {
		records = append(records, e.record)
		times = append(times, (linkStart+int64(i)*1e9)/1e6)
		if e.id == "" {
			continue
		}
		before := slices.ContainsFunc(log[:i], func(f event) bool { return f.id == e.id && f.at >= steady-int64(simHorizon.Seconds()) })
		if !before || e.id == "-" {
			want[e.lane] = append(want[e.lane], windows.Position{Offset: int64(i)})
		}
		if e.at > newest {
			steady, newest = newest, e.at
		} else {
			steady = max(steady, e.at)
		}
	}
	return records, times, want
}

func TestRepeatedEventsCountOnceUnderCrashesZombiesAndRollbacks(t *testing.T) {
	runs := 100
	if testing.Short() {
		runs = 40
	}
	restarts, dropped := 0, 0
	for _, canRoll := range []bool{false, true} {
		for seed := range uint64(runs) {
			r := rand.New(rand.NewPCG(seed, 10))
			s := &simulation{t: t, r: r, canRoll: canRoll, dedup: simHorizon}
			s.records, s.times, s.want = resent(r, 400)
			s.run()
			s.check(seed)
			restarts += len(s.writers) - 1
			dropped += len(s.records) - len(s.want[0]) - len(s.want[1]) - len(s.want[2])
		}
	}
	if restarts < runs || dropped < 40*runs {
		t.Errorf("%d restarts, %d records dropped: the simulation tests nothing", restarts, dropped)
	}
}

// What is linked is sent again as well: of each record the first counts, with what waits in the delay line and over restarts.
func TestRepeatedEventsAreLinkedOnceUnderCrashes(t *testing.T) {
	runs := 20
	if testing.Short() {
		runs = 8
	}
	for seed := range uint64(runs) {
		r := rand.New(rand.NewPCG(seed, 11))
		var records [][]byte
		first := map[int64]bool{}
		all := linkedRecords(r, 120)
		for i, record := range all {
			first[int64(len(records))] = true
			records = append(records, record)
			if back := r.IntN(60); r.IntN(4) == 0 && back < i && i < len(all)-2 { // not behind the leap at the end
				records = append(records, records[len(records)-1-back])
			}
		}
		results := []map[windows.Position]string{}
		for calm := range 2 {
			s := &simulation{t: t, r: r, linked: true, records: records, dedup: simHorizon}
			if calm == 0 {
				s.end = int64(len(records))
				s.calm()
			} else {
				s.run()
			}
			where, cells := s.counted()
			for pos, lanes := range where {
				if len(lanes) > 1 || !first[pos.Offset] {
					t.Errorf("seed %d: the event at %v counts in %v, first: %t", seed, pos, lanes, first[pos.Offset])
				}
			}
			results = append(results, cells)
		}
		if !maps.Equal(results[0], results[1]) || len(results[0]) < 150 {
			t.Errorf("seed %d: %d events count, %d without a crash", seed, len(results[1]), len(results[0]))
		}
	}
}

// calm reads the log to its end, without a crash.
func (s *simulation) calm() {
	s.t.Helper()
	w := s.spawn()
	for i, record := range s.records {
		w.core.Add(int64(i), record, testClock)
	}
	w.core.Tend(testClock+1e15, true)
	waves, _, next := w.core.Cut(testClock, false)
	if next != int64(len(s.records)) || w.core.Waiting() > 0 {
		s.t.Fatalf("%d of %d settled, %d wait", next, len(s.records), w.core.Waiting())
	}
	for _, wave := range waves {
		for _, b := range wave {
			s.logs[b.Partition] = append(s.logs[b.Partition], b.Value)
		}
	}
}
