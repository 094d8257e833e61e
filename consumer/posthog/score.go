package posthog

import (
	"math"

	"github.com/driftd/driftd/consumer"
)

// score makes the event of an evaluation or a metric; false says that there is no score.
func (d *decoder) score() bool {
	e := &d.event
	e.Has, e.Model = 0, nil // the judge's
	if d.kind == metric {
		v, _ := d.found.get(metricValue)
		e.AddScore(value(d.name(metricName), v))
		return true
	}
	if yes, ok := d.says(evaluationApplicable); ok && !yes {
		return false
	}
	if yes, _ := d.says(evaluationSkipped); yes || d.is(evaluationMode, "offline") {
		return false
	}
	d.target()
	rubric := d.name(evaluationName)
	for _, p := range [...]property{evaluationResult, evaluationNumber, sentiment, evaluationCategory} {
		v, ok := d.found.get(p)
		if !ok {
			continue
		}
		if p == evaluationCategory && v.Type == consumer.Other {
			return false // none or several categories: no value on a scale
		}
		s := value(rubric, v)
		d.checkRange(&s)
		e.AddScore(s)
		return true
	}
	e.AddScore(consumer.ScoreValue{Rubric: rubric})
	return true
}

// target sets what the evaluation is about: a generation, by the uuid of its row, or a trace.
func (d *decoder) target() {
	e := &d.event
	if e.Response = d.id(targetEvent); len(e.Response) > 0 {
		return
	}
	switch {
	case d.is(targetType, "generation_uuid"):
		e.Response = d.id(target)
	case e.Trace == [16]byte{} && (d.is(targetType, "trace_id") || d.is(targetType, "trace")):
		e.Trace = traceID(d.id(target))
	}
}

// value makes a score of a boolean (1 and 0), a number, a text that is one of them, or a label.
func value(rubric []byte, v *consumer.Value) consumer.ScoreValue {
	s := consumer.ScoreValue{Rubric: rubric, HasValue: true}
	if yes, ok := boolean(v); ok && v.Type != consumer.Int {
		if yes {
			s.Value = 1
		}
		return s
	}
	if s.Value = number(v); math.IsNaN(s.Value) {
		s.Value, s.HasValue = 0, false
		if v.Type == consumer.Text {
			s.Label = v.Text
		}
	}
	return s
}

// checkRange refuses a number outside the range that the record gives itself.
func (d *decoder) checkRange(s *consumer.ScoreValue) {
	if !s.HasValue {
		return
	}
	for _, bound := range [...]struct {
		at   property
		sign float64
	}{{evaluationMin, -1}, {scoreMin, -1}, {evaluationMax, 1}, {scoreMax, 1}} {
		if limit, ok := d.number(bound.at); ok && (s.Value-limit)*bound.sign > 0 {
			d.event.Refuse(consumer.OutOfRange, "the result is not between "+names[evaluationMin]+" and "+names[evaluationMax])
		}
	}
}
