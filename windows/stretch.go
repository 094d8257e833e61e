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
		st.add(findEntry(blob, figuresKey(id)), shape)
	})
	return st
}

// Panes reads a metric pane by pane, oldest first, and hands over those that hold something: the sixty minutes sealed last, or, of
// quarters of an hour, the 96 of which the newest holds the minute sealed last. It returns when the first pane begins, held or not.
func (c Cells) Panes(metric string, quarters, shape bool, each func(i int, st Stretch)) (from time.Time) {
	s := c.store
	st := Stretch{&s.merger.fig, &s.merger}
	first, length, n := s.sealed-minutesKept, int64(1), minutesKept
	if quarters {
		first, length, n = (s.sealed-1)/quarterMinutes*quarterMinutes+quarterMinutes-quartersKept*quarterMinutes, quarterMinutes, quartersKept
	}
	id, ok := s.metricID[metric]
	for i := 0; ok && i < n; i++ {
		st.figures.reset()
		at := first + int64(i)*length
		add := func(blob []byte) {
			if blob != nil {
				st.add(findEntry(blob, figuresKey(id)), shape)
			}
		}
		for _, one := range c.cells {
			if quarters && at+length <= s.sealed {
				add(s.quarterBlob(one, at/quarterMinutes))
				continue
			}
			for m := at; m < min(at+length, s.sealed); m++ {
				add(s.minuteBlob(one, m))
			}
		}
		if st.N() > 0 {
			each(i, st)
		}
	}
	return time.Unix(60*first, 0).UTC()
}

// Total is a count of values and their exact sum.
type Total struct {
	N   int64
	Sum float64
}

// Quarters reads the sealed quarters of an hour that begin in [from, to) in one go: the calls, what is held of each metric, and of one of
// them the distribution.
func (c Cells) Quarters(shaped string, from, to time.Time) (calls int64, of map[string]Total, st Stretch) {
	s := c.store
	st = Stretch{&s.merger.fig, &s.merger}
	st.figures.reset()
	type total struct {
		n   int64
		sum Sum
	}
	byID := make(map[uint16]total)
	id, known := s.metricID[shaped]
	first := func(t time.Time) int64 { return (max(t.Unix(), 0) + 60*quarterMinutes - 1) / (60 * quarterMinutes) }
	for _, one := range c.cells {
		for q := max(first(from), s.sealed/quarterMinutes-quartersKept); q < min(first(to), s.sealed/quarterMinutes); q++ {
			blob := s.quarterBlob(one, q)
			if blob == nil {
				continue
			}
			b := readBlob(blob)
			calls += b.calls
			for e, ok := b.next(); ok; e, ok = b.next() {
				switch metric := uint16(e.key >> 2); {
				case e.key != figuresKey(metric): // exemplars
				case known && metric == id:
					st.add(e.payload, true)
				default:
					n, sum := payloadTotals(e.payload)
					t := byID[metric]
					byID[metric] = total{t.n + n, t.sum.Add(sum)}
				}
			}
		}
	}
	of = make(map[string]Total, len(byID)+1)
	for metric, t := range byID {
		of[s.metrics[metric]] = Total{t.n, t.sum.Float()}
	}
	if st.N() > 0 {
		of[shaped] = Total{st.N(), st.Sum()}
	}
	return calls, of, st
}

// Split sorts the cells by a key that is made of their values of the dimensions, in the order of Options.
func (c Cells) Split(key func(dims []string) string) map[string]Cells {
	parts := make(map[string]Cells)
	for _, one := range c.cells {
		k := key(one.dims)
		part := parts[k]
		part.store, part.cells = c.store, append(part.cells, one)
		parts[k] = part
	}
	return parts
}

// add takes the payload of a pane, nil for none.
func (st Stretch) add(payload []byte, shape bool) {
	switch {
	case payload == nil:
	case shape:
		st.figures.add(payload)
	default:
		st.figures.addMomentsOf(payload)
	}
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

// Distribution is as Group.Distribution.
func (st Stretch) Distribution(dst []Bin) []Bin {
	d := &st.figures.dist
	st.merger.order(d)
	for _, p := range d.pts {
		dst = append(dst, Bin{p.Mean, p.Weight, d.exact})
	}
	return dst
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
