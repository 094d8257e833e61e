package kafkalog_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
)

func TestEnsureTopics(t *testing.T) {
	brokers := testkit.Broker(t)
	a, b := testkit.Name(t), testkit.Name(t)
	specs := []kafkalog.TopicSpec{
		{Name: a, Partitions: 5, ReplicationFactor: 1, Config: map[string]string{"retention.ms": "90000000", "cleanup.policy": "compact"}},
		{Name: b, Partitions: 2},
	}
	var wg sync.WaitGroup
	for range 3 { // instances that start together
		c := dial(t, brokers)
		wg.Go(func() {
			if err := c.EnsureTopics(deadline(t), specs); err != nil {
				t.Error(err)
			}
			if _, err := c.Produce(deadline(t), []kafkalog.Message{{Topic: a, Partition: 4, Key: []byte("k")}, {Topic: b, Partition: 1}}); err != nil {
				t.Error("a topic that was waited for cannot be written: ", err)
			}
		})
	}
	wg.Wait()

	c := dial(t, brokers)
	topics, err := c.Topics(deadline(t), a, b, a+"-not")
	if err != nil {
		t.Fatal(err)
	}
	if len(topics) != 2 || topics[a].Partitions != 5 || topics[b].Partitions != 2 || topics[a].ID == topics[b].ID || topics[a].ID == [16]byte{} {
		t.Errorf("%v", topics)
	}
	res, err := (&kafka.Client{Addr: kafka.TCP(brokers...), Transport: new(kafka.Transport)}).DescribeConfigs(deadline(t), &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: a, ConfigNames: []string{"retention.ms", "cleanup.policy"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range res.Resources[0].ConfigEntries {
		if want := specs[0].Config[e.ConfigName]; e.ConfigValue != want {
			t.Errorf("%s is %q, want %q", e.ConfigName, e.ConfigValue, want)
		}
	}

	specs[1].Partitions = 7
	err = c.EnsureTopics(deadline(t), specs)
	if got, ok := errors.AsType[*kafkalog.PartitionCountError](err); !ok || *got != (kafkalog.PartitionCountError{Topic: b, Want: 7, Have: 2}) {
		t.Errorf("%v, want a partition count error", err)
	}
	err = c.EnsureTopics(deadline(t), []kafkalog.TopicSpec{{Name: b + "-3", Partitions: 1, ReplicationFactor: 3}})
	if err == nil || !strings.Contains(err.Error(), b+"-3") {
		t.Errorf("three replicas on one broker: %v", err)
	}
	if topics, err := c.Topics(deadline(t)); len(topics) != 0 || err != nil {
		t.Errorf("no names give %v, %v", topics, err)
	}
}

// TestLeaderLearnsLate: a broker tells of a new topic before it knows that it leads it.
func TestLeaderLearnsLate(t *testing.T) {
	b := testkit.Embedded(t, embedded.Options{})
	refused := 0
	b.Control(kmsg.ListOffsets, func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.Keep()
		req := r.(*kmsg.ListOffsetsRequest)
		if refused == 3 || req.Topics[0].Partitions[0].Partition != 1 {
			return nil, nil, false
		}
		refused++
		part := kmsg.NewListOffsetsResponseTopicPartition()
		part.Partition, part.ErrorCode = 1, kerr.NotLeaderForPartition.Code
		topic := kmsg.NewListOffsetsResponseTopic()
		topic.Topic, topic.Partitions = req.Topics[0].Topic, append(topic.Partitions, part)
		res := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		res.Topics = append(res.Topics, topic)
		return res, nil, true
	})
	if err := dial(t, b.Addrs()).EnsureTopics(deadline(t), []kafkalog.TopicSpec{{Name: "new", Partitions: 3}}); err != nil {
		t.Fatal(err)
	}
	if refused != 3 {
		t.Errorf("the leader was asked %d times, want until it answers", refused+1)
	}
}

// TestTopicID: a topic that was deleted and made again is another one.
func TestTopicID(t *testing.T) {
	brokers := testkit.Broker(t)
	c := dial(t, brokers)
	name := topic(t, c, 1)
	before := topicID(t, c, name)
	remake(t, c, brokers, name)
	if after := topicID(t, c, name); after == before || after == [16]byte{} {
		t.Errorf("id %x became %x", before, after)
	}
}

func topicID(t *testing.T, c *kafkalog.Client, name string) [16]byte {
	topics, err := c.Topics(deadline(t), name)
	if err != nil {
		t.Fatal(err)
	}
	return topics[name].ID
}

// remake deletes a topic and makes it again.
func remake(t *testing.T, c *kafkalog.Client, brokers []string, name string) {
	t.Helper()
	res, err := (&kafka.Client{Addr: kafka.TCP(brokers...), Transport: new(kafka.Transport)}).DeleteTopics(deadline(t), &kafka.DeleteTopicsRequest{Topics: []string{name}})
	if err != nil || res.Errors[name] != nil {
		t.Fatal(err, res)
	}
	testkit.Until(t, "deletion", func() bool { return topicID(t, c, name) == [16]byte{} })
	if err := c.EnsureTopics(deadline(t), []kafkalog.TopicSpec{{Name: name, Partitions: 1}}); err != nil {
		t.Fatal(err)
	}
}

// TestOldBroker has no topic ids and old versions of everything.
func TestOldBroker(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.MaxVersions(kversion.V2_7_0()))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	c := dial(t, cluster.ListenAddrs())
	name := topic(t, c, 2)
	topics, err := c.Topics(deadline(t), name)
	if want := (kafkalog.Topic{Name: name, Partitions: 2}); err != nil || topics[name] != want {
		t.Errorf("%v, %v, want %v", topics, err, want)
	}
	produce(t, c, name, 1, "a", "b")
	n := 0
	readAll(t, c, name, 1, 0, func(*kafkalog.Record) { n++ })
	if n != 2 {
		t.Errorf("%d records, want 2", n)
	}
	if got, err := c.NewFetcher(name, 1).Pin([16]byte{1}).Fetch(deadline(t), 1, 0); err != nil || !got.Next() {
		t.Errorf("by an id that the broker does not know of: %v", err)
	}
}

func TestOffsets(t *testing.T) {
	c := dial(t, testkit.Broker(t))
	topic := topic(t, c, 2)
	for i := range 4 {
		if _, err := c.Produce(deadline(t), []kafkalog.Message{{Topic: topic, Partition: 1, Time: time.UnixMilli(int64(1000 * i)), Value: []byte("v")}}); err != nil {
			t.Fatal(err)
		}
	}
	first, next, err := c.Bounds(deadline(t), topic, 1)
	if first != 0 || next != 4 || err != nil {
		t.Errorf("bounds %d, %d, %v", first, next, err)
	}
	for millis, want := range map[int64]int64{-5: 0, 0: 0, 1: 1, 1000: 1, 2999: 3, 3000: 3, 3001: 4} {
		if got, err := c.OffsetAt(deadline(t), topic, 1, time.UnixMilli(millis)); got != want || err != nil {
			t.Errorf("at %d ms: %d, %v, want %d", millis, got, err, want)
		}
	}
	for _, p := range []struct {
		topic     string
		partition int
	}{{topic, 2}, {topic + "-not", 0}} {
		if _, _, err := c.Bounds(deadline(t), p.topic, p.partition); !errors.Is(err, kafkalog.ErrUnknownTopic) {
			t.Errorf("%v: %v, want %v", p, err, kafkalog.ErrUnknownTopic)
		}
	}
}

// TestBrokerAway goes through a broker that is not there at first, comes, goes, and comes back with its data.
func TestBrokerAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	o := embedded.Options{Ports: []int{n}, DataDir: t.TempDir()}

	c := dial(t, []string{addr})
	if ok, detail := c.Reachable(); ok {
		t.Error("reachable before the first request: ", detail)
	}
	name := testkit.Name(t)
	f := c.NewFetcher(name, 0)
	if _, err := f.Fetch(deadline(t), 0, time.Second); err == nil || errors.Is(err, kafkalog.ErrUnknownTopic) {
		t.Errorf("without a broker: %v", err)
	}
	if _, err := c.Topics(deadline(t), name); err == nil {
		t.Error("topics are known without a broker")
	}
	if ok, detail := c.Reachable(); ok || detail == "" {
		t.Errorf("reachable is %v: %q", ok, detail)
	}

	for round := range int64(3) {
		b, err := embedded.Start(o)
		if err != nil {
			t.Fatal(err)
		}
		retry := func(what string, try func(context.Context) error) {
			t.Helper()
			var err error
			for back := (kafkalog.Backoff{Max: 200 * time.Millisecond}); back.Wait(deadline(t)); {
				if err = try(deadline(t)); err == nil {
					return
				}
			}
			t.Fatal(what, ": ", err)
		}
		retry("ensure topics", func(ctx context.Context) error {
			return c.EnsureTopics(ctx, []kafkalog.TopicSpec{{Name: name, Partitions: 1}})
		})
		retry("produce", func(ctx context.Context) error {
			_, err := c.Produce(ctx, []kafkalog.Message{{Topic: name, Value: fmt.Append(nil, round)}})
			return err
		})
		retry("fetch", func(ctx context.Context) error {
			got, err := f.Fetch(ctx, round, time.Second)
			if err == nil && (!got.Next() || string(got.Record().Value) != fmt.Sprint(round)) {
				t.Fatalf("round %d reads %+v", round, got.Record())
			}
			return err
		})
		if ok, detail := c.Reachable(); !ok {
			t.Error("not reachable: ", detail)
		}
		b.Close()
		if _, err := f.Fetch(deadline(t), round+1, patience); err == nil {
			t.Error("fetches from a closed broker")
		}
		if ok, _ := c.Reachable(); ok {
			t.Error("a closed broker is reachable")
		}
	}
}
