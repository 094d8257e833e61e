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

// What a baseline must be worth that drops are measured from: it is the Lower of the scores learned from. A plug-in mean has no
// guarantee, for half of them are above the true mean, and every one of those becomes a false alarm in the end.
const (
	BaselineAlpha = 0.01 // chance that the sealed bound is above the true mean, and the budget does not hold
	BaselineN     = 1000 // scores before it may be sealed
)

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
