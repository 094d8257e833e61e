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

// reads is what reading the figure of so many cells costs, of a stretch that costs so much for counts and sums.
func (r *rule) reads(cells, each int) int {
	if r.shaped() {
		each *= shapeReads
	}
	return cells * each
}

// What a cell costs in the measure of maxReads: a day, an hour by its minutes, and how many times that is where distributions are read.
const (
	dayReads   = 4
	hourReads  = 2
	shapeReads = 16
)

// sideCells are the cells of a version as a rule sees them.
type sideCells struct {
	total  windows.Cells
	cohort map[string]windows.Cells // by cohortOf
}

type sideKey struct {
	order           int // of the rule
	prompt, version string
	own             bool
}

// cellsOf are the cells of a version that lie in the cohort of a record. Those of the record's own version are those that its rule
// watches; of another one they are taken whatever the rule says of versions, and of variants, which have nothing to do with each other
// between versions. They are sorted once for all alerts of a tick.
func (e *engine) cellsOf(r *rule, rec *Record, version string) windows.Cells {
	own := version == rec.Version
	key := sideKey{r.order, rec.Prompt, version, own}
	side, ok := e.cells[key]
	if !ok {
		side = e.sortCells(r, &key)
		e.cells[key] = side
	}
	if len(rec.Cohort) == 0 {
		return side.total
	}
	if cells, ok := side.cohort[cohortOf(r, own, func(name string) string { return rec.Cohort[name] })]; ok {
		return cells
	}
	return side.total.Only(func([]string) bool { return false })
}

func (e *engine) sortCells(r *rule, key *sideKey) sideCells {
	var but []string
	if !key.own {
		but = []string{axisVersion, axisVariant}
	}
	a := r.Against()
	left := -1 // the dimension whose value a.Name is what the rule compares with
	if a.Kind == rules.AgainstEnvironment || a.Kind == rules.AgainstVariant && key.own {
		left = slices.Index(e.dims, a.Word())
	}
	total := e.store.CellsOf(key.prompt, key.version).Only(func(dims []string) bool {
		return (left < 0 || dims[left] != a.Name) && r.matches(key.prompt, key.version, dims, but...)
	})
	return sideCells{total, total.Split(func(dims []string) string {
		return cohortOf(r, key.own, func(name string) string {
			if i := slices.Index(e.dims, name); i >= 0 {
				return dims[i]
			}
			return ""
		})
	})}
}

// cohortOf names a cohort of the rule by the values of its dimensions; of another version's without the variant.
func cohortOf(r *rule, own bool, value func(dimension string) string) string {
	var key []byte
	for _, name := range r.group.SliceBy {
		if own || name != axisVariant {
			key = windows.AppendKey(key, value(name))
		}
	}
	return string(key)
}
