package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fault"
	"github.com/driftd/driftd/internal/outbound"
)

// OutboxConfig is what an Outbox needs; all of it but for what says otherwise.
type OutboxConfig struct {
	Name     string // of the receiver, as in the routes
	Receiver Receiver
	Route    *Route               // the whole tree
	Mutes    map[string]*MuteTime // by name, as in the routes; those that are missing never mute
	// UntilWorseBy ends an acknowledgement; see NewAcks.
	UntilWorseBy float64
	Watchdog     *WatchdogConfig  // nil for a receiver without one
	Now          func() time.Time // clock of the records that are written, which silences and mute times go by
	Metrics      *metrics.Set
	Log          *slog.Logger
}

// Outbox is the Core that tells one receiver about alerts. Its memory is the alerts topic: what was told stands there as
// notified records, so that after a crash nothing is left out, and at most the message that was under way is repeated.
//
// What there is to tell about a group is judged when something about it has changed, and kept in piles by when and how urgently
// it is to be told, so that ten thousand groups cost no more a delivery than ten.
type Outbox struct {
	cfg    OutboxConfig
	traits Traits
	ledger *ledger

	ready   pile                     // groups to tell at once
	later   pile                     // groups to tell again after a failure
	wakes   pile                     // groups to be judged again by the clock of records
	holding map[*groupState]struct{} // with steps that are to be told some time
	handing map[*groupState]struct{} // that the fallback may be given
	unacked []unacked                // told, but not yet recorded

	mutes map[string]bool // that hold
	turn  time.Time       // when a silence or mute time begins or ends, by the clock of records; zero for never
	swept time.Time       // when what is over was last forgotten

	pause    outcome   // of the whole receiver
	handed   outcome   // of giving alerts to the fallback
	refused  string    // why the last notification is lost; empty when it is not
	interval time.Time // no delivery before
	trouble  map[*groupState]struct{}
	dog      watchdog

	outstanding int
	size        atomic.Int64
	what        atomic.Pointer[Trouble] // as Status told it last
	hushed      [4]atomic.Int64         // groups, by hush
	badSilences atomic.Int64
	barks       atomic.Bool
	took        *metrics.Histogram
	gave        *metrics.Counter
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
	o := &Outbox{
		cfg: cfg, ledger: newLedger(&cfg), holding: map[*groupState]struct{}{}, handing: map[*groupState]struct{}{},
		trouble: map[*groupState]struct{}{}, mutes: map[string]bool{},
	}
	o.traits = o.ledger.traits
	byUrgency := func(a, b *groupState) bool {
		return cmp.Or(cmp.Compare(a.retry.failures, b.retry.failures), cmp.Compare(a.task, b.task), a.oldest.Compare(b.oldest), cmp.Compare(a.order, b.order)) < 0
	}
	o.ready = pile{before: byUrgency, place: func(g *groupState) *int { return &g.ready }}
	o.later = pile{before: func(a, b *groupState) bool { return a.retry.at.Before(b.retry.at) }, place: func(g *groupState) *int { return &g.later }}
	o.wakes = pile{before: func(a, b *groupState) bool { return a.wake.Before(b.wake) }, place: func(g *groupState) *int { return &g.waking }}
	gauge := func(name string, f func() float64) {
		cfg.Metrics.GetOrCreateGauge(fmt.Sprintf(`driftd_alert_%s{receiver=%q}`, name, cfg.Name), f)
	}
	gauge("outstanding", func() float64 { return float64(o.size.Load()) })
	for h, name := range map[hush]string{silenced: "silenced_groups", muted: "muted_groups", inhibited: "inhibited_groups"} {
		gauge(name, func() float64 { return float64(o.hushed[h].Load()) })
	}
	showTrouble(cfg.Metrics, cfg.Name, &o.what)
	gauge("bad_silences", func() float64 { return float64(o.badSilences.Load()) })
	if cfg.Watchdog != nil {
		gauge("watchdog_alive", func() float64 { return map[bool]float64{true: 1}[o.barks.Load()] })
	}
	o.took = cfg.Metrics.GetOrCreateHistogram(fmt.Sprintf(`driftd_alert_delivery_seconds{receiver=%q}`, cfg.Name))
	o.gave = cfg.Metrics.GetOrCreateCounter(fmt.Sprintf(`driftd_alert_fallbacks_total{receiver=%q}`, cfg.Name))
	return o
}

// Begin implements Core.
func (o *Outbox) Begin(part int, committed int64) {
	o.End(part)
	o.ledger.parts[part] = &ledgerPart{committed: committed}
}

// Live implements Core.
func (o *Outbox) Live(part int) {
	if p := o.ledger.parts[part]; p != nil {
		p.live, p.since, o.ledger.all = true, time.Now(), true
	}
}

// End implements Core.
func (o *Outbox) End(part int) {
	if o.ledger.parts[part] == nil {
		return
	}
	o.ledger.end(part)
	for _, g := range o.ledger.groups {
		o.drop(g)
	}
	o.unacked = slices.DeleteFunc(o.unacked, func(u unacked) bool {
		if u.part == part {
			o.cfg.Log.Warn("notifications may be repeated, they could not be recorded", "receiver", o.cfg.Name, "partition", part, "records", len(u.records))
		}
		return u.part == part
	})
}

// Fold implements Core.
func (o *Outbox) Fold(part int, e Entry) { o.ledger.fold(part, e) }

// Outstanding implements Core.
func (o *Outbox) Outstanding(part int) (offset int64, ok bool) {
	o.judgeAll()
	older := func(at int64) {
		if !ok || at < offset {
			offset, ok = at, true
		}
	}
	for g := range o.holding {
		for _, h := range g.holds {
			if h.part == part {
				older(h.offset)
			}
		}
	}
	for _, u := range o.unacked {
		if u.part == part {
			older(u.hold)
		}
	}
	return offset, ok
}

// Due implements Core.
func (o *Outbox) Due() (at time.Time, ok bool) {
	if len(o.ledger.parts) == 0 {
		return at, false
	}
	o.judgeAll()
	soonest := func(t time.Time, is bool) {
		if is && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	for i := range o.unacked {
		soonest(o.unacked[i].retry.at, true)
	}
	soonest(o.handingDue())
	soonest(o.watchdogDue())
	if g, t := o.next(); g != nil {
		soonest(t, true)
	}
	if g := o.wakes.top(); g != nil {
		soonest(o.byTheirs(g.wake), true)
	}
	soonest(o.byTheirs(o.turn), !o.turn.IsZero())
	return at, ok
}

// Act implements Core: it does one of what is due.
func (o *Outbox) Act(ctx context.Context, j Journal) {
	now := time.Now()
	for i := range o.unacked {
		if u := o.unacked[i]; !u.retry.at.After(now) {
			o.unacked = slices.Delete(o.unacked, i, i+1)
			o.record(ctx, j, u)
			return
		}
	}
	o.judgeAll()
	if at, ok := o.handingDue(); ok && !at.After(now) {
		o.handOver(ctx, j)
		return
	}
	if at, ok := o.watchdogDue(); ok && !at.After(now) {
		o.watch(ctx)
		return
	}
	g, at := o.next()
	if g == nil || at.After(now) {
		return
	}
	o.update(g, o.cfg.Now()) // time alone may have settled it
	if g.task == 0 {
		return
	}
	o.tell(ctx, j, g)
}

// tell tells one group.
func (o *Outbox) tell(ctx context.Context, j Journal, g *groupState) {
	now := o.cfg.Now()
	n := o.notification(g, now)
	if len(n.Firing)+len(n.Resolved) == 0 {
		if g.attempt != nil {
			g.toldLog = len(g.attempt.Log) // of what the receiver was not told
		}
		o.ledger.touch(g)
		return
	}
	var with []*groupState
	if g.task == resend {
		with = o.others(g)
		for _, m := range with {
			n.Firing = append(n.Firing, o.notification(m, now).Firing...)
		}
	}
	ref, f := o.deliver(ctx, n)
	if f != nil && ctx.Err() != nil {
		return // given up by us: the next worker tells it
	}
	o.count(f)
	if f != nil && f.Kind != Refused {
		if f.Kind == Unavailable && !f.Unsent && f.trouble() != TroubleRateLimited {
			g.doubt()
		}
		o.failed(g, f)
		if f.Kind == Unsendable && g.handing && time.Since(g.retry.since) >= fallbackAfter {
			o.handOne(ctx, j, g, f)
		}
		return
	}
	o.worked(g, f)
	g.sentAt, g.retry = now, outcome{}
	delete(o.trouble, g)
	if n.Observed != nil {
		g.observedTold, g.observedAt = n.Observed.Time, now
	}
	if g.task == resend {
		o.ledger.touch(g)
		for _, m := range with {
			m.sentAt, m.retry = now, outcome{}
			o.ledger.touch(m)
		}
		return
	}
	records := o.notices(g, n, ref, f, now)
	if f != nil {
		o.gave.Add(o.give(g, f.Error(), records))
	}
	holds := slices.Clone(g.holds)
	for part, rs := range records {
		u := unacked{part: part, records: rs}
		for _, h := range holds {
			if h.part == part {
				u.hold = h.offset
			}
		}
		if !slices.ContainsFunc(holds, func(h hold) bool { return h.part == part }) {
			u.hold = o.ledger.alerts[rs[0].ID].offset
		}
		for i := range rs {
			o.ledger.fold(part, Entry{Record: rs[i]})
		}
		o.record(ctx, j, u)
	}
	o.ledger.touch(g)
}

// doubt notes that the receiver may know that the alerts of the group fire, though nobody knows that it does: then it is told when that
// is over.
func (g *groupState) doubt() {
	for _, a := range g.members {
		a.doubt = a.doubt || a.firing && a.leg != nil && a.hush == notHushed
	}
}

// handOne gives one group to its fallback.
func (o *Outbox) handOne(ctx context.Context, j Journal, g *groupState, f *Failure) {
	records := map[int][]detector.Record{}
	o.gave.Add(o.give(g, f.Reason, records))
	for part, rs := range records {
		if err := j.Append(ctx, part, rs...); err != nil {
			o.cfg.Log.Warn("could not give alerts to the fallback, will try again", "receiver", o.cfg.Name, "partition", part, "error", err)
			return
		}
	}
}

// deliver calls the receiver.
func (o *Outbox) deliver(ctx context.Context, n *Notification) (ref string, f *Failure) {
	began := time.Now()
	fault.Point("act.notify")
	ref, err := o.cfg.Receiver.Deliver(ctx, n)
	fault.Point("act.notified")
	o.took.UpdateDuration(began)
	o.interval = time.Now().Add(o.traits.Interval)
	if err != nil && !errors.As(err, &f) {
		f = &Failure{Kind: Unavailable, Reason: "delivery failed", Err: err}
	}
	return ref, f
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
