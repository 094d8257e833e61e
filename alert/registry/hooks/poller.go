package hooks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/driftd/driftd/alert/registry"
)

const (
	// looksPerTick bounds what one tick asks of the registry; the next goes on from there.
	looksPerTick = 50
	// lookWithin is how long one look may take. Git fetches with it.
	lookWithin = 30 * time.Second
	// asideFor is how long a prompt is left alone that the registry does not have, or with which something is wrong there.
	asideFor = 15 * time.Minute
	// longestPause bounds the time between two ticks that ask a registry in trouble.
	longestPause = 15 * time.Minute

	metricLooks = "driftd_alert_registry_looks_total"

	absent result = "absent" // the registry does not have the prompt, or its label
)

// Registry is what a poller asks. Errors are a *registry.Error.
type Registry interface {
	// Current returns the version that the label points at.
	Current(ctx context.Context, prompt string) (registry.Version, error)
}

// historian is a registry that remembers who moved the label, and when.
type historian interface {
	History(ctx context.Context, prompt string) ([]registry.Change, error)
}

// snapshotter is a registry that is asked once for many prompts.
type snapshotter interface {
	Snapshot(ctx context.Context) (func(ctx context.Context, prompt string) (registry.Version, error), error)
}

// PollerConfig is what a Poller needs.
type PollerConfig struct {
	Registry Registry
	Prompts  func() []string // those to look after, in an order that stays
	Every    time.Duration   // how often it is ticked
}

// Poller looks where labels point. One goroutine ticks it, in one process of all.
type Poller struct {
	cfg    PollerConfig
	intake *Intake

	last     string               // prompt that was looked at last
	aside    map[string]time.Time // until when to leave prompts alone
	failures int                  // in a row
	pause    time.Time            // no look before
	problem  string               // that was logged last, of the registry
	wrong    map[string]string    // and of prompts

	trouble atomic.Pointer[string] // for people
}

// NewPoller returns a poller; it does nothing until it is ticked.
func NewPoller(cfg PollerConfig, intake *Intake) *Poller {
	p := &Poller{cfg: cfg, intake: intake, aside: map[string]time.Time{}, wrong: map[string]string{}}
	p.publish()
	return p
}

// Trouble says what keeps the poller from looking, and what to do where that is known; empty when all is well. It may be called at any
// time, by any goroutine.
func (p *Poller) Trouble() string { return *p.trouble.Load() }

// Tick looks at some prompts, the next in turn, and writes down what others have promoted. The first look at a label of which the
// topic tells nothing writes nothing. A registry in trouble is asked ever more seldom.
func (p *Poller) Tick(ctx context.Context) {
	now := time.Now()
	if now.Before(p.pause) || !p.intake.cfg.Book.progress.Ready() {
		return
	}
	defer p.publish()
	all := p.cfg.Prompts()
	gone := func(prompt string) bool { return !slices.Contains(all, prompt) }
	maps.DeleteFunc(p.aside, func(prompt string, _ time.Time) bool { return gone(prompt) })
	maps.DeleteFunc(p.wrong, func(prompt, _ string) bool { return gone(prompt) })
	turn := p.turn(all, now)
	if len(turn) == 0 {
		return
	}
	before := make([]label, len(turn)) // before the registry is asked
	for i, prompt := range turn {
		before[i] = p.intake.cfg.Book.label(prompt)
	}
	current := p.cfg.Registry.Current
	if s, ok := p.cfg.Registry.(snapshotter); ok {
		var err error
		if current, err = s.Snapshot(ctx); err != nil {
			if ctx.Err() == nil {
				p.intake.count(metricLooks, failed)
				p.failed(now, turn[0], err)
			}
			return
		}
	}
	for i, prompt := range turn {
		res, err := p.look(ctx, prompt, before[i], current)
		if ctx.Err() != nil {
			return
		}
		p.last = prompt
		p.intake.count(metricLooks, res)
		if p.spoilt(now, prompt, err) {
			continue
		}
		if err != nil {
			p.failed(now, prompt, err)
			return
		}
		if res == absent {
			p.aside[prompt] = now.Add(asideFor)
		}
		p.failures = 0
		delete(p.wrong, prompt)
	}
	if p.failures == 0 && p.problem != "" {
		p.problem = ""
		p.intake.cfg.Logger.Info("labels in the registry can be looked at again")
	}
}

// spoilt puts a prompt aside with which, as far as can be known, alone something is wrong.
func (p *Poller) spoilt(now time.Time, prompt string, err error) bool {
	e, ok := errors.AsType[*registry.Error](err)
	if !ok || e.Kind != registry.Wrong {
		return false
	}
	p.aside[prompt] = now.Add(asideFor)
	if problem := said(err); p.wrong[prompt] != problem {
		p.wrong[prompt] = problem
		p.intake.cfg.Logger.Warn("cannot look where a prompt's label points in the registry", "prompt", prompt, "error", err, "hint", e.Hint)
	}
	return true
}

// said is an error as people see it: the same each time for the same fault.
func said(err error) string {
	e, ok := errors.AsType[*registry.Error](err)
	switch {
	case !ok:
		return err.Error()
	case e.Hint != "":
		return e.Reason + " (" + e.Hint + ")"
	}
	return e.Reason
}

// shown is how many prompts with trouble of their own are named.
const shown = 3

// publish says what the trouble is.
func (p *Poller) publish() {
	text := p.problem
	if text == "" {
		var parts []string
		for _, prompt := range slices.Sorted(maps.Keys(p.wrong)) {
			if len(parts) == shown {
				parts = append(parts, fmt.Sprintf("and %d more", len(p.wrong)-shown))
				break
			}
			parts = append(parts, prompt+": "+p.wrong[prompt])
		}
		text = strings.Join(parts, "; ")
	}
	p.trouble.Store(&text)
}

// turn returns whose turn it is, after the one that was looked at last.
func (p *Poller) turn(all []string, now time.Time) []string {
	var before, after []string
	for _, prompt := range all {
		if until, ok := p.aside[prompt]; ok && now.Before(until) {
			continue
		}
		delete(p.aside, prompt)
		if prompt > p.last {
			after = append(after, prompt)
		} else {
			before = append(before, prompt)
		}
	}
	turn := append(after, before...)
	return turn[:min(len(turn), looksPerTick)]
}

func (p *Poller) failed(now time.Time, prompt string, err error) {
	wait := min(p.cfg.Every<<min(p.failures, 10), longestPause)
	p.failures++
	if e, ok := errors.AsType[*registry.Error](err); ok {
		wait = max(wait, e.After)
	}
	p.pause = now.Add(wait)
	if problem := said(err); problem != p.problem {
		p.problem = problem
		p.intake.cfg.Logger.Warn("cannot look where labels point in the registry, will try again", "prompt", prompt, "error", err)
	}
}

// look looks at one prompt, of which the topic told before that it was so.
func (p *Poller) look(ctx context.Context, prompt string, before label, current func(context.Context, string) (registry.Version, error)) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	v, err := current(ctx, prompt)
	if e, ok := errors.AsType[*registry.Error](err); ok && (e.Kind == registry.NoPrompt || e.Kind == registry.NoLabel || e.Kind == registry.NoVersion) {
		return absent, nil
	}
	if err != nil {
		return failed, err
	}
	if before.version != "" && v.Is(before.version) {
		return known, nil
	}
	h := heard{prompt: prompt, version: v, looked: true, changes: before.changes}
	if hist, ok := p.cfg.Registry.(historian); ok && before.version != "" {
		// Who it was and when is a courtesy: without it the record says now, by the registry.
		if moves, err := hist.History(ctx, prompt); err == nil && len(moves) > 0 && v.Is(moves[0].To) {
			h.author, h.at = moves[0].By, moves[0].At
		}
	}
	return p.intake.take(ctx, h)
}
