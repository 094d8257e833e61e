package slack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/outbound"
)

const (
	// settled is how long after the end of a UTC day its figures are waited for.
	settled = 30 * time.Minute
	// late is how long after its time the first digest of all is still posted: a new config does not post one at once.
	late = time.Hour
	// remembered is how long figures and alerts are kept.
	remembered = 3 * 24 * time.Hour
)

// DigestConfig is what a Digest needs.
type DigestConfig struct {
	Slack        Config // of the receiver; Name is part of what the log remembers
	Hour, Minute int    // on the clocks of Zone
	Zone         *time.Location
	Now          func() time.Time    // clock of the records and of the digest
	Partition    func(id string) int // of a record that belongs to no prompt
	Log          *slog.Logger
}

// Digest is an alert.Core that posts the day's table of all prompts once a day: that of the last whole UTC day, at a time of day of
// some place. What was posted stands in the alerts topic as notified records, one for each message, so that a restart goes on
// where it was. A day has one digest, also where its clocks show the time twice.
type Digest struct {
	cfg    DigestConfig
	poster poster
	parts  map[int]*digestPart
	retry  retry
}

// poster is a way to post a message; those after the first go into its thread, where there are threads.
type poster interface {
	digest(ctx context.Context, m Message, first string) (ref string, err error)
}

// digestPart is what one partition says.
type digestPart struct {
	figures map[figuresKey]*detector.Record
	alerts  map[string]*episode // by id: the newest time of firing
	rolled  []detector.Record   // promotions
	posted  map[string]progress // digests by id
}

type figuresKey struct {
	prompt string
	day    int // since 1970
}

// episode is one time that an alert fired.
type episode struct {
	first detector.Record
	until time.Time // zero while it fires
	step  int       // newest that is known
}

// progress is how far a digest has come.
type progress struct {
	done, of int
	ref      string // of the first message
}

// retry is how the last tries went.
type retry struct {
	failures int
	at       time.Time
	problem  string
}

// NewDigest returns the core of a worker of its own.
func NewDigest(cfg DigestConfig) *Digest {
	return &Digest{cfg: cfg, poster: New(cfg.Slack).(poster), parts: map[int]*digestPart{}}
}

// Begin implements alert.Core.
func (d *Digest) Begin(part int, _ int64) {
	d.parts[part] = &digestPart{figures: map[figuresKey]*detector.Record{}, alerts: map[string]*episode{}, posted: map[string]progress{}}
}

// Live implements alert.Core.
func (d *Digest) Live(int) {}

// End implements alert.Core.
func (d *Digest) End(part int) { delete(d.parts, part) }

// Outstanding implements alert.Core. A digest holds nothing back: it knows by its own records what was posted.
func (d *Digest) Outstanding(int) (int64, bool) { return 0, false }

// Status implements alert.Core.
func (d *Digest) Status() alert.Status { return alert.Status{Problem: d.retry.problem} }

// Fold implements alert.Core.
func (d *Digest) Fold(part int, e alert.Entry) {
	p, r := d.parts[part], &e.Record
	if p == nil {
		return
	}
	old := d.cfg.Now().Add(-remembered)
	switch r.Type {
	case detector.DayFigures:
		if r.Time.After(old) {
			p.figures[figuresKey{r.Prompt, r.Step}] = r
		}
		for k := range p.figures {
			if k.prompt == r.Prompt && k.day < r.Step-2 {
				delete(p.figures, k)
			}
		}
	case detector.Firing:
		switch a := p.alerts[r.ID]; {
		case a == nil && r.Time.After(old), a != nil && r.Step > a.step && !a.until.IsZero():
			p.alerts[r.ID] = &episode{first: *r, step: r.Step}
		case a != nil:
			a.step = max(a.step, r.Step)
		}
	case detector.Resolved:
		if a := p.alerts[r.ID]; a != nil && r.Step > a.step {
			a.until, a.step = r.Time, r.Step
		}
		for id, a := range p.alerts {
			if !a.until.IsZero() && a.until.Before(old) {
				delete(p.alerts, id)
			}
		}
	case detector.RollbackPromoted:
		again := slices.ContainsFunc(p.rolled, func(o detector.Record) bool { return o.ID == r.ID && o.Step == r.Step })
		if r.Time.After(old) && !again {
			p.rolled = append(p.rolled, *r)
		}
		for len(p.rolled) > 0 && p.rolled[0].Time.Before(old) {
			p.rolled = p.rolled[1:]
		}
	case detector.Notified:
		d.folded(p, r)
	}
}

// folded learns what was posted of a digest of this receiver.
func (d *Digest) folded(p *digestPart, r *detector.Record) {
	if r.Receiver != d.cfg.Slack.Name || !strings.HasPrefix(r.ID, d.prefix()) {
		return
	}
	var have progress
	if _, err := fmt.Sscanf(r.Reason, "digest %d of %d", &have.done, &have.of); err != nil || have.done <= p.posted[r.ID].done {
		return
	}
	have.ref = r.Ref
	clear(p.posted) // of the days before
	p.posted[r.ID] = have
}

func (d *Digest) prefix() string { return "digest-" + d.cfg.Slack.Name + "-" }

// id names the digest of a day on the clocks of its zone.
func (d *Digest) id(day time.Time) string { return d.prefix() + day.Format("2006-01-02") }

// on returns when the digest of the day that t is in is due, no sooner than the figures of the UTC day before are there.
func (d *Digest) on(t time.Time) time.Time {
	y, m, day := t.In(d.cfg.Zone).Date()
	at := time.Date(y, m, day, d.cfg.Hour, d.cfg.Minute, 0, 0, d.cfg.Zone)
	if ready := at.UTC().Truncate(24 * time.Hour).Add(settled); ready.After(at) {
		return ready
	}
	return at
}

// newest is the newest digest that was posted, in part or whole.
func (d *Digest) newest() (id string, have progress) {
	for _, p := range d.parts {
		for k, v := range p.posted {
			if k > id {
				id, have = k, v
			}
		}
	}
	return id, have
}

// next returns when the next digest is due, on the clock of the records, and its id.
func (d *Digest) next() (at time.Time, id string) {
	now := d.cfg.Now()
	at, id = d.on(now), d.id(now.In(d.cfg.Zone))
	newest, have := d.newest()
	done := newest > id || newest == id && have.done >= have.of
	if done || newest == "" && now.Sub(at) > late {
		y, m, day := now.In(d.cfg.Zone).Date()
		noon := time.Date(y, m, day+1, 12, 0, 0, 0, d.cfg.Zone)
		return d.on(noon), d.id(noon)
	}
	return at, id
}

// Due implements alert.Core.
func (d *Digest) Due() (time.Time, bool) {
	if len(d.parts) == 0 {
		return time.Time{}, false
	}
	at, _ := d.next()
	due := time.Now().Add(at.Sub(d.cfg.Now()))
	if d.retry.at.After(due) {
		due = d.retry.at
	}
	return due, true
}

// Act implements alert.Core: it posts the next message of the digest that is due.
func (d *Digest) Act(ctx context.Context, j alert.Journal) {
	at, id := d.next()
	if d.cfg.Now().Before(at) || d.retry.at.After(time.Now()) {
		return
	}
	newest, have := d.newest()
	if newest != id {
		have = progress{}
	}
	messages := renderDigest(d.day(at))
	n := min(have.done, len(messages)-1) // what is known may have changed since
	ref, err := d.poster.digest(ctx, messages[n], have.ref)
	if err != nil {
		if ctx.Err() == nil {
			d.failed(err)
		}
		return
	}
	if n == 0 {
		have.ref = ref
	}
	d.retry = retry{}
	r := detector.Record{
		ID: id, Step: n + 1, Type: detector.Notified, Time: d.cfg.Now().UTC(), Actor: "driftd", Receiver: d.cfg.Slack.Name,
		Ref: have.ref, Reason: fmt.Sprintf("digest %d of %d", n+1, len(messages)),
	}
	part := d.cfg.Partition(id)
	if err := j.Append(ctx, part, r); err != nil {
		d.cfg.Log.Warn("could not record a digest, it may be posted again if driftd restarts", "receiver", d.cfg.Slack.Name, "error", err)
		if p := d.parts[part]; p != nil {
			d.folded(p, &r)
		}
	}
}

// failed plans the next try.
func (d *Digest) failed(err error) {
	var f *alert.Failure
	if !errors.As(err, &f) {
		f = &alert.Failure{Kind: alert.Unavailable, Reason: "delivery failed", Err: err}
	}
	d.retry.failures++
	wait := max(f.After, alert.SlowRetry)
	if f.Kind == alert.Unavailable {
		if wait = f.After; wait == 0 {
			wait = outbound.Delay(d.retry.failures)
		}
	}
	d.retry.at = time.Now().Add(wait)
	problem := "the digest could not be posted: " + f.Reason
	if f.Hint != "" {
		problem += " (" + f.Hint + ")"
	}
	if problem != d.retry.problem {
		d.retry.problem = problem
		d.cfg.Log.Warn("could not post a digest, will try again", "receiver", d.cfg.Slack.Name, "reason", f.Reason, "hint", f.Hint)
	}
}

// digest implements poster.
func (b *bot) digest(ctx context.Context, m Message, first string) (string, error) {
	at := parseRef(first)
	out, err := b.under(ctx, at.ts, m)
	if unsendable(err) {
		out, err = b.under(ctx, at.ts, Message{Text: m.Text})
	}
	return out.String(), err
}

// digest implements poster. There are no threads.
func (w *incoming) digest(ctx context.Context, m Message, _ string) (string, error) {
	return "", w.send(ctx, m)
}
