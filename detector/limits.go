package detector

import (
	"math"

	"github.com/driftd/driftd/rules"
)

// limit is a bound of a rule made ready. The zero limit is not there.
type limit struct {
	set, percent bool
	value        float64
}

func limitOf(b *rules.Bound) limit {
	if b == nil {
		return limit{}
	}
	return limit{set: true, percent: b.Percent, value: b.Value}
}

// at is the limit in the metric's unit; NaN, which nothing passes, where it is not there. A percentage of a negative
// reference lies on the same side of it as that of a positive one: 95 % is always a little below.
func (l limit) at(reference float64) float64 {
	switch {
	case !l.set:
		return math.NaN()
	case !l.percent:
		return l.value
	case reference < 0:
		return (2 - l.value) * reference
	}
	return l.value * reference
}

// limits are those of one rule.
type limits struct {
	below, above               limit
	recoverAbove, recoverBelow limit
}

// judge tells which limit value passes and where that is. An alert that fires, on side was, is held until the value has
// passed the recovery limit of that side.
func (l *limits) judge(value, reference float64, was side) (side, float64) {
	low, high := l.below.at(reference), l.above.at(reference)
	switch {
	case value < low:
		return under, low
	case value > high:
		return over, high
	case was == under && value < l.recoverAbove.at(reference):
		return under, low
	case was == over && value > l.recoverBelow.at(reference):
		return over, high
	}
	return neither, math.NaN()
}

// of is the limit of one side.
func (l *limits) of(s side, reference float64) float64 {
	switch s {
	case under:
		return l.below.at(reference)
	case over:
		return l.above.at(reference)
	}
	return math.NaN()
}
