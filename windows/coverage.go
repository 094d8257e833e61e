package windows

import (
	"math"
	"slices"
	"time"
)

// Two metrics are shares of calls. They are made of counts that every sealed pane holds anyway: the calls of a cell, and the
// values of each of its rubrics. So samples know nothing of them, and without a view of them they cost nothing. A group of
// such a view counts calls (Count), those that are covered (Sum), and gives their share (Mean), from 0 to 1.
const (
	// LinkCoverage is the share of a prompt's calls that carry a version. All versions of the prompt are seen together, and the
	// calls without one, so its groups have no version. Calls without a prompt are in no share.
	LinkCoverage = "link_coverage"

	// ScoreCoverage is the share of the calls of a prompt version that were scored: the scores on its best covered rubric, or on
	// the one that the view names, over the calls in the same window; at most 1. Scores count at their own event time,
	// minutes after their calls, and a call that is scored twice counts twice. So the share is too low while calls begin or
	// become more, too high while they become fewer, and means little in a window that is not much longer than scores take:
	// an hour is a good one.
	ScoreCoverage = "score_coverage"
)

// CoverageNames are the names of the metrics that are shares of calls.
var CoverageNames = [...]string{LinkCoverage, ScoreCoverage}

// Reserved is true of the names of metrics, which no rubric can have.
func Reserved(name string) bool {
	return name == Volume || slices.Contains(BuiltinNames[:], name) || slices.Contains(CoverageNames[:], name)
}

// measure is what a view makes of panes.
type measure uint8

const (
	ofValues measure = iota // of one metric
	ofCalls                 // Volume
	ofLinks                 // LinkCoverage
	ofScores                // ScoreCoverage
)

func measureOf(metric string) measure {
	switch metric {
	case Volume:
		return ofCalls
	case LinkCoverage:
		return ofLinks
	case ScoreCoverage:
		return ofScores
	}
	return ofValues
}

// tally is how many scores on a rubric a window holds.
type tally struct {
	metric uint16
	n      int64
}

// tally adds to the scores on a rubric, or takes them away.
func (g *Group) tally(metric uint16, n int64) {
	for i := range g.scores {
		if t := &g.scores[i]; t.metric == metric {
			if t.n += n; t.n == 0 { // some evaluators make a new rubric for each run
				g.scores = slices.Delete(g.scores, i, i+1)
			}
			return
		}
	}
	g.scores = append(g.scores, tally{metric, n})
}

// moveScores adds the pane's calls and scores to the groups, or takes them away.
func (cv *cellView) moveScores(blob []byte, sign int64) {
	only := cv.view.metric
	if only == noMetricID {
		return // nobody can know of its scores
	}
	b := readBlob(blob)
	for _, g := range cv.groups {
		if g != nil {
			g.n += sign * b.calls
		}
	}
	for e, ok := b.next(); ok; e, ok = b.next() {
		metric := uint16(e.key >> 2)
		if e.key != figuresKey(metric) || metric < uint16(NumBuiltin) || only != 0 && metric != only {
			continue
		}
		n, _ := payloadTotals(e.payload)
		for _, g := range cv.groups {
			if g != nil {
				g.tally(metric, sign*n)
			}
		}
	}
}

// scored is how many calls of the window were scored.
func (g *Group) scored() int64 {
	most := int64(0)
	for _, t := range g.scores {
		most = max(most, t.n)
	}
	return min(most, g.n)
}

// Since is the event time of the oldest sample known of the group's cells, those of the last day and what came before them
// without a day's silence; zero when there are no cells.
func (g *Group) Since() time.Time {
	if len(g.cells) == 0 {
		return time.Time{}
	}
	first := int64(math.MaxInt64)
	for _, c := range g.cells {
		first = min(first, c.first)
	}
	return time.Unix(0, first).UTC()
}
