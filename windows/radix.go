package windows

import (
	"math"

	"github.com/influxdata/tdigest"
)

// A total is made of the panes of all its cells: a thousand runs, which take ten rounds of merging in pairs. From so many runs and points
// on they are sorted by the first bits of their means instead.
const (
	manyRuns   = 32
	manyPoints = 4096
)

// The digits of a mean's first 32 bits, the least first: sign, exponent and 20 bits of the mantissa. Means of panes have no more than 11.
const (
	digitBits = 11
	digits    = 3
)

func digit(v float64, n int) uint32 {
	b := math.Float64bits(v)
	if b>>63 != 0 {
		b = ^b
	} else {
		b |= 1 << 63
	}
	return uint32(b>>32) >> (n * digitBits) & (1<<digitBits - 1)
}

// radix sorts a by the first bits of the means, with b as scratch of the same length. It returns the one that holds the points then.
func radix(a, b tdigest.CentroidList) (sorted, spare tdigest.CentroidList) {
	var at [digits][1 << digitBits]uint32 // where the next point with a digit goes
	for i := range a {
		for n := range digits {
			at[n][digit(a[i].Mean, n)]++
		}
	}
	for n := range digits {
		sum := uint32(0)
		for d, count := range at[n] {
			at[n][d] = sum
			sum += count
		}
	}
	for n := range digits {
		next := &at[n]
		for _, p := range a {
			d := digit(p.Mean, n)
			b[next[d]] = p
			next[d]++
		}
		a, b = b, a
	}
	return a, b
}

// settle puts points in order that are nearly so, as long as few have to move far.
func settle(a tdigest.CentroidList) {
	moves := len(a)
	for i := 1; i < len(a) && moves > 0; i++ {
		p, j := a[i], i
		for ; j > 0 && p.Mean < a[j-1].Mean; j-- {
			a[j] = a[j-1]
			moves--
		}
		a[j] = p
	}
}
