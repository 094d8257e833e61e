package detector

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/driftd/driftd/windows"
)

// ID is the identity of an alert: the same rule, prompt, version, cohort and labels give the same ID for ever.
type ID [16]byte

// String is the ID as records show it.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// identity hashes what makes an alert that alert. Names and values are length-prefixed, so that none can pass for another.
func identity(head *Record, s *subject, by []string) ID {
	type pair = [2]string
	pairs := []pair{{"prompt", s.prompt}, {"version", s.version}}
	for i, v := range s.cohort {
		pairs = append(pairs, pair{by[i], v})
	}
	for _, name := range slices.Sorted(maps.Keys(head.Labels)) {
		pairs = append(pairs, pair{name, head.Labels[name]})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return slices.Compare(a[:], b[:]) })
	key := windows.AppendKey(nil, head.Group, head.Rule)
	for _, p := range pairs {
		key = windows.AppendKey(key, p[:]...)
	}
	sum := sha256.Sum256(key)
	return ID(sum[:16])
}

// subject is what an alert is about. A volume has no version; a total has no cohort.
type subject struct {
	prompt, version string
	cohort          []string // values in the order of the rule's dimensions
}

// phase is where an alert is. An inactive alert is not kept at all.
type phase uint8

const (
	inactive phase = iota
	pending
	firing
)

// side is the limit that is passed.
type side uint8

const (
	neither side = iota
	under        // below the lower limit
	over         // above the upper one
)

// reasonWorse says that an alert that fires is told once more, because it has become clearly worse.
const reasonWorse = "worse"

// Why an alert ended. The set is closed.
const (
	reasonRecovered   = "recovered"
	reasonNoData      = "no data in the window"
	reasonNoScores    = "no data any more"
	reasonDidNotLast  = "did not last"
	reasonFewSamples  = "too few samples"
	reasonNoReference = "nothing to compare with"
	reasonNoCalls     = "no calls for 24h"
	reasonRuleRemoved = "rule removed"

	reasonSeen         = "seen: a change does not recover"
	reasonChangedBack  = "changed back"
	reasonChangedAgain = "changed again"
	reasonCurrentAgain = "current again"
	reasonSuperseded   = "superseded"
)

// verdict is what a rule finds about one subject at one tick.
type verdict struct {
	side      side   // neither: not breached, or, while the alert fires, recovered
	reason    string // where side is neither and it is not simply recovery
	samples   int64
	value     float64 // NaN: there is none
	reference float64 // NaN: there is none
	bound     float64 // limit that was passed; where side is neither the one that had been
	against   string  // version compared with
	worse     bool    // of an alert that fires: clearly, since its newest step

	// Of kinds that gather evidence.
	low, high float64   // interval of value; both 0 where there is none
	onset     time.Time // where it is not the first tick of the breach
	sealed    time.Time // of the baseline; zero where there is none
	learned   int64     // scores that it was sealed from

	changed *Changed // of a change, and of who took a version's traffic; nil for other kinds
}

// alert is a pending or firing alert. It belongs to the partition's goroutine.
type alert struct {
	subject
	id    ID
	by    []string // names of the cohort's dimensions
	head  *Record  // what its rule gives every record; outlives the rule, so that the end can be told
	order int      // the rule's place in the set; -1 when it is gone

	phase phase
	side  side
	onset time.Time // first tick of the breach
	clear time.Time // while firing: first tick of the recovery, zero when not recovering
	last  verdict   // of the newest step
}

// move takes the alert to its next state at event time now. It returns what happened, "" when the alert stays as it is, and
// for Resolved why. An alert that fires and becomes clearly worse is told to fire once more, and stays what it is.
//
//	                                               ┌─ worse ─┐
//	inactive ─ breach ─> pending ─ lasted `for` ─> firing <──┘ ─ clear for `keep_firing_for` ─> resolved
//	                        └──── clear ────> resolved
func (a *alert) move(now time.Time, v *verdict, wait, keep time.Duration) (happened RecordType, reason string) {
	if v.side == neither {
		reason = v.reason
		if a.phase == pending {
			a.phase = inactive
			if reason == "" {
				reason = reasonDidNotLast
			}
			return Resolved, reason
		}
		if a.clear.IsZero() {
			a.clear = now
		}
		if now.Sub(a.clear) < keep {
			return "", ""
		}
		a.phase = inactive
		if reason == "" {
			reason = reasonRecovered
		}
		return Resolved, reason
	}
	a.side, a.clear = v.side, time.Time{}
	if a.phase == inactive {
		if a.onset = v.onset; a.onset.IsZero() {
			a.onset = now
		}
	}
	switch {
	case a.phase == inactive && wait > 0:
		a.phase = pending
		return Pending, ""
	case a.phase == inactive:
		a.phase = firing
		return Firing, ""
	case a.phase == pending && now.Sub(a.onset) >= wait:
		a.phase = firing
		return Firing, ""
	case a.phase == firing && v.worse:
		return Firing, reasonWorse
	}
	return "", ""
}

// known is v as records have it: nil for NaN.
func known(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
