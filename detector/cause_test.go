package detector

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

const floorRules = `
rubrics:
  grounding: {min: 0, max: 1, better: higher}
groups:
  - name: g
    match: {prompt: p}
    rules:
      - alert: Low
        rubric: grounding
        threshold: {stat: mean, window: 30m, below: 0.85}
        min_samples: 50
`

const hr = time.Hour

func TestCauses(t *testing.T) {
	old := func(v string, to time.Duration) stream { return stream{version: v, rate: 60, mean: 0.92, to: to} }
	fell := func(at time.Duration, mean float64) []turnTo { return []turnTo{{at, mean}} }
	all := func(s stream) []stream { return spreadOver(s, nil) }
	one := func(s stream, tier, locale string, at time.Duration, mean float64) []stream {
		return spreadOver(s, func(s *stream) {
			if s.tier == tier && s.locale == locale {
				s.change = fell(at, mean)
			}
		})
	}
	type says map[string]Cause // by version
	for _, c := range []struct {
		name    string
		length  time.Duration
		streams []stream
		want    says
	}{
		{"a new version, the old one is gone", 5 * hr, slices.Concat(
			all(old("v1", 3*hr)), all(stream{version: "v2", rate: 60, mean: 0.78, from: 3 * hr})),
			says{"v2": CausePromptVersion}},
		{"a new version, the old one lingers", 5 * hr, slices.Concat(
			all(old("v1", 3*hr)), all(stream{version: "v1", rate: 12, mean: 0.92, from: 3 * hr}), all(stream{version: "v2", rate: 60, mean: 0.78, from: 3 * hr})),
			says{"v2": CausePromptVersion}},
		{"a new version that is bad for one cohort", 5 * hr, slices.Concat(
			all(old("v1", 3*hr)), spreadOver(stream{version: "v2", rate: 120, mean: 0.87, from: 3 * hr}, func(s *stream) {
				if s.tier == "enterprise" {
					s.mean = 0.6
				}
			})),
			says{"v2": CausePromptVersion}},
		{"one cohort of a version that nothing happened to", 5 * hr, one(stream{version: "v1", rate: 120, mean: 0.88}, "enterprise", "en", 3*hr, 0.4),
			says{"v1": CauseOneCohort}},
		{"a bad day, two versions", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.75)}), all(stream{version: "v2", rate: 40, mean: 0.92, change: fell(3*hr, 0.75)})),
			says{"v1": CauseEverything, "v2": CauseEverything}},
		{"one cohort falls in two versions", 5 * hr, slices.Concat(
			one(stream{version: "v1", rate: 120, mean: 0.88}, "enterprise", "en", 3*hr, 0.4), one(stream{version: "v2", rate: 120, mean: 0.88}, "enterprise", "en", 3*hr, 0.4)),
			says{"v1": CauseEverything, "v2": CauseEverything}},
		{"a version that falls alone", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.92}), all(stream{version: "v2", rate: 40, mean: 0.92, change: fell(3*hr, 0.75)})),
			says{"v2": CausePromptVersion}},
		{"the only version falls, and nothing is known", 5 * hr, all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.75)}),
			says{"v1": CauseUnclear}},
		{"a new version comes on a bad day", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.75)}), all(stream{version: "v2", rate: 40, mean: 0.75, from: 3 * hr})),
			says{"v1": CauseUnclear, "v2": CauseEverything}},
		{"a new version comes after a bad day began", 6 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.75), to: 3*hr + 25*time.Minute}), all(stream{version: "v2", rate: 40, mean: 0.75, from: 3*hr + 25*time.Minute})),
			says{"v1": CauseUnclear, "v2": CauseEverything}},
		{"a new version that is no worse", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.80, to: 3 * hr}), all(stream{version: "v2", rate: 40, mean: 0.80, from: 3 * hr})),
			says{"v1": CauseUnclear, "v2": CauseUnclear}},
		{"the first version that was ever seen", 2 * hr, all(stream{version: "v1", rate: 40, mean: 0.80}),
			says{"v1": CauseUnclear}},
		{"the mix shifts", 6 * hr, []stream{
			{version: "v1", tier: "free", locale: "en", rate: 10, mean: 0.6}, {version: "v1", tier: "pro", locale: "en", rate: 90, mean: 0.92, to: 3 * hr},
			{version: "v1", tier: "pro", locale: "en", rate: 10, mean: 0.92, from: 3 * hr}},
			says{"v1": CauseUnclear}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(5) {
				told := says{}
				for _, r := range firings(tell(t, floorRules, c.length, seed, c.streams...), "") {
					if seed == 0 {
						t.Log(why(&r))
					}
					told[r.Version] = r.Cause
				}
				if !maps.Equal(told, c.want) {
					t.Errorf("seed %d: causes %v, want %v", seed, told, c.want)
				}
			}
		})
	}
}

func why(r *Record) string {
	return fmt.Sprintf("%s %s of %s %s: %s\n  %s\n  explained by %v, changed %v", clock(r.Time), r.Rule, r.Prompt, r.Version, r.Cause,
		strings.Join(r.Because, "\n  "), r.ExplainedBy, r.Changed)
}
