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
	const n = 40_000
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
	for m := bombStart; m < bombStart+300; m++ {
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
