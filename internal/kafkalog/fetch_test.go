package kafkalog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
)

// TestFetchAgainstKafkaGo holds the raw fetch against kafka-go's ReadMessage and Client.Fetch, on what kafka-go's Writer wrote.
func TestFetchAgainstKafkaGo(t *testing.T) {
	brokers := testkit.Broker(t)
	c := dial(t, brokers)
	for name, codec := range map[string]kafka.Compression{
		"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
	} {
		t.Run(name, func(t *testing.T) {
			topic := topic(t, c, 1)
			w := &kafka.Writer{Addr: kafka.TCP(brokers...), Transport: new(kafka.Transport), Topic: topic, Compression: codec, RequiredAcks: kafka.RequireAll,
				BatchSize: 64, BatchTimeout: time.Millisecond}
			defer w.Close()
			rnd := rand.New(rand.NewPCG(1, uint64(codec)))
			var wrote []kafka.Message
			for i := range 500 {
				m := kafka.Message{Value: bytes.Repeat(fmt.Append(nil, i), 1+rnd.IntN(300)), Time: time.UnixMilli(1_700_000_000_000 - int64(i)*7)}
				switch i % 5 {
				case 1:
					m.Key = []byte("key\x00\xff")
				case 2:
					m.Key, m.Value = []byte("tombstone"), nil
				case 3:
					m.Headers = []kafka.Header{{Key: "traceparent", Value: []byte("00-1")}, {Key: "", Value: nil}, {Key: "traceparent", Value: []byte{0}}}
				}
				wrote = append(wrote, m)
			}
			if err := w.WriteMessages(deadline(t), wrote...); err != nil {
				t.Fatal(err)
			}

			var got []string
			next := readAll(t, c, topic, 0, 0, func(r *kafkalog.Record) { got = append(got, show(r)) })
			if next != 500 {
				t.Errorf("ends at %d, want 500", next)
			}
			read, fetched := readMessages(t, brokers, topic, len(wrote)), fetchRecords(t, brokers, topic, len(wrote))
			for i := range wrote {
				if i >= len(got) || got[i] != read[i] || got[i] != fetched[i] {
					t.Fatalf("record %d of %d:\n  ours        %.200s\n  ReadMessage %.200s\n  Fetch       %.200s", i, len(got), got[i], read[i], fetched[i])
				}
			}
			var tail int
			readAll(t, c, topic, 0, 333, func(r *kafkalog.Record) {
				if show(r) != got[333+tail] {
					t.Fatalf("from 333, record %d: %.200s", tail, show(r))
				}
				tail++
			})
			if tail != 167 {
				t.Errorf("%d records from 333 on, want 167", tail)
			}
		})
	}
}

func TestFetchOfOneTopicOnly(t *testing.T) {
	brokers := testkit.Broker(t)
	c := dial(t, brokers)
	name := topic(t, c, 1)
	produce(t, c, name, 0, "a", "b")
	pinned := c.NewFetcher(name, 0).Pin(topicID(t, c, name))
	got, err := pinned.Fetch(deadline(t), 1, time.Second)
	if err != nil || !got.Next() || string(got.Record().Value) != "b" {
		t.Fatalf("the topic as it is: %v", err)
	}
	if _, err := pinned.Fetch(deadline(t), 7, 0); !errors.As(err, new(*kafkalog.OutOfRangeError)) {
		t.Errorf("behind the end: %v", err)
	}
	remake(t, c, brokers, name)
	produce(t, c, name, 0, "c", "d", "e")
	for b := (kafkalog.Backoff{}); b.Wait(deadline(t)); {
		_, err := pinned.Fetch(deadline(t), 1, time.Second)
		if err == nil {
			t.Fatal("the new topic was read for the old one")
		}
		if errors.Is(err, kafkalog.ErrUnknownTopic) {
			break
		}
	}
	for _, id := range [][16]byte{topicID(t, c, name), {}} {
		if got, err := pinned.Pin(id).Fetch(deadline(t), 1, time.Second); err != nil || !got.Next() || string(got.Record().Value) != "d" {
			t.Errorf("the new topic: %v", err)
		}
	}
}

// show writes a record so that all that matters can be compared.
func show(r *kafkalog.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %d %q %v %q %v", r.Offset, r.Time, r.Key, r.Key == nil, r.Value, r.Value == nil)
	for _, h := range r.Headers {
		fmt.Fprintf(&b, " %q=%q", h.Key, h.Value)
	}
	return b.String()
}

func showTheirs(m kafka.Message) string {
	r := kafkalog.Record{Offset: m.Offset, Time: m.Time.UnixMilli(), Key: m.Key, Value: m.Value}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, kafkalog.Header(h))
	}
	// kafka-go does not tell null from empty; these tests write no empty keys or values.
	if len(r.Key) == 0 {
		r.Key = nil
	}
	if len(r.Value) == 0 {
		r.Value = nil
	}
	return show(&r)
}

func readMessages(t *testing.T, brokers []string, topic string, n int) (out []string) {
	t.Helper()
	conn, err := kafka.DialLeader(deadline(t), "tcp", brokers[0], topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	for len(out) < n {
		batch := conn.ReadBatch(1, 1<<20)
		for {
			m, err := batch.ReadMessage()
			if err != nil {
				break
			}
			out = append(out, showTheirs(m))
		}
		if err := batch.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func fetchRecords(t *testing.T, brokers []string, topic string, n int) (out []string) {
	t.Helper()
	client := &kafka.Client{Addr: kafka.TCP(brokers...), Transport: new(kafka.Transport)}
	for len(out) < n {
		res, err := client.Fetch(deadline(t), &kafka.FetchRequest{Topic: topic, Offset: int64(len(out)), MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
		if err == nil {
			err = res.Error
		}
		if err != nil {
			t.Fatal(err)
		}
		for {
			r, err := res.Records.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Offset < int64(len(out)) {
				continue // of a batch that began earlier
			}
			m := kafka.Message{Offset: r.Offset, Time: r.Time, Headers: r.Headers}
			m.Key, _ = kafka.ReadAll(r.Key)
			m.Value, _ = kafka.ReadAll(r.Value)
			out = append(out, showTheirs(m))
		}
	}
	return out
}

func TestFetchOutOfRange(t *testing.T) {
	c := dial(t, testkit.Broker(t))
	topic := topic(t, c, 1)
	produce(t, c, topic, 0, "a", "b", "c", "d")
	del := kmsg.NewPtrDeleteRecordsRequest()
	del.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 0, Offset: 2}}}}
	if _, err := c.Call(deadline(t), topic, 0, del); err != nil {
		t.Fatal(err)
	}
	f := c.NewFetcher(topic, 0)
	for _, offset := range []int64{0, 1, 5, 1 << 40} {
		_, err := f.Fetch(deadline(t), offset, time.Second)
		want := kafkalog.OutOfRangeError{Topic: topic, Offset: offset, First: 2, Next: 4}
		if got, ok := errors.AsType[*kafkalog.OutOfRangeError](err); !ok || *got != want {
			t.Errorf("offset %d: %v, want %v", offset, err, &want)
		}
	}
	got, err := f.Fetch(deadline(t), 2, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Next() || string(got.Record().Value) != "c" || got.LogStart() != 2 || got.HighWatermark() != 4 {
		t.Errorf("%+v, log from %d to %d", got.Record(), got.LogStart(), got.HighWatermark())
	}
}

func TestFetchUnknown(t *testing.T) {
	c := dial(t, testkit.Broker(t))
	topic := topic(t, c, 1)
	for _, f := range []*kafkalog.Fetcher{c.NewFetcher(topic+"-not", 0), c.NewFetcher(topic, 1)} {
		if _, err := f.Fetch(deadline(t), 0, time.Second); !errors.Is(err, kafkalog.ErrUnknownTopic) {
			t.Errorf("%v, want %v", err, kafkalog.ErrUnknownTopic)
		}
	}
}

// TestFetchWaits tells a long poll from one that returns when something comes.
func TestFetchWaits(t *testing.T) {
	c := dial(t, testkit.Broker(t))
	topic := topic(t, c, 1)
	f := c.NewFetcher(topic, 0)
	got, err := f.Fetch(deadline(t), 0, 50*time.Millisecond)
	if err != nil || got.Next() || got.NextOffset() != 0 || got.HighWatermark() != 0 {
		t.Fatalf("an empty log gives %+v, %v", got, err)
	}
	value := make(chan string, 1)
	go func() {
		got, err := f.Fetch(deadline(t), 0, 10*patience)
		if err != nil || !got.Next() {
			value <- fmt.Sprint("nothing: ", err)
			return
		}
		value <- string(got.Record().Value)
	}()
	produce(t, c, topic, 0, "news")
	if v := <-value; v != "news" {
		t.Error(v)
	}
}

// TestFetchCancel ends long polls at any moment of their life; those that follow must see their own answers.
func TestFetchCancel(t *testing.T) {
	c := dial(t, testkit.Broker(t))
	topic := topic(t, c, 1)
	f := c.NewFetcher(topic, 0)
	for i := range 60 {
		ctx, cancel := context.WithCancel(deadline(t))
		switch {
		case i%4 == 0:
			cancel()
		default:
			time.AfterFunc(time.Duration(i)*100*time.Microsecond, cancel)
		}
		if _, err := f.Fetch(ctx, int64(i), 10*patience); !errors.Is(err, context.Canceled) {
			t.Fatalf("poll %d: %v, want %v", i, err, context.Canceled)
		}
		value := fmt.Sprint(i)
		produce(t, c, topic, 0, value)
		got, err := f.Fetch(deadline(t), int64(i), patience)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Next() || string(got.Record().Value) != value || got.Next() {
			t.Fatalf("poll %d: %+v", i, got.Record())
		}
	}
	if ok, detail := c.Reachable(); !ok {
		t.Error("cancelled polls count as trouble: ", detail)
	}
}

func TestFetchAppendTime(t *testing.T) {
	if !testkit.Real() {
		t.Skip("the embedded broker keeps the producer's time whatever the topic says; TestAppendTime covers the decoding")
	}
	c := dial(t, testkit.Broker(t))
	topic := topic(t, c, 1, "message.timestamp.type", "LogAppendTime")
	before := time.Now().UnixMilli()
	if _, err := c.Produce(deadline(t), []kafkalog.Message{{Topic: topic, Value: []byte("v"), Time: time.UnixMilli(1000)}}); err != nil {
		t.Fatal(err)
	}
	readAll(t, c, topic, 0, 0, func(r *kafkalog.Record) {
		if after := time.Now().UnixMilli(); r.Time < before || r.Time > after {
			t.Errorf("time %d, want the broker's between %d and %d", r.Time, before, after)
		}
	})
}

// TestFetchTransactions reads a log with committed, aborted and open transactions, and plain records between them.
func TestFetchTransactions(t *testing.T) {
	brokers := testkit.Broker(t)
	c := dial(t, brokers)
	topic := topic(t, c, 1)
	transact := func(value string, end *kgo.TransactionEndTry) (first int64) {
		t.Helper()
		p, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.TransactionalID(testkit.Name(t)), kgo.DefaultProduceTopic(topic))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		if err := p.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		wrote := p.ProduceSync(deadline(t), kgo.StringRecord(value+"1"), kgo.StringRecord(value+"2"))
		if err := wrote.FirstErr(); err != nil {
			t.Fatal(err)
		}
		if end != nil {
			if err := p.EndTransaction(deadline(t), *end); err != nil {
				t.Fatal(err)
			}
		}
		return wrote[0].Record.Offset
	}
	commit, abort := kgo.TryCommit, kgo.TryAbort
	produce(t, c, topic, 0, "plain1")
	transact("aborted", &abort)
	transact("committed", &commit)
	produce(t, c, topic, 0, "plain2")
	transact("aborted again", &abort)
	produce(t, c, topic, 0, "plain3")
	open := transact("open", nil)
	produce(t, c, topic, 0, "behind an open transaction")
	testkit.Until(t, "the end of the other transactions", func() bool {
		_, end, err := c.Bounds(deadline(t), topic, 0)
		return err == nil && end >= open
	})

	var values []string
	next := readAll(t, c, topic, 0, 0, func(r *kafkalog.Record) { values = append(values, string(r.Value)) })
	if got, want := fmt.Sprint(values), "[plain1 committed1 committed2 plain2 plain3]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if next != open {
		t.Errorf("reads to %d, want %d, where a transaction is open", next, open)
	}
}

// TestFetchCompacted reads a log that compaction has thinned out, until only the newest value of each key is left.
func TestFetchCompacted(t *testing.T) {
	broker := compactable(t)
	c := dial(t, broker.addrs)
	topic := topic(t, c, 1, "cleanup.policy", "compact", "segment.ms", "100", "min.cleanable.dirty.ratio", "0.01", "min.compaction.lag.ms", "0")
	last := map[string]string{}
	write := func(key, value string) {
		if _, err := c.Produce(deadline(t), []kafkalog.Message{{Topic: topic, Key: []byte(key), Value: []byte(value)}}); err != nil {
			t.Fatal(err)
		}
		last[key] = value
	}
	n := 0
	testkit.Until(t, "compaction", func() bool {
		for range 5 {
			write(fmt.Sprint("key", n%3), fmt.Sprint("value", n))
			n++
		}
		broker.compact()
		first, _, err := c.Bounds(deadline(t), topic, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, records := map[string]string{}, 0
		next := readAll(t, c, topic, 0, first, func(r *kafkalog.Record) { got[string(r.Key)] = string(r.Value); records++ })
		if fmt.Sprint(got) != fmt.Sprint(last) || next != int64(n) {
			t.Fatalf("read %v up to %d, want %v up to %d", got, next, last, n)
		}
		return records < n/2
	})
}
