package evidence

import "math"

// boundKappa are the bets of a confidence bound, finer than those on a drop: a baseline has seen a day.
var boundKappa = ladder(0.5, 1.8)

// Lower is a lower confidence bound of the mean of scores, for their number looked at once or at any time, with probability 1 − alpha:
// the least m that the mixture of bets on E[x | past] > m has not refuted,
//
//	inf {m: Σ w·Π(1 + λ(x − m)) < 1/α},   λ = κ/m
//
// (Waudby-Smith, Ramdas, Estimating means of bounded random variables by betting, 2010.09686, theorem 1, of which this is the hedged capital process
// of one side with fixed bets). With λ = κ/m the wealth falls with m, so that the set is an interval. Against the empirical Bernstein bound of Howard et al. (2021) it has no
// second term of the range and knows the skew: at 1,000 scores of Beta with mean .8, sd .15 it lies .017 below the mean, that one .023. 0 when nothing is known.
//
// It is a bound of the mean of all the means that the scores had while they came, whether or not those were equal.
func Lower(w *Weights, alpha float64) float64 {
	limit := math.Log(1 / alpha)
	low, high := 0.0, 1.0
	for high-low > 1e-7 {
		if mid := (low + high) / 2; logWealth(w, mid) < limit {
			high = mid
		} else {
			low = mid
		}
	}
	return low
}

// Interval are Lower and its mirror image at alpha/2 each.
func Interval(w *Weights, alpha float64) (low, high float64) {
	m := w.Mirror()
	return Lower(w, alpha/2), 1 - Lower(&m, alpha/2)
}

func logWealth(w *Weights, m float64) float64 {
	sum := math.Inf(-1)
	for _, kappa := range boundKappa {
		won := 0.0
		for j, v := range w {
			if v != 0 {
				won += float64(v) * math.Log1p(kappa*(knot(j)/m-1))
			}
		}
		sum = addLogs(sum, won/one)
	}
	return sum + math.Log(weight)
}

// What a baseline must be worth.
const (
	BaselineAlpha = 0.01 // chance that the sealed bound is above the true mean, and the budget does not hold
	BaselineN     = 1000 // scores before it may be sealed
)

// Baseline learns what a series is compared with. Sealed, it is the number that a drop is measured from: a plug-in mean has no guarantee, for half of
// them are above the true mean, and every one of those becomes a false alarm in the end.
type Baseline struct{ seen Weights }

// Learn takes a pane's scores into account.
func (b *Baseline) Learn(w *Weights) { b.seen.Merge(w) }

// N is the number of scores learned from, of BaselineN.
func (b *Baseline) N() int64 { return b.seen.N() }

// Mean is the mean of the scores learned from; NaN when there are none.
func (b *Baseline) Mean() float64 { return b.seen.Mean() }

// Weights are the scores learned from.
func (b *Baseline) Weights() *Weights { return &b.seen }

// Seal returns the lower confidence bound; ok is false before there are BaselineN scores. The caller keeps the number, and goes on with it.
func (b *Baseline) Seal() (bound float64, ok bool) {
	if b.N() < BaselineN {
		return 0, false
	}
	return Lower(&b.seen, BaselineAlpha), true
}

// Save appends the state.
func (b *Baseline) Save(dst []byte) []byte { return b.seen.append(dst) }

// Load is the inverse of Save. It returns the bytes that follow.
func (b *Baseline) Load(src []byte) (rest []byte, err error) {
	r := reader{b: src}
	b.seen.read(&r)
	for _, v := range b.seen {
		r.err = r.err || v < 0
	}
	if r.err {
		b.seen = Weights{}
		return nil, errState
	}
	return r.b, nil
}

// addLogs is ln(e^a + e^b).
func addLogs(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if d := b - a; d > -40 { // below, the last bit of a is greater
		return a + math.Log1p(math.Exp(d))
	}
	return a // also when both are −Inf
}
