package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/internal/kafkalog"
)

// Follower learns what is in the alerts topic, all of it. Partitions are read side by side: calls for different ones come
// from different goroutines.
type Follower interface {
	// Begin forgets what was known of the partition: it is read from its start. It comes again when the topic was made anew.
	Begin(partition int)
	// Fold learns one record, in the order of the partition.
	Fold(partition int, e Entry)
	// Live says that what was there when the partition was begun has been read.
	Live(partition int)
}

// Passer is a Follower that wants to know as well how far a partition was read where there was nothing to learn.
type Passer interface {
	// Passed says that all of the partition below next was read, or passed over.
	Passed(partition int, next int64)
}

// FollowConfig is what Follow needs.
type FollowConfig struct {
	Prefix     string // of driftd's topics, such as "driftd."
	Partitions int    // of the alerts topic
	Client     *kafkalog.Client
	Metrics    *metrics.Set
	Log        *slog.Logger
}

// Follow reads all partitions of the alerts topic from their start, without a group, until ctx ends. Brokers that cannot be
// reached, and a topic that does not exist yet, are waited for.
func Follow(ctx context.Context, cfg FollowConfig, to Follower) error {
	bad := cfg.Metrics.GetOrCreateCounter(`driftd_alert_bad_records_total{receiver="desk"}`)
	var wg sync.WaitGroup
	for part := range cfg.Partitions {
		f := &follower{
			cfg: cfg, to: to, part: part, topic: cfg.Prefix + "alerts", bad: bad, log: cfg.Log.With("partition", part),
		}
		f.f = cfg.Client.NewFetcher(f.topic, part)
		wg.Go(func() { f.run(ctx) })
	}
	wg.Wait()
	return nil
}

// follower reads one partition.
type follower struct {
	cfg   FollowConfig
	to    Follower
	part  int
	topic string
	f     *kafkalog.Fetcher
	bad   *metrics.Counter
	log   *slog.Logger
	said  string // the last trouble that was logged

	id          [16]byte // of the topic; zero where the broker knows none
	offset, end int64    // to read next; end of the log when it was begun
}

func (f *follower) run(ctx context.Context) {
	for b := (kafkalog.Backoff{}); b.Wait(ctx); {
		if err := f.begin(ctx); err != nil {
			f.trouble(ctx, err)
			continue
		}
		b.Reset()
		f.said = ""
		f.read(ctx)
	}
}

func (f *follower) trouble(ctx context.Context, err error) {
	if says := err.Error(); says != f.said && ctx.Err() == nil {
		f.said = says
		f.log.Warn("cannot follow alerts, will try again", "error", err)
	}
}

// begin finds out which topic it is and where its log starts and ends.
func (f *follower) begin(ctx context.Context) (err error) {
	if f.id, err = f.incarnation(ctx); err != nil {
		return err
	}
	if f.offset, f.end, err = f.cfg.Client.Bounds(ctx, f.topic, f.part); err != nil {
		return err
	}
	f.to.Begin(f.part)
	return nil
}

func (f *follower) incarnation(ctx context.Context) ([16]byte, error) {
	topics, err := f.cfg.Client.Topics(ctx, f.topic)
	if err != nil {
		return [16]byte{}, err
	}
	t, ok := topics[f.topic]
	if !ok {
		return t.ID, fmt.Errorf("topic %s: %w", f.topic, kafkalog.ErrUnknownTopic)
	}
	return t.ID, nil
}

// read follows the log until ctx ends or it turns out to be another one. After a failure the topic may have been deleted and
// made again, so it is looked at before reading goes on.
func (f *follower) read(ctx context.Context) {
	live, doubt := false, false
	for b := (kafkalog.Backoff{}); ; {
		if !live && f.offset >= f.end {
			live = true
			f.to.Live(f.part)
		}
		if !b.Wait(ctx) {
			return
		}
		if doubt {
			id, err := f.incarnation(ctx)
			if err != nil {
				f.trouble(ctx, err)
				continue
			}
			if id != f.id {
				f.log.Warn("the alerts topic is a new one, it is read anew")
				return
			}
			doubt = false
		}
		got, err := f.f.Fetch(ctx, f.offset, fetchWait)
		if gone, ok := errors.AsType[*kafkalog.OutOfRangeError](err); ok {
			if f.offset > gone.Next {
				f.log.Warn("the alerts topic is shorter than it was, it is read anew", "offset", f.offset, "end", gone.Next)
				return
			}
			f.offset = gone.First // retention was quicker
			continue
		}
		if err != nil {
			f.trouble(ctx, err)
			doubt = true
			continue
		}
		b.Reset()
		f.said = ""
		f.hand(got)
	}
}

// hand gives what was fetched to the follower.
func (f *follower) hand(got *kafkalog.Fetched) {
	for got.Next() {
		rec := got.Record()
		r, err := Decode(rec.Value)
		if err != nil {
			f.bad.Inc()
			f.log.Warn("alert record passed over", "offset", rec.Offset, "error", err)
			continue
		}
		f.to.Fold(f.part, Entry{Offset: rec.Offset, Record: r})
	}
	if err := got.Err(); err != nil {
		f.bad.Inc()
		f.log.Warn("alert records passed over", "error", err)
	}
	f.offset = max(f.offset, got.NextOffset())
	if p, ok := f.to.(Passer); ok {
		p.Passed(f.part, f.offset)
	}
}
