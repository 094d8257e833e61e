package rollback

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// propose writes down what is about to be done, before anything is. What people are asked to decide is checked first, so that
// they are not asked in vain.
func (c *Core) propose(ctx context.Context, j alert.Journal, a *attempt) {
	if a.Step.Previous == "" && !c.remember(ctx, a) {
		return
	}
	what := fmt.Sprintf("promote %s in place of %s", a.Step.Previous, a.Step.Version)
	if a.Step.Previous == "" {
		what = "promote the version before " + a.Step.Version
	}
	switch a.Step.Rollback {
	case "auto":
		c.write(ctx, j, a, c.record(a, detector.RollbackProposed, what+"; "+budget(&a.Step)))
	case "approve":
		no, problem, _ := c.foresee(ctx, a)
		if ctx.Err() != nil {
			return // the next worker asks anew
		}
		proposed := c.record(a, detector.RollbackProposed, what+"; "+budget(&a.Step))
		if no != nil {
			c.write(ctx, j, a, proposed, c.refusal(a, no))
			return
		}
		proposed.Reason = fmt.Sprintf("Proposed: %s; a person decides within %s; %s%s%s", what, span(c.cfg.ApproveWithin), budget(&a.Step), automatic(&a.Step), problem)
		c.write(ctx, j, a, proposed)
	default:
		no, problem, later := c.foresee(ctx, a)
		if ctx.Err() != nil || later && c.delay(a, problem) {
			return
		}
		r := c.record(a, detector.RollbackProposed, "Dry run: would "+what+"; "+budget(&a.Step)+problem)
		if no != nil {
			r.Reason, r.Guard = "Dry run: would not promote: "+no.why, no.guard
		}
		c.write(ctx, j, a, r)
	}
}

// foresee asks the guards before anything is decided. problem says that the registry could not be asked, for the end of a
// sentence; later that it may be worth trying again.
func (c *Core) foresee(ctx context.Context, a *attempt) (no *refusal, problem string, later bool) {
	if no, _ = c.refused(a, nil); no != nil {
		return no, "", false
	}
	seen, err := c.ask(ctx, a)
	if err != nil {
		reason, later := unavailable(err)
		return nil, "; the registry could not be asked: " + reason, later
	}
	no, _ = c.refused(a, seen)
	return no, "", false
}

// tries is how often a dry run asks a registry that does not answer.
const tries = 3

// delay plans another try of a dry run, and returns false when there were enough.
func (c *Core) delay(a *attempt, problem string) bool {
	if a.retry.failures+1 >= tries {
		return false
	}
	c.retry(a, strings.TrimPrefix(problem, "; "), 0, nil)
	return true
}

// remember takes the version before from the registry's history, where it has one. It returns false when that is to be tried
// again.
func (c *Core) remember(ctx context.Context, a *attempt) bool {
	h, ok := c.cfg.Registry.(Historian)
	if !ok || !c.cfg.Registry.Traits().History {
		return true
	}
	changes, err := h.History(ctx, a.Step.Prompt)
	if err != nil {
		reason, later := unavailable(err)
		if ctx.Err() != nil {
			return false
		}
		if later && a.retry.failures+1 < tries {
			c.retry(a, reason, 0, err)
			return false
		}
		return true // refused, since it is not known
	}
	for i, change := range changes {
		if change.To != a.Step.Version {
			continue
		}
		before := change.From
		for _, older := range changes[i+1:] {
			if before == "" && older.To != a.Step.Version {
				before = older.To
			}
		}
		a.Step.Previous = before
		return true
	}
	return true
}

// budget says how often the rule is wrong by its own claim.
func budget(s *detector.Record) string {
	if n, per, ok := strings.Cut(s.FalseAlarms, "/"); ok {
		times := n + " times"
		if n == "1" {
			times = "once"
		}
		return fmt.Sprintf("%s is wrong %s in %s at most", s.Rule, times, per)
	}
	return s.Rule + " has no false-alarm budget"
}

// automatic says from when it would have been done without asking.
func automatic(s *detector.Record) string {
	if s.AutoFrom == nil {
		return ""
	}
	return "; automatic from " + s.AutoFrom.UTC().Format("2006-01-02") + " on"
}

// patience is when a proposal that waits for a person needs something next, on Now's clock.
func (c *Core) patience(a *attempt) time.Time {
	if !a.firing() || a.look {
		return time.Time{}
	}
	at := a.Begun().Add(c.cfg.ApproveWithin)
	if next := c.reminder(a); next.Before(at) {
		return next
	}
	return at
}

// reminder is when people are to be reminded next: after RemindAfter, and each time that it has waited for twice as long.
func (c *Core) reminder(a *attempt) time.Time {
	after := max(c.cfg.RemindAfter, time.Second)
	if a.Last.Type == detector.RollbackReminded {
		for waited := a.Last.Time.Sub(a.Begun()); after <= waited; {
			after *= 2
		}
	}
	return a.Begun().Add(after)
}

// wait is what a proposal needs that waits for a person: it is withdrawn when it has no object any more, rejected when nobody has
// decided in time, and people are reminded of it.
func (c *Core) wait(ctx context.Context, j alert.Journal, a *attempt) {
	now := c.cfg.Now()
	if !a.firing() {
		c.refuse(ctx, j, a, &refusal{"resolved", "the alert is over: nothing is left to decide"})
		return
	}
	expires := a.Begun().Add(c.cfg.ApproveWithin)
	if !a.look && !now.Before(expires) {
		r := c.record(a, detector.RollbackRejected, fmt.Sprintf("nobody decided within %s", span(c.cfg.ApproveWithin)))
		c.write(ctx, j, a, r)
		return
	}
	remind := !now.Before(c.reminder(a))
	if !a.look && !remind {
		return
	}
	seen, err := c.ask(ctx, a)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		if why := notCurrent(c.question(a, seen)); why != "" {
			c.refuse(ctx, j, a, &refusal{"not_current", why})
			return
		}
	} else if reason, later := unavailable(err); a.look && later && now.Before(expires) {
		c.retry(a, reason, after(err), err)
		return
	}
	a.look = false
	if remind {
		c.write(ctx, j, a, c.record(a, detector.RollbackReminded, fmt.Sprintf("promote %s in place of %s? It has waited for %s, and is rejected in %s",
			a.Step.Previous, a.Step.Version, span(now.Sub(a.Begun())), span(expires.Sub(now)))))
	}
}
