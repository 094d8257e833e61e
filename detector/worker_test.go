package detector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

const fixtureRules = `
groups:
  - name: g
    slice_by: [tier]
    rules:
      - alert: Slow
        metric: latency
        threshold: {stat: mean, window: 5m, above: 2s}
        min_samples: 10
        for: 2m
`

// fixture is a detect stage on a broker of its own topics, with one samples partition.
type fixture struct {
	t      *testing.T
	client *kafkalog.Client
	prefix string
	s      *script // makes batches
	want   []string
	opts   windows.Options
	log    *slog.Logger // of workers
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return fixtureOn(t, testkit.Broker(t))
}

func fixtureOn(t *testing.T, brokers []string) *fixture {
	t.Helper()
	client, err := kafkalog.Dial(kafkalog.Config{Brokers: brokers}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	f := &fixture{t: t, client: client, prefix: testkit.Name(t) + ".", opts: scriptOptions, log: slog.New(slog.DiscardHandler)}
	f.s = &script{t: t, p: NewPartition(PartitionOptions{Windows: scriptOptions, Rules: parsed(t, fixtureRules)})}
	var specs []kafkalog.TopicSpec
	for _, name := range []string{"samples", "alerts", "state", "dead"} {
		specs = append(specs, kafkalog.TopicSpec{Name: f.prefix + name, Partitions: 1, ReplicationFactor: 1})
	}
	if err := client.EnsureTopics(t.Context(), specs); err != nil {
		t.Fatal(err)
	}
	return f
}

func parsed(t testing.TB, text string) *rules.Set {
	t.Helper()
	set, problems := rules.Parse("rules.yaml", []byte(text), rules.Options{Dimensions: scriptOptions.Dimensions})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

// send lets time go by as a script does and writes the batches; what a partition without a log around it gives is wanted.
func (f *fixture) send(minutes int, adds ...string) {
	f.t.Helper()
	for _, a := range adds {
		if err := f.s.add(strings.Fields(a)); err != nil {
			f.t.Fatal(err)
		}
	}
	for range minutes {
		f.s.now += time.Minute
		raw := f.s.batch()
		f.want = append(f.want, encoded(f.t, applyRaw(f.t, f.s.p, raw))...)
		f.raw(raw)
	}
}

func (f *fixture) raw(value []byte) {
	f.t.Helper()
	if _, err := f.client.Produce(f.t.Context(), []kafkalog.Message{{Topic: f.prefix + "samples", Value: value}}); err != nil {
		f.t.Fatal(err)
	}
}

// run starts a worker; stop ends it and waits.
func (f *fixture) run(o WorkerOptions) (w *Worker, ms *metrics.Set, stop func()) {
	f.t.Helper()
	o.Prefix, o.Group, o.Windows, o.MaxWait = f.prefix, f.prefix+"detect", f.opts, 20*time.Millisecond
	ms = metrics.NewSet()
	w = NewWorker(o, parsed(f.t, fixtureRules), f.client, ms, f.log)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			f.t.Errorf("worker ended: %v", err)
		}
	}
	f.t.Cleanup(stop)
	return w, ms, stop
}

// values reads all of a topic.
func (f *fixture) values(topic string) (values [][]byte) {
	f.t.Helper()
	log := &kafkaPartition{f.client, f.client.NewFetcher(f.prefix+topic, 0), f.prefix + topic, 0, 10 * time.Millisecond, new(time.Duration)}
	first, next, err := log.bounds(f.t.Context())
	if err == nil {
		err = log.read(f.t.Context(), first, next, func(_ int64, value []byte) error {
			values = append(values, slices.Clone(value))
			return nil
		})
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return values
}

// alerts are the records of the alerts topic without those seen before.
func (f *fixture) alerts() (lines []string) {
	f.t.Helper()
	seen := make(map[string]string)
	for _, v := range f.values("alerts") {
		var r Record
		if err := json.Unmarshal(v, &r); err != nil {
			f.t.Fatal(err)
		}
		key := fmt.Sprint(r.ID, r.Step)
		switch was, ok := seen[key]; {
		case !ok:
			seen[key] = string(v)
			lines = append(lines, string(v))
		case was != string(v):
			f.t.Fatalf("told twice, and not the same:\n%s\n%s", was, v)
		}
	}
	return lines
}

func gauge(ms *metrics.Set, line string) bool {
	var b bytes.Buffer
	ms.WritePrometheus(&b)
	return strings.Contains(b.String(), line+"\n")
}

func (f *fixture) untilWanted() {
	f.t.Helper()
	testkit.Until(f.t, fmt.Sprintf("%d steps in the alerts topic", len(f.want)), func() bool { return len(f.alerts()) >= len(f.want) })
	if got := f.alerts(); !slices.Equal(got, f.want) {
		f.t.Fatalf("alerts topic has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(f.want, "\n"))
	}
}

func TestWorkerIsThePartition(t *testing.T) {
	f := newFixture(t)
	f.send(12, "for=6m series=p/v1/free latency=5 n=10", "for=6m series=p/v1/paid latency=1 n=30")
	_, ms, stop := f.run(WorkerOptions{})
	f.untilWanted()
	if len(f.want) < 3 {
		t.Fatalf("the fixture makes %d steps only", len(f.want))
	}
	// A broken record is kept and passed over.
	f.raw([]byte("no batch"))
	f.send(3, "for=1m series=p/v1/free latency=9 n=100")
	f.untilWanted()
	if dead := f.values("dead"); len(dead) != 1 || string(dead[0]) != "no batch" {
		t.Fatalf("dead letters %q", dead)
	}
	for _, line := range []string{"driftd_detector_broken_records_total 1", "driftd_detector_partitions 1", `driftd_detector_restores_total{result="anew"} 1`} {
		if !gauge(ms, line) {
			t.Errorf("metrics do not say %s", line)
		}
	}
	stop()
	if gauge(ms, "driftd_detector_partitions 1") {
		t.Error("the partition is still counted after the end")
	}
}

func TestWorkerGoesOnFromCheckpoint(t *testing.T) {
	f := newFixture(t)
	f.send(4, "for=20m series=p/v1/free latency=5 n=10")
	_, ms, stop := f.run(WorkerOptions{CheckpointEvery: time.Nanosecond})
	f.untilWanted()
	testkit.Until(t, "a checkpoint", func() bool { return !gauge(ms, `driftd_detector_checkpoints_total{result="ok"} 0`) })
	stop()
	n := len(f.values("alerts"))
	f.send(30)
	_, ms, _ = f.run(WorkerOptions{})
	f.untilWanted()
	if !gauge(ms, `driftd_detector_restores_total{result="checkpoint"} 1`) || !gauge(ms, `driftd_detector_skipped_samples_total 0`) {
		t.Error("it did not go on from the checkpoint")
	}
	if all := len(f.values("alerts")); all != len(f.want) {
		t.Errorf("%d records in the alerts topic, %d before the restart, want %d: a clean shutdown repeats nothing", all, n, len(f.want))
	}
}

// Without a usable checkpoint, here because the dimensions are others, the log of alerts tells what was told before.
func TestWorkerWithoutItsCheckpoint(t *testing.T) {
	f := newFixture(t)
	f.send(15, "for=5m series=p/v1/free latency=5 n=10", "t=14m for=6m series=p/v1/free latency=7 n=30")
	_, _, stop := f.run(WorkerOptions{})
	f.untilWanted()
	stop()
	before := f.values("alerts")

	f.opts = windows.Options{Dimensions: []string{"tier"}}
	_, ms, stop := f.run(WorkerOptions{})
	testkit.Until(t, "the replay", func() bool {
		return gauge(ms, `driftd_detector_lag_records{partition="0"} 0`) && gauge(ms, "driftd_detector_ticks_total 15")
	})
	if after := f.values("alerts"); len(after) != len(before) {
		t.Fatalf("the replay told again:\n%s", bytes.Join(after[len(before):], []byte("\n")))
	}
	f.send(5)
	f.untilWanted()
	stop()

	// And the checkpoint that was given up is not found again.
	f.send(20)
	_, ms, _ = f.run(WorkerOptions{})
	f.untilWanted()
	if !gauge(ms, `driftd_detector_restores_total{result="checkpoint"} 1`) {
		t.Error("it did not go on from the new checkpoint")
	}
}

func TestWorkerTakesOverRules(t *testing.T) {
	f := newFixture(t)
	f.send(5, "for=20m series=p/v1/free latency=5 n=10")
	w, ms, _ := f.run(WorkerOptions{})
	f.untilWanted()
	w.SetRules(parsed(t, strings.ReplaceAll(fixtureRules, "Slow", "Slower")))
	testkit.Until(t, "new rules", func() bool { return gauge(ms, "driftd_detector_rules_applied_total 1") })
	if err := f.s.p.SetRules(parsed(t, strings.ReplaceAll(fixtureRules, "Slow", "Slower"))); err != nil {
		t.Fatal(err)
	}
	f.send(5)
	if last := f.want[len(f.want)-1]; !strings.Contains(last, "Slower") {
		t.Fatalf("the fixture's last step is %s", last)
	}
	f.untilWanted()
}

// After a crash the steps since the last checkpoint are made again, the same.
func TestWorkerAfterCrash(t *testing.T) {
	broker := testkit.Embedded(t, embedded.Options{})
	var crashed atomic.Bool // no checkpoint gets through any more
	broker.Control(kmsg.Produce, func(req kmsg.Request) (kmsg.Response, error, bool) {
		broker.Keep()
		if crashed.Load() && strings.HasSuffix(req.(*kmsg.ProduceRequest).Topics[0].Topic, "state") {
			return nil, errors.New("connection lost"), true
		}
		return nil, nil, false
	})
	f := fixtureOn(t, broker.Addrs())
	f.send(2, "for=6m series=p/v1/free latency=5 n=10")
	_, ms, stop := f.run(WorkerOptions{CheckpointEvery: time.Nanosecond})
	testkit.Until(t, "a checkpoint", func() bool {
		return gauge(ms, `driftd_detector_lag_records{partition="0"} 0`) && gauge(ms, "driftd_detector_ticks_total 2") &&
			!gauge(ms, `driftd_detector_checkpoints_total{result="ok"} 0`)
	})
	crashed.Store(true)
	f.send(20)
	f.untilWanted()
	stop()
	crashed.Store(false)
	before := len(f.values("alerts"))
	_, ms, _ = f.run(WorkerOptions{})
	testkit.Until(t, "the replay", func() bool { return len(f.values("alerts")) > before })
	f.send(5, "for=5m series=p/v1/free latency=6 n=20")
	f.untilWanted()
	if !gauge(ms, `driftd_detector_restores_total{result="checkpoint"} 1`) {
		t.Error("it did not go on from the checkpoint")
	}
}

// Retention that has passed the position is a counted gap, not the end.
func TestWorkerOverAGap(t *testing.T) {
	broker := testkit.Embedded(t, embedded.Options{})
	f := fixtureOn(t, broker.Addrs())
	f.send(2, "for=2m series=p/v1/free latency=1 n=10")
	_, ms, stop := f.run(WorkerOptions{})
	testkit.Until(t, "the first records", func() bool { return gauge(ms, "driftd_detector_ticks_total 2") })
	stop()
	f.send(3, "for=3m series=p/v1/free latency=1 n=10")
	admin, err := kgo.NewClient(kgo.SeedBrokers(broker.Addrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	partition := kmsg.NewDeleteRecordsRequestTopicPartition()
	partition.Offset = 5
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic, topic.Partitions = f.prefix+"samples", []kmsg.DeleteRecordsRequestTopicPartition{partition}
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Topics = []kmsg.DeleteRecordsRequestTopic{topic}
	if _, err := req.RequestWith(t.Context(), admin); err != nil {
		t.Fatal(err)
	}
	_, ms, _ = f.run(WorkerOptions{})
	testkit.Until(t, "the gap", func() bool { return gauge(ms, "driftd_detector_lost_records_total 3") })
	f.send(8, "for=8m series=p/v1/free latency=5 n=10")
	testkit.Until(t, "alerts behind the gap", func() bool { return len(f.alerts()) >= 2 })
}

// A partition that samples were given under way is nobody's: its state could be written nowhere.
func TestWorkerLeavesAddedPartitionsAlone(t *testing.T) {
	broker := testkit.Embedded(t, embedded.Options{})
	f := fixtureOn(t, broker.Addrs())
	admin, err := kgo.NewClient(kgo.SeedBrokers(broker.Addrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic, topic.Count = f.prefix+"samples", 2
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.Topics = append(req.Topics, topic)
	if _, err := req.RequestWith(t.Context(), admin); err != nil {
		t.Fatal(err)
	}
	var said sink
	f.log = slog.New(slog.NewTextHandler(&said, nil))
	f.send(12, "for=6m series=p/v1/free latency=5 n=10")
	w, ms, _ := f.run(WorkerOptions{Partitions: 1})
	testkit.Until(t, "a word on the partition", func() bool { return strings.Contains(said.String(), "left alone") })
	f.untilWanted()
	if trouble := w.Trouble(); len(trouble) > 0 || !gauge(ms, "driftd_detector_partitions 1") {
		t.Errorf("trouble: %q", trouble)
	}
}

// sink takes what is logged.
type sink struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
