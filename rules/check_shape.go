package rules

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/driftd/driftd/internal/strictyaml"
	"github.com/driftd/driftd/windows"
)

// shape checks a rule on a distribution.
func (c *ruleCheck) shape(f *shapeFile) {
	c.noRollback("a shape rule is advisory: it states no false alarms, and does not say that anything got worse")
	if f == nil {
		c.ok = false
		return
	}
	s := c.rule.Shape
	s.Distance, s.Window = Distance(f.Distance), f.Window
	c.window(&f.Window)
	s.Against = c.against(&f.Against, AgainstPreviousVersion, AgainstLast24h, AgainstVersion, AgainstVariant, AgainstEnvironment)
	switch metric := c.doc.At(&c.file.Metric); {
	case coverage(c.rule.Metric):
		c.wrong(metric, "use `threshold`", "%s is one share of all calls in the window: it has no shape", c.rule.Metric)
	case binary(c.rule.Metric) && !c.rule.Rubric:
		c.wrong(metric, "use `drift`", "%s is 0 or 1: its share is all the shape it has", c.rule.Metric)
	case f.Above != nil && c.doc.At(&f.Distance).Faulty():
		c.ok = false
	case f.Above != nil:
		s.Above = c.distance(s.Distance, c.doc.At(&f.Above), *f.Above)
	}
	if !c.doc.Misspelt(f) {
		if f.Above == nil {
			c.placeOfKind().KeyErrorf("add `above`", "the shape has no limit")
			c.ok = false
		}
		if at := c.doc.At(&f.Against); !at.Present() {
			at.KeyErrorf("write previous_version, 24h, {version: v22}, {variant: control} or {environment: eval}", "the shape is not told what to compare with")
			c.ok = false
		}
	}
	c.sameDay(&f.Window, s.Against)
	c.rule.MinSamples = shapeSamples
	if c.file.MinSamples != nil {
		c.rule.MinSamples = *c.file.MinSamples
		if c.rule.MinSamples < shapeSamples {
			c.doc.At(&c.file.MinSamples).Warnf(fmt.Sprintf("%d is the default", shapeSamples), "the shape of %d values is mostly noise", c.rule.MinSamples)
		}
	}
}

// distance is the limit of a distance.
func (c *ruleCheck) distance(d Distance, at strictyaml.Place, l limit) float64 {
	unit, before := c.meanUnit(), c.ok
	if d != Wasserstein {
		unit = Plain
	}
	switch {
	case at.Faulty() || l.text == "" || c.rule.Metric == "":
		c.ok = false
	case l.percent:
		c.wrong(at, "write a number, such as 0.1", "a distance is not in percent")
	case unit == Seconds && !l.timed:
		c.wrong(at, "", "%s needs a unit, such as %ss or %sms", l.text, l.text, l.text)
	case unit != Seconds && l.timed:
		what := "the " + string(d) + " distance"
		if d == Wasserstein {
			what += " of " + c.rule.Metric
		}
		c.wrong(at, "write a number, such as 0.1", "%s is a duration, but %s is not", l.text, what)
	case l.value <= 0:
		c.wrong(at, "write more than 0", "the rule always fires: two windows are never the same")
	case math.Abs(l.value) > windows.MaxValue:
		c.wrong(at, "", "%s is beyond all values that are kept", l.text)
	}
	if c.ok != before {
		return 0
	}
	most := math.Inf(1)
	switch {
	case d == KS, d == JensenShannon:
		most = 1
	case d == Wasserstein && c.rule.Rubric && c.rubric.HasRange:
		most = c.rubric.Max - c.rubric.Min
	}
	if l.value >= most {
		c.wrong(at, "write less than "+digits(most, 6), "the rule can never fire: the %s distance is at most %s", d, digits(most, 6))
	}
	return l.value
}

// change checks a rule on an axis. Its alerts are those of whole versions: all calls of one have the same template, so that a
// second one is seen soonest where all of them are looked at.
func (c *ruleCheck) change() {
	c.rule.Metric = c.rule.Change
	c.ok = c.ok && !c.doc.At(&c.file.Change).Faulty() && c.rule.Change != ""
	c.noRollback("a change is a fact, and does not say that anything got worse")
	c.noMetric("a change rule watches an axis")
	c.noMinSamples("a change rule counts calls itself: it takes some of them to confirm a new value")
	if at := c.doc.At(&c.file.For); at.Present() && c.file.For > 0 {
		at.KeyErrorf("remove it", "a new value is confirmed once: there is nothing that could last")
		c.ok = false
	}
	for _, dimension := range slices.Sorted(maps.Keys(c.group.Match)) {
		if dimension != "prompt" && dimension != "version" {
			at := c.doc.Entry(&c.group.Match, dimension)
			c.wrong(c.doc.At(&c.file.Change), "put the rule into a group that matches prompts and versions alone", "a change is one of a whole version, and the group matches a %s at %s", dimension, at)
		}
	}
}

// trafficShare checks a rule on who holds the calls.
func (c *ruleCheck) trafficShare(f *trafficShareFile) {
	c.rule.Metric, c.rule.LowerIsBetter = windows.Volume, false
	c.noRollback("a share of the calls does not say that anything got worse")
	c.noMetric("a traffic_share rule watches the number of calls")
	if f == nil {
		c.ok = false
		return
	}
	s := c.rule.TrafficShare
	s.Of, s.Name, s.Window = f.Of.of, f.Of.name, f.Window
	at := c.doc.At(&f.Of)
	c.ok = c.ok && !at.Faulty()
	c.window(&f.Window)
	if s.Of == OfVariant {
		c.dimension(at, "variant")
	}
	none := against{}
	s.Above, s.Below = c.limit("above", &f.Above, none), c.limit("below", &f.Below, none)
	c.sides(&f.Below, &f.Above, s.Below, s.Above)
	if !c.doc.Misspelt(f) {
		c.someLimit(c.placeOfKind(), f.Below, f.Above)
	}
	switch inside, beside := c.doc.At(&f.For), c.doc.At(&c.file.For); {
	case inside.Present() && beside.Present():
		inside.KeyErrorf("keep one of them", "`for` stands beside `traffic_share` already")
		c.ok = false
	case inside.Present():
		c.rule.For = f.For
	}
	c.rule.MinSamples = trafficSamples
	if c.file.MinSamples != nil {
		c.rule.MinSamples = *c.file.MinSamples
	}
}
