package consumer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/internal/testkit"
	"github.com/driftd/driftd/windows"
)

const patience = 30 * time.Second // a test that waits longer has failed

// stage is the ingest stage on a broker of its own.
type stage struct {
	t              *testing.T
	addrs          []string
	client         *kafkalog.Client
	prefix         string
	spans, natives string // topics
	group          string
	set            *metrics.Set
	samples        *reader
}

const samplesPartitions, sourcePartitions = 3, 2

func newStage(t *testing.T) *stage {
	s := dialStage(t, testkit.Broker(t))
	s.makeTopics()
	return s
}

// dialStage is a stage without topics, on a broker that need not be there yet.
func dialStage(t *testing.T, addrs []string) *stage {
	client, err := kafkalog.Dial(kafkalog.Config{Brokers: addrs, ClientID: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	name := testkit.Name(t)
	s := &stage{t: t, addrs: addrs, client: client, prefix: name + ".", spans: name + "-spans", natives: name + "-natives", group: name, set: metrics.NewSet()}
	s.samples = &reader{t: t, client: client, topic: s.prefix + "samples", partitions: samplesPartitions, cursors: map[string]windows.Position{}, counted: map[string]int{}}
	return s
}

func (s *stage) makeTopics() {
	s.t.Helper()
	s.ensure(kafkalog.TopicSpec{Name: s.prefix + "samples", Partitions: samplesPartitions}, kafkalog.TopicSpec{Name: s.prefix + "dead", Partitions: 1},
		kafkalog.TopicSpec{Name: s.spans, Partitions: sourcePartitions}, kafkalog.TopicSpec{Name: s.natives, Partitions: sourcePartitions})
}

func (s *stage) ensure(specs ...kafkalog.TopicSpec) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := s.client.EnsureTopics(ctx, specs); err != nil {
		s.t.Fatal(err)
	}
}

// run starts a worker; the returned function stops it.
func (s *stage) run(change func(*consumer.Config)) (stop func()) {
	s.t.Helper()
	cfg := consumer.Config{
		Client: s.client, Log: slog.New(slog.NewTextHandler(testWriter{s.t}, &slog.HandlerOptions{Level: slog.LevelInfo})), Metrics: s.set, Now: time.Now,
		Sources:    []consumer.SourceTopic{{Topic: s.spans, Encoding: "otlp_proto"}, {Topic: s.natives, Encoding: "driftd_json"}},
		Encodings:  map[string]consumer.NewDecoder{"otlp_proto": otlp.New, "driftd_json": driftdjson.New},
		Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale"}}, Scales: testScales, TopicPrefix: s.prefix, Group: s.group,
		Heartbeat: 200 * time.Millisecond, Commit: 50 * time.Millisecond, GroupHeartbeat: 200 * time.Millisecond, Flush: 20 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	w, err := consumer.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					s.t.Error(err)
				}
			case <-time.After(patience):
				s.t.Error("the worker does not stop")
			}
		})
	}
	s.t.Cleanup(stop)
	return stop
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Log(strings.TrimSpace(string(b)))
	}
	return len(b), nil
}

func (s *stage) produce(topic string, partition int, values ...[]byte) {
	s.t.Helper()
	var msgs []kafkalog.Message
	for _, v := range values {
		msgs = append(msgs, kafkalog.Message{Topic: topic, Partition: partition, Value: v})
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for b := (kafkalog.Backoff{}); b.Wait(ctx); {
		_, err := s.client.Produce(ctx, msgs)
		if err == nil {
			return
		}
		if !errors.Is(err, io.EOF) { // else the connection was of a broker that is gone
			s.t.Fatal(err)
		}
	}
	s.t.Fatal("the broker does not take records")
}

// reader reads the samples topic as detect does: it skips what lies below a source's cursor.
type reader struct {
	t          *testing.T
	client     *kafkalog.Client
	topic      string
	partitions int
	fetchers   []*kafkalog.Fetcher
	next       []int64
	cursors    map[string]windows.Position
	counted    map[string]int // samples by source topic
	watermark  int64
	each       func(*windows.Batch) // is shown every batch
	announced  map[windows.Source]bool
	batch      windows.Batch
}

// until reads until done says so.
func (r *reader) until(what string, done func() bool) {
	r.t.Helper()
	if r.fetchers == nil {
		r.announced = map[windows.Source]bool{}
		r.next = make([]int64, r.partitions)
		for p := range r.partitions {
			r.fetchers = append(r.fetchers, r.client.NewFetcher(r.topic, p))
		}
	}
	for end := time.Now().Add(patience); !done(); {
		if time.Now().After(end) {
			r.t.Fatalf("no %s in %v: counted %v", what, patience, r.counted)
		}
		for p, f := range r.fetchers {
			got, err := f.Fetch(r.t.Context(), r.next[p], 10*time.Millisecond)
			if err != nil {
				continue // until time is up
			}
			for got.Next() {
				r.fold(p, got.Record().Value)
			}
			r.next[p] = got.NextOffset()
		}
	}
}

func (r *reader) fold(partition int, value []byte) {
	r.t.Helper()
	b := &r.batch
	if err := b.Decode(value); err != nil {
		r.t.Fatal(err)
	}
	if r.each != nil {
		r.each(b)
	}
	key := fmt.Sprintf("%d %v", partition, b.Source)
	for i, pos := range b.Pos {
		if pos.Less(r.cursors[key]) {
			continue
		}
		r.cursors[key] = pos.After()
		r.counted[b.Source.Topic]++
		cell, err := windows.SplitKey(nil, b.Cells[b.Cell[i]])
		if err != nil || len(cell) != 4 {
			r.t.Errorf("cell %q: %v", cell, err)
		} else if want := kafkalog.PartitionFor(cell[0], r.partitions); want != partition {
			r.t.Errorf("prompt %q in samples partition %d, want %d", cell[0], partition, want)
		}
	}
	r.watermark = max(r.watermark, b.Watermark)
	for _, a := range b.Announced {
		r.announced[a] = true
	}
}

func liveCall(i int) otlpgen.Call {
	c := benchCall(i)
	c.End = time.Now().Add(-time.Duration(i) * time.Millisecond)
	c.Start = c.End.Add(-time.Second)
	return c
}

func (s *stage) fill(from, n int) {
	for p := range sourcePartitions {
		var requests, natives [][]byte
		for i := from; i < from+n; i++ {
			a, b := liveCall(i), liveCall(i+7)
			requests = append(requests, otlpgen.AppendCalls(nil, nil, a, b))
			natives = append(natives, otlpgen.AppendNative(nil, &a))
		}
		s.produce(s.spans, p, requests...)
		s.produce(s.natives, p, natives...)
	}
}

func (s *stage) text() string {
	var b bytes.Buffer
	s.set.WritePrometheus(&b)
	return b.String()
}

func TestWorkerCountsEachEventOnceOverRestarts(t *testing.T) {
	s := newStage(t)
	s.fill(0, 300)
	const each = 300 * sourcePartitions
	counted := func(n int) func() bool {
		return func() bool { return s.samples.counted[s.spans] >= 2*n && s.samples.counted[s.natives] >= n }
	}
	stop := s.run(nil)
	s.samples.until("first samples", counted(each))
	stop()
	s.fill(300, 300)
	stop = s.run(nil)
	s.fill(600, 300) // while it reads
	s.samples.until("later samples", counted(3*each))
	s.samples.until("announcement of every source partition", func() bool { return len(s.samples.announced) == 2*sourcePartitions })
	s.samples.until("watermark", func() bool { return s.samples.watermark > time.Now().Add(-time.Minute).UnixNano() })
	stop()
	if got := s.samples.counted; got[s.spans] != 6*each || got[s.natives] != 3*each {
		t.Errorf("counted %v, want %d and %d", got, 6*each, 3*each)
	}
	for _, want := range []string{
		fmt.Sprintf(`driftd_consumer_events_total{topic=%q,result="sample"} %d`, s.spans, 6*each),
		fmt.Sprintf(`driftd_consumer_records_total{topic=%q} %d`, s.natives, 3*each),
		fmt.Sprintf(`driftd_consumer_dead_total{reason="malformed",topic=%q} 0`, s.natives),
	} {
		if !strings.Contains(s.text(), want) {
			t.Errorf("metrics without %s:\n%s", want, s.text())
		}
	}
	if strings.Contains(s.text(), "driftd_consumer_lag_records") {
		t.Error("a worker that has ended still shows the lag of its partitions")
	}
}

func TestWorkerBuriesBadRecords(t *testing.T) {
	s := newStage(t)
	good := liveCall(1)
	s.produce(s.natives, 0, otlpgen.AppendNative(nil, &good), []byte("{"), nil, []byte(`{"type":"score","time":"2026-11-20T14:00:00Z","rubric":"a","value":1}`), otlpgen.AppendNative(nil, &good))
	s.produce(s.spans, 1, otlpgen.AppendNative(nil, &good)) // the wrong encoding
	s.run(nil)
	s.samples.until("samples", func() bool { return s.samples.counted[s.natives] >= 2 })
	dead := map[string]string{}
	f := s.client.NewFetcher(s.prefix+"dead", 0)
	for end, next := time.Now().Add(patience), int64(0); len(dead) < 3 && time.Now().Before(end); {
		got, err := f.Fetch(t.Context(), next, 100*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		for got.Next() {
			h := map[string]string{}
			for _, x := range got.Record().Headers {
				h[x.Key] = string(x.Value)
			}
			dead[h["driftd-reason"]+" "+h["driftd-topic"]+" "+h["driftd-offset"]] = string(got.Record().Value)
		}
		next = got.NextOffset()
	}
	if dead["malformed "+s.natives+" 1"] != "{" || !strings.Contains(dead["unlinked "+s.natives+" 3"], `"rubric":"a"`) || dead["encoding "+s.spans+" 0"] == "" {
		t.Errorf("dead letters %v", dead)
	}
}

func TestWorkerReadsATopicThatWasMadeAgain(t *testing.T) {
	s := newStage(t)
	call := liveCall(1)
	one := otlpgen.AppendNative(nil, &call)
	s.produce(s.natives, 0, one, one, one)
	stop := s.run(nil)
	s.samples.until("samples", func() bool { return s.samples.counted[s.natives] == 3 })
	stop()
	s.remake(s.natives)
	s.produce(s.natives, 0, one, one)
	s.run(nil)
	s.samples.until("samples of the new topic", func() bool { return s.samples.counted[s.natives] == 5 })
}

func TestWorkerBeginsWhereItIsTold(t *testing.T) {
	s := newStage(t)
	call := liveCall(1)
	one, scored := otlpgen.AppendNative(nil, &call), otlpgen.AppendCalls(nil, nil, call)
	s.produce(s.natives, 0, one, one, one)
	s.produce(s.spans, 0, scored)
	future := time.Now().Add(time.Hour)
	s.run(func(c *consumer.Config) {
		c.Sources[0].Start = consumer.Start{At: future}
		c.Sources[1].Start = consumer.Start{Latest: true}
	})
	begun := map[windows.Source]bool{}
	s.samples.each = func(b *windows.Batch) { begun[b.Source] = true }
	s.samples.until("first heartbeats", func() bool { return len(begun) == 2*sourcePartitions })
	s.produce(s.natives, 0, one, one)
	s.produce(s.spans, 0, scored, scored, scored)
	s.samples.until("samples", func() bool { return s.samples.counted[s.natives] >= 2 && s.samples.counted[s.spans] >= 3 })
	if got := s.samples.counted; got[s.natives] != 2 || got[s.spans] != 3 {
		t.Errorf("counted %v of what came after the start", got)
	}
}

func TestWorkerOutlivesTheBroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	o := embedded.Options{Ports: []int{port}, DataDir: t.TempDir()}
	s := dialStage(t, []string{fmt.Sprintf("127.0.0.1:%d", port)})
	var logs syncBuffer
	stop := s.run(func(c *consumer.Config) { c.Log = slog.New(slog.NewTextHandler(&logs, nil)) })
	logs.until(t, "cannot look up topics")

	broker := testkit.Embedded(t, o)
	s.makeTopics()
	s.fill(0, 50)
	const each = 50 * sourcePartitions
	counted := func(n int) func() bool {
		return func() bool { return s.samples.counted[s.spans] >= 2*n && s.samples.counted[s.natives] >= n }
	}
	s.samples.until("samples after a start without broker", counted(each))
	broker.Close()
	logs.until(t, "cannot read source partition")
	testkit.Embedded(t, o)
	s.fill(50, 50)
	s.samples.until("samples after an outage", counted(2*each))
	stop()
	if got := s.samples.counted; got[s.spans] != 4*each || got[s.natives] != 2*each {
		t.Errorf("counted %v, want %d and %d", got, 4*each, 2*each)
	}
}

// syncBuffer is a log that can be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

// until waits for a line.
func (s *syncBuffer) until(t *testing.T, what string) {
	t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(patience); ; <-poll.C {
		s.mu.Lock()
		text := s.b.String()
		s.mu.Unlock()
		if strings.Contains(text, what) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no %q in the log:\n%s", what, text)
		}
	}
}

// remake deletes a topic and makes it again.
func (s *stage) remake(topic string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	admin, err := kgo.NewClient(kgo.SeedBrokers(s.addrs...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer admin.Close()
	req := kmsg.NewPtrDeleteTopicsRequest()
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = &topic
	req.Topics, req.TopicNames, req.TimeoutMillis = append(req.Topics, t), []string{topic}, 10000
	res, err := req.RequestWith(ctx, admin)
	if err != nil || res.Topics[0].ErrorCode != 0 {
		s.t.Fatalf("delete topic %s: %v %+v", topic, err, res)
	}
	for {
		topics, err := s.client.Topics(ctx, topic)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(topics) == 0 {
			break
		}
	}
	s.ensure(kafkalog.TopicSpec{Name: topic, Partitions: sourcePartitions})
}
