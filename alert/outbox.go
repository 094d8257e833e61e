package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/outbound"
)

// SlowRetry is the wait between tries when a person has to mend something first.
const SlowRetry = time.Minute

// OutboxConfig is what an Outbox needs; all of it.
type OutboxConfig struct {
	Name     string // of the receiver, as in the routes
	Receiver Receiver
	Route    *Route           // the whole tree
	Now      func() time.Time // clock of the records that are written
	Metrics  *metrics.Set
	Log      *slog.Logger
}

// Outbox is the Core that tells one receiver about alerts. Its memory is the alerts topic: what was told stands there as
// notified records, so that after a crash nothing is left out, and at most the message that was under way is repeated.
type Outbox struct {
	cfg     OutboxConfig
	ledgers map[int]*ledger
	waiting map[*groupState]struct{} // groups with something to tell
	unacked []unacked                // told, but not yet recorded

	pause    outcome     // of the whole receiver
	refused  string      // why the last notification is lost; empty when it is not
	interval time.Time   // no delivery before
	first    *groupState // what next found, while known
	known    bool        // nothing has changed since
	size     atomic.Int64
	took     *metrics.Histogram
}

// outcome is how the last tries went.
type outcome struct {
	failures int // in a row
	at       time.Time
	problem  string // reason and hint of the last failure
}

// unacked are notices that could not be written yet.
type unacked struct {
	part    int
	hold    int64 // oldest offset that they deal with
	records []detector.Record
	retry   outcome
}

// NewOutbox returns the core of the act worker of one receiver.
func NewOutbox(cfg OutboxConfig) *Outbox {
	o := &Outbox{cfg: cfg, ledgers: map[int]*ledger{}, waiting: map[*groupState]struct{}{}}
	cfg.Metrics.GetOrCreateGauge(fmt.Sprintf(`driftd_alert_outstanding{receiver=%q}`, cfg.Name), func() float64 { return float64(o.size.Load()) })
	o.took = cfg.Metrics.GetOrCreateHistogram(fmt.Sprintf(`driftd_alert_delivery_seconds{receiver=%q}`, cfg.Name))
	return o
}

// Begin implements Core.
func (o *Outbox) Begin(part int, committed int64) {
	o.End(part)
	o.ledgers[part] = newLedger(committed)
}

// Live implements Core.
func (o *Outbox) Live(part int) {
	if l := o.ledgers[part]; l != nil {
		l.live = true
	}
	o.known = false
}

// End implements Core.
func (o *Outbox) End(part int) {
	o.known = false
	delete(o.ledgers, part)
	maps.DeleteFunc(o.waiting, func(g *groupState, _ struct{}) bool { return g.part == part })
	kept := o.unacked[:0]
	for _, u := range o.unacked {
		if u.part != part {
			kept = append(kept, u)
			continue
		}
		o.cfg.Log.Warn("notifications may be repeated, they could not be recorded", "receiver", o.cfg.Name, "partition", part, "records", len(u.records))
	}
	o.unacked = kept
	o.size.Store(int64(len(o.waiting)))
}

// Fold implements Core.
func (o *Outbox) Fold(part int, e Entry) {
	l := o.ledgers[part]
	if l == nil {
		return
	}
	r := &e.Record
	var g *groupState
	switch {
	case r.Type.IsStep():
		g = l.step(e, part, o.key(r), o.routed(r))
	case (r.Type == detector.Notified || r.Type == detector.NotifyFailed) && r.Receiver == o.cfg.Name:
		g = l.told(r)
	case rank(r.Type) > 0 && !o.cfg.Receiver.Traits().PerAlert:
		g = l.acted(e, o.key(r))
	}
	o.touch(l, g)
}

func (o *Outbox) touch(l *ledger, g *groupState) {
	if g == nil {
		return
	}
	o.known = false
	if oldest, ok := l.outstanding(g); ok {
		g.oldest = oldest
		o.waiting[g] = struct{}{}
	} else {
		delete(o.waiting, g)
		g.retry = outcome{}
	}
	o.size.Store(int64(len(o.waiting)))
}

func (o *Outbox) key(r *detector.Record) Key {
	k := Key{Group: r.Group, Rule: r.Rule, Prompt: r.Prompt, Version: r.Version}
	if o.cfg.Receiver.Traits().PerAlert {
		k.ID = r.ID
	}
	return k
}

func (o *Outbox) routed(r *detector.Record) bool {
	if r.Type != detector.Firing {
		return false
	}
	for _, name := range o.cfg.Route.Receivers(Labels(r)) {
		if name == o.cfg.Name {
			return true
		}
	}
	return false
}

// Outstanding implements Core.
func (o *Outbox) Outstanding(part int) (offset int64, ok bool) {
	for g := range o.waiting {
		if g.part == part && (!ok || g.oldest < offset) {
			offset, ok = g.oldest, true
		}
	}
	for _, u := range o.unacked {
		if u.part == part && (!ok || u.hold < offset) {
			offset, ok = u.hold, true
		}
	}
	return offset, ok
}

// Due implements Core.
func (o *Outbox) Due() (at time.Time, ok bool) {
	for i := range o.unacked {
		if t := o.unacked[i].retry.at; !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	if g := o.next(); g != nil {
		if t := o.ready(g); !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	return at, ok
}

// ready returns the earliest time at which the group may be told.
func (o *Outbox) ready(g *groupState) time.Time {
	t := g.retry.at
	for _, other := range []time.Time{o.pause.at, o.interval} {
		if other.After(t) {
			t = other
		}
	}
	return t
}

// next returns the group that may be told first; among those that may be told at once, the one that failed least often
// and then the one that waits the longest.
func (o *Outbox) next() *groupState {
	if o.known {
		return o.first
	}
	var best *groupState
	var bestAt time.Time
	for g := range o.waiting {
		if !o.ledgers[g.part].live {
			continue
		}
		at := o.ready(g)
		if best == nil || cmp.Or(at.Compare(bestAt), cmp.Compare(g.retry.failures, best.retry.failures),
			cmp.Compare(g.oldest, best.oldest), cmp.Compare(g.part, best.part)) < 0 {
			best, bestAt = g, at
		}
	}
	o.first, o.known = best, true
	return best
}

// Act implements Core: it records one delivery that could not be recorded before, or tells one group.
func (o *Outbox) Act(ctx context.Context, j Journal) {
	now := time.Now()
	for i := range o.unacked {
		if u := o.unacked[i]; !u.retry.at.After(now) {
			o.unacked = append(o.unacked[:i], o.unacked[i+1:]...)
			o.record(ctx, j, u)
			return
		}
	}
	g := o.next()
	if g == nil || o.ready(g).After(now) {
		return
	}
	o.known = false
	l := o.ledgers[g.part]
	n := l.notification(g)
	if len(n.Firing)+len(n.Resolved) == 0 {
		delete(o.waiting, g)
		return
	}
	began := time.Now()
	ref, err := o.cfg.Receiver.Deliver(ctx, n)
	o.took.UpdateDuration(began)
	o.interval = time.Now().Add(o.cfg.Receiver.Traits().Interval)
	if err != nil && ctx.Err() != nil {
		return // given up by us: the next worker tells it
	}
	var f *Failure
	if err != nil && !errors.As(err, &f) {
		f = &Failure{Kind: Unavailable, Reason: "delivery failed", Err: err}
	}
	o.count(f)
	if f != nil && f.Kind != Refused {
		o.failed(g, f)
		return
	}
	o.worked(g, f)
	o.told(ctx, j, l, g, ref, f)
}

// told notes in the ledger and in the log that the group was told, or for ever refused.
func (o *Outbox) told(ctx context.Context, j Journal, l *ledger, g *groupState, ref string, f *Failure) {
	u := unacked{part: g.part, hold: g.oldest}
	for _, a := range l.newsOf(g) {
		r := Action(&a.last, detector.Notified, o.cfg.Now())
		r.Receiver, r.Ref, r.Reason = o.cfg.Name, ref, string(detector.Resolved)
		if a.firing {
			r.Reason = string(detector.Firing)
		}
		if g.rollback != nil {
			r.Reason += ", " + string(g.rollback.Type)
		}
		if f != nil {
			r.Type = detector.NotifyFailed
			r.Reason += ": " + f.Error()
		}
		u.records = append(u.records, r)
	}
	for i := range u.records {
		l.told(&u.records[i])
	}
	o.touch(l, g)
	o.record(ctx, j, u)
}

// record writes notices, now or later.
func (o *Outbox) record(ctx context.Context, j Journal, u unacked) {
	err := j.Append(ctx, u.part, u.records...)
	if err == nil {
		return
	}
	if u.retry.failures++; u.retry.failures == 1 && ctx.Err() == nil {
		o.cfg.Log.Warn("could not record a notification, will try again", "receiver", o.cfg.Name, "partition", u.part, "error", err)
	}
	u.retry.at = time.Now().Add(outbound.Delay(u.retry.failures))
	o.unacked = append(o.unacked, u)
}

// failed plans the next try.
func (o *Outbox) failed(g *groupState, f *Failure) {
	target := &o.pause
	if f.Kind == Unsendable {
		target = &g.retry
	}
	target.failures++
	if target != &g.retry {
		g.retry.failures++ // others go first the next time: the fault may be with this one
	}
	wait := max(f.After, SlowRetry)
	if f.Kind == Unavailable {
		if wait = f.After; wait == 0 {
			wait = outbound.Delay(target.failures)
		}
	}
	target.at = time.Now().Add(wait)
	problem := f.Reason
	if f.Hint != "" {
		problem += " (" + f.Hint + ")"
	}
	if target.problem == problem {
		return
	}
	target.problem = problem
	o.cfg.Log.Warn("could not notify, will try again", o.about(g, f)...)
}

// about are the log's attributes of a failure to tell a group.
func (o *Outbox) about(g *groupState, f *Failure) []any {
	attrs := []any{"receiver", o.cfg.Name, "rule", g.key.Rule, "prompt", g.key.Prompt}
	if g.key.Version != "" {
		attrs = append(attrs, "version", g.key.Version)
	}
	attrs = append(attrs, "reason", f.Reason)
	if f.Hint != "" {
		attrs = append(attrs, "hint", f.Hint)
	}
	if f.Err != nil {
		attrs = append(attrs, "error", f.Err)
	}
	return attrs
}

// worked clears the receiver's problem after an answer that shows that it can be reached.
func (o *Outbox) worked(g *groupState, f *Failure) {
	o.refused = ""
	if f != nil {
		o.refused = "the last notification was refused and is lost: " + f.Error()
		o.cfg.Log.Error("notification refused, it will not be tried again", o.about(g, f)...)
	}
	if o.pause.problem != "" {
		o.cfg.Log.Info("receiver answers again", "receiver", o.cfg.Name)
	}
	o.pause = outcome{}
}

func (o *Outbox) count(f *Failure) {
	result := "delivered"
	if f != nil {
		result = [...]string{Unavailable: "unavailable", Blocked: "blocked", Unsendable: "unsendable", Refused: "refused"}[f.Kind]
	}
	o.cfg.Metrics.GetOrCreateCounter(fmt.Sprintf(`driftd_alert_notifications_total{receiver=%q,result=%q}`, o.cfg.Name, result)).Inc()
}

// Status implements Core.
func (o *Outbox) Status() Status {
	s := Status{Outstanding: len(o.waiting), Problem: o.pause.problem}
	if s.Problem != "" {
		return s
	}
	for g := range o.waiting {
		if p := g.retry.problem; p != "" && (s.Problem == "" || p < s.Problem) {
			s.Problem = p
		}
	}
	if s.Problem == "" {
		s.Problem = o.refused
	}
	return s
}
