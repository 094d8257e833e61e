package desk

import (
	"math"
	"slices"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// part is what one partition says.
type part struct {
	cfg  *BoardConfig
	live bool
	next int64 // behind the newest record that was folded

	alerts   map[string]*alertState
	over     []ended // alerts that are, oldest first
	groups   map[alert.Key]*groupState
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
	group    *groupState
	step     detector.Record // newest
	since    time.Time       // event time since which it is pending, firing or resolved
	events   []Event         // oldest first
	observed *detector.Record
}

// groupState is what is acknowledged together.
type groupState struct {
	members int
	firing  map[string]*alertState
	ack     *written
	worst   float64 // badness at the time of ack
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
		cfg: cfg, alerts: map[string]*alertState{}, groups: map[alert.Key]*groupState{}, attempts: map[string]*attemptState{},
		silences: map[string]*silenceState{}, switches: map[string]written{}, promoted: map[string][]detector.Record{},
		figures: map[string]detector.Record{},
	}
}

func (p *part) share(total int) int { return max(total/p.cfg.Partitions, fewKept) }

func (p *part) fold(e alert.Entry) {
	if e.Offset < p.next {
		return
	}
	p.next = e.Offset + 1
	r := &e.Record
	switch {
	case r.Type.IsStep():
		p.step(r)
		return
	case r.Type == detector.Observed:
		if a := p.alerts[r.ID]; a != nil {
			a.observed = r
		}
		return
	case r.Type == detector.DayFigures:
		p.figures[r.Prompt] = *r
		return
	}
	p.log(r)
	switch r.Type {
	case detector.Notified, detector.NotifyFailed:
	case detector.Acknowledged:
		p.acknowledge(e)
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
func (p *part) step(r *detector.Record) {
	a := p.alerts[r.ID]
	if a == nil {
		if r.Type == detector.Resolved {
			return // it never fired, or that was forgotten
		}
		key := groupOf(r)
		g := p.groups[key]
		if g == nil {
			g = &groupState{firing: map[string]*alertState{}}
			p.groups[key] = g
		}
		g.members++
		a = &alertState{group: g, since: r.Time}
		p.alerts[r.ID] = a
	} else if r.Step <= a.step.Step {
		return
	}
	was := a.step.Type
	if was != r.Type {
		a.since = r.Time
	}
	a.step = *r
	a.tell(eventOf(r))
	g := a.group
	switch r.Type {
	case detector.Firing:
		g.firing[r.ID] = a
		if g.ack != nil && badness(r) >= g.worst+p.cfg.UntilWorseBy {
			g.ack = nil
		}
	case detector.Resolved:
		delete(g.firing, r.ID)
		if len(g.firing) == 0 {
			g.ack = nil
		}
		a.observed = nil
		if was == detector.Pending {
			p.forget(r.ID)
			return
		}
		p.over = append(p.over, ended{r.ID, r.Step})
		for len(p.over) > p.share(keptAlerts) {
			if old := p.over[0]; p.alerts[old.id] != nil && p.alerts[old.id].step.Step == old.step {
				p.forget(old.id)
			}
			p.over = p.over[1:]
		}
	}
}

func (p *part) forget(id string) {
	a := p.alerts[id]
	delete(p.alerts, id)
	if a.group.members--; a.group.members == 0 {
		delete(p.groups, groupOf(&a.step))
	}
}

// acknowledge folds an acknowledgement. The first holds, until it has ended.
func (p *part) acknowledge(e alert.Entry) {
	a := p.alerts[e.Record.ID]
	if a == nil || len(a.group.firing) == 0 || a.group.ack != nil {
		return
	}
	g := a.group
	g.ack, g.worst = &written{e.Record, e.Offset}, 0
	for _, m := range g.firing {
		g.worst = max(g.worst, badness(&m.step))
	}
}

// badness is how far beyond its bound an alert's value lies, as a share of the bound. An empty window, which has no value, is worst.
func badness(r *detector.Record) float64 {
	if r.Value == nil {
		return math.Inf(1)
	}
	if r.Bound == nil {
		return 0
	}
	return math.Abs(*r.Value-*r.Bound) / math.Max(math.Abs(*r.Bound), 1e-9)
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
	for id, s := range p.silences {
		if s.Silence.Ends.Before(p.cfg.Now().Add(-keptSilences)) {
			delete(p.silences, id)
		}
	}
}

// attempt folds an action of a rollback. What is over is forgotten when there is much of it.
func (p *part) attempt(e alert.Entry) {
	r := &e.Record
	id := alert.AttemptID(r)
	a := p.attempts[id]
	if a == nil {
		a = &attemptState{Attempt: alert.Attempt{Step: *r}, began: r.Time}
		if s := p.alerts[r.ID]; s != nil && s.step.Step == r.Step {
			a.Step = s.step
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
