package evidence

import "math"

// Lower is a lower confidence bound of the mean of scores with probability 1 − alpha: the least m that a mixture of bets on E[x
// | past] > m has not refuted,
//
//	inf {m: Σ w·Π(1 + λ(x − m)) < 1/α},   λ = √(2 ln(1/α)/(n·v))
//
// (Waudby-Smith, Ramdas, Estimating means of bounded random variables by betting, 2010.09686; one
// side, fixed bets.) The mixture is over four variances v, from the greatest there is to a sixty-fourth of it. The wealth falls
// with m, so that the set is an interval. n, how many scores there are when the bound is taken, must not have been chosen by
// looking at them.
//
// It lies 1.5 standard normal bounds below the mean that was seen, for 1,000 scores as for 10⁶ (TestLowerIsTight). The
// empirical Bernstein bound (Maurer, Pontil 2009; for all times, Howard et al. 2021) is wider by the range's term, 2.4 of them
// at 1,000 scores. 0 when nothing is known.
//
// It is a bound of the mean of all the means that the scores had while they came, whether or not those were equal.
func Lower(w *Weights, alpha float64) float64 {
	limit := math.Log(1/alpha) + math.Log(float64(boundBets))
	var lambda [boundBets]float64
	for k := range lambda {
		v := 0.25 / float64(int(1)<<(2*k))
		lambda[k] = min(0.9, math.Sqrt(2*math.Log(1/alpha)/(float64(w.N())*v)))
	}
	low, high := 0.0, 1.0
	for high-low > 1e-7 {
		mid, sum := (low+high)/2, math.Inf(-1)
		for _, l := range lambda {
			won := 0.0
			for j, v := range w {
				if v != 0 {
					won += float64(v) * math.Log1p(l*(knot(j)-mid))
				}
			}
			sum = addLogs(sum, won/one)
		}
		if sum < limit {
			high = mid
		} else {
			low = mid
		}
	}
	return low
}

const boundBets = 4

// Interval are Lower and its mirror image at alpha/2 each.
func Interval(w *Weights, alpha float64) (low, high float64) {
	m := w.Mirror()
	return Lower(w, alpha/2), 1 - Lower(&m, alpha/2)
}

// What a baseline must be worth.
const (
	BaselineAlpha = 0.01 // chance that the sealed bound is above the true mean, and the budget does not hold
	BaselineN     = 1000 // scores before it may be sealed
)

// Baseline learns what a series is compared with. Sealed, it is the number that a drop is measured from: a plug-in mean has no
// guarantee, for half of them are above the true mean, and every one of those becomes a false alarm in the end.
type Baseline struct{ seen Weights }

// Learn takes a pane's scores into account.
func (b *Baseline) Learn(w *Weights) { b.seen.Merge(w) }

// N is the number of scores learned from, of BaselineN.
func (b *Baseline) N() int64 { return b.seen.N() }

// Mean is the mean of the scores learned from; NaN when there are none.
func (b *Baseline) Mean() float64 { return b.seen.Mean() }

// Weights are the scores learned from.
func (b *Baseline) Weights() *Weights { return &b.seen }

// Seal returns the lower confidence bound; ok is false before there are BaselineN scores. The caller keeps the number, and goes
// on with it.
func (b *Baseline) Seal() (bound float64, ok bool) {
	if b.N() < BaselineN {
		return 0, false
	}
	return Lower(&b.seen, BaselineAlpha), true
}

// Save appends the state.
func (b *Baseline) Save(dst []byte) []byte { return b.seen.Append(dst) }

// Load is the inverse of Save. It returns the bytes that follow.
func (b *Baseline) Load(src []byte) (rest []byte, err error) {
	r := reader{b: src}
	readWeights(&r, &b.seen)
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
