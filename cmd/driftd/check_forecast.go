package main

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/rules"
)

// perDay is the number of panes in a day: sequential rules look once a minute.
const perDay = 24 * 60

// stream is the values of one series as a sequential rule reads them: on a scale from 0 to 1 of which higher is better, so
// that what the rule looks for is a drop. Of an exceed a value is 1 within the limit and 0 beyond it.
type stream struct {
	rate     float64 // values a minute
	mean, sd float64
	cohorts  []stream // that a total consists of, where the rule looks at them too
}

// sight is what a sequential rule can be expected to see in a stream. Amounts are in the metric's unit.
type sight struct {
	learns   time.Duration // until there is a baseline; 0 where there is none to learn
	by       float64       // the change asked for; of an exceed from the present share to twice the limit
	delay    time.Duration // until it is seen, in the middle; never where it is not
	smallest float64       // change that is seen within a day; +Inf for none
	beyond   bool          // the mean, or share, is beyond what the rule claims as it is
}

// never is longer than anybody waits.
const never = time.Duration(math.MaxInt64)

// width is of the rule's scale, in the metric's unit; 1 of an exceed, which counts.
func width(r *rules.Rule) float64 {
	if r.Exceed != nil {
		return 1
	}
	return r.Scale.Max - r.Scale.Min
}

// drift is what the rule asks of a mean; nil for an exceed.
func drift(r *rules.Rule) *rules.Drift {
	if r.Canary != nil {
		return r.Canary
	}
	return r.Drift
}

// scaled is a value of the metric on the scale of streams, and back.
func scaled(r *rules.Rule, v float64) float64 {
	x := (v - r.Scale.Min) / width(r)
	if drift(r).Rise {
		return 1 - x
	}
	return x
}

func unscaled(r *rules.Rule, x float64) float64 {
	if d := drift(r); d == nil || d.Rise {
		x = 1 - x
	}
	if r.Exceed != nil {
		return x
	}
	return r.Scale.Min + x*width(r)
}

// cuts is in how many parts the budget of a group's rules is cut: the prompts of one that matches several are spread over the
// partitions, none of which knows how many series the others watch.
func cuts(g *rules.Group, partitions int) int {
	if prompt, ok := g.Match["prompt"]; ok && !strings.ContainsAny(prompt, `*?\`) {
		return 1
	}
	return partitions
}

// share is the part of a rule's budget that each of so many series gets, in alarms a day.
func share(r *rules.Rule, cuts, series int) float64 {
	budget, _ := r.Budget()
	return budget.PerDay() / float64(cuts) / float64(max(series, 1))
}

// sightOf forecasts what the rule sees in the stream, whose share of the budget is so many alarms a day. Of a canary the stream's
// rate is that of both sides' values together as far as they count: nx·ny/(nx+ny).
func sightOf(r *rules.Rule, s stream, share float64) sight {
	var out sight
	p := evidence.Power{Mean: s.mean, SD: s.sd, N: s.rate, B: share / perDay}
	claim, ahead := s.mean, 0.0 // what H0 says the mean is at least, before rounding
	switch d := drift(r); {
	case r.Exceed != nil:
		claim = 1 - r.Exceed.Share
		out.by = max(0, s.mean-(1-min(1, 2*r.Exceed.Share)))
	case d.Against.Kind == rules.AgainstFixed:
		claim = scaled(r, d.Against.Value)
		out.by = d.By.Value
		ahead = s.mean - claim // by which it is better than what the change is counted from
	default:
		out.by = d.By.Value
		if d.By.Percent {
			out.by *= unscaled(r, s.mean)
		}
		if r.Drift != nil {
			out.learns = minutes(evidence.BaselineN / s.rate)
			switch d.Against.Kind {
			case rules.AgainstLast24h:
				out.learns = max(out.learns, 24*time.Hour)
			case rules.AgainstSameHours:
				out.learns = max(out.learns*evidence.Hours/longestBlock, 24*time.Hour)
			}
			claim = sealedAt(s, baselineSize(d, s.rate))
		}
	}
	if r.Canary == nil {
		if t := evidence.NewTable(claim, evidence.Aim{}); t != nil {
			p.M = t.M()
		}
	} else {
		p.M = claim
	}
	out.beyond = s.mean < claim-1e-9
	if out.beyond {
		p.M = min(p.M, s.mean) // what it takes from where the claim is true
	}
	switch d := drift(r); { // the change that half of the bets are aimed at
	case r.Exceed != nil:
		p.By = min(r.Exceed.Share, 1-r.Exceed.Share) + s.mean - claim
	case d.Against.Kind != rules.AgainstFixed && !(r.Canary != nil && d.By.Percent):
		p.By = out.by / width(r)
	}
	if s.rate <= 0 {
		out.learns, out.delay, out.smallest = never, never, math.Inf(1)
		return out
	}
	out.delay = minutes(p.Delay(out.by/width(r) + ahead))
	out.smallest = (p.Smallest(perDay) - ahead) * width(r)
	return out
}

// longestBlock is how many hours of the day have one baseline at most, of a rule against the same hours.
const longestBlock = 4.0

// baselineSize is how many scores a baseline is sealed from: at least BaselineN; of 24h a day of the series' own, else what
// was kept of the other side, the last one to two days.
func baselineSize(d *rules.Drift, rate float64) float64 {
	days := 1.5
	switch d.Against.Kind {
	case rules.AgainstLast24h:
		days = 1
	case rules.AgainstSameHours: // of each block of hours, which are as short as they can be
		for hours := 1.0; hours < longestBlock; hours++ {
			if n := rate * 60 * hours; n >= evidence.BaselineN {
				return n
			}
		}
		days = longestBlock / evidence.Hours
	}
	return max(evidence.BaselineN, days*perDay*rate)
}

// sealedAt is the bound of a baseline of n values of the stream. That of a total is made of its cohorts', each of which has the bound
// of its own values where there are enough of them, and less of the risk.
func sealedAt(s stream, n float64) float64 {
	var parts []stream
	rest := stream{mean: 0}
	cohorts := slices.SortedFunc(slices.Values(s.cohorts), func(a, b stream) int { return cmp.Compare(b.rate, a.rate) })
	for i, c := range cohorts {
		if c.rate/s.rate*n >= evidence.BaselineN {
			parts = append(parts, c)
			continue
		}
		for _, c := range cohorts[i:] {
			rest.mean += c.rate * c.mean
			rest.sd += c.rate * c.sd * c.sd
			rest.rate += c.rate
		}
		break
	}
	if rest.rate > 0 {
		rest.mean, rest.sd = rest.mean/rest.rate, math.Sqrt(rest.sd/rest.rate)
		parts = append(parts, rest)
	}
	if len(parts) < 2 || rest.rate > 0 && rest.rate/s.rate*n < evidence.BaselineN && len(parts) == 2 {
		return bound(s, n, evidence.BaselineAlpha)
	}
	below, rate := 0.0, 0.0 // the mean
	for _, p := range parts {
		below += p.rate * (p.mean - bound(p, p.rate/s.rate*n, evidence.BaselineAlpha/float64(len(parts))))
		rate += p.rate
	}
	return max(0, s.mean-below/rate)
}

// bound is the lower confidence bound of the mean of n such scores.
func bound(s stream, n, alpha float64) float64 {
	sd := min(s.sd, math.Sqrt(s.mean*(1-s.mean)))
	up, down := sd, sd
	if s.mean+up > 1 {
		up = 1 - s.mean
		down = sd * sd / max(up, 1e-9)
	} else if s.mean-down < 0 {
		down = s.mean
		up = sd * sd / max(down, 1e-9)
	}
	var w evidence.Weights
	above := n
	if sd > 0 {
		above = n * down / (up + down)
		w.Add(s.mean-down, int64(math.Round(n-above)))
	}
	w.Add(s.mean+up, int64(math.Round(above)))
	return min(evidence.Lower(&w, alpha), s.mean)
}

// minutes is a length of time, never where there is no end to it.
func minutes(m float64) time.Duration {
	if !(m < 3650*perDay) {
		return never
	}
	return time.Duration(m * float64(time.Minute))
}
