package evidence

import "math"

// Effect is how far a mean has moved from the one it is compared with.
type Effect struct {
	Value     float64 // mean since the onset − reference; negative for a drop
	Low, High float64 // of it
	N         int64   // scores since the onset
}

// EffectOf says how great the change behind an alarm is. reference is the mean that it is measured from, and variance that mean's own.
//
// The interval is Wilson's shape for bounded scores at 95 %, as if the onset had been known. It was chosen because what follows it looks worst, so that the
// effect is a little overstated; the bench prints how often the interval holds the truth.
func EffectOf(since *Moments, reference, variance float64) Effect {
	const z = 1.96
	n := float64(since.N)
	mean := since.Mean()
	v := max(0, since.Squares/n-mean*mean)
	if since.N > 1 {
		v *= n / (n - 1)
	}
	v = (v*n + 0.25*z) / (n + z) // few scores say little of their own variance: as if z more had the greatest there is
	half := z * math.Sqrt(v/n+variance)
	e := Effect{Value: mean - reference, N: since.N}
	e.Low, e.High = max(e.Value-half, -reference), min(e.Value+half, 1-reference)
	return e
}
