// Package rollback asks the prompt registry to promote the previous version when an alert fires whose rule allows it, or a
// person asks for it. Its memory is the alerts topic: each step of a rollback is written there before the next is made, so that
// a crash at any point neither skips a promotion nor repeats one. [alert.RollbackState] has the states; [Guards] are the reasons
// for which nothing is promoted.
//
//	firing → proposed → approved → promoting → (registry: read, compare, move, read back) → promoted → recovered | ineffective
//	                       └ rejected   └ refused | failed
//
// One goroutine, that of the act worker, owns all of it.
package rollback

import (
	"cmp"
	"context"
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

// Annotator is a registry that keeps notes beside a version: its own audit of what was done.
type Annotator interface {
	// Annotate puts a note, one line of text, beside v.
	Annotate(ctx context.Context, prompt string, v registry.Version, note string) error
}

// Config is what the core needs. Limits are on Now's clock; those that are zero have their default.
type Config struct {
	Registry      Registry      // nil refuses all
	Enabled       bool          // false is the kill switch: everything is refused, and said so
	Cooldown      time.Duration // between two promotions of one prompt; default 1 h, long enough for one to show in a window of an hour
	PromptPerDay  int           // promotions of one prompt in 24 hours; default 2
	FleetPerDay   int           // and of all; default 10
	MinSamples    int           // calls of the target in 24 hours; default 200
	Horizon       time.Duration // for how long a version that was rolled back is no target; default 7 days
	ApproveWithin time.Duration // until a proposal is rejected; default 24 h
	RemindAfter   time.Duration // until people are reminded the first time; default 1 h
	Watch         time.Duration // of a promotion, at most; default 1 h
	Grace         time.Duration // for how long clients may keep a version after the label has moved; longer where Traits say so
	// Link returns an address at which people find an alert, for the registry's audit; nil or empty for none.
	Link    func(alert string) string
	Now     func() time.Time
	Metrics *metrics.Set
	Log     *slog.Logger
}

// Core is an alert.Core.
type Core struct {
	cfg    Config
	books  map[int]*book
	open   map[*attempt]struct{} // attempts that may need something; what is over leaves it when it is next looked at
	gauges gauges
	ready  []*attempt // that may go on at once, as of looked, in their order
	looked time.Time
	pause  pause
	// backoff is the wait after so many failures in a row.
	backoff func(failures int) time.Duration
}

// New returns the core of the act worker of the registry.
func New(cfg Config) *Core {
	cfg.Cooldown, cfg.Horizon, cfg.Watch = cmp.Or(cfg.Cooldown, time.Hour), cmp.Or(cfg.Horizon, 7*day), cmp.Or(cfg.Watch, time.Hour)
	cfg.ApproveWithin, cfg.RemindAfter = cmp.Or(cfg.ApproveWithin, day), cmp.Or(cfg.RemindAfter, time.Hour)
	cfg.PromptPerDay, cfg.FleetPerDay, cfg.MinSamples = cmp.Or(cfg.PromptPerDay, 2), cmp.Or(cfg.FleetPerDay, 10), cmp.Or(cfg.MinSamples, 200)
	c := &Core{cfg: cfg, books: map[int]*book{}, open: map[*attempt]struct{}{}, backoff: outbound.Delay}
	c.gauges.register(cfg.Metrics)
	return c
}

// Begin implements alert.Core.
func (c *Core) Begin(part int, committed int64) {
	c.End(part)
	c.books[part] = newBook(committed)
}

// Live implements alert.Core.
func (c *Core) Live(part int) {
	if b := c.books[part]; b != nil {
		b.live = true
	}
}

// End implements alert.Core.
func (c *Core) End(part int) {
	c.ready = nil
	delete(c.books, part)
	for a := range c.open {
		if a.part == part {
			delete(c.open, a)
		}
	}
}

// Fold implements alert.Core.
func (c *Core) Fold(part int, e alert.Entry) {
	b := c.books[part]
	if b == nil {
		return
	}
	var began *attempt
	switch r := &e.Record; r.Type {
	case detector.Pending, detector.Firing, detector.Resolved:
		began = b.step(part, e)
	case detector.Observed:
		b.observed(r)
	case detector.RollbacksStopped, detector.RollbacksResumed:
		b.switched(r)
	case detector.RegistryPromoted:
		b.moved(r)
	case detector.RollbackRequested, detector.RollbackProposed, detector.RollbackReminded, detector.RollbackApproved,
		detector.RollbackRejected, detector.RollbackPromoting, detector.RollbackRefused, detector.RollbackFailed,
		detector.RollbackPromoted, detector.Recovered, detector.Ineffective:
		began = b.acted(part, e)
	}
	if began != nil {
		c.open[began] = struct{}{}
	}
}

// whole says that all that is begun was read. Limits and guards over prompts are no better than what is known of all of them.
func (c *Core) whole() bool {
	for _, b := range c.books {
		if !b.live {
			return false
		}
	}
	return true
}

// Due implements alert.Core.
func (c *Core) Due() (time.Time, bool) {
	a, at := c.next()
	return at, a != nil
}

// Outstanding implements alert.Core. What waits for a person, or is watched, holds nothing back: it stands in the log.
func (c *Core) Outstanding(part int) (offset int64, ok bool) {
	for a := range c.open {
		if a.part == part && !c.over(a) && a.State != alert.RollbackWaiting && a.State != alert.RollbackWatching && (!ok || a.offset < offset) {
			offset, ok = a.offset, true
		}
	}
	return offset, ok
}

// Lingers is what a problem says that is not of the registry: clients keep the version that was rolled back.
const Lingers = "goes on being called"

// Status implements alert.Core.
func (c *Core) Status() alert.Status {
	var s alert.Status
	lingers := ""
	for a := range c.open {
		if c.over(a) {
			continue
		}
		if a.State != alert.RollbackWaiting && a.State != alert.RollbackWatching {
			s.Outstanding++
		}
		p := a.retry.problem
		if p == "" && a.lingers {
			p = fmt.Sprintf("%s: %s %s after %s was promoted", a.Step.Prompt, a.Step.Version, Lingers, a.Step.Previous)
			lingers = least(lingers, p)
		} else if p != "" {
			s.Problem = least(s.Problem, a.Step.Prompt+": "+p)
		}
	}
	if s.Problem == "" { // what keeps the registry from being asked goes first
		s.Problem = lingers
	}
	return s
}

// least is the first of two by the alphabet, so that what is told stays the same; empty is none.
func least(a, b string) string {
	if a == "" || b < a {
		return b
	}
	return a
}

// Act implements alert.Core: one step of one attempt.
func (c *Core) Act(ctx context.Context, j alert.Journal) {
	a, at := c.next()
	if a == nil || at.After(time.Now()) {
		return
	}
	switch a.State {
	case "":
		c.propose(ctx, j, a)
	case alert.RollbackWaiting:
		c.wait(ctx, j, a)
	case alert.RollbackChecking:
		c.check(ctx, j, a)
	case alert.RollbackPromoting:
		c.promote(ctx, j, a)
	case alert.RollbackVerifying:
		c.verify(ctx, j, a)
	case alert.RollbackWatching:
		c.watch(ctx, j, a)
	}
}

// record makes a record of what is done about the attempt.
func (c *Core) record(a *attempt, typ detector.RecordType, reason string) detector.Record {
	r := alert.Action(&a.Step, typ, c.cfg.Now())
	r.Reason, r.Guard, r.Trend, r.Share = reason, "", nil, nil
	return r
}

// write appends what was done. Where that fails the attempt stays as it was, and the next try finds out what is so.
func (c *Core) write(ctx context.Context, j alert.Journal, a *attempt, rs ...detector.Record) bool {
	if err := j.Append(ctx, a.part, rs...); err != nil {
		a.retry.failures++
		a.retry.at = time.Now().Add(c.backoff(a.retry.failures))
		if a.retry.failures == 1 && ctx.Err() == nil {
			c.cfg.Log.Warn("could not record a rollback, will try again", "prompt", a.Step.Prompt, "type", string(rs[0].Type), "error", err)
		}
		return false
	}
	a.retry.failures, a.retry.at, a.retry.problem = 0, time.Time{}, ""
	for i := range rs {
		r := &rs[i]
		c.cfg.Metrics.GetOrCreateCounter(fmt.Sprintf(`driftd_alert_rollbacks_total{result=%q}`, r.Type)).Inc()
		level := slog.LevelInfo
		if r.Type == detector.RollbackFailed || r.Type == detector.Ineffective {
			level = slog.LevelError // a person has to do it
		}
		attrs := []any{"result", string(r.Type), "prompt", r.Prompt, "version", r.Version, "target", r.Previous, "rule", r.Rule, "reason", r.Reason}
		if r.Guard != "" {
			attrs = append(attrs, "guard", r.Guard)
		}
		c.cfg.Log.Log(ctx, level, "rollback", attrs...)
	}
	return true
}
