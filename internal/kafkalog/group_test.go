package kafkalog_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
)

// member is a Group under test, with what its tasks do.
type member struct {
	t     *testing.T
	group *kafkalog.Group
	stop  context.CancelFunc
	ended chan error

	mu     sync.Mutex
	claims map[string]*kafkalog.Claim // running tasks' by topic number and partition
	starts map[string]int
}

// join starts a member. Its tasks wait for their end.
func join(t *testing.T, c *kafkalog.Client, cfg kafkalog.GroupConfig, task func(context.Context, *kafkalog.Claim) error) *member {
	t.Helper()
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = 100 * time.Millisecond
	}
	if cfg.Watch == 0 {
		cfg.Watch = 300 * time.Millisecond
	}
	if cfg.SessionTimeout == 0 {
		cfg.SessionTimeout = 2 * patience // nobody may be waited for
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{t: t, group: c.Group(cfg), stop: cancel, ended: make(chan error, 1), claims: map[string]*kafkalog.Claim{}, starts: map[string]int{}}
	go func() {
		m.ended <- m.group.Run(ctx, func(ctx context.Context, claim *kafkalog.Claim) error {
			key := fmt.Sprintf("%d:%d", slices.Index(cfg.Topics, claim.Topic), claim.Partition)
			m.mu.Lock()
			if m.claims[key] != nil {
				t.Errorf("two tasks for %s", key)
			}
			m.claims[key] = claim
			m.starts[key]++
			m.mu.Unlock()
			defer func() {
				m.mu.Lock()
				delete(m.claims, key)
				m.mu.Unlock()
			}()
			if task != nil {
				return task(ctx, claim)
			}
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	t.Cleanup(func() {
		cancel()
		m.mu.Lock()
		ended := m.ended == nil
		m.mu.Unlock()
		if !ended {
			m.leave()
		}
	})
	return m
}

// leave stops the member and waits for the end of Run.
func (m *member) leave() error {
	m.t.Helper()
	m.stop()
	defer func() {
		m.mu.Lock()
		m.ended = nil
		m.mu.Unlock()
	}()
	select {
	case err := <-m.ended:
		return err
	case <-time.After(patience):
		m.t.Errorf("Run does not end")
		return nil
	}
}

func (m *member) has() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.claims))
}

func (m *member) awaits(want ...string) {
	m.t.Helper()
	testkit.Until(m.t, fmt.Sprintf("assignment of %v", want), func() bool { return slices.Equal(m.has(), want) })
}

func (m *member) claim(key string) *kafkalog.Claim {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.claims[key]
}

func (m *member) started(key string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.starts[key]
}

// commitUntilLost is a task that commits all the time, also in the middle of rebalances.
func commitUntilLost(t *testing.T) func(ctx context.Context, claim *kafkalog.Claim) error {
	return func(ctx context.Context, claim *kafkalog.Claim) error {
		offset, _, err := claim.Committed(ctx)
		for ; ctx.Err() == nil; offset++ {
			if err = claim.Commit(ctx, max(offset, 0), "m"); err != nil && !errors.Is(err, kafkalog.ErrNotOwner) && ctx.Err() == nil {
				t.Error(err)
			}
		}
		return err
	}
}

func TestGroupHandover(t *testing.T) {
	t.Parallel()
	brokers := testkit.Broker(t)
	c := dial(t, brokers)
	topics := []string{topic(t, c, 4), topic(t, c, 2)}
	cfg := kafkalog.GroupConfig{ID: testkit.Name(t), Topics: topics}

	a := join(t, c, cfg, commitUntilLost(t))
	a.awaits("0:0", "0:1", "0:2", "0:3", "1:0", "1:1")
	lost := map[string]*kafkalog.Claim{}
	for _, key := range a.has() {
		lost[key] = a.claim(key)
	}
	zombie, generation := a.group.Generation()

	b := join(t, dial(t, brokers), cfg, commitUntilLost(t))
	testkit.Until(t, "an even share", func() bool { return len(a.has())+len(b.has()) == 6 && len(b.has()) >= 2 })
	for i := range 4 { // the two topics' partitions stay together
		x, y := fmt.Sprintf("0:%d", i), fmt.Sprintf("1:%d", i)
		if i < 2 && (a.claim(x) == nil) != (a.claim(y) == nil) {
			t.Errorf("partition %d of the topics is apart: %v and %v", i, a.has(), b.has())
		}
		if a.claim(x) != nil {
			if a.started(x) != 1 || a.claim(x) != lost[x] {
				t.Errorf("%s was kept, but its task was started %d times", x, a.started(x))
			}
			if err := a.claim(x).Commit(deadline(t), 100, "kept"); err != nil {
				t.Errorf("a kept claim cannot commit: %v", err)
			}
		} else if err := lost[x].Commit(deadline(t), 7, "lost"); !errors.Is(err, kafkalog.ErrNotOwner) {
			t.Errorf("a lost claim commits: %v", err)
		}
	}
	for key, claim := range lost {
		if err := claim.CommitAs(deadline(t), zombie, generation, 7); !kafkalog.Fenced(err) {
			t.Errorf("a commit of generation %d to %s is not refused: %v", generation, key, err)
		}
	}

	if err := b.leave(); err != nil {
		t.Error(err)
	}
	a.awaits("0:0", "0:1", "0:2", "0:3", "1:0", "1:1")
	if err := a.leave(); err != nil {
		t.Error(err)
	}
	if err := lost["0:0"].Commit(deadline(t), 7, ""); !errors.Is(err, kafkalog.ErrNotOwner) {
		t.Errorf("a claim commits after the end: %v", err)
	}
}

func TestGroupAllToOne(t *testing.T) {
	t.Parallel()
	brokers := testkit.Broker(t)
	c := dial(t, brokers)
	cfg := kafkalog.GroupConfig{ID: testkit.Name(t), Topics: []string{topic(t, c, 3)}, Balancer: kafkalog.AllToOne}
	a := join(t, c, cfg, nil)
	a.awaits("0:0", "0:1", "0:2")
	b, d := join(t, dial(t, brokers), cfg, nil), join(t, dial(t, brokers), cfg, nil)
	testkit.Until(t, "two more members", func() bool {
		_, g1 := b.group.Generation()
		_, g2 := d.group.Generation()
		_, g3 := a.group.Generation()
		return g1 >= 2 && g1 == g2 && g2 == g3
	})
	if a.awaits("0:0", "0:1", "0:2"); a.started("0:0") != 1 || len(b.has())+len(d.has()) != 0 {
		t.Errorf("the first has %v, started %d times; the others %v, %v", a.has(), a.started("0:0"), b.has(), d.has())
	}
	a.leave()
	testkit.Until(t, "another takes over", func() bool { return len(b.has())+len(d.has()) == 3 })
	if len(b.has()) != 0 && len(d.has()) != 0 {
		t.Errorf("shared: %v, %v", b.has(), d.has())
	}
}

func TestGroupCommitAndBegin(t *testing.T) {
	t.Parallel()
	c := dial(t, testkit.Broker(t))
	topics := []string{topic(t, c, 1), topic(t, c, 1)}
	produce(t, c, topics[0], 0, "a", "b", "c")
	produce(t, c, topics[1], 0, "a", "b", "c")
	m := join(t, c, kafkalog.GroupConfig{ID: testkit.Name(t), Topics: topics, Start: func(name string) kafkalog.Start {
		if name == topics[1] {
			return kafkalog.StartNewest
		}
		return kafkalog.StartOldest
	}}, nil)
	m.awaits("0:0", "1:0")
	for key, begin := range map[string]int64{"0:0": 0, "1:0": 3} {
		claim := m.claim(key)
		check := func(wantCommitted, wantBegin int64, wantMeta string) {
			t.Helper()
			offset, meta, err := claim.Committed(deadline(t))
			if offset != wantCommitted || meta != wantMeta || err != nil {
				t.Errorf("%s: committed %d, %q, %v; want %d, %q", key, offset, meta, err, wantCommitted, wantMeta)
			}
			if offset, meta, err = claim.Begin(deadline(t)); offset != wantBegin || meta != wantMeta || err != nil {
				t.Errorf("%s: begins %d, %q, %v; want %d, %q", key, offset, meta, err, wantBegin, wantMeta)
			}
		}
		check(-1, begin, "")
		if err := claim.Commit(deadline(t), 2, "incarnation=3"); err != nil {
			t.Error(err)
		}
		check(2, 2, "incarnation=3")
	}
}

func TestGroupTaskFails(t *testing.T) {
	t.Parallel()
	brokers := testkit.Broker(t)
	c := dial(t, brokers)
	cfg := kafkalog.GroupConfig{ID: testkit.Name(t), Topics: []string{topic(t, c, 2)}}
	broken, now := errors.New("broken"), make(chan struct{})
	a := join(t, c, cfg, func(ctx context.Context, claim *kafkalog.Claim) error {
		if claim.Partition == 1 {
			<-now
			return broken
		}
		<-ctx.Done()
		return ctx.Err()
	})
	a.awaits("0:0", "0:1")
	close(now)
	select {
	case err := <-a.ended:
		if err != broken {
			t.Errorf("Run ends with %v, want %v", err, broken)
		}
		a.ended <- nil // for the cleanup
	case <-time.After(patience):
		t.Error("Run does not end")
	}
	b := join(t, dial(t, brokers), cfg, nil) // it has left, so that nobody waits for its session
	b.awaits("0:0", "0:1")
}

// TestGroupGrows: a topic that comes later, and partitions that are added to one.
func TestGroupGrows(t *testing.T) {
	t.Parallel()
	brokers := testkit.Broker(t)
	c := dial(t, brokers)
	late := testkit.Name(t)
	cfg := kafkalog.GroupConfig{ID: testkit.Name(t), Topics: []string{topic(t, c, 1), late}}
	m := join(t, c, cfg, nil)
	m.awaits("0:0")
	if topics, err := c.Topics(deadline(t), late); err != nil || len(topics) != 0 {
		t.Errorf("joining made a topic: %v, %v", topics, err)
	}
	res, err := (&kafka.Client{Addr: kafka.TCP(brokers...), Transport: new(kafka.Transport)}).CreatePartitions(deadline(t), &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: cfg.Topics[0], Count: 3}},
	})
	if err != nil || res.Errors[cfg.Topics[0]] != nil {
		t.Fatal(err, res)
	}
	m.awaits("0:0", "0:1", "0:2")
	if n := m.started("0:0"); n != 1 {
		t.Errorf("the old partition's task was started %d times", n)
	}
	if err := c.EnsureTopics(deadline(t), []kafkalog.TopicSpec{{Name: late, Partitions: 1}}); err != nil {
		t.Fatal(err)
	}
	m.awaits("0:0", "0:1", "0:2", "1:0")
}

// TestGroupMeetsTopicWhileJoining: a topic that is made between the look at what there is and the sharing out.
func TestGroupMeetsTopicWhileJoining(t *testing.T) {
	t.Parallel()
	b := testkit.Embedded(t, embedded.Options{})
	c := dial(t, b.Addrs())
	late := testkit.Name(t)
	cfg := kafkalog.GroupConfig{ID: testkit.Name(t), Topics: []string{topic(t, c, 1), late}}
	b.Control(kmsg.JoinGroup, func(kmsg.Request) (kmsg.Response, error, bool) {
		b.Cluster().SleepControl(func() {
			if err := c.EnsureTopics(context.Background(), []kafkalog.TopicSpec{{Name: late, Partitions: 1}}); err != nil {
				t.Error(err)
			}
		})
		return nil, nil, false
	})
	join(t, c, cfg, nil).awaits("0:0", "1:0")
}

// TestGroupEvicted lets a member be silent for longer than its session: another takes over, the silent one's commits are refused, and
// when it notices, its tasks are stopped and it joins anew.
func TestGroupEvicted(t *testing.T) {
	t.Parallel()
	brokers := testkit.Broker(t)
	if !testkit.Real() {
		brokers = testkit.Embedded(t, embedded.Options{MinSession: time.Second}).Addrs()
	}
	c := dial(t, brokers)
	cfg := kafkalog.GroupConfig{ID: testkit.Name(t), Topics: []string{topic(t, c, 1)}, SessionTimeout: time.Second, Heartbeat: 4 * time.Second}
	silent := join(t, c, cfg, nil)
	silent.awaits("0:0")
	claim := silent.claim("0:0")

	cfg.Heartbeat = 0
	heir := join(t, dial(t, brokers), cfg, nil)
	heir.awaits("0:0")
	if err := heir.claim("0:0").Commit(deadline(t), 20, "heir"); err != nil {
		t.Error(err)
	}
	if err := claim.Commit(deadline(t), 10, "silent"); !errors.Is(err, kafkalog.ErrNotOwner) {
		t.Errorf("the evicted member commits: %v", err)
	}
	if offset, meta, err := heir.claim("0:0").Committed(deadline(t)); offset != 20 || meta != "heir" || err != nil {
		t.Errorf("committed is %d, %q, %v", offset, meta, err)
	}
	silent.awaits()
}

// TestGroupLeavesDeafCoordinator: a coordinator that does not answer must not hold up the end.
func TestGroupLeavesDeafCoordinator(t *testing.T) {
	t.Parallel()
	b := testkit.Embedded(t, embedded.Options{})
	c := dial(t, b.Addrs())
	asked := make(chan struct{}, 100)
	b.Control(kmsg.JoinGroup, func(kmsg.Request) (kmsg.Response, error, bool) {
		b.Keep()
		asked <- struct{}{}
		return nil, nil, true
	})
	m := join(t, c, kafkalog.GroupConfig{ID: testkit.Name(t), Topics: []string{topic(t, c, 1)}}, nil)
	<-asked
	if err := m.leave(); err != nil {
		t.Error(err)
	}
}
