package main

import (
	"context"
	"fmt"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/internal/kafkalog"
)

// ingest reads a filled topic of OTLP export requests through the whole stage, and by a bare loop.
func (b *bench) ingest() error {
	records := b.size(20_000)
	spans := records * perRecord
	c, err := b.client(laneCount)
	if err != nil {
		return err
	}
	defer c.Close()
	t := newTraffic(spans, 200)
	size, err := fill(b.ctx, c, sourceTopic, sourcePartitions, records, func() []byte { return t.otlp(perRecord) })
	if err != nil {
		return err
	}
	var bare usage
	if err := b.profiled("bare", func() (err error) { bare, err = b.bareLoop(c, spans); return err }); err != nil {
		return err
	}
	s, err := ingestStage(c, "otlp_proto", records)
	if err != nil {
		return err
	}
	work, _, err := b.finish("ingest", nil, s)
	if err != nil {
		return err
	}
	b.report(figure{
		What: "ingest, OTLP from topic to topic", Value: work.millions(spans), Unit: "M spans/s/core", Target: 0.5, PerEvent: work.per("span", spans),
		Note: fmt.Sprintf("%d spans, %d a record, %d B a span", spans, perRecord, size/spans),
	})
	b.report(figure{What: "  bare loop of raw fetch and decoder", Value: bare.millions(spans), Unit: "M spans/s/core", PerEvent: bare.per("span", spans)})
	b.report(figure{What: "  ingest over the bare loop", Value: bare.cpu.Seconds() / work.cpu.Seconds(), Unit: "×", Target: 0.6})
	return nil
}

// bareLoop fetches and decodes every record of the source topic and does nothing with the events.
func (b *bench) bareLoop(c *kafkalog.Client, spans int) (usage, error) {
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale"}}})
	if err != nil {
		return usage{}, err
	}
	decoder := otlp.New(attrs)
	before := now()
	seen := 0
	for p := range sourcePartitions {
		if err := drain(b.ctx, c, sourceTopic, p, 0, func(value []byte) error {
			return decoder.Decode(value, func(*consumer.Event) { seen++ })
		}); err != nil {
			return usage{}, err
		}
	}
	if seen != spans {
		return usage{}, fmt.Errorf("the bare loop saw %d spans of %d", seen, spans)
	}
	return now().since(before), nil
}

// drain reads a partition from an offset to its end.
func drain(ctx context.Context, c *kafkalog.Client, topic string, partition int, from int64, each func(value []byte) error) error {
	f := c.NewFetcher(topic, partition)
	for offset := from; ; {
		got, err := f.Fetch(ctx, offset, time.Second)
		if err != nil {
			return err
		}
		for got.Next() {
			if err := each(got.Record().Value); err != nil {
				return err
			}
		}
		if err := got.Err(); err != nil {
			return err
		}
		if offset = got.NextOffset(); offset >= got.HighWatermark() {
			return nil
		}
	}
}
