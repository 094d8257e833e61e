package alert

import (
	"slices"
	"time"

	"github.com/driftd/driftd/detector"
)

// What is told, when, and to whom, in short:
//
//   - A step is told unless the alert is silenced, muted or inhibited; then it waits, holds the offset back, and is told if the
//     alert still fires when that is over.
//   - The end is told to whoever was told that it fires, so that it does not fire there for ever. Where that makes no noise (in
//     place, or to a program) it is told at once; a receiver that can only say something new is told when silence and mute are over.
//   - What came and went before anybody was told is told as one resolved message, if it fired for longer than a minute and the
//     end is not older than an hour; not to programs, which have nothing to close, and not what nobody would have been told of.
//     A worker that finds it at its beginning tells it in any case where that makes no noise: the one before may have told that it
//     fires, and have been killed before it could record that.
//   - What a receiver that forgets was told is sent again in silences and mute times too: it would take it for over.
//   - Acknowledged and silenced are shown in place. A receiver that can only say something new is told neither; nor is it told of
//     firing steps while they are acknowledged.
const (
	briefly = time.Minute // what came and went in no more than this is not told at all
	stale   = time.Hour   // nor what has been over for so long
	// observeEvery is how often a message shows a new observation of a promotion.
	observeEvery = time.Minute
)

// hush is why an alert that fires is not told.
type hush int

const (
	notHushed hush = iota
	silenced
	muted
	inhibited
)

// task is what there is to tell about a group, the most urgent first.
type task int

const (
	tell   task = iota + 1 // news: is recorded and holds the offset back
	change                 // only acknowledged or silenced is not as told: is recorded
	again                  // a repetition: is recorded
	resend                 // the same to a receiver that forgets, or an observation: is not recorded
)

// judged is what follows from the state of a group, found when that changes.
type judged struct {
	task    task   // 0 is none
	handing bool   // there is something to tell that the fallback was not given yet
	holds   []hold // oldest offsets that are to be told, by partition
	// oldest and order are the event time and the arrival of the oldest of them.
	oldest time.Time
	order  uint64
	wake   time.Time        // to be judged anew by the clock of records; zero is never
	silent *detector.Record // the silence, where all alerts that fire in the message are silenced
	hushed [4]bool          // some alert that fires is

	ready, later, waking int // places in piles
}

// allHushed says that all that fires in the message is hushed.
func (j *judged) allHushed() bool { return !j.hushed[notHushed] }

type hold struct {
	part   int
	offset int64
}

// held notes what is to be told.
func (j *judged) held(a *alertState, offset int64) {
	j.hold(a.part, offset)
	if j.oldest.IsZero() || a.last.Time.Before(j.oldest) || a.last.Time.Equal(j.oldest) && a.order < j.order {
		j.oldest, j.order = a.last.Time, a.order
	}
}

func (j *judged) hold(part int, offset int64) {
	for i := range j.holds {
		if h := &j.holds[i]; h.part == part {
			h.offset = min(h.offset, offset)
			return
		}
	}
	j.holds = append(j.holds, hold{part, offset})
}

// judge finds what there is to do about a group.
func (o *Outbox) judge(g *groupState, now time.Time) {
	j := &g.judged
	j.task, j.handing, j.holds, j.oldest, j.order, j.wake, j.silent, j.hushed = 0, false, j.holds[:0], time.Time{}, 0, time.Time{}, nil, [4]bool{}
	live, told, acked, silent, quiet := true, false, 0, 0, 0
	firing := 0 // that the message is about and that fires
	for _, a := range g.members {
		live = live && o.ledger.parts[a.part].live
		by := o.hushOf(a, now)
		if due, hold := o.due(a, now); hold {
			j.held(a, a.from())
			if due {
				j.task = tell
				j.handing = j.handing || a.firing && a.handed < a.sinceStep && g.key.For == "" && a.leg != nil && a.leg.Fallback != ""
			}
		}
		told = told || a.toldFiring
		if !a.firing || a.leg == nil && !a.toldFiring {
			continue
		}
		j.hushed[a.hush] = true
		if a.hush != notHushed && !a.toldFiring {
			continue
		}
		firing++
		if a.hush == silenced {
			silent++
			if j.silent == nil || by.Silence.Ends.After(j.silent.Silence.Ends) {
				j.silent = by
			}
		}
		if o.ledger.acks.Of(a.family) != nil {
			acked++
		}
		if a.hush != notHushed || !a.toldFiring || o.ledger.acks.Of(a.family) != nil {
			quiet++
		}
	}
	if silent < firing {
		j.silent = nil
	}
	if o.ledger.untoldRollback(g) {
		if !o.loud() || firing == 0 || !j.allHushed() {
			j.task = tell
		}
		j.hold(g.attemptPart, g.attemptOffset)
		if last := &g.attempt.Last; j.oldest.IsZero() {
			j.oldest = last.Time
		}
	}
	tr := &o.traits
	if j.task == 0 && told && firing > 0 {
		ack := acked > 0 != g.toldAck
		switch {
		case tr.Updates && (ack || silent == firing != g.toldSilenced), tr.Acks && ack:
			j.task = change
		case quiet < firing:
			o.repeats(g, now)
		}
	}
	if j.task == 0 && told {
		o.sendsAgain(g, now, firing > 0)
	}
	if !live {
		j.task, j.handing = 0, false
	}
	if j.oldest.IsZero() { // without news: who was told the longest ago comes first
		j.oldest, j.order = g.toldAt, g.members[0].order
	}
}

// from is the offset from which on the alert is untold.
func (a *alertState) from() int64 {
	if a.standIn != "" {
		return max(a.offset, a.stoodIn)
	}
	return a.offset
}

// hushOf finds why an alert is not told, and the silence where that is why.
func (o *Outbox) hushOf(a *alertState, now time.Time) *detector.Record {
	a.hush = notHushed
	if !a.firing && !a.toldFiring {
		return nil
	}
	if a.leg != nil {
		for _, name := range a.leg.Mute {
			if o.mutes[name] {
				a.hush = muted
			}
		}
	}
	if s := o.silence(a.last, now); s != nil {
		a.hush = silenced
		return s
	}
	if a.firing && a.hush == notHushed && o.ledger.inhibits(a) {
		a.hush = inhibited
	}
	return nil
}

func (o *Outbox) silence(r *detector.Record, now time.Time) *detector.Record {
	if !o.ledger.silences.Any() {
		return nil
	}
	return o.ledger.silences.Match(Labels(r), now)
}

// inhibits says that the total of the alert's prompt version fires under the same rule, and that this receiver is told of that.
func (l *ledger) inhibits(a *alertState) bool {
	if !l.traits.PerAlert || len(a.last.Cohort) == 0 {
		return false
	}
	return slices.ContainsFunc(l.families[a.family], func(t *alertState) bool {
		return t.firing && t.leg != nil && len(t.last.Cohort) == 0 && (t.last.Variant == "" || t.last.Variant == a.last.Variant)
	})
}

// loud receivers can only say something new to people: nothing that they have said can be changed or closed.
func (o *Outbox) loud() bool {
	return !o.traits.Updates && !o.traits.Acks && !o.traits.PerAlert
}

// due says whether the receiver is to be told about an alert now, and whether it is to be told some time.
func (o *Outbox) due(a *alertState, now time.Time) (due, hold bool) {
	p := o.ledger.parts[a.part]
	if a.last.Step <= a.told || a.from() < p.committed {
		return false, false
	}
	switch {
	case a.firing:
		hold = a.leg != nil
		return hold && a.hush == notHushed && !(o.loud() && o.ledger.acks.Of(a.family) != nil), hold
	case a.toldFiring:
		return a.hush == notHushed || !o.loud(), true
	}
	over := a.last.Time
	doubt := a.doubt && !o.loud()
	if a.leg == nil || !a.fresh || !doubt && (o.traits.PerAlert || over.Sub(a.since) <= briefly) || now.Sub(over) > stale {
		return false, false
	}
	for _, name := range a.leg.Mute {
		if m := o.cfg.Mutes[name]; m != nil && m.Holds(over) {
			return false, false
		}
	}
	if o.ledger.silences.Any() && o.ledger.silences.covered(Labels(a.last), over) {
		return false, false
	}
	return true, true
}

// untoldRollback says whether news of the rollback alone is worth telling.
func (l *ledger) untoldRollback(g *groupState) bool {
	at := g.attempt
	if at == nil || g.toldLog >= len(at.Log) || g.attemptOffset < l.parts[g.attemptPart].committed || !g.known(l.traits.Actions) {
		return false
	}
	if a := l.alerts[at.Step.ID]; a != nil && (at.Step.Step < a.sinceStep || a.hush != notHushed && !a.toldFiring) {
		return false // of an earlier time, or of what is not told
	}
	for i := range at.Log[g.toldLog:] {
		r := &at.Log[g.toldLog+i]
		if l.traits.Actions && r.Type != detector.RollbackPromoting {
			return true
		}
		switch r.Type {
		case detector.RollbackPromoting: // it takes a second
		case detector.RollbackRequested:
			if g.ref != "" {
				return true // the outcome follows, most often at once
			}
		case detector.RollbackProposed:
			if r.Rollback != "auto" || g.ref != "" {
				return true
			}
		case detector.RollbackApproved:
			if l.traits.Updates {
				return true
			}
		case detector.Recovered:
			if g.ref != "" {
				return true // not worth a message of its own
			}
		default:
			return true
		}
	}
	return false
}

// known says whether the receiver has to do with the group at all; a program that is told of actions has, once it was told of the alert.
func (g *groupState) known(actions bool) bool {
	return g.ref != "" || slices.ContainsFunc(g.members, func(a *alertState) bool {
		return a.toldFiring || actions && a.told >= a.sinceStep || a.firing && a.leg != nil && a.hush == notHushed
	})
}

// repeats says it again when it has fired for so long.
func (o *Outbox) repeats(g *groupState, now time.Time) {
	leg := g.leg()
	if leg == nil || leg.Repeat <= 0 || o.traits.Resend > 0 {
		return
	}
	if at := g.toldAt.Add(leg.Repeat); at.After(now) {
		g.wake = at
	} else {
		g.task = again
	}
}

// leg is the way by which the group comes: that of its worst alert.
func (g *groupState) leg() *Leg {
	var worst *alertState
	for _, a := range g.members {
		if a.leg != nil && (worst == nil || a.firing && !worst.firing || a.firing == worst.firing && badness(a.last) > badness(worst.last)) {
			worst = a
		}
	}
	if worst == nil {
		return nil
	}
	return worst.leg
}

// sendsAgain is about observations and receivers that forget.
func (o *Outbox) sendsAgain(g *groupState, now time.Time, firing bool) {
	at, ok := time.Time{}, false
	if o.traits.Resend > 0 && firing {
		at, ok = g.sentAt.Add(o.traits.Resend), true
	}
	if w := g.watching(); w != nil && g.ref != "" && w.Time.After(g.observedTold) {
		if t := g.observedAt.Add(observeEvery); !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	switch {
	case !ok:
	case !at.After(now):
		g.task = resend
	case g.wake.IsZero() || at.Before(g.wake):
		g.wake = at
	}
}

// watching is the newest observation of a promotion that is being watched, nil where none is.
func (g *groupState) watching() *detector.Record {
	if g.observed == nil || g.attempt == nil || g.attempt.State != RollbackWatching {
		return nil
	}
	return g.observed
}
