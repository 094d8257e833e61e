package rules

import (
	"time"

	"github.com/driftd/driftd/internal/strictyaml"
)

// The structs below are a rule file as written; their tags are the format's documentation and make the JSON Schema.

type file struct {
	Rubrics map[string]*rubricFile `yaml:"rubrics" item:"rubric" doc:"Scales of the scores, by rubric name. They may stand in any rule file and must agree."`
	Groups  []groupFile            `yaml:"groups" item:"group" doc:"Groups of rules; each looks at the same series."`
}

type rubricFile struct {
	Min    *float64           `yaml:"min" doc:"Lowest score that is possible; goes with max."`
	Max    *float64           `yaml:"max" doc:"Highest score that is possible; goes with min."`
	Labels map[string]float64 `yaml:"labels" doc:"What scores that are words count as, such as {pass: 1, fail: 0}."`
	Better string             `yaml:"better" enum:"higher|lower" default:"higher" doc:"Which end of the scale is good."`
}

type groupFile struct {
	Name    string            `yaml:"name,required" doc:"Name of the group; no two groups share one."`
	Match   map[string]string `yaml:"match" doc:"Globs by dimension (prompt, version, and the dimensions of the config); all must match. * is any text, ? one character. Everything matches without it."`
	SliceBy []string          `yaml:"slice_by" item:"dimension" doc:"Dimensions whose every combination of values is evaluated apart. Prompt and version always are."`
	Total   bool              `yaml:"total" default:"true" doc:"With slice_by: evaluate the prompt version as a whole too."`
	Labels  map[string]string `yaml:"labels" doc:"Given to the alerts of all rules of the group; fixed text. Routes match on them."`
	Rules   []ruleFile        `yaml:"rules,required" item:"rule" doc:"The rules; at least one."`
}

type ruleFile struct {
	Alert         string            `yaml:"alert,required" doc:"Name of the alert; no two rules of a group share one."`
	Metric        metricWord        `yaml:"metric" doc:"A built-in metric. link_coverage is the share of a prompt's calls that carry a version, all its versions seen together; score_coverage is the share of calls that were scored: the scores on the rubric that has most of them, over the calls in the same window, at most 1. Scores count at their own time, minutes after their calls, so take a window of 1h and a waiting time (for) longer than scores take. A rule has a metric or a rubric, but score_coverage may have both."`
	Rubric        string            `yaml:"rubric" doc:"A rubric, by the name that scores carry. With score_coverage: the one whose scores are counted."`
	Threshold     *thresholdFile    `yaml:"threshold" doc:"Fires when a statistic of a rolling window crosses a limit. A rule has exactly one kind: threshold, drift, canary, exceed, shape, change, volume or traffic_share."`
	Drift         *driftFile        `yaml:"drift" doc:"Fires when the mean has moved from a baseline: a sequential test, which alarms as soon as the evidence suffices and states how often it is wrong. Of rubrics with a range, error and fallback."`
	Canary        *driftFile        `yaml:"canary" doc:"The same, with the same keys, of two versions or variants that serve at the same time. What moves both, such as a bad day of the provider, cancels: the kind to give a rollback. Against previous_version (default), {version: v22} or {variant: control}."`
	Exceed        *exceedFile       `yaml:"exceed" doc:"Fires when more than a share of the values are beyond a limit. A sequential test of exact counts, for the tails of latency, cost and tokens; any metric or rubric, no range needed."`
	Shape         *shapeFile        `yaml:"shape" doc:"Fires when the distribution of a rolling window is far from its reference, also where the mean is the same. Advisory: states no false alarms and never rolls back."`
	Change        string            `yaml:"change" enum:"template_hash|model|variant|environment|fallback" doc:"Fires when an axis takes a new value inside one version: the template was edited in place, the model swapped, a variant got another share, fallbacks three times the usual one. Five calls that are no strays confirm it. Evaluated per prompt version whatever slice_by says; goes without a metric."`
	Volume        *volumeFile       `yaml:"volume" doc:"Fires when the number of calls of a prompt, over all its versions, crosses a limit."`
	TrafficShare  *trafficShareFile `yaml:"traffic_share" doc:"Fires on the share of a prompt's calls that some of its versions, or a variant, hold: an old version lingers, a canary gets more than it should. The alert begins a whole window after the version came, took over or was superseded, at the earliest."`
	MinSamples    *int              `yaml:"min_samples" min:"1" doc:"Values that the window must hold before the alert may begin; calls for a coverage, and for traffic_share those of the whole prompt. Default: 30 for mean and rate; for a percentile enough for one value beyond it (p99: 100), never under 30; 1 for min, max, sum and count; 600 for a shape; 100 for a traffic_share. Of threshold, shape and traffic_share alone."`
	For           time.Duration     `yaml:"for" default:"0s" doc:"How long the limit must stay crossed, in event time, before the alert fires; it is pending until then. Of threshold, volume, shape and traffic_share: the sequential kinds decide it by their evidence, and a change is one."`
	KeepFiringFor time.Duration     `yaml:"keep_firing_for" default:"0s" doc:"How long the value must stay recovered, in event time, before the alert resolves; how long a change, which does not recover, is shown (1h where this is 0s)."`
	Labels        map[string]string `yaml:"labels" doc:"Fixed text, over those of the group. Part of the alert's identity."`
	Annotations   map[string]string `yaml:"annotations" doc:"Text for people, with templates such as {{ .Prompt }} {{ .Version }} {{ .Cohort }} {{ .Value }} {{ .Reference }} {{ .Samples }} {{ .Window }} {{ .Cause }} {{ .Onset }} {{ .Labels.severity }}."`
	Rollback      string            `yaml:"rollback" enum:"off|dry_run|approve|auto" default:"off" doc:"What may be done when the alert fires: nothing; check all guards and record what would be done; propose it to people; ask the registry to promote the previous version. auto may stand on threshold, drift, canary and exceed; on a threshold, which has no budget of false alarms, it needs min_samples and for."`
	AutoAfter     time.Duration     `yaml:"auto_after" default:"0s" doc:"With rollback: auto. Rollbacks wait for a person, as with approve, until the rule has been live for so long, such as 90d: counted in event time from its first data, by the names of group and rule, so that an edit does not begin anew, nor a rule that was away for less than 7 days."`
}

type thresholdFile struct {
	Stat         statWord      `yaml:"stat,required" doc:"mean, p50 … p99.9, min, max, sum, count, or rate (of error, fallback and rubrics from 0 to 1). Of a coverage mean or rate, which are the same."`
	Window       time.Duration `yaml:"window" default:"1h" doc:"How much event time is looked at: a multiple of 1m up to 1h, of 15m up to 24h."`
	Below        *limit        `yaml:"below" doc:"Crossed when the statistic is under it."`
	Above        *limit        `yaml:"above" doc:"Crossed when the statistic is over it."`
	RecoverAbove *limit        `yaml:"recover_above" doc:"With below: recovered only over this. Default: below itself."`
	RecoverBelow *limit        `yaml:"recover_below" doc:"With above: recovered only under this. Default: above itself."`
	Against      against       `yaml:"against" doc:"What percentages are of: 24h (the same series over the last 24 hours), previous_version (the same cohort of the version before; not for link_coverage), {version: v22} (its last day, unless it ended a day before the other came), {variant: control} (over the last 24 hours; variant must be a dimension of the config) or {fixed: 0.91}. Without it 95% is 0.95, of metrics that are shares."`
}

type volumeFile struct {
	Window  time.Duration `yaml:"window" default:"1h" doc:"How much event time is looked at: a multiple of 1m up to 1h, of 15m up to 24h."`
	Below   *limit        `yaml:"below" doc:"Crossed by fewer calls in the window: a number, or with against a percentage."`
	Above   *limit        `yaml:"above" doc:"Crossed by more calls in the window: a number, or with against a percentage."`
	Against against       `yaml:"against" doc:"What percentages are of: 24h (the usual number, over the last 24 hours)."`
}

type driftFile struct {
	Drop        *limit      `yaml:"drop" doc:"How far the mean must have fallen to be worth an alert, in the metric's unit; 5% is a twentieth of the reference. A rule has drop or rise. It does not choose the budget: a smaller drop takes longer to see."`
	Rise        *limit      `yaml:"rise" doc:"How far the mean must have risen, for metrics of which lower is better."`
	Against     against     `yaml:"against" doc:"The baseline, sealed from 1000 scores or more: previous_version (the same cohort of the version before), 24h (the first day that driftd saw of this version, kept as it was), same_hours (the same, but by the hour of the day in UTC, for means that swing daily: 1000 scores in each four hours or more), {fixed: 0.91}, {version: v22}, {variant: control} or {environment: eval}. Variants and environments need to be dimensions of the config. drift must say it; canary has previous_version without it."`
	FalseAlarms falseAlarms `yaml:"false_alarms" doc:"How many false alarms may be expected of the rule, all its series together, however long it runs: alarms per time. Where the group matches more than one prompt, each partition of kafka.partitions has its part of it. Default: 1/30d, and 1/300d where rollback is not off."`
}

type exceedFile struct {
	Above       *limit      `yaml:"above" doc:"The value that too many are over, in the metric's unit: 4s of latency, 0.05 (USD) of cost. A rule has above or below."`
	Below       *limit      `yaml:"below" doc:"The value that too many are under, in the metric's unit."`
	Share       limit       `yaml:"share" default:"5%" doc:"How many of the values may be beyond the limit, between 0 and 100%. The rule is about more than that."`
	FalseAlarms falseAlarms `yaml:"false_alarms" doc:"How many false alarms may be expected of the rule, all its series together, however long it runs: alarms per time. Where the group matches more than one prompt, each partition of kafka.partitions has its part of it. Default: 1/30d, and 1/300d where rollback is not off."`
}

type shapeFile struct {
	Distance string        `yaml:"distance" enum:"wasserstein|ks|psi|jensen_shannon" default:"wasserstein" doc:"How distributions are compared: wasserstein (how far values have moved on average, in the metric's unit), ks (greatest gap between the distribution functions, 0 to 1), psi (population stability index, 0 and up; 0.25 is much) or jensen_shannon (divergence in bits, 0 to 1)."`
	Above    *limit        `yaml:"above" doc:"Crossed when the distance is over it: in the metric's unit for wasserstein, a number without a unit for the others."`
	Window   time.Duration `yaml:"window" default:"1h" doc:"How much event time is looked at: a multiple of 1m up to 1h, of 15m up to 24h."`
	Against  against       `yaml:"against" doc:"What it is compared with: previous_version, 24h, {version: v22}, {variant: control} or {environment: eval}."`
}

type trafficShareFile struct {
	Of     shareOf       `yaml:"of" default:"superseded" doc:"Whose share: superseded (each version that another has taken over from), current (the version that came last to hold most of the calls), {version: v24} or {variant: canary}."`
	Above  *limit        `yaml:"above" doc:"Crossed when the share is over it, such as 5%."`
	Below  *limit        `yaml:"below" doc:"Crossed when the share is under it, such as 5%."`
	Window time.Duration `yaml:"window" default:"1h" doc:"How much event time is looked at: a multiple of 1m up to 1h, of 15m up to 24h."`
	For    time.Duration `yaml:"for" default:"0s" doc:"How long the share must stay there, in event time; the same as for beside traffic_share."`
}

// What a window must hold before a rule may begin to breach, where the rule does not say: under 600 values a shape is mostly
// noise, and under 100 calls a share is a matter of a few.
const (
	shapeSamples   = 600
	trafficSamples = 100
)

// DefaultMinSamples is what a threshold without min_samples asks of its window: 30, which is where a mean begins to mean something;
// for a percentile as many as leave one value beyond it; 1 where any value counts.
func DefaultMinSamples(s Stat) int {
	switch s.Kind {
	case Mean, Rate:
		return 30
	case Quantile:
		return max(30, beyond(s.Q))
	}
	return 1
}

// beyond is how many values it takes that one is expected beyond the quantile.
func beyond(q float64) int {
	n := 1 / min(q, 1-q)
	return int(n + 0.999999)
}

// Schema is the JSON Schema of rule files.
func Schema() ([]byte, error) {
	return strictyaml.Schema(fileType, "https://github.com/driftd/driftd/configs/rules.schema.json", "driftd rule file")
}

// Reference is the documentation of rule files, in Markdown.
func Reference() string { return strictyaml.Reference(fileType, "Rule files") }
