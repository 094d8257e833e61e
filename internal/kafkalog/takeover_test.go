package kafkalog_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
)

// dies joins a group as a process of the given instance does that is killed then: it is never heard of again, and its session ends
// after all patience has.
func dies(t *testing.T, brokers []string, cfg kafkalog.GroupConfig, instance string) {
	t.Helper()
	c, err := kafkalog.Dial(kafkalog.Config{Brokers: brokers, ClientID: "driftd@" + instance}, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ask := func(req kmsg.Request) (res kmsg.Response) {
		t.Helper()
		res, err := c.Call(deadline(t), cfg.Topics[0], 0, req)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	member := ""
	for b := (kafkalog.Backoff{}); b.Wait(deadline(t)); {
		join := kmsg.NewPtrJoinGroupRequest()
		join.Version, join.Group, join.MemberID, join.ProtocolType = 4, cfg.ID, member, "consumer"
		join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = int32(2*patience.Milliseconds()), int32(2*patience.Milliseconds())
		p := kmsg.NewJoinGroupRequestProtocol()
		meta := kmsg.NewConsumerMemberMetadata()
		meta.Topics = cfg.Topics
		p.Name, p.Metadata = "driftd-co-partitioned", meta.AppendTo(nil)
		join.Protocols = append(join.Protocols, p)
		res := ask(join).(*kmsg.JoinGroupResponse)
		if code := res.ErrorCode; code == 79 || code >= 14 && code <= 16 { // it is to come with that name; the coordinator begins
			member = res.MemberID
			continue
		}
		if res.ErrorCode != 0 {
			t.Fatalf("join: code %d", res.ErrorCode)
		}
		member = res.MemberID
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Group, sync.MemberID, sync.Generation = cfg.ID, member, res.Generation
		if code := ask(sync).(*kmsg.SyncGroupResponse).ErrorCode; code != 0 {
			t.Fatalf("sync: code %d", code)
		}
		return
	}
}

// TestTakeOver holds that a process that is started again does not wait for the session of the one before it, which was killed, and
// that those who live keep what they have.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	brokers := testkit.Broker(t)
	client := func(instance string) *kafkalog.Client {
		c := dial(t, brokers)
		c.Instance(instance)
		return c
	}
	two := client("two")
	cfg := kafkalog.GroupConfig{ID: testkit.Name(t), Topics: []string{topic(t, two, 4)}}
	lives := join(t, two, cfg, nil)
	lives.awaits("0:0", "0:1", "0:2", "0:3")
	dies(t, brokers, cfg, "one")
	testkit.Until(t, "a share for the one that dies", func() bool { return len(lives.has()) == 2 })
	kept := lives.has()

	again := join(t, client("one"), cfg, nil)
	testkit.Until(t, "the share of the dead", func() bool { return len(again.has()) == 2 })
	lives.awaits(kept...)
	for _, key := range kept {
		if n := lives.started(key); n != 1 {
			t.Errorf("task %s was started %d times, though its member lives", key, n)
		}
	}
}
