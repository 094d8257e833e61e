package detector

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/rules"
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

const driftRules = `
rubrics:
  grounding: {min: 0, max: 1, better: higher}
groups:
  - name: g
    match: {prompt: p}
    rules:
      - alert: Drifted
        rubric: grounding
        drift: {drop: 0.05, against: previous_version}
  - name: cohorts
    match: {prompt: p}
    slice_by: [tier, locale]
    total: false
    rules:
      - alert: CohortDrifted
        rubric: grounding
        drift: {drop: 0.05, against: 24h}
`

const canaryRules = `
rubrics:
  grounding: {min: 0, max: 1, better: higher}
groups:
  - name: g
    match: {prompt: p}
    rules:
      - alert: CanaryWorse
        rubric: grounding
        canary: {drop: 0.03, against: previous_version}
`

const exceedRules = `
groups:
  - name: g
    match: {prompt: p}
    rules:
      - alert: TooManySlow
        metric: latency
        exceed: {above: 4s, share: 0.05}
`

const variantRules = `
rubrics:
  grounding: {min: 0, max: 1, better: higher}
groups:
  - name: g
    match: {prompt: p, environment: prod}
    rules:
      - alert: VariantWorse
        rubric: grounding
        canary: {drop: 0.03, against: {variant: control}}
      - alert: Low
        rubric: grounding
        threshold: {stat: mean, window: 30m, below: 0.85}
        min_samples: 50
`

const tailRules = `
groups:
  - name: g
    match: {prompt: p}
    rules:
      - alert: SlowTail
        metric: latency
        threshold: {stat: p95, window: 24h, above: 4s}
        min_samples: 1000
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
	models := func(first string, at time.Duration, then string) []valueFrom {
		return []valueFrom{{0, first}, {at, then}}
	}
	type says map[string]Cause // by version
	for i, c := range []struct {
		name    string
		length  time.Duration
		streams []stream
		want    says
		rules   string // floorRules where it is empty
		facts   string // what all facts together must match; not where it begins with !
	}{
		{"a new version, the old one is gone", 5 * hr, slices.Concat(
			all(old("v1", 3*hr)), all(stream{version: "v2", rate: 60, mean: 0.78, from: 3 * hr})),
			says{"v2": CausePromptVersion}, "", ""},
		{"a new version, the old one lingers", 5 * hr, slices.Concat(
			all(old("v1", 3*hr)), all(stream{version: "v1", rate: 12, mean: 0.92, from: 3 * hr}), all(stream{version: "v2", rate: 60, mean: 0.78, from: 3 * hr})),
			says{"v2": CausePromptVersion}, "", `v1 had 0.90?[0-9]* over [0-9,]+ scores before.*v2 began at 15:00, after v1`},
		{"a new version that is bad for one cohort", 5 * hr, slices.Concat(
			all(old("v1", 3*hr)), spreadOver(stream{version: "v2", rate: 120, mean: 0.87, from: 3 * hr}, func(s *stream) {
				if s.tier == "enterprise" {
					s.mean = 0.6
				}
			})),
			says{"v2": CausePromptVersion}, "", ""},
		{"one cohort of a version that nothing happened to", 5 * hr, one(stream{version: "v1", rate: 120, mean: 0.88}, "enterprise", "en", 3*hr, 0.4),
			says{"v1": CauseOneCohort}, "", `the drop is in enterprise × en alone, 10 % of the traffic: the rest has not moved`},
		{"a bad day, two versions", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.75)}), all(stream{version: "v2", rate: 40, mean: 0.92, change: fell(3*hr, 0.75)})),
			says{"v1": CauseEverything, "v2": CauseEverything}, "", ""},
		{"one cohort falls in two versions", 5 * hr, slices.Concat(
			one(stream{version: "v1", rate: 120, mean: 0.88}, "enterprise", "en", 3*hr, 0.4), one(stream{version: "v2", rate: 120, mean: 0.88}, "enterprise", "en", 3*hr, 0.4)),
			says{"v1": CauseEverything, "v2": CauseEverything}, "", ""},
		{"a version that falls alone", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.92}), all(stream{version: "v2", rate: 40, mean: 0.92, change: fell(3*hr, 0.75)})),
			says{"v2": CausePromptVersion}, "", `v1 serves the same cohorts beside it and has not moved \(0\.`},
		{"the only version falls, and nothing is known", 5 * hr, all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.75)}),
			says{"v1": CauseUnclear}, "", `nothing else changed.*no other version, and no other prompt`},
		{"a new version comes on a bad day", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.75)}), all(stream{version: "v2", rate: 40, mean: 0.75, from: 3 * hr})),
			says{"v1": CauseUnclear, "v2": CauseEverything}, "", ""},
		{"a new version comes after a bad day began", 6 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.75), to: 3*hr + 25*time.Minute}), all(stream{version: "v2", rate: 40, mean: 0.75, from: 3*hr + 25*time.Minute})),
			says{"v1": CauseUnclear, "v2": CauseEverything}, "", `had moved before v2 began|too few|clearly|v1 had`},
		{"a new version that is no worse", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.80, to: 3 * hr}), all(stream{version: "v2", rate: 40, mean: 0.80, from: 3 * hr})),
			says{"v1": CauseUnclear, "v2": CauseUnclear}, "", ``},
		{"the first version that was ever seen", 2 * hr, all(stream{version: "v1", rate: 40, mean: 0.80}),
			says{"v1": CauseUnclear}, "", ""},
		{"the mix shifts", 6 * hr, []stream{
			{version: "v1", tier: "free", locale: "en", rate: 10, mean: 0.6}, {version: "v1", tier: "pro", locale: "en", rate: 90, mean: 0.92, to: 3 * hr},
			{version: "v1", tier: "pro", locale: "en", rate: 10, mean: 0.92, from: 3 * hr}},
			says{"v1": CauseUnclear}, "", `a shift of the mix of cohorts makes up 100 % of the drop`},
		{"the model is swapped under the only version", 5 * hr, all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.75), model: models("a", 3*hr, "b")}),
			says{"v1": CauseModelSnapshot}, "", ""},
		{"the model is swapped under one of two versions", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.92, model: models("a", 0, "a")}), all(stream{version: "v2", rate: 40, mean: 0.92, change: fell(3*hr, 0.75), model: models("a", 3*hr, "b")})),
			says{"v2": CauseModelSnapshot}, "", ""},
		{"the model is swapped under all versions", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.75), model: models("a", 3*hr, "b")}), all(stream{version: "v2", rate: 40, mean: 0.92, change: fell(3*hr, 0.75), model: models("a", 3*hr, "b")})),
			says{"v1": CauseModelSnapshot, "v2": CauseModelSnapshot}, "", ""},
		{"the model is swapped under one version as all get worse", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.75), model: models("c", 0, "c")}), all(stream{version: "v2", rate: 40, mean: 0.92, change: fell(3*hr, 0.75), model: models("a", 3*hr, "b")})),
			says{"v1": CauseEverything, "v2": CauseEverything}, "", ""},
		{"one version does not bear the new model", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.92, model: models("a", 3*hr, "b")}), all(stream{version: "v2", rate: 40, mean: 0.92, change: fell(3*hr, 0.75), model: models("a", 3*hr, "b")})),
			says{"v2": CausePromptVersion}, "", ""},
		{"the model was swapped two hours before", 5 * hr, all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.75), model: models("a", hr, "b")}),
			says{"v1": CauseUnclear}, "", ""},
		{"the template is edited in place", 5 * hr, all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.75), hash: models("h1", 3*hr, "h2")}),
			says{"v1": CausePromptVersion}, "", ""},
		{"the template is edited in place, another prompt on the model fell before", 6 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(4*hr, 0.75), hash: models("h1", 4*hr, "h2"), model: models("a", 0, "a")}),
			all(stream{prompt: "q", version: "v7", rate: 40, mean: 0.92, change: fell(150*time.Minute, 0.7), model: models("a", 0, "a")})),
			says{"v1": CausePromptVersion}, "", `!moved too`},
		{"fallback prompts are served", 5 * hr, all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.75), fallback: fell(3*hr, 0.6)}),
			says{"v1": CauseUnclear}, "", ""},
		{"a bad day, another prompt on the model", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.75), model: models("a", 0, "a")}),
			all(stream{prompt: "q", version: "v9", rate: 30, mean: 0.95, change: fell(3*hr, 0.80), model: models("a", 0, "a")})),
			says{"v1": CauseEverything}, "", ""},
		{"another prompt on the model stands", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.75), model: models("a", 0, "a")}),
			all(stream{prompt: "q", version: "v9", rate: 30, mean: 0.95, model: models("a", 0, "a")})),
			says{"v1": CauseUnclear}, "", ""},
		{"a canary is promoted, and bad in cohorts that it did not have", 6 * hr, slices.Concat(
			all(old("v1", 4*hr)), []stream{{version: "v2", tier: "free", locale: "en", rate: 10, mean: 0.92, from: hr}},
			spreadOver(stream{version: "v2", rate: 120, mean: 0.92, from: 4 * hr}, func(s *stream) {
				if s.tier == "enterprise" {
					s.mean = 0.4
				}
			})),
			says{"v2": CausePromptVersion}, "", `since 16:00, v1 had.*took over from v1 at 16:00.*in enterprise alone`},
		{"drift: a new version", 5 * hr, slices.Concat(
			all(old("v1", 3*hr)), all(stream{version: "v2", rate: 60, mean: 0.80, from: 3 * hr})),
			says{"v2": CausePromptVersion}, driftRules, ""},
		{"drift: a new version on a bad day", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 40, mean: 0.92, change: fell(3*hr, 0.80)}), all(stream{version: "v2", rate: 40, mean: 0.80, from: 3 * hr})),
			says{"v2": CauseEverything}, driftRules, ""},
		{"drift: one cohort of an old version", 29 * hr, one(stream{version: "v1", rate: 40, mean: 0.92}, "enterprise", "en", 27*hr, 0.6),
			says{"v1": CauseOneCohort}, driftRules, ""},
		{"drift: a new version, one cohort", 5 * hr, slices.Concat(
			all(old("v1", 3*hr)), spreadOver(stream{version: "v2", rate: 60, mean: 0.92, from: 3 * hr}, func(s *stream) {
				if s.tier == "enterprise" && s.locale == "en" {
					s.mean = 0.4
				}
			})),
			says{"v2": CausePromptVersion}, driftRules, ""},
		{"canary: a new version beside the old one", 6 * hr, slices.Concat(
			all(stream{version: "v1", rate: 60, mean: 0.92}), all(stream{version: "v2", rate: 20, mean: 0.80, from: 3 * hr})),
			says{"v2": CausePromptVersion}, canaryRules, ""},
		{"canary: a bad day moves both and one is worse", 6 * hr, slices.Concat(
			all(stream{version: "v1", rate: 60, mean: 0.92, change: fell(4*hr, 0.8)}), all(stream{version: "v2", rate: 20, mean: 0.92, from: 3 * hr, change: fell(4*hr, 0.68)})),
			says{"v2": CausePromptVersion}, canaryRules, ""},
		{"canary: the model is swapped under one", 6 * hr, slices.Concat(
			all(stream{version: "v1", rate: 60, mean: 0.92, model: models("a", 0, "a")}), all(stream{version: "v2", rate: 20, mean: 0.92, from: 3 * hr, change: fell(4*hr, 0.75), model: models("a", 4*hr, "b")})),
			says{"v2": CauseModelSnapshot}, canaryRules, ""},
		{"a new version is the new variant", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 60, mean: 0.92, variant: "control", env: "prod"}), all(stream{version: "v2", rate: 20, mean: 0.75, variant: "new", env: "prod", from: 3 * hr})),
			says{"v2": CausePromptVersion}, variantRules, ""},
		{"a variant of the same version", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 60, mean: 0.92, variant: "control", env: "prod"}), all(stream{version: "v1", rate: 60, mean: 0.75, variant: "new", env: "prod", from: 3 * hr})),
			says{"v1": CauseUnclear}, variantRules, ""},
		{"another environment is of no interest", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 60, mean: 0.92, variant: "a", env: "prod", change: fell(3*hr, 0.75)}), all(stream{version: "v2", rate: 60, mean: 0.92, variant: "a", env: "prod", change: fell(3*hr, 0.75)}),
			all(stream{version: "v1", rate: 200, mean: 0.92, variant: "a", env: "test"}), all(stream{version: "v2", rate: 200, mean: 0.92, variant: "a", env: "test"})),
			says{"v1": CauseEverything, "v2": CauseEverything}, variantRules, `!prod|alone`},
		{"a long window of a percentile", 30 * hr, slices.Concat(
			all(stream{version: "v1", rate: 20, mean: 1, latency: 3, to: 20 * hr}), all(stream{version: "v2", rate: 20, mean: 1.3, latency: 4, from: 20 * hr})),
			says{"v2": CausePromptVersion}, tailRules, ""},
		{"a long window, and a bad day long ago", 30 * hr, slices.Concat(
			all(stream{version: "v1", rate: 20, mean: 1, latency: 3, change: fell(20*hr, 1.5)}), all(stream{version: "v2", rate: 20, mean: 1, latency: 3, change: fell(20*hr, 1.5)})),
			says{"v1": CauseEverything, "v2": CauseEverything}, tailRules, ""},
		{"exceed: a new version is slow", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 60, mean: 1, latency: 3, to: 3 * hr}), all(stream{version: "v2", rate: 60, mean: 1.3, latency: 4, from: 3 * hr})),
			says{"v2": CausePromptVersion}, exceedRules, ""},
		{"exceed: the provider is slow", 5 * hr, slices.Concat(
			all(stream{version: "v1", rate: 60, mean: 1, latency: 3, model: models("a", 0, "a"), change: fell(3*hr, 1.5)}),
			all(stream{prompt: "q", version: "v2", rate: 60, mean: 1, latency: 0.5, change: fell(3*hr, 1.5), model: models("a", 0, "a")})),
			says{"v1": CauseEverything}, exceedRules, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			seeds := uint64(2)
			if testing.Short() {
				seeds = 1
				if c.length > 10*hr || i%3 != 0 {
					t.Skip("some hours of traffic")
				}
			}
			for seed := range seeds {
				told := says{}
				rs := tell(t, cmp.Or(c.rules, floorRules), c.length, seed, c.streams...)
				if seed == 1 {
					again := tellWith(t, 47*time.Minute, cmp.Or(c.rules, floorRules), c.length, seed, c.streams...)
					if got, want := encoded(t, again), encoded(t, rs); !slices.Equal(got, want) {
						t.Errorf("with restarts:\n%s\nwithout:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
					}
				}
				for _, r := range firings(rs, "") {
					if seed == 0 {
						t.Log(why(&r))
					}
					told[r.Version] = r.Cause
					all := strings.Join(r.Because, ". ")
					if not, found := strings.CutPrefix(c.facts, "!"); found == regexp.MustCompile(not).MatchString(all) && c.facts != "" {
						t.Errorf("seed %d: facts %q, want them to match %q", seed, all, c.facts)
					}
					for _, fact := range r.Because {
						if strings.Contains(fact, "NaN") || strings.Contains(fact, "Inf") || strings.Contains(fact, "no data") {
							t.Errorf("a fact without a figure: %s", fact)
						}
					}
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

// Beyond what may be read in a minute nothing is looked into, and that is said.
func TestTooManyAlertsAtOnce(t *testing.T) {
	set, _ := rules.Parse("rules.yaml", []byte(floorRules), rules.Options{Dimensions: scriptOptions.Dimensions})
	e := NewPartition(PartitionOptions{Windows: scriptOptions, Rules: set}).engine
	onset := scriptStart
	rec := Record{Version: "v1", Onset: &onset}
	if n := e.explain(e.rules[0], under, &rec, 0); n != 0 || rec.Cause != CauseUnclear || len(rec.Because) != 1 {
		t.Errorf("%d reads, %s %q", n, rec.Cause, rec.Because)
	}
}

// Annotations can tell the cause, and so when it began; they are filled in behind it.
func TestAnnotationsOfCause(t *testing.T) {
	text := strings.Replace(driftRules, "drift: {drop: 0.05, against: previous_version}\n", `drift: {drop: 0.05, against: previous_version}
        annotations: {summary: "{{ .Cause }}, since {{ .Onset }}, {{ .Interval }}, {{ .FalseAlarms }}"}
`, 1)
	rs := firings(tell(t, text, 5*hr, 1, slices.Concat(spreadOver(stream{version: "v1", rate: 60, mean: 0.92, to: 3 * hr}, nil),
		spreadOver(stream{version: "v2", rate: 60, mean: 0.8, from: 3 * hr}, nil))...), "Drifted")
	if len(rs) != 1 {
		t.Fatalf("%d alerts", len(rs))
	}
	if got := rs[0].Annotations["summary"]; !regexp.MustCompile(`^prompt version, since 2026-11-20 15:0\d UTC, 0\.7\d* to 0\.8\d*, 1/30d$`).MatchString(got) {
		t.Errorf("summary %q", got)
	}
}
