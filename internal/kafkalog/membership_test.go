package kafkalog_test

import (
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
)

// TestMemberships follows a member from the wait for its topics to its share, and into trouble.
func TestMemberships(t *testing.T) {
	t.Parallel()
	b := testkit.Embedded(t, embedded.Options{})
	c := dial(t, b.Addrs())
	cfg := kafkalog.GroupConfig{ID: testkit.Name(t), Topics: []string{testkit.Name(t), testkit.Name(t)}}
	m := join(t, c, cfg, nil)
	is := func(what string, want kafkalog.Membership) {
		t.Helper()
		want.Group = cfg.ID
		testkit.Until(t, what, func() bool {
			got := c.Memberships()
			return len(got) == 1 && reflect.DeepEqual(got[0], want)
		})
	}
	is("the wait for both topics", kafkalog.Membership{Missing: cfg.Topics})
	makes := func(name string) {
		t.Helper()
		if err := c.EnsureTopics(deadline(t), []kafkalog.TopicSpec{{Name: name, Partitions: 3}}); err != nil {
			t.Fatal(err)
		}
	}
	makes(cfg.Topics[0])
	is("its share of one topic", kafkalog.Membership{Joined: true, Partitions: 3, Missing: cfg.Topics[1:]})
	makes(cfg.Topics[1])
	is("its share of both", kafkalog.Membership{Joined: true, Partitions: 6})

	b.Control(kmsg.Heartbeat, func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.Keep()
		res := req.ResponseKind().(*kmsg.HeartbeatResponse)
		res.ErrorCode = 27 // a rebalance
		return res, nil, true
	})
	b.Control(kmsg.JoinGroup, func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.Keep()
		res := req.ResponseKind().(*kmsg.JoinGroupResponse)
		res.ErrorCode = 30 // not authorized for the group
		return res, nil, true
	})
	testkit.Until(t, "trouble", func() bool {
		got := c.Memberships()[0]
		return !got.Joined && got.Problem != "" && got.Partitions == 6
	})
	if err := m.leave(); err != nil {
		t.Error(err)
	}
}
