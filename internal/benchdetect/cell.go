package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// contender is a method under its name in the table.
type contender struct {
	name     string
	budget   float64 // false alarms a day; 0 for the plain ones, which state none
	promises []null  // where that is claimed
	make     func(c contender, d dist) method
}

func (k contender) ours() bool { return k.budget > 0 }

// The names that the summary asks for.
const (
	knownMean   = "drift, known mean"
	sealedDay   = "drift, sealed day"
	sameHours   = "drift, same hours"
	byCohorts   = "drift, by cohorts"
	canaryHalf  = "canary, half the traffic"
	canaryTenth = "canary, a tenth of it" // where there is a holder
	told        = ": told"                // what a rule with drop: .05 makes of it
	toldSafe    = ": told, 1/300d"        // and one that may roll back
	limit       = "(all known but the time)"
	plainWelch  = "Welch 1h/24h p<.01"
)

var steady = []null{iid, volume}

var contenders = []contender{
	{knownMean, byDefault, steady, makeKnown},
	{knownMean + told, byDefault, steady, makeKnown},
	{knownMean + toldSafe, forRollback, steady, makeKnown},
	{sealedDay, byDefault, steady, makeSealed},
	{sealedDay + told, byDefault, steady, makeSealed},
	{"drift, sealed two days", byDefault, steady, makeSealed},
	{sameHours, byDefault, []null{iid, swing}, func(k contender, _ dist) method { return &hourly{sequential: k.sequential()} }},
	{byCohorts, byDefault, []null{iid, volume, mix}, func(k contender, _ dist) method { return &cohorts{sequential: k.sequential()} }},
	{canaryHalf, byDefault, nulls, makeCanary},
	{canaryHalf + told, byDefault, nulls, makeCanary},
	{canaryHalf + toldSafe, forRollback, nulls, makeCanary},
	{canaryTenth, byDefault, nulls, makeCanary},
	{canaryTenth + told, byDefault, nulls, makeCanary},
	{canaryTenth + toldSafe, forRollback, nulls, makeCanary},
	{limit, byDefault, nil, func(_ contender, d dist) method { return newClairvoyant(d) }},
	{plainWelch, 0, nil, func(contender, dist) method { return welch{newRolling(false)} }},
	{"KS 1h/24h p<.01", 0, nil, func(contender, dist) method { return ks{newRolling(true)} }},
	{"mean(1h) < m−.03", 0, nil, func(_ contender, d dist) method { return floor{newRolling(false), d.mean()} }},
	{"ADWIN δ=.002", 0, nil, func(contender, dist) method { return new(adwin) }},
	{"Page–Hinkley λ=50", 0, nil, func(contender, dist) method { return new(pageHinkley) }},
}

func (k contender) sequential() sequential {
	return sequential{budget: k.budget, told: strings.Contains(k.name, told)}
}

func makeKnown(k contender, d dist) method { return &known{dist: d, sequential: k.sequential()} }

func makeSealed(k contender, _ dist) method {
	return &sealed{sequential: k.sequential(), twice: strings.HasSuffix(k.name, "two days")}
}

func makeCanary(k contender, _ dist) method {
	return &canary{sequential: k.sequential(), tenth: strings.HasPrefix(k.name, canaryTenth)}
}

// shown tells whether the contender takes part in the cell. A day has enough scores for each of its hours at ten a minute, if they
// come evenly.
func (k contender) shown(c *cell) bool {
	switch {
	case strings.HasPrefix(k.name, canaryTenth):
		return c.rate <= holderRate
	case k.name == sameHours:
		return c.rate >= 10 && c.null != volume
	}
	return true
}

var drops = [...]float64{0.02, 0.05, 0.13}

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
	delays [len(drops)][]float64 // minutes; +Inf when missed in a day
	onset  [len(drops)][]float64 // minutes off the true one, of alarms in time
	holds  [len(drops)]int       // how many intervals of the effect have the true one
	told   [len(drops)]int       // of how many
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
		m = append(m, k.make(k, c.dist))
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
			if contenders[i].ours() || quiet[i] >= rearm {
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
	methods[slices.IndexFunc(contenders, func(k contender) bool { return k.name == limit })].(*clairvoyant).drop = d
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
				onset, e := t.tell()
				l.onset[d] = append(l.onset[d], float64(onset-at))
				l.told[d]++
				if e.Low <= -drops[d] && -drops[d] <= e.High {
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
