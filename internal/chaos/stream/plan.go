package stream

import (
	"math/rand/v2"
	"time"
)

// pulsePrompt is the prompt of the records that keep every partition of a topic alive.
const pulsePrompt = "pulse"

// prompt is one of those that the stream has.
type prompt struct {
	name     string
	versions []string
	tiers    []string
	locales  []string
	weight   int     // of the traffic
	ends     float64 // share of the stream's length after which it is silent; 0 is never: its windows run empty
}

var prompts = []prompt{
	{name: "refund_handler", versions: []string{"v17", "v18"}, tiers: []string{"free", "enterprise"}, locales: []string{"en", "de"}, weight: 5},
	{name: "search_answer", versions: []string{"v3", "v4"}, tiers: []string{"free", "enterprise"}, locales: []string{"en"}, weight: 4},
	{name: "triage", versions: []string{"7"}, tiers: []string{"free", "enterprise"}, locales: []string{""}, weight: 2, ends: 0.7},
	{name: LatePrompt, versions: []string{"v1", ""}, tiers: []string{"free"}, locales: []string{"en"}, weight: 1},
}

// signal is something of a prompt's version, or of a cohort of it, that is bad for some minutes and then well again.
type signal struct{ prompt, version, what string }

// What may be bad. Cohorts that are bad by themselves have their tier as well.
const (
	quality  = "quality"
	slow     = "slow"
	failing  = "failing"
	dear     = "dear"
	wordy    = "wordy"
	surging  = "surging"
	judgment = "judgment"
)

// plan decides which minutes are bad.
func (g *generator) plan() {
	g.bad = make(map[signal][]bool)
	for _, p := range g.prompts {
		for _, v := range p.versions {
			for _, what := range []string{quality, quality + " enterprise", slow, failing, dear, wordy, surging, judgment} {
				g.bad[signal{p.name, v, what}] = phases(g.rng, g.minutes)
			}
		}
	}
}

// phases alternates between some good minutes and some bad ones.
func phases(rng *rand.Rand, minutes int) []bool {
	bad := make([]bool, minutes)
	for m := 2 + rng.IntN(6); m < minutes; m += 4 + rng.IntN(8) {
		for n := 2 + rng.IntN(7); n > 0 && m < minutes; n-- {
			bad[m] = true
			m++
		}
	}
	return bad
}

// rolledOut tells whether the bad version of RollbackPrompt serves at that time.
func (g *generator) rolledOut(at time.Time) bool {
	since := at.Sub(g.Begin)
	return since >= g.Length/3 && since < g.Length*2/3
}

// is tells whether something is bad at that time.
func (g *generator) is(what string, c *call) bool {
	m := int(c.end.Sub(g.Begin) / time.Minute)
	b := g.bad[signal{c.prompt, c.version, what}]
	return m >= 0 && m < len(b) && b[m]
}
