package alert

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/outbound"
)

const (
	// fallbackAfter is how long a receiver may be out of reach before its fallback is told.
	fallbackAfter = 5 * time.Minute
	// handAtOnce bounds the alerts that are given away in one go.
	handAtOnce = 500
)

// failed folds a record that says that a receiver could not be told: this one, or one in whose place it is to be told.
func (l *ledger) failed(r *detector.Record, part int, offset int64) {
	to, given := readFallback(r.Reason)
	switch {
	case r.Receiver == l.name && !given:
		l.told(r, part)
	case r.Receiver == l.name:
		if a := l.alerts[r.ID]; a != nil && r.Step >= a.sinceStep {
			a.handed = r.Step
			l.touch(a.group)
		}
	case given && to == l.name:
		l.standIn(r, offset)
	}
}

// standIn takes an alert in place of a receiver that could not be told. One that comes here anyway needs no second message; one
// that is taken for another receiver stays with it. It is not given on: there is no fallback of a fallback.
func (l *ledger) standIn(r *detector.Record, offset int64) {
	a := l.alerts[r.ID]
	if a == nil || !a.firing || r.Step < a.sinceStep || a.leg != nil {
		return
	}
	leg := l.legOf(a.last, r.Receiver)
	if leg == nil {
		leg = &Leg{GroupBy: DefaultGroupBy(), Repeat: DefaultRepeat}
	}
	leg.Receiver, leg.Fallback = l.name, ""
	a.leg, a.standIn, a.stoodIn = leg, r.Receiver, offset
	l.place(a)
	a.group.happened(a.last)
	l.touch(a.group)
}

// primaryTold folds that another receiver was told: if this one stood in for it, that is over but for the end of what it was told.
func (l *ledger) primaryTold(r *detector.Record) {
	a := l.alerts[r.ID]
	if a == nil || a.standIn == "" || a.standIn != r.Receiver || readVerdict(r.Reason).state != string(detector.Firing) {
		return
	}
	a.leg, a.standIn = l.legOf(a.last, l.name), ""
	l.touch(a.group)
}

// handing returns when alerts are to be given to their fallback, false for not at all.
func (o *Outbox) handingDue() (at time.Time, ok bool) {
	if o.pause.failures == 0 || len(o.handing) == 0 {
		return at, false
	}
	at = o.pause.since.Add(fallbackAfter)
	if o.handed.at.After(at) {
		at = o.handed.at
	}
	return at, true
}

// handOver gives what cannot be told to the fallbacks, the oldest first.
func (o *Outbox) handOver(ctx context.Context, j Journal) {
	groups := slices.SortedFunc(maps.Keys(o.handing), func(a, b *groupState) int {
		return cmp.Or(a.oldest.Compare(b.oldest), cmp.Compare(a.order, b.order))
	})
	records, n := map[int][]detector.Record{}, 0
	for _, g := range groups {
		n += o.give(g, o.pause.problem, records)
		if n >= handAtOnce {
			break
		}
	}
	o.handed.at = time.Time{}
	for part, rs := range records {
		if err := j.Append(ctx, part, rs...); err != nil {
			o.handed.failures++
			o.handed.at = time.Now().Add(outbound.Delay(o.handed.failures))
			o.cfg.Log.Warn("could not give alerts to the fallback, will try again", "receiver", o.cfg.Name, "partition", part, "error", err)
			return
		}
		o.handed.failures = 0
		o.pause.gave, _ = readFallback(rs[0].Reason)
		o.gave.Add(len(rs))
	}
	if n > 0 {
		o.cfg.Log.Warn("alerts were given to the fallback", "receiver", o.cfg.Name, "alerts", n, "reason", o.pause.problem)
	}
}

// give adds the records that give a group to its fallback.
func (o *Outbox) give(g *groupState, reason string, records map[int][]detector.Record) (n int) {
	now := o.cfg.Now()
	for _, a := range g.members {
		due, _ := o.due(a, now)
		if !due || !a.firing || a.handed >= a.sinceStep || a.leg == nil || a.leg.Fallback == "" || g.key.For != "" {
			continue
		}
		r := Action(a.last, detector.NotifyFailed, now)
		r.Trend, r.Because, r.ExplainedBy, r.Changed = nil, nil, nil, nil
		r.Receiver, r.Reason = o.cfg.Name, fmt.Sprintf("%s%s: %s", fallbackReason, a.leg.Fallback, reason)
		records[a.part] = append(records[a.part], r)
		n++
	}
	return n
}
