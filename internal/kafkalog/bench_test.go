package kafkalog_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
)

const benchRecords = 200_000

// fill writes benchRecords records of 242 bytes in batches of 500 and returns their topic.
func fill(b *testing.B, c *kafkalog.Client) string {
	b.Helper()
	topic := topic(b, c, 1)
	value := bytes.Repeat([]byte("v"), 242)
	msgs := make([]kafkalog.Message, 500)
	for i := range msgs {
		msgs[i] = kafkalog.Message{Topic: topic, Value: value}
	}
	for range benchRecords / len(msgs) {
		if _, err := c.Produce(b.Context(), msgs); err != nil {
			b.Fatal(err)
		}
	}
	return topic
}

// BenchmarkFetch compares ways to read a filled topic, in CPU seconds of this process a million records.
func BenchmarkFetch(b *testing.B) {
	brokers := testkit.Outside(b)
	c := dial(b, brokers)
	topic := fill(b, c)
	for _, way := range []struct {
		name string
		read func(ctx context.Context) (n int)
	}{
		{"raw", func(ctx context.Context) (n int) {
			f := c.NewFetcher(topic, 0)
			for next := int64(0); next < benchRecords; {
				got, err := f.Fetch(ctx, next, time.Second)
				if err != nil {
					b.Fatal(err)
				}
				for got.Next() {
					n += len(got.Record().Value) / 242
				}
				next = got.NextOffset()
			}
			return n
		}},
		{"ClientFetch", func(ctx context.Context) (n int) {
			client := &kafka.Client{Addr: kafka.TCP(brokers...), Transport: new(kafka.Transport)}
			for next := int64(0); next < benchRecords; {
				res, err := client.Fetch(ctx, &kafka.FetchRequest{Topic: topic, Offset: next, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
				if err != nil {
					b.Fatal(err)
				}
				for {
					r, err := res.Records.ReadRecord()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					if r.Offset >= next {
						n += r.Value.Len() / 242
						next = r.Offset + 1
					}
				}
			}
			return n
		}},
		{"ReadMessage", func(ctx context.Context) (n int) {
			conn, err := kafka.DialLeader(ctx, "tcp", brokers[0], topic, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			for n < benchRecords {
				batch := conn.ReadBatch(1, 1<<20)
				for {
					m, err := batch.ReadMessage()
					if err != nil {
						break
					}
					n += len(m.Value) / 242
				}
				batch.Close()
			}
			return n
		}},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			start := testkit.CPU()
			for b.Loop() {
				if n := way.read(b.Context()); n != benchRecords {
					b.Fatalf("%d records, want %d", n, benchRecords)
				}
			}
			b.ReportMetric((testkit.CPU()-start).Seconds()/float64(b.N)/benchRecords*1e6, "cpu-s/Mrecords")
		})
	}
}

// BenchmarkProduce writes batches as ingest does: few records of some kilobytes to each of some partitions.
func BenchmarkProduce(b *testing.B) {
	c := dial(b, testkit.Outside(b))
	topic := topic(b, c, 8)
	var msgs []kafkalog.Message
	value := bytes.Repeat([]byte("v"), 16<<10)
	for i := range 16 {
		msgs = append(msgs, kafkalog.Message{Topic: topic, Partition: i % 8, Value: value})
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(msgs) * len(value)))
	start := testkit.CPU()
	for b.Loop() {
		if _, err := c.Produce(b.Context(), msgs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((testkit.CPU()-start).Microseconds())/float64(b.N), "cpu-us/op")
}
