package detector

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const manyRules = floorRules + `
      - alert: Drifted
        rubric: grounding
        drift: {drop: 0.05, against: previous_version}
      - alert: Drifted24
        rubric: grounding
        drift: {drop: 0.05, against: 24h}
  - name: c
    match: {prompt: p}
    slice_by: [tier, locale]
    total: false
    rules:
      - alert: CohortDrifted
        rubric: grounding
        drift: {drop: 0.05, against: previous_version}
      - alert: CohortLow
        rubric: grounding
        threshold: {stat: mean, window: 30m, below: 0.82}
        min_samples: 50
`

// Stories with figures by chance, and what may be said of them. A cause that would let a rollback pass must not come of what no version is
// to blame for.
func TestCausesByChance(t *testing.T) {
	if testing.Short() {
		t.Skip("some hundreds of hours of traffic")
	}
	model := []valueFrom{{0, "a"}}
	for _, c := range []struct {
		name    string
		make    func(r *rand.Rand) []stream
		length  time.Duration
		from    time.Duration // alerts of before are not looked at
		may     []Cause
		mistake float64 // share of the alerts that may say something else
	}{
		{"bad day, two versions", func(r *rand.Rand) []stream {
			rate, s, d := 20+180*r.Float64(), 0.02+0.48*r.Float64(), 0.08+0.15*r.Float64()
			return slices.Concat(spreadOver(stream{version: "v1", rate: rate * s, mean: 0.92, change: []turnTo{{6 * hr, 0.92 - d}}}, nil),
				spreadOver(stream{version: "v2", rate: rate * (1 - s), mean: 0.92, from: 2 * hr, change: []turnTo{{6 * hr, 0.92 - d}}}, nil))
		}, 8 * hr, 6 * hr, []Cause{CauseEverything, CauseUnclear}, 0.01},
		{"bad day 20 min after a version came", func(r *rand.Rand) []stream {
			rate, d := 20+180*r.Float64(), 0.08+0.15*r.Float64()
			return slices.Concat(spreadOver(stream{version: "v1", rate: rate, mean: 0.92, to: 6*hr - 20*time.Minute}, nil),
				spreadOver(stream{version: "v2", rate: rate, mean: 0.92, from: 6*hr - 20*time.Minute, change: []turnTo{{6 * hr, 0.92 - d}}}, nil))
		}, 8 * hr, 6 * hr, []Cause{CauseUnclear}, 0.01},
		{"bad day, version and prompts", func(r *rand.Rand) []stream {
			rate, d := 20+180*r.Float64(), 0.08+0.15*r.Float64()
			return slices.Concat(spreadOver(stream{version: "v1", rate: rate, mean: 0.92, change: []turnTo{{6 * hr, 0.92 - d}}, model: model}, nil),
				spreadOver(stream{prompt: "q", version: "v2", rate: rate * 0.3, mean: 0.92, change: []turnTo{{6 * hr, 0.92 - d}}, model: model}, nil))
		}, 8 * hr, 6 * hr, []Cause{CauseEverything, CauseUnclear}, 0.01},
		{"new bad version, old one lingers", func(r *rand.Rand) []stream {
			rate, s, d := 20+180*r.Float64(), 0.02+0.3*r.Float64(), 0.08+0.15*r.Float64()
			return slices.Concat(spreadOver(stream{version: "v1", rate: rate * (1 - s), mean: 0.92, to: 6 * hr}, nil), spreadOver(stream{version: "v1", rate: rate * s, mean: 0.92}, nil),
				spreadOver(stream{version: "v2", rate: rate * (1 - s), mean: 0.92 - d, from: 6 * hr}, nil))
		}, 8 * hr, 6 * hr, []Cause{CausePromptVersion}, 0.02},
		{"new version bad in one cohort", func(r *rand.Rand) []stream {
			rate, d := 60+180*r.Float64(), 0.2+0.3*r.Float64()
			return slices.Concat(spreadOver(stream{version: "v1", rate: rate, mean: 0.92, to: 6 * hr}, nil),
				spreadOver(stream{version: "v2", rate: rate, mean: 0.92, from: 6 * hr}, func(s *stream) {
					if s.tier == "enterprise" && s.locale == "de" {
						s.mean -= d
					}
				}))
		}, 9 * hr, 6 * hr, []Cause{CausePromptVersion}, 0.15},
		{"one cohort of one version", func(r *rand.Rand) []stream {
			rate, d := 60+180*r.Float64(), 0.2+0.3*r.Float64()
			return slices.Concat(spreadOver(stream{version: "v1", rate: rate, mean: 0.92}, func(s *stream) {
				if s.tier == "enterprise" && s.locale == "de" {
					s.change = []turnTo{{28 * hr, 0.92 - d}}
				}
			}))
		}, 30 * hr, 28 * hr, []Cause{CauseOneCohort}, 0.2},
		{"daily dip", func(r *rand.Rand) []stream {
			rate := 20 + 60*r.Float64()
			var ch []turnTo
			amp := 0.03 + 0.09*r.Float64()
			for h := range 40 * 4 {
				at := time.Duration(h) * 15 * time.Minute
				ch = append(ch, turnTo{at, 0.88 + amp*math.Sin(2*math.Pi*float64(h)/96)})
			}
			return spreadOver(stream{version: "v1", rate: rate, mean: 0.9, change: ch}, nil)
		}, 40 * hr, 0, []Cause{CauseUnclear}, 0.01},
		{"slow drift", func(r *rand.Rand) []stream {
			rate := 20 + 60*r.Float64()
			var ch []turnTo
			for h := range 40 {
				ch = append(ch, turnTo{time.Duration(h) * hr, 0.92 - 0.15*math.Max(0, float64(h)-26)/14})
			}
			return spreadOver(stream{version: "v1", rate: rate, mean: 0.9, change: ch}, nil)
		}, 40 * hr, 26 * hr, []Cause{CauseUnclear}, 0.01},
		{"rollout by tier, no worse", func(r *rand.Rand) []stream {
			rate := 60 + 60*r.Float64()
			byTier := func(s *stream) {
				s.mean = map[string]float64{"free": 0.95, "pro": 0.9, "enterprise": 0.75}[s.tier]
			}
			return slices.Concat(spreadOver(stream{version: "v1", rate: rate}, func(s *stream) {
				byTier(s)
				if s.tier == "enterprise" {
					s.to = 6 * hr
				}
			}), spreadOver(stream{version: "v2", rate: rate, from: 6 * hr}, func(s *stream) {
				byTier(s)
				if s.tier != "enterprise" {
					s.from = 9 * hr
				}
			}))
		}, 9 * hr, 6 * hr, []Cause{CauseUnclear}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			alerts, mistakes := 0, 0
			var such string
			for seed := range uint64(3) {
				for _, r := range firings(tell(t, manyRules, c.length, seed, c.make(rand.New(rand.NewPCG(seed, 99)))...), "") {
					if r.Time.Sub(scriptStart) < c.from {
						continue
					}
					alerts++
					if !slices.Contains(c.may, r.Cause) {
						mistakes++
						such = why(&r)
					}
				}
			}
			if float64(mistakes) > c.mistake*float64(alerts) || alerts == 0 {
				t.Errorf("%d of %d alerts say something else than %q, such as %s", mistakes, alerts, c.may, such)
			}
			t.Logf("%d alerts, %d mistakes", alerts, mistakes)
		})
	}
}
