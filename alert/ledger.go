package alert

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/driftd/driftd/detector"
)

const (
	// maxNews bounds what is kept of what happened to a group since it was last told.
	maxNews = 20
	// forgetAfter is how long a group that is over is remembered, in event time.
	forgetAfter = 24 * time.Hour
)

// ledger is what the alerts topic says, as one receiver sees it: all partitions together, since a group may have alerts of
// several. What it comes to must not depend on the order in which partitions are read, since a worker that takes over reads them
// in another one: so it orders by event time, and by the times of notified records, and never by arrival.
type ledger struct {
	name       string // of the receiver
	route      *Route
	traits     Traits
	parts      map[int]*ledgerPart
	alerts     map[string]*alertState
	groups     map[Key]*groupState
	families   map[Key][]*alertState
	introduced map[version]*detector.Record
	silences   *Silences
	acks       *Acks
	arrivals   uint64

	dirty map[*groupState]struct{} // to be judged anew
	all   bool                     // every group is
}

// ledgerPart is what is known of a partition.
type ledgerPart struct {
	committed int64 // steps below were dealt with before this worker began
	live      bool
	since     time.Time // when it was live, by the wall clock
	before    int64     // records below were there when this worker began
	silences  []string  // ids
}

type version struct{ prompt, version string }

// alertState is one alert: what it is and what the receiver was told.
type alertState struct {
	id     string
	part   int
	group  *groupState // nil while the receiver has nothing to do with it
	family Key
	seen   int              // newest step; older ones are repetitions
	last   *detector.Record // newest firing or resolved step
	offset int64            // of last
	order  uint64           // of the arrival of last
	firing bool
	leg    *Leg // by which the newest firing step comes to this receiver; nil for none

	// The step with which it began to fire the last time.
	since     time.Time
	sinceStep int
	fresh     bool // it came after this receiver had begun
	doubt     bool // nobody knows whether it was told: by the worker before, which died before it could record that, or as its answer was lost

	told       int  // newest step that the receiver was told
	toldFiring bool // and what it was

	standIn string // the receiver that could not be told of it, in whose place this one is
	stoodIn int64  // offset of the record that says so
	handed  int    // step that was given to the fallback

	hush hush // as judged last
}

// groupState is a notification group.
type groupState struct {
	key     Key
	members []*alertState
	firing  int // members that fire

	attempt       *Attempt // newest
	attemptPart   int
	attemptOffset int64 // of its last action
	toldLog       int   // how many of its actions were told

	observed       *detector.Record
	observedOffset int64
	observedTold   time.Time // event time of the observation that was told
	observedAt     time.Time // when that was

	ref                   string
	toldAt                time.Time // newest notified record
	toldAck, toldSilenced bool      // what it said
	sentAt                time.Time // last delivery of this worker, for receivers that forget
	news                  []*detector.Record

	judged
	retry outcome
}

// ofRollback says that a record is about a rollback.
func ofRollback(t detector.RecordType) bool {
	switch t {
	case detector.RollbackRequested, detector.RollbackProposed, detector.RollbackReminded, detector.RollbackApproved, detector.RollbackRejected,
		detector.RollbackRefused, detector.RollbackPromoting, detector.RollbackPromoted, detector.RollbackFailed, detector.Recovered, detector.Ineffective:
		return true
	}
	return false
}

func newLedger(cfg *OutboxConfig) *ledger {
	return &ledger{
		name: cfg.Name, route: cfg.Route, traits: cfg.Receiver.Traits(), parts: map[int]*ledgerPart{}, alerts: map[string]*alertState{},
		groups: map[Key]*groupState{}, families: map[Key][]*alertState{}, introduced: map[version]*detector.Record{},
		silences: NewSilences(), acks: NewAcks(cfg.UntilWorseBy), dirty: map[*groupState]struct{}{},
	}
}

// fold learns a record.
func (l *ledger) fold(part int, e Entry) {
	p := l.parts[part]
	if p == nil {
		return
	}
	r := &e.Record
	if !p.live {
		p.before = e.Offset + 1
	}
	switch {
	case r.Type.IsStep():
		l.step(r, part, e.Offset)
	case r.Type == detector.Notified && r.Receiver == l.name:
		l.told(r, part)
	case r.Type == detector.NotifyFailed:
		l.failed(r, part, e.Offset)
	case r.Type == detector.Notified:
		l.primaryTold(r)
	case r.Type == detector.Acknowledged:
		l.acknowledged(r)
	case r.Type == detector.Silenced:
		if l.silences.Fold(r) {
			l.all = true
		}
		p.silences = append(p.silences, r.ID)
	case r.Type == detector.Observed:
		l.observed(r, e.Offset)
	case r.Type == detector.RegistryPromoted:
		v := version{r.Prompt, r.Version}
		if old := l.introduced[v]; old == nil || !r.Time.Before(old.Time) {
			l.introduced[v] = r
		}
	case ofRollback(r.Type) && (!l.traits.PerAlert || l.traits.Actions):
		l.acted(r, part, e.Offset)
	}
}

// step folds a step of an alert.
func (l *ledger) step(r *detector.Record, part int, offset int64) {
	if r.Type == detector.Pending {
		return
	}
	a := l.alerts[r.ID]
	if a == nil {
		if r.Type == detector.Resolved {
			return // it never fired, or that has left the log
		}
		a = &alertState{id: r.ID, part: part, family: Family(r)}
		l.alerts[r.ID] = a
		l.families[a.family] = append(l.families[a.family], a)
	}
	if r.Step <= a.seen || r.Type == detector.Resolved && !a.firing {
		return // a repetition, or the end of what was only pending
	}
	a.seen = r.Step
	began := r.Type == detector.Firing && !a.firing
	a.last, a.offset = r, offset
	l.arrivals++
	a.order = l.arrivals
	if began {
		p := l.parts[part]
		a.since, a.sinceStep, a.standIn, a.handed = r.Time, r.Step, "", 0
		a.doubt = !p.live && p.committed >= 0 && offset >= p.committed
		a.fresh = p.live || a.doubt
	}
	if r.Type == detector.Firing && a.standIn == "" {
		a.leg = l.legOf(r, l.name)
	}
	if began || a.group == nil {
		l.place(a)
	}
	if r.Type == detector.Resolved && l.inhibits(a) {
		a.doubt = false // the one before was not to tell it
	}
	if a.firing != (r.Type == detector.Firing) {
		a.firing = !a.firing
		if a.group != nil {
			a.group.firing += map[bool]int{true: 1, false: -1}[a.firing]
		}
		if l.traits.PerAlert && len(r.Cohort) == 0 {
			l.touchFamily(a.family) // the total begins or ceases to stand for its cohorts
		}
	}
	l.silences.Fold(r)
	if l.acks.Fold(r) {
		l.touchFamily(a.family)
	}
	if g := a.group; g != nil && (a.leg != nil || a.toldFiring) {
		g.happened(r)
	}
	l.touch(a.group)
}

// legOf returns the way by which a record comes to a receiver, nil for none.
func (l *ledger) legOf(r *detector.Record, receiver string) *Leg {
	for _, leg := range l.route.Legs(Labels(r)) {
		if leg.Receiver == receiver {
			return &leg
		}
	}
	return nil
}

// place puts an alert into the group in which it is told, where the receiver has anything to do with it.
func (l *ledger) place(a *alertState) {
	if a.leg == nil && !a.toldFiring && a.told == 0 {
		return
	}
	leg := a.leg
	if leg == nil {
		leg = &Leg{GroupBy: DefaultGroupBy()}
	}
	key := l.key(a, leg)
	if a.group != nil && a.group.key == key {
		return
	}
	l.leave(a)
	g := l.groups[key]
	if g == nil {
		g = &groupState{key: key}
		g.ready, g.later, g.waking = -1, -1, -1
		l.groups[key] = g
	}
	g.members = append(g.members, a)
	if a.group = g; a.firing {
		g.firing++
	}
	l.touch(g)
}

// leave takes an alert out of its group.
func (l *ledger) leave(a *alertState) {
	g := a.group
	if g == nil {
		return
	}
	g.members = slices.DeleteFunc(g.members, func(m *alertState) bool { return m == a })
	if a.firing {
		g.firing--
	}
	a.group = nil
	l.touch(g)
}

// key is the group of an alert.
func (l *ledger) key(a *alertState, leg *Leg) Key {
	r := a.last
	if l.traits.PerAlert {
		k := a.family
		k.ID, k.For = r.ID, a.standIn
		return k
	}
	k := Key{For: a.standIn}
	var labels map[string]string
	for _, name := range leg.GroupBy {
		switch name {
		case "group":
			k.Group = r.Group
		case "alert":
			k.Rule = r.Rule
		case "prompt":
			k.Prompt = r.Prompt
		case "version":
			k.Version = r.Version
		default:
			if labels == nil {
				labels = Labels(r)
			}
			if k.Labels != "" {
				k.Labels += ", "
			}
			k.Labels += name + "=" + strconv.Quote(labels[name])
		}
	}
	return k
}

// happened keeps a record for the news of the group.
func (g *groupState) happened(r *detector.Record) {
	if len(g.news) == maxNews {
		g.news = slices.Delete(g.news, 0, 1)
	}
	g.news = append(g.news, r)
}

// verdict is what a notified or notify_failed record says was told, written in its reason: the state of the alert, then what
// else the message said, then after a colon why it failed.
type verdict struct {
	state        string // firing or resolved
	rollback     detector.RecordType
	ack, silence bool
}

func readVerdict(reason string) (v verdict) {
	what, _, _ := strings.Cut(reason, ": ")
	for i, word := range strings.Split(what, ", ") {
		switch {
		case i == 0:
			v.state = word
		case ofRollback(detector.RecordType(word)):
			v.rollback = detector.RecordType(word)
		case word == string(detector.Acknowledged):
			v.ack = true
		case word == string(detector.Silenced):
			v.silence = true
		}
	}
	return v
}

// told folds a record that this receiver was told, or for ever refused it.
func (l *ledger) told(r *detector.Record, part int) {
	a := l.alerts[r.ID]
	if a == nil || r.Step < a.told {
		return // its step has left the log, or a newer one was told
	}
	v := readVerdict(r.Reason)
	a.told, a.toldFiring, a.handed = r.Step, v.state == string(detector.Firing), 0
	if a.group == nil {
		l.place(a)
	}
	g := a.group
	if !r.Time.Before(g.toldAt) {
		g.toldAt, g.ref, g.toldAck, g.toldSilenced = r.Time, r.Ref, v.ack, v.silence
	}
	if g.attempt != nil && part == g.attemptPart && v.rollback != "" {
		for i, done := range slices.Backward(g.attempt.Log) {
			if done.Type == v.rollback {
				g.toldLog = max(g.toldLog, i+1)
				break
			}
		}
	}
	g.news = slices.DeleteFunc(g.news, func(old *detector.Record) bool {
		if old.Type.IsStep() {
			return old.ID == r.ID && old.Step <= r.Step
		}
		return !old.Time.After(r.Time)
	})
	l.touch(g)
}

// acknowledged folds an acknowledgement.
func (l *ledger) acknowledged(r *detector.Record) {
	if !l.acks.Fold(r) {
		return
	}
	a := l.alerts[r.ID]
	if a == nil {
		return
	}
	var last *groupState
	for _, m := range l.families[a.family] {
		if g := m.group; g != nil && g != last && g.firing > 0 {
			g.happened(r)
			last = g
		}
	}
	l.touchFamily(a.family)
}

// observed folds an observation of how a promotion goes on.
func (l *ledger) observed(r *detector.Record, offset int64) {
	a := l.alerts[r.ID]
	if a == nil || a.group == nil || !l.traits.Updates {
		return
	}
	if g := a.group; g.observed == nil || r.Time.After(g.observed.Time) {
		g.observed, g.observedOffset = r, offset
		if offset < l.parts[a.part].committed {
			g.observedTold = r.Time
		}
		l.touch(g)
	}
}

// acted folds an action of a rollback. One that was asked for by hand is news to all groups of
// its version.
func (l *ledger) acted(r *detector.Record, part int, offset int64) {
	if a := l.alerts[r.ID]; a != nil {
		if a.group != nil {
			step := r
			if a.last.Step == r.Step {
				step = a.last
			}
			l.attempted(a.group, step, r, part, offset)
		}
		return
	}
	if l.traits.PerAlert {
		return
	}
	for _, g := range l.groups {
		if g.attempt != nil && g.attempt.Step.ID == r.ID || slices.ContainsFunc(g.members, func(a *alertState) bool { return a.concerns(r) }) {
			l.attempted(g, r, r, part, offset)
		}
	}
}

// concerns says whether a rollback that was asked for by hand is of an alert's version. Where it is of whatever was current, that is
// the one that fires.
func (a *alertState) concerns(r *detector.Record) bool {
	return a.last.Prompt == r.Prompt && (a.last.Version == r.Version || r.Version == "" && a.firing)
}

func (l *ledger) attempted(g *groupState, step, r *detector.Record, part int, offset int64) {
	at := g.attempt
	if at == nil || at.ID() != AttemptID(r) {
		if at != nil && (r.ID == at.Step.ID && r.Step < at.Step.Step || r.ID != at.Step.ID && r.Time.Before(at.Last.Time)) {
			return // of an earlier one
		}
		at = &Attempt{Step: *step}
		if !at.Fold(r) {
			return
		}
		g.attempt, g.attemptPart, g.toldLog = at, part, 0
	} else if !at.Fold(r) {
		return
	}
	g.toldLog = min(g.toldLog, len(at.Log)-1) // a reminder takes the place of the one before
	g.attemptOffset = offset
	g.happened(r)
	l.touch(g)
}

func (l *ledger) touch(g *groupState) {
	if g != nil {
		l.dirty[g] = struct{}{}
	}
}

func (l *ledger) touchFamily(k Key) {
	for _, a := range l.families[k] {
		l.touch(a.group)
	}
}

// end forgets a partition.
func (l *ledger) end(part int) {
	p := l.parts[part]
	if p == nil {
		return
	}
	delete(l.parts, part)
	for _, a := range l.alerts {
		if a.part == part {
			l.forget(a)
		}
	}
	for _, id := range p.silences {
		l.silences.Remove(id)
	}
	l.all = true
}

func (l *ledger) forget(a *alertState) {
	l.leave(a)
	delete(l.alerts, a.id)
	if rest := slices.DeleteFunc(l.families[a.family], func(m *alertState) bool { return m == a }); len(rest) > 0 {
		l.families[a.family] = rest
	} else {
		delete(l.families, a.family)
	}
	l.silences.Forget(a.id)
	l.acks.Forget(a.id)
}
