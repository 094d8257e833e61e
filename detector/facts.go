package detector

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// maxFacts are told of an alert, the weightiest first.
const maxFacts = 6

// because are the facts that the cause rests on, as short sentences without an end.
func (q *inquiry) because() (facts []string) {
	say := func(format string, args ...any) {
		if len(facts) < maxFacts {
			facts = append(facts, fmt.Sprintf(format, args...))
		}
	}
	q.sayChange(say)
	for _, c := range q.changed {
		q.sayChanged(say, c)
	}
	q.sayOthers(say)
	q.sayCohorts(say)
	if c := &q.clues; c.real && !c.beside && len(q.changed) == 0 {
		say("nothing else changed near the onset that driftd can see")
		if c.versions == unknown && c.prompts == unknown {
			say("no other version, and no other prompt on the same model in this partition, has enough %s to compare with", q.things())
		}
	}
	return facts
}

// sayChange tells how the values moved, or why that cannot be said.
func (q *inquiry) sayChange(say func(string, ...any)) {
	v, before, after := q.rec.Version, q.effect.before, q.effect.after
	where := ""
	if len(q.focus) > 0 && len(q.focus) != len(q.scope) {
		where = " in " + cohortName(q.dims, q.focus)
	}
	from := q.before.version
	if q.before.compared {
		from = q.rec.Against.Variant
	}
	switch {
	case after.N < fewValues:
		say("%s has only %s%s since %s: too few to compare", v, q.count(after.N), where, q.hour(q.turn))
	case before.N < fewValues && q.turn.Before(q.now.Add(-day+quarter)):
		say("the %s began more than a day ago: what was before is not kept for so long", q.word())
	case before.N < fewValues:
		say("%s has only %s%s before %s: too few to compare with", from, q.count(before.N), where, q.hour(q.turn))
	case q.clues.within:
		say("%s has %s over %s, its own variant %s has %s in the same time: it is the variant, not the version", v, q.figure(meanOf(after)), q.count(after.N), from, q.figure(meanOf(before)))
	case q.clues.beside:
		say("%s has %s over %s%s, %s has %s over %s in the same time", v, q.figure(meanOf(after)), q.count(after.N), where, from, q.figure(meanOf(before)), q.count(before.N))
	case q.clues.mix:
		say("%s has %s over %s since %s, %s had %s over %s before, but cohorts that are in both are much the same", v, q.figure(meanOf(after)), q.count(after.N), q.hour(q.turn), from, q.figure(meanOf(before)), q.count(before.N))
		if n := newcomers(q.rows); n >= 0.1*float64(after.N) {
			say("%s of the %s since then are of cohorts that were not there before", inPercent(n/float64(after.N)), q.things())
		}
	case q.clues.real && q.clues.began:
		say("%s has %s over %s%s since %s, %s had %s over %s before", v, q.figure(meanOf(after)), q.count(after.N), where, q.hour(q.turn), from, q.figure(meanOf(before)), q.count(before.N))
	case q.clues.real:
		say("%s had %s over %s%s before %s, and %s over %s since", v, q.figure(meanOf(before)), q.count(before.N), where, q.hour(q.turn), q.figure(meanOf(after)), q.count(after.N))
	case q.clues.began:
		say("%s was no better: %s over %s, %s has %s over %s", from, q.figure(meanOf(before)), q.count(before.N), v, q.figure(meanOf(after)), q.count(after.N))
	default:
		say("%s has not clearly %s on average: %s over %s before %s, %s over %s since", v, q.done(), q.figure(meanOf(before)), q.count(before.N), q.hour(q.turn), q.figure(meanOf(after)), q.count(after.N))
		if a := q.rec.Against; a != nil && a.Sealed != nil && q.rec.Reference != nil {
			say("the baseline of %s was sealed on %s: the %s is slow, or older than what is compared", q.figure(*q.rec.Reference), a.Sealed.UTC().Format("2 Jan 15:04"), q.word())
		}
	}
}

// newcomers is how many values are of rows that had none before.
func newcomers(rows []row) (n float64) {
	for i := range rows {
		if rows[i].before.N == 0 {
			n += float64(rows[i].after.N)
		}
	}
	return n
}

// sayChanged tells what changed on an axis.
func (q *inquiry) sayChanged(say func(string, ...any), c Changed) {
	at := q.hour(c.Time)
	if d := q.turn.Sub(c.Time).Round(time.Minute); d >= 2*time.Minute {
		at += fmt.Sprintf(", %d min before the onset", int(d.Minutes()))
	} else if d <= -2*time.Minute {
		at += fmt.Sprintf(", %d min after the onset", int(-d.Minutes()))
	}
	switch c.Axis {
	case axisVersion:
		if c.From == "" {
			say("%s began at %s", c.To, at)
		} else if first, _ := q.store.Span(q.rec.Prompt, c.To); c.Time.Sub(first) > 2*time.Minute {
			say("%s took over from %s at %s", c.To, c.From, at)
		} else {
			say("%s began at %s, after %s", c.To, at, c.From)
		}
	case axisFallback:
		say("the share of calls with the fallback prompt went from %s to %s at %s", c.From, c.To, at)
	case "template_hash":
		say("the template of %s was edited in place at %s: %s → %s", q.rec.Version, at, named(c.From), named(c.To))
	default:
		say("%s of %s changed at %s: %s → %s", c.Axis, q.rec.Version, at, named(c.From), named(c.To))
	}
}

func named(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// sayOthers tells of other versions and prompts that moved or stood.
func (q *inquiry) sayOthers(say func(string, ...any)) {
	where := "the same cohorts"
	if len(q.focus) > 0 {
		where = cohortName(q.dims, q.focus)
	}
	tell := func(o *other, name, place string) {
		m := &o.move
		switch {
		case o.motion == moved && o.early:
			say("%s had moved before %s began: %s, then %s in its last 30 min", name, q.rec.Version, q.figure(meanOf(m.before)), q.figure(meanOf(m.after)))
		case o.motion == moved:
			say("%s%s moved too: %s, then %s over %s", name, place, q.figure(meanOf(m.before)), q.figure(meanOf(m.after)), q.count(m.after.N))
		case o.motion == stood:
			say("%s%s has not moved (%s over %s)", name, place, q.figure(meanOf(m.after)), q.count(m.after.N))
		}
	}
	for _, how := range [2]motion{moved, stood} {
		told := 0
		for i := range q.versions {
			if o := &q.versions[i]; o.motion == how && told < 2 {
				told++
				tell(o, o.version, " serves "+where+" beside it and")
			}
		}
		told = 0
		for i := range q.prompts {
			if o := &q.prompts[i]; o.motion == how && told < 2 {
				told++
				tell(o, strings.TrimSpace(o.prompt+" "+o.version), ", another prompt on the same model,")
			}
		}
	}
}

// sayCohorts tells which cohorts make up the change.
func (q *inquiry) sayCohorts(say func(string, ...any)) {
	word := q.word()
	for i := range q.found {
		p := &q.found[i]
		name := cohortName(q.dims, p.cohort)
		if p.alone {
			say("the %s is in %s alone, %s of the traffic: the rest has not moved", word, name, inPercent(p.traffic))
			continue
		}
		say("%s makes up %s of the %s with %s of the traffic", name, inPercent(p.share), word, inPercent(p.traffic))
	}
	m := moveOf(within(q.dims, q.rows, q.scope))
	if whole := m.rate + m.mix; q.clues.mix && finite(m.mix/whole) {
		say("a shift of the mix of cohorts makes up %s of the %s", inPercent(min(m.mix/whole, 1)), word)
	} else if q.clues.real && len(q.found) == 0 && len(q.rows) > 1 && len(q.scope) == 0 {
		say("no cohort stands out: the %s is spread over %d of them", word, len(q.rows))
	}
}

func (q *inquiry) word() string {
	if q.direction < 0 {
		return "drop"
	}
	return "rise"
}

func (q *inquiry) done() string {
	if q.direction < 0 {
		return "fallen"
	}
	return "risen"
}

// things is what the values are called.
func (q *inquiry) things() string {
	if q.unit.Rubric {
		return "scores"
	}
	return "calls"
}

func (q *inquiry) count(n int64) string {
	if n == 1 {
		return "1 " + strings.TrimSuffix(q.things(), "s")
	}
	return rules.Grouped(n) + " " + q.things()
}

// figure is a mean of the metric, as people read it.
func (q *inquiry) figure(v float64) string { return q.unit.NumberOf(v).String() }

func inPercent(share float64) string {
	p := share * 100
	if p < 1 && p > 0 {
		return "less than 1 %"
	}
	return strconv.Itoa(int(math.Round(p))) + " %"
}

// hour is when something was, with the day where that was not today.
func (q *inquiry) hour(t time.Time) string {
	if t = t.UTC(); t.Truncate(day).Equal(q.now.UTC().Truncate(day)) {
		return t.Format("15:04")
	}
	return t.Format("2 Jan 15:04")
}

// cohortName writes a cohort for people: its values in the order of the dimensions.
func cohortName(names []string, cohort map[string]string) string {
	var out []string
	for _, name := range names {
		v, ok := cohort[name]
		switch {
		case !ok:
		case v == "":
			out = append(out, "no "+name)
		case v == windows.Other:
			out = append(out, "all others")
		default:
			out = append(out, v)
		}
	}
	return strings.Join(out, " × ")
}
