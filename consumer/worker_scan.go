package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/driftd/driftd/internal/kafkalog"
)

// redriveTries is how often a request is tried before redrive gives up: somebody is waiting for it.
const redriveTries = 6

// try does a request as often as it takes, but not for ever.
func (r *redriving) try(ctx context.Context, request func() error) (err error) {
	again := kafkalog.Backoff{Max: maxPause}
	for n := 0; n < redriveTries; n++ {
		if !again.Wait(ctx) {
			return context.Cause(ctx)
		}
		if err = request(); err == nil {
			return nil
		}
	}
	return err
}

func (r *redriving) bounds(ctx context.Context, topic string, partition int) (first, next int64, err error) {
	err = r.try(ctx, func() error {
		first, next, err = r.cfg.Client.Bounds(ctx, topic, partition)
		return err
	})
	return first, next, err
}

func (r *redriving) offsetAt(ctx context.Context, topic string, partition int, at time.Time) (offset int64, err error) {
	err = r.try(ctx, func() error {
		offset, err = r.cfg.Client.OffsetAt(ctx, topic, partition, at)
		return err
	})
	return offset, err
}

// scanAll walks all partitions of a topic from start to end.
func (r *redriving) scanAll(ctx context.Context, doing, topic string, each func(*Record) error) error {
	for p := range r.topics[topic].Partitions {
		first, next, err := r.bounds(ctx, topic, p)
		if err == nil {
			err = r.scan(ctx, doing, topic, p, first, next, each)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take makes rec the record r.
func (rec *Record) take(r *kafkalog.Record) {
	rec.Offset, rec.Time, rec.Key, rec.Value = r.Offset, r.Time, r.Key, r.Value
	rec.Headers = rec.Headers[:0]
	for _, h := range r.Headers {
		rec.Headers = append(rec.Headers, Header(h))
	}
}

// scan walks a partition's records from the offset from to before to. Retention may take the first of them meanwhile; what
// cannot be read is passed over, as ingest does.
func (r *redriving) scan(ctx context.Context, doing, topic string, partition int, from, to int64, each func(*Record) error) error {
	f := r.cfg.Client.NewFetcher(topic, partition)
	first := from
	var rec Record
	for from < to {
		var got *kafkalog.Fetched
		err := r.try(ctx, func() (err error) {
			got, err = f.Fetch(ctx, from, time.Second)
			if out, ok := errors.AsType[*kafkalog.OutOfRangeError](err); ok && out.First > from {
				from = out.First
			}
			return err
		})
		if err != nil {
			return err
		}
		at := from
		for got.Next() {
			from = got.Record().Offset
			if from >= to {
				break
			}
			rec.take(got.Record())
			if err := each(&rec); err != nil {
				return err
			}
		}
		from = max(from, got.NextOffset())
		if from == at {
			return fmt.Errorf("read %s[%d]@%d: the broker gives nothing, its log should go on to %d", topic, partition, at, to)
		}
		if doing != "" {
			r.o.Progress(doing, min(from, to)-first, to-first)
		}
	}
	return ctx.Err()
}
