package alert

import (
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/detector"
)

// notification returns what to tell about a group now, as it was judged. It has no alerts where there is nothing to say.
func (o *Outbox) notification(g *groupState, now time.Time) *Notification {
	n := &Notification{Key: g.key, StandIn: g.key.For, Repeat: g.task == again, Silenced: g.silent}
	for _, h := range g.holds {
		if p := o.ledger.parts[h.part]; h.offset < p.before && p.since.After(n.Doubt) {
			n.Doubt = p.since
		}
	}
	if leg := g.leg(); leg != nil {
		n.Leg = *leg
	} else {
		n.Leg = Leg{Receiver: o.cfg.Name, GroupBy: DefaultGroupBy()}
	}
	open, fresh := false, false // the message that says it fires is the one to change; some were never told
	var over []*alertState
	var since time.Time // event time since which something of the group fires
	for _, a := range g.members {
		open = open || a.toldFiring
		if !a.firing {
			over = append(over, a)
			continue
		}
		if a.leg == nil && !a.toldFiring || a.hush != notHushed && !a.toldFiring {
			continue
		}
		n.Firing = append(n.Firing, Member{Record: *a.last, Since: a.since})
		if since.IsZero() || a.since.Before(since) {
			since = a.since
		}
		if ack := o.ledger.acks.Of(a.family); ack != nil && (n.Acknowledged == nil || ack.Time.After(n.Acknowledged.Time)) {
			n.Acknowledged = ack
		}
	}
	// Of those that are over: what is news, and what fired at the same time as the rest, directly or by way of others.
	slices.SortFunc(over, func(a, b *alertState) int { return b.last.Time.Compare(a.last.Time) })
	for _, a := range over {
		due, _ := o.due(a, now)
		about := g.attempt != nil && g.attempt.Step.ID == a.id && g.attempt.Step.Step >= a.sinceStep && g.toldLog < len(g.attempt.Log)
		together := a.told >= a.sinceStep && (since.IsZero() || !a.last.Time.Before(since))
		if !due && !(about && a.told >= a.sinceStep) && !together {
			continue
		}
		fresh = fresh || due && !a.toldFiring
		n.Resolved = append(n.Resolved, Member{Record: *a.last, Since: a.since})
		if since.IsZero() || a.since.Before(since) {
			since = a.since
		}
	}
	if open || len(n.Firing) == 0 && !fresh {
		n.Ref = g.ref
	}
	sortMembers(n.Firing)
	sortMembers(n.Resolved)
	if len(n.Firing)+len(n.Resolved) == 0 {
		return n
	}
	if at := g.attempt; at != nil && n.about(at, o.ledger.alerts[at.Step.ID], since) {
		whole := *at
		whole.Log = slices.Clone(at.Log)
		n.Attempt, n.Rollback = &whole, &whole.Last
		n.Observed = g.watching()
	}
	if o.traits.Actions {
		o.actions(g, n, now)
		return n
	}
	worst := &n.Worst().Record
	n.Introduced = o.ledger.introduced[version{worst.Prompt, worst.Version}]
	for _, r := range g.news {
		if r.Type == detector.Firing && o.ledger.acks.Of(Family(r)) != nil {
			continue // shown, but no news: someone is on it
		}
		if r.Type.IsStep() && o.passed(o.ledger.alerts[r.ID], now) {
			continue
		}
		n.News = append(n.News, *r)
	}
	slices.SortStableFunc(n.News, func(a, b detector.Record) int { return a.Time.Compare(b.Time) })
	return n
}

// passed says that an alert came and went and is not told at all: no record would ever say that it was, so it would be news each time.
func (o *Outbox) passed(a *alertState, now time.Time) bool {
	if a == nil || a.firing || a.toldFiring || a.told >= a.sinceStep {
		return false
	}
	due, _ := o.due(a, now)
	return !due
}

// actions sets what is told to a program of the one alert of a group, and of its rollback.
func (o *Outbox) actions(g *groupState, n *Notification, now time.Time) {
	n.Worst().Attempt = n.Attempt
	if due, _ := o.due(g.members[0], now); due {
		n.News = append(n.News, *g.members[0].last)
	}
	if n.Attempt != nil {
		n.News = append(n.News, n.Attempt.Log[min(g.toldLog, len(n.Attempt.Log)):]...)
	}
}

// about says whether a rollback is of what the notification tells: of one of its alerts since it fires, or asked for by hand
// since then.
func (n *Notification) about(at *Attempt, of *alertState, since time.Time) bool {
	if of == nil {
		return at.Step.Type == detector.RollbackRequested && at.Step.Time.After(since)
	}
	is := func(m Member) bool { return m.Record.ID == of.id }
	return at.Step.Step >= of.sinceStep && (slices.ContainsFunc(n.Firing, is) || slices.ContainsFunc(n.Resolved, is))
}

// notices are the records that a group was told, or for ever refused. By them the ledger of the next worker knows, see verdict.
func (o *Outbox) notices(g *groupState, n *Notification, ref string, f *Failure, now time.Time) map[int][]detector.Record {
	at := now.UTC()
	for i := range n.News {
		if r := &n.News[i]; !r.Type.IsStep() && r.Time.After(at) {
			at = r.Time // or it would be news the next time too
		}
	}
	if !at.After(g.toldAt) {
		at = g.toldAt.Add(time.Microsecond) // clocks differ: what is told later is later
	}
	says := ""
	if n.Rollback != nil {
		says += ", " + string(n.Rollback.Type)
	}
	if n.Acknowledged != nil {
		says += ", " + string(detector.Acknowledged)
	}
	if n.Silenced != nil {
		says += ", " + string(detector.Silenced)
	}
	if n.Repeat {
		says += ", repeated"
	}
	if f != nil {
		says += ": " + f.Error()
		ref = n.Ref
	}
	out := map[int][]detector.Record{}
	for _, a := range o.newsOf(g, n, now) {
		r := Action(a.last, detector.Notified, at)
		r.Trend, r.Because, r.ExplainedBy, r.Changed = nil, nil, nil, nil
		r.Receiver, r.Ref, r.Reason = o.cfg.Name, ref, string(detector.Resolved)+says
		if a.firing {
			r.Reason = string(detector.Firing) + says
		}
		if f != nil {
			r.Type = detector.NotifyFailed
		}
		out[a.part] = append(out[a.part], r)
	}
	return out
}

// newsOf returns the alerts for which to record that the group was told: those with news, one in the partition of a rollback
// whose news were told, and in any case one.
func (o *Outbox) newsOf(g *groupState, n *Notification, now time.Time) []*alertState {
	var out []*alertState
	resolved := make(map[string]bool, len(n.Resolved))
	for i := range n.Resolved {
		resolved[n.Resolved[i].Record.ID] = true
	}
	for _, a := range g.members {
		due, _ := o.due(a, now)
		// The end of what waits to be told, but stands in the message all the same, is told with it.
		if due || !a.firing && a.toldFiring && resolved[a.id] {
			out = append(out, a)
		}
	}
	one := func(ok func(a *alertState) bool) {
		var best *alertState
		for _, a := range g.members {
			if ok(a) && (best == nil || n.Attempt != nil && a.id == n.Attempt.Step.ID) {
				best = a
			}
		}
		if best != nil {
			out = append(out, best)
		}
	}
	if n.Attempt != nil && g.toldLog < len(g.attempt.Log) && !slices.ContainsFunc(out, func(a *alertState) bool { return a.part == g.attemptPart }) {
		one(func(a *alertState) bool {
			return a.part == g.attemptPart && (a.told > 0 || a.firing && a.leg != nil && a.hush == notHushed)
		})
	}
	if len(out) == 0 {
		one(func(a *alertState) bool { return a.firing && a.toldFiring })
	}
	if len(out) == 0 {
		one(func(a *alertState) bool { return a.told > 0 })
	}
	return out
}

// fallbackReason begins the reason of a notify_failed record that gives an alert to another receiver, whose name follows.
const fallbackReason = "fallback: "

// readFallback returns the receiver that such a reason gives the alert to.
func readFallback(reason string) (receiver string, ok bool) {
	rest, ok := strings.CutPrefix(reason, fallbackReason)
	receiver, _, _ = strings.Cut(rest, ": ")
	return receiver, ok && receiver != ""
}
