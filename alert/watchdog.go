package alert

import (
	"context"
	"time"

	"github.com/driftd/driftd/detector"
)

// WatchdogID is the identity of the alert that always fires.
const WatchdogID = "7761746368646f670000000000000000"

// WatchdogBegins is no problem: whether something stands still takes a while to see.
const WatchdogBegins = "it has only begun to look whether ingest and detect go on"

// WatchdogKind is its kind, in place of that of a rule.
const WatchdogKind = "watchdog"

// watchdogLook is how often a pipeline that stands still is looked at.
const watchdogLook = 10 * time.Second

// WatchdogConfig is a dead man's switch: an alert that always fires, for someone else to miss.
type WatchdogConfig struct {
	Every time.Duration // between two of them, while all goes on
	// Alive says what stands still, "" for nothing, WatchdogBegins where that is not known yet. It returns soon after ctx ends.
	Alive func(ctx context.Context) (problem string)
}

// watchdog is its state.
type watchdog struct {
	at      time.Time // next look
	since   time.Time // of the first one
	problem string
}

// watchdogDue returns when the watchdog is to be sent or looked at.
func (o *Outbox) watchdogDue() (at time.Time, ok bool) {
	if o.cfg.Watchdog == nil {
		return at, false
	}
	return latest(o.dog.at, o.pause.at, o.interval), true
}

// watch sends the watchdog, unless something stands still. It is not recorded: the next one comes anyway.
func (o *Outbox) watch(ctx context.Context) {
	w, d := o.cfg.Watchdog, &o.dog
	problem := w.Alive(ctx)
	if ctx.Err() != nil {
		return
	}
	if problem == WatchdogBegins && d.problem == "" {
		o.cfg.Log.Debug("the watchdog is not sent yet", "receiver", o.cfg.Name, "reason", problem)
		o.barks.Store(false)
		d.at = time.Now().Add(min(w.Every, watchdogLook))
		return
	}
	if problem != "" && d.problem == "" {
		o.cfg.Log.Error("the watchdog is not sent", "receiver", o.cfg.Name, "reason", problem)
	} else if problem == "" && d.problem != "" {
		o.cfg.Log.Info("the watchdog is sent again", "receiver", o.cfg.Name)
	}
	if d.problem = problem; problem != "" {
		o.barks.Store(false)
		d.at = time.Now().Add(min(w.Every, watchdogLook))
		return
	}
	now := o.cfg.Now().UTC()
	if d.since.IsZero() {
		d.since = now
	}
	r := detector.Record{
		ID: WatchdogID, Step: 1, Type: detector.Firing, Time: now, Group: "driftd", Rule: "Watchdog", Metric: "driftd", Kind: WatchdogKind,
		Labels: map[string]string{"alertname": "Watchdog", "severity": "none"},
		Annotations: map[string]string{
			"summary": "driftd reads its events and judges them. This alert always fires: have something else tell you when it stops.",
		},
	}
	_, f := o.deliver(ctx, &Notification{
		Key:    Key{Group: r.Group, Rule: r.Rule, ID: r.ID},
		Firing: []Member{{Record: r, Since: d.since}}, Leg: Leg{Receiver: o.cfg.Name},
	})
	if f != nil && ctx.Err() != nil {
		return
	}
	o.barks.Store(f == nil)
	d.at = time.Now().Add(w.Every)
	switch {
	case f == nil:
		o.worked(nil, nil)
	case f.Kind == Unsendable || f.Kind == Refused: // of the watchdog alone: the alerts go on
		d.problem = f.Error()
	default:
		o.failed(nil, f)
		d.at = o.pause.at
	}
}

func latest(ts ...time.Time) (t time.Time) {
	for _, u := range ts {
		if u.After(t) {
			t = u
		}
	}
	return t
}
