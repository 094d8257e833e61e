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
