package consumer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/internal/testkit"
	"github.com/driftd/driftd/windows"
)

const patience = testkit.Patience

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
	worker         *consumer.Worker // that runs, or ran last
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
	s.samples = &reader{t: t, client: client, topic: s.prefix + "samples", partitions: samplesPartitions, cursors: map[string]windows.Position{}, counted: map[string]int{}, cells: map[string]int{}}
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
		Encodings:  map[string]consumer.Format{"otlp_proto": {New: otlp.New}, "driftd_json": {New: driftdjson.New}},
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
	s.worker = w
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
	cells      map[string]int // by c for calls, s for scores, and the cell's key
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
		kind := "s"
		if b.Shapes[b.Shape[i]].Mask&windows.MaskCall != 0 {
			kind = "c"
		}
		r.cells[kind+string(b.Cells[b.Cell[i]])]++
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
