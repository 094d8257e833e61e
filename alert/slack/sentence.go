package slack

import (
	"fmt"
	"strings"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
)

// what is the sentence with the figures of the worst alert: what it is, what it was, on how much data and since when, and
// where it comes from.
func what(n *alert.Notification) string {
	r := &n.Firing[0].Record
	s := spread(n)
	if r.Kind == "change" {
		return whose(r, s) + change(r) + "; confirmed by " + samples(r)
	}
	head := headline(r, " for "+cohort(r))
	if before := was(r); before != "" {
		head += ", " + before
	}
	facts := []string{whose(r, s) + head}
	since := "since " + clock(onset(n), r.Time) + " UTC"
	switch {
	case len(n.Firing) > 1:
		facts = append(facts, count(n)+" firing", since)
	case r.Kind == "traffic_share":
		facts = append(facts, "of "+samples(r)+window(r, " in ")+" "+since)
	case r.Metric == "volume" || r.Value == nil:
		facts = append(facts, strings.TrimSpace(window(r, "over ")+" "+since))
	default:
		facts = append(facts, samples(r)+window(r, " in ")+" "+since)
	}
	if e := explained(r); e != "" {
		facts = append(facts, e)
	}
	return strings.Join(facts, "; ")
}

// whose names prompt and version where the header cannot.
func whose(r *detector.Record, s spreads) string {
	if s.rules == 1 && s.prompts == 1 && s.versions == 1 {
		return ""
	}
	return escape(brief(strings.TrimSpace(r.Prompt+" "+r.Version))) + ": "
}

// explained says which cohort makes up the most of the change, where it is more than a third.
func explained(r *detector.Record) string {
	if len(r.ExplainedBy) == 0 || r.ExplainedBy[0].Share < 1.0/3 || len(r.Cohort) > 0 {
		return ""
	}
	e := r.ExplainedBy[0]
	return escape(brief(alert.CohortName(e.Cohort))) + " explains " + number(e.Share*100, 2) + " %"
}

// count says how many alerts fire: cohorts, and the total, where all are of one version under one rule.
func count(n *alert.Notification) string {
	total := int64(0)
	for i := range n.Firing {
		if len(n.Firing[i].Record.Cohort) == 0 {
			total++
		}
	}
	all := int64(len(n.Firing))
	switch s := spread(n); {
	case s.rules > 1 || s.prompts > 1 || s.versions > 1:
		return plural(all, "alert", "alerts")
	case total > 0:
		return plural(all-total, "cohort", "cohorts") + " and all traffic"
	}
	return plural(all, "cohort", "cohorts")
}

func window(r *detector.Record, before string) string {
	if r.Window == "" {
		return ""
	}
	return before + escape(brief(r.Window))
}

// members lists the worst alerts when there are several; the total is always among them when it fires.
func members(n *alert.Notification) string {
	var b strings.Builder
	s := spread(n)
	if len(n.Firing) > 1 {
		shown := min(len(n.Firing), maxCohorts)
		total := -1
		for i := range n.Firing {
			if total < 0 && len(n.Firing[i].Record.Cohort) == 0 {
				total = i
			}
		}
		for i := range n.Firing {
			if i >= shown && i != total {
				continue
			}
			b.WriteString("• " + item(&n.Firing[i].Record, s) + "\n")
		}
		hidden := len(n.Firing) - shown
		if total >= shown {
			hidden--
		}
		if hidden > 0 {
			fmt.Fprintf(&b, "+%d more\n", hidden)
		}
	}
	if len(n.Resolved) > 0 {
		b.WriteString("Back to normal: " + names(n.Resolved, s))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// item is one line of the list.
func item(r *detector.Record, s spreads) string {
	value, _ := figures(r)
	line := "*" + value + "* "
	if s.rules > 1 {
		line = "*" + escape(brief(measure(r))) + " " + value + "*" + between(r) + crossed(r) + " · " + escape(brief(r.Rule)) + " · "
	}
	line += called(r, s)
	if r.Metric != "volume" {
		line += " · " + samples(r)
	}
	return line
}

// called names an alert within its group.
func called(r *detector.Record, s spreads) string {
	if s.prompts > 1 || s.versions > 1 {
		of := r.Version
		if s.prompts > 1 {
			of = strings.TrimSpace(r.Prompt + " " + r.Version)
		}
		return escape(brief(of)) + " · " + cohort(r)
	}
	return cohort(r)
}

func names(ms []alert.Member, s spreads) string {
	var out []string
	for i := range ms {
		if i == maxCohorts {
			out = append(out, fmt.Sprintf("+%d more", len(ms)-i))
			break
		}
		out = append(out, called(&ms[i].Record, s))
	}
	return strings.Join(out, ", ")
}

func cohort(r *detector.Record) string { return escape(phrase.Cohort(r)) }

// words are the rule author's own.
func words(r *detector.Record) string {
	var out []string
	for _, k := range []string{"summary", "description"} {
		if s := r.Annotations[k]; s != "" {
			out = append(out, escape(cut(clean(s), 500)))
		}
	}
	return strings.Join(out, "\n")
}

// subject is the version, or the prompt where an alert is about all of them.
func subject(r *detector.Record) string { return escape(phrase.Subject(r)) }

// fallback is the message in one line, for the notification on a phone.
func fallback(n *alert.Notification, sign, title string) string {
	r := &n.Worst().Record
	s := sign + " " + title
	if len(n.Firing) == 0 {
		return plain(s) + ", lasted " + lasted(n.Until().Sub(n.Since()))
	}
	if r.Kind == "change" {
		return plain(s) + ": " + plain(unescape(strings.ReplaceAll(change(r), "*", "")))
	}
	value, _ := figures(r)
	where := "all traffic"
	if len(r.Cohort) > 0 {
		where = brief(alert.CohortName(r.Cohort))
	}
	if r.Value == nil {
		value = "has no data"
	}
	s += ": " + brief(measure(r)) + " " + value + between(r) + crossed(r) + " for " + where
	if more := len(n.Firing) - 1; more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	if c := phrase.Clearest(n).Cause; c != "" && c != detector.CauseUnclear {
		s += "; likely cause " + brief(string(c))
	}
	return plain(s)
}

// onset is when the breach began: before the alert did, where the rule waits.
func onset(n *alert.Notification) time.Time {
	t := n.Since()
	for i := range n.Firing {
		if o := n.Firing[i].Record.Onset; o != nil && o.Before(t) {
			t = *o
		}
	}
	return t
}
