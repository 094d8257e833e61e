package oracle

import (
	"math"
	"math/big"
	"slices"
	"strings"
)

// Cell is a tuple of labels that series are kept by.
type Cell struct {
	Prompt, Version string
	Dims            string // values of the dimensions, joined by a zero byte
}

// Values are those of the dimensions.
func (c Cell) Values() []string { return strings.Split(c.Dims, "\x00") }

func (c Cell) String() string {
	return c.Prompt + "/" + c.Version + "/" + strings.ReplaceAll(c.Dims, "\x00", "/")
}

// Pane is what a cell has in one minute, or in any stretch of time.
type Pane struct {
	Calls  int64
	Values map[string]*Values // by metric or rubric
}

// pane is the one that an event counts in.
func (w *Want) pane(e *event) *Pane {
	c := Cell{e.prompt, e.version, e.dims}
	if w.Panes[c] == nil {
		w.Panes[c] = make(map[int64]*Pane)
	}
	minute := e.time / 60e9
	if w.Panes[c][minute] == nil {
		w.Panes[c][minute] = &Pane{Values: make(map[string]*Values)}
	}
	return w.Panes[c][minute]
}

func (p *Pane) add(metric string, v float64) {
	if p.Values[metric] == nil {
		p.Values[metric] = &Values{}
	}
	p.Values[metric].Add(v)
}

// cutOff takes away what is not over at the end of comparisons.
func (w *Want) cutOff() {
	for c, panes := range w.Panes {
		for minute := range panes {
			if minute >= w.Until.Unix()/60 {
				delete(panes, minute)
				w.Beyond[c.Prompt] = true
			}
		}
		if len(panes) == 0 {
			delete(w.Panes, c)
		}
	}
}

// Between is what the cells that match hold in the minutes from one to another, the last one left out.
func (w *Want) Between(from, to int64, match func(Cell) bool) *Pane {
	sum := &Pane{Values: make(map[string]*Values)}
	for c, panes := range w.Panes {
		if !match(c) {
			continue
		}
		for m := from; m < to; m++ {
			p := panes[m]
			if p == nil {
				continue
			}
			sum.Calls += p.Calls
			for metric, v := range p.Values {
				if sum.Values[metric] == nil {
					sum.Values[metric] = &Values{}
				}
				sum.Values[metric].Merge(v)
			}
		}
	}
	return sum
}

// Values are those of one metric in some stretch of time.
type Values struct {
	list   []float64
	sorted bool
	sum    big.Int // in units of 2⁻⁶⁴, which is as fine as driftd counts
}

// Add takes one value.
func (v *Values) Add(x float64) {
	v.list, v.sorted = append(v.list, x), false
	units, _ := new(big.Float).SetMantExp(big.NewFloat(x), 64).Int(nil) // toward zero
	v.sum.Add(&v.sum, units)
}

// Merge takes all of another's.
func (v *Values) Merge(o *Values) {
	v.list, v.sorted = append(v.list, o.list...), false
	v.sum.Add(&v.sum, &o.sum)
}

// N is how many there are.
func (v *Values) N() int64 {
	if v == nil {
		return 0
	}
	return int64(len(v.list))
}

// Sum is the exact sum, rounded once.
func (v *Values) Sum() float64 {
	f := new(big.Float).SetMode(big.ToNearestEven).SetPrec(53).SetInt(&v.sum)
	x, _ := f.SetMantExp(f, -64).Float64()
	return x
}

// Mean is the sum over the number.
func (v *Values) Mean() float64 { return v.Sum() / float64(len(v.list)) }

// Sorted are the values in ascending order; they are not to be changed.
func (v *Values) Sorted() []float64 {
	if !v.sorted {
		slices.Sort(v.list)
		v.sorted = true
	}
	return v.list
}

// Table is how often each value is there.
func (v *Values) Table() map[float64]int64 {
	t := make(map[float64]int64)
	for _, x := range v.list {
		t[x]++
	}
	return t
}

// Exact tells whether driftd keeps all values apart: few distinct ones, written with four decimals at most.
func (v *Values) Exact() bool {
	t := v.Table()
	for x := range t {
		if s := x * 1e4; math.Round(s)/1e4 != x {
			return false
		}
	}
	return len(t) <= 64
}

// Range is one number where it is known exactly, else what it must lie between.
type Range struct{ Low, High float64 }

func exactly(x float64) Range { return Range{x, x} }

// Has tells whether a number lies in the range.
func (r Range) Has(x float64) bool { return r.Low <= x && x <= r.High }

// The errors of a digest: of the rank, as a share of all values and by values, and of the value itself.
const (
	rankShare  = 0.025
	rankValues = 2
	valueShare = 0.01
)

// Quantile is the value that so many per cent of the values are not greater than: the nearest rank where all are kept apart, else what a
// digest may take for it.
func (v *Values) Quantile(percent float64) Range {
	all := v.Sorted()
	n := float64(len(all))
	at := func(rank float64) float64 {
		return all[int(min(max(math.Ceil(rank), 1), n))-1]
	}
	if v.Exact() {
		// In whole numbers: percentages have one decimal at most.
		tenths := int64(math.Round(percent * 10))
		rank := (tenths*int64(len(all)) + 999) / 1000
		return exactly(all[max(rank, 1)-1])
	}
	rank, slack := percent/100*n, rankShare*n+rankValues
	low, high := at(rank-slack), at(rank+slack)
	return Range{low - math.Abs(low)*valueShare, high + math.Abs(high)*valueShare}
}
