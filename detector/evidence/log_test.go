package evidence

import (
	"math"
	"testing"
)

// TestLnBelow: never above the logarithm by more than rounding, and hardly below it.
func TestLnBelow(t *testing.T) {
	f := func(z float64) {
		t.Helper()
		ln := math.Log(z)
		if got := lnBelow(z); got > ln+4e-16*max(1, math.Abs(ln)) || got < ln-2e-7 {
			t.Fatalf("%v: %v, ln is %v", z, got, ln)
		}
	}
	r := seeded(30, 0)
	for range simulated(t, 2_000_000) {
		f(math.Exp(20 * (r.Float64() - 0.5)))
		f(1 + (r.Float64()-0.5)*1e-3)
	}
	for i := range 128 { // where two cells meet
		c := 1 + float64(i)/128
		f(c)
		f(math.Nextafter(c, 0))
		f(math.Nextafter(c, 9))
	}
}

func BenchmarkLn(b *testing.B) {
	z, s := 0.1, 0.0
	for b.Loop() {
		for range 100 {
			z += 0.001
			s += lnBelow(z)
		}
		z = 0.1
	}
	sink = s
}

var sink float64
