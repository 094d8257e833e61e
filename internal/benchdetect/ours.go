package main

import (
	"math"

	"github.com/driftd/driftd/detector/evidence"
)

// method judges the minutes of one series in order. The first learning minutes are healthy.
type method interface {
	pane(p *pane) (fires bool)
}

// learning is how long a method may look before it is judged: the longest window that any of them has.
const learning = day + 60

// budget is one false alarm in 30 days.
const budget = 1.0 / (30 * day)

// sequential is what driftd's kinds have in common.
type sequential struct {
	series evidence.Series
	tables evidence.Tables
	paid   float64
	alarm  evidence.Alarm // the last one
	ref    float64        // what the effect is measured from
	refVar float64        // and how well that is known
}

func (s *sequential) add(p *pane, parts ...evidence.Part) (fires bool) {
	s.paid += budget
	a, ok := s.series.Add(int64(p.minute), s.paid, parts...)
	if ok {
		s.alarm = a
	}
	return ok
}

// known is drift against a fixed mean.
type known struct {
	sequential
	mean float64
}

func (k *known) pane(p *pane) bool {
	if p.minute < learning {
		return false
	}
	k.ref = k.mean
	return k.add(p, evidence.Part{Table: k.tables.For(k.mean), Weights: &p.w})
}

// sealed is drift against the first day, by its lower confidence bound.
type sealed struct {
	sequential
	tolerance float64 // how much worse than the baseline it may be
	baseline  evidence.Baseline
	m         float64
}

func (s *sealed) pane(p *pane) bool {
	if p.minute < day {
		s.baseline.Learn(&p.w)
		return false
	}
	if p.minute == day {
		bound, _ := s.baseline.Seal()
		s.m = bound - s.tolerance
		s.ref = s.baseline.Mean()
		s.refVar = s.baseline.Weights().Variance() / float64(s.baseline.N())
	}
	if p.minute < learning || s.m == 0 {
		return false
	}
	return s.add(p, evidence.Part{Table: s.tables.For(s.m), Weights: &p.w})
}

// hourly is drift against the same hour of the first day. The hours share α₀.
type hourly struct {
	sequential
	baseline [24]evidence.Weights
	m        [24]float64
}

func (h *hourly) pane(p *pane) bool {
	hour := p.minute % day / 60
	if p.minute < day {
		h.baseline[hour].Merge(&p.w)
		return false
	}
	if p.minute == day {
		for i := range h.m {
			h.m[i] = evidence.Lower(&h.baseline[i], evidence.BaselineAlpha/24)
		}
	}
	if p.minute < learning {
		return false
	}
	return h.add(p, evidence.Part{Table: h.tables.For(h.m[hour]), Weights: &p.w})
}

// cohorts is drift of a total whose cohorts are held against their own first day. They share α₀.
type cohorts struct {
	sequential
	baseline [2]evidence.Weights
	m        [2]float64
}

func (c *cohorts) pane(p *pane) bool {
	if p.minute < day {
		for i := range p.cohorts {
			c.baseline[i].Merge(&p.cohorts[i])
		}
		return false
	}
	if p.minute == day {
		for i := range c.m {
			c.m[i] = evidence.Lower(&c.baseline[i], evidence.BaselineAlpha/2)
		}
	}
	if p.minute < learning {
		return false
	}
	return c.add(p, evidence.Part{Table: c.tables.For(c.m[0]), Weights: &p.cohorts[0]}, evidence.Part{Table: c.tables.For(c.m[1]), Weights: &p.cohorts[1]})
}

// canary holds the series against the one beside it.
type canary struct {
	evidence evidence.Canary
	paid     float64
	tenth    bool // it has a tenth of the traffic, the other nine
}

func (c *canary) pane(p *pane) bool {
	if p.minute < learning {
		return false
	}
	c.paid += budget
	other := &p.beside
	if c.tenth {
		other = &p.holder
	}
	_, fires := c.evidence.Add(0, int64(p.minute), &p.w, other, c.paid)
	return fires
}

// quadratic is the e-detector from n, Σx, Σx² alone, with a known mean, to show what is gained by more: λ(nm−s)/(1−c) −
// ψ(λ)(Σ(x−c)²)/(1−c)², ψ(λ) = −ln(1−λ) − λ, c = m, 12 λ (Fan, Grama, Liu 2015; Shin, Ramdas, Rinaldo, 2203.03532).
type quadratic struct {
	mean float64
	logR [12]float64
}

func newQuadratic(mean float64) *quadratic {
	q := &quadratic{mean: mean}
	for k := range q.logR {
		q.logR[k] = math.Inf(-1)
	}
	return q
}

func (q *quadratic) pane(p *pane) bool {
	if p.minute < learning {
		return false
	}
	m, lambda, sum := q.mean, 0.6, 0.0
	var below, squares float64
	for _, x := range p.x {
		below += m - x
		squares += (x - m) * (x - m)
	}
	for k := range q.logR {
		psi := -math.Log1p(-lambda) - lambda
		inc := lambda*below/(1-m) - psi*squares/((1-m)*(1-m))
		q.logR[k] = math.Log(budget+math.Exp(q.logR[k])) + inc
		sum += math.Exp(q.logR[k]) / float64(len(q.logR))
		lambda /= 1.5
	}
	if sum < 1 {
		return false
	}
	*q = *newQuadratic(q.mean)
	return true
}
