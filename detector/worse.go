package detector

import (
	"math"
	"time"
)

// An alert that fires is clearly worse than at its newest step when it has gone beyond its bound by so much more: a twentieth of the
// bound, and a quarter of how far beyond it was. So it is told in few steps however bad it gets, and who has taken it on hears of it.
//
// A window that fills with what made the alert fire goes on getting worse without news. So the steps of one are a quarter of its length
// apart, and five minutes at least. The sequential kinds look at stretches of fifteen minutes and more; see recovery.go.
const (
	worseOfBound = 0.05
	worseOfGap   = 0.25
	worseApart   = 5 * time.Minute
)

// patience is how far apart the steps are by which an alert of a window gets worse.
func (r *rule) patience() time.Duration { return max(worseApart, r.Window()/4) }

// beyond is how far the value lies beyond its bound, as a share of the bound, or in the metric's unit where the bound is 0. An empty window,
// which has no value, is worst.
func (v *verdict) beyond() float64 {
	switch d := math.Abs(v.value - v.bound); {
	case math.IsNaN(d):
		return math.Inf(1)
	case v.bound == 0:
		return d
	default:
		return d / math.Abs(v.bound)
	}
}

// clearlyWorse compares with the newest step. least is by how much it must have grown in any case, in the metric's unit. What lies on the
// good side of its bound is no worse.
func (v *verdict) clearlyWorse(told *verdict, least float64) bool {
	if v.side == under && !(v.value < v.bound) || v.side == over && !(v.value > v.bound) || v.side == neither {
		return false
	}
	now, was, need := v.beyond(), told.beyond(), worseOfBound
	if unit := math.Abs(v.bound); unit == 0 || told.bound == 0 {
		now, was, need = math.Abs(v.value-v.bound), math.Abs(told.value-told.bound), worseOfBound*unit
	} else {
		least /= unit
	}
	return now-was >= max(need, was*worseOfGap, least)
}

// outside says that a value is not what the verdict's interval takes for possible.
func (v *verdict) outside(value float64) bool {
	return !(v.low < v.high) || value < v.low || value > v.high
}
