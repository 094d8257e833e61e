package slack

import (
	"regexp"
	"strings"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// people says in whose place the message is, who has taken it on, who silenced it, and who brought the version in.
func people(n *alert.Notification) string {
	ref := n.Worst().Record.Time
	var out []string
	if n.StandIn != "" {
		out = append(out, "📮 in place of "+escape(brief(n.StandIn))+", which cannot be told at the moment")
	}
	if r := n.Introduced; r != nil {
		out = append(out, "📦 "+escape(brief(r.Version))+" was promoted by "+who(r.Actor)+" at "+clock(r.Time, ref)+" UTC")
	}
	if r := n.Acknowledged; r != nil {
		out = append(out, "👀 "+acknowledged(r, clock(r.Time, ref)+" UTC"))
	}
	if r := n.Silenced; r != nil && len(n.Firing) > 0 {
		out = append(out, "🔕 "+silenced(r))
	}
	return strings.Join(out, "\n")
}

func acknowledged(r *detector.Record, at string) string {
	return strings.TrimSpace("acknowledged by "+who(r.Actor)+" "+at) + remark(r.Reason)
}

// silenced says until when, by whom and why.
func silenced(r *detector.Record) string {
	s := r.Silence
	if s == nil {
		return "silenced by " + who(r.Actor) + remark(r.Reason)
	}
	if !s.Ends.After(s.Starts) || !s.Ends.After(r.Time) {
		return "silence ended by " + who(r.Actor)
	}
	end := clock(s.Ends, r.Time) + " UTC"
	if s.UntilResolved {
		end = "it resolves, " + end + " at the latest"
	}
	return "silenced until " + end + " by " + who(r.Actor) + remark(s.Comment)
}

// remark puts a comment behind a sentence.
func remark(s string) string {
	if s = clean(s); s == "" {
		return ""
	}
	return ": " + escape(cut(s, 300))
}

var slackActor = regexp.MustCompile(`^slack:[A-Z0-9]+ \((.+)\)$`)

// who names an actor of a record: someone in Slack by the name that they have there, without calling them.
func who(actor string) string {
	if m := slackActor.FindStringSubmatch(actor); m != nil {
		return "@" + escape(brief(m[1]))
	}
	if rest, ok := strings.CutPrefix(actor, "token:"); ok {
		if token, name, ok := strings.Cut(rest, " for "); ok {
			return escape(brief(name)) + " (token " + escape(brief(token)) + ")"
		}
		return escape(brief(rest)) + " (by token)"
	}
	if actor == "" {
		return "someone"
	}
	return escape(brief(actor))
}

var (
	userID  = regexp.MustCompile(`^[UW][A-Z0-9]{2,30}$`)
	groupID = regexp.MustCompile(`^S[A-Z0-9]{2,30}$`)
)

// mentions names people and user groups by their ids, so that Slack shows their names; what is no id is left out.
func mentions(ids []string) string {
	var out []string
	for _, id := range ids {
		switch {
		case userID.MatchString(id):
			out = append(out, "<@"+id+">")
		case groupID.MatchString(id):
			out = append(out, "<!subteam^"+id+">")
		}
	}
	if len(out) > maxMentions {
		out = append(out[:maxMentions], "and others")
	}
	switch len(out) {
	case 0:
		return ""
	case 1:
		return out[0]
	}
	return strings.Join(out[:len(out)-1], ", ") + " or " + out[len(out)-1]
}

// maxMentions are named at once.
const maxMentions = 10
