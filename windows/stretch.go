package windows

import (
	"math"
	"time"
)

// Cells are those of a prompt version, or some of them. They are good until the next batch is folded or minute sealed.
type Cells struct {
	store *Store
	cells []*cell
}

// CellsOf are all cells of a prompt version.
func (s *Store) CellsOf(prompt, version string) Cells {
	return Cells{s, s.matching(Query{Prompt: prompt, Version: version})}
}

// Only are those whose values of the dimensions, in the order of Options, match takes.
func (c Cells) Only(match func(dims []string) bool) Cells {
	some := Cells{store: c.store}
	for _, one := range c.cells {
		if match(one.dims) {
			some.cells = append(some.cells, one)
		}
	}
	return some
}

// Len is how many cells there are.
func (c Cells) Len() int { return len(c.cells) }

// Stretch is what cells hold of the values of one metric in a stretch of time. It is good until the next call on the store.
type Stretch struct {
	figures *figures
	merger  *merger
}

// Between reads a metric in the panes that begin in [from, to), as Store.Between does. shape says that Quantile or Above will be
// asked for, which costs some ten times as much.
func (c Cells) Between(metric string, from, to time.Time, shape bool) Stretch {
	s := c.store
	st := Stretch{&s.merger.fig, &s.merger}
	st.figures.reset()
	id, ok := s.metricID[metric]
	if !ok {
		return st
	}
	s.eachBetween(c.cells, from, to, func(blob []byte) {
		payload := findEntry(blob, figuresKey(id))
		switch {
		case payload == nil:
		case shape:
			st.figures.add(payload)
		default:
			st.figures.addMomentsOf(payload)
		}
	})
	return st
}

// N is the number of values.
func (st Stretch) N() int64 { return st.figures.n }

// Sum is the exact sum of the values, rounded once.
func (st Stretch) Sum() float64 { return st.figures.sum.Float() }

// Mean is Sum over N; NaN when empty.
func (st Stretch) Mean() float64 { return st.Sum() / float64(st.N()) }

// Min is the least value; NaN when empty.
func (st Stretch) Min() float64 {
	if st.figures.n == 0 {
		return math.NaN()
	}
	return st.figures.min
}

// Max is the greatest value; NaN when empty.
func (st Stretch) Max() float64 {
	if st.figures.n == 0 {
		return math.NaN()
	}
	return st.figures.max
}

// Quantile is as Group.Quantile.
func (st Stretch) Quantile(q float64) float64 {
	f := st.figures
	return st.merger.quantile(&f.dist, q, f.min, f.max)
}

// Above is the share of the values that are greater than limit: exact while each pane has few distinct values, else of a t-digest.
// NaN when empty.
func (st Stretch) Above(limit float64) float64 {
	f := st.figures
	if f.n == 0 {
		return math.NaN()
	}
	st.merger.order(&f.dist)
	return 1 - f.dist.below(limit, f.min, f.max)
}

// below is the share of the values that are limit at most, the inverse of quantile. The points are in order.
func (d *dist) below(limit, lo, hi float64) float64 {
	total, seen := 0.0, 0.0
	for _, p := range d.pts {
		total += p.Weight
		if p.Mean <= limit {
			seen += p.Weight
		}
	}
	switch {
	case d.exact:
		return seen / total
	case limit < lo:
		return 0
	case limit >= hi:
		return 1
	}
	prev, prevAt, at := lo, 0.0, 0.0
	for _, p := range d.pts {
		mid := at + p.Weight/2
		if limit < p.Mean {
			return (prevAt + (mid-prevAt)*(limit-prev)/(p.Mean-prev)) / total
		}
		at += p.Weight
		prev, prevAt = p.Mean, mid
	}
	return (prevAt + (total-prevAt)*(limit-prev)/(hi-prev)) / total
}
