package detector

import (
	"math/rand/v2"
	"testing"
)

// TestAlertsDoNotFlap: what stays bad stays told, and what is well again ends. Without sureness a stretch of thirty scores that
// happen to be good ended an alert several times a day.
func TestAlertsDoNotFlap(t *testing.T) {
	if testing.Short() {
		t.Skip("some days of traffic")
	}
	const text = `
rubrics: {good: {min: 0, max: 1}}
groups:
  - name: g
    rules:
      - {alert: Drift, rubric: good, drift: {drop: 0.1, against: {fixed: 0.9}}}
      - {alert: Tail, rubric: good, exceed: {below: 0.5, share: 5%}}
`
	const bad, well = 3 * dayMinutes, dayMinutes
	ended, lingered, series := 0, 0, 0
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		y := newPlay(t, text)
		firing := make(map[string]bool)
		fired := make(map[string]bool)
		for m := range bad + well {
			mean := 0.8 // as bad as the rule asks for; a tail of 20 %
			if m >= bad {
				mean = 0.97
			}
			var scores []score
			for range 5 {
				c := score{prompt: "p", version: "v1"}
				if rng.Float64() < mean {
					c.value = 1
				}
				scores = append(scores, c)
			}
			for _, r := range y.next(scores) {
				firing[r.Rule] = r.Type == Firing
				fired[r.Rule] = fired[r.Rule] || r.Type == Firing
				if r.Type == Resolved && m < bad {
					ended++
				}
			}
		}
		for _, rule := range []string{"Drift", "Tail"} {
			series++
			if !fired[rule] {
				t.Errorf("seed %d: %s never fired", seed, rule)
			}
			if firing[rule] {
				lingered++
			}
		}
	}
	t.Logf("alerts of %d series ended %d times within 3 days although all was bad; %d lingered a day after it was well", series, ended, lingered)
	if ended > 5 || lingered > 0 {
		t.Errorf("%d alerts ended while all was bad, %d lingered when it was well", ended, lingered)
	}
}
