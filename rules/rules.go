// Package rules holds what the rule files say: groups, rules, the scales of rubrics. Load reads the files and reports every
// mistake in them at once, each with its place. The package knows nothing of samples, ticks or alerts, starts no goroutine
// and does no I/O but for reading rule files; a loaded Set is never changed and may be shared.
package rules

import (
	"time"

	"github.com/driftd/driftd/internal/strictyaml"
	"github.com/driftd/driftd/windows"
)

// Set is all rule files together.
type Set struct {
	Groups  []Group
	Rubrics map[string]Rubric // by name; a rubric that no file has an entry for is absent
	Files   []string          // that were read, in order
}

// Rubric is the scale that scores of one name are given on.
type Rubric struct {
	Name          string
	Min, Max      float64            // of the range, or of the labels' numbers; 0 where HasRange is false
	HasRange      bool               // Min and Max are known
	Labels        map[string]float64 // what a label counts as; nil where scores are numbers
	LowerIsBetter bool
}

// Group is a list of rules over the same series.
type Group struct {
	Name    string            // unique in a Set
	Match   map[string]string // dimension (prompt, version and configured ones) to glob; all must match. See Matches
	SliceBy []string          // dimensions, in the author's order; each tuple of their values is evaluated apart
	Total   bool              // the whole prompt version is evaluated too; always true without SliceBy
	Labels  map[string]string // given to each rule's alerts
	Rules   []Rule

	File string // where it stands
	Line int
}

// Rule says when one alert fires. Exactly one of its kinds is set, from Threshold to TrafficShare.
type Rule struct {
	Alert         string // unique in its group
	Metric        string // name of a built-in metric or of a rubric; "volume" for a Volume
	Rubric        bool   // Metric is a rubric
	ScoredOn      string // of score_coverage: the rubric whose scores count; "" is the one with the most of them
	LowerIsBetter bool   // true for all built-in metrics but volume and the coverages; of a rubric, as its scale says

	Threshold    *Threshold
	Volume       *Volume
	Drift        *Drift
	Canary       *Drift // against a version or variant that serves at the same time
	Exceed       *Exceed
	Shape        *Shape
	Change       string // name of an axis, one of Axes; "" is no such rule
	TrafficShare *TrafficShare

	Scale Rubric // range of the values that the mean of a Drift or Canary is of; HasRange is true

	MinSamples         int           // values in the window, calls for a coverage, before the rule may begin to breach; ≥ 1, but 0 where there is no such thing
	For, KeepFiringFor time.Duration // ≥ 0

	Labels      map[string]string // the group's with the rule's own over them
	Annotations map[string]string // templates as written; Expand fills them
	Rollback    Rollback
	// AutoAfter is how long the rule must have been live before RollbackAuto is more than RollbackApprove; 0, of other rollbacks too, is at once.
	AutoAfter time.Duration

	File string // where it stands
	Line int
}

// Threshold compares one statistic of a window with fixed limits, or with the same statistic of something else.
type Threshold struct {
	Stat                       Stat
	Window                     time.Duration // a multiple of 1m up to 1h, of 15m up to 24h
	Below, Above               *Bound        // breached under Below or over Above; at least one is set
	RecoverAbove, RecoverBelow *Bound        // recovered from Below over RecoverAbove, from Above under RecoverBelow; nil: at the limit itself
	Against                    Against
}

// Volume compares the number of spans in a window with a fixed number of spans, or with the usual number. Spans are counted
// over all versions of a prompt that the group matches: a promotion moves them from one version to the next, which is
// neither a fall nor a spike. A group that matches one version watches that one alone. After 24 h without a span the prompt,
// or cohort, is taken to have ended.
type Volume struct {
	Window       time.Duration // as a Threshold's; 1h unless the rule says otherwise
	Below, Above *Bound        // spans in the window, or percent of the reference
	Against      Against       // none or the last 24h
}

// Drift tests the mean of a series, each minute's values as they come, against a baseline, or as a Canary against what serves
// beside it. It needs a range: see Rule.Scale.
type Drift struct {
	By      Bound // how far the mean must have moved to be worth an alert, > 0, in the metric's unit; Percent: of the reference
	Rise    bool  // up; else down
	Against Against
	Budget  Budget
}

// Exceed tests whether more than a share of the values lie beyond a limit.
type Exceed struct {
	Limit  float64 // in the metric's unit
	Below  bool    // values under it count; else those over it
	Share  float64 // of the values that is allowed, in (0, 1)
	Budget Budget
}

// Budget is how many false alarms a rule may be expected to give in Per, all its series together.
type Budget struct {
	Count float64 // > 0
	Per   time.Duration
}

// PerDay is the budget of a day of 24 h.
func (b Budget) PerDay() float64 { return b.Count * float64(24*time.Hour) / float64(b.Per) }

// String is how rule files write it: 1/30d.
func (b Budget) String() string { return digits(b.Count, 6) + "/" + strictyaml.FormatDuration(b.Per) }

// DefaultBudget is that of a rule without one, and RollbackBudget of one that may roll back.
var (
	DefaultBudget  = Budget{1, 30 * 24 * time.Hour}
	RollbackBudget = Budget{1, 300 * 24 * time.Hour}
)

// Shape compares the distribution of a window with that of a reference. It is advisory.
type Shape struct {
	Distance Distance
	Above    float64       // > 0; Wasserstein in the metric's unit, the others without one
	Window   time.Duration // as a Threshold's
	Against  Against
}

// Distance is how two distributions are compared.
type Distance string

const (
	Wasserstein   Distance = "wasserstein"    // W1: area between the two distribution functions
	KS            Distance = "ks"             // greatest gap between them
	PSI           Distance = "psi"            // population stability index
	JensenShannon Distance = "jensen_shannon" // divergence, in bits
)

// Axes are the attributes whose changes inside one version a rule can watch.
var Axes = []string{"template_hash", "model", "variant", "environment", "fallback"}

// TrafficShare watches the share of a prompt's calls in the window that some of its versions, or a variant, hold.
type TrafficShare struct {
	Of           ShareOf
	Name         string // of the version or variant
	Above, Below *Bound // shares from 0 to 1, never Percent; at least one is set
	Window       time.Duration
}

// ShareOf says whose share it is.
type ShareOf int

const (
	OfSuperseded ShareOf = iota // each version that another has taken over from
	OfCurrent                   // the version that came last to hold most of the calls
	OfVersion                   // the one by Name
	OfVariant                   // a variant by Name, over all versions
)

// Bound is a limit.
type Bound struct {
	Value   float64 // in the metric's unit (seconds, tokens, USD, 0..1 for a rate); 0.9 for 90 % where Percent is set
	Percent bool    // Value is a share of the reference; set exactly where the rule has an Against
}

// AgainstKind is what a rule's limits are measured from.
type AgainstKind int

const (
	AgainstNone            AgainstKind = iota // limits are plain numbers
	AgainstLast24h                            // the same statistic of the same series over the trailing 24 h
	AgainstPreviousVersion                    // the same statistic and cohort of the previous version, over its last 24 h of data
	AgainstFixed                              // Value
	AgainstVersion                            // the same cohort of the version by Name
	AgainstVariant                            // the same cohort of the variant by Name, all versions together
	AgainstEnvironment                        // the same version and cohort in the environment by Name
	AgainstSameHours                          // the same series at the same time of the day, in UTC, on its first day
)

// Against is the reference of a rule. A Drift freezes it: the last 24 h are then the first that the rule saw of the series.
type Against struct {
	Kind  AgainstKind
	Value float64 // of AgainstFixed, in the metric's unit
	Name  string  // of a version, variant or environment
}

// Word is the word or key in the rule file, "" for none.
func (a Against) Word() string {
	return [...]string{"", "24h", "previous_version", "fixed", "version", "variant", "environment", "same_hours"}[a.Kind]
}

// String is what stands in the rule file, "" for none.
func (a Against) String() string {
	switch a.Kind {
	case AgainstFixed:
		return "{fixed: " + digits(a.Value, 6) + "}"
	case AgainstVersion, AgainstVariant, AgainstEnvironment:
		return "{" + a.Word() + ": " + a.Name + "}"
	}
	return a.Word()
}

// Rollback is what may be done about a firing alert.
type Rollback int

const (
	RollbackOff     Rollback = iota // nothing
	RollbackDryRun                  // all guards are checked and the outcome recorded, nothing is promoted
	RollbackApprove                 // proposed to people
	RollbackAuto                    // the previous version is promoted
)

// String is the word in the rule file.
func (r Rollback) String() string {
	switch r {
	case RollbackDryRun:
		return "dry_run"
	case RollbackApprove:
		return "approve"
	case RollbackAuto:
		return "auto"
	}
	return "off"
}

// Kind is the word for the rule's kind in the rule file.
func (r *Rule) Kind() string {
	switch {
	case r.Volume != nil:
		return "volume"
	case r.Drift != nil:
		return "drift"
	case r.Canary != nil:
		return "canary"
	case r.Exceed != nil:
		return "exceed"
	case r.Shape != nil:
		return "shape"
	case r.Change != "":
		return "change"
	case r.TrafficShare != nil:
		return "traffic_share"
	}
	return "threshold"
}

// AllVersions tells whether the rule sees the calls of all versions of a prompt together, and those without one: its alerts
// have no version.
func (r *Rule) AllVersions() bool {
	return r.Volume != nil || r.Metric == windows.LinkCoverage || r.TrafficShare != nil && r.TrafficShare.Of == OfVariant
}

// Budget is that of false alarms; ok is false for the kinds that state none.
func (r *Rule) Budget() (b Budget, ok bool) {
	switch {
	case r.Drift != nil:
		return r.Drift.Budget, true
	case r.Canary != nil:
		return r.Canary.Budget, true
	case r.Exceed != nil:
		return r.Exceed.Budget, true
	}
	return Budget{}, false
}

// Window is how much event time the rule looks at; 0 for the kinds that look at all there is since their evidence began.
func (r *Rule) Window() time.Duration {
	switch {
	case r.Threshold != nil:
		return r.Threshold.Window
	case r.Volume != nil:
		return r.Volume.Window
	case r.Shape != nil:
		return r.Shape.Window
	case r.TrafficShare != nil:
		return r.TrafficShare.Window
	}
	return 0
}

// Against is what the rule compares with.
func (r *Rule) Against() Against {
	switch {
	case r.Threshold != nil:
		return r.Threshold.Against
	case r.Volume != nil:
		return r.Volume.Against
	case r.Drift != nil:
		return r.Drift.Against
	case r.Canary != nil:
		return r.Canary.Against
	case r.Shape != nil:
		return r.Shape.Against
	}
	return Against{}
}

// Stat is the watched statistic: the mean of a Drift, the count of a Volume, the share of an Exceed and a TrafficShare. That of
// a Shape and a Change says nothing.
func (r *Rule) Stat() Stat {
	switch {
	case r.Threshold != nil:
		return r.Threshold.Stat
	case r.Volume != nil:
		return Stat{Kind: Count}
	case r.Exceed != nil, r.TrafficShare != nil:
		return Stat{Kind: Rate}
	}
	return Stat{Kind: Mean}
}

// Bounds are the limits of a Threshold, Volume or TrafficShare; either may be nil.
func (r *Rule) Bounds() (below, above *Bound) {
	switch {
	case r.Threshold != nil:
		return r.Threshold.Below, r.Threshold.Above
	case r.Volume != nil:
		return r.Volume.Below, r.Volume.Above
	case r.TrafficShare != nil:
		return r.TrafficShare.Below, r.TrafficShare.Above
	}
	return nil, nil
}
