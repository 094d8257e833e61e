package desk

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// Alert is one alert as people see it. Here and below, the doc tags are for the API's own document.
type Alert struct {
	ID     string              `json:"id"`
	State  detector.RecordType `json:"state" doc:"One of pending, firing, resolved."`
	Since  time.Time           `json:"since" doc:"Event time since which it is in that state."`
	Labels map[string]string   `json:"labels" doc:"What it is routed and silenced by."`
	Step   detector.Record     `json:"step" doc:"The newest step of the alert, a record as in the alerts topic."`
	Events []Event             `json:"events" doc:"Of this alert, newest first: steps and what was done about them."`

	Acknowledged *Event `json:"acknowledged,omitempty" doc:"Who has taken its group on, while that holds."`
	Silenced     string `json:"silenced,omitempty" doc:"Id of the silence in force that matches it; of several the one that ends last."`
	Attempt      string `json:"attempt,omitempty" doc:"Id of the newest rollback of its version."`

	Observed *detector.Record `json:"observed,omitempty" doc:"Newest observation, of one whose rule allows a rollback."`
}

// Event is something that happened: a step of an alert, or what a person or driftd did.
type Event struct {
	Time     time.Time           `json:"time"`
	Type     detector.RecordType `json:"type"`
	ID       string              `json:"id" doc:"Of the alert, silence or request."`
	Step     int                 `json:"step" doc:"With the id, the rollback that it is of, where it is of one."`
	Rule     string              `json:"rule,omitempty"`
	Prompt   string              `json:"prompt,omitempty"`
	Version  string              `json:"version,omitempty"`
	Previous string              `json:"previous,omitempty" doc:"Version that is, or was, to take its place."`
	Value    *float64            `json:"value,omitempty"`
	Actor    string              `json:"actor,omitempty" doc:"Who: driftd, or a person as slack:…, token:… or local."`
	Reason   string              `json:"reason,omitempty"`
	Receiver string              `json:"receiver,omitempty"`
	Guard    string              `json:"guard,omitempty" doc:"The guard that refused, or that a person overrode."`
	Force    string              `json:"force,omitempty" doc:"The guard that a request by hand passes over."`
	Silence  *detector.Silence   `json:"silence,omitempty"`
}

func eventOf(r *detector.Record) Event {
	return Event{
		Time: r.Time, Type: r.Type, ID: r.ID, Step: r.Step, Rule: r.Rule, Prompt: r.Prompt, Version: r.Version, Previous: r.Previous,
		Value: r.Value, Actor: r.Actor, Reason: r.Reason, Receiver: r.Receiver, Guard: r.Guard, Force: r.Force, Silence: r.Silence,
	}
}

// Silence is a silence with its history.
type Silence struct {
	ID    string       `json:"id"`
	State SilenceState `json:"state"`
	By    string       `json:"by" doc:"Who made it."`
	Made  time.Time    `json:"made" doc:"When."`
	detector.Silence
	Ended string `json:"ended,omitempty" doc:"Who, or what, ended it before its time."`
}

// SilenceState is where a silence is. The set is closed.
type SilenceState string

const (
	SilencePending SilenceState = "pending"
	SilenceActive  SilenceState = "active"
	SilenceExpired SilenceState = "expired" // kept for a week
)

// order of states: open alerts first.
var order = map[detector.RecordType]int{detector.Firing: 0, detector.Pending: 1, detector.Resolved: 2}

// Alerts returns all alerts: firing, pending, resolved; within these the newest first.
func (b *Board) Alerts() []Alert {
	// What is sorted is small; an alert is not.
	type place struct {
		*alertState
		part   *part
		newest map[version]*attemptState
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []place
	for _, p := range b.mu.parts {
		newest := p.newestAttempts()
		for _, a := range p.alerts {
			all = append(all, place{a, p, newest})
		}
	}
	slices.SortFunc(all, func(x, y place) int {
		return cmp.Or(cmp.Compare(order[x.step.Type], order[y.step.Type]), y.since.Compare(x.since), strings.Compare(x.step.ID, y.step.ID))
	})
	out := make([]Alert, len(all))
	for i, a := range all {
		out[i] = b.alert(a.part, a.alertState, a.newest)
	}
	return out
}

// Open returns how many alerts fire, and how many rollbacks wait for a person.
func (b *Board) Open() (firing, waiting int) {
	b.each(func(p *part) {
		for _, a := range p.alerts {
			if a.step.Type == detector.Firing {
				firing++
			}
		}
		for _, a := range p.attempts {
			if a.State == alert.RollbackWaiting {
				waiting++
			}
		}
	})
	return firing, waiting
}

// Alert returns one alert by its id, or by the beginning of it where no other begins so. Errors are ErrNotFound and *InvalidError.
func (b *Board) Alert(id string) (Alert, error) {
	full, err := b.find("alert", id, func(p *part, each func(string)) {
		for name := range p.alerts {
			each(name)
		}
	})
	if err != nil {
		return Alert{}, err
	}
	var out Alert
	b.each(func(p *part) {
		if a := p.alerts[full]; a != nil {
			out = b.alert(p, a, p.newestAttempts())
		}
	})
	return out, nil
}

// alert needs the lock.
func (b *Board) alert(p *part, a *alertState, newest map[version]*attemptState) Alert {
	out := Alert{
		ID: a.step.ID, State: a.step.Type, Since: a.since, Labels: alert.Labels(a.step), Step: *a.step, Events: slices.Clone(a.events), Observed: a.observed,
	}
	slices.Reverse(out.Events)
	if a.step.Type == detector.Firing {
		if ack := p.acks.Of(alert.Family(a.step)); ack != nil {
			ev := eventOf(ack)
			out.Acknowledged = &ev
		}
	}
	if s := b.mu.silences.Match(out.Labels, b.cfg.Now()); s != nil {
		out.Silenced = s.ID
	}
	if at := newest[version{a.step.Prompt, a.step.Version}]; at != nil {
		out.Attempt = at.ID()
	}
	return out
}

type version struct{ prompt, version string }

// newestAttempts are the newest rollback of each version.
func (p *part) newestAttempts() map[version]*attemptState {
	out := make(map[version]*attemptState)
	for _, a := range p.attempts {
		v := version{a.Step.Prompt, a.Step.Version}
		if have := out[v]; have == nil || a.began.After(have.began) || a.began.Equal(have.began) && a.ID() > have.ID() {
			out[v] = a
		}
	}
	return out
}

// Silences returns all silences: in force, not yet begun, expired within a week; within these the newest first.
func (b *Board) Silences() []Silence {
	now := b.cfg.Now()
	out := []Silence{}
	b.each(func(p *part) {
		for _, s := range p.silences {
			v := Silence{ID: s.ID, By: s.by, Made: s.made, Silence: *s.Silence}
			v.Matchers = slices.Clone(v.Matchers)
			if at, ok := b.mu.silences.Ends(s.ID); ok && at.Before(v.Ends) {
				v.Ends, v.Ended = at, allResolved
			}
			switch {
			case !now.Before(v.Ends):
				v.State = SilenceExpired
				if s.Reason == endedEarly {
					v.Ended = s.Actor
				}
			case now.Before(v.Starts):
				v.State = SilencePending
			default:
				v.State = SilenceActive
			}
			out = append(out, v)
		}
	})
	rank := map[SilenceState]int{SilenceActive: 0, SilencePending: 1, SilenceExpired: 2}
	slices.SortFunc(out, func(x, y Silence) int {
		return cmp.Or(cmp.Compare(rank[x.State], rank[y.State]), y.Made.Compare(x.Made), strings.Compare(x.ID, y.ID))
	})
	return out
}

// Silence returns one silence by its id, or by the beginning of it.
func (b *Board) Silence(id string) (Silence, error) {
	full, err := b.find("silence", id, func(p *part, each func(string)) {
		for name := range p.silences {
			each(name)
		}
	})
	if err != nil {
		return Silence{}, err
	}
	all := b.Silences()
	i := slices.IndexFunc(all, func(s Silence) bool { return s.ID == full })
	if i < 0 {
		return Silence{}, ErrNotFound
	}
	return all[i], nil
}

// Labels returns the names of all labels that alerts have or may have, as far as is known, sorted.
func (b *Board) Labels() []string {
	names := map[string]bool{"alert": true, "group": true, "prompt": true, "version": true, "variant": true}
	b.each(func(p *part) {
		for _, a := range p.alerts {
			for name := range alert.Labels(a.step) {
				names[name] = true
			}
		}
	})
	return slices.Sorted(maps.Keys(names))
}

// Prompts returns the names of all prompts of which the board knows an alert, a day's figures, a rollback or a promotion, sorted.
func (b *Board) Prompts() []string {
	names := map[string]bool{}
	b.each(func(p *part) {
		for _, a := range p.alerts {
			names[a.step.Prompt] = true
		}
		for _, a := range p.attempts {
			names[a.Step.Prompt] = true
		}
		for name := range p.figures {
			names[name] = true
		}
		for name := range p.promoted {
			names[name] = true
		}
	})
	return slices.Sorted(maps.Keys(names))
}

// Matching returns how many of the alerts that fire have labels that match.
func (b *Board) Matching(ms []detector.Matcher) (n int) {
	one := alert.NewSilences()
	begin := time.Unix(0, 0)
	one.Fold(&detector.Record{ID: "one", Step: 1, Type: detector.Silenced, Silence: &detector.Silence{Matchers: ms, Starts: begin, Ends: begin.Add(time.Second)}})
	b.each(func(p *part) {
		for _, a := range p.alerts {
			if a.step.Type == detector.Firing && one.Match(alert.Labels(a.step), begin) != nil {
				n++
			}
		}
	})
	return n
}

// Audit returns what people and driftd did, the newest first, limit at most. Deliveries and reminders are left out.
func (b *Board) Audit(limit int) []Event {
	out := []Event{}
	b.each(func(p *part) { out = append(out, p.audit...) })
	slices.Reverse(out) // among equal times, the later in the log first
	slices.SortStableFunc(out, func(x, y Event) int { return y.Time.Compare(x.Time) })
	return out[:min(max(limit, 0), len(out)):len(out)]
}

// Figures returns the newest day of each prompt, by its name.
func (b *Board) Figures() []detector.Record {
	var out []detector.Record
	b.each(func(p *part) { out = slices.AppendSeq(out, maps.Values(p.figures)) })
	slices.SortFunc(out, func(x, y detector.Record) int { return strings.Compare(x.Prompt, y.Prompt) })
	return out
}
