package evidence

import "math"

// Power says what a rule can see, before there is anything to see. It is a forecast, not a bound: of scores with a given mean
// and standard deviation, the skew unknown.
type Power struct {
	M    float64 // H0: the mean is at least M
	Mean float64 // before the drop, ≥ M; the two differ by the baseline's uncertainty
	SD   float64 // of the scores; at most √(mean·(1−mean)), which is that of 0 and 1, and is taken where it is not known
	N    float64 // scores a pane
	B    float64 // what the purse pays the series a pane, in alarms
	By   float64 // the drop that the bets are aimed at; 0 for none
}

// Delay is about how many panes it takes in the mean to see a drop; +Inf when it cannot be seen.
//
// A bet grows by E[ln(1 + λ(m − x))] a score, here of the distribution on two points that has the mean and the deviation, and
// the detector alarms when the best of them has made 1 out of w·b a pane (Shin, Ramdas, Rinaldo, 2203.03532).
func (p Power) Delay(drop float64) float64 {
	mean, sd := Aim{p.Mean, p.SD, drop}.after()
	if !(mean > 0 && p.M > 0 && p.M < 1 && p.N > 0 && p.B > 0) {
		return math.Inf(1)
	}
	best := math.Inf(1)
	for k, lambda := range (Aim{p.Mean, p.SD, p.By}).bets(p.M) {
		g := growth(lambda, p.M, mean, sd) * p.N
		if g <= 0 {
			continue
		}
		// R of panes after the drop is b·(e^g + … + e^(tg)), and w·R must reach 1; what R held before and the neighbouring bets
		// make it four times that.
		t := math.Log1p(-math.Expm1(-g)/(4*weight[k]*p.B)) / g
		best = min(best, t)
	}
	return max(1, best)
}

// Smallest is the smallest drop that is seen within so many panes; +Inf when none is.
func (p Power) Smallest(panes float64) float64 {
	low, high := 0.0, p.Mean*0.999
	if p.Delay(high) > panes {
		return math.Inf(1)
	}
	for high-low > 1e-5 {
		if mid := (low + high) / 2; p.Delay(mid) <= panes {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// growth of ln wealth a score, of λ and scores on two points with this mean and deviation: symmetric where [0,1] has room for
// it.
func growth(lambda, m, mean, sd float64) float64 {
	sd = min(sd, math.Sqrt(mean*(1-mean)))
	if !(sd > 0) {
		return math.Log1p(lambda * (m - mean))
	}
	up, down := sd, sd
	if mean+up > 1 {
		up = 1 - mean
		down = sd * sd / up
	} else if mean-down < 0 {
		down = mean
		up = sd * sd / down
	}
	atUp := down / (up + down) // probability
	return atUp*math.Log1p(lambda*(m-mean-up)) + (1-atUp)*math.Log1p(lambda*(m-mean+down))
}
