package rules

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/driftd/driftd/internal/strictyaml"
	"github.com/driftd/driftd/windows"
)

// finest is the smallest part of a scale that a change of the mean may be asked for in: below 1/1024 nothing is told from the
// scale's own grain.
const finest = 1.0 / 1024

// driftOrCanary checks the rules that test a mean.
func (c *ruleCheck) driftOrCanary(f *driftFile, d *Drift, allowed ...AgainstKind) {
	kind := c.rule.Kind()
	c.sequential(kind)
	if f == nil {
		c.ok = false
		return
	}
	d.Budget = c.budget(&f.FalseAlarms)
	d.Against = c.against(&f.Against, allowed...)
	switch at := c.doc.At(&f.Against); {
	case at.Present():
	case kind == "canary":
		d.Against.Kind = AgainstPreviousVersion
	case !c.doc.Misspelt(f):
		at.KeyErrorf(againstHint, "the drift is not told what to compare with")
		c.ok = false
	}
	if at := c.doc.At(&c.file.Rollback); d.Against.Kind == AgainstVariant && c.rule.Rollback != RollbackOff {
		at.Warnf("remove it, or compare with previous_version", "the version is rolled back for all of its variants, also for %s", d.Against.Name)
	}
	c.scale()
	known := c.rule.Scale.HasRange && f.Against.kind != againstWrong // without a range a limit means nothing
	if known && d.Against.Kind == AgainstFixed {
		d.Against.Value, known = c.fixed(&f.Against)
	}
	drop, rise := c.doc.At(&f.Drop), c.doc.At(&f.Rise)
	switch {
	case f.Drop != nil && f.Rise != nil:
		rise.KeyErrorf("make two rules of it", "a %s rule looks one way, and this one looks for a drop already", kind)
		c.ok = false
	case f.Drop != nil:
		c.by(d, "drop", drop, *f.Drop, known)
	case f.Rise != nil:
		d.Rise = true
		c.by(d, "rise", rise, *f.Rise, known)
	case !c.doc.Misspelt(f):
		c.placeOfKind().KeyErrorf("add `drop: 0.05` or `rise: 0.05`: how far the mean must have moved to be worth an alert", "the %s has no size", kind)
		c.ok = false
	}
}

// sequential refuses the keys that belong to windows.
func (c *ruleCheck) sequential(kind string) {
	if at := c.doc.At(&c.file.For); at.Present() && !at.Faulty() && c.file.For > 0 {
		at.KeyErrorf("remove it; a smaller `false_alarms`, such as 1/300d, asks for more evidence", "%s has no `for`: the evidence decides how long it must last", ruleOf(kind))
		c.ok = false
	}
	c.noMinSamples(ruleOf(kind) + " has no `min_samples`: the evidence decides how many values it takes")
}

func ruleOf(kind string) string {
	if kind == "exceed" {
		return "an exceed rule"
	}
	return "a " + kind + " rule"
}

// placeOfKind is where the rule says of which kind it is.
func (c *ruleCheck) placeOfKind() strictyaml.Place {
	f := c.file
	switch c.rule.Kind() {
	case "drift":
		return c.doc.At(&f.Drift)
	case "canary":
		return c.doc.At(&f.Canary)
	case "exceed":
		return c.doc.At(&f.Exceed)
	case "shape":
		return c.doc.At(&f.Shape)
	case "traffic_share":
		return c.doc.At(&f.TrafficShare)
	}
	return c.doc.At(&f.Alert)
}

// budget applies the default, which is ten times stricter where a false alarm may roll a good version back.
func (c *ruleCheck) budget(f *falseAlarms) Budget {
	at := c.doc.At(f)
	switch {
	case at.Faulty():
		c.ok = false
	case !at.Present() && c.rule.Rollback != RollbackOff:
		return RollbackBudget
	case !at.Present():
		return DefaultBudget
	}
	b := Budget{f.count, f.per}
	switch day := b.PerDay(); {
	case day >= float64(24*time.Hour/time.Minute):
		c.wrong(at, "1/30d is the default", "the rule may fire every minute without a cause")
	case day > 1:
		at.Warnf("1/30d is the default", "this budget allows %s false alarms a day", digits(day, 3))
	}
	if c.rule.Rollback == RollbackAuto && b.PerDay() > RollbackBudget.PerDay()*1.0001 {
		at.Warnf("1/300d is the default of rules that may roll back", "a good version may be rolled back by a false alarm, and this budget allows %s in %s", digits(b.Count, 6), strictyaml.FormatDuration(b.Per))
	}
	return b
}

// scale finds the range of what the mean is of.
func (c *ruleCheck) scale() {
	metric, rubric := c.doc.At(&c.file.Metric), c.doc.At(&c.file.Rubric)
	name, kind := c.rule.Metric, c.rule.Kind()
	switch {
	case name == "" || metric.Faulty() || rubric.Faulty():
	case coverage(name):
		c.wrong(metric, "use `threshold`", "%s is a share of the calls in a window: a %s rule has no values of it to test", name, kind)
	case binary(name) && !c.rule.Rubric:
		c.rule.Scale = Rubric{Name: name, Max: 1, HasRange: true, LowerIsBetter: true}
	case !c.rule.Rubric && slices.Contains(metricNames, name):
		c.wrong(metric, "use "+exceedHint(name)+", which counts the slow, the dear or the long ones", "%s has no upper end, and the mean of such values cannot be tested: one value may be worth any number of others", name)
	case !c.rule.Rubric:
	case c.rubric.HasRange:
		c.rule.Scale = c.rubric
	case c.l.broken:
		c.ok = false
	default:
		hint := "add min and max to the rubric's scale, such as `rubrics: {" + name + ": {min: 0, max: 1}}`"
		if near := strictyaml.Nearest(name, sortedKeys(c.l.rubrics)); near != "" && near != name {
			hint = fmt.Sprintf("did you mean `%s`? Else %s", near, hint)
		}
		c.wrong(rubric, hint, "rubric `%s` has no range, and a %s rule cannot do without one", name, kind)
	}
}

func exceedHint(metric string) string {
	limit := map[string]string{windows.Latency: "4s", windows.TTFT: "1s", windows.Cost: "0.05"}[metric]
	if limit == "" {
		limit = "2000"
	}
	return "`exceed: {above: " + limit + ", share: 5%}`"
}

// fixed is the reference that is a number: inside the scale, for at an end of it a single score would be all the evidence
// there can be, or none at all.
func (c *ruleCheck) fixed(f *against) (float64, bool) {
	at, s, before := c.doc.At(f), &c.rule.Scale, c.ok
	v, ok := c.plain(at, f.fixed)
	inside := fmt.Sprintf("write a number between %s and %s", digits(s.Min, 6), digits(s.Max, 6))
	switch {
	case !ok:
	case v < s.Min || v > s.Max:
		c.wrong(at, inside, "%s is outside the scale of `%s`, which is %s", f.fixed.text, s.Name, s.scale())
	case v == s.Min || v == s.Max:
		c.wrong(at, inside, "%s is an end of the scale of `%s`: no mean stays there", f.fixed.text, s.Name)
	}
	return v, ok && c.ok == before
}

// plain is a number on the scale; percentages are for 0/1 metrics alone.
func (c *ruleCheck) plain(at strictyaml.Place, l limit) (float64, bool) {
	switch {
	case l.text == "":
		c.ok = false
	case l.timed:
		c.wrong(at, "write "+c.meanUnit().example(), "%s is a duration, but %s is not", l.text, c.rule.Metric)
	case l.percent && c.meanUnit() != Share:
		c.wrong(at, "write "+digits(l.value, 6), "%s is scored on a scale, not in percent", c.rule.Metric)
	default:
		return l.value, true
	}
	return 0, false
}

// meanUnit is that of the metric's values, whatever the rule watches of them.
func (c *ruleCheck) meanUnit() Unit {
	r := Rule{Metric: c.rule.Metric, Rubric: c.rule.Rubric}
	return r.Unit()
}

// by checks how far the mean must have moved; known tells that the scale and the reference are.
func (c *ruleCheck) by(d *Drift, key string, at strictyaml.Place, l limit, known bool) {
	if at.Faulty() || l.text == "" || !known {
		c.ok = false
		return
	}
	s, before := &c.rule.Scale, c.ok
	width := s.Max - s.Min
	switch {
	case l.value <= 0:
		hint := "write 0.05 or 5%"
		if l.value < 0 {
			hint = fmt.Sprintf("write %s: `%s` says which way", l.text[1:], key)
		}
		c.wrong(at, hint, "a %s is greater than 0", key)
	case l.timed:
		c.plain(at, l)
	case l.percent && s.Min < 0:
		c.wrong(at, "write a plain number, such as "+digits(width/20, 3), "a percentage of a reference that may be negative means nothing: the scale of `%s` is %s", s.Name, s.scale())
	}
	if c.ok != before {
		return
	}
	d.By = Bound{Value: l.value, Percent: l.percent}
	most, least := width, width*finest // in the unit of By
	if l.percent && d.Against.Kind == AgainstFixed {
		d.By = Bound{Value: l.value * d.Against.Value}
	} else if l.percent {
		most, least = math.Inf(1), least/s.Max // of the greatest reference that there can be
		if !d.Rise {
			most = 1
		} else if s.Min > 0 {
			most = width / s.Min
		}
	}
	if d.Against.Kind == AgainstFixed {
		if most = d.Against.Value - s.Min; d.Rise {
			most = s.Max - d.Against.Value
		}
	}
	text := func(v float64) string { // as the author wrote it
		if !l.percent {
			return digits(v, 3)
		}
		if d.Against.Kind == AgainstFixed {
			v /= d.Against.Value
		}
		return digits(v*100, 3) + "%"
	}
	switch v := d.By.Value; {
	case v >= most:
		c.wrong(at, "write less than "+text(most), "the mean can never %s by %s: %s", key, l.text, c.room(d))
	case v < least:
		c.wrong(at, fmt.Sprintf("write %s or more, which is 1/1024 of the scale", text(ceil(least))), "a %s of %s is too small to be seen by anyone", key, l.text)
	case l.percent && c.meanUnit() == Share && l.value <= 0.2 && d.Against.Kind != AgainstFixed:
		at.Warnf(fmt.Sprintf("for %s more calls of 100 write %s", digits(l.value*100, 4), digits(l.value, 4)), "%s is of the reference: a rate of 10%% becomes %s%%", l.text, digits(10*(1+l.value), 4))
	case d.Rise != s.LowerIsBetter:
		opposite := map[bool]string{true: "drop", false: "rise"}[d.Rise]
		better := map[bool]string{true: "lower", false: "higher"}[s.LowerIsBetter]
		at.KeyWarnf("write `"+opposite+"`, unless it is good news that is wanted", "a %s of `%s` is an improvement: %s is better", key, s.Name, better)
	}
}

// ceil is v or a little more, with two digits.
func ceil(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Ceil(v/unit-1e-9) * unit
}

// room says how far the mean can move.
func (c *ruleCheck) room(d *Drift) string {
	s := &c.rule.Scale
	if d.Against.Kind == AgainstFixed {
		end := s.Min
		if d.Rise {
			end = s.Max
		}
		return fmt.Sprintf("from %s the scale ends at %s", digits(d.Against.Value, 6), digits(end, 6))
	}
	return "the scale is " + digits(s.Min, 6) + " to " + digits(s.Max, 6)
}
