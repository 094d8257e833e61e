package slack

import (
	"cmp"
	"strings"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

const (
	// lingers is the share of the calls that a version may keep after it was replaced.
	lingers = 0.05
	// linger is how long after the grace time it may have more.
	linger = 5 * time.Minute
)

// attempt is the group's rollback, with the versions that a request by hand did not name; nil where there is none.
func attempt(n *alert.Notification) *alert.Attempt {
	if n.Attempt == nil || n.Attempt.State == "" {
		return nil
	}
	a := *n.Attempt
	a.Step.Version = cmp.Or(a.Last.Version, a.Step.Version)
	if a.ByHand() {
		a.Step.Previous = cmp.Or(a.Last.Previous, a.Step.Previous)
	}
	return &a
}

// target names the version that a rollback promotes.
func target(step *detector.Record) string { return escape(goal(step)) }

// goal is target, not escaped.
func goal(step *detector.Record) string {
	v := step.Previous
	if step.Target != nil && step.Target.Version != "" {
		v = step.Target.Version
	}
	if v == "" {
		return "the previous version"
	}
	return brief(v)
}

// rollback says where the rollback is, who did what, and how the versions go on.
func rollback(n *alert.Notification, v View) string {
	a := attempt(n)
	if a == nil {
		return ""
	}
	ref := n.Worst().Record.Time
	to, bad := target(&a.Step), subject(&a.Step)
	reason := escape(cut(clean(sentence(&a.Last)), 500))
	promoted := to + " was promoted in place of " + bad + promotedAt(a, ref) + decidedBy(a, ref)
	switch a.State {
	case alert.RollbackProposed:
		return "⏪ " + reason
	case alert.RollbackWaiting:
		return "⏪ *Rollback to " + to + " waits for approval*" + until(a, v, ref) + "\n" + approvers(n)
	case alert.RollbackChecking:
		return "⏪ Rollback to " + to + " under way: the guards are checked" + decidedBy(a, ref)
	case alert.RollbackPromoting, alert.RollbackVerifying:
		return "⏪ *Promoting " + to + "* in place of " + bad + decidedBy(a, ref)
	case alert.RollbackWatching:
		return "⏪ *" + to + " promoted* in place of " + bad + promotedAt(a, ref) + decidedBy(a, ref) + watched(n, a, v)
	case alert.RollbackRecovered:
		return "✅ *Recovered at " + clock(a.Last.Time, ref) + " UTC*: " + promoted + share(n)
	case alert.RollbackIneffective:
		s := "🚨 *THE ROLLBACK DID NOT HELP*: " + promoted
		if reason != "" {
			s += "\n" + reason
		}
		return s + share(n)
	case alert.RollbackRefused:
		s := "⛔ *No rollback*: " + reason
		if a.Last.Guard != "" {
			s += "\nRefused by the guard " + escape(brief(a.Last.Guard)) + decidedBy(a, ref)
		}
		return s
	case alert.RollbackRejected:
		if a.Last.Actor == "driftd" {
			return "⏪ *Rollback to " + to + " rejected*: " + reason
		}
		s := "⏪ *Rollback to " + to + " rejected* by " + who(a.Last.Actor) + " at " + clock(a.Last.Time, ref) + " UTC"
		if reason != "" {
			s += ": " + reason
		}
		return s
	case alert.RollbackFailed:
		return "⛔ *Rollback to " + to + " failed*: " + reason
	}
	return ""
}

// sentence is the reason of an action without the guard's name before it, which is for the record.
func sentence(r *detector.Record) string {
	if guard, rest, ok := strings.Cut(r.Reason, ": "); ok && (guard == r.Guard || strings.Trim(guard, "abcdefghijklmnopqrstuvwxyz_") == "" && strings.Contains(guard, "_")) {
		return rest
	}
	return r.Reason
}

// decidedBy says who approved, or asked by hand and past which guard; empty where driftd decided.
func decidedBy(a *alert.Attempt, ref time.Time) string {
	d, word, past := a.Decided, ", approved by ", ""
	if a.ByHand() {
		d, word = &a.Step, ", asked for by "
		if d.Force != "" {
			past = ", passing over the guard " + escape(brief(d.Force))
		}
	}
	if d == nil || d.Type == detector.RollbackRejected {
		return ""
	}
	return word + who(d.Actor) + " at " + clock(d.Time, ref) + " UTC" + past
}

func promotedAt(a *alert.Attempt, ref time.Time) string {
	if a.Promoted.IsZero() {
		return ""
	}
	return " at " + clock(a.Promoted, ref) + " UTC"
}

// until says how long a proposal waits.
func until(a *alert.Attempt, v View, ref time.Time) string {
	proposed := time.Time{}
	for i := range a.Log {
		if a.Log[i].Type == detector.RollbackProposed {
			proposed = a.Log[i].Time
		}
	}
	if v.ApproveWithin <= 0 || proposed.IsZero() {
		return ""
	}
	return " until " + clock(proposed.Add(v.ApproveWithin), ref) + " UTC"
}

// approvers says who may approve, and why a person is asked at all where the rule asks for none.
func approvers(n *alert.Notification) string {
	s := "Nobody may approve it in Slack here: the route names no approvers."
	if ids := mentions(n.Leg.Approvers); ids != "" {
		s = ids + " may approve it."
	}
	if from := n.Attempt.Step.AutoFrom; from != nil {
		s += " From " + from.UTC().Format("2 Jan 2006") + " on the rule needs nobody."
	}
	return s
}

// watched says how a promotion goes on: the share of the version that was replaced, the figure of the one that took its place.
func watched(n *alert.Notification, a *alert.Attempt, v View) string {
	s := share(n)
	o := n.Observed
	if o == nil || o.Share == nil {
		return s
	}
	if t := o.Target; t != nil && t.Value != nil && t.Samples > 0 {
		s += "; " + escape(brief(t.Version)) + ": " + escape(brief(measure(o))) + " " + figure(o, *t.Value, 3) + " over " + samplesOf(o, t.Samples) + " in ten minutes"
	}
	if lingering(n, a, v) {
		s += "\n⏳ *" + subject(o) + " lingers*, " + lasted(o.Time.Sub(a.Promoted)) + " after the promotion."
	}
	return s
}

// lingering says that a version still has calls long after it was replaced.
func lingering(n *alert.Notification, a *alert.Attempt, v View) bool {
	o := n.Observed
	return o != nil && o.Share != nil && *o.Share > lingers && o.Time.Sub(a.Promoted) > v.Grace+linger
}

// share says how many of the calls are still of the bad version.
func share(n *alert.Notification) string {
	o := n.Observed
	if o == nil || o.Share == nil {
		return ""
	}
	if *o.Share <= 0 {
		return "\n" + subject(o) + " has no calls any more"
	}
	return "\n" + subject(o) + " still has " + percent(*o.Share) + " of the calls"
}

// percent writes a share for people: whole percents from ten on.
func percent(v float64) string {
	switch {
	case v > 0 && v < 0.001:
		return "less than 0.1 %"
	case v < 0.1:
		return number(v*100, 2) + " %"
	}
	return number(float64(int(v*100+0.5)), 3) + " %"
}
