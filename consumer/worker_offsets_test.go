package consumer_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/internal/testkit"
	"github.com/driftd/driftd/windows"
)

// TestWorkerAfterItsOffsetsWereMoved does by hand what people do to a group's offsets while nobody is in it.
func TestWorkerAfterItsOffsetsWereMoved(t *testing.T) {
	call := liveCall(1)
	one := otlpgen.AppendNative(nil, &call)
	for name, tc := range map[string]struct {
		start   consumer.Start
		move    func(s *stage)
		skipped int // of the five that are written meanwhile
		restart string
	}{
		"set back":           {move: func(s *stage) { s.setOffset(s.natives, 0, 4) }},
		"set forward":        {move: func(s *stage) { s.setOffset(s.natives, 0, 13) }, skipped: 3},
		"deleted":            {move: (*stage).deleteGroup, restart: "forgotten"},
		"deleted, at latest": {start: consumer.Start{Latest: true}, move: (*stage).deleteGroup, restart: "forgotten"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			begun := map[windows.Source]bool{}
			s.samples.each = func(b *windows.Batch) { begun[b.Source] = true }
			run := func(logs *syncBuffer) (stop func()) {
				return s.run(func(c *consumer.Config) {
					c.Sources[1].Start = tc.start
					if logs != nil {
						c.Log = slog.New(slog.NewTextHandler(logs, nil))
					}
				})
			}
			stop := run(nil)
			s.samples.until("first heartbeats", func() bool { return len(begun) == 2*sourcePartitions })
			s.produce(s.natives, 0, slices.Repeat([][]byte{one}, 10)...)
			s.samples.until("samples", func() bool { return s.samples.counted[s.natives] >= 10 })
			stop()
			s.produce(s.natives, 0, slices.Repeat([][]byte{one}, 5)...)
			tc.move(s)
			var logs syncBuffer
			run(&logs)
			s.samples.until("what was written meanwhile", func() bool { return s.samples.counted[s.natives] >= 15-tc.skipped })
			s.produce(s.natives, 0, one)
			s.samples.until("what comes next", func() bool { return s.samples.counted[s.natives] >= 16-tc.skipped })
			if n := s.samples.counted[s.natives]; n != 16-tc.skipped {
				t.Errorf("counted %d records, want %d", n, 16-tc.skipped)
			}
			if want := fmt.Sprintf("driftd_consumer_gap_offsets_total{topic=%q} %d\n", s.natives, tc.skipped); !strings.Contains(s.text(), want) {
				t.Errorf("metrics without %s:\n%s", want, s.text())
			}
			if tc.skipped > 0 {
				logs.until(t, `records=3 from=10`)
				if gaps := s.worker.Gaps(); len(gaps) != 1 || !strings.Contains(gaps[0], "-natives[0]: 3 records from offset 10 on were never read: the group's offset was set forward by hand") {
					t.Errorf("%q", gaps)
				}
			} else if gaps := s.worker.Gaps(); len(gaps) != 0 {
				t.Errorf("%q", gaps)
			}
			if want := fmt.Sprintf(`driftd_consumer_restarts_total{topic=%q,reason="forgotten"} 0`, s.natives); strings.Contains(s.text(), want) != (tc.restart == "") {
				t.Errorf("metrics with or without %s:\n%s", want, s.text())
			}
		})
	}
}

// TestWorkerReadsPartitionsThatWereAdded: whole, wherever a source begins, and everybody hears of them at once.
func TestWorkerReadsPartitionsThatWereAdded(t *testing.T) {
	s := newStage(t)
	call := liveCall(1)
	one := otlpgen.AppendNative(nil, &call)
	begun := map[windows.Source]bool{}
	s.samples.each = func(b *windows.Batch) { begun[b.Source] = true }
	s.run(func(c *consumer.Config) { c.Sources[1].Start = consumer.Start{Latest: true} })
	s.samples.until("first heartbeats", func() bool { return len(begun) == 2*sourcePartitions })
	s.addPartitions(s.natives, sourcePartitions+1)
	s.produce(s.natives, sourcePartitions, one, one)
	s.samples.until("samples of the new partition", func() bool { return s.samples.counted[s.natives] >= 2 })
	s.samples.until("its announcement", func() bool { return len(s.samples.announced) == 2*sourcePartitions+1 })
}

// TestWorkerKeepsThePartitionsOfSamples: prompts stay where their windows are, though somebody adds partitions under way.
func TestWorkerKeepsThePartitionsOfSamples(t *testing.T) {
	s := newStage(t)
	s.run(nil)
	s.fill(0, 20)
	s.samples.until("samples", func() bool { return s.samples.counted[s.natives] >= 20*sourcePartitions })
	s.addPartitions(s.prefix+"samples", samplesPartitions+2)
	s.remake(s.natives) // so that its tasks begin anew
	s.fill(20, 20)
	s.samples.until("samples", func() bool { return s.samples.counted[s.natives] >= 40*sourcePartitions })
	for p := samplesPartitions; p < samplesPartitions+2; p++ {
		if _, next, err := s.client.Bounds(t.Context(), s.prefix+"samples", p); err != nil || next != 0 {
			t.Errorf("partition %d has %d records: %v", p, next, err)
		}
	}
}

// TestWorkerWaitsForTopicsThatTakeNothing has brokers refuse samples, by each of the ways that a full disk or a rule may show, and
// then not even tell.
func TestWorkerWaitsForTopicsThatTakeNothing(t *testing.T) {
	broker := testkit.Embedded(t, embedded.Options{})
	var code atomic.Int32
	broker.Control(kmsg.Produce, func(r kmsg.Request) (kmsg.Response, error, bool) {
		broker.Keep()
		req := r.(*kmsg.ProduceRequest)
		if code.Load() == 0 || !strings.HasSuffix(req.Topics[0].Topic, ".samples") {
			return nil, nil, false
		}
		res := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range req.Topics {
			topic := kmsg.NewProduceResponseTopic()
			topic.Topic = t.Topic
			for _, p := range t.Partitions {
				partition := kmsg.NewProduceResponseTopicPartition()
				partition.Partition, partition.ErrorCode = p.Partition, int16(code.Load())
				topic.Partitions = append(topic.Partitions, partition)
			}
			res.Topics = append(res.Topics, topic)
		}
		return res, nil, true
	})
	s := dialStage(t, broker.Addrs())
	s.makeTopics()
	s.run(nil)
	each := 20
	counted := func() bool {
		return s.samples.counted[s.natives] >= each*sourcePartitions && s.samples.counted[s.spans] >= 2*each*sourcePartitions
	}
	s.fill(0, each)
	s.samples.until("samples", counted)
	for want, refuse := range map[string]kerr.Error{
		"is its disk full":         *kerr.KafkaStorageError,
		"a policy of the brokers":  *kerr.PolicyViolation,
		"Write and Create as well": *kerr.TopicAuthorizationFailed,
		"min.insync.replicas":      *kerr.NotEnoughReplicas,
	} {
		code.Store(int32(refuse.Code))
		each += 5
		s.fill(0, 5)
		testkit.Until(t, "it says so: "+want, func() bool {
			said := strings.Join(s.worker.Trouble(), "\n")
			return strings.Contains(said, s.natives+"[0]: cannot write what was read, trying on: produce") && strings.Contains(said, s.prefix+"samples[") && strings.Contains(said, want)
		})
		code.Store(0)
		s.samples.until("what waited", counted)
		testkit.Until(t, "all is well", func() bool { return len(s.worker.Trouble()) == 0 })
	}
	if got := s.samples.counted; got[s.natives] != each*sourcePartitions || got[s.spans] != 2*each*sourcePartitions {
		t.Errorf("counted %v of %d and %d", got, each*sourcePartitions, 2*each*sourcePartitions)
	}
}

// setOffset does what kafka-consumer-groups --reset-offsets does.
func (s *stage) setOffset(topic string, partition int, offset int64) {
	s.t.Helper()
	s.byHand(func(ctx context.Context) error {
		return s.client.CommitApart(ctx, s.group, []kafkalog.Offset{{Topic: topic, Partition: partition, Offset: offset}})
	})
}

func (s *stage) deleteGroup() {
	s.t.Helper()
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = []string{s.group}
	s.byHand(func(ctx context.Context) error {
		res, err := req.RequestWith(ctx, s.admin())
		if err == nil && res.Groups[0].ErrorCode != 0 {
			err = fmt.Errorf("delete group: code %d", res.Groups[0].ErrorCode)
		}
		return err
	})
}

func (s *stage) addPartitions(topic string, count int) {
	s.t.Helper()
	req := kmsg.NewPtrCreatePartitionsRequest()
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = topic, int32(count)
	req.Topics, req.TimeoutMillis = append(req.Topics, t), 10000
	s.byHand(func(ctx context.Context) error {
		res, err := req.RequestWith(ctx, s.admin())
		if err == nil && res.Topics[0].ErrorCode != 0 {
			err = fmt.Errorf("add partitions: code %d", res.Topics[0].ErrorCode)
		}
		return err
	})
	s.ensure(kafkalog.TopicSpec{Name: topic, Partitions: count})
}

func (s *stage) admin() *kgo.Client {
	s.t.Helper()
	admin, err := kgo.NewClient(kgo.SeedBrokers(s.addrs...))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(admin.Close)
	return admin
}

// byHand does something until brokers let it: a group may take a moment to be empty.
func (s *stage) byHand(do func(context.Context) error) {
	s.t.Helper()
	ctx := s.t.Context()
	testkit.Until(s.t, "what is done by hand", func() bool { return do(ctx) == nil })
}
