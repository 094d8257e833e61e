package evidence

import "math"

// Bets is how many bets are mixed. kappa are their sizes as shares of the greatest that cannot go bankrupt, and weight what
// each gets of the money.
const Bets = 10

var (
	kappa  = ladder(0.9, 1.6)
	weight = 1.0 / Bets
)

func ladder(top, ratio float64) (k [Bets]float64) {
	for i := range k {
		k[i] = top
		top /= ratio
	}
	return k
}

// Table is the logarithm of what each bet makes of one score at each knot: with λ = κ/(1−m), and for H0: E[x | past] ≥ m,
//
//	ln(1 + λ(m − x)),   λ ∈ [0, 1/(1−m))
//
// whose exponential has a conditional mean of at most 1 under H0: a bet at fair or worse odds (Waudby-Smith, Ramdas, Estimating
// means of bounded random variables by betting, 2010.09686). For scores of 0 and 1 it is the likelihood ratio of q =
// m(1−κ) against m, for x = 0 and for x = 1 alike; so there is no second form for those.
//
// A table is never changed and may be shared.
type Table struct {
	m   float64
	log [Bets][steps + 1]float64 // nats a score
}

// M is the mean that H0 claims at least: at most 1/2048 below the one that the table was asked for.
func (t *Table) M() float64 { return t.m }

// increments adds what a pane adds to the logarithm of each bet's wealth: nothing when t is nil.
func (t *Table) increments(w *Weights, inc *[Bets]float64) {
	if t == nil {
		return
	}
	for k := range inc {
		sum, row := 0.0, &t.log[k]
		for j, v := range w {
			sum += float64(v) * row[j]
		}
		inc[k] += sum * (1.0 / one)
	}
}

// Tables keeps the tables in use, at most 4,096 of 1.4 KB. One goroutine owns it.
type Tables struct{ byLevel map[int]*Table }

const levels = 4096

// For returns the table for H0: E[x | past] ≥ m. m is rounded down by 2⁻²⁴ to 2⁻¹¹, so that tables are shared and the rounding
// of scores never counts as a drop: a lower m is a weaker claim, and what refutes it refutes m. nil, which is as good as no
// scores, when m is too low to be refuted: below 2⁻¹¹, or NaN.
func (t *Tables) For(m float64) *Table {
	level := int(math.Floor((min(m, 1) - 1.0/finest) * levels))
	if !(m > 0) || level < 1 {
		return nil
	}
	if t.byLevel == nil {
		t.byLevel = make(map[int]*Table)
	}
	found := t.byLevel[level]
	if found == nil {
		found = newTable(float64(level) / levels)
		t.byLevel[level] = found
	}
	return found
}

func newTable(m float64) *Table {
	t := &Table{m: m}
	for k := range t.log {
		lambda := kappa[k] / (1 - m)
		for j := range t.log[k] {
			t.log[k][j] = math.Log1p(lambda * (m - knot(j)))
		}
	}
	return t
}
