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

// TestScoresDoNotWaitForLong: five bad hours that the other side has not seen are no evidence when it comes back, though the new side has
// had scores in every minute since they began.
func TestScoresDoNotWaitForLong(t *testing.T) {
	y := newPlay(t, besideRules)
	for range 100 {
		y.next(calls("v0", "a", 100, 9))
	}
	fired := 0
	for minute := range 700 {
		tenths, both := 9, minute < 100 || minute >= 500
		if minute >= 100 && minute < 400 {
			tenths = 5
		}
		scores := calls("v1", "a", 100, tenths)
		if both {
			scores = append(scores, calls("v0", "a", 100, tenths)...)
		}
		fired += len(y.next(scores))
	}
	if fired > 0 {
		t.Errorf("%d steps of two versions that are the same", fired)
	}
	for range 60 {
		fired += len(y.next(append(calls("v1", "a", 100, 5), calls("v0", "a", 100, 9)...)))
	}
	if fired == 0 {
		t.Error("no step of a version that is worse")
	}
}

// TestWaitingIsInNoOrder: what the alarms of a minute say does not depend on which series began to wait first, which a restart forgets,
// though they are too many to look each of them up.
func TestWaitingIsInNoOrder(t *testing.T) {
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
				scores = append(scores, calls("v1", name(i), 300, 0)...)
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
