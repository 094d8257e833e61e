package kafkalog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
)

func TestProduce(t *testing.T) {
	brokers := testkit.Broker(t)
	c := dial(t, brokers)
	topic := topic(t, c, 3)
	at := time.UnixMilli(1_700_000_000_123)
	msgs := []kafkalog.Message{
		{Topic: topic, Partition: 2, Key: []byte("k"), Value: []byte("first"), Time: at},
		{Topic: topic, Partition: 0, Value: nil, Key: []byte("tombstone"), Time: at.Add(-time.Hour)},
		{Topic: topic, Partition: 2, Value: []byte("second"), Time: at.Add(-time.Second), Headers: []kafkalog.Header{{Key: "a", Value: []byte("b")}, {Key: "null"}}},
		{Topic: topic, Partition: 2, Key: []byte{}, Value: []byte{}, Time: at.Add(time.Second)},
	}
	for round := range int64(2) {
		offsets, err := c.Produce(deadline(t), msgs)
		if got, want := fmt.Sprint(offsets, err), fmt.Sprint([]int64{3 * round, round, 3*round + 1, 3*round + 2}, nil); got != want {
			t.Errorf("round %d: %s, want %s", round, got, want)
		}
	}
	var got []string
	for _, p := range []int{0, 1, 2} {
		readAll(t, c, topic, p, 0, func(r *kafkalog.Record) {
			if r.Offset < 3 {
				got = append(got, fmt.Sprint(p, ": ", show(r)))
			}
		})
	}
	want := []string{
		`0: 0 1699996400123 "tombstone" false "" true`,
		`0: 1 1699996400123 "tombstone" false "" true`,
		`2: 0 1700000000123 "k" false "first" false`,
		`2: 1 1699999999123 "" true "second" false "a"="b" "null"=""`,
		`2: 2 1700000001123 "" false "" false`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("read:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	theirs := readMessages(t, brokers, topic, 2) // partition 0, by kafka-go
	if !strings.HasPrefix(theirs[1], `1 1699996400123 "tombstone"`) {
		t.Errorf("kafka-go reads %s", theirs[1])
	}
}

func TestProduceFailsInPart(t *testing.T) {
	c := dial(t, testkit.Broker(t))
	topic := topic(t, c, 2)
	big := bytes.Repeat([]byte("x"), 2<<20)
	offsets, err := c.Produce(deadline(t), []kafkalog.Message{
		{Topic: topic, Partition: 0, Value: []byte("small")},
		{Topic: topic, Partition: 1, Value: big},
		{Topic: topic, Partition: 1, Value: []byte("with it")},
		{Topic: topic + "-not", Partition: 5, Value: []byte("lost")},
		{Topic: topic, Partition: 0, Value: []byte("small too")},
	})
	if got, want := fmt.Sprint(offsets), "[0 -1 -1 -1 1]"; got != want {
		t.Errorf("offsets %s, want %s", got, want)
	}
	failed, ok := errors.AsType[*kafkalog.ProduceError](err)
	if !ok || len(failed.Failed) != 2 {
		t.Fatalf("%v, want two failures", err)
	}
	for _, f := range failed.Failed {
		switch {
		case f.Topic == topic && f.Partition == 1:
			if !errors.Is(&f, kafkalog.ErrTooLarge) || f.Bytes < 2<<20 || f.Messages != 2 || !strings.Contains(f.Error(), topic+"[1]") {
				t.Errorf("%v, want %v with topic, partition and size", &f, kafkalog.ErrTooLarge)
			}
		case f.Topic == topic+"-not" && f.Partition == 5:
			if !errors.Is(&f, kafkalog.ErrUnknownTopic) {
				t.Errorf("%v, want %v", &f, kafkalog.ErrUnknownTopic)
			}
		default:
			t.Errorf("unexpected: %v", &f)
		}
	}
	if !errors.Is(err, kafkalog.ErrTooLarge) || !errors.Is(err, kafkalog.ErrUnknownTopic) {
		t.Errorf("%v does not match its parts", err)
	}
}

// TestProduceOneRequestALeader counts what three nodes get to see of one Produce.
func TestProduceOneRequestALeader(t *testing.T) {
	b := testkit.Embedded(t, embedded.Options{Nodes: 3})
	c := dial(t, b.Addrs())
	topic := topic(t, c, 12)
	leaders := map[int32]bool{}
	var msgs []kafkalog.Message
	for i := range 36 {
		leaders[b.Cluster().LeaderFor(topic, int32(i%12))] = true
		msgs = append(msgs, kafkalog.Message{Topic: topic, Partition: i % 12, Value: fmt.Append(nil, i)})
	}
	seen := b.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Count: -1, Observe: true})
	if _, err := c.Produce(deadline(t), msgs); err != nil {
		t.Fatal(err)
	}
	if len(leaders) < 2 || seen.Hits() != len(leaders) {
		t.Errorf("%d requests for %d leaders", seen.Hits(), len(leaders))
	}
	for p := range 12 {
		var values []string
		readAll(t, c, topic, p, 0, func(r *kafkalog.Record) { values = append(values, string(r.Value)) })
		if got, want := fmt.Sprint(values), fmt.Sprint([]int{p, p + 12, p + 24}); got != want {
			t.Errorf("partition %d: %s, want %s", p, got, want)
		}
	}
}

// TestLeaderMoves: an outdated picture of the cluster costs failed requests, and not for long.
func TestLeaderMoves(t *testing.T) {
	b := testkit.Embedded(t, embedded.Options{Nodes: 3})
	c := dial(t, b.Addrs())
	topic := topic(t, c, 1)
	f := c.NewFetcher(topic, 0)
	for i := range int64(3) {
		if err := b.Cluster().MoveTopicPartition(topic, 0, int32(i)); err != nil {
			t.Fatal(err)
		}
		failures := 0
		for back := (kafkalog.Backoff{}); back.Wait(deadline(t)); failures++ {
			if _, err := c.Produce(deadline(t), []kafkalog.Message{{Topic: topic, Value: []byte("v")}}); err == nil {
				break
			}
		}
		got, err := f.Fetch(deadline(t), i, patience)
		if err != nil || !got.Next() {
			t.Errorf("on node %d: %v", i, err)
		}
		if failures > 3 {
			t.Errorf("on node %d: %d failed requests", i, failures)
		}
	}
}

// TestProduceIsNotRepeated: a failed request is the caller's to repeat, and the data of a cancelled one is not touched later.
func TestProduceIsNotRepeated(t *testing.T) {
	b := testkit.Embedded(t, embedded.Options{})
	c := dial(t, b.Addrs())
	topic := topic(t, c, 1)
	var requests atomic.Int64
	b.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, When: func(kmsg.Request) bool { requests.Add(1); return true }})
	if _, err := c.Produce(deadline(t), []kafkalog.Message{{Topic: topic, Value: []byte("v")}}); err == nil || requests.Load() != 1 {
		t.Errorf("%v after %d requests", err, requests.Load())
	}

	ctx, cancel := context.WithCancel(deadline(t))
	free := make(chan struct{})
	b.Control(kmsg.Produce, func(kmsg.Request) (kmsg.Response, error, bool) {
		cancel()
		b.Cluster().SleepControl(func() { <-free })
		return nil, errors.New("cut"), true
	})
	_, err := c.Produce(ctx, []kafkalog.Message{{Topic: topic, Value: []byte("v")}})
	close(free)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
	if got := produce(t, c, topic, 0, "next"); got[0] != 0 {
		t.Errorf("offset %d, want 0", got[0])
	}
}

func TestProduceNothing(t *testing.T) {
	c := dial(t, []string{"127.0.0.1:1"})
	if offsets, err := c.Produce(t.Context(), nil); offsets != nil || err != nil {
		t.Error(offsets, err)
	}
}
