package backtest

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
	"github.com/driftd/driftd/windows"
)

// logOf is a samples topic with what a feed makes of events, and a record that cannot be read.
func logOf(t *testing.T, events []byte) *Log {
	t.Helper()
	client, err := kafkalog.Dial(kafkalog.Config{Brokers: testkit.Broker(t)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	topic := testkit.Name(t) + ".samples"
	if err := client.EnsureTopics(t.Context(), []kafkalog.TopicSpec{{Name: topic, Partitions: testPartitions, ReplicationFactor: 1}}); err != nil {
		t.Fatal(err)
	}
	msgs := []kafkalog.Message{{Topic: topic, Partition: 1, Value: []byte("no batch")}}
	feed, lines := testFeed(t), NewLines(t.Context(), strings.NewReader(string(events)))
	take := func() {
		for fed := feed.Next(); fed != nil; fed = feed.Next() {
			for _, b := range fed.Batches {
				msgs = append(msgs, kafkalog.Message{Topic: topic, Partition: b.Partition, Value: append([]byte(nil), b.Data...)})
			}
			feed.Recycle(fed)
		}
	}
	rec := consumer.Record{}
	for {
		line, number, err := lines.Next()
		if err != nil {
			break
		}
		rec.Offset, rec.Value = number-1, line
		feed.Add(&rec)
		take()
	}
	feed.End()
	take()
	for len(msgs) > 0 {
		n := min(len(msgs), 100)
		if _, err := client.Produce(t.Context(), msgs[:n]); err != nil {
			t.Fatal(err)
		}
		msgs = msgs[n:]
	}
	return &Log{Client: client, Topic: topic}
}

// TestSamplesAreEvents holds that the log gives the same steps as the file that it was made of, whatever else stands in it.
func TestSamplesAreEvents(t *testing.T) {
	events := testEvents(5_000, time.Second)
	var want, got strings.Builder
	if _, err := Events(t.Context(), testOptions(t, JSON(&want)), testFeed(t), NewLines(t.Context(), strings.NewReader(string(events)))); err != nil {
		t.Fatal(err)
	}
	l := logOf(t, events)
	o := testOptions(t, JSON(&got))
	o.Partitions = 0 // the topic knows
	report, err := Samples(t.Context(), o, l)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != want.String() || want.Len() == 0 {
		t.Errorf("steps of the log:\n%s\nof the file:\n%s", got.String(), want.String())
	}
	if done, all := l.Done(); done != all || done == 0 || report.Broken != 1 || report.Detected.Samples != 5_000 || report.Events.Records != 5_000 {
		t.Errorf("%d of %d records, %d broken, %+v", done, all, report.Broken, report.Detected)
	}
	if report.Oldest.Format(time.TimeOnly) != "10:00:00" || report.Newest.Format(time.TimeOnly) != "11:24:00" {
		t.Errorf("from %s to %s", report.Oldest, report.Newest)
	}

	// What has come after now is nothing.
	l = &Log{Client: l.Client, Topic: l.Topic, Since: time.Now().Add(time.Hour)}
	if report, err := Samples(t.Context(), o, l); err != nil || report.Events.Records != 0 || !report.Newest.IsZero() {
		t.Errorf("%v, %+v", err, report.Detected)
	}
}

func TestSamplesFail(t *testing.T) {
	l := logOf(t, testEvents(2_000, time.Second))
	full := errors.New("the disk is full")
	if _, err := Samples(t.Context(), testOptions(t, func([]detector.Record) error { return full }), l); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	o := testOptions(t, func([]detector.Record) error { cancel(); return nil })
	if _, err := Samples(ctx, o, l); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := Samples(t.Context(), Options{Rules: o.Rules, Windows: windows.Options{}}, &Log{Client: l.Client, Topic: "no.such.topic"}); err == nil ||
		!strings.Contains(err.Error(), "no.such.topic") {
		t.Errorf("%v", err)
	}
}
