package main

import (
	"math"
	"math/rand/v2"
	"slices"
)

// contender is a method under its name in the table.
type contender struct {
	name     string
	ours     bool
	promises []null // where the budget is claimed
	make     func(d dist) method
}

var contenders = []contender{
	{"drift, known mean", true, []null{iid, volume}, func(d dist) method { return &known{mean: d.mean()} }},
	{"drift, sealed day", true, []null{iid, volume}, func(dist) method { return new(sealed) }},
	{"drift, sealed day − .02", true, []null{iid, volume}, func(dist) method { return &sealed{tolerance: 0.02} }},
	{"drift, same hour", true, []null{iid, volume}, func(dist) method { return new(hourly) }},
	{"drift, by cohorts", true, []null{iid, volume, mix}, func(dist) method { return new(cohorts) }},
	{"canary, half the traffic", true, nulls, func(dist) method { return new(canary) }},
	{canaryTenth, true, nulls, func(dist) method { return &canary{tenth: true} }},
	{"(n, Σx, Σx² alone, known mean)", true, []null{iid, volume}, func(d dist) method { return newQuadratic(d.mean()) }},
	{"Welch 1h/24h p<.01", false, nil, func(dist) method { return welch{newRolling(false)} }},
	{"KS 1h/24h p<.01", false, nil, func(dist) method { return ks{newRolling(true)} }},
	{"mean(1h) < m−.03", false, nil, func(d dist) method { return floor{newRolling(false), d.mean()} }},
	{"ADWIN δ=.002", false, nil, func(dist) method { return new(adwin) }},
	{"Page–Hinkley λ=50", false, nil, func(dist) method { return new(pageHinkley) }},
}

const canaryTenth = "canary, a tenth of it" // where there is a holder

var drops = []float64{0.02, 0.05, 0.13}

// cell is one block of the table: a stream, judged by all contenders.
type cell struct {
	dist dist
	rate float64
	null null

	days  int // judged for false alarms
	runs  int // for the delays of each drop; 0 leaves them out
	lines []line
}

// line is what one contender did.
type line struct {
	false  int
	delays [3][]float64 // minutes; +Inf when missed in a day
	onset  [3][]float64 // minutes off the true one, of alarms in time
	holds  [3]int       // how many intervals of the effect have the true one
	told   [3]int       // of how many
}

const (
	runDays = 10
	rearm   = 60 // minutes without firing, after which firing is a new alarm of a plain test
)

func (c *cell) run(seed uint64) {
	c.lines = make([]line, len(contenders))
	for i := range max(1, c.days/runDays) {
		c.healthy(rand.New(rand.NewPCG(seed, uint64(i))))
	}
	for d := range drops {
		for i := range c.runs {
			c.dropped(d, rand.New(rand.NewPCG(seed, uint64((d+1)*1_000_000+i))))
		}
	}
}

func (c *cell) stream(r *rand.Rand) *stream {
	return &stream{dist: c.dist, rate: c.rate, null: c.null, r: r, phase: 2 * math.Pi * r.Float64()}
}

func (c *cell) methods() (m []method) {
	for _, k := range contenders {
		m = append(m, k.make(c.dist))
	}
	return m
}

// healthy counts false alarms. Every alarm of ours counts; a plain test that goes on firing has given one.
func (c *cell) healthy(r *rand.Rand) {
	s, methods := c.stream(r), c.methods()
	quiet := make([]int, len(methods))
	for i := range quiet {
		quiet[i] = rearm
	}
	for minute := range learning + runDays*day {
		p := s.next(minute)
		for i, m := range methods {
			if !m.pane(p) {
				quiet[i]++
				continue
			}
			if contenders[i].ours || quiet[i] >= rearm {
				c.lines[i].false++
			}
			quiet[i] = 0
		}
	}
}

// dropped measures how long a drop that begins two hours after the learning takes to be seen.
func (c *cell) dropped(d int, r *rand.Rand) {
	const at = learning + 120
	s, methods := c.stream(r), c.methods()
	s.drop, s.at = drops[d], at
	for minute := 0; minute < at+day && slices.ContainsFunc(methods, func(m method) bool { return m != nil }); minute++ {
		p := s.next(minute)
		for i, m := range methods {
			if m == nil || !m.pane(p) || minute < at-1 {
				continue
			}
			methods[i] = nil
			if minute == at-1 {
				continue // it fires already
			}
			l := &c.lines[i]
			l.delays[d] = append(l.delays[d], float64(minute-at+1))
			if t, ok := m.(teller); ok {
				onset, low, high := t.tell()
				l.onset[d] = append(l.onset[d], float64(onset-at))
				l.told[d]++
				if low <= -drops[d] && -drops[d] <= high {
					l.holds[d]++
				}
			}
		}
	}
	for i, m := range methods {
		if m != nil {
			c.lines[i].delays[d] = append(c.lines[i].delays[d], math.Inf(1))
		}
	}
}

// quantile of values, the nearest one; NaN without any.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	v := slices.Sorted(slices.Values(values))
	return v[min(len(v)-1, int(q*float64(len(v))))]
}

// poissonUpper is the 95 % upper confidence bound of a mean of which k were counted.
func poissonUpper(k int) float64 {
	return bisect(float64(k), float64(k)+20+6*math.Sqrt(float64(k)+1), func(mean float64) bool { return poissonUpTo(k, mean) > 0.05 })
}

// poissonLower is the 95 % lower one.
func poissonLower(k int) float64 {
	return bisect(0, float64(k), func(mean float64) bool { return 1-poissonUpTo(k-1, mean) < 0.05 })
}

// bisect is where rising turns false.
func bisect(low, high float64, rising func(float64) bool) float64 {
	for range 60 {
		if mid := (low + high) / 2; rising(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// poissonUpTo is the probability of k or fewer.
func poissonUpTo(k int, mean float64) (p float64) {
	term := -mean
	for i := 0; i <= k; i++ {
		if i > 0 {
			term += math.Log(mean / float64(i))
		}
		p += math.Exp(term)
	}
	return p
}
