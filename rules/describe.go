package rules

import (
	"fmt"
	"strings"
)

// Describe says in one line of words what the rule does, for people who check that it is what they meant.
func (r *Rule) Describe() string {
	var b strings.Builder
	below, above := r.Bounds()
	if r.Volume != nil {
		b.WriteString("calls")
	} else {
		fmt.Fprintf(&b, "%s of %s", r.Stat(), r.Metric)
	}
	if r.ScoredOn != "" {
		fmt.Fprintf(&b, " on %s", r.ScoredOn)
	}
	fmt.Fprintf(&b, " over %s", Duration(r.Window()))
	var limits []string
	for _, l := range []struct {
		word  string
		bound *Bound
	}{{"below", below}, {"above", above}} {
		if l.bound != nil {
			limits = append(limits, l.word+" "+r.limitText(l.bound))
		}
	}
	b.WriteString(" " + strings.Join(limits, " or "))
	if r.For > 0 {
		fmt.Fprintf(&b, " for %s", Duration(r.For))
	}
	if r.MinSamples > 1 {
		what := "values"
		if coverage(r.Metric) {
			what = "calls"
		}
		fmt.Fprintf(&b, ", from %d %s on", r.MinSamples, what)
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
	if r.Rollback != RollbackOff {
		fmt.Fprintf(&b, "; rollback: %s", r.Rollback)
	}
	return b.String()
}

func (r *Rule) limitText(b *Bound) string {
	if !b.Percent {
		return r.NumberOf(b.Value).String()
	}
	of := "the last 24h"
	if r.Against().Kind == AgainstPreviousVersion {
		of = "the previous version"
	}
	return digits(b.Value*100, 4) + "% of " + of
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
