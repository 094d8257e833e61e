package kafkalog_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
)

const patience = testkit.Patience

func logger(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

func dial(t testing.TB, brokers []string) *kafkalog.Client {
	t.Helper()
	c, err := kafkalog.Dial(kafkalog.Config{Brokers: brokers}, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// topic makes a topic for t and returns its name.
func topic(t testing.TB, c *kafkalog.Client, partitions int, config ...string) string {
	t.Helper()
	spec := kafkalog.TopicSpec{Name: testkit.Name(t), Partitions: partitions, Config: map[string]string{"retention.ms": "-1"}}
	for i := 0; i < len(config); i += 2 {
		spec.Config[config[i]] = config[i+1]
	}
	if err := c.EnsureTopics(deadline(t), []kafkalog.TopicSpec{spec}); err != nil {
		t.Fatal(err)
	}
	return spec.Name
}

func produce(t testing.TB, c *kafkalog.Client, topic string, partition int, values ...string) []int64 {
	t.Helper()
	var msgs []kafkalog.Message
	for _, v := range values {
		msgs = append(msgs, kafkalog.Message{Topic: topic, Partition: partition, Value: []byte(v)})
	}
	offsets, err := c.Produce(deadline(t), msgs)
	if err != nil {
		t.Fatal(err)
	}
	return offsets
}

// readAll fetches from offset to the end of the log and hands each record out. It returns where to go on.
func readAll(t testing.TB, c *kafkalog.Client, topic string, partition int, from int64, each func(*kafkalog.Record)) int64 {
	t.Helper()
	f := c.NewFetcher(topic, partition)
	for {
		got, err := f.Fetch(deadline(t), from, 0)
		if err != nil {
			t.Fatal(err)
		}
		for got.Next() {
			each(got.Record())
		}
		if got.Err() != nil {
			t.Fatal(got.Err())
		}
		if from = got.NextOffset(); from >= got.HighWatermark() {
			return from
		}
	}
}

func TestDialRefuses(t *testing.T) {
	for _, cfg := range []kafkalog.Config{
		{},
		{Brokers: []string{"kafka"}},
		{Brokers: []string{"kafka:9092"}, SASL: &kafkalog.SASL{Mechanism: "gssapi"}},
	} {
		if _, err := kafkalog.Dial(cfg, slog.Default()); err == nil {
			t.Errorf("%+v is accepted", cfg)
		} else {
			t.Log(err)
		}
	}
}
