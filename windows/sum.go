package windows

import (
	"math"
	"math/bits"
)

// Sum adds floats exactly: a 128-bit integer in units of 2⁻⁶⁴. Integer addition has no rounding, so the sum of a window is
// the same in whatever order its values came, and a pane that leaves a window is simply subtracted. A value keeps all 53
// bits of its mantissa down to 2⁻¹² and is cut at 2⁻⁶⁴ below that; with values up to MaxValue a sum holds 9·10⁶ of the
// largest.
type Sum struct {
	hi int64
	lo uint64
}

// SumOf is the sum of one value.
func SumOf(v float64) Sum {
	a := math.Abs(v)
	i := int64(a)
	s := Sum{i, uint64((a - float64(i)) * (1 << 64))}
	if v < 0 {
		return Sum{}.Sub(s)
	}
	return s
}

// Add returns s + t.
func (s Sum) Add(t Sum) Sum {
	lo, c := bits.Add64(s.lo, t.lo, 0)
	return Sum{s.hi + t.hi + int64(c), lo}
}

// Sub returns s − t.
func (s Sum) Sub(t Sum) Sum {
	lo, b := bits.Sub64(s.lo, t.lo, 0)
	return Sum{s.hi - t.hi - int64(b), lo}
}

// Times returns n·s, for 0 ≤ n < 2³¹.
func (s Sum) Times(n int64) Sum {
	h, lo := bits.Mul64(s.lo, uint64(n))
	return Sum{s.hi*n + int64(h), lo}
}

// Float is the float nearest to the sum.
func (s Sum) Float() float64 {
	sign := 1.0
	if s.hi < 0 {
		s, sign = Sum{}.Sub(s), -1
	}
	if s.hi == 0 {
		return sign * float64(s.lo) * 0x1p-64
	}
	// The upper 64 bits, the last of which stands for all that are cut off: then there is one rounding.
	n := bits.LeadingZeros64(uint64(s.hi))
	top := uint64(s.hi)<<n | s.lo>>(64-n)
	if s.lo<<n != 0 {
		top |= 1
	}
	return sign * math.Ldexp(float64(top), -n)
}
