package alert

import (
	"fmt"
	"time"

	"github.com/driftd/driftd/internal/outbound"
)

// SlowRetry is the wait between tries when a person has to mend something first.
const SlowRetry = time.Minute

// outcome is how the last tries went.
type outcome struct {
	failures int       // in a row
	since    time.Time // of the first of them
	at       time.Time // not again before
	problem  string    // reason and hint of the last failure
	what     Trouble   // and what that is
	gave     string    // receiver that is told in place of this one
}

// failed plans the next try. The group is nil for the watchdog.
func (o *Outbox) failed(g *groupState, f *Failure) {
	target := &o.pause
	if f.Kind == Unsendable && g != nil {
		target = &g.retry
	}
	now := time.Now()
	if target.failures == 0 || target.since.IsZero() {
		target.since = now
	}
	target.failures++
	if g != nil && target != &g.retry {
		g.retry.failures++ // others go first the next time: the fault may be with this one
	}
	wait := max(f.After, SlowRetry)
	if f.Kind == Unavailable {
		if wait = f.After; wait == 0 {
			wait = outbound.Delay(target.failures)
		}
	}
	target.at = now.Add(wait)
	target.what = f.trouble()
	problem := f.Reason
	if f.Hint != "" {
		problem += " (" + f.Hint + ")"
	}
	if g != nil {
		listed(o.trouble, g, g.retry.problem != "" || target == &g.retry)
		o.ready.take(g)
		o.later.put(g)
	}
	if target.problem == problem {
		return
	}
	target.problem = problem
	o.cfg.Log.Warn("could not notify, will try again", o.about(g, f)...)
}

// about are the log's attributes of a failure to tell a group.
func (o *Outbox) about(g *groupState, f *Failure) []any {
	attrs := []any{"receiver", o.cfg.Name}
	if g != nil {
		worst := g.members[0].last
		attrs = append(attrs, "rule", worst.Rule, "prompt", worst.Prompt)
		if worst.Version != "" {
			attrs = append(attrs, "version", worst.Version)
		}
	}
	attrs = append(attrs, "reason", f.Reason)
	if f.Hint != "" {
		attrs = append(attrs, "hint", f.Hint)
	}
	if f.Err != nil {
		attrs = append(attrs, "error", f.Err)
	}
	return attrs
}

// worked clears the receiver's problem after an answer that shows that it can be reached.
func (o *Outbox) worked(g *groupState, f *Failure) {
	o.refused = ""
	if f != nil {
		o.refused = "the last notification was refused and is lost: " + f.Error()
		if g != nil && g.handing {
			o.refused = "the last notification was refused and went to the fallback: " + f.Error()
		}
		o.cfg.Log.Error("notification refused, it will not be tried again", o.about(g, f)...)
	}
	if o.pause.problem != "" {
		o.cfg.Log.Info("receiver answers again", "receiver", o.cfg.Name)
	}
	o.pause = outcome{}
}

func (o *Outbox) count(f *Failure) {
	result := "delivered"
	if f != nil {
		result = [...]string{Unavailable: "unavailable", Blocked: "blocked", Unsendable: "unsendable", Refused: "refused"}[f.Kind]
	}
	o.cfg.Metrics.GetOrCreateCounter(fmt.Sprintf(`driftd_alert_notifications_total{receiver=%q,result=%q}`, o.cfg.Name, result)).Inc()
}

// Status implements Core.
func (o *Outbox) Status() Status {
	what, problem := o.problem()
	o.what.Store(&what)
	return Status{Outstanding: o.outstanding, Problem: problem}
}

// problem is the worst of what is wrong; what is empty where that is none of the receiver's own.
func (o *Outbox) problem() (what Trouble, problem string) {
	if problem = o.pause.problem; problem != "" {
		if time.Since(o.pause.since) >= fallbackAfter && o.pause.gave != "" {
			problem += "; " + o.pause.gave + " is told in its place"
		}
		return o.pause.what, problem
	}
	looked := 0
	for g := range o.trouble {
		if looked++; looked > 100 {
			break
		}
		if p := g.retry.problem; p != "" && (problem == "" || p < problem) {
			what, problem = g.retry.what, p
		}
	}
	switch {
	case problem != "":
		return what, problem
	case o.refused != "":
		return TroubleRefused, o.refused
	case o.dog.problem != "":
		return "", "the watchdog is not sent: " + o.dog.problem
	}
	if n := o.ledger.silences.Bad(); n > 0 {
		return "", fmt.Sprintf("%d silences have matchers that cannot be read and match nothing (end them and make them anew)", n)
	}
	if c, ok := o.cfg.Receiver.(Complainer); ok {
		return c.Complaint()
	}
	return "", ""
}
