package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
)

// topicFixture is an alerts topic on a broker.
type topicFixture struct {
	t      *testing.T
	addrs  []string
	client *kafkalog.Client
	prefix string
	name   string // of the receiver
}

func newTopic(t *testing.T, partitions int) *topicFixture {
	t.Helper()
	f := &topicFixture{t: t, addrs: testkit.Broker(t), prefix: testkit.Name(t) + ".", name: testkit.Name(t)}
	f.client = f.dial()
	spec := kafkalog.TopicSpec{Name: f.prefix + "alerts", Partitions: partitions, ReplicationFactor: 1}
	if err := f.client.EnsureTopics(t.Context(), []kafkalog.TopicSpec{spec}); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *topicFixture) dial() *kafkalog.Client {
	c, err := kafkalog.Dial(kafkalog.Config{Brokers: f.addrs}, quietLog)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(c.Close)
	return c
}

func (f *topicFixture) add(part int, values ...any) {
	f.t.Helper()
	var msgs []kafkalog.Message
	for _, v := range values {
		b, ok := v.([]byte)
		if !ok {
			var err error
			if b, err = json.Marshal(v); err != nil {
				f.t.Fatal(err)
			}
		}
		msgs = append(msgs, kafkalog.Message{Topic: f.prefix + "alerts", Partition: part, Value: b})
	}
	if _, err := f.client.Produce(f.t.Context(), msgs); err != nil {
		f.t.Fatal(err)
	}
}

// start runs a worker in a process of its own, as far as Kafka can tell.
func (f *topicFixture) start(r Receiver) (w *Worker, ms *metrics.Set, stop func()) {
	ctx, cancel := context.WithCancel(f.t.Context())
	ms = metrics.NewSet()
	core := NewOutbox(OutboxConfig{Name: f.name, Receiver: r, Route: &Route{Receiver: f.name}, Now: time.Now, Metrics: ms, Log: quietLog})
	w = NewWorker(WorkerConfig{Name: f.name, Prefix: f.prefix, Core: core, Quiet: 50 * time.Millisecond, Client: f.dial(), Metrics: ms, Log: quietLog,
		Heartbeat: 100 * time.Millisecond})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.Run(ctx); err != nil {
			f.t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	f.t.Cleanup(stop)
	return w, ms, stop
}

func (f *fakeReceiver) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.told...)
}

func TestWorkerHandsOver(t *testing.T) {
	f := newTopic(t, 3)
	f.add(0, rec("a1", 2, detector.Firing, 0.8))
	first, second := &fakeReceiver{}, &fakeReceiver{}
	w1, ms, stop1 := f.start(first)
	testkit.Until(t, "the first tells", func() bool { return len(first.all()) == 1 })
	w2, _, _ := f.start(second)
	f.add(2, []byte("{broken"), rec("c1", 2, detector.Firing, 0.8), []byte(`{"id":"x"}`))
	f.add(1, rec("b1", 2, detector.Firing, 0.8))
	testkit.Until(t, "one of them tells all", func() bool { return len(first.all())+len(second.all()) == 3 })
	testkit.Until(t, "one of them is active", func() bool { return w1.State().Active != w2.State().Active })
	var b strings.Builder
	ms.WritePrometheus(&b)
	if w1.State().Active && !strings.Contains(b.String(), `driftd_alert_bad_records_total{receiver="`+f.name+`"} 2`) {
		t.Errorf("broken records are not counted:\n%s", b.String())
	}

	stop1()
	before := len(second.all())
	f.add(0, rec("a1", 3, detector.Resolved, 0.9))
	testkit.Until(t, "the second goes on", func() bool { return len(second.all()) == before+1 })
	if got := second.all()[before]; !strings.HasPrefix(got, "a/v2 (m") || !strings.HasSuffix(got, "1 3 resolved") {
		t.Errorf("told %q, want the end in the message of the first", got)
	}
	testkit.Until(t, "the second is at rest", func() bool { return w2.State() == State{Name: f.name, Active: true} })
}

// A notification of many cohorts is recorded in pieces that a broker takes.
func TestWorkerRecordsMany(t *testing.T) {
	f := newTopic(t, 1)
	var steps []any
	for i := range 3000 {
		r := rec("a"+fmt.Sprint(i), 2, detector.Firing, 0.8)
		r.Labels = map[string]string{"note": strings.Repeat("x", 200)}
		if steps = append(steps, r); len(steps) == 500 {
			f.add(0, steps...)
			steps = nil
		}
	}
	r := &fakeReceiver{}
	w, _, stop := f.start(r)
	testkit.Until(t, "told", func() bool { return len(r.all()) >= 1 && w.State().Outstanding == 0 })
	n := len(r.all())
	stop()
	_, _, stop = f.start(r)
	defer stop()
	f.add(0, rec("b1", 2, detector.Firing, 0.8))
	testkit.Until(t, "told after a restart", func() bool { return len(r.all()) > n })
	if got := r.all()[n:]; len(got) != 1 || got[0] != "b/v2 1 2 firing" {
		t.Errorf("told again: %.200q", got)
	}
}

// A commit of an earlier topic of the same name, or beyond the log's end, says nothing about this one's records.
func TestWorkerForeignCommit(t *testing.T) {
	for name, c := range map[string]struct {
		beyond int64
		of     string
		want   bool
	}{
		"of another topic": {0, "00000000000000000000000000000001", true},
		"beyond the end":   {1000, "", true},
		"good":             {0, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newTopic(t, 1)
			f.add(0, rec("a1", 2, detector.Firing, 0.8))
			_, next, err := f.client.Bounds(t.Context(), f.prefix+"alerts", 0)
			if err != nil {
				t.Fatal(err)
			}
			f.commit(next+c.beyond, c.of)
			r := &fakeReceiver{}
			w, _, _ := f.start(r)
			f.add(0, rec("z1", 2, detector.Firing, 0.8))
			testkit.Until(t, "told", func() bool { return len(r.all()) > 0 && w.State() == State{Name: f.name, Active: true} })
			if got := strings.HasPrefix(r.all()[0], "a/"); got != c.want {
				t.Errorf("told %q", r.all())
			}
		})
	}
}

// commit commits as a worker of the group that is gone.
func (f *topicFixture) commit(offset int64, metadata string) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	group := f.dial().Group(kafkalog.GroupConfig{ID: "driftd-act-" + f.name, Topics: []string{f.prefix + "alerts"}, Balancer: kafkalog.AllToOne})
	err := group.Run(ctx, func(ctx context.Context, c *kafkalog.Claim) error {
		defer cancel()
		return c.Commit(ctx, offset, metadata)
	})
	if err != nil {
		f.t.Fatal(err)
	}
}
