package windows

import (
	"fmt"
	"testing"
	"time"
)

const bombStart = int64(1_760_000_400) * 1e9 / minuteNanos

// tuples makes n events with as many different cells.
func tuples(prefix string, n int, minute int64) []event {
	events := make([]event, n)
	for i := range events {
		events[i] = event{time: minute * minuteNanos, prompt: "p", version: "v", dims: [2]string{prefix, fmt.Sprint(i)}, latency: 1}
	}
	return events
}

// Cells that come and go leave nothing behind, and forgetting many of one prompt takes time in proportion to their number.
func TestCellsThatComeAndGo(t *testing.T) {
	n := 40_000
	if testing.Short() {
		n = 3000
	}
	s, f := NewStore(Options{Dimensions: testDimensions}), newFeed()
	views := s.SetViews([]ViewSpec{{Metric: Latency, Window: time.Hour, By: testDimensions, Total: true}})
	minute := bombStart
	for round := range 3 {
		advance(t, s, f.batch(Source{}, minute*minuteNanos, minute*minuteNanos, tuples(fmt.Sprint(round), n, minute)...))
		minute += 26 * hour
		advance(t, s, f.batch(Source{}, minute*minuteNanos, minute*minuteNanos))
		if st := s.Stats(); st.Prompts+st.Cells+st.Series+st.OpenPanes+st.SealedBytes != 0 || len(views[0].Groups()) != 0 || len(s.newcomers) != 0 {
			t.Fatalf("round %d left over: %+v, %d groups", round, st, len(views[0].Groups()))
		}
	}
	if len(s.byID) != n {
		t.Errorf("room for %d cells, want %d", len(s.byID), n)
	}
}

// A trickle of samples that come up to a day late makes each pane anew many times. What is left of the old ones is bounded, in
// memory and in what a restart reads.
func TestLateTrickleIsBounded(t *testing.T) {
	s, f, log := NewStore(Options{Dimensions: testDimensions}), newFeed(), &memoryLog{}
	s.SetViews(testViews)
	minutes := bombStart + 300
	if testing.Short() {
		minutes = bombStart + 60
	}
	for m := bombStart; m < minutes; m++ {
		events := make([]event, 0, 200)
		for i := range int64(20) {
			events = append(events, event{time: m*minuteNanos + i, prompt: "p", version: "v", latency: 1 / float64(i+1), scored: true, score: scores[i%7]})
		}
		for back := range int64(96) {
			events = append(events, event{time: (m-back*quarterMinutes)*minuteNanos + 1, prompt: "p", version: "v", latency: float64(back) / 7})
		}
		advance(t, s, f.batch(Source{}, m*minuteNanos, m*minuteNanos, events...))
		if m%10 == 0 {
			if err := s.Checkpoint(nil, log.write); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Checkpoint(nil, log.write); err != nil {
		t.Fatal(err)
	}
	live, refs := 0, 0
	count := func(_ *cell, blob []byte) { live += len(blob) + 8 }
	for i := range s.minutes {
		s.eachMinute(s.minutes[i].at, count)
		refs += len(s.minutes[i].refs)
	}
	for i := range s.quarters {
		s.eachQuarter(s.quarters[i].at/quarterMinutes, count)
		refs += len(s.quarters[i].refs)
	}
	if st := s.Stats(); st.SealedBytes > 2*live || refs > 3*len(s.segments()) {
		t.Errorf("%d bytes in %d records hold %d of panes", st.SealedBytes, refs, live)
	}
	if back := restored(t, log); back.Stats() != s.Stats() {
		t.Errorf("restored %+v, want %+v", back.Stats(), s.Stats())
	}
}

// restored is a new store from the newest checkpoint.
func restored(t testing.TB, log *memoryLog) *Store {
	t.Helper()
	f := NewFinder()
	for _, r := range log.records {
		f.Add(r)
	}
	cp, ok := f.Best()
	if !ok {
		t.Fatal("no checkpoint found")
	}
	s := NewStore(Options{Dimensions: testDimensions})
	if _, err := s.Restore(cp, log.read); err != nil {
		t.Fatal(err)
	}
	return s
}

// scored makes a batch of one call whose event has the given scores, all 1.
func scored(src Source, offset, minute int64, rubrics ...string) []byte {
	smp := Sample{Position: Position{Offset: offset}, Time: minute * minuteNanos, Cell: AppendKey(nil, "p", "v", "", ""), Mask: MaskCall | 1<<BuiltinLatency}
	smp.Values[BuiltinLatency] = 1
	for _, r := range rubrics {
		smp.Scores = append(smp.Scores, Score{[]byte(r), 1})
	}
	e := NewEncoder()
	e.Add(&smp)
	return e.AppendBatch(nil, &Header{Source: src, Clock: minute * minuteNanos, Watermark: minute * minuteNanos, Dimensions: testDimensions})
}

func names(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(prefix, i)
	}
	return out
}

// An evaluator that makes up names fills the table of them; a rule sees its rubric all the same, and a day later there is room
// for others.
func TestNamesOfRubricsAreFreed(t *testing.T) {
	s, log := NewStore(Options{Dimensions: testDimensions}), &memoryLog{}
	s.SetViews(nil)
	minute := bombStart
	step := func(rubrics ...string) (got Folded) {
		minute++
		got = fold(t, s, scored(Source{}, minute, minute, rubrics...))
		s.Advance(func(time.Time) {})
		return got
	}
	if got := step(names("run_", maxRubrics+10)...); got.Dropped != 10 || got.Values != 1+maxRubrics {
		t.Errorf("full of names: %+v", got)
	}
	view := s.SetViews([]ViewSpec{{Metric: "grounding", Window: time.Hour}})[0]
	if got := step("grounding", "run_0", "one more"); got.Dropped != 1 || got.Values != 3 {
		t.Errorf("a rule's rubric, a known and an unknown one: %+v", got)
	}
	step()
	if n := view.Groups()[0].Count(); n != 1 {
		t.Errorf("the rule sees %d values, want 1", n)
	}
	minute += 26 * hour
	step("run_0")
	minute += hour
	step("run_0")
	if st := s.Stats(); st.Series != 3 { // calls, latency, run_0
		t.Errorf("%d series are left, want 3", st.Series)
	}
	if err := s.Checkpoint(nil, log.write); err != nil {
		t.Fatal(err)
	}
	for _, s = range []*Store{restored(t, log), s} { // the other one has its names in the same places
		s.SetViews([]ViewSpec{{Metric: "grounding", Window: time.Hour}})
		before := minute
		if got := step(names("next_", maxRubrics)...); got.Dropped != 2 || s.metrics[1029] != "next_1021" {
			t.Errorf("after a day: %+v, number 1029 is %q", got, s.metrics[1029])
		}
		minute = before
	}
}

func TestLimitOfSeriesHoldsForRubrics(t *testing.T) {
	s := NewStore(Options{Dimensions: testDimensions, MaxSeries: 20})
	v := s.SetViews([]ViewSpec{{Metric: "r_1", Window: time.Hour, Total: true}, {Metric: Latency, Window: time.Hour, Total: true}})
	minute := bombStart
	got := fold(t, s, scored(Source{}, 1, minute, names("r_", 100)...))
	if want := 20 - 2; got.Values != 1+want || got.Dropped != 100-want || s.Stats().Series != 20 {
		t.Errorf("%+v with %d series", got, s.Stats().Series)
	}
	got = fold(t, s, scored(Source{}, 2, minute, "r_99", "r_1", "r_0", "r_98"))
	if got.Values != 3 || got.Dropped != 2 {
		t.Errorf("two known rubrics of four: %+v", got)
	}
	advance(t, s, scored(Source{}, 3, minute+1))
	if a, b := v[0].Groups()[0].Count(), v[1].Groups()[0].Count(); a != 2 || b != 2 {
		t.Errorf("%d scores and %d calls counted, want 2 and 2", a, b)
	}
}

// A source partition that is hours behind makes open panes pile up for the others. They are found fast, are counted right
// when it has caught up, and leave no memory behind.
func TestPilesOfOpenPanes(t *testing.T) {
	s, f, w := NewStore(Options{Dimensions: testDimensions}), newFeed(), &world{}
	views := s.SetViews(testViews)
	ahead, behind := Source{Topic: "ahead"}, Source{Topic: "behind"}
	minutes := int64(20 * hour)
	if testing.Short() {
		minutes = 5 * hour
	}
	clock := (bombStart + minutes) * minuteNanos
	feed := func(src Source, m int64) int {
		ev := event{time: m*minuteNanos + 1, prompt: "p", version: "v", dims: [2]string{src.Topic[:1]}, latency: float64(m%97) / 8}
		w.events = append(w.events, ev)
		return advance(t, s, f.batch(src, clock, m*minuteNanos, ev))
	}
	feed(behind, bombStart)
	for m := bombStart; m < bombStart+minutes; m++ {
		if feed(ahead, m) > 0 {
			t.Fatal("time went on without the one behind")
		}
	}
	if st := s.Stats(); int64(st.OpenPanes) != minutes+1 {
		t.Errorf("%d open panes", st.OpenPanes)
	}
	for m := bombStart; m < bombStart+minutes; m++ {
		feed(behind, m)
		if m%101 == 0 {
			for _, v := range views {
				w.check(t, v, s.sealed)
			}
		}
	}
	for _, c := range s.cells {
		if cap(c.open) > 4*spareBuffers {
			t.Errorf("room for %d open panes is left", cap(c.open))
		}
	}
}

// One that is further behind than any window reaches is not waited for, so that the pile is bounded.
func TestPilesAreBounded(t *testing.T) {
	s, f := NewStore(Options{Dimensions: testDimensions}), newFeed()
	s.SetViews(testViews)
	ahead, behind := Source{Topic: "ahead"}, Source{Topic: "behind"}
	clock := (bombStart + 100*hour) * minuteNanos
	fold(t, s, f.batch(behind, clock, bombStart*minuteNanos))
	most := 0
	for m := bombStart; m < bombStart+100*hour; m += 10 {
		advance(t, s, f.batch(ahead, clock, m*minuteNanos, event{time: m * minuteNanos, prompt: "p", version: "v", latency: 1}))
		most = max(most, s.Stats().OpenPanes)
	}
	if most > 24*hour/10+1 {
		t.Errorf("up to %d open panes", most)
	}
	if got := fold(t, s, f.batch(behind, clock, (bombStart+99*hour)*minuteNanos, event{time: (bombStart + 90*hour) * minuteNanos, prompt: "p", version: "v"})); got.Late != 1 {
		t.Errorf("what it brings of the last day: %+v", got)
	}
}
