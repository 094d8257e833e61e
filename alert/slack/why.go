package slack

import (
	"strings"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
)

// maxFacts are shown of an alert.
const maxFacts = 6

// why is the likely cause with the facts that it rests on; empty where none was looked for.
func why(n *alert.Notification) string {
	r := phrase.Clearest(n)
	if r.Cause == "" {
		return ""
	}
	s := "Likely cause: *" + escape(brief(string(r.Cause))) + "*"
	for _, fact := range r.Because[:min(len(r.Because), maxFacts)] {
		s += "\n• " + escape(cut(clean(fact), 300))
	}
	return s
}

// budget says how often the rule may be wrong; empty for kinds that do not say.
func budget(r *detector.Record) string {
	count, per, ok := strings.Cut(r.FalseAlarms, "/")
	if !ok {
		return ""
	}
	many := "false alarms"
	if count == "1" {
		count, many = "one", "false alarm"
	}
	if days, ok := strings.CutSuffix(per, "d"); ok && strings.Trim(days, "0123456789") == "" {
		if per = days + " days"; days == "1" {
			per = "a day"
		}
	}
	return "at most " + escape(brief(count)) + " " + many + " of this rule in " + escape(brief(per))
}

// advice is what to do about a cause that a promotion does not mend, and about kinds that are no matter of quality; empty for the others.
func advice(n *alert.Notification) string {
	r := &n.Firing[0].Record
	switch r.Kind {
	case "change":
		switch r.Metric {
		case "template_hash":
			return "if nobody meant to edit " + subject(r) + " in place, put the template back and make it a new version."
		case "model":
			return "compare the figures of before and after; if they are worse, name the former model in the call."
		case "fallback":
			return "check that callers reach the prompt registry."
		}
		return "check that it was meant."
	case "traffic_share":
		return "find out which callers hold on to it."
	case "shape":
		return "compare the distributions; the mean need not have moved."
	}
	switch phrase.Clearest(n).Cause {
	case detector.CauseEverything:
		return "look at the provider and at what all versions share; promoting another version does not help."
	case detector.CauseModelSnapshot:
		return "name the former model in the call; promoting another version does not bring it back."
	}
	return ""
}
