package rules

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/driftd/driftd/internal/strictyaml"
	"github.com/driftd/driftd/windows"
)

// ruleCheck checks one rule and turns it into a Rule.
type ruleCheck struct {
	l      *loader
	doc    *strictyaml.Document
	group  *groupFile
	file   *ruleFile
	rule   Rule
	rubric Rubric // of the rule; HasRange is false where nothing is known
	ok     bool   // nothing found that keeps the rule from being used
}

func (c *ruleCheck) wrong(at strictyaml.Place, hint, format string, args ...any) {
	at.Errorf(hint, format, args...)
	c.ok = false
}

// rule gives the rule, and false where it is of no use.
func (l *loader) rule(p *parsed, g *groupFile, f *ruleFile) (Rule, bool) {
	c := &ruleCheck{l: l, doc: p.doc, group: g, file: f, ok: true}
	at := c.doc.At(&f.Alert)
	c.rule = Rule{Alert: f.Alert, For: f.For, KeepFiringFor: f.KeepFiringFor, Annotations: f.Annotations, File: p.name(), Line: at.Line()}
	c.rule.Labels = make(map[string]string, len(g.Labels)+len(f.Labels))
	maps.Copy(c.rule.Labels, g.Labels)
	maps.Copy(c.rule.Labels, f.Labels)
	l.checkLabels(p, &f.Labels)
	for name, text := range f.Annotations {
		at := c.doc.Entry(&f.Annotations, name)
		if !labelName.MatchString(name) {
			at.KeyErrorf("use letters, digits and _, such as summary", "`%s` is no name of an annotation", name)
		}
		for _, fault := range templateFaults(text, g.SliceBy, c.rule.Labels) {
			at.TextErrorf(fault.offset, fault.length, fault.hint, "%s", fault.message)
		}
	}
	c.rollback()
	kind := c.kind()
	switch kind {
	case "threshold":
		c.rule.Threshold = new(Threshold)
		c.metric()
		c.threshold()
		if coverage(c.rule.Metric) {
			c.coverage(g)
		} else {
			c.autoOnThreshold()
		}
	case "volume":
		c.rule.Volume = new(Volume)
		c.volume()
	case "drift":
		c.rule.Drift = new(Drift)
		c.metric()
		c.driftOrCanary(f.Drift, c.rule.Drift, AgainstPreviousVersion, AgainstLast24h, AgainstFixed, AgainstVersion, AgainstVariant, AgainstEnvironment, AgainstSameHours)
	case "canary":
		c.rule.Canary = new(Drift)
		c.metric()
		c.driftOrCanary(f.Canary, c.rule.Canary, AgainstPreviousVersion, AgainstVersion, AgainstVariant)
	case "exceed":
		c.rule.Exceed = new(Exceed)
		c.metric()
		c.exceed(f.Exceed)
	case "shape":
		c.rule.Shape = new(Shape)
		c.metric()
		c.shape(f.Shape)
	case "change":
		c.rule.Change = f.Change
		c.change()
	case "traffic_share":
		c.rule.TrafficShare = new(TrafficShare)
		c.trafficShare(f.TrafficShare)
	default:
		return Rule{}, false
	}
	return c.rule, c.ok
}

// kind is that of the rule; "" where it has none, which it reports.
func (c *ruleCheck) kind() string {
	f := c.file
	kinds := []struct {
		name string
		at   strictyaml.Place
	}{
		{"threshold", c.doc.At(&f.Threshold)}, {"volume", c.doc.At(&f.Volume)}, {"drift", c.doc.At(&f.Drift)}, {"canary", c.doc.At(&f.Canary)},
		{"exceed", c.doc.At(&f.Exceed)}, {"shape", c.doc.At(&f.Shape)}, {"change", c.doc.At(&f.Change)}, {"traffic_share", c.doc.At(&f.TrafficShare)},
	}
	kind := ""
	for _, k := range kinds {
		if !k.at.Present() {
			continue
		}
		if kind != "" {
			k.at.KeyErrorf("make two rules of it", "a rule has one kind, and this one is a `%s` rule already", kind)
			c.ok = false
			continue
		}
		kind = k.name
		c.ok = c.ok && !k.at.Faulty()
	}
	if kind == "" && !c.doc.Misspelt(f) {
		c.doc.At(&f.Alert).KeyErrorf("add `threshold: {stat: mean, window: 1h, below: …}`, `drift: {drop: …, against: previous_version}` or another kind", "the rule does not say when it fires")
	}
	return kind
}

// metric finds out what the rule watches.
func (c *ruleCheck) metric() {
	f := c.file
	metric, rubric := c.doc.At(&f.Metric), c.doc.At(&f.Rubric)
	switch name := string(f.Metric); {
	case coverage(name):
		c.rule.Metric = name
		c.scoredOn()
	case metric.Present() && rubric.Present():
		rubric.KeyErrorf("make two rules of it", "a rule watches a metric or a rubric, not both")
		c.ok = false
	case metric.Present():
		c.rule.Metric, c.rule.LowerIsBetter = name, true
		c.ok = c.ok && !metric.Faulty()
		if !metric.Faulty() && !slices.Contains(metricNames, name) {
			c.wrong(metric, c.metricHint(name), "unknown metric `%s`", name)
		}
	case f.Rubric != "":
		c.rule.Metric, c.rule.Rubric = f.Rubric, true
		if windows.Reserved(f.Rubric) {
			c.wrong(rubric, "write `metric: "+f.Rubric+"`", "`%s` is a metric, not a rubric", f.Rubric)
			return
		}
		known, ok := c.l.rubrics[f.Rubric]
		c.rubric = known.Rubric
		c.rule.LowerIsBetter = known.LowerIsBetter
		if !ok && c.rule.Drift == nil && c.rule.Canary == nil { // which report it as an error
			c.noScale(rubric, "the range of limits is not checked")
		}
	case c.doc.Misspelt(f):
		c.ok = false
	case !rubric.Present():
		c.doc.At(&f.Alert).KeyErrorf("add `metric: latency` or `rubric: NAME`", "the rule has neither a metric nor a rubric")
		c.ok = false
	}
}

// noScale warns, once for each, of a rubric that no file has an entry for.
func (c *ruleCheck) noScale(at strictyaml.Place, so string) {
	name := c.file.Rubric
	if c.l.broken || c.l.warned[name] {
		return
	}
	c.l.warned[name] = true
	hint := "add it to `rubrics`, such as {min: 0, max: 1, better: higher}"
	if near := strictyaml.Nearest(name, slices.Sorted(maps.Keys(c.l.rubrics))); near != "" {
		hint = fmt.Sprintf("did you mean `%s`? Else add it to `rubrics`", near)
	}
	at.Warnf(hint, "rubric `%s` has no scale: %s", name, so)
}

func (c *ruleCheck) metricHint(name string) string {
	if _, ok := c.l.rubrics[name]; ok {
		return fmt.Sprintf("did you mean `rubric: %s`?", name)
	}
	if name == windows.Volume {
		return "write `volume: {below: 50%, against: 24h}` in place of `metric` and `threshold`"
	}
	if near := strictyaml.Nearest(name, metricNames); near != "" {
		return fmt.Sprintf("did you mean `%s`?", near)
	}
	return "metrics are " + strictyaml.List(metricNames, "and") + "; a score is a `rubric`"
}

func (c *ruleCheck) threshold() {
	f := c.file.Threshold
	if f == nil {
		c.ok = false
		return
	}
	known := c.ok && f.Stat.ok // without metric and statistic, limits have no unit
	c.ok = known
	t := c.rule.Threshold
	t.Stat, t.Window = f.Stat.Stat, f.Window
	c.window(&f.Window)
	t.Against = c.against(&f.Against, AgainstLast24h, AgainstPreviousVersion, AgainstFixed, AgainstVersion, AgainstVariant)
	if t.Against.Kind == AgainstFixed {
		t.Against = Against{} // limits are plain numbers then
	}
	if known {
		c.stat(f)
		t.Below, t.Above = c.limit("below", &f.Below, f.Against), c.limit("above", &f.Above, f.Against)
		t.RecoverAbove, t.RecoverBelow = c.limit("recover_above", &f.RecoverAbove, f.Against), c.limit("recover_below", &f.RecoverBelow, f.Against)
		c.sides(&f.Below, &f.Above, t.Below, t.Above)
		c.minSamples(t)
	}
	if !c.doc.Misspelt(f) {
		c.someLimit(c.doc.At(&c.file.Threshold), f.Below, f.Above)
		c.recovery(f, t)
	}
	c.sameDay(&f.Window, t.Against)
}

// someLimit asks for one limit at least.
func (c *ruleCheck) someLimit(at strictyaml.Place, below, above *limit) {
	if below == nil && above == nil {
		at.KeyErrorf("add `below` or `above`", "the %s has no limit", c.rule.Kind())
		c.ok = false
	}
}

// sameDay refuses to compare a day with itself.
func (c *ruleCheck) sameDay(window *time.Duration, a Against) {
	if a.Kind == AgainstLast24h && *window == 24*time.Hour {
		c.wrong(c.doc.At(window), "choose a shorter window, such as 1h", "a window of 24h is always equal to the same 24h")
	}
}

// stat refuses statistics that say nothing of the metric.
func (c *ruleCheck) stat(f *thresholdFile) {
	s, at := f.Stat.Stat, c.doc.At(&f.Stat)
	switch zeroOne := binary(c.rule.Metric) || c.rubric.HasRange && c.rubric.Min == 0 && c.rubric.Max == 1; {
	case coverage(c.rule.Metric):
		if s.Kind != Mean && s.Kind != Rate {
			c.wrong(at, "use mean", "%s is one share of all calls in the window: it has no %s", c.rule.Metric, s)
		}
	case s.Kind == Rate && c.rule.Rubric && c.rubric.HasRange && !zeroOne:
		c.wrong(at, "use mean or a percentile", "rate is the share of ones, but `%s` goes from %s to %s", c.rule.Metric, digits(c.rubric.Min, 6), digits(c.rubric.Max, 6))
	case s.Kind == Rate && !c.rule.Rubric && !binary(c.rule.Metric):
		c.wrong(at, "use mean, p95, sum or another statistic", "rate is of error, fallback, coverages and rubrics from 0 to 1, not of %s", c.rule.Metric)
	case (s.Kind == Quantile || s.Kind == Min || s.Kind == Max) && !c.rule.Rubric && binary(c.rule.Metric):
		c.wrong(at, "use rate", "%s of %s is always 0 or 1", s, c.rule.Metric)
	}
}

// minSamples applies the default, or checks what the rule says against its statistic.
func (c *ruleCheck) minSamples(t *Threshold) {
	c.rule.MinSamples = DefaultMinSamples(t.Stat)
	if c.file.MinSamples == nil {
		return
	}
	c.rule.MinSamples = *c.file.MinSamples
	at := c.doc.At(&c.file.MinSamples)
	if enough := beyond(t.Stat.Q); t.Stat.Kind == Quantile && t.Stat.Q > 0.5 && c.rule.MinSamples < enough {
		at.Warnf(fmt.Sprintf("%d values have one beyond it", enough), "%s of %d values is hardly more than their maximum", t.Stat, c.rule.MinSamples)
	}
	if t.Stat.Kind == Count && t.Below != nil && !t.Below.Percent && float64(c.rule.MinSamples) >= t.Below.Value {
		c.wrong(at, fmt.Sprintf("write less than %s", digits(t.Below.Value, 6)), "the rule can never begin: it asks for %d values and for a count below %s", c.rule.MinSamples, digits(t.Below.Value, 6))
	}
}

func (c *ruleCheck) volume() {
	f := c.file.Volume
	c.rule.Metric, c.rule.LowerIsBetter = windows.Volume, false
	c.noRollback("a volume rule counts the calls of all versions: there is none to roll back")
	c.noMetric("a volume rule watches the number of calls")
	c.noMinSamples("a volume rule counts calls itself: `min_samples` would keep it from seeing that there are few")
	if f == nil {
		c.ok = false
		return
	}
	v := c.rule.Volume
	v.Window = f.Window
	c.window(&f.Window)
	v.Against = c.against(&f.Against, AgainstLast24h)
	v.Below, v.Above = c.limit("below", &f.Below, f.Against), c.limit("above", &f.Above, f.Against)
	c.sides(&f.Below, &f.Above, v.Below, v.Above)
	if !c.doc.Misspelt(f) {
		c.someLimit(c.doc.At(&c.file.Volume), f.Below, f.Above)
	}
	c.sameDay(&f.Window, v.Against)
}

// noMetric refuses metrics and rubrics.
func (c *ruleCheck) noMetric(why string) {
	for _, at := range []strictyaml.Place{c.doc.At(&c.file.Metric), c.doc.At(&c.file.Rubric)} {
		if at.Present() {
			at.KeyErrorf("remove it", "%s", why)
			c.ok = false
		}
	}
}

func (c *ruleCheck) noMinSamples(why string) {
	if at := c.doc.At(&c.file.MinSamples); at.Present() {
		at.KeyErrorf("remove it", "%s", why)
		c.ok = false
	}
}
