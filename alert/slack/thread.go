package slack

import (
	"strings"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// reply is what goes into the thread of a message.
type reply struct {
	text string
	loud bool // shown in the channel too
}

// replyTo tells what has happened since the message was last told, a line each; the zero reply where that is nothing. What stands
// in a new message is not said again below it.
func replyTo(n *alert.Notification, fresh bool) reply {
	if n.Repeat && fresh {
		return reply{} // the message itself says it
	}
	if n.Repeat {
		return reply{repeated(n), true}
	}
	var lines []string
	var out reply
	for i := range n.News {
		line, loud := news(&n.News[i], n)
		if line == "" || fresh && stands(&n.News[i], n) {
			continue
		}
		lines = append(lines, line)
		out.loud = out.loud || loud
	}
	if fresh {
		out.loud = false // the message is
	}
	if len(lines) > 1 {
		for i := range lines {
			lines[i] = "• " + lines[i]
		}
	}
	out.text = cut(strings.Join(lines, "\n"), maxSection)
	return out
}

// stands says that the message shows a record itself: the step that an alert is at, or what holds for the group.
func stands(r *detector.Record, n *alert.Notification) bool {
	for _, ms := range [][]alert.Member{n.Firing, n.Resolved} {
		for i := range ms {
			if r.Type.IsStep() && ms[i].Record.ID == r.ID && ms[i].Record.Step == r.Step {
				return true
			}
		}
	}
	for _, shown := range []*detector.Record{n.Rollback, n.Acknowledged, n.Silenced, n.Introduced} {
		if shown != nil && shown.Type == r.Type && shown.ID == r.ID && shown.Step == r.Step {
			return true
		}
	}
	return false
}

// repeated says that it still fires.
func repeated(n *alert.Notification) string {
	if len(n.Firing) == 0 {
		return ""
	}
	r := &n.Firing[0].Record
	s := "🔁 Still firing since " + clock(n.Since(), r.Time) + " UTC: " + whose(r, spread(n)) + briefly(r)
	if more := len(n.Firing) - 1; more > 0 {
		s += " and " + number(float64(more), 15) + " more"
	}
	return s
}

// briefly is the figure of a record in a line of its own.
func briefly(r *detector.Record) string {
	if r.Kind == "change" {
		return change(r)
	}
	return headline(r, " for "+cohort(r))
}

// news is the line about one record, and whether the channel should see it; empty for what is not worth one.
func news(r *detector.Record, n *alert.Notification) (line string, loud bool) {
	at := clock(r.Time, n.Worst().Record.Time) + " "
	s := spread(n)
	switch r.Type {
	case detector.Firing:
		if since, ok := began(n, r.ID); ok && since.Before(r.Time) {
			return at + "🔺 *worse*: " + whose(r, s) + briefly(r), true
		}
		return at + "🔴 fires: " + whose(r, s) + briefly(r), false
	case detector.Resolved:
		return at + "🟢 resolved: " + whose(r, s) + now(r) + ofCohort(r, " for "), false
	case detector.Acknowledged:
		return at + "👀 " + acknowledged(r, ""), false
	case detector.Silenced:
		return at + "🔕 " + silenced(r), false
	case detector.RegistryPromoted:
		return at + "📦 " + escape(brief(r.Version)) + " was promoted by " + who(r.Actor), false
	}
	return rolled(r, at, n)
}

// began is when the alert began to fire, as the message tells it.
func began(n *alert.Notification, id string) (time.Time, bool) {
	for _, ms := range [][]alert.Member{n.Firing, n.Resolved} {
		for i := range ms {
			if ms[i].Record.ID == id {
				return ms[i].Since, true
			}
		}
	}
	return time.Time{}, false
}

// rolled is the line about an action of a rollback.
func rolled(r *detector.Record, at string, n *alert.Notification) (line string, loud bool) {
	to, bad := target(r), subject(r)
	reason := escape(cut(clean(sentence(r)), 300))
	because := ""
	if reason != "" {
		because = ": " + reason
	}
	switch r.Type {
	case detector.RollbackRequested:
		return at + "⏪ " + who(r.Actor) + " asks for a rollback to " + to + because, false
	case detector.RollbackProposed:
		switch r.Rollback {
		case "approve":
			return at + "⏪ rollback to " + to + " proposed: a person decides", false
		case "auto":
			return at + "⏪ rollback to " + to + " proposed, driftd goes on by itself", false
		}
		return at + "⏪ " + reason, false
	case detector.RollbackReminded:
		line = at + "⏰ the rollback to " + to + " still waits for approval"
		if ids := mentions(n.Leg.Approvers); ids != "" {
			line += " by " + ids
		}
		return line, true
	case detector.RollbackApproved:
		return at + "⏪ approved by " + who(r.Actor) + because, false
	case detector.RollbackRejected:
		return at + "⏪ rollback rejected by " + who(r.Actor) + because, false
	case detector.RollbackRefused:
		return at + "⛔ *no rollback*" + because, false
	case detector.RollbackPromoting:
		return at + "⏪ asking the registry to promote " + to, false
	case detector.RollbackPromoted:
		return at + "⏪ *" + to + " promoted* in place of " + bad, false
	case detector.RollbackFailed:
		return at + "⛔ *rollback to " + to + " failed*" + because, true
	case detector.Recovered:
		return at + "✅ *recovered* on " + to, false
	case detector.Ineffective:
		return at + "🚨 *THE ROLLBACK TO " + to + " DID NOT HELP*" + because, true
	}
	return "", false
}
