package main

import (
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/strictyaml"
	"github.com/driftd/driftd/rules"
)

const exampleEvent = `{"type":"span","time":"2026-11-20T14:32:00Z","prompt":"p","version":"v1","latency":1.2,"scores":{"grounding":0.9}}`

// problems are what is wrong with the rules for these events, and with the events.
func (h *history) problems() (ps rules.Problems) {
	for _, reason := range slices.Sorted(maps.Keys(h.refused)) {
		r := h.sample[reason]
		ps = append(ps, rules.Problem{File: h.file, Line: int(r.Offset), Warning: true, Hint: r.Detail,
			Message: fmt.Sprintf("%s not counted: %s; this is the first", many(h.refused[reason], "event"), strings.ReplaceAll(reason.String(), "_", " "))})
	}
	if n := h.lag.Events; n > 0 {
		ps = append(ps, rules.Problem{File: h.file, Line: int(h.lag.First), Warning: true, Hint: "sort the events by time",
			Message: fmt.Sprintf("%s out of order, and sequential rules do not read what comes late; this is the first, %s behind line %d", many(int(n), "event"), rules.Duration(h.lag.By.Round(time.Second)), h.lag.Behind)})
	}
	for _, rubric := range slices.Sorted(maps.Keys(h.outside)) {
		n, on := h.outside[rubric], ""
		if rubric != "" {
			on = " on `" + rubric + "`"
		}
		ps = append(ps, rules.Problem{File: h.file, Warning: true, Hint: "widen `min` and `max` of the rubric, or mend who scores",
			Message: fmt.Sprintf("%s%s %s outside the scale and not counted", many(n, "score"), on, map[bool]string{true: "is", false: "are"}[n == 1])})
	}
	if h.counts.Samples+h.counts.Scores == 0 {
		return append(ps, rules.Problem{File: h.file, Message: "holds neither calls nor scores that count", Hint: "one native event a line, such as " + exampleEvent})
	}
	for _, o := range h.outlooks {
		if p, ok := o.problem(); ok {
			ps = append(ps, p)
		}
	}
	return ps
}

// problem is what keeps the rule from doing what it is asked for.
func (o *outlook) problem() (p rules.Problem, ok bool) {
	p, key := o.finding()
	if p.Message == "" {
		return p, false
	}
	p.File, p.Line = o.rule.File, o.rule.Line
	if text, err := os.ReadFile(p.File); err == nil { // it was read a moment ago; without it there is no mark, and all else is said
		p = strictyaml.Quote(p, text, regexp.MustCompile(`\b`+key+`:\s*([^\s,}]+)`))
	}
	return p, true
}

// finding is the problem without its place; it stands at the value of the key.
func (o *outlook) finding() (p rules.Problem, key string) {
	r := o.rule
	p.Warning = true
	totals, _ := o.split()
	if len(totals) == 0 {
		p.Message = fmt.Sprintf("`%s` finds nothing to watch in these events", r.Alert)
		p.Hint = fmt.Sprintf("no series of %s has %d values in the last day of them", r.Metric, fewest)
		return p, "alert"
	}
	for _, t := range totals {
		if !t.beyond {
			continue
		}
		p.Hint = "the rule will fire as soon as the evidence suffices"
		now := valueText(r, unscaled(r, t.weights.Mean()))
		key = "against"
		if r.Exceed != nil {
			key = map[bool]string{true: "below", false: "above"}[r.Exceed.Below]
			p.Message = fmt.Sprintf("`%s` allows %s, and %s has %s", r.Alert, valueText(r, r.Exceed.Share), t.name(o.group.SliceBy), now)
		} else {
			p.Message = fmt.Sprintf("`%s` compares with %s, and the mean of %s is %s", r.Alert, valueText(r, drift(r).Against.Value), t.name(o.group.SliceBy), now)
		}
		return p, key
	}
	d := drift(r)
	if d == nil {
		return rules.Problem{}, ""
	}
	best, ratio := totals[0], math.Inf(1)
	for _, t := range totals {
		if now := t.smallest / t.by; now < ratio {
			best, ratio = t, now
		}
	}
	if ratio <= 1 {
		return rules.Problem{}, ""
	}
	p.Warning = false
	key = "drop"
	if d.Rise {
		key = "rise"
	}
	p.Message = fmt.Sprintf("`%s` asks for %s, which these data cannot show within a day: %s has %s values a minute", r.Alert, changeText(r, best.by), best.name(o.group.SliceBy), roughly3(best.stream.rate))
	switch {
	case math.IsInf(ratio, 1):
		p.Hint = "no change is seen within a day: use `threshold` over a window of 24h"
	case d.By.Percent:
		p.Hint = fmt.Sprintf("write `%s: %s%%` or more", key, digits3(ceil2(d.By.Value*ratio*100)))
	default:
		p.Hint = fmt.Sprintf("write `%s: %s` or more", key, digits3(ceil2(best.smallest)))
	}
	return p, key
}

// ceil2 is v or a little more, with two digits.
func ceil2(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Ceil(v/unit) * unit
}
