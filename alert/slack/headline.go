package slack

import (
	"strings"

	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
)

// headline is the figure of an alert and the limit that it crossed, by the kind of the rule; where says of whom, " for all traffic".
func headline(r *detector.Record, where string) string {
	value, _ := figures(r)
	switch {
	case r.Kind == "traffic_share" && r.Value != nil:
		whom := r.Version
		if whom == "" {
			whom = r.Variant
		}
		return "*" + escape(brief(strings.TrimSpace(whom+" has "+value+" of the calls"))) + "*" + ofCohort(r, " in ") + crossed(r)
	case r.Kind == "shape" && r.Value != nil:
		return "*" + escape(brief(measure(r))) + " changed*" + ofCohort(r, " for ") + ": " + phrase.Distance(r) + " " + value + crossed(r) + compared(r)
	}
	if r.Kind == "exceed" && r.Value != nil {
		return "*" + escape(brief(measure(r))) + ": " + value + "*" + between(r) + where + crossed(r)
	}
	if r.Value == nil {
		return "*" + escape(brief(measure(r))) + ": no data*" + where
	}
	return "*" + escape(brief(measure(r))) + " " + value + "*" + between(r) + where + crossed(r)
}

// ofCohort names the cohort; nothing for all traffic.
func ofCohort(r *detector.Record, before string) string {
	if len(r.Cohort) == 0 {
		return ""
	}
	return before + cohort(r)
}

// compared says what a shape is compared with.
func compared(r *detector.Record) string {
	a := r.Against
	switch {
	case a == nil:
		return ""
	case a.Version+a.Variant+a.Environment != "":
		return ", against " + escape(brief(a.Version+a.Variant+a.Environment))
	case a.Kind == "24h":
		return ", against the last 24h"
	}
	return ", against " + escape(brief(strings.ReplaceAll(a.Kind, "_", " ")))
}

// change is the sentence of a change: what took which value, and in which minute.
func change(r *detector.Record) string {
	name := escape(brief(measure(r)))
	if len(r.Changed) == 0 {
		return "*" + name + " of " + subject(r) + " changed*"
	}
	c := &r.Changed[0]
	value := func(s string) string {
		if s == "" {
			return "none"
		}
		return escape(brief(s))
	}
	return "*" + name + " of " + subject(r) + " changed*: " + value(c.From) + " → " + value(c.To) + " at " + clock(c.Time, r.Time) + " UTC"
}
