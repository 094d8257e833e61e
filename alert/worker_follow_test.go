package alert

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
)

// notes is a Follower that writes down what it is told, by partition.
type notes struct {
	mu   sync.Mutex
	said map[int][]string
	next [2]int64
}

func (n *notes) Passed(part int, next int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next[part] = next
}

func (n *notes) say(part int, s string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.said[part] = append(n.said[part], s)
}

func (n *notes) Begin(part int)         { n.say(part, "begin") }
func (n *notes) Live(part int)          { n.say(part, "live") }
func (n *notes) Fold(part int, e Entry) { n.say(part, fmt.Sprintf("%s@%d", e.Record.ID, e.Offset)) }

// until waits until a partition was told exactly that; want without live leaves open when that was.
func (n *notes) until(t *testing.T, part int, want string) {
	t.Helper()
	var got string
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("partition %d was told %s", part, got)
		}
	})
	testkit.Until(t, "partition is told "+want, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		got = strings.Join(n.said[part], " ")
		return got == want || strings.ReplaceAll(got, " live", "") == want
	})
}

// remake deletes the topic and makes it again.
func (f *topicFixture) remake(parts int) {
	f.t.Helper()
	admin, err := kgo.NewClient(kgo.SeedBrokers(f.addrs...))
	if err != nil {
		f.t.Fatal(err)
	}
	defer admin.Close()
	name := f.prefix + "alerts"
	req := kmsg.NewPtrDeleteTopicsRequest()
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	req.Topics, req.TopicNames, req.TimeoutMillis = append(req.Topics, topic), []string{name}, 10000
	if res, err := req.RequestWith(f.t.Context(), admin); err != nil || res.Topics[0].ErrorCode != 0 {
		f.t.Fatalf("delete topic %s: %v %+v", name, err, res)
	}
	testkit.Until(f.t, "the topic has gone", func() bool {
		topics, err := f.client.Topics(f.t.Context(), name)
		return err == nil && len(topics) == 0
	})
	if err := f.client.EnsureTopics(f.t.Context(), []kafkalog.TopicSpec{{Name: name, Partitions: parts, ReplicationFactor: 1}}); err != nil {
		f.t.Fatal(err)
	}
}

// TestFollow: all partitions are read from their start without a group; what cannot be read is passed over; a topic that is made
// anew is begun anew.
func TestFollow(t *testing.T) {
	const parts = 2
	f := newTopic(t, parts)
	a := &Appender{Client: f.client, Prefix: f.prefix, Partitions: parts}
	// One prompt for each partition, and ids without a prompt.
	key := func(part int) string {
		for i := 0; ; i++ {
			if k := fmt.Sprintf("k%d", i); kafkalog.PartitionFor(k, parts) == part {
				return k
			}
		}
	}
	add := func(id, prompt string, part int, offset int64) {
		t.Helper()
		n, at, err := a.Append(t.Context(), detector.Record{ID: id, Step: 1, Type: detector.Acknowledged, Time: time.Now(), Prompt: prompt})
		if err != nil || n != part || at != offset {
			t.Fatalf("append %s: %d@%d %v", id, n, at, err)
		}
	}
	add("a", key(0), 0, 0)
	f.add(0, []byte("nonsense"))
	add("b", key(0), 0, 2)
	add(key(1), "", 1, 0)

	n := &notes{said: map[int][]string{}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	set := metrics.NewSet()
	go func() {
		done <- Follow(ctx, FollowConfig{Prefix: f.prefix, Partitions: parts, Client: f.dial(), Metrics: set, Log: quietLog}, n)
	}()
	defer func() { cancel(); <-done }()
	n.until(t, 0, "begin a@0 b@2 live")
	n.until(t, 1, "begin "+key(1)+"@0 live")
	add("c", key(0), 0, 3)
	n.until(t, 0, "begin a@0 b@2 live c@3")
	if got := set.GetOrCreateCounter(`driftd_alert_bad_records_total{receiver="desk"}`).Get(); got != 1 {
		t.Errorf("%d bad records are counted, want 1", got)
	}

	f.add(1, []byte("nonsense")) // behind which nothing comes
	testkit.Until(t, "it is told of what was passed over", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.next == [2]int64{4, 2}
	})

	// The topic is deleted and made again, and has grown past where the old one was read before anyone looks.
	f.remake(parts)
	for i := range 6 {
		add(fmt.Sprintf("n%d", i), key(0), 0, int64(i))
	}
	n.until(t, 0, "begin a@0 b@2 c@3 begin n0@0 n1@1 n2@2 n3@3 n4@4 n5@5")
	n.until(t, 1, "begin "+key(1)+"@0 live begin live")
	add("d", key(0), 0, 6)
	n.mu.Lock()
	defer n.mu.Unlock()
	if slices.Contains(n.said[1], "d@6") {
		t.Error("a record came to another partition")
	}
}
