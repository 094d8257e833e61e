package alert

import (
	"strings"
	"time"

	"github.com/driftd/driftd/detector"
)

// ledger is what the alerts topic says about one partition, as one receiver sees it.
type ledger struct {
	committed int64 // steps below were dealt with before this worker began
	live      bool
	alerts    map[string]*alertState
	groups    map[Key]*groupState
}

func newLedger(committed int64) *ledger {
	return &ledger{committed: committed, alerts: map[string]*alertState{}, groups: map[Key]*groupState{}}
}

// alertState is one alert: what it is and what the receiver was told.
type alertState struct {
	group  *groupState
	seen   int             // newest step; older ones are repetitions
	last   detector.Record // newest firing or resolved step; its ID is empty before the first
	offset int64           // of last
	firing bool
	routed bool // the newest firing step is routed to this receiver

	// The step with which it began to fire the last time.
	since     time.Time
	sinceStep int
	began     int64 // offset

	told       int  // newest step that the receiver was told
	toldFiring bool // and what it was
}

// groupState is a notification group.
type groupState struct {
	key     Key
	part    int
	members []*alertState
	firing  int   // members that fire
	began   int64 // offset of the step with which the group began to fire

	rollback       *detector.Record // newest action since then
	rollbackOffset int64
	toldRank       int // rank of the rollback that was told since then
	ref            string

	oldest int64 // offset of the oldest thing that is to be told, while the group waits
	retry  outcome
}

// rank orders what can happen to a rollback. Outcomes are equal: there is one of them.
func rank(t detector.RecordType) int {
	switch t {
	case detector.RollbackProposed:
		return 1
	case detector.RollbackRefused, detector.RollbackPromoted, detector.RollbackFailed:
		return 2
	case detector.Recovered:
		return 3
	}
	return 0
}

// step folds a step. It returns the group that it changed, nil for a repetition and for what nobody is told.
func (l *ledger) step(e Entry, part int, key Key, routed bool) *groupState {
	r := e.Record
	a := l.alerts[r.ID]
	if a == nil {
		g := l.groups[key]
		if g == nil {
			g = &groupState{key: key, part: part}
			l.groups[key] = g
		}
		a = &alertState{group: g}
		g.members = append(g.members, a)
		l.alerts[r.ID] = a
	}
	if r.Step <= a.seen {
		return nil
	}
	a.seen = r.Step
	g := a.group
	switch {
	case r.Type == detector.Firing:
		if !a.firing {
			a.firing, a.since, a.sinceStep, a.began = true, r.Time, r.Step, e.Offset
			if g.firing++; g.firing == 1 {
				g.began, g.rollback, g.toldRank = e.Offset, nil, 0
			}
		}
		a.routed = routed
	case r.Type == detector.Resolved && a.firing:
		a.firing = false
		g.firing--
	default:
		return nil // pending, or a pending alert that went away
	}
	a.last, a.offset = r, e.Offset
	return g
}

// told folds a notified or notify_failed record of this receiver.
func (l *ledger) told(r *detector.Record) *groupState {
	a := l.alerts[r.ID]
	if a == nil || r.Step < a.told {
		return nil // its step has left the log, or a newer one was told
	}
	a.told = r.Step
	a.toldFiring = strings.HasPrefix(r.Reason, string(detector.Firing))
	g := a.group
	g.ref = r.Ref
	if !a.firing || r.Step >= a.sinceStep { // not about an earlier time of firing
		if _, typ, ok := strings.Cut(r.Reason, ", "); ok {
			g.toldRank = max(g.toldRank, rank(detector.RecordType(typ)))
		}
	}
	return g
}

// acted folds a rollback record.
func (l *ledger) acted(e Entry, key Key) *groupState {
	g := l.groups[key]
	if g == nil {
		return nil
	}
	g.rollback, g.rollbackOffset = &e.Record, e.Offset
	return g
}

// untold says whether the receiver is to be told about the alert. A receiver that was told that it fires is told the end
// even when the routes have changed since.
func (l *ledger) untold(a *alertState) bool {
	return a.last.Step > a.told && a.offset >= l.committed && (a.firing && (a.routed || a.toldFiring) || !a.firing && a.toldFiring)
}

// untoldRollback says whether news of the rollback alone is worth telling.
func (l *ledger) untoldRollback(g *groupState) bool {
	r := g.rollback
	if r == nil || g.rollbackOffset < l.committed || rank(r.Type) <= g.toldRank || !g.known() {
		return false
	}
	switch r.Type {
	case detector.RollbackProposed:
		return r.Rollback != "auto" || g.ref != "" // the outcome follows, most often at once
	case detector.Recovered:
		return g.ref != "" // not worth a message of its own
	}
	return true
}

// known says whether the receiver has to do with the group at all.
func (g *groupState) known() bool {
	for _, a := range g.members {
		if a.toldFiring || a.firing && a.routed || g.ref != "" {
			return true
		}
	}
	return false
}

// outstanding returns the offset of the oldest thing that is to be told about the group.
func (l *ledger) outstanding(g *groupState) (offset int64, ok bool) {
	for _, a := range g.members {
		if l.untold(a) && (!ok || a.offset < offset) {
			offset, ok = a.offset, true
		}
	}
	if l.untoldRollback(g) && (!ok || g.rollbackOffset < offset) {
		offset, ok = g.rollbackOffset, true
	}
	return offset, ok
}

// notification returns what to tell about the group now.
func (l *ledger) notification(g *groupState) *Notification {
	n := &Notification{Key: g.key, Rollback: g.rollback}
	open := g.firing == 0 // the message of a group that is over is still the one to change
	for _, a := range g.members {
		open = open || a.toldFiring
		m := Member{Record: a.last, Since: a.since}
		switch {
		case a.firing && (a.routed || a.toldFiring):
			n.Firing = append(n.Firing, m)
		case !a.firing && a.last.ID != "" && (a.toldFiring || a.began >= g.began && a.told > 0):
			n.Resolved = append(n.Resolved, m)
		}
	}
	if open {
		n.Ref = g.ref
	}
	sortMembers(n.Firing)
	sortMembers(n.Resolved)
	return n
}

// newsOf returns the alerts for which to record that the group was told: those with news, and, where only the rollback has
// news, one that the receiver has to do with.
func (l *ledger) newsOf(g *groupState) []*alertState {
	var out []*alertState
	for _, a := range g.members {
		if l.untold(a) {
			out = append(out, a)
		}
	}
	if len(out) > 0 || g.rollback == nil {
		return out
	}
	for _, a := range g.members {
		if a.last.ID != "" && (a.routed || a.told > 0) && (out == nil || a.last.ID == g.rollback.ID) {
			out = []*alertState{a}
		}
	}
	return out
}
