package rules

import (
	"fmt"
	"math"
	"time"

	"github.com/driftd/driftd/internal/strictyaml"
	"github.com/driftd/driftd/windows"
)

// window checks that panes add up to it.
func (c *ruleCheck) window(w *time.Duration) {
	at, text := c.doc.At(w), strictyaml.FormatDuration(*w)
	step := time.Minute
	if *w > time.Hour {
		step = 15 * time.Minute
	}
	switch down := max(*w/step*step, step); {
	case *w <= 0:
		if !at.Faulty() {
			c.wrong(at, "write 1m to 24h", "a window cannot be empty")
		}
		c.ok = false
	case *w > 24*time.Hour:
		c.wrong(at, "24h is the longest", "a window of %s is too long", text)
	case *w%step != 0 && *w < time.Minute:
		c.wrong(at, "write 1m or more", "a window of %s is too short", text)
	case *w%step != 0:
		c.wrong(at, fmt.Sprintf("write %s or %s", strictyaml.FormatDuration(down), strictyaml.FormatDuration(down+step)),
			"a window of %s is no multiple of %s", text, map[bool]string{true: "1m", false: "15m, as windows over 1h must be"}[step == time.Minute])
	}
}

const againstWrong = "wrong"

// limit turns one limit into the metric's unit; nil where there is none or it is wrong.
func (c *ruleCheck) limit(key string, field **limit, ref against) *Bound {
	l := *field
	if l == nil || l.text == "" {
		c.ok = c.ok && l == nil
		return nil
	}
	return c.bound(c.doc.At(field), key, *l, ref)
}

func (c *ruleCheck) bound(at strictyaml.Place, key string, l limit, ref against) *Bound {
	unit, before := c.rule.Unit(), c.ok
	switch {
	case ref.kind == againstWrong:
		return nil
	case ref.kind != "" && !l.percent:
		c.wrong(at, percentHint(key), "with `against`, `%s` is a percentage of the reference", key)
	case ref.kind != "" && l.value < 0:
		c.wrong(at, percentHint(key), "a percentage of the reference is not negative")
	case ref.kind == "fixed":
		return c.bound(at, key, limit{text: l.text, value: l.value * ref.fixed.value, timed: ref.fixed.timed, percent: ref.fixed.percent}, against{})
	case ref.kind != "":
		c.noChange(at, key, l)
		return &Bound{Value: l.value, Percent: true}
	case l.percent && c.rule.Volume != nil:
		c.wrong(at, "add `against: 24h`, or write a number of calls", "a percentage needs `against`: a percentage of what?")
	case l.percent && unit != Share:
		c.wrong(at, "add `against: 24h` or `against: previous_version`, or write a plain number", "a percentage needs `against`: a percentage of what?")
	case unit == Seconds && !l.timed:
		c.wrong(at, "", "%s needs a unit, such as %ss or %sms", l.text, l.text, l.text)
	case unit != Seconds && l.timed:
		c.wrong(at, "write "+unit.example(), "%s is a duration, but %s is not", l.text, c.watched())
	case math.Abs(l.value) > windows.MaxValue:
		c.wrong(at, "", "%s is beyond all values that are kept", l.text)
	case unit == Share && !l.percent && l.value > 1 && l.value <= 100:
		c.wrong(at, fmt.Sprintf("write %s%%", l.text), "%s is a share: 1 is all", c.watched())
	}
	if c.ok != before {
		return nil
	}
	if key == "below" || key == "above" {
		c.reach(at, key, l.value, l.text)
	}
	return &Bound{Value: l.value}
}

func percentHint(key string) string {
	if key == "above" || key == "recover_below" {
		return "write 120% for a fifth more than the reference"
	}
	return "write 95% for a twentieth less than the reference"
}

// noChange warns of limits that are crossed while nothing has changed, or hardly ever: most likely a difference was meant.
func (c *ruleCheck) noChange(at strictyaml.Place, key string, l limit) {
	percent := func(v float64) string { return digits(v*100, 4) + "%" }
	switch {
	case key == "below" && l.value > 1:
		at.Warnf("100% is the reference itself", "the rule fires while nothing has changed")
	case key == "below" && l.value <= 0.2 && c.rule.Volume == nil:
		at.Warnf(fmt.Sprintf("for %s less than the reference write %s", percent(l.value), percent(1-l.value)), "the rule fires only below %s of the reference", percent(l.value))
	case key == "above" && l.value < 1:
		at.Warnf(fmt.Sprintf("for %s more than the reference write %s", percent(l.value), percent(1+l.value)), "the rule fires while nothing has changed")
	}
}

// watched is what the rule looks at, in words.
func (c *ruleCheck) watched() string {
	switch {
	case c.rule.Volume != nil:
		return "the number of calls"
	case c.rule.TrafficShare != nil:
		return "the share of calls"
	}
	return c.rule.Stat().String() + " of " + c.rule.Metric
}

// reach finds limits that no value, or every value, crosses.
func (c *ruleCheck) reach(at strictyaml.Place, key string, v float64, text string) {
	low, high := 0.0, math.Inf(1)
	kind := c.rule.Stat().Kind
	switch unit := c.rule.Unit(); {
	case unit == Share:
		high = 1
	case kind == Count:
	case c.rule.Rubric && (kind == Sum || !c.rubric.HasRange):
		return
	case c.rule.Rubric:
		low, high = c.rubric.Min, c.rubric.Max
		if v < low || v > high {
			c.wrong(at, fmt.Sprintf("write a number from %s to %s", digits(low, 6), digits(high, 6)), "%s is outside the scale of `%s`, which is %s", text, c.rule.Metric, c.rubric.scale())
			return
		}
	}
	switch {
	case key == "below" && v <= low:
		c.wrong(at, fmt.Sprintf("write more than %s", digits(low, 6)), "the rule can never fire: %s is never below %s", c.watched(), digits(low, 6))
	case key == "above" && v >= high:
		c.wrong(at, fmt.Sprintf("write less than %s", digits(high, 6)), "the rule can never fire: %s is never above %s", c.watched(), digits(high, 6))
	case key == "below" && v > high, key == "above" && v < low:
		c.wrong(at, "", "the rule always fires: %s is always from %s to %s", c.watched(), digits(low, 6), digits(high, 6))
	}
}

// sides checks below against above.
func (c *ruleCheck) sides(belowField, aboveField **limit, below, above *Bound) {
	if below != nil && above != nil && below.Value >= above.Value {
		c.wrong(c.doc.At(aboveField), fmt.Sprintf("write more than `below`, which is %s", (*belowField).text), "the rule always fires: every value is below %s or above %s", (*belowField).text, (*aboveField).text)
	}
}

// recovery checks that each recover_* has its limit and lies on the good side of it.
func (c *ruleCheck) recovery(f *thresholdFile, t *Threshold) {
	switch at := c.doc.At(&f.RecoverAbove); {
	case f.RecoverAbove == nil:
	case f.Below == nil && f.Above != nil:
		at.KeyErrorf("did you mean `recover_below`?", "`recover_above` goes with `below`; this rule has `above`")
		c.ok = false
	case f.Below == nil:
		at.KeyErrorf("add `below`", "`recover_above` goes with `below`")
		c.ok = false
	case t.RecoverAbove == nil || t.Below == nil:
	case t.RecoverAbove.Value < t.Below.Value:
		c.wrong(at, fmt.Sprintf("write %s or more", f.Below.text), "`recover_above` must not lie under `below`: %s has crossed the limit still", f.RecoverAbove.text)
	case t.Above != nil && t.RecoverAbove.Value >= t.Above.Value:
		c.wrong(at, fmt.Sprintf("write less than %s", f.Above.text), "nothing over %s has recovered: `above` is %s", f.RecoverAbove.text, f.Above.text)
	}
	switch at := c.doc.At(&f.RecoverBelow); {
	case f.RecoverBelow == nil:
	case f.Above == nil && f.Below != nil:
		at.KeyErrorf("did you mean `recover_above`?", "`recover_below` goes with `above`; this rule has `below`")
		c.ok = false
	case f.Above == nil:
		at.KeyErrorf("add `above`", "`recover_below` goes with `above`")
		c.ok = false
	case t.RecoverBelow == nil || t.Above == nil:
	case t.RecoverBelow.Value > t.Above.Value:
		c.wrong(at, fmt.Sprintf("write %s or less", f.Above.text), "`recover_below` must not lie over `above`: %s has crossed the limit still", f.RecoverBelow.text)
	case t.Below != nil && t.RecoverBelow.Value <= t.Below.Value:
		c.wrong(at, fmt.Sprintf("write more than %s", f.Below.text), "nothing under %s has recovered: `below` is %s", f.RecoverBelow.text, f.Below.text)
	}
}

// example is a limit in the unit.
func (u Unit) example() string {
	switch u {
	case USD:
		return "USD, such as 0.05"
	case Share:
		return "a share, such as 5%"
	case Whole:
		return "a number, such as 1000"
	}
	return "a number, such as 0.85"
}
