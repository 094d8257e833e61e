// Package rules holds what the rule files say: groups, rules, the scales of rubrics. Load reads the files and reports every
// mistake in them at once, each with its place. The package knows nothing of samples, ticks or alerts, starts no goroutine
// and does no I/O but for reading rule files; a loaded Set is never changed and may be shared.
package rules

import (
	"time"

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

// Rule says when one alert fires. Exactly one of Threshold and Volume is set.
type Rule struct {
	Alert         string // unique in its group
	Metric        string // name of a built-in metric or of a rubric; "volume" for a Volume
	Rubric        bool   // Metric is a rubric
	ScoredOn      string // of score_coverage: the rubric whose scores count; "" is the one with the most of them
	LowerIsBetter bool   // true for all built-in metrics but volume and the coverages; of a rubric, as its scale says

	Threshold *Threshold
	Volume    *Volume

	MinSamples         int           // values in the window, calls for a coverage, before the rule may begin to breach; ≥ 1, but 0 for a Volume
	For, KeepFiringFor time.Duration // ≥ 0

	Labels      map[string]string // the group's with the rule's own over them
	Annotations map[string]string // templates as written; Expand fills them
	Rollback    Rollback

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
)

// Against is the reference of a rule.
type Against struct{ Kind AgainstKind }

// String is the word in the rule file, "" for none.
func (a Against) String() string {
	switch a.Kind {
	case AgainstLast24h:
		return "24h"
	case AgainstPreviousVersion:
		return "previous_version"
	}
	return ""
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
	if r.Volume != nil {
		return "volume"
	}
	return "threshold"
}

// AllVersions tells whether the rule sees the calls of all versions of a prompt together, and those without one: its alerts
// have no version.
func (r *Rule) AllVersions() bool { return r.Volume != nil || r.Metric == windows.LinkCoverage }

// Window is how much event time the rule looks at.
func (r *Rule) Window() time.Duration {
	if r.Volume != nil {
		return r.Volume.Window
	}
	return r.Threshold.Window
}

// Against is what the rule compares with.
func (r *Rule) Against() Against {
	if r.Volume != nil {
		return r.Volume.Against
	}
	return r.Threshold.Against
}

// Stat is the watched statistic; that of a volume is its count.
func (r *Rule) Stat() Stat {
	if r.Volume != nil {
		return Stat{Kind: Count}
	}
	return r.Threshold.Stat
}

// Bounds are the limits; either may be nil.
func (r *Rule) Bounds() (below, above *Bound) {
	if r.Volume != nil {
		return r.Volume.Below, r.Volume.Above
	}
	return r.Threshold.Below, r.Threshold.Above
}
