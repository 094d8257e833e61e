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

// What rules may spend, in false alarms a day: by default, and where they may roll back.
const (
	byDefault   = 1.0 / 30
	forRollback = 1.0 / 300
)

// asked is the drop that the rules of the table ask for.
const asked = 0.05

// sequential is what driftd's kinds have in common.
type sequential struct {
	budget float64 // false alarms a day
	series evidence.Series
	paid   float64
	alarm  evidence.Alarm // the last one
	ref    float64        // what the effect is measured from
	refVar float64        // and how well that is known

	// told leaves out alarms as rules do: where the effect's 95 % interval has no drop as great as the one asked for. Such an
	// alarm is passed over, and the evidence starts anew.
	told bool
}

func (s *sequential) add(p *pane, parts ...evidence.Part) (fires bool) {
	s.paid += s.budget / day
	a, ok := s.series.Add(int64(p.minute), s.paid, parts...)
	if ok {
		s.alarm = a
	}
	return ok && (!s.told || worth(s.effect()))
}

func (s *sequential) effect() evidence.Effect {
	return evidence.EffectOf(&s.alarm.Since, s.ref, s.refVar)
}

func worth(e evidence.Effect) bool { return e.Low <= -asked }

// known is drift against a fixed mean.
type known struct {
	sequential
	dist  dist
	table *evidence.Table
}

func (k *known) pane(p *pane) bool {
	if p.minute < learning {
		return false
	}
	if k.table == nil {
		k.ref = k.dist.mean()
		k.table = evidence.NewTable(k.ref, evidence.Aim{Mean: k.ref, SD: k.dist.sd(), By: asked})
	}
	return k.add(p, evidence.Part{Table: k.table, Weights: &p.w})
}

// sealed is drift against the first day, by its lower confidence bound.
type sealed struct {
	sequential
	twice    bool // as many scores as of two days
	baseline evidence.Weights
	table    *evidence.Table
}

func (s *sealed) pane(p *pane) bool {
	if p.minute < day {
		s.baseline.Merge(&p.w)
		if s.twice {
			s.baseline.Merge(&p.beside)
		}
		return false
	}
	if p.minute == day {
		bound, variance := evidence.Lower(&s.baseline, evidence.BaselineAlpha), s.baseline.Variance()
		s.ref = s.baseline.Mean()
		s.refVar = variance / float64(s.baseline.N())
		s.table = evidence.NewTable(bound, evidence.Aim{Mean: s.ref, SD: math.Sqrt(variance), By: asked})
	}
	if p.minute < learning {
		return false
	}
	return s.add(p, evidence.Part{Table: s.table, Weights: &p.w})
}

// hourly is drift against the same hours of the first day.
type hourly struct {
	sequential
	baseline evidence.Seasonal
	tables   [evidence.Hours]*evidence.Table
}

func (h *hourly) pane(p *pane) bool {
	hour := p.minute % day / 60
	if p.minute < day {
		h.baseline.Learn(hour, &p.w)
		return false
	}
	if p.minute == day {
		blocks := h.baseline.Seal()
		for i := range h.tables {
			if len(blocks) > 0 {
				b := &blocks[i*len(blocks)/evidence.Hours]
				h.tables[i] = evidence.NewTable(b.Bound, evidence.Aim{Mean: b.Mean(), SD: math.Sqrt(b.Variance()), By: asked})
			}
		}
	}
	if p.minute < learning {
		return false
	}
	return h.add(p, evidence.Part{Table: h.tables[hour], Weights: &p.w})
}

// cohorts is drift of a total whose cohorts are held against their own first day. They share α₀.
type cohorts struct {
	sequential
	baseline [2]evidence.Weights
	tables   [2]*evidence.Table
}

func (c *cohorts) pane(p *pane) bool {
	if p.minute < day {
		for i := range p.cohorts {
			c.baseline[i].Merge(&p.cohorts[i])
		}
		return false
	}
	if p.minute == day {
		for i := range c.tables {
			w := &c.baseline[i]
			c.tables[i] = evidence.NewTable(evidence.Lower(w, evidence.BaselineAlpha/2), evidence.Aim{Mean: w.Mean(), SD: math.Sqrt(w.Variance()), By: asked})
		}
	}
	if p.minute < learning {
		return false
	}
	return c.add(p, evidence.Part{Table: c.tables[0], Weights: &p.cohorts[0]}, evidence.Part{Table: c.tables[1], Weights: &p.cohorts[1]})
}

// canary holds the series against the one beside it.
type canary struct {
	sequential
	pair  evidence.Canary
	tenth bool // it has a tenth of the traffic, the other nine

	other []sums // of the other side, up to each minute
}

func (c *canary) pane(p *pane) bool {
	if p.minute < learning {
		return false
	}
	c.paid += c.budget / day
	c.pair.By = asked
	beside := &p.beside
	if c.tenth {
		beside = &p.holder
	}
	if c.told {
		var now sums
		if len(c.other) > 0 {
			now = c.other[len(c.other)-1]
		}
		if n := float64(beside.N()); n > 0 {
			now.add(sums{n, beside.Sum(), n * (beside.Mean()*beside.Mean() + beside.Variance())}, 1)
		}
		c.other = append(c.other, now)
	}
	a, fires := c.pair.Add(0, int64(p.minute), &p.w, beside, c.paid)
	if !fires || !c.told {
		return fires
	}
	since := c.other[len(c.other)-1]
	if before := int(a.Onset) - learning - 1; before >= 0 {
		since.add(c.other[before], -1)
	}
	c.alarm, c.ref, c.refVar = a, since.mean(), since.variance()/since.n
	return worth(c.effect())
}
