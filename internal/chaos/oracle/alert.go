package oracle

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Step is a transition of a threshold alert.
type Step struct {
	Group, Rule, Prompt, Version string
	Cohort                       map[string]string // nil for the total
	Number                       int               // from 1
	Type                         string            // pending, firing, resolved
	Reason                       string
	Time, Onset                  time.Time
	Value                        *Range // nil where there is none
	Bound                        float64
	Samples                      int64
}

// Alert names the alert whose step this is.
func (s *Step) Alert() string {
	text := fmt.Sprintf("%s/%s %s %s", s.Group, s.Rule, s.Prompt, s.Version)
	for _, name := range slices.Sorted(maps.Keys(s.Cohort)) {
		text += fmt.Sprintf(" %s=%s", name, s.Cohort[name])
	}
	return text
}

func (s *Step) String() string {
	value := "no value"
	if s.Value != nil && s.Value.Low == s.Value.High {
		value = fmt.Sprint(s.Value.Low)
	} else if s.Value != nil {
		value = fmt.Sprintf("%v to %v", s.Value.Low, s.Value.High)
	}
	return fmt.Sprintf("%s #%d %s %s at %s: %s over %d %s", s.Alert(), s.Number, s.Type, s.Reason, s.Time.Format(time.TimeOnly), value, s.Samples, s.Onset.Format(time.TimeOnly))
}

// alerts goes through all minutes with all rules.
func (w *Want) alerts(set *ruleSet) {
	first := int64(math.MaxInt64)
	for _, panes := range w.Panes {
		for m := range panes {
			first = min(first, m)
		}
	}
	for i := range set.rules {
		r := &set.rules[i]
		for _, g := range w.groups(r) {
			a := &alert{rule: r, group: g, want: w}
			for m := first + 1; m <= w.Until.Unix()/60; m++ {
				a.tick(m)
			}
		}
	}
	slices.SortStableFunc(w.Steps, func(a, b Step) int { return a.Time.Compare(b.Time) })
}

// group is what one alert may be about.
type group struct {
	prompt, version string
	cohort          map[string]string
	cells           []Cell
}

// groups are those of a rule, sorted.
func (w *Want) groups(r *rule) (all []*group) {
	found := make(map[string]*group)
	for _, c := range slices.SortedFunc(maps.Keys(w.Panes), func(a, b Cell) int { return strings.Compare(a.String(), b.String()) }) {
		if !r.matches(c, w.Dimensions) {
			continue
		}
		join := func(cohort map[string]string) {
			key := fmt.Sprint(c.Prompt, "\x00", c.Version, "\x00", cohort)
			if found[key] == nil {
				found[key] = &group{prompt: c.Prompt, version: c.Version, cohort: cohort}
				all = append(all, found[key])
			}
			found[key].cells = append(found[key].cells, c)
		}
		if len(r.by) > 0 {
			cohort := make(map[string]string)
			for i, v := range c.Values() {
				if slices.Contains(r.by, w.Dimensions[i]) {
					cohort[w.Dimensions[i]] = v
				}
			}
			join(cohort)
		}
		if r.total {
			join(nil)
		}
	}
	return all
}

// alert is what a rule finds about a group, tick by tick.
type alert struct {
	rule  *rule
	group *group
	want  *Want

	phase string // "", pending, firing
	side  int    // −1 below the lower bound, 1 above the upper one
	onset int64  // minutes
	clear int64  // minute since which it is well again, while firing; 0 is none
	last  verdict
	steps int
	told  int64 // minute of the newest step
}

// verdict is what a rule finds at a tick.
type verdict struct {
	side    int
	value   *Range
	bound   float64
	samples int64
	reason  string
}

// values are those in the window that ends with minute m. Windows of more than an hour drop a quarter of an hour at a time.
func (a *alert) values(m int64) *Values {
	from := m - int64(a.rule.window/time.Minute)
	if a.rule.window > time.Hour {
		from -= from % 15
	}
	all := &Values{}
	for _, c := range a.group.cells {
		for at := from; at < m; at++ {
			if p := a.want.Panes[c][at]; p != nil && p.Values[a.rule.metric] != nil {
				all.Merge(p.Values[a.rule.metric])
			}
		}
	}
	return all
}

// stat is the figure that the rule watches.
func (a *alert) stat(v *Values) Range {
	switch s := a.rule.stat; s {
	case "count":
		return exactly(float64(v.N()))
	case "sum":
		return exactly(v.Sum())
	case "mean", "rate":
		return exactly(v.Mean())
	case "min":
		return exactly(v.Sorted()[0])
	case "max":
		return exactly(v.Sorted()[v.N()-1])
	default:
		var percent float64
		if _, err := fmt.Sscanf(s, "p%g", &percent); err != nil {
			a.want.unsure("rule %s has the statistic %s", a.rule.name, s)
		}
		return v.Quantile(percent)
	}
}

// tick judges the group at the end of minute m−1.
func (a *alert) tick(m int64) {
	values := a.values(m)
	n := values.N()
	if a.phase == "" && (n < a.rule.least || n == 0) {
		return
	}
	v := verdict{samples: n, bound: a.last.bound}
	switch {
	case n == 0:
		v.reason = "no data in the window"
	case n < a.rule.least && a.phase == "pending":
		x := a.stat(values)
		v.reason, v.value = "too few samples", &x
	default:
		x := a.stat(values)
		v.value = &x
		v.side = a.judge(x.Low)
		if a.judge(x.High) != v.side {
			a.doubt(m, "its bound")
		}
		if v.side != 0 {
			v.bound = *a.bound(v.side)
		}
	}
	a.move(m, &v)
}

func (a *alert) bound(side int) *float64 {
	if side < 0 {
		return a.rule.below
	}
	return a.rule.above
}

// judge tells which bound a value has passed; one that fires is held until the value has passed the bound to recover at.
func (a *alert) judge(x float64) int {
	r := a.rule
	held := 0
	if a.phase == "firing" {
		held = a.side
	}
	switch {
	case r.below != nil && x < *r.below:
		return -1
	case r.above != nil && x > *r.above:
		return 1
	case held < 0 && r.recoverAbove != nil && x < *r.recoverAbove, held > 0 && r.recoverBelow != nil && x > *r.recoverBelow:
		return held
	}
	return 0
}

// move takes the alert to its next state.
func (a *alert) move(m int64, v *verdict) {
	minutes := func(d time.Duration) int64 { return int64(d / time.Minute) }
	if v.side == 0 {
		switch {
		case a.phase == "":
		case a.phase == "pending":
			a.end(m, v, "did not last")
		default:
			if a.clear == 0 {
				a.clear = m
			}
			if m-a.clear >= minutes(a.rule.keep) {
				a.end(m, v, "recovered")
			}
		}
		return
	}
	fired := a.phase == "firing"
	a.side, a.clear = v.side, 0
	switch {
	case a.phase == "" && a.rule.wait > 0:
		a.phase, a.onset = "pending", m
		a.step(m, v, "pending", "")
	case a.phase == "":
		a.phase, a.onset = "firing", m
		a.step(m, v, "firing", "")
	case a.phase == "pending" && m-a.onset >= minutes(a.rule.wait):
		a.phase = "firing"
		a.step(m, v, "firing", "")
	case fired && v.samples >= a.rule.least && time.Duration(m-a.told)*time.Minute >= max(5*time.Minute, a.rule.window/4) && a.worse(m, v):
		a.step(m, v, "firing", "worse")
	}
}

func (a *alert) end(m int64, v *verdict, reason string) {
	a.phase = ""
	a.step(m, v, "resolved", cmp.Or(v.reason, reason))
	a.clear = 0
}

// worse tells whether the value has gone beyond its bound by so much more than at the newest step: a twentieth of the bound, and a quarter
// of how far beyond it was. What only has not recovered yet is no worse.
func (a *alert) worse(m int64, v *verdict) bool {
	is := func(now, told float64) bool {
		if v.side < 0 && !(now < v.bound) || v.side > 0 && !(now > v.bound) {
			return false
		}
		// Bounds of these rules are not 0, and an alert that fires was told with a value.
		beyond, before := math.Abs(now-v.bound)/math.Abs(v.bound), math.Abs(told-a.last.bound)/math.Abs(a.last.bound)
		return beyond-before >= max(0.05, before/4)
	}
	now, told := v.value, a.last.value
	if now == nil || told == nil {
		return false
	}
	answer := is(now.Low, told.Low)
	if is(now.Low, told.High) != answer || is(now.High, told.Low) != answer || is(now.High, told.High) != answer {
		a.doubt(m, "being clearly worse")
	}
	return answer
}

// doubt notes that a digest's error decides.
func (a *alert) doubt(m int64, about string) {
	a.want.unsure("%s/%s of %s %s %v at %s: %s is within the error of a digest", a.rule.group, a.rule.name, a.group.prompt, a.group.version, a.group.cohort,
		time.Unix(60*m, 0).UTC().Format(time.TimeOnly), about)
}

func (a *alert) step(m int64, v *verdict, kind, reason string) {
	a.steps++
	a.last, a.told = *v, m
	a.want.Steps = append(a.want.Steps, Step{
		Group: a.rule.group, Rule: a.rule.name, Prompt: a.group.prompt, Version: a.group.version, Cohort: a.group.cohort, Number: a.steps,
		Type: kind, Reason: reason, Time: time.Unix(60*m, 0).UTC(), Onset: time.Unix(60*a.onset, 0).UTC(), Value: v.value, Bound: v.bound, Samples: v.samples,
	})
}
