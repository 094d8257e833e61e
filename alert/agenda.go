package alert

import "time"

// drop takes a group without alerts out of everything.
func (o *Outbox) drop(g *groupState) {
	if len(g.members) > 0 {
		return
	}
	o.unlist(g)
	o.ready.take(g)
	o.later.take(g)
	o.wakes.take(g)
	delete(o.holding, g)
	delete(o.handing, g)
	delete(o.trouble, g)
	delete(o.ledger.dirty, g)
	if o.ledger.groups[g.key] == g {
		delete(o.ledger.groups, g.key)
	}
}

// judgeAll judges what has changed: groups that something happened to, and those whose time has come.
func (o *Outbox) judgeAll() {
	now := o.cfg.Now()
	l := o.ledger
	if l.silences.settle() || !o.turn.IsZero() && !now.Before(o.turn) {
		l.all = true
	}
	if l.all {
		l.all = false
		o.turned(now)
		for _, g := range l.groups {
			o.update(g, now)
		}
		clear(l.dirty)
	}
	for g := range l.dirty {
		o.update(g, now)
	}
	clear(l.dirty)
	for g := o.wakes.top(); g != nil && !g.wake.After(now); g = o.wakes.top() {
		o.update(g, now)
	}
	if now.Sub(o.swept) >= time.Hour {
		o.swept = now
		o.sweep(now)
	}
}

// turned finds which mute times hold and when the next of them, or a silence, begins or ends.
func (o *Outbox) turned(now time.Time) {
	o.turn = time.Time{}
	if at, ok := o.ledger.silences.Next(now); ok {
		o.turn = at
	}
	for name, m := range o.cfg.Mutes {
		o.mutes[name] = m.Holds(now)
		if at := m.Next(now); o.turn.IsZero() || at.Before(o.turn) {
			o.turn = at
		}
	}
	o.badSilences.Store(int64(o.ledger.silences.Bad()))
}

// unlist takes a group out of the figures.
func (o *Outbox) unlist(g *groupState) {
	if g.task == tell {
		o.outstanding--
	}
	for h, is := range g.hushed {
		if is {
			o.hushed[h].Add(-1)
		}
	}
}

// update judges a group and puts it where it belongs.
func (o *Outbox) update(g *groupState, now time.Time) {
	if len(g.members) == 0 {
		o.drop(g)
		return
	}
	silent := g.silent
	o.unlist(g)
	o.judge(g, now)
	if g.task == tell {
		o.outstanding++
	}
	for h, is := range g.hushed {
		if is {
			o.hushed[h].Add(1)
		}
	}
	o.size.Store(int64(o.outstanding))
	if g.silent != nil && silent == nil && o.traits.Updates && !g.toldSilenced {
		g.happened(g.silent)
	}
	if g.task == 0 {
		g.retry = outcome{}
		delete(o.trouble, g)
		o.ready.take(g)
		o.later.take(g)
	} else {
		o.queue(g)
	}
	if g.wake.IsZero() {
		o.wakes.take(g)
	} else {
		o.wakes.put(g)
	}
	listed(o.holding, g, len(g.holds) > 0)
	listed(o.handing, g, g.handing)
}

func listed(set map[*groupState]struct{}, g *groupState, in bool) {
	if in {
		set[g] = struct{}{}
	} else {
		delete(set, g)
	}
}

// queue puts a group that has something to tell into the pile where it belongs, or in order there.
func (o *Outbox) queue(g *groupState) {
	if g.later < 0 {
		o.ready.put(g)
	} else {
		o.later.put(g)
	}
}

// sweep forgets groups that have been over for long, so that memory follows what fires and not what ever fired.
func (o *Outbox) sweep(now time.Time) {
	for _, a := range o.ledger.alerts {
		if a.firing || now.Sub(a.last.Time) < forgetAfter {
			continue
		}
		if g := a.group; g == nil || g.firing == 0 && g.task == 0 && len(g.holds) == 0 {
			o.ledger.forget(a)
			if g != nil {
				o.drop(g)
			}
		}
	}
}

// byTheirs turns a time of the clock of records into one of this machine. Where that one runs faster it comes too late, and is
// asked for again in between.
func (o *Outbox) byTheirs(t time.Time) time.Time {
	return time.Now().Add(max(t.Sub(o.cfg.Now()), 0))
}

// next returns the group that may be told first, and when; among those that may be told at once, the one that failed least often,
// then the one with the most urgent news, and then the one that waits the longest.
func (o *Outbox) next() (*groupState, time.Time) {
	open := latest(time.Now(), o.pause.at, o.interval) // when the receiver may be called
	for g := o.later.top(); g != nil && !g.retry.at.After(open); g = o.later.top() {
		o.later.take(g)
		o.ready.put(g)
	}
	for g := o.ready.top(); g != nil && g.retry.at.After(open); g = o.ready.top() {
		o.ready.take(g)
		o.later.put(g)
	}
	if g := o.ready.top(); g != nil {
		return g, latest(o.pause.at, o.interval)
	}
	if g := o.later.top(); g != nil {
		return g, g.retry.at
	}
	return nil, time.Time{}
}
