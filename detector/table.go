package detector

import (
	"slices"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// sided is one side of a comparison: a version of a prompt, and when.
type sided struct {
	version string
	span
	compared bool // instead of a version what the rule compares with: a variant, in all versions
}

// table reads the metric of a prompt's tuples of dimension values on both sides, in an order that depends on the tuples alone; as far
// as they lie in cohort, and of the alert's prompt in what the rule matches. At most maxTuples tuples are read, the first by name.
//
// Variants of two versions have nothing to do with each other, so that between versions the tuples are taken without.
func (q *inquiry) table(prompt string, before, after sided, cohort map[string]string) []row {
	across := before.version != after.version || before.compared != after.compared
	var tuples [][]string
	for _, s := range [2]sided{before, after} {
		for _, version := range q.versionsOf(prompt, s) {
			tuples = append(tuples, q.store.Cohorts(prompt, version)...)
		}
	}
	slices.SortFunc(tuples, slices.Compare)
	tuples = slices.CompactFunc(tuples, slices.Equal)
	tuples = slices.DeleteFunc(tuples, func(dims []string) bool { return !describes(cohort, q.dims, dims) || !q.inRule(dims) })
	variant := slices.Index(q.dims, "variant")
	at := make(map[string]int)
	var out []row
	for _, dims := range tuples[:min(len(tuples), maxTuples)] {
		r := row{dims: dims, before: q.readTuple(prompt, before, dims), after: q.readTuple(prompt, after, dims)}
		if across && variant >= 0 {
			dims[variant] = "" // a copy: Cohorts makes new ones
		}
		key := string(windows.AppendKey(nil, dims...))
		if i, ok := at[key]; ok {
			out[i].before, out[i].after = plus(out[i].before, r.before), plus(out[i].after, r.after)
		} else if r.before.N+r.after.N > 0 {
			at[key] = len(out)
			out = append(out, r)
		}
	}
	return out
}

// readTuple reads one tuple of one side.
func (q *inquiry) readTuple(prompt string, s sided, dims []string) (m windows.Moments) {
	if prompt == q.rec.Prompt && !q.onSide(s, dims) {
		return m
	}
	cohort := make(map[string]string, len(dims))
	for i, v := range dims {
		cohort[q.dims[i]] = v
	}
	for _, version := range q.versionsOf(prompt, s) {
		q.reads++
		m = plus(m, q.store.Between(windows.Query{Prompt: prompt, Version: version, Cohort: cohort}, q.rec.Metric, s.from, s.to))
	}
	return m
}

func (q *inquiry) versionsOf(prompt string, s sided) []string {
	if s.compared {
		return q.store.Live(prompt, s.from)
	}
	return []string{s.version}
}

// inRule tells whether a tuple is one that the rule watches, or compares with.
func (q *inquiry) inRule(dims []string) bool {
	for i, name := range q.dims {
		compared := q.rec.Against != nil && name == q.rec.Against.Kind
		if pattern, ok := q.rule.group.Match[name]; ok && !compared && !rules.Glob(pattern, dims[i]) {
			return false
		}
	}
	return true
}

// onSide tells whether a tuple belongs to that side, where the rule compares variants or environments.
func (q *inquiry) onSide(s sided, dims []string) bool {
	a := q.rec.Against
	if a == nil || a.Variant == "" && a.Environment == "" {
		return true
	}
	i := slices.Index(q.dims, a.Kind)
	if i < 0 {
		return true
	}
	is := dims[i] == a.Variant+a.Environment // one of them is empty
	switch {
	case s.compared:
		return is
	case a.Variant != "" && s.version != q.rec.Version:
		return true // whatever variant it was
	case a.Variant != "" && q.rec.Variant != "":
		return dims[i] == q.rec.Variant
	}
	return !is
}
