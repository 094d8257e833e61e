package rules

import (
	"fmt"
	"strings"

	"github.com/driftd/driftd/internal/strictyaml"
	"github.com/driftd/driftd/windows"
)

// Describe says in one line of words what the rule does, for people who check that it is what they meant.
func (r *Rule) Describe() string {
	var b strings.Builder
	b.WriteString(r.condition())
	if r.For > 0 {
		fmt.Fprintf(&b, " for %s", Duration(r.For))
	}
	if r.MinSamples > 1 {
		what := "values"
		if coverage(r.Metric) || r.TrafficShare != nil {
			what = "calls"
		}
		fmt.Fprintf(&b, ", from %d %s on", r.MinSamples, what)
	}
	if r.Shape != nil {
		b.WriteString("; advisory")
	}
	if budget, ok := r.Budget(); ok {
		fmt.Fprintf(&b, "; at most %s in %s", falseAlarmsText(budget.Count), strictyaml.FormatDuration(budget.Per))
	}
	if t := r.Threshold; t != nil {
		if t.RecoverAbove != nil {
			fmt.Fprintf(&b, "; recovers above %s", r.limitText(t.RecoverAbove))
		}
		if t.RecoverBelow != nil {
			fmt.Fprintf(&b, "; recovers below %s", r.limitText(t.RecoverBelow))
		}
	}
	if r.KeepFiringFor > 0 {
		fmt.Fprintf(&b, "; resolves after %s", Duration(r.KeepFiringFor))
	}
	switch {
	case r.AutoAfter > 0:
		fmt.Fprintf(&b, "; rollback: approve, and auto when it has been live for %s", Duration(r.AutoAfter))
	case r.Rollback != RollbackOff:
		fmt.Fprintf(&b, "; rollback: %s", r.Rollback)
	}
	return b.String()
}

func falseAlarmsText(count float64) string {
	if count == 1 {
		return "1 false alarm"
	}
	return digits(count, 6) + " false alarms"
}

// condition is what the rule looks for.
func (r *Rule) condition() string {
	switch {
	case r.Drift != nil:
		return r.moves(r.Drift)
	case r.Canary != nil:
		return r.moves(r.Canary) + ", while both serve"
	case r.Exceed != nil:
		word, unit := "above", Rule{Metric: r.Metric, Rubric: r.Rubric}
		if r.Exceed.Below {
			word = "below"
		}
		values := r.Metric + " values"
		if !r.Rubric {
			values = "calls have " + r.Metric
		}
		if binary(r.Metric) && !r.Rubric {
			return fmt.Sprintf("more than %s of calls have %s%s", r.NumberOf(r.Exceed.Share), map[bool]string{true: "no ", false: ""}[r.Exceed.Below], r.Metric)
		}
		return fmt.Sprintf("more than %s of %s %s %s", r.NumberOf(r.Exceed.Share), values, word, unit.NumberOf(r.Exceed.Limit))
	case r.Shape != nil:
		return fmt.Sprintf("%s distance of %s over %s above %s against %s", strings.ReplaceAll(string(r.Shape.Distance), "_", "-"), r.Metric, Duration(r.Shape.Window), r.NumberOf(r.Shape.Above), r.Shape.Against.text())
	case r.Change == windows.Fallback:
		return "fallback rises to three times its usual share within a version"
	case r.Change != "":
		return r.Change + " takes a new value within a version"
	}
	below, above := r.Bounds()
	what := fmt.Sprintf("%s of %s", r.Stat(), r.Metric)
	switch {
	case r.Volume != nil:
		what = "calls"
	case r.TrafficShare != nil:
		what = "share of calls of " + r.TrafficShare.text()
	case r.ScoredOn != "":
		what += " on " + r.ScoredOn
	}
	var limits []string
	if below != nil {
		limits = append(limits, "below "+r.limitText(below))
	}
	if above != nil {
		limits = append(limits, "above "+r.limitText(above))
	}
	return fmt.Sprintf("%s over %s %s", what, Duration(r.Window()), strings.Join(limits, " or "))
}

func (r *Rule) moves(d *Drift) string {
	verb := "falls"
	if d.Rise {
		verb = "rises"
	}
	by, stat := r.NumberOf(d.By.Value).String(), "mean"
	switch {
	case d.By.Percent:
		by = digits(d.By.Value*100, 4) + "%"
	case r.Unit() == Share:
		by = digits(d.By.Value*100, 4) + " percentage points"
	}
	if r.Unit() == Share {
		stat = "rate"
	}
	from := "that of " + d.Against.text()
	switch d.Against.Kind {
	case AgainstFixed:
		from = r.NumberOf(d.Against.Value).String()
	case AgainstLast24h:
		from = "that of its first 24h"
	case AgainstSameHours:
		from = "that of the same hours of its first 24h"
	}
	return fmt.Sprintf("%s of %s %s by %s or more from %s", stat, r.Metric, verb, by, from)
}

// text is the reference in words.
func (a Against) text() string {
	switch a.Kind {
	case AgainstLast24h:
		return "the last 24h"
	case AgainstSameHours:
		return "the same hours"
	case AgainstPreviousVersion:
		return "the previous version"
	case AgainstFixed:
		return digits(a.Value, 6)
	}
	return a.Word() + " " + a.Name
}

// text is whose share it is in words.
func (s *TrafficShare) text() string {
	switch s.Of {
	case OfCurrent:
		return "the current version"
	case OfVersion:
		return "version " + s.Name
	case OfVariant:
		return "variant " + s.Name
	}
	return "a superseded version"
}

func (r *Rule) limitText(b *Bound) string {
	if !b.Percent {
		return r.NumberOf(b.Value).String()
	}
	return digits(b.Value*100, 4) + "% of " + r.Against().text()
}

// Scope says which prompts and versions the group is about, and what is evaluated apart.
func (g *Group) Scope() string {
	scope := "all prompts"
	if len(g.Match) > 0 {
		var parts []string
		for _, dimension := range sortedKeys(g.Match) {
			parts = append(parts, dimension+" "+g.Match[dimension])
		}
		scope = strings.Join(parts, ", ")
	}
	if len(g.SliceBy) == 0 {
		return scope
	}
	scope += ", per " + strings.Join(g.SliceBy, " × ")
	if g.Total {
		scope += " and in total"
	}
	return scope
}
