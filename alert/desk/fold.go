package desk

import (
	"slices"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// part is what one partition says.
type part struct {
	cfg *BoardConfig

	alerts   map[string]*alertState
	over     []ended // alerts that are, oldest first
	acks     *alert.Acks
	acked    map[alert.Key]int64 // offset of the acknowledgement that holds, or held last
	attempts map[string]*attemptState
	done     []string // attempts that are over, oldest first
	silences map[string]*silenceState
	switches map[string]written           // by prompt, "" for all: stopped or resumed
	promoted map[string][]detector.Record // by prompt, oldest first
	figures  map[string]detector.Record   // by prompt: the newest day
	audit    []Event                      // oldest first
}

// written is a record with its place in the partition.
type written struct {
	detector.Record
	offset int64
}

type ended struct {
	id   string
	step int
}

// alertState is one alert.
type alertState struct {
	step     *detector.Record // newest
	since    time.Time        // event time since which it is pending, firing or resolved
	events   []Event          // oldest first
	observed *detector.Record
}

type attemptState struct {
	alert.Attempt
	began   time.Time
	decided int64 // offset of Decided
}

type silenceState struct {
	written
	made time.Time // time of the oldest record
	by   string    // its author
}

func newPart(cfg *BoardConfig) *part {
	return &part{
		cfg: cfg, alerts: map[string]*alertState{}, acks: alert.NewAcks(cfg.UntilWorseBy), acked: map[alert.Key]int64{}, attempts: map[string]*attemptState{},
		silences: map[string]*silenceState{}, switches: map[string]written{}, promoted: map[string][]detector.Record{},
		figures: map[string]detector.Record{},
	}
}

func (p *part) share(total int) int { return max(total/p.cfg.Partitions, fewKept) }

// fold takes a record, which is kept. It returns the ids of alerts that are forgotten for it.
func (p *part) fold(e alert.Entry) (forgotten []string) {
	r := &e.Record
	if p.acks.Fold(r) && r.Type == detector.Acknowledged {
		p.acked[alert.Family(r)] = e.Offset
	}
	switch {
	case r.Type.IsStep():
		return p.step(r)
	case r.Type == detector.Observed:
		if a := p.alerts[r.ID]; a != nil {
			a.observed = r
		}
		return nil
	case r.Type == detector.DayFigures:
		p.figures[r.Prompt] = *r
		return nil
	}
	p.log(r)
	switch r.Type {
	case detector.Notified, detector.NotifyFailed, detector.Acknowledged:
	case detector.Silenced:
		p.silence(e)
	case detector.RollbacksStopped, detector.RollbacksResumed:
		p.switches[r.Prompt] = written{*r, e.Offset}
	case detector.RegistryPromoted:
		all := append(p.promoted[r.Prompt], *r)
		p.promoted[r.Prompt] = all[max(len(all)-keptChanges, 0):]
	default:
		p.attempt(e)
	}
	return nil
}

// log keeps an action for the audit log and for its alert. Deliveries are told of with the alert alone: there are too many.
func (p *part) log(r *detector.Record) {
	ev := eventOf(r)
	if a := p.alerts[r.ID]; a != nil {
		a.tell(ev)
	}
	if r.Type == detector.Notified || r.Type == detector.RollbackReminded {
		return
	}
	p.audit = append(p.audit, ev)
	if n := p.share(keptAudit); len(p.audit) > n+n/4 {
		p.audit = slices.Clone(p.audit[len(p.audit)-n:])
	}
}

func (a *alertState) tell(ev Event) {
	a.events = append(a.events, ev)
	if len(a.events) > keptEvents {
		a.events = slices.Delete(a.events, 0, len(a.events)-keptEvents)
	}
}

// step folds a step of an alert; older ones are repetitions.
func (p *part) step(r *detector.Record) (forgotten []string) {
	a := p.alerts[r.ID]
	var was detector.RecordType
	switch {
	case a != nil && r.Step <= a.step.Step:
		return nil
	case a != nil:
		was = a.step.Type
	case r.Type == detector.Resolved:
		return nil // it never fired, or that was forgotten
	default:
		a = &alertState{}
		p.alerts[r.ID] = a
	}
	if was != r.Type {
		a.since = r.Time
	}
	a.step = r
	a.tell(eventOf(r))
	if r.Type != detector.Resolved {
		return nil
	}
	a.observed = nil
	if was == detector.Pending {
		return p.forget(r.ID)
	}
	p.over = append(p.over, ended{r.ID, r.Step})
	for len(p.over) > p.share(keptAlerts) {
		if old := p.over[0]; p.alerts[old.id] != nil && p.alerts[old.id].step.Step == old.step {
			forgotten = append(forgotten, p.forget(old.id)...)
		}
		p.over = p.over[1:]
	}
	return forgotten
}

func (p *part) forget(id string) []string {
	family := alert.Family(p.alerts[id].step)
	delete(p.alerts, id)
	p.acks.Forget(id)
	if p.acks.Of(family) == nil {
		delete(p.acked, family)
	}
	return []string{id}
}

func (p *part) silence(e alert.Entry) {
	r := &e.Record
	if r.Silence == nil {
		return
	}
	s := p.silences[r.ID]
	switch {
	case s == nil:
		p.silences[r.ID] = &silenceState{written{*r, e.Offset}, r.Time, r.Actor}
	case r.Step >= s.Step:
		s.written = written{*r, e.Offset}
	}
}

// expired forgets the silences that have long been over, and returns their ids.
func (p *part) expired() (ids []string) {
	for id, s := range p.silences {
		if s.Silence.Ends.Before(p.cfg.Now().Add(-keptSilences)) {
			delete(p.silences, id)
			ids = append(ids, id)
		}
	}
	return ids
}

// attempt folds an action of a rollback. What is over is forgotten when there is much of it.
func (p *part) attempt(e alert.Entry) {
	r := &e.Record
	id := alert.AttemptID(r)
	a := p.attempts[id]
	if a == nil {
		a = &attemptState{Attempt: alert.Attempt{Step: *r}, began: r.Time}
		if s := p.alerts[r.ID]; s != nil && s.step.Step == r.Step {
			a.Step = *s.step
		}
	}
	before := a.Decided
	if !a.Fold(r) {
		return
	}
	p.attempts[id] = a
	if a.State.Over() {
		p.done = append(p.done, id)
		if len(p.done) > p.share(keptAttempts) {
			delete(p.attempts, p.done[0])
			p.done = p.done[1:]
		}
	}
	if a.Decided != before {
		a.decided = e.Offset
	}
}
