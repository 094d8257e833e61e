package protocol

import (
	"context"
	"fmt"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// actMetrics nobody reads.
var actMetrics = metrics.NewSet()

// telling is the act worker of a receiver, the receiver too, and the journal in which it writes what it did.
type telling struct {
	w           *cores
	core        *alert.Outbox
	offset, end [samplesPartitions]int64 // to be folded; of the log when it began
	own         map[wroteAt]bool
	dead        bool
	refs        int
}

// wroteAt is a record of the alerts topic.
type wroteAt struct {
	part   int
	offset int64
}

// tell gives the receiver to another worker.
func (w *cores) tell() {
	a := &telling{w: w, own: map[wroteAt]bool{}}
	w.act = a
	a.core = alert.NewOutbox(alert.OutboxConfig{
		Name: "to", Receiver: a, Route: &alert.Route{Receiver: "to"}, UntilWorseBy: 0.2, Now: func() time.Time { return w.now }, Metrics: actMetrics, Log: quiet,
	})
	for p := range w.detect {
		a.end[p] = int64(len(w.alerts[p]))
		a.core.Begin(p, w.told[p])
		if a.end[p] == 0 {
			a.core.Live(p)
		}
	}
}

// deal lets act do one thing. It reads all that there was before it tells anything.
func (w *cores) deal() bool {
	a := w.act
	if a.dead {
		return false
	}
	for p := range a.offset {
		if a.offset[p] == int64(len(w.alerts[p])) {
			continue
		}
		at := a.offset[p]
		if a.offset[p]++; !a.own[wroteAt{p, at}] {
			a.core.Fold(p, alert.Entry{Offset: at, Record: *w.alerts[p][at].record})
		}
		if a.offset[p] == a.end[p] {
			a.core.Live(p)
		}
		return true
	}
	if at, ok := a.core.Due(); ok && !at.After(time.Now()) {
		for p := range w.detect { // or the next one would not know that this one may have told what it finds
			if w.told[p] < 0 {
				w.settle(a, p)
			}
		}
		a.core.Act(context.Background(), a)
		return true
	}
	return w.pick(4) == 1 && w.settle(a, w.pick(len(w.detect)))
}

// settle commits up to the oldest step that is not dealt with.
func (w *cores) settle(a *telling, p int) bool {
	offset, ok := a.core.Outstanding(p)
	if !ok {
		offset = a.offset[p]
	}
	if a.dead || offset <= w.told[p] {
		return false
	}
	return w.append(w.outcome(), func() { w.told[p] = offset }, func() { a.dead = true })
}

func (a *telling) Traits() alert.Traits { return alert.Traits{Updates: true} }

// Deliver implements alert.Receiver.
func (a *telling) Deliver(_ context.Context, n *alert.Notification) (ref string, err error) {
	if a.dead {
		return "", errDead
	}
	acked := a.w.append(a.w.outcome().once(), func() {
		for _, m := range n.Firing {
			a.w.knows[m.Record.ID] = detector.Firing
		}
		for _, m := range n.Resolved {
			a.w.knows[m.Record.ID] = detector.Resolved
		}
	}, func() { a.dead = true })
	if !acked {
		return "", errBroken
	}
	if ref = n.Ref; ref == "" {
		a.refs++
		ref = fmt.Sprint(a.refs)
	}
	return ref, nil
}

// Append implements alert.Journal.
func (a *telling) Append(_ context.Context, p int, records ...detector.Record) error {
	if a.dead {
		return errDead
	}
	var entries []entry
	for i := range records {
		entries = append(entries, entryOf(&records[i]))
	}
	base := int64(-1)
	if !a.w.append(a.w.outcome().once(), func() { base = a.w.alert(p, entries) }, func() { a.dead = true }) {
		return errBroken
	}
	for i := range records {
		at := base + int64(i)
		a.own[wroteAt{p, at}] = true
		a.core.Fold(p, alert.Entry{Offset: at, Record: records[i]})
	}
	return nil
}

// alert appends to the alerts topic.
func (w *cores) alert(p int, entries []entry) (base int64) {
	base = int64(len(w.alerts[p]))
	w.alerts[p] = append(w.alerts[p], entries...)
	return base
}
