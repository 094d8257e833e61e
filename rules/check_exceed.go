package rules

import (
	"fmt"
	"math"

	"github.com/driftd/driftd/internal/strictyaml"
	"github.com/driftd/driftd/windows"
)

// exceed checks a rule on a tail.
func (c *ruleCheck) exceed(f *exceedFile) {
	c.sequential("exceed")
	if f == nil {
		c.ok = false
		return
	}
	e := c.rule.Exceed
	e.Budget, e.Share = c.budget(&f.FalseAlarms), c.share(&f.Share)
	if metric := c.doc.At(&c.file.Metric); coverage(c.rule.Metric) {
		c.wrong(metric, "use `threshold`", "%s is a share of the calls in a window: it has no values that could be over a limit", c.rule.Metric)
		return
	}
	above, below := c.doc.At(&f.Above), c.doc.At(&f.Below)
	switch {
	case f.Above != nil && f.Below != nil:
		below.KeyErrorf("make two rules of it", "an exceed rule has one limit, and this one has `above` already")
		c.ok = false
	case f.Above != nil:
		e.Limit = c.value("above", above, *f.Above)
	case f.Below != nil:
		e.Below = true
		e.Limit = c.value("below", below, *f.Below)
	case !c.doc.Misspelt(f):
		c.placeOfKind().KeyErrorf("add `above` or `below`", "the exceed has no limit")
		c.ok = false
	}
	if c.ok && c.rule.Rubric && c.rubric.HasRange && e.Below == c.rubric.LowerIsBetter {
		at, word := above, "above"
		if e.Below {
			at, word = below, "below"
		}
		at.KeyWarnf("write `"+map[bool]string{true: "above", false: "below"}[e.Below]+"`, unless it is good news that is wanted", "values %s a limit are good ones: `%s` is %s", word, c.rubric.Name, c.rubric.scale())
	}
}

// mostShare is the greatest share that evidence can be had against: claims are rounded to 2⁻¹¹.
const mostShare = 0.999

// share is how much of the values may lie beyond the limit.
func (c *ruleCheck) share(f *limit) float64 {
	at, l := c.doc.At(f), *f
	switch {
	case at.Faulty() || l.text == "":
		c.ok = false
	case l.timed:
		c.wrong(at, "write 5% or 0.05", "%s is a duration, but `share` is a share", l.text)
	case l.value <= 0:
		c.wrong(at, "write 5% or 0.05; for none at all use `threshold: {stat: max, …}`", "a share is greater than 0")
	case l.value >= 1 && !l.percent && l.value < 100:
		c.wrong(at, "write "+l.text+"%", "a share is less than 1, which is all values")
	case l.value >= 1:
		c.wrong(at, "write less than 100%", "a share is less than 1, which is all values")
	case l.value > mostShare:
		c.wrong(at, "write 99.9% or less", "no number of values tells %s from all of them", l.text)
	}
	return l.value
}

// value is a limit on single values, in the metric's unit.
func (c *ruleCheck) value(key string, at strictyaml.Place, l limit) float64 {
	unit, before := c.meanUnit(), c.ok
	name := c.rule.Metric
	switch {
	case at.Faulty() || l.text == "" || name == "":
		c.ok = false
	case l.percent && unit != Share:
		c.wrong(at, "write a plain value of "+name, "%s: `%s` is a value, and `share` says how many of them are too many", l.text, key)
	case unit == Seconds && !l.timed:
		c.wrong(at, "", "%s needs a unit, such as %ss or %sms", l.text, l.text, l.text)
	case unit != Seconds && l.timed:
		c.wrong(at, "write "+unit.example(), "%s is a duration, but %s is not", l.text, name)
	case math.Abs(l.value) > windows.MaxValue:
		c.wrong(at, "", "%s is beyond all values that are kept", l.text)
	}
	if c.ok != before {
		return 0
	}
	low, high := 0.0, math.Inf(1)
	switch {
	case c.rule.Rubric && !c.rubric.HasRange:
		low = math.Inf(-1)
	case c.rule.Rubric:
		low, high = c.rubric.Min, c.rubric.Max
	case unit == Share:
		high = 1
	}
	switch v := l.value; {
	case v < low || v > high:
		hint := fmt.Sprintf("write a number from %s to %s", digits(low, 6), digits(high, 6))
		if math.IsInf(high, 1) {
			hint = "write more than " + digits(low, 6)
		}
		c.wrong(at, hint, "no %s is ever %s", name, l.text)
	case key == "above" && v >= high:
		c.wrong(at, "write less than "+digits(high, 6), "the rule can never fire: no %s is above %s", name, digits(high, 6))
	case key == "below" && v <= low:
		c.wrong(at, "write more than "+digits(low, 6), "the rule can never fire: no %s is below %s", name, digits(low, 6))
	case l.percent && unit == Share && !c.rule.Rubric:
		at.Warnf("write `above: 0, share: "+l.text+"`", "%s of a single call is 0 or 1: `share` says how many are too many", name)
	}
	return l.value
}
