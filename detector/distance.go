package detector

import (
	"cmp"
	"math"
	"slices"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// distance compares the distribution x with the reference y, each given as points in ascending order of value with counts
// above 0. It is 0 where they are the same, never negative, and NaN where one of them is empty.
//
// Points are values with their counts, or the centroids of a t-digest. A centroid stands for values on both sides of it: its
// distribution function runs straight from centroid to centroid, each of them having half of its count below.
func distance(kind rules.Distance, x, y []windows.Bin) float64 {
	f, g := curveOf(x), curveOf(y)
	if f.total == 0 || g.total == 0 {
		return math.NaN()
	}
	switch kind {
	case rules.KS:
		return ks(&f, &g)
	case rules.PSI:
		p, q := binned(&f, &g)
		return psi(p, q)
	case rules.JensenShannon:
		p, q := binned(&f, &g)
		return jensenShannon(p, q)
	}
	return wasserstein(&f, &g)
}

// wasserstein is W₁ = ∫|F − G| dx, how far values have to move on average, in their unit (Vallender, Calculation of the
// Wasserstein distance between probability distributions on the line, 1974). Centroids are taken as values here: how they
// spread about their places moves little.
func wasserstein(f, g *curve) float64 {
	w, at := 0.0, math.NaN()
	i, j, a, b := 0, 0, 0.0, 0.0
	for i < len(f.points) || j < len(g.points) {
		next := math.Inf(1)
		if i < len(f.points) {
			next = f.points[i].Value
		}
		if j < len(g.points) {
			next = min(next, g.points[j].Value)
		}
		if gap := math.Abs(a/f.total - b/g.total); gap > 0 {
			w += gap * (next - at)
		}
		for ; i < len(f.points) && f.points[i].Value == next; i++ {
			a += f.points[i].Count
		}
		for ; j < len(g.points) && g.points[j].Value == next; j++ {
			b += g.points[j].Count
		}
		at = next
	}
	return w
}

// ks is sup|F − G| (Smirnov 1939), from 0 to 1. Both run straight between their points, so that it is at one of them, on one of
// its sides.
func ks(f, g *curve) float64 {
	most := 0.0
	for i, j := 0, 0; i < len(f.points) || j < len(g.points); {
		x := math.Inf(1)
		if i < len(f.points) {
			x = f.points[i].Value
		}
		if j < len(g.points) {
			x = min(x, g.points[j].Value)
		}
		fl, fr := f.from(i, x)
		gl, gr := g.from(j, x)
		most = max(most, math.Abs(fl-gl), math.Abs(fr-gr))
		for i < len(f.points) && f.points[i].Value == x {
			i++
		}
		for j < len(g.points) && g.points[j].Value == x {
			j++
		}
	}
	return most
}

// psi is the population stability index Σ (p − q)·ln(p/q), 0 and up (Siddiqi, Credit Risk Scorecards, 2006; it is the divergence J
// of Kullback and Leibler 1951, of bins). A bin that is empty on one side counts as one in ten thousand, as is usual, for the
// index would be infinite.
func psi(p, q []float64) float64 {
	const floor = 1e-4
	sum := 0.0
	for i := range p {
		if p[i] == 0 && q[i] == 0 {
			continue
		}
		a, b := max(p[i], floor), max(q[i], floor)
		sum += (a - b) * math.Log(a/b)
	}
	return sum
}

// jensenShannon is ½·Σ p·log₂(p/m) + ½·Σ q·log₂(q/m), m = (p + q)/2, in bits from 0 to 1 (Lin, Divergence Measures Based on the
// Shannon Entropy, 1991).
func jensenShannon(p, q []float64) float64 {
	sum := 0.0
	for i := range p {
		m := (p[i] + q[i]) / 2
		for _, s := range [2]float64{p[i], q[i]} {
			if s > 0 && s != m {
				sum += s / 2 * math.Log2(s/m)
			}
		}
	}
	return min(max(sum, 0), 1)
}

// psiBins is how many bins the reference is cut into, each with the same share of it.
const psiBins = 10

// cut is a place between two bins: behind a value, or before it.
type cut struct {
	value  float64
	before bool
}

// binned are the shares of f and of the reference g in bins. They end at the deciles of g; where g has no more than psiBins
// distinct values, each of those is a bin, and so is each gap between them, which is empty in g.
func binned(f, g *curve) (p, q []float64) {
	var cuts []cut
	if g.exact && len(g.points) <= psiBins {
		for _, v := range g.points {
			cuts = append(cuts, cut{v.Value, true}, cut{v.Value, false})
		}
	} else {
		for i := 1; i < psiBins; i++ {
			cuts = append(cuts, cut{value: g.quantile(float64(i) / psiBins)})
		}
		cuts = slices.Compact(cuts)
	}
	return f.shares(cuts), g.shares(cuts)
}

// curve is a distribution function.
type curve struct {
	points []windows.Bin
	below  []float64 // count below each point
	total  float64
	exact  bool // points are values, not centroids
}

func curveOf(points []windows.Bin) curve {
	c := curve{points: points, below: make([]float64, len(points)), exact: true}
	for i, p := range points {
		c.below[i] = c.total
		c.total += p.Count
		c.exact = c.exact && p.Exact
	}
	return c
}

// at is the function's limit from the left at x, and its value there.
func (c *curve) at(x float64) (left, right float64) {
	i, _ := slices.BinarySearchFunc(c.points, x, func(p windows.Bin, x float64) int { return cmp.Compare(p.Value, x) })
	return c.from(i, x)
}

// from is at, where i is known: the first point that is not less than x.
func (c *curve) from(i int, x float64) (left, right float64) {
	if i == len(c.points) {
		return 1, 1
	}
	if c.points[i].Value != x {
		share := 0.0
		switch {
		case i == 0:
		case c.exact:
			share = c.below[i] / c.total
		default:
			a, b := c.points[i-1].Value, c.points[i].Value
			share = (c.middle(i-1) + (c.middle(i)-c.middle(i-1))*((x-a)/(b-a))) / c.total
		}
		return share, share
	}
	j := i
	for j+1 < len(c.points) && c.points[j+1].Value == x {
		j++
	}
	if c.exact {
		return c.below[i] / c.total, (c.below[j] + c.points[j].Count) / c.total
	}
	left, right = 0, 1
	if i > 0 {
		left = c.middle(i) / c.total
	}
	if j+1 < len(c.points) {
		right = c.middle(j) / c.total
	}
	return left, right
}

// middle is the count below the middle of a centroid.
func (c *curve) middle(i int) float64 { return c.below[i] + c.points[i].Count/2 }

// quantile is the least value where the function is q, 0 < q < 1.
func (c *curve) quantile(q float64) float64 {
	target := q * c.total
	for i, p := range c.points {
		switch {
		case c.exact && c.below[i]+p.Count >= target:
			return p.Value
		case !c.exact && c.middle(i) >= target:
			if i == 0 {
				return p.Value
			}
			from, to := c.middle(i-1), c.middle(i)
			return c.points[i-1].Value + (p.Value-c.points[i-1].Value)*((target-from)/(to-from))
		}
	}
	return c.points[len(c.points)-1].Value
}

// shares are those of the bins between cuts in ascending order, and beyond them.
func (c *curve) shares(cuts []cut) []float64 {
	out := make([]float64, 0, len(cuts)+1)
	last := 0.0
	for _, k := range cuts {
		left, right := c.at(k.value)
		if k.before {
			right = left
		}
		out = append(out, max(right-last, 0))
		last = max(last, right)
	}
	return append(out, max(1-last, 0))
}
