package detector

import (
	"context"
	"errors"
	"time"

	"github.com/driftd/driftd/internal/fault"
	"github.com/driftd/driftd/internal/kafkalog"
)

// topic is a topic's partition of this task's number.
func (t *task) topic(name string) partitionLog {
	return &kafkaPartition{t.client, t.client.NewFetcher(name, t.claim.Partition), name, t.claim.Partition, t.o.MaxWait, &t.reading}
}

// kafkaPartition is a partitionLog over Kafka.
type kafkaPartition struct {
	client    *kafkalog.Client
	fetcher   *kafkalog.Fetcher
	topic     string
	partition int
	maxWait   time.Duration
	waited    *time.Duration // gets what reading waits for brokers
}

func (k *kafkaPartition) bounds(ctx context.Context) (first, next int64, err error) {
	if first, next, err = k.client.Bounds(ctx, k.topic, k.partition); err != nil {
		return 0, 0, &readError{err}
	}
	return first, next, nil
}

func (k *kafkaPartition) read(ctx context.Context, from, to int64, each func(offset int64, value []byte) error) error {
	for from < to {
		began := time.Now()
		got, err := k.fetcher.Fetch(ctx, from, k.maxWait)
		*k.waited += time.Since(began)
		if gone, ok := errors.AsType[*kafkalog.OutOfRangeError](err); ok && from < gone.First {
			from = gone.First // retention went on meanwhile
			continue
		}
		if err != nil {
			return &readError{err}
		}
		for got.Next() {
			if rec := got.Record(); rec.Offset < to {
				if err := each(rec.Offset, rec.Value); err != nil {
					return err
				}
			}
		}
		from = max(from, got.NextOffset())
	}
	return nil
}

func (k *kafkaPartition) append(ctx context.Context, records [][]byte) (offsets []int64, err error) {
	for len(records) > 0 {
		var msgs []kafkalog.Message
		for size := 0; len(records) > 0 && (size == 0 || size+len(records[0]) <= maxRequest); records = records[1:] {
			size += len(records[0])
			msgs = append(msgs, kafkalog.Message{Topic: k.topic, Partition: k.partition, Value: records[0]})
		}
		fault.Point("detect.save")
		at, err := k.client.Produce(ctx, msgs)
		fault.Point("detect.saved")
		if err != nil {
			return nil, err
		}
		offsets = append(offsets, at...)
	}
	return offsets, nil
}
