package detector

import (
	"math"
	"slices"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// figure is what the rule watches, of the values of any stretch of time; NaN where there are none, and for statistics that grow with
// the stretch.
func (r *rule) figure(st windows.Stretch) float64 {
	switch x := r.Exceed; {
	case st.N() == 0:
		return math.NaN()
	case x != nil && x.Below:
		return 1 - st.Above(math.Nextafter(x.Limit, math.Inf(-1)))
	case x != nil:
		return st.Above(x.Limit)
	case r.Threshold == nil:
		return st.Mean()
	}
	switch s := r.Threshold.Stat; s.Kind {
	case rules.Quantile:
		return st.Quantile(s.Q)
	case rules.Min:
		return st.Min()
	case rules.Max:
		return st.Max()
	case rules.Sum, rules.Count:
		return math.NaN()
	}
	return st.Mean()
}

// shaped tells whether figure takes more than counts and sums.
func (r *rule) shaped() bool {
	return r.Exceed != nil || r.Threshold != nil && r.Threshold.Stat.Kind == rules.Quantile
}

// cellsOf are the cells of a version that lie in the cohort of a record. Those of the record's own version are those that its rule
// watches; of another one they are taken whatever the rule says of versions, and of variants, which have nothing to do with each other
// between versions.
func (e *engine) cellsOf(r *rule, rec *Record, version string) windows.Cells {
	key := [2]string{rec.Prompt, version}
	all, ok := e.cells[key]
	if !ok {
		all = e.store.CellsOf(rec.Prompt, version)
		e.cells[key] = all
	}
	own := version == rec.Version
	left, but := "", []string{axisVersion, axisVariant}
	if own {
		but = nil
	}
	a := r.Against()
	if a.Kind == rules.AgainstEnvironment || a.Kind == rules.AgainstVariant && own {
		left = a.Word()
	}
	return all.Only(func(dims []string) bool {
		for i, name := range e.dims {
			v, sliced := rec.Cohort[name]
			if name == left && dims[i] == a.Name || sliced && v != dims[i] && !slices.Contains(but, name) {
				return false
			}
		}
		return r.matches(rec.Prompt, version, dims, but...)
	})
}
