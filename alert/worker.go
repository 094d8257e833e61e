// Package alert is the act stage: it tells receivers about alerts and writes down that it did. The alerts topic is its
// only database. For each receiver there is a consumer group in which one active worker reads all partitions; it folds the
// whole retained topic into what is and what was told, tells the difference, and appends what it did to the same topic.
//
//	alerts topic ──> loop ──> Outbox ──> Slack, PagerDuty, …    (alert/slack, alert/pagerduty, …)
//	      ^            └────> rollback.Core ──> prompt registry (alert/rollback)
//	      └── notified, rollback_promoted, … ──┘
//
// Only worker*.go know Kafka. A Core and all that it knows belong to the one goroutine of its loop; readers of partitions
// only hand it records.
package alert

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/internal/fault"
	"github.com/driftd/driftd/internal/kafkalog"
)

const (
	// DefaultQuiet is that of a WorkerConfig without one.
	DefaultQuiet  = 500 * time.Millisecond
	fetchWait     = time.Second
	produceWithin = 10 * time.Second
	// produceBytes bounds one write. Brokers take batches of 1 MiB unless configured otherwise.
	produceBytes = 512 << 10
)

// WorkerConfig is what a Worker needs.
type WorkerConfig struct {
	Name   string // of the receiver, or "registry"
	Group  string // of consumers; default "driftd-act-<Name>"
	Prefix string // of driftd's topics, such as "driftd."
	Core   Core
	// Partitions is how many the alerts topic has: nothing is done before all of them have been read. 0 is whatever there is.
	Partitions int
	// Whole makes the core wait for all of them for ever. Without it, it goes on after 30 s without those that cannot be read.
	Whole bool
	// Quiet is how long no step may have come before anything is done, so that the steps of one tick make one
	// notification; ten times that is the longest that a busy log can put it off. Default 500 ms.
	Quiet time.Duration

	SessionTimeout, Heartbeat time.Duration // of the group; see kafkalog.GroupConfig

	Client  *kafkalog.Client
	Metrics *metrics.Set
	Log     *slog.Logger
}

// Worker ties one Core to the alerts topic.
type Worker struct {
	cfg  WorkerConfig
	loop *loop
	bad  *metrics.Counter
}

// NewWorker returns a worker; Run starts it.
func NewWorker(cfg WorkerConfig) *Worker {
	if cfg.Quiet <= 0 {
		cfg.Quiet = DefaultQuiet
	}
	if cfg.Group == "" {
		cfg.Group = "driftd-act-" + cfg.Name
	}
	cfg.Log = cfg.Log.With("receiver", cfg.Name)
	w := &Worker{cfg: cfg, loop: newLoop(cfg.Core, cfg.Quiet)}
	w.loop.vigil = newVigil(cmp.Or(cfg.SessionTimeout, kafkalog.DefaultSession))
	w.loop.append, w.loop.total, w.loop.whole = w.append, cfg.Partitions, cfg.Whole
	w.bad = cfg.Metrics.GetOrCreateCounter(fmt.Sprintf(`driftd_alert_bad_records_total{receiver=%q}`, cfg.Name))
	return w
}

// State tells how the worker is. It may be called at any time, by any goroutine.
func (w *Worker) State() State {
	s := *w.loop.state.Load()
	s.Name = w.cfg.Name
	return s
}

func (w *Worker) topic() string { return w.cfg.Prefix + "alerts" }

// Run works until ctx ends and what was under way is written down. Brokers that cannot be reached are waited for. It is
// called once.
func (w *Worker) Run(ctx context.Context) error {
	group := w.cfg.Client.Group(kafkalog.GroupConfig{
		ID: w.cfg.Group, Topics: []string{w.topic()}, Balancer: kafkalog.AllToOne,
		SessionTimeout: w.cfg.SessionTimeout, Heartbeat: w.cfg.Heartbeat,
	})
	// The loop outlives the readers, which wait for it to let go of their partitions.
	lctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { w.loop.vigil.keep(lctx) })
	wg.Go(func() { w.loop.run(lctx) })
	err := group.Run(ctx, w.read)
	stop()
	wg.Wait()
	return err
}

// read hands a partition to the loop from its start, for as long as it is ours.
func (w *Worker) read(ctx context.Context, c *kafkalog.Claim) error {
	r := &reader{Worker: w, claim: c, f: w.cfg.Client.NewFetcher(c.Topic, c.Partition), log: w.cfg.Log.With("partition", c.Partition)}
	for ctx.Err() == nil {
		if !r.open(ctx) {
			return nil
		}
		r.follow(ctx)
		r.release()
	}
	return nil
}

// reader reads one partition.
type reader struct {
	*Worker
	claim *kafkalog.Claim
	f     *kafkalog.Fetcher
	log   *slog.Logger
	said  string // the last trouble that was logged

	incarnation string // of the topic
	offset, end int64  // to read next; end of the log when it was opened
}

// insist calls f until it works; false when ctx ends first. The same trouble is logged once.
func (r *reader) insist(ctx context.Context, f func() error) bool {
	for b := (kafkalog.Backoff{}); b.Wait(ctx); {
		err := f()
		if err == nil {
			r.said = ""
			return true
		}
		r.trouble(ctx, err)
	}
	return false
}

func (r *reader) trouble(ctx context.Context, err error) {
	if says := err.Error(); says != r.said && ctx.Err() == nil {
		r.said = says
		r.log.Warn("cannot read alerts, will try again", "error", err)
	}
}

// open finds out where the log starts and ends and what was committed, and begins the partition in the loop. A commit of an
// earlier topic of the same name, or beyond the log's end, says nothing about this one.
func (r *reader) open(ctx context.Context) bool {
	var committed int64
	ok := r.insist(ctx, func() (err error) {
		topics, err := r.cfg.Client.Topics(ctx, r.claim.Topic)
		if err != nil {
			return err
		}
		id := topics[r.claim.Topic].ID
		r.incarnation = ""
		if id != [16]byte{} {
			r.incarnation = hex.EncodeToString(id[:])
		}
		var of string
		if committed, of, err = r.claim.Committed(ctx); err != nil {
			return err
		}
		if r.offset, r.end, err = r.cfg.Client.Bounds(ctx, r.claim.Topic, r.claim.Partition); err != nil {
			return err
		}
		if committed > r.end || of != "" && r.incarnation != "" && of != r.incarnation {
			r.log.Warn("the alerts topic is a new one, what was committed of the old one is passed over", "committed", committed)
			committed = -1
		}
		return nil
	})
	if ok {
		r.send(event{kind: began, ctx: ctx, claim: stamped{r.claim, r.incarnation}, next: committed})
	}
	return ok
}

// stamped commits with the topic's incarnation.
type stamped struct {
	*kafkalog.Claim
	incarnation string
}

func (s stamped) Commit(ctx context.Context, offset int64) error {
	fault.Point("act.commit")
	err := s.Claim.Commit(ctx, offset, s.incarnation)
	fault.Point("act.committed")
	return err
}

// send hands an event to the loop, which takes all that comes for as long as there are readers.
func (r *reader) send(ev event) {
	ev.part = r.claim.Partition
	r.loop.events <- ev
}

func (r *reader) release() {
	done := make(chan struct{})
	r.send(event{kind: ended, done: done})
	<-done
}

// follow reads until ctx ends or the log turns out to be another one.
func (r *reader) follow(ctx context.Context) {
	caughtUp := false
	for b := (kafkalog.Backoff{}); ; {
		if !caughtUp && r.offset >= r.end {
			caughtUp = true
			r.send(event{kind: caught})
		}
		if !b.Wait(ctx) {
			return
		}
		got, err := r.f.Fetch(ctx, r.offset, fetchWait)
		if gone, ok := errors.AsType[*kafkalog.OutOfRangeError](err); ok {
			if r.offset > gone.Next {
				r.log.Warn("the alerts topic is shorter than it was, it is read anew", "offset", r.offset, "end", gone.Next)
				return
			}
			r.log.Warn("alerts have left the log before they were read", "from", r.offset, "to", gone.First)
			r.offset = gone.First
			continue
		}
		if err != nil {
			r.trouble(ctx, err)
			continue
		}
		b.Reset()
		r.said = ""
		fault.Point("act.fetched")
		r.hand(got)
	}
}

// hand gives what was fetched to the loop.
func (r *reader) hand(got *kafkalog.Fetched) {
	for got.Next() {
		rec := got.Record()
		ev := event{kind: read, next: rec.Offset + 1}
		if decoded, err := Decode(rec.Value); err == nil {
			ev.entry = &Entry{Offset: rec.Offset, Record: decoded}
		} else {
			r.bad.Inc()
			r.log.Warn("alert record passed over", "offset", rec.Offset, "error", err)
		}
		r.send(ev)
	}
	if err := got.Err(); err != nil {
		r.bad.Inc()
		r.log.Warn("alert records passed over", "error", err)
	}
	if next := got.NextOffset(); next > r.offset {
		r.offset = next
		r.send(event{kind: read, next: next})
	}
}

// append writes actions behind the steps of their partition, and where they are into entries.
func (w *Worker) append(ctx context.Context, part int, entries []Entry) error {
	ctx, cancel := context.WithTimeout(ctx, produceWithin)
	defer cancel()
	for len(entries) > 0 {
		var msgs []kafkalog.Message
		for size := 0; len(msgs) < len(entries) && (size < produceBytes || len(msgs) == 0); {
			r := &entries[len(msgs)].Record
			value, err := json.Marshal(r)
			if err != nil {
				return fmt.Errorf("encode %s record of alert %s: %w", r.Type, r.ID, err)
			}
			size += len(value)
			msgs = append(msgs, kafkalog.Message{Topic: w.topic(), Partition: part, Key: []byte(r.Prompt), Value: value})
		}
		fault.Point("act.record")
		offsets, err := w.cfg.Client.Produce(ctx, msgs)
		fault.Point("act.recorded")
		if err != nil {
			return err
		}
		for i, o := range offsets {
			entries[i].Offset = o
		}
		entries = entries[len(msgs):]
	}
	return nil
}
