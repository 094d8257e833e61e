// Package rollback asks the prompt registry to promote the previous version when an alert fires whose rule allows it. Its
// memory is the alerts topic: each step of a rollback is written there before the next is made, so that a crash at any
// point neither skips a promotion nor repeats one.
//
//	firing → rollback_proposed → (dry_run, approve: no further)
//	       → rollback_refused | rollback_failed | rollback_promoted → recovered
//
// One goroutine, that of the act worker, owns all of it.
package rollback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/outbound"
)

// Registry is where prompts live. Errors are a *registry.ConflictError or a *registry.Error.
type Registry interface {
	// Current returns the version that the label points at.
	Current(ctx context.Context, prompt string) (registry.Version, error)
	// List returns the versions that can be promoted, newest first; none where the registry does not tell.
	List(ctx context.Context, prompt string) ([]registry.Version, error)
	// Move points the label at another version. A registry without compare-and-set leaves it to the caller to read before and after.
	Move(ctx context.Context, m registry.Move) error
	Traits() registry.Traits
}

// Historian is a registry that remembers where the label pointed.
type Historian interface {
	// History returns the moves of the label, newest first.
	History(ctx context.Context, prompt string) ([]registry.Change, error)
}

// Switcher is a registry whose prompts carry labels or tags of their own: one that says driftd.rollback=off is a kill switch.
type Switcher interface {
	Switched(ctx context.Context, prompt string) (off bool, err error)
}

// Config is what the core needs.
type Config struct {
	Registry Registry      // nil refuses all
	Enabled  bool          // false is the kill switch: everything is refused, and said so
	Cooldown time.Duration // between two promotions of one prompt, on Now's clock
	Now      func() time.Time
	Metrics  *metrics.Set
	Log      *slog.Logger
}

// DefaultCooldown is long enough for a promotion to show in a window of an hour.
const DefaultCooldown = time.Hour

// Core is an alert.Core.
type Core struct {
	cfg   Config
	books map[int]*book
}

// New returns the core of the act worker of the registry.
func New(cfg Config) *Core { return &Core{cfg: cfg, books: map[int]*book{}} }

// Begin implements alert.Core.
func (c *Core) Begin(part int, committed int64) { c.books[part] = newBook(committed) }

// Live implements alert.Core.
func (c *Core) Live(part int) {
	if b := c.books[part]; b != nil {
		b.live = true
	}
}

// End implements alert.Core.
func (c *Core) End(part int) { delete(c.books, part) }

// Fold implements alert.Core.
func (c *Core) Fold(part int, e alert.Entry) {
	b := c.books[part]
	switch {
	case b == nil:
	case e.Record.Type.IsStep():
		b.step(part, e)
	case order(e.Record.Type) > 0:
		b.acted(part, e)
	}
}

// Due implements alert.Core.
func (c *Core) Due() (time.Time, bool) {
	a := c.next()
	if a == nil {
		return time.Time{}, false
	}
	return a.retry.at, true
}

// next returns the attempt that may go on first; among those that may at once, the one that waits the longest.
func (c *Core) next() *attempt {
	var best *attempt
	for _, b := range c.books {
		if !b.live {
			continue
		}
		for _, a := range b.attempts {
			if !a.open(b.committed) {
				continue
			}
			if best == nil || a.retry.at.Before(best.retry.at) || a.retry.at.Equal(best.retry.at) &&
				(a.offset < best.offset || a.offset == best.offset && a.part < best.part) {
				best = a
			}
		}
	}
	return best
}

// Outstanding implements alert.Core. A promotion that waits for its recovery holds nothing back: it stands in the log.
func (c *Core) Outstanding(part int) (offset int64, ok bool) {
	b := c.books[part]
	if b == nil {
		return 0, false
	}
	for _, a := range b.attempts {
		if a.open(b.committed) && (!ok || a.offset < offset) {
			offset, ok = a.offset, true
		}
	}
	return offset, ok
}

// Status implements alert.Core.
func (c *Core) Status() alert.Status {
	var s alert.Status
	for _, b := range c.books {
		for _, a := range b.attempts {
			if !a.open(b.committed) {
				continue
			}
			s.Outstanding++
			if p := a.retry.problem; p != "" && (s.Problem == "" || p < s.Problem) {
				s.Problem = p
			}
		}
	}
	return s
}

// Act implements alert.Core: one step of one attempt.
func (c *Core) Act(ctx context.Context, j alert.Journal) {
	a := c.next()
	if a == nil || a.retry.at.After(time.Now()) {
		return
	}
	switch a.state {
	case "":
		c.propose(ctx, j, a)
	case detector.RollbackProposed:
		c.decide(ctx, j, a)
	case detector.RollbackPromoted:
		c.write(ctx, j, a, detector.Recovered, "")
	}
}

// propose writes down what is about to be done, before anything is.
func (c *Core) propose(ctx context.Context, j alert.Journal, a *attempt) {
	what := fmt.Sprintf("promote %s in place of %s", a.step.Previous, a.step.Version)
	no := c.known(a)
	var reason string
	switch {
	case a.step.Rollback == "auto":
		reason = what
		if a.step.Previous == "" {
			reason = "promote the version before " + a.step.Version
		}
	case no != nil:
		reason = "Would not promote: " + no.why
	case a.step.Rollback == "dry_run":
		reason = "Dry run: would " + what
	default:
		reason = "Proposed: " + what + "; a person decides"
	}
	a.proposedHere = c.write(ctx, j, a, detector.RollbackProposed, reason)
}

// decide checks the guards, promotes, reads back and writes the outcome. Where the registry may have been asked before, by
// a worker that is gone or in a call without an answer, it is read first: what is done is done.
func (c *Core) decide(ctx context.Context, j alert.Journal, a *attempt) {
	fresh := a.proposedHere && !a.asked
	if fresh && !a.firing() {
		c.refuse(ctx, j, a, over)
		return
	}
	if no := c.known(a); no != nil && (fresh || c.cfg.Registry == nil || a.step.Previous == "") {
		c.refuse(ctx, j, a, no)
		return
	}
	s, err := c.cfg.Registry.Current(ctx, a.step.Prompt)
	if err != nil {
		c.failed(ctx, j, a, err)
		return
	}
	if s.Is(a.step.Previous) && !fresh {
		c.write(ctx, j, a, detector.RollbackPromoted, "already current")
		return
	}
	all, err := c.cfg.Registry.List(ctx, a.step.Prompt)
	if err != nil {
		c.failed(ctx, j, a, err)
		return
	}
	no := seen(a, s, all)
	if no == nil {
		no = c.known(a)
	}
	if no != nil {
		c.refuse(ctx, j, a, no)
		return
	}
	c.promote(ctx, j, a, s, all)
}

func (c *Core) promote(ctx context.Context, j alert.Journal, a *attempt, was registry.Version, all []registry.Version) {
	again := !a.proposedHere || a.asked
	a.asked = true
	to, ok := registry.Find(all, a.step.Previous)
	if !ok {
		to = registry.Version{ID: a.step.Previous}
	}
	err := c.cfg.Registry.Move(ctx, registry.Move{
		Prompt: a.step.Prompt, To: to, Seen: was, Alert: a.step.ID,
		Reason: fmt.Sprintf("driftd: %s fires for %s (%s)", a.step.Rule, a.step.Version, alert.CohortName(a.step.Cohort)),
		Key:    fmt.Sprintf("%s-%d", a.step.ID, a.step.Step),
	})
	if e, ok := errors.AsType[*registry.ConflictError](err); ok {
		if again && e.Current.Is(a.step.Previous) {
			c.write(ctx, j, a, detector.RollbackPromoted, "already current")
			return
		}
		c.refuse(ctx, j, a, refuse("not_current", "%s is current in the registry, not %s", e.Current, a.step.Version))
		return
	}
	if err != nil {
		c.failed(ctx, j, a, err)
		return
	}
	s, err := c.cfg.Registry.Current(ctx, a.step.Prompt)
	switch {
	case err != nil:
		c.failed(ctx, j, a, err)
	case !s.Is(a.step.Previous):
		c.write(ctx, j, a, detector.RollbackFailed, fmt.Sprintf("the registry answered yes, but %s is current", s))
	default:
		c.write(ctx, j, a, detector.RollbackPromoted, "")
	}
}

// failed plans another try, or gives up where none can help.
func (c *Core) failed(ctx context.Context, j alert.Journal, a *attempt, err error) {
	if ctx.Err() != nil {
		return // given up by us: the next worker goes on
	}
	e, ok := errors.AsType[*registry.Error](err)
	if ok && e.Kind != registry.Unavailable {
		c.write(ctx, j, a, detector.RollbackFailed, e.Error())
		return
	}
	a.retry.failures++
	wait := outbound.Delay(a.retry.failures)
	problem := "the registry cannot be asked"
	if ok {
		problem = e.Reason
		if e.After > 0 {
			wait = e.After
		}
	}
	a.retry.at = time.Now().Add(wait)
	if a.retry.problem != problem {
		a.retry.problem = problem
		c.cfg.Log.Warn("rollback is delayed, will try again", "prompt", a.step.Prompt, "version", a.step.Version, "reason", problem, "error", err)
	}
}

func (c *Core) refuse(ctx context.Context, j alert.Journal, a *attempt, no *refusal) {
	c.write(ctx, j, a, detector.RollbackRefused, no.reason())
}

// write appends what was done. Where that fails the attempt stays as it was, and the next try finds out what is so.
func (c *Core) write(ctx context.Context, j alert.Journal, a *attempt, typ detector.RecordType, reason string) bool {
	r := alert.Action(&a.step, typ, c.cfg.Now())
	r.Reason = reason
	if last := c.books[a.part].alerts[r.ID]; typ == detector.Recovered && last != nil {
		r.Value, r.Samples = last.last.Value, last.last.Samples
	}
	if err := j.Append(ctx, a.part, r); err != nil {
		a.retry.failures++
		a.retry.at = time.Now().Add(outbound.Delay(a.retry.failures))
		if a.retry.failures == 1 && ctx.Err() == nil {
			c.cfg.Log.Warn("could not record a rollback, will try again", "prompt", r.Prompt, "type", string(typ), "error", err)
		}
		return false
	}
	a.retry.failures, a.retry.at, a.retry.problem = 0, time.Time{}, ""
	c.cfg.Metrics.GetOrCreateCounter(fmt.Sprintf(`driftd_alert_rollbacks_total{result=%q}`, typ)).Inc()
	level := slog.LevelInfo
	if typ == detector.RollbackFailed {
		level = slog.LevelError // a person has to do it
	}
	c.cfg.Log.Log(ctx, level, "rollback", "result", string(typ), "prompt", r.Prompt, "version", r.Version, "target", r.Previous, "rule", r.Rule, "reason", reason)
	return true
}
