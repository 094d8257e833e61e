package slack

import (
	"fmt"
	"strings"
	"time"

	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// Slack's limits, in its characters.
const (
	maxHeader  = 150
	maxSection = 3000
	maxCohorts = 5 // shown by name, the worst ones
	maxTraces  = 3
)

// Message is what is sent: blocks, and a text for notifications and for clients that cannot show blocks.
type Message struct {
	Text   string
	Blocks []api.Block
}

// Render writes a notification for people. TraceURL is an address with {trace_id} in it, or empty. Everything that comes
// from events, rules or the registry is escaped; the result keeps Slack's limits whatever they hold.
func Render(n *alert.Notification, traceURL string) Message {
	w := n.Worst()
	title := brief(w.Record.Rule) + " · " + strings.TrimSpace(brief(w.Record.Prompt)+" "+brief(w.Record.Version))
	sign := sign(n)
	if len(n.Firing) == 0 {
		title = "Resolved: " + title
	}
	header := cut(sign+" "+title, maxHeader)

	m := Message{Text: fallback(n, sign, title)}
	emoji := true
	m.Blocks = append(m.Blocks, api.NewHeaderBlock(&api.TextBlockObject{Type: api.PlainTextType, Text: header, Emoji: &emoji}))
	var texts []string
	if len(n.Firing) > 0 {
		texts = []string{what(n), cohorts(n), why(n), words(&w.Record), rollback(n), next(n)}
	} else {
		texts = []string{ended(n), rollback(n), after(n)}
	}
	for _, text := range texts {
		if text != "" {
			m.Blocks = append(m.Blocks, api.NewSectionBlock(md(cut(text, maxSection)), nil, nil))
		}
	}
	if c := footer(n, traceURL); c != "" {
		m.Blocks = append(m.Blocks, api.NewContextBlock("", md(cut(c, maxSection))))
	}
	return m
}

// md is a mrkdwn text in which Slack links nothing of itself.
func md(s string) *api.TextBlockObject {
	return &api.TextBlockObject{Type: api.MarkdownType, Text: s, Verbatim: true}
}

func sign(n *alert.Notification) string {
	if len(n.Firing) == 0 {
		return "🟢"
	}
	switch n.Firing[0].Record.Labels["severity"] {
	case "", "page", "critical":
		return "🔴"
	}
	return "🟠"
}

// what is the sentence with the figures, and below it where, on how much data and since when.
func what(n *alert.Notification) string {
	r := &n.Firing[0].Record
	s := headline(r)
	if len(n.Firing) > 1 {
		s += " for " + cohort(r)
	}
	if before := was(r); before != "" {
		s += " · " + before
	}
	if r.Kind == "change" {
		return s + "\nconfirmed by " + samples(r)
	}
	var facts []string
	switch {
	case len(n.Firing) > 1:
		facts = append(facts, count(n)+" firing")
		if r.Window != "" {
			facts = append(facts, "over "+escape(brief(r.Window)))
		}
	case r.Kind == "traffic_share":
		if len(r.Cohort) > 0 {
			facts = append(facts, cohort(r))
		}
		facts = append(facts, "of "+samples(r)+window(r, " in "))
	case r.Metric == "volume" || r.Value == nil:
		facts = append(facts, cohort(r))
		if r.Window != "" && r.Value != nil {
			facts = append(facts, "over "+escape(brief(r.Window)))
		}
	default:
		facts = append(facts, cohort(r), samples(r)+window(r, " in "))
	}
	facts = append(facts, "since "+clock(onset(n), r.Time)+" UTC")
	return s + "\n" + strings.Join(facts, " · ")
}

// count says how many cohorts fire; the total is none.
func count(n *alert.Notification) string {
	cohorts := int64(len(n.Firing))
	for i := range n.Firing {
		if len(n.Firing[i].Record.Cohort) == 0 {
			cohorts--
		}
	}
	s := plural(cohorts, "cohort", "cohorts")
	if cohorts < int64(len(n.Firing)) {
		s += " and all traffic"
	}
	return s
}

func window(r *detector.Record, before string) string {
	if r.Window == "" {
		return ""
	}
	return before + escape(brief(r.Window))
}

// cohorts lists the worst ones when there are several; the total is always among them when it fires.
func cohorts(n *alert.Notification) string {
	var b strings.Builder
	if len(n.Firing) > 1 {
		shown := min(len(n.Firing), maxCohorts)
		total := -1
		for i := range n.Firing {
			if len(n.Firing[i].Record.Cohort) == 0 {
				total = i
			}
		}
		for i := range n.Firing {
			if i >= shown && i != total {
				continue
			}
			r := &n.Firing[i].Record
			value, _ := figures(r)
			fmt.Fprintf(&b, "• *%s* %s", value, cohort(r))
			if r.Metric != "volume" {
				b.WriteString(" · " + samples(r))
			}
			b.WriteByte('\n')
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
		b.WriteString("Back to normal: " + names(n.Resolved))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func names(ms []alert.Member) string {
	var out []string
	for i := range ms {
		if i == maxCohorts {
			out = append(out, fmt.Sprintf("+%d more", len(ms)-i))
			break
		}
		out = append(out, cohort(&ms[i].Record))
	}
	return strings.Join(out, ", ")
}

func cohort(r *detector.Record) string {
	if len(r.Cohort) == 0 {
		return "all traffic"
	}
	return escape(brief(alert.CohortName(r.Cohort)))
}

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

func rollback(n *alert.Notification) string {
	r := n.Rollback
	if r == nil {
		return ""
	}
	target, bad := escape(brief(r.Previous)), escape(brief(r.Version))
	if target == "" {
		target = "the previous version"
	}
	at := clock(r.Time, n.Worst().Record.Time) + " UTC"
	reason := escape(cut(clean(r.Reason), 300))
	if guard, rest, ok := strings.Cut(reason, ": "); ok && strings.Trim(guard, "abcdefghijklmnopqrstuvwxyz_") == "" {
		reason = rest // the guard's name is for the record
	}
	switch r.Type {
	case detector.RollbackProposed:
		if r.Rollback == "auto" {
			return "⏪ Rollback to " + target + " under way"
		}
		return "⏪ " + reason
	case detector.RollbackPromoted:
		return "⏪ *" + target + " promoted* in place of " + bad + " at " + at
	case detector.RollbackRefused:
		return "⛔ *No rollback*: " + reason
	case detector.RollbackFailed:
		return "⛔ *Rollback to " + target + " failed*: " + reason
	case detector.Recovered:
		return "⏪ " + target + " was promoted in place of " + bad + ", recovered at " + at
	}
	return ""
}

// next is what to do now.
func next(n *alert.Notification) string {
	r := &n.Firing[0].Record
	bad, target := subject(r), escape(brief(r.Previous))
	look := "open the traces below"
	if len(r.Exemplars) == 0 {
		look = "look at recent traces of " + bad
	}
	done := detector.RecordType("")
	if n.Rollback != nil {
		done = n.Rollback.Type
	}
	mend := advice(n)
	switch {
	case done == detector.RollbackPromoted || done == detector.Recovered:
		return "*Next*: nothing to do. Clients may cache " + bad + " for some minutes; this resolves when its window is clean."
	case done == detector.RollbackProposed && n.Rollback.Rollback == "auto":
		return ""
	case mend != "":
		return "*Next*: " + mend
	case done == "" && r.Rollback == "auto" && target != "" && clearest(n).Cause != detector.CauseUnclear && clearest(n).Cause != "":
		return "*Next*: driftd is about to ask the registry to promote " + target + "."
	case done == detector.RollbackRefused:
		return "*Next*: " + look + " and decide by hand."
	case r.Metric == "link_coverage":
		return "*Next*: find the callers of " + escape(brief(r.Prompt)) + " that send no prompt version."
	case r.Metric == "score_coverage":
		return "*Next*: check that what scores " + escape(brief(r.Prompt)) + " still runs."
	case r.Metric == "volume":
		return "*Next*: check that callers still reach " + escape(brief(r.Prompt)) + "."
	case clearest(n).Cause == detector.CauseUnclear:
		return "*Next*: " + look + " and decide by hand."
	case target != "":
		return "*Next*: " + look + "; if " + bad + " is the cause, promote " + target + "."
	}
	return "*Next*: " + look + "."
}

// subject is the version, or the prompt where an alert is about all of them.
func subject(r *detector.Record) string {
	if r.Version == "" {
		return escape(brief(r.Prompt))
	}
	return escape(brief(r.Version))
}

// ended says what a resolved alert is now, and how long it lasted.
func ended(n *alert.Notification) string {
	r := &n.Worst().Record
	since, until := n.Since(), n.Until()
	value, _ := figures(r)
	name := escape(brief(measure(r)))
	s := "*" + name + " back to " + value + "*"
	switch r.Kind {
	case "traffic_share":
		s = "*" + strings.TrimSpace(subject(r)+" is back to "+value+" of the calls") + "*"
	case "shape":
		s = "*" + name + " is near that of before again*: " + distance(r) + " " + value
	}
	switch reason := escape(brief(r.Reason)); {
	case r.Kind == "change":
		s = change(r)
		if reason != "" && !strings.HasPrefix(reason, "seen") {
			s += "\n*Ended*: " + reason
		}
	case r.Value == nil && (reason == "" || strings.HasPrefix(reason, "no data")):
		s = "*No more data*: " + subject(r) + " had no " + name + window(r, " in the last ")
	case reason != "" && reason != "recovered":
		s = "*Ended*: " + reason
	}
	if r.Kind == "change" {
		return s + fmt.Sprintf("\nShown from %s to %s UTC", clock(since, until), clock(until, until))
	}
	return s + fmt.Sprintf("\nLasted %s, %s to %s UTC · %s", lasted(until.Sub(since)), clock(since, until), clock(until, until), names(n.Resolved))
}

// after is what is left to do when it is over.
func after(n *alert.Notification) string {
	if n.Rollback == nil || n.Rollback.Type != detector.RollbackPromoted && n.Rollback.Type != detector.Recovered {
		return ""
	}
	return "*Next*: mend " + escape(brief(n.Rollback.Version)) + " before it is promoted again."
}

func footer(n *alert.Notification, traceURL string) string {
	r := &n.Worst().Record
	var parts []string
	if len(n.Firing) > 0 && len(r.Exemplars) > 0 {
		var links []string
		for _, id := range r.Exemplars[:min(len(r.Exemplars), maxTraces)] {
			links = append(links, traceLink(traceURL, id))
		}
		parts = append(parts, "Traces "+strings.Join(links, " "))
	}
	if u := r.Annotations["runbook_url"]; u != "" {
		parts = append(parts, link(u, "Runbook"))
	}
	if b := budget(r); b != "" && len(n.Firing) > 0 {
		parts = append(parts, b)
	}
	parts = append(parts, "rule "+escape(brief(r.Group))+"/"+escape(brief(r.Rule)))
	if team := r.Labels["team"]; team != "" {
		parts = append(parts, escape(brief(team)))
	}
	return strings.Join(parts, " · ")
}

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
	s += ": " + brief(measure(r)) + " " + value + crossed(r) + " for " + where
	if more := len(n.Firing) - 1; more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	if c := clearest(n).Cause; c != "" && c != detector.CauseUnclear {
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
