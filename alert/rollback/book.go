package rollback

import (
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// book is what one partition of the alerts topic says about rollbacks. All of a prompt is in one partition.
type book struct {
	committed int64 // steps below were dealt with before this worker began
	live      bool
	alerts    map[string]*alertState
	groups    map[alert.Key]*group
	prompts   map[string]*prompt
	attempts  map[string]*attempt // by their id
	stop      *detector.Record    // newest stop or resumption of all prompts
}

func newBook(committed int64) *book {
	return &book{committed: committed, alerts: map[string]*alertState{}, groups: map[alert.Key]*group{},
		prompts: map[string]*prompt{}, attempts: map[string]*attempt{}}
}

type alertState struct {
	seen     int // newest step; older ones are repetitions
	value    *float64
	samples  int64 // value's, both of the newest step
	firing   bool
	last     *detector.Record // newest firing step; nil of one that does not fire: the topic keeps a year of them
	observed *detector.Record // newest observation since it began to fire; one comes with its end as well
}

// onset is from when it was so, as far as is known.
func (a *alertState) onset() time.Time { return onset(a.last) }

func onset(r *detector.Record) time.Time {
	if r.Onset != nil {
		return *r.Onset
	}
	return r.Time
}

// group is all cohorts of a prompt version under one rule: they make one attempt from when the first fires until none does.
type group struct {
	members []*alertState
	firing  int
	attempt *attempt // of now, nil where the rule allows none
}

type prompt struct {
	firing     map[string]*alertState // by alert id, of any rule and version
	promotions []promotion            // ours, in the order of the log
	moved      *detector.Record       // newest promotion by someone else
	stop       *detector.Record       // newest stop or resumption of this prompt
	targets    map[string]sighting    // by version
}

// promotion is one that was made and read back.
type promotion struct {
	id       string // of the attempt
	time     time.Time
	from, to string
	why      string // the rule, or who asked
}

// sighting is what detect has said of a version that would be promoted.
type sighting struct {
	target detector.Target
	at     time.Time
}

// attempt is one rollback, and what this worker knows of it beyond the log.
type attempt struct {
	alert.Attempt
	part   int
	offset int64  // of the step or request; of the first action where the step has left the log
	group  *group // nil of one by hand

	rejected int64 // offset of the rejection, 0 for none

	fresh   bool // this worker wrote that it is promoting, and the registry has not been asked yet
	rereads int  // how often the registry was read after it said yes, and named the old version
	held    bool // while it is watched: it was read a second time, and names the target
	look    bool // someone is said to have moved the label: the registry must be read
	setBack bool // someone is known to have moved the label back since the registry was asked
	lingers bool // said that the version goes on being called
	retry   struct {
		failures int
		at       time.Time
		problem  string
	}
}

// forget lets go of what nobody asks of an attempt that is over: the topic keeps a year of them.
func (a *attempt) forget() {
	a.Log, a.Last, a.Decided = nil, detector.Record{}, nil
	a.Step = lean(a.Step)
}

// lean is a record without what is for people.
func lean(r detector.Record) detector.Record {
	r.Because, r.ExplainedBy, r.Exemplars, r.Interval, r.Trend, r.Labels, r.Annotations = nil, nil, nil, nil, nil, nil, nil
	return r
}

// firing says whether what led to the attempt is still so.
func (a *attempt) firing() bool {
	return a.group == nil || a.group.attempt == a && a.group.firing > 0
}

// members are the alerts that led to the attempt, none of one by hand.
func (a *attempt) members() []*alertState {
	if a.group == nil {
		return nil
	}
	return a.group.members
}

// underWay says that the registry may have been asked, with what outcome is not known yet.
func (a *attempt) underWay() bool {
	return a.State == alert.RollbackPromoting || a.State == alert.RollbackVerifying
}

// decided says that a person wants it: it was approved, or asked for by hand.
func (a *attempt) decided() bool {
	return a.ByHand() || a.Decided != nil && a.Decided.Type == detector.RollbackApproved
}

func (b *book) prompt(name string) *prompt {
	p := b.prompts[name]
	if p == nil {
		p = &prompt{firing: map[string]*alertState{}, targets: map[string]sighting{}}
		b.prompts[name] = p
	}
	return p
}

func (b *book) group(r *detector.Record) *group {
	k := alert.Key{Group: r.Group, Rule: r.Rule, Prompt: r.Prompt, Version: r.Version}
	g := b.groups[k]
	if g == nil {
		g = &group{}
		b.groups[k] = g
	}
	return g
}

// step folds a step of an alert. It returns the attempt that begins with it, nil for none.
func (b *book) step(part int, e alert.Entry) *attempt {
	r := e.Record
	g, p := b.group(&r), b.prompt(r.Prompt)
	a := b.alerts[r.ID]
	if a == nil {
		a = &alertState{}
		b.alerts[r.ID] = a
		g.members = append(g.members, a)
	}
	if r.Step <= a.seen {
		return nil
	}
	a.seen, a.value, a.samples = r.Step, r.Value, r.Samples
	p.sight(&r)
	switch {
	case r.Type == detector.Firing:
		a.last = &r
		if !a.firing {
			a.firing, a.observed = true, nil
			p.firing[r.ID] = a
			if g.firing++; g.firing == 1 {
				g.attempt = nil
			}
		}
		// A cohort for which no rollback is possible does not stand in the way of one for which it is, nor does what was thought
		// of its cause before it became worse.
		if r.Rollback != "" && (g.attempt == nil || barred(&g.attempt.Step) != nil && barred(&r) == nil) {
			g.attempt = &attempt{Attempt: alert.Attempt{Step: r}, part: part, offset: e.Offset, group: g}
			b.attempts[g.attempt.ID()] = g.attempt
			return g.attempt
		}
	case r.Type == detector.Resolved && a.firing:
		a.firing, a.last = false, nil
		delete(p.firing, r.ID)
		if g.firing--; g.firing == 0 && g.attempt != nil {
			g.attempt.retry.at = time.Time{} // what waits for the registry may have no object any more
		}
	}
	return nil
}

// sight remembers what a record says of a version that would be promoted.
func (p *prompt) sight(r *detector.Record) {
	if t := r.Target; t != nil && !r.Time.Before(p.targets[t.Version].at) {
		p.targets[t.Version] = sighting{*t, r.Time}
	}
}

// observed folds an observation.
func (b *book) observed(r *detector.Record) {
	b.prompt(r.Prompt).sight(r)
	if a := b.alerts[r.ID]; a != nil && r.Step >= a.seen && (a.observed == nil || !r.Time.Before(a.observed.Time)) {
		a.observed = r
	}
}

// acted folds what was done about a step. It returns the attempt that begins with it, nil for none.
func (b *book) acted(part int, e alert.Entry) *attempt {
	r := &e.Record
	id := alert.AttemptID(r)
	a, began := b.attempts[id], false
	if a == nil { // by hand; or its step has left the log
		a, began = &attempt{Attempt: alert.Attempt{Step: *r}, part: part, offset: e.Offset}, true
		if !a.ByHand() {
			a.group = b.group(r)
		}
	}
	// What this worker writes it knows before what was written just before it. A person who was first has decided.
	if r.Type == detector.RollbackApproved && a.State == alert.RollbackRejected && e.Offset < a.rejected {
		a.State, began = alert.RollbackWaiting, true
	}
	if !a.Fold(r) {
		return nil
	}
	if r.Type == detector.RollbackRejected {
		a.rejected = e.Offset
	}
	if r.Type == detector.RollbackPromoted {
		why := r.Rule
		if a.ByHand() {
			why = a.Step.Actor
		}
		p := b.prompt(r.Prompt)
		p.promotions = append(p.promotions, promotion{id, r.Time, r.Version, r.Previous, why})
		b.glance(r)
	}
	if !began {
		return nil
	}
	b.attempts[id] = a
	return a
}

// moved folds that someone else has moved the label.
func (b *book) moved(r *detector.Record) {
	p := b.prompt(r.Prompt)
	if p.moved != nil && r.Time.Before(p.moved.Time) {
		return
	}
	p.moved = r
	for _, a := range b.attempts {
		if s := &a.Step; s.Prompt == r.Prompt && s.Version == r.Version && a.underWay() && !r.Time.Before(a.Last.Time) {
			a.setBack = true
		}
	}
	b.glance(&detector.Record{Prompt: r.Prompt, Version: r.Previous, Previous: r.Version})
}

// glance makes the attempts on a prompt look at the registry whose version is said to be replaced, or whose target is.
func (b *book) glance(r *detector.Record) {
	for _, a := range b.attempts {
		if s := &a.Step; s.Prompt == r.Prompt && (a.State == alert.RollbackWaiting && r.Previous != s.Version ||
			a.State == alert.RollbackWatching && r.Previous != s.Previous) {
			a.look = true
		}
	}
}

// switched folds a stop or a resumption.
func (b *book) switched(r *detector.Record) {
	if r.Prompt == "" {
		b.stop = r
	} else {
		b.prompt(r.Prompt).stop = r
	}
}
