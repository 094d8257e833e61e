package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// Decide approves or rejects a rollback that waits for a person. A rejection needs a reason.
func (d *Desk) Decide(ctx context.Context, who, attemptID string, approve bool, reason string) error {
	a, err := d.board.Attempt(attemptID)
	if err != nil {
		return err
	}
	if err := text("reason", reason); err != nil {
		return err
	}
	switch {
	case a.State == alert.RollbackWaiting:
	case a.Decided != nil:
		return &DoneError{decision(a.Decided.Type), a.Decided.Actor, a.Decided.Time}
	default:
		return &InvalidError{fmt.Sprintf("rollback %s waits for nobody: it is %s", a.ID, a.State), ""}
	}
	typ := detector.RollbackApproved
	if !approve {
		typ = detector.RollbackRejected
		if strings.TrimSpace(reason) == "" {
			return &InvalidError{"a rejection has no reason", "say why, for those who read it later"}
		}
	}
	r := alert.Action(&a.Step, typ, d.now())
	r.Actor, r.Reason = who, strings.TrimSpace(reason)
	n, offset, err := d.append(ctx, r)
	if err != nil {
		return err
	}
	if first, at := d.board.decided(n, a.ID); first == nil {
		return &InvalidError{fmt.Sprintf("rollback %s waits for nobody any more", a.ID), ""}
	} else if at != offset {
		return &DoneError{decision(first.Type), first.Actor, first.Time}
	}
	return nil
}

func decision(t detector.RecordType) string {
	if t == detector.RollbackApproved {
		return "approved"
	}
	return "rejected"
}

// decided is the decision on a rollback and its offset, nil for none.
func (b *Board) decided(n int, id string) (r *detector.Record, offset int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.mu.parts[n].attempts[id]; a != nil {
		return a.Decided, a.decided
	}
	return nil, 0
}

// Rollback asks for a rollback by hand and returns its id; the guards are checked as for any other. With a version to promote it is
// of whatever is current then. Without, it is of the newest version that the board knows of, by an alert that fires or by what
// registries told, to the one before, and only while that version is current. Force names the one guard that is passed over; that is
// audited, and needs a reason.
func (d *Desk) Rollback(ctx context.Context, who, prompt, to, reason, force string) (attemptID string, err error) {
	prompt, to, force = strings.TrimSpace(prompt), strings.TrimSpace(to), strings.TrimSpace(force)
	if prompt == "" {
		return "", &InvalidError{"it does not say which prompt", "name one"}
	}
	if err := cmp.Or(name("prompt", prompt), name("version", to), text("reason", reason)); err != nil {
		return "", err
	}
	if force != "" && strings.TrimSpace(reason) == "" {
		return "", &InvalidError{"a guard is overridden without a reason", "say why, for those who read it later"}
	}
	if force != "" && !slices.Contains(d.guards, force) {
		return "", &InvalidError{fmt.Sprintf("there is no guard %q that can be overridden", force), "one of " + strings.Join(d.guards, ", ")}
	}
	from := "" // whatever is current: who names the target has made up their mind
	if to == "" {
		if from, to = d.board.current(prompt); to == "" {
			return "", &InvalidError{fmt.Sprintf("it is not known which version of %s was before", prompt), "name the version to promote (--to, or `to`)"}
		}
	}
	for _, a := range d.board.Attempts() {
		if a.Prompt == prompt && underWay(a.State) {
			return "", &InvalidError{fmt.Sprintf("a rollback of %s is under way: %s is %s", prompt, a.ID, a.State), "wait for its end, or decide on it"}
		}
	}
	r := detector.Record{
		ID: newID(), Step: 1, Type: detector.RollbackRequested, Time: d.now().UTC(), Prompt: prompt, Version: from, Previous: to,
		Actor: who, Reason: strings.TrimSpace(reason), Force: force,
	}
	_, _, err = d.append(ctx, r)
	if err != nil && !errors.Is(err, ErrUnseen) {
		return "", err
	}
	return alert.AttemptID(&r), err
}

// underWay says that a rollback is about to change the registry, or may be: what waits for a person is too.
func underWay(s alert.RollbackState) bool {
	switch s {
	case alert.RollbackWaiting, alert.RollbackChecking, alert.RollbackPromoting, alert.RollbackVerifying:
		return true
	}
	return false
}

// current is the version of a prompt that is current and the one before it, as the newest record that knows tells; empty where
// nothing does.
func (b *Board) current(prompt string) (version, before string) {
	var at time.Time
	b.each(func(p *part) {
		newer := func(t time.Time, v, prev string) {
			if v != "" && t.After(at) {
				at, version, before = t, v, prev
			}
		}
		for _, r := range p.promoted[prompt] {
			newer(r.Time, r.Version, r.Previous)
		}
		for _, a := range p.alerts {
			if s := a.step; s.Prompt == prompt && s.Type == detector.Firing && s.Previous != "" {
				newer(a.since, s.Version, s.Previous)
			}
		}
		for _, a := range p.attempts {
			if a.Step.Prompt == prompt && !a.Promoted.IsZero() { // what was rolled back is not gone back to unless it is named
				newer(a.Promoted, a.Last.Previous, "")
			}
		}
	})
	return version, before
}

// Stop throws the kill switch of a prompt, of all prompts where it is empty: no rollback goes on until it is resumed.
func (d *Desk) Stop(ctx context.Context, who, prompt, reason string) error {
	if s := d.board.stop(prompt); s != nil {
		return &DoneError{"stopped", s.By, s.At}
	}
	if strings.TrimSpace(reason) == "" {
		return &InvalidError{"it does not say why rollbacks are stopped", "give a reason, for those who read it later"}
	}
	return d.switched(ctx, who, prompt, detector.RollbacksStopped, reason)
}

// Resume takes a kill switch back. That of all prompts does not take back those of single ones.
func (d *Desk) Resume(ctx context.Context, who, prompt, reason string) error {
	if d.board.stop(prompt) == nil {
		return &InvalidError{"rollbacks of " + named(prompt) + " are not stopped", ""}
	}
	return d.switched(ctx, who, prompt, detector.RollbacksResumed, reason)
}

func named(prompt string) string {
	if prompt == "" {
		return "all prompts"
	}
	return prompt
}

// stop is the kill switch of a prompt itself, not that of all.
func (b *Board) stop(prompt string) *Stop {
	for _, s := range b.Stops() {
		if s.Prompt == prompt {
			return &s
		}
	}
	return nil
}

func (d *Desk) switched(ctx context.Context, who, prompt string, typ detector.RecordType, reason string) error {
	if err := cmp.Or(name("prompt", prompt), text("reason", reason)); err != nil {
		return err
	}
	step := 1
	d.board.each(func(p *part) {
		if r, ok := p.switches[prompt]; ok {
			step = max(step, r.Step+1)
		}
	})
	_, _, err := d.append(ctx, detector.Record{
		ID: switchID, Step: step, Type: typ, Time: d.now().UTC(), Prompt: prompt, Actor: who, Reason: strings.TrimSpace(reason),
	})
	return err
}
