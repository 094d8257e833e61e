package compare_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/chaos/compare"
	"github.com/driftd/driftd/internal/chaos/oracle"
	"github.com/driftd/driftd/internal/chaos/stream"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// fixture is ingest and detect on a broker, and a stream for them.
type fixture struct {
	t      *testing.T
	client *kafkalog.Client
	s      *stream.Stream
	dedup  time.Duration
}

func newFixture(t *testing.T, spec stream.Spec, dedup time.Duration) *fixture {
	t.Helper()
	client, err := kafkalog.Dial(kafkalog.Config{Brokers: testkit.Broker(t)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	spec.Prefix = testkit.Name(t) + "."
	f := &fixture{t: t, client: client, s: stream.New(spec), dedup: dedup}
	var specs []kafkalog.TopicSpec
	for _, topic := range f.s.Topics {
		specs = append(specs, kafkalog.TopicSpec{Name: topic.Name, Partitions: f.s.Partitions, ReplicationFactor: 1})
	}
	for name, n := range map[string]int{"samples": 3, "alerts": 3, "state": 3, "dead": 1} {
		specs = append(specs, kafkalog.TopicSpec{Name: spec.Prefix + name, Partitions: n, ReplicationFactor: 1})
	}
	if err := client.EnsureTopics(t.Context(), specs); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) set() *rules.Set {
	f.t.Helper()
	set, problems := rules.Parse("rules.yaml", []byte(f.s.Rules), rules.Options{Dimensions: stream.Dimensions})
	if err := problems.Err(); err != nil {
		f.t.Fatal(err)
	}
	return set
}

type scales struct{ *rules.Set }

func (s scales) Scale(rubric string) (consumer.Scale, bool) {
	r, ok := s.Rubrics[rubric]
	return consumer.Scale{Min: r.Min, Max: r.Max, HasRange: r.HasRange, Labels: r.Labels}, ok
}

// run starts both stages; what they return ends them, and so does the end of the test.
func (f *fixture) run() (stop func()) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	now := f.s.Begin.Add(f.s.Length + time.Hour)
	c := consumer.Config{
		Client: f.client, Log: slog.New(slog.DiscardHandler), Metrics: metrics.NewSet(), Now: func() time.Time { return now },
		Encodings: map[string]consumer.Format{"otlp_proto": {New: otlp.New}, "driftd_json": {New: driftdjson.New}},
		Scales:    scales{f.set()}, TopicPrefix: f.s.Prefix, Group: f.s.Prefix + "ingest", Flush: 10 * time.Millisecond, Heartbeat: 50 * time.Millisecond,
		Linking: consumer.Linking{Wait: 10 * time.Second, Horizon: 30 * time.Minute, Memory: 64 << 20},
	}
	for _, d := range stream.Dimensions {
		c.Dimensions = append(c.Dimensions, consumer.Dimension{Name: d})
	}
	for _, topic := range f.s.Topics {
		c.Sources = append(c.Sources, consumer.SourceTopic{Topic: topic.Name, Encoding: topic.Encoding, Dedup: f.dedup})
	}
	ingest, err := consumer.New(c)
	if err != nil {
		f.t.Fatal(err)
	}
	detect := detector.NewWorker(detector.WorkerOptions{
		Prefix: f.s.Prefix, Group: f.s.Prefix + "detect", Windows: windows.Options{Dimensions: stream.Dimensions}, Partitions: 3,
		CheckpointEvery: 300 * time.Millisecond, MaxWait: 20 * time.Millisecond,
	}, f.set(), f.client, metrics.NewSet(), slog.New(slog.DiscardHandler))
	done := make(chan error, 2)
	go func() { done <- ingest.Run(ctx) }()
	go func() { done <- detect.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				f.t.Errorf("a stage ended: %v", err)
			}
		}
	}
	f.t.Cleanup(stop)
	return stop
}

// publish writes records in their order.
func (f *fixture) publish(records []stream.Record) {
	f.t.Helper()
	for len(records) > 0 {
		n := min(len(records), 500)
		var msgs []kafkalog.Message
		for _, r := range records[:n] {
			msgs = append(msgs, kafkalog.Message{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value})
		}
		if _, err := f.client.Produce(f.t.Context(), msgs); err != nil {
			f.t.Fatal(err)
		}
		records = records[n:]
	}
}

func (f *fixture) got() *compare.Got {
	f.t.Helper()
	got, err := compare.Read(f.t.Context(), f.client, compare.Options{Prefix: f.s.Prefix, Dimensions: stream.Dimensions, Rules: f.s.Rules})
	if err != nil {
		f.t.Fatal(err)
	}
	return got
}

// settled waits until all that counts is sealed and told, and returns it.
func (f *fixture) settled() (got *compare.Got) {
	f.t.Helper()
	testkit.Until(f.t, "everything is sealed", func() bool {
		got = f.got()
		return got.Reached(f.s.Until)
	})
	return got
}

// readBack is the source topics.
func (f *fixture) readBack() []oracle.Record {
	f.t.Helper()
	var names []string
	for _, topic := range f.s.Topics {
		names = append(names, topic.Name)
	}
	records, err := compare.Sources(f.t.Context(), f.client, names...)
	if err != nil {
		f.t.Fatal(err)
	}
	return records
}

// records are the source topics as they would be had the stream been written as it is.
func (f *fixture) records() []oracle.Record {
	f.t.Helper()
	type partition struct {
		topic  string
		number int
	}
	values := make(map[partition][][]byte)
	for _, r := range f.s.Records {
		at := partition{r.Topic, r.Partition}
		values[at] = append(values[at], r.Value)
	}
	all := f.readBack()
	for i := range all {
		r := &all[i]
		r.Value = values[partition{r.Topic, int(r.Partition)}][r.Offset]
	}
	return all
}

func (f *fixture) compute(records []oracle.Record) *oracle.Want {
	f.t.Helper()
	c := oracle.Config{Dimensions: stream.Dimensions, Rules: []byte(f.s.Rules), Until: f.s.Until}
	for _, topic := range f.s.Topics {
		c.Sources = append(c.Sources, oracle.Source{Topic: topic.Name, Encoding: topic.Encoding, Dedup: f.dedup})
	}
	want, err := oracle.Compute(records, c)
	if err != nil {
		f.t.Fatal(err)
	}
	return want
}
