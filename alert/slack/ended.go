package slack

import (
	"fmt"
	"strings"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
)

// ended says what a resolved alert is now, how long it lasted and what ended it.
func ended(n *alert.Notification) string {
	r, s := &n.Worst().Record, spread(n)
	since, until := n.Since(), n.Until()
	line := whose(r, s) + now(r)
	if r.Kind == "change" {
		line += fmt.Sprintf("\nShown from %s to %s UTC", clock(since, until), clock(until, until))
	} else {
		line += fmt.Sprintf("\nLasted %s, %s to %s UTC · %s", lasted(until.Sub(since)), clock(since, until), clock(until, until), names(n.Resolved, s))
	}
	if by := endedBy(n); by != "" {
		line += "\nEnded by: " + by
	}
	return line
}

// now is the figure of an alert that is over.
func now(r *detector.Record) string {
	value, _ := figures(r)
	name := escape(brief(measure(r)))
	switch {
	case r.Kind == "change":
		return change(r)
	case gone(r):
		return "*No more data*: " + subject(r) + " had no " + name + window(r, " in the last ")
	case r.Value == nil:
		return "*" + name + "*: no data"
	case r.Kind == "traffic_share":
		return "*" + strings.TrimSpace(subject(r)+" is back to "+value+" of the calls") + "*"
	case r.Kind == "shape":
		return "*" + name + " is near that of before again*: " + phrase.Distance(r) + " " + value
	case !back(r):
		return "*" + name + " " + value + "* when it ended"
	}
	return "*" + name + " back to " + value + "*"
}

// back says that the figure is well again: that is why it ended.
func back(r *detector.Record) bool { return r.Reason == "" || r.Reason == "recovered" }

// gone says that it ended since nothing came any more.
func gone(r *detector.Record) bool {
	return r.Value == nil && (r.Reason == "" || strings.HasPrefix(r.Reason, "no data"))
}

// endedBy says what ended it, as far as driftd knows.
func endedBy(n *alert.Notification) string {
	r := &n.Worst().Record
	a := attempt(n)
	switch {
	case r.Kind == "change" && strings.HasPrefix(r.Reason, "seen"):
		return ""
	case a != nil && (a.State == alert.RollbackWatching || a.State == alert.RollbackRecovered) && (back(r) || gone(r)):
		return "the rollback to " + target(&a.Step) + promotedAt(a, r.Time) + decidedBy(a, r.Time)
	case gone(r):
		return subject(r) + " is not called any more"
	case back(r):
		return "the figure itself: no rollback by driftd"
	}
	return escape(cut(clean(r.Reason), 300))
}

// after is what is left to do when it is over.
func after(n *alert.Notification) string {
	switch a := attempt(n); {
	case a == nil:
		return ""
	case a.State == alert.RollbackWatching || a.State == alert.RollbackRecovered:
		return "*Next*: mend " + subject(&a.Step) + " before it is promoted again."
	case a.State == alert.RollbackIneffective:
		return "*Next*: " + target(&a.Step) + " is current now: decide whether it stays."
	}
	return ""
}
