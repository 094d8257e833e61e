package phrase

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// Title names the alert: its rule, prompt and version.
func Title(r *detector.Record) string {
	return Brief(r.Rule) + " · " + strings.TrimSpace(Brief(r.Prompt)+" "+Brief(r.Version))
}

// Subject is the version, or the prompt where an alert is about all of them.
func Subject(r *detector.Record) string {
	if r.Version == "" {
		return Brief(r.Prompt)
	}
	return Brief(r.Version)
}

// Cohort names the cohort of an alert.
func Cohort(r *detector.Record) string {
	if len(r.Cohort) == 0 {
		return "all traffic"
	}
	return Brief(alert.CohortName(r.Cohort))
}

// Headline is the sentence with the figure, by the kind of the rule: "citation_grounding 0.78, below 0.85".
func Headline(r *detector.Record) string {
	value, _ := Figures(r)
	switch {
	case r.Kind == "change":
		return change(r)
	case r.Value == nil:
		s := Brief(Measure(r)) + " has no data"
		if r.Window != "" {
			s += " in the last " + Brief(r.Window)
		}
		return s
	case r.Kind == "traffic_share":
		whom := r.Version
		if whom == "" {
			whom = r.Variant
		}
		return Brief(strings.TrimSpace(whom+" has "+value+" of the calls")) + Crossed(r)
	case r.Kind == "shape":
		return Brief(Measure(r)) + " changed: " + Distance(r) + " " + value + Crossed(r)
	}
	return Brief(Measure(r)) + " " + value + Crossed(r)
}

// Distance names how two shapes are compared.
func Distance(r *detector.Record) string {
	switch r.Stat {
	case "wasserstein":
		return "Wasserstein distance"
	case "ks":
		return "Kolmogorov–Smirnov distance"
	case "psi":
		return "population stability index"
	case "jensen_shannon":
		return "Jensen–Shannon divergence"
	}
	return "distance"
}

// change says what took which value, and in which minute.
func change(r *detector.Record) string {
	s := Brief(Measure(r)) + " of " + Subject(r) + " changed"
	if len(r.Changed) == 0 {
		return s
	}
	value := func(s string) string {
		if s == "" {
			return "none"
		}
		return Brief(s)
	}
	c := &r.Changed[0]
	return s + ": " + value(c.From) + " → " + value(c.To) + " at " + Clock(c.Time, r.Time) + " UTC"
}

// Summary is a notification in one line.
func Summary(n *alert.Notification) string {
	r := &n.Worst().Record
	if len(n.Firing) == 0 {
		return "Resolved: " + Title(r) + ", lasted " + Lasted(n.Until().Sub(n.Since()))
	}
	s := Title(r) + ": " + Headline(r)
	if r.Kind != "change" {
		s += " for " + Cohort(r)
		if more := len(n.Firing) - 1; more > 0 {
			s += fmt.Sprintf(" and %d more", more)
		}
	}
	if c := Clearest(n).Cause; c != "" && c != detector.CauseUnclear {
		s += "; likely cause " + Brief(string(c))
	}
	return s
}

// Clearest is the alert whose cause is told for the group: the worst firing one whose cause is clear, else the worst one.
func Clearest(n *alert.Notification) *detector.Record {
	for i := range n.Firing {
		if c := n.Firing[i].Record.Cause; c != "" && c != detector.CauseUnclear {
			return &n.Firing[i].Record
		}
	}
	return &n.Worst().Record
}

const (
	maxCohorts = 10 // named in a text, the worst ones
	maxFacts   = 6  // of a likely cause
)

// Details are what is known of a notification, a line each: what was compared, the cohorts, the likely cause and its facts,
// what is done about it, and the rule author's own words.
func Details(n *alert.Notification) []string {
	r := &n.Worst().Record
	var out []string
	line := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if len(n.Firing) == 0 {
		line("Lasted %s, %s to %s UTC", Lasted(n.Until().Sub(n.Since())), Clock(n.Since(), n.Until()), Clock(n.Until(), n.Until()))
		if r.Reason != "" && r.Reason != "recovered" {
			line("Ended: %s", Brief(r.Reason))
		}
	} else {
		s := Headline(r)
		if was := Was(r); was != "" {
			s += ", " + was
		}
		line("%s; %s, since %s UTC", s, Samples(r), Clock(n.Since(), r.Time))
	}
	for i := range n.Firing {
		if len(n.Firing) == 1 {
			break
		}
		if i == maxCohorts {
			line("and %d more", len(n.Firing)-i)
			break
		}
		m := &n.Firing[i].Record
		value, _ := Figures(m)
		line("%s: %s, %s", Cohort(m), value, Samples(m))
	}
	if c := Clearest(n); len(n.Firing) > 0 && c.Cause != "" {
		line("Likely cause: %s", Brief(string(c.Cause)))
		for _, fact := range c.Because[:min(len(c.Because), maxFacts)] {
			line("- %s", Cut(Clean(fact), 300))
		}
	}
	if i := n.Introduced; i != nil {
		line("%s was promoted by %s at %s UTC", Brief(i.Version), Brief(i.Actor), Clock(i.Time, r.Time))
	}
	if s := Rollback(n); s != "" {
		out = append(out, s)
	}
	if s := Decide(n); s != "" {
		out = append(out, s)
	}
	if n.StandIn != "" {
		line("Told in place of %s, which cannot be told at the moment", Brief(n.StandIn))
	}
	for _, k := range []string{"summary", "description"} {
		if s := r.Annotations[k]; s != "" {
			out = append(out, Cut(Clean(s), 500))
		}
	}
	return out
}

// Rollback says what was done about the version, empty where nothing was.
func Rollback(n *alert.Notification) string {
	r := n.Rollback
	if r == nil {
		return ""
	}
	bad, target := Brief(r.Version), Brief(r.Previous)
	if target == "" {
		target = "the previous version"
	}
	because := ""
	if r.Reason != "" {
		because = ": " + Cut(Clean(r.Reason), 300)
	}
	switch r.Type {
	case detector.RollbackProposed, detector.RollbackReminded:
		if r.Rollback == "auto" {
			return "Rollback to " + target + " under way"
		}
		if strings.HasPrefix(r.Reason, "Proposed: ") || strings.HasPrefix(r.Reason, "Dry run: ") {
			return Cut(Clean(r.Reason), 300)
		}
		return "Rollback to " + target + " proposed" + because
	case detector.RollbackRequested, detector.RollbackApproved, detector.RollbackPromoting:
		return "Rollback to " + target + " under way"
	case detector.RollbackRejected:
		return "Rollback to " + target + " rejected" + because
	case detector.RollbackRefused:
		return "No rollback" + because
	case detector.RollbackFailed:
		return "Rollback to " + target + " failed" + because
	case detector.RollbackPromoted:
		return target + " promoted in place of " + bad + " at " + Clock(r.Time, n.Worst().Record.Time) + " UTC"
	case detector.Recovered:
		return target + " was promoted in place of " + bad + ", recovered at " + Clock(r.Time, n.Worst().Record.Time) + " UTC"
	case detector.Ineffective:
		return target + " was promoted in place of " + bad + ", and it did not help" + because
	}
	return ""
}

// Decide says how a person decides on the rollback, empty where none waits.
func Decide(n *alert.Notification) string {
	a := n.Attempt
	if a == nil || a.State != alert.RollbackWaiting {
		return ""
	}
	return fmt.Sprintf("To decide: driftd approve %s, or driftd reject %s --reason …", a.ID(), a.ID())
}

// Trace is the address of a trace by a template with {trace_id} in it; empty where there is no template or the id is none
// that may become part of an address.
func Trace(template, id string) string {
	ok := id != "" && len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if !ok || template == "" {
		return ""
	}
	return strings.ReplaceAll(template, "{trace_id}", id)
}

// Link is where driftd shows an alert, by its API; empty where people cannot reach it.
func Link(publicURL, id string) string {
	if publicURL == "" {
		return ""
	}
	return alert.WebLink(strings.TrimRight(publicURL, "/") + "/api/v1/alerts/" + url.PathEscape(id))
}
