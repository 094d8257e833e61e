package windows

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Steps is the number of intervals that [0,1] is cut into. 16 has 0, 1 and the five values of a 1–5 scale among its knots,
// where nothing is lost; between knots a bet loses about (λ/Steps)²/8 of its growth, 3 % where it matters most.
const Steps = 16

// WeightOne is a whole score in Weights.
const WeightOne = 1 << 20

const (
	one    = WeightOne
	finest = one * Steps
)

// Weights are what a sequential statistic needs of scores: the sums of a pane, or of any set of scores: each score x between two knots g = j/Steps counts for both of them,
// the more the nearer, so that ΣW is the number of scores and Σ g·W their sum.
//
// They are all that a bet needs: ln(1+λ(m−x)) is concave in x, so that the chord between two knots is below it, and a wealth
// reckoned from W is at most the true one. That holds for every λ and m, so that both may be chosen later. A quadratic bound
// from n, Σx, Σx² (Fan, Grama, Liu, Exponential inequalities for martingales with applications, 2015) is as valid and gives
// away a third of the growth.
//
// The unit is 2⁻²⁰ of a score. Sums are of integers, so that the order of adding never matters, and hold 8·10¹² scores.
type Weights [Steps + 1]int64

// Add counts n scores of x, which is clamped into [0,1] and rounded to a multiple of 2⁻²⁴. clamped tells that it was outside.
// NaN is not counted, and clamped.
func (w *Weights) Add(x float64, n int64) (clamped bool) {
	if !(x >= 0 && x <= 1) {
		if x != x {
			return true
		}
		x, clamped = min(max(x, 0), 1), true
	}
	q := uint64(x*finest + 0.5)
	j, f := q/one, int64(q%one)
	w[j] += n * (one - f)
	if f > 0 {
		w[j+1] += n * f
	}
	return clamped
}

// Merge adds what o has counted.
func (w *Weights) Merge(o *Weights) {
	for j, v := range o {
		w[j] += v
	}
}

// N is the number of scores.
func (w *Weights) N() int64 {
	var n int64
	for _, v := range w {
		n += v
	}
	return n / one
}

// Sum is the sum of the scores.
func (w *Weights) Sum() float64 {
	var hi, lo uint64 // Steps·ΣW does not fit into 64 bits where ΣW does
	for j, v := range w {
		h, l := bits.Mul64(uint64(j), uint64(v))
		var carry uint64
		lo, carry = bits.Add64(lo, l, 0)
		hi += h + carry
	}
	return (math.Ldexp(float64(hi), 64) + float64(lo)) / finest
}

// Mean is Sum over N; NaN when empty.
func (w *Weights) Mean() float64 { return w.Sum() / float64(w.N()) }

// Variance is that of the scores, or up to (1/Steps)²/4 more; NaN when empty.
func (w *Weights) Variance() float64 {
	mean, sum := w.Mean(), 0.0
	for j, v := range w {
		d := Knot(j) - mean
		sum += float64(v) * d * d
	}
	return sum / one / float64(w.N())
}

// Mirror returns the weights of 1−x.
func (w *Weights) Mirror() (m Weights) {
	for j, v := range w {
		m[Steps-j] = v
	}
	return m
}

// Knot is the j-th of the Steps+1 knots.
func Knot(j int) float64 { return float64(j) / Steps }

// Append appends the weights to dst as varints.
func (w *Weights) Append(dst []byte) []byte {
	for _, v := range w {
		dst = binary.AppendUvarint(dst, uint64(v))
	}
	return dst
}
