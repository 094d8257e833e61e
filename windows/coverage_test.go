package windows

import (
	"testing"
	"time"
)

// A share is of the calls in the window: it is known from the first call on, never above 1, and gone with the last call although
// scores still come. It does not depend on when somebody began to ask for it.
func TestCoverage(t *testing.T) {
	s, f := NewStore(Options{Dimensions: testDimensions}), newFeed()
	specs := []ViewSpec{
		{Metric: LinkCoverage, Window: 5 * time.Minute, By: []string{"tier"}, Total: true},
		{Metric: ScoreCoverage, Window: 5 * time.Minute, By: []string{"tier"}},
		{Metric: ScoreCoverage, Rubric: "tone", Window: 5 * time.Minute, By: []string{"tier"}},
	}
	views := s.SetViews(specs)
	minute := bombStart
	step := func(events ...event) {
		for i := range events {
			events[i].time, events[i].prompt = minute*minuteNanos+1, "p"
		}
		minute++
		advance(t, s, f.batch(Source{}, minute*minuteNanos, minute*minuteNanos, events...))
	}
	share := func(view int, version, tier string, calls int64, want float64) {
		t.Helper()
		for range 2 {
			var cohort []string
			if tier != "" {
				cohort = []string{tier}
			}
			g := views[view].Find("p", version, cohort)
			if got := g.Mean(); g.Count() != calls || calls > 0 && got != want {
				t.Errorf("%s of %q: %v of %d calls, want %v of %d", specs[view].Metric, version+tier, got, g.Count(), want, calls)
			}
			if g.Exemplars() != nil {
				t.Errorf("%s has traces", specs[view].Metric)
			}
			views = s.SetViews(specs)
		}
	}
	call := func(version, tier string, scores ...string) event {
		ev := event{version: version, dims: [2]string{tier}, latency: 1}
		for _, r := range scores {
			ev.scored, ev.toned = ev.scored || r == "grounding", ev.toned || r == "tone"
		}
		return ev
	}
	alone := func(version, tier string, scores ...string) event {
		ev := call(version, tier, scores...)
		ev.alone = true
		return ev
	}
	started := time.Unix(0, minute*minuteNanos+1).UTC()
	step(call("", "free"), call("v1", "free"), call("v2", "free", "tone"), call("v2", "pro", "grounding"), call("v2", "pro", "grounding"), call("v2", "pro"))
	share(0, "", "", 6, 5./6)
	share(0, "", "free", 3, 2./3)
	share(0, "", "pro", 3, 1)
	share(1, "v2", "pro", 3, 2./3)
	share(2, "v2", "pro", 3, 0)
	share(1, "v2", "free", 1, 1)
	step(alone("v2", "pro", "tone", "grounding"), alone("v2", "pro", "tone"), alone("v2", "pro", "tone", "grounding"))
	share(1, "v2", "pro", 3, 1) // four scores of three calls
	share(2, "v2", "pro", 3, 1)
	if got := views[1].Find("p", "v2", []string{"pro"}).Since(); !got.Equal(started) {
		t.Errorf("calls since %v, want %v", got, started)
	}
	for range 3 {
		step()
	}
	step(alone("v2", "pro", "tone"))
	share(1, "v2", "pro", 0, 0)
	share(0, "", "", 0, 0)
	step(call("v2", "pro"))
	share(1, "v2", "pro", 1, 1)
	if got := new(Group).Since(); !got.IsZero() {
		t.Errorf("a group without cells knows of calls since %v", got)
	}
}
