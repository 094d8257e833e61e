package windows

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestWeights(t *testing.T) {
	r := rand.New(rand.NewPCG(16, 0))
	var w Weights
	sum, n := 0.0, int64(0)
	for range 10_000 {
		x := r.Float64()*1.4 - 0.2
		count := int64(r.IntN(50))
		if clamped := w.Add(x, count); clamped != (x < 0 || x > 1) {
			t.Fatalf("%g: clamped %v", x, clamped)
		}
		sum += min(max(x, 0), 1) * float64(count)
		n += count
	}
	if w.N() != n || math.Abs(w.Sum()-sum) > float64(n)/finest {
		t.Errorf("n %d, sum %g, want %d, %g", w.N(), w.Sum(), n, sum)
	}
	if m := w.Mirror(); m.N() != n || math.Abs(m.Sum()+w.Sum()-float64(n)) > 1e-6 {
		t.Errorf("mirrored: n %d, sum %g", m.N(), m.Sum())
	}
	var year Weights
	year.Add(0.3, 600_000_000_000) // a million a minute
	if got := year.Mean(); math.Abs(got-0.3) > 1e-7 || year.N() != 600_000_000_000 {
		t.Errorf("mean of a year %g, n %d", got, year.N())
	}
}
