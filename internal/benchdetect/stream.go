package main

import (
	"math"
	"math/rand/v2"

	"github.com/driftd/driftd/detector/evidence"
)

// minutes of a day are its panes.
const day = 1440

// pane is a minute of one series, and of a second one that runs beside it with the same ups and downs.
type pane struct {
	minute  int
	x       []float64
	w       evidence.Weights    // of x
	cohorts [2]evidence.Weights // the same, apart
	beside  evidence.Weights    // of the other series, which never drops
	holder  evidence.Weights    // of one with nine times the scores
}

// holderRate is the greatest rate at which panes have a holder.
const holderRate = 10

// null is a way of being healthy.
type null string

const (
	iid    null = "iid"
	volume null = "volume ×20"
	swing  null = "daily swing"
	wander null = "AR(1) 0.5"
	mix    null = "shifting mix"
)

var nulls = []null{iid, volume, swing, wander, mix}

// stream makes the panes of one series.
type stream struct {
	dist dist
	rate float64 // scores a minute
	null null
	drop float64 // from minute at on
	at   int

	r     *rand.Rand
	ar    float64
	share float64 // of the first cohort, less a half, in the mixture
	phase float64
	p     pane
}

func (s *stream) next(minute int) *pane {
	mean, rate, gap := s.dist.mean(), s.rate, 0.0
	switch s.null {
	case volume: // from a tenth of the rate to twice of it within the day, and from minute to minute
		rate *= math.Exp(math.Log(20)*(0.5+0.35*math.Sin(s.phase+2*math.Pi*float64(minute)/day)+0.3*(s.r.Float64()-0.5))) / 10
	case swing:
		mean += 0.03 * math.Sin(s.phase+2*math.Pi*float64(minute)/day)
	case wander: // standard deviation .03 from pane to pane
		s.ar = 0.5*s.ar + 0.03*math.Sqrt(0.75)*s.r.NormFloat64()
		mean += s.ar
	case mix: // cohorts .1 apart, whose shares take hours to shift
		gap = 0.05
		s.share += -0.001*s.share + 0.01*s.r.NormFloat64()
		s.share = max(-0.4, min(0.4, s.share))
	}
	dropped := mean
	if s.drop > 0 && minute >= s.at {
		dropped -= s.drop
	}
	p := &s.p
	*p = pane{minute: minute, x: p.x[:0]}
	add := func(mean, rate float64, one func(x float64, cohort int)) {
		if gap == 0 {
			draw := s.dist.at(mean)
			for range poisson(s.r, rate) {
				one(draw(s.r), 0)
			}
			return
		}
		for i, share := range [2]float64{0.5 + s.share, 0.5 - s.share} {
			draw := s.dist.at(mean + gap*float64(1-2*i))
			for range poisson(s.r, rate*share) {
				one(draw(s.r), i)
			}
		}
	}
	add(dropped, rate, func(x float64, cohort int) {
		p.x = append(p.x, x)
		p.cohorts[cohort].Add(x, 1)
	})
	p.w = p.cohorts[0]
	p.w.Merge(&p.cohorts[1])
	add(mean, rate, func(x float64, _ int) { p.beside.Add(x, 1) })
	if s.rate <= holderRate {
		add(mean, 9*rate, func(x float64, _ int) { p.holder.Add(x, 1) })
	}
	return p
}

func poisson(r *rand.Rand, mean float64) int {
	if mean > 50 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	n, p, limit := 0, r.Float64(), math.Exp(-mean)
	for p > limit {
		n++
		p *= r.Float64()
	}
	return n
}
