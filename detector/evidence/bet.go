package evidence

import "math"

// Bets is how many bets are mixed.
const Bets = 8

// aimed is how many of them, the first, may be aimed at the drop that a rule asks for. They have half the money.
const aimed = 3

// weight is each bet's share of the money. That goes by a bet's place alone, so that bets of several tables can be multiplied.
var weight = [Bets]float64{1. / 4, 1. / 8, 1. / 8, 1. / 10, 1. / 10, 1. / 10, 1. / 10, 1. / 10}

var (
	// ladder are the sizes of bets that are aimed at nothing, as shares of the greatest that cannot go bankrupt.
	ladder = [Bets]float64{most / 5.4, most / 3.1, most / 9.4, most, most / 1.75, most / 16.4, most / 29, most / 50}
	// spread are the sizes of the others where some are aimed.
	spread = [Bets - aimed]float64{most, most / 2.5, most / 6, most / 16, most / 40}
	// around are the sizes of aimed bets, as multiples of the best for the drop asked.
	around = [aimed]float64{1, 1.6, 1 / 1.6}
)

const most = 0.9

// greatest bounds λ, so that there are bets on small drops too where a mean is near 1. A drop that more would be good for is seen
// within a few scores anyway.
const greatest = 128

// Aim is the drop that a rule asks for. Bets that would grow fastest after it get half of the money; which bets are made is no
// matter for the guarantee as long as it is settled before the scores are seen. The zero Aim is none.
type Aim struct {
	Mean float64 // of the scores before the drop
	SD   float64 // of them
	By   float64 // the drop, > 0
}

// after are mean and deviation after the drop. Of scores of 0 and 1 the deviation grows so; of others less.
func (a Aim) after() (mean, sd float64) {
	mean = a.Mean - a.By
	return mean, a.SD * math.Sqrt(max(0, mean*(1-mean))/(a.Mean*(1-a.Mean)))
}

// bets returns the bets' λ for H0: mean ≥ m.
func (a Aim) bets(m float64) (lambda [Bets]float64) {
	bankrupt := min(greatest, 1/(1-m))
	lambda = rungs(bankrupt)
	if mean, sd := a.after(); a.By > 0 && mean < m {
		aimAt(&lambda, bankrupt, best(most*bankrupt, m, mean, sd))
	}
	return lambda
}

func rungs(bankrupt float64) (lambda [Bets]float64) {
	for k := range lambda {
		lambda[k] = ladder[k] * bankrupt
	}
	return lambda
}

// aimAt puts the aimed bets, and the spread ones around them, where best is the best λ for the drop and bankrupt the one at
// which a bet can go bankrupt.
func aimAt(lambda *[Bets]float64, bankrupt, best float64) {
	for k, f := range around {
		lambda[k] = min(f*best, most*bankrupt)
	}
	for k, f := range spread {
		lambda[aimed+k] = f * bankrupt
	}
}

// best is the λ ≤ limit that grows fastest on scores of a mean and a deviation.
func best(limit, m, mean, sd float64) float64 {
	low, high := 0.0, limit
	for range 40 { // growth is concave in λ
		a, b := low+(high-low)/3, high-(high-low)/3
		if growth(a, m, mean, sd) < growth(b, m, mean, sd) {
			low = a
		} else {
			high = b
		}
	}
	return (low + high) / 2
}

// Table is a set of bets against H0: E[x | past] ≥ m. One score makes of a bet
//
//	1 + λ(m − x),   λ ∈ [0, 1/(1−m))
//
// which has a conditional mean of at most 1 under H0: a bet at fair or worse odds (Waudby-Smith, Ramdas, Estimating
// means of bounded random variables by betting, 2010.09686). For scores of 0 and 1 it is the likelihood ratio of q =
// m(1−λ(1−m)) against m, for x = 0 and for x = 1 alike; so there is no second form for those.
//
// A table is never changed and may be shared.
type Table struct {
	m      float64
	lambda [Bets]float64
}

// M is the mean that H0 claims at least: at most 1/2048 below the one that the table was asked for. A nil table claims nothing: 0.
func (t *Table) M() float64 {
	if t == nil {
		return 0
	}
	return t.m
}

// increments adds what a pane adds to the logarithm of each bet's wealth: nothing when t is nil.
func (t *Table) increments(w *Weights, inc *[Bets]float64) {
	if t == nil {
		return
	}
	addLn(inc, w, &t.lambda, 1, t.m)
}

// addLn adds Σ ln(1 + f·λ(m − x)) of a pane's scores for each λ.
func addLn(sum *[Bets]float64, w *Weights, lambda *[Bets]float64, f, m float64) {
	for j, v := range w {
		if v == 0 {
			continue
		}
		count, odds := float64(v)*(1.0/one), f*(m-knot(j))
		for k, l := range lambda {
			sum[k] += count * lnBelow(1+l*odds)
		}
	}
}

const levels = 4096

// level is m rounded down by 2⁻²⁴ to 2⁻¹¹, so that the rounding of scores never counts as a drop: a lower m is a weaker claim,
// and what refutes it refutes m.
func level(m float64) int { return int(math.Floor((min(m, 1) - 1.0/finest) * levels)) }

// NewTable returns the table for H0: E[x | past] ≥ m, with m rounded down by at most 1/2048, and half of the money on a drop. nil, which
// is as good as no scores, when m is too low to be refuted: below 2⁻¹¹, or NaN.
func NewTable(m float64, aim Aim) *Table {
	l := level(m)
	if !(m > 0) || l < 1 {
		return nil
	}
	t := &Table{m: float64(l) / levels}
	t.lambda = aim.bets(t.m)
	return t
}
