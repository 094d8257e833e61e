package detector

import (
	"slices"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// targets is the view that the calls of the last day are counted in, of the prompts with rules that allow a rollback. ok is false where
// there are none.
func (e *engine) targets() (v windows.ViewSpec, ok bool) {
	var patterns []string
	for _, r := range e.rules {
		if r.Rollback == rules.RollbackOff {
			continue
		}
		pattern, ok := r.group.Match["prompt"]
		if !ok {
			pattern = "*"
		}
		if !slices.Contains(patterns, pattern) {
			patterns = append(patterns, pattern)
		}
	}
	return windows.ViewSpec{Metric: windows.Volume, Window: day, Match: func(prompt, _ string, _ []string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return rules.Glob(p, prompt) })
	}}, len(patterns) > 0
}

// target is what a rollback of the record's version would promote: nil where the rule allows none, or nobody knows what was before. Its
// figure is of the record's cohort since from, where left reads of the store are enough, of each cell as many as each says.
func (e *engine) target(r *rule, rec *Record, from time.Time, each, left int) (t *Target, reads int) {
	if rec.Rollback == "" || rec.Previous == "" || rec.Previous == rec.Version {
		return nil, 0
	}
	t = &Target{Version: rec.Previous}
	if e.calls != nil {
		if g := e.calls.Find(rec.Prompt, t.Version, nil); g != nil {
			t.Calls = g.Count()
		}
	}
	if last, templates := e.axes.served(rec.Prompt, t.Version); !last.IsZero() {
		t.Last, t.Templates = &last, templates
	}
	t.Value, t.Samples, reads = e.figureOf(r, rec, t.Version, from, each, left)
	return t, reads
}

// figureOf is the rule's figure of a version in the record's cohort since from, and how many values it is of; nil and 0 where left reads
// are not enough.
func (e *engine) figureOf(r *rule, rec *Record, version string, from time.Time, each, left int) (value *float64, n int64, reads int) {
	cells := e.cellsOf(r, rec, version)
	if reads = r.reads(cells.Len(), each); reads > left {
		return nil, 0, 0
	}
	st := cells.Between(r.Metric, from, e.now, r.shaped())
	return known(r.figure(st)), st.N(), reads
}

// served is the end of the newest minute in which a version was called, and how many templates it is known to have served; zero where
// that is not known.
func (t *axes) served(prompt, version string) (last time.Time, templates int) {
	v := t.versions[[2]string{prompt, version}]
	if v == nil {
		return last, 0
	}
	for _, x := range v.axes[slices.Index(valued, axisTemplate)].values {
		if x.confirmed {
			templates++
		}
	}
	return v.seen, templates
}
