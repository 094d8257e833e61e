package main

import (
	"math"
	"math/rand/v2"
)

// cells that a score may fall into, where the two distributions are told apart.
const likelihoodCells = 32

// clairvoyant knows the distribution before the drop and the one after it, and lacks nothing but the time of the drop: the
// likelihood ratio in Shiryaev–Roberts' form, than which there is hardly anything faster for the false alarms that it gives
// (Pollak, Optimal detection of a change in distribution, 1985). What this one takes longer for, no method of the same budget can
// do, with or without a baseline.
type clairvoyant struct {
	drop  int // of drops, the one that it knows of
	ratio [len(drops)][likelihoodCells]float64
	r     float64
}

func newClairvoyant(d dist) *clairvoyant {
	c := &clairvoyant{drop: 1}
	before := shares(d, d.mean())
	for i, drop := range drops {
		after := shares(d, d.mean()-drop)
		for j := range before {
			if before[j] > 0 {
				c.ratio[i][j] = after[j] / before[j]
			}
		}
	}
	return c
}

// known shares, by distribution.
var knownShares = map[string]*tables[[likelihoodCells]float64]{}

func init() {
	for _, d := range dists {
		knownShares[d.name()] = new(tables[[likelihoodCells]float64])
	}
}

// shares of scores that fall into each cell.
func shares(d dist, mean float64) [likelihoodCells]float64 {
	return knownShares[d.name()].of(mean, func(mean float64) (shares [likelihoodCells]float64) {
		const fine = 1 << 16
		draw, r := d.at(mean), evenly(fine)
		for range fine {
			shares[cellOf(draw(r))] += 1.0 / fine
		}
		return shares
	})
}

// evenly goes through [0,1) in n steps.
func evenly(n uint64) *rand.Rand { return rand.New(&ranks{step: 1 << 53 / n, next: 1 << 53 / n / 2}) }

type ranks struct{ next, step uint64 }

func (r *ranks) Uint64() uint64 {
	v := r.next
	r.next += r.step
	return v
}

func cellOf(x float64) int { return min(likelihoodCells-1, int(x*likelihoodCells)) }

func (c *clairvoyant) pane(p *pane) bool {
	if p.minute < learning {
		return false
	}
	c.r += byDefault / day
	for _, x := range p.x {
		c.r *= c.ratio[c.drop][cellOf(x)]
	}
	if c.r < 1 {
		return false
	}
	c.r = 0
	return true
}

// information is what a score tells of a drop in the mean of scores of which nothing else is known, in nats: KL_inf, the least
// Kullback–Leibler divergence of the scores after the drop from any that have the mean before it, which is also the growth of
// the best bet. With a budget of b a pane, ln(1/b)/KL_inf is to first order what any method takes whose budget holds for all of
// those (Ram, Ramdas, Asymptotically optimal sequential change detection for bounded means, 2602.05272).
func information(d dist, drop float64) float64 {
	const fine = 1 << 12
	m, draw, r := d.mean(), d.at(d.mean()-drop), evenly(fine)
	var scores [fine]float64
	for i := range scores {
		scores[i] = draw(r)
	}
	growth := func(lambda float64) (g float64) {
		for _, x := range scores {
			g += math.Log1p(lambda*(m-x)) / fine
		}
		return g
	}
	low, high := 0.0, 0.999/(1-m)
	for range 40 { // growth is concave
		a, b := low+(high-low)/3, high-(high-low)/3
		if growth(a) < growth(b) {
			low = a
		} else {
			high = b
		}
	}
	return growth(low)
}
