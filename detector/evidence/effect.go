package evidence

import "math"

// Effect is how far a mean has moved from the one it is compared with.
type Effect struct {
	Value     float64 // mean since the onset − reference; negative for a drop
	Low, High float64 // of it
	N         int64   // scores since the onset
}

// EffectOf says how great the change behind an alarm is. reference is the mean that it is measured from, and variance that
// mean's own.
//
// The interval is that of Agresti and Coull (Approximate is better than exact, 1998) for scores between 0 and 1, at 95 % and as
// if the onset had been known: few scores say little of their own variance, so four more are thought in, two of 0 and two of 1.
// The onset is chosen because what follows it looks worst, so that small effects are overstated; the bench prints how often the
// interval holds the truth. It is to be read, never to be decided by. The zero Effect when there are no scores.
func EffectOf(since *Moments, reference, variance float64) Effect {
	if since.N <= 0 {
		return Effect{}
	}
	const z, more = 1.96, 4
	n := float64(since.N) + more
	centre := (since.Sum + more/2) / n
	v := max(0, (since.Squares+more/2)/n-centre*centre)
	half := z * math.Sqrt(v/n+variance)
	e := Effect{Value: since.Mean() - reference, N: since.N}
	e.Low, e.High = max(centre-half, 0)-reference, min(centre+half, 1)-reference
	e.Low, e.High = min(e.Low, e.Value), max(e.High, e.Value)
	return e
}
