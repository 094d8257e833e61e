package desk

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// Attempt is a rollback.
type Attempt struct {
	ID       string              `json:"id"`
	State    alert.RollbackState `json:"state"`
	Prompt   string              `json:"prompt"`
	Version  string              `json:"version,omitempty" doc:"The version that is to go; absent while a request by hand has not found out."`
	Target   string              `json:"target,omitempty" doc:"The version that is to take its place."`
	Mode     string              `json:"mode" doc:"What the rule allows: dry_run, approve, auto; or by_hand."`
	Began    time.Time           `json:"began"`
	Step     detector.Record     `json:"step" doc:"What it answers: a step of an alert, or the request."`
	Log      []Event             `json:"log" doc:"What was done, oldest first."`
	Decided  *Event              `json:"decided,omitempty" doc:"Who approved or rejected."`
	Observed *detector.Record    `json:"observed,omitempty" doc:"Newest observation of its alert."`
}

// Stop is a kill switch that is thrown.
type Stop struct {
	Prompt string    `json:"prompt,omitempty" doc:"Empty: all prompts."`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// Attempts returns all rollbacks, the newest first.
func (b *Board) Attempts() []Attempt {
	out := []Attempt{}
	b.each(func(p *part) {
		for _, a := range p.attempts {
			out = append(out, p.view(a))
		}
	})
	slices.SortFunc(out, func(x, y Attempt) int { return cmp.Or(y.Began.Compare(x.Began), strings.Compare(x.ID, y.ID)) })
	return out
}

// Attempt returns a rollback by its id, or by the beginning of it; "9f3c-2" is the one whose id begins with 9f3c and ends with -2.
func (b *Board) Attempt(id string) (Attempt, error) {
	var out Attempt
	full, err := b.find("rollback", id, func(p *part, each func(string)) {
		for name := range p.attempts {
			each(name)
		}
	})
	if err != nil {
		return out, err
	}
	b.each(func(p *part) {
		if a := p.attempts[full]; a != nil {
			out = p.view(a)
		}
	})
	return out, nil
}

func (p *part) view(a *attemptState) Attempt {
	s := &a.Step
	out := Attempt{
		ID: a.ID(), State: a.State, Prompt: s.Prompt, Version: s.Version, Target: s.Previous, Mode: s.Rollback, Began: a.began, Step: *s,
	}
	if s.Type == detector.RollbackRequested {
		out.Mode = "by_hand"
	}
	for i := range a.Log {
		r := &a.Log[i]
		out.Log = append(out.Log, eventOf(r))
		out.Version, out.Target = cmp.Or(r.Version, out.Version), cmp.Or(r.Previous, out.Target)
	}
	if a.Decided != nil {
		ev := eventOf(a.Decided)
		out.Decided = &ev
	}
	if s := p.alerts[a.Step.ID]; s != nil {
		out.Observed = s.observed
	}
	return out
}

// Stops returns the kill switches that are thrown: that of all prompts first, the others by prompt.
func (b *Board) Stops() []Stop {
	out := []Stop{}
	b.each(func(p *part) {
		for prompt, r := range p.switches {
			if r.Type == detector.RollbacksStopped {
				out = append(out, Stop{prompt, r.Actor, r.Time, r.Reason})
			}
		}
	})
	slices.SortFunc(out, func(x, y Stop) int { return strings.Compare(x.Prompt, y.Prompt) })
	return out
}
