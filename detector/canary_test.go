package detector

import (
	"fmt"
	"slices"
	"testing"
)

const besideRules = `
rubrics:
  good: {min: 0, max: 1, better: higher}
groups:
  - name: g
    slice_by: [tier]
    total: false
    rules:
      - {alert: Beside, rubric: good, canary: {drop: 0.05, against: previous_version}}
`

// calls are n scores of one version and tier with a mean of tenths/10.
func calls(version, tier string, n, tenths int) (scores []score) {
	for i := range n {
		x := 0.0
		if i%10 < tenths {
			x = 1
		}
		scores = append(scores, score{"p", version, tier, "", x})
	}
	return scores
}

// TestScoresDoNotWaitForLong: a bad time that the other side has not seen is no evidence when it comes back, whether it was five minutes
// or five hours, few scores a minute or many.
func TestScoresDoNotWaitForLong(t *testing.T) {
	rates, stretches := []int{10, 30, 100, 300}, []int{5, 50, 300}
	if testing.Short() {
		rates, stretches = rates[1:2], stretches[1:2]
	}
	for _, n := range rates {
		for _, bad := range stretches {
			y := newPlay(t, besideRules)
			for range 100 {
				y.next(calls("v0", "a", n, 9))
			}
			steps := 0
			for minute := range bad + 250 {
				tenths := 9
				if minute >= 100 && minute < 100+bad {
					tenths = 5
				}
				scores := calls("v1", "a", n, tenths)
				if minute < 100 || minute >= 100+bad {
					scores = append(scores, calls("v0", "a", n, tenths)...)
				}
				steps += len(y.next(scores))
			}
			if steps > 0 {
				t.Errorf("%d a minute, %d bad minutes: %d steps of two versions that are the same", n, bad, steps)
			}
			for range 60 {
				steps += len(y.next(append(calls("v1", "a", n, 5), calls("v0", "a", n, 9)...)))
			}
			if steps == 0 {
				t.Errorf("%d a minute: no step of a version that is worse", n)
			}
		}
	}
}

// TestWaitingIsInNoOrder: what the alarms of a minute say does not depend on which series began to wait first, which a restart forgets,
// though they are too many to look each of them up.
func TestWaitingIsInNoOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("some thousands of series")
	}
	const tiers = maxLooks + 100
	name := func(i int) string { return fmt.Sprintf("%04d", i) }
	y := newPlay(t, besideRules)
	all := func(version string, tenths int) (scores []score) {
		for i := range tiers {
			scores = append(scores, calls(version, name(i), 10, tenths)...)
		}
		return scores
	}
	for range 30 {
		y.next(all("v0", 5))
	}
	for range 20 {
		y.next(append(all("v0", 5), all("v1", 5)...))
	}
	for first := range 2 { // the last half begins to wait before the other
		var scores []score
		for i := range tiers {
			if (i < tiers/2) == (first == 1) {
				scores = append(scores, calls("v1", name(i), pairScores, 0)...)
			}
		}
		y.next(scores)
	}
	var log stateLog
	again := log.reopen(t, y.p, parsed(t, besideRules))
	var other []score
	for i := range tiers {
		other = append(other, calls("v0", name(i), 300, 10)...)
	}
	raw := y.encode(other)
	want, got := encoded(t, applyRaw(t, y.p, raw)), encoded(t, applyRaw(t, again, raw))
	if len(want) != tiers || !slices.Equal(got, want) {
		t.Errorf("%d and %d steps with and without a restart, of %d series: the same is %v", len(got), len(want), tiers, slices.Equal(got, want))
	}
}
