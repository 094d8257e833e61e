package rollback

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fault"
)

// pause is of a registry that does not answer: it is left alone for a while, whoever wants to ask, so that one that hangs does not hold
// up all attempts one after the other.
type pause struct {
	failures int // in a row
	until    time.Time
	err      error
}

// ask reads from the registry what the guards need.
func (c *Core) ask(ctx context.Context, a *attempt) (*answer, error) {
	if c.cfg.Registry == nil { // there was one when the attempt began
		return nil, &registry.Error{Op: "ask the registry", Kind: registry.Wrong, Reason: "no registry is configured"}
	}
	if time.Now().Before(c.pause.until) {
		return nil, c.pause.err
	}
	seen, err := c.read(ctx, a.Step.Prompt)
	if _, later := unavailable(err); err == nil || !later {
		c.pause = pause{}
	} else if ctx.Err() == nil {
		c.pause.failures++
		c.pause.until, c.pause.err = time.Now().Add(max(after(err), c.backoff(c.pause.failures))), err
	}
	return seen, err
}

func (c *Core) read(ctx context.Context, prompt string) (*answer, error) {
	current, err := c.cfg.Registry.Current(ctx, prompt)
	if err != nil {
		return nil, err
	}
	seen := &answer{current: current}
	if seen.all, err = c.cfg.Registry.List(ctx, prompt); err != nil {
		return nil, err
	}
	if s, ok := c.cfg.Registry.(Switcher); ok && c.cfg.Registry.Traits().Switch {
		if seen.off, err = s.Switched(ctx, prompt); err != nil {
			return nil, err
		}
	}
	return seen, nil
}

// check asks the guards, and writes down that the registry is about to be asked to promote.
func (c *Core) check(ctx context.Context, j alert.Journal, a *attempt) {
	no, _ := c.refused(a, nil)
	if no != nil {
		c.refuse(ctx, j, a, no)
		return
	}
	if c.underWay(a) {
		a.retry.at = time.Now().Add(look)
		return
	}
	if old := c.age(a); old > stale && !a.decided() {
		c.retry(a, fmt.Sprintf("what is known of the alert is %s old: it waits until detect has caught up", span(old.Truncate(time.Hour))), 0, nil)
		return
	}
	seen, err := c.ask(ctx, a)
	if err != nil {
		c.failed(ctx, j, a, err, "")
		return
	}
	no, overridden := c.refused(a, seen)
	if no != nil {
		c.refuse(ctx, j, a, no)
		return
	}
	if a.Step.Version == "" {
		a.Step.Version = seen.current.String()
	}
	r := c.record(a, detector.RollbackPromoting, fmt.Sprintf("promote %s in place of %s%s", a.Step.Previous, a.Step.Version, force(&a.Step, overridden)))
	if overridden != "" {
		r.Guard = a.Step.Force
	}
	a.fresh = c.write(ctx, j, a, r)
}

// force says what came of a guard that was to be overridden.
func force(s *detector.Record, overridden string) string {
	switch {
	case s.Force == "":
		return ""
	case overridden != "":
		return fmt.Sprintf("; %s overrides %s: %s", s.Actor, s.Force, overridden)
	}
	return fmt.Sprintf("; %s did not refuse, nothing is overridden", s.Force)
}

// stale is how old what is known of an alert may be for a rollback that nobody decided on: where detect works off a backlog, what fires
// in it may have been over for long, and the topic does not tell yet.
const stale = 2 * time.Hour

// age is how old the newest is that is known of the alert, in event time.
func (c *Core) age(a *attempt) time.Duration {
	newest := a.Step.Time
	for _, s := range a.members() {
		for _, r := range [...]*detector.Record{s.last, s.observed} {
			if r != nil && r.Time.After(newest) {
				newest = r.Time
			}
		}
	}
	return c.cfg.Now().Sub(newest)
}

// underWay says that another attempt on the prompt is.
func (c *Core) underWay(a *attempt) bool {
	for o := range c.open {
		if o != a && o.Step.Prompt == a.Step.Prompt && o.underWay() {
			return true
		}
	}
	return false
}

// promote compares, moves and reads back. Where the registry may have been asked before, by a worker that is gone or in a call
// without an answer, what it says now decides: what is done is done.
func (c *Core) promote(ctx context.Context, j alert.Journal, a *attempt) {
	const unsure = "; whether it was promoted is not known, look at the registry"
	again := !a.fresh
	seen, err := c.ask(ctx, a)
	if err != nil {
		problem := ""
		if again {
			problem = unsure
		}
		c.failed(ctx, j, a, err, problem)
		return
	}
	if seen.current.Is(a.Step.Previous) {
		c.promoted(ctx, j, a, "found by reading back")
		return
	}
	if again {
		c.recall(ctx, a)
	}
	if no, _ := c.refused(a, seen); no != nil {
		c.refuse(ctx, j, a, no)
		return
	}
	to, ok := registry.Find(seen.all, a.Step.Previous)
	if !ok {
		to = registry.Version{ID: a.Step.Previous}
	}
	a.fresh = false
	m := registry.Move{Prompt: a.Step.Prompt, To: to, Seen: seen.current, Alert: a.Step.ID, Reason: purpose(a), Link: c.link(a), Key: a.ID()}
	fault.Point("act.promote")
	err = c.cfg.Registry.Move(ctx, m)
	fault.Point("act.promoted")
	if e, ok := errors.AsType[*registry.ConflictError](err); ok {
		if e.Current.Is(a.Step.Previous) {
			c.promoted(ctx, j, a, "found by reading back")
			return
		}
		c.refuse(ctx, j, a, &refusal{"not_current", notCurrent(c.question(a, &answer{current: e.Current}))})
		return
	}
	if e, ok := errors.AsType[*registry.Error](err); ok && e.Kind == registry.NoVersion {
		c.refuse(ctx, j, a, &refusal{"unknown_target", fmt.Sprintf("the registry has no version %s", a.Step.Previous)})
		return
	}
	if err != nil {
		c.failed(ctx, j, a, err, "")
		return
	}
	a.State, a.rereads = alert.RollbackVerifying, 0
	c.verify(ctx, j, a)
}

// recall asks the registry's history whether someone has moved the label back since it was asked to move. Where there is none, and
// the topic does not say so either, a crash after which someone set it back is taken for one before the registry was asked.
func (c *Core) recall(ctx context.Context, a *attempt) {
	h, ok := c.cfg.Registry.(Historian)
	if a.setBack || !ok || !c.cfg.Registry.Traits().History {
		return
	}
	changes, err := h.History(ctx, a.Step.Prompt)
	a.setBack = err == nil && len(changes) > 0 && changes[0].To == a.Step.Version &&
		!changes[0].At.Before(a.Last.Time.Truncate(time.Second)) // commits have no more
}

// purpose is why, for the registry's own audit.
func purpose(a *attempt) string {
	s := &a.Step
	if a.ByHand() {
		return fmt.Sprintf("driftd: %s asked for it%s", s.Actor, because(s.Reason))
	}
	out := fmt.Sprintf("driftd: %s fires for %s (%s)", s.Rule, s.Version, alert.CohortName(s.Cohort))
	if a.Decided != nil {
		out += ", approved by " + a.Decided.Actor
	}
	return out
}

// rereads is how often a registry is read that said yes and goes on naming the old version: its readers may lag behind.
const rereads = 3

// verify reads back after the registry said yes.
func (c *Core) verify(ctx context.Context, j alert.Journal, a *attempt) {
	current, err := c.cfg.Registry.Current(ctx, a.Step.Prompt)
	switch {
	case err != nil:
		c.failed(ctx, j, a, err, "; the registry said yes, but could not be read back")
	case current.Is(a.Step.Previous):
		c.promoted(ctx, j, a, "")
	case !current.Is(a.Step.Version) || a.setBack:
		c.standDown(ctx, j, a, current)
	case a.rereads+1 < rereads:
		a.rereads++
		a.retry.at = time.Now().Add(c.backoff(a.rereads))
	default:
		c.write(ctx, j, a, c.record(a, detector.RollbackFailed, fmt.Sprintf("the registry answered yes, but %s is current", current)))
	}
}

// promoted writes that the target is current.
func (c *Core) promoted(ctx context.Context, j alert.Journal, a *attempt, how string) {
	if c.write(ctx, j, a, c.record(a, detector.RollbackPromoted, how)) {
		c.annotate(ctx, a, "")
	}
}

// standDown gives way to someone who has moved the label after it was promoted.
func (c *Core) standDown(ctx context.Context, j alert.Journal, a *attempt, current registry.Version) {
	a.setBack = true
	c.refuse(ctx, j, a, &refusal{alert.GuardSetBack, setBack(c.question(a, &answer{current: current}))})
}

// link is where people find the alert; empty of one by hand, or where there is no such place.
func (c *Core) link(a *attempt) string {
	if c.cfg.Link == nil || a.ByHand() {
		return ""
	}
	return c.cfg.Link(a.Step.ID)
}

// annotate writes into the registry's own audit, where it has one: what was done, why, and with what result. It is no part of the
// rollback.
func (c *Core) annotate(ctx context.Context, a *attempt, result string) {
	n, ok := c.cfg.Registry.(Annotator)
	if !ok {
		return
	}
	note := fmt.Sprintf("rolled back to %s: %s", a.Step.Previous, purpose(a))
	if result != "" {
		note += "; " + result
	}
	if !a.ByHand() {
		note += "; alert " + a.Step.ID
	}
	if link := c.link(a); link != "" {
		note += ", " + link
	}
	all, err := c.cfg.Registry.List(ctx, a.Step.Prompt)
	if err == nil {
		v, ok := registry.Find(all, a.Step.Version)
		if !ok {
			v = registry.Version{ID: a.Step.Version}
		}
		err = n.Annotate(ctx, a.Step.Prompt, v, note)
	}
	if err != nil && ctx.Err() == nil {
		c.cfg.Log.Warn("could not note a rollback in the registry", "prompt", a.Step.Prompt, "version", a.Step.Version, "error", err)
	}
}

// refusal makes the record of a guard that refused.
func (c *Core) refusal(a *attempt, no *refusal) detector.Record {
	r := c.record(a, detector.RollbackRefused, no.why)
	r.Guard = no.guard
	return r
}

func (c *Core) refuse(ctx context.Context, j alert.Journal, a *attempt, no *refusal) {
	c.write(ctx, j, a, c.refusal(a, no))
}

// unavailable says why a call failed, and whether it may work later.
func unavailable(err error) (reason string, later bool) {
	if e, ok := errors.AsType[*registry.Error](err); ok {
		return e.Reason, e.Kind == registry.Unavailable
	}
	return "the registry cannot be asked", true
}

// after is how long the registry asked to be left alone; 0 where it did not.
func after(err error) time.Duration {
	if e, ok := errors.AsType[*registry.Error](err); ok {
		return e.After
	}
	return 0
}

// failed plans another try, or gives up where none can help; unsure is then added.
func (c *Core) failed(ctx context.Context, j alert.Journal, a *attempt, err error, unsure string) {
	if ctx.Err() != nil {
		return // given up by us: the next worker goes on
	}
	reason, later := unavailable(err)
	if later {
		c.retry(a, reason, after(err), err)
		return
	}
	text := err.Error()
	if e, ok := errors.AsType[*registry.Error](err); ok && e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	c.write(ctx, j, a, c.record(a, detector.RollbackFailed, text+unsure))
}

// retry plans another try of what failed for a reason, no sooner than after wait.
func (c *Core) retry(a *attempt, reason string, wait time.Duration, err error) {
	a.retry.failures++
	a.retry.at = time.Now().Add(max(wait, c.backoff(a.retry.failures)))
	if a.retry.at.Before(c.pause.until) {
		a.retry.at = c.pause.until
	}
	if a.retry.problem != reason {
		a.retry.problem = reason
		c.cfg.Log.Warn("rollback is delayed, will try again", "prompt", a.Step.Prompt, "version", a.Step.Version, "reason", reason, "error", err)
	}
}
