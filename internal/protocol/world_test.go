package protocol

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/rollback"
	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

const (
	sourcePartitions, samplesPartitions = 2, 2

	length = 90 * time.Second // of a stream

	ruleFile = `
groups:
  - name: g
    rules:
      - {alert: Slow, metric: latency, min_samples: 1, threshold: {stat: mean, window: 1m, above: 2s}}
      - {alert: Wrong, metric: error, min_samples: 1, threshold: {stat: rate, window: 2m, above: 40%}}
      - {alert: Quiet, volume: {below: 3, window: 2m}}
`
)

var (
	prompts       = []string{"a", "d"} // one a samples partition
	start         = time.Date(2026, 11, 20, 14, 0, 40, 0, time.UTC)
	set           = parsed(ruleFile)
	windowOptions = windows.Options{Dimensions: []string{"tier"}}
)

func parsed(file string) *rules.Set {
	set, problems := rules.Parse("rules.yaml", []byte(file), rules.Options{Dimensions: windowOptions.Dimensions})
	if err := problems.Err(); err != nil {
		panic(err)
	}
	return set
}

// detectOptions are those of whole workers.
func detectOptions() detector.PartitionOptions {
	return detector.PartitionOptions{Windows: windowOptions, Rules: set, Partitions: samplesPartitions}
}

// event is what a producer writes, and what becomes of it: at which prompt it counts, empty for nothing.
type event struct {
	at        time.Duration // when it is written, by the clock of events
	topic     string
	partition int
	value     string
	counts    string

	time    time.Time // of the event itself
	latency float64
}

// origin is a source partition of one topic among its namesakes.
type origin struct {
	topic     string
	id        [16]byte
	partition int
}

// world is all around driftd: producers, receivers, a registry, people, and what there should be.
type world struct {
	linked bool // sources are linked, and scores stand in a topic of their own
	losing bool // things happen by which events are lost, not where they are linked: what is lost would be missing there
	again  int  // how often the topic was made again

	events  []event
	written int
	states  []snapshot

	receivers []*receiver
	registry  *registryFake
	requests  int // for rollbacks
	asked     int // of those
	sets      []*metrics.Set
}

// snapshot is where the logs ended when something was written to the state topic.
type snapshot struct {
	partition      int
	records        int64 // of the state topic, with it
	samples, steps int64
}

// stream makes the events of some minutes. The same number makes the same ones.
func stream(number int, linked bool) (all []event) {
	r := rand.New(rand.NewPCG(uint64(number), 3))
	id := func(n int) string {
		var b [16]byte
		binary.BigEndian.PutUint64(b[8:], r.Uint64()|1)
		return hex.EncodeToString(b[:])[32-2*n:]
	}
	for p := range sourcePartitions {
		for at := time.Duration(0); at < length; at += time.Duration(2+r.IntN(12)) * time.Second {
			prompt := prompts[r.IntN(len(prompts))]
			eventTime := start.Add(at - time.Duration(r.IntN(4000))*time.Millisecond)
			when := eventTime.Format(time.RFC3339Nano)
			latency, failed := 0.5*float64(1+r.IntN(2)), false
			if bad := start.Add(at).Minute() + int(prompt[0]); bad%2 == 0 {
				latency, failed = 0.5*float64(4+r.IntN(8)), r.IntN(2) == 0
			}
			e := event{at: at, topic: "spans", partition: p, counts: prompt, time: eventTime, latency: latency}
			trace, span, parent := id(16), id(8), id(8)
			figures := fmt.Sprintf(`"latency":%g,"error":%v`, latency, failed)
			names := fmt.Sprintf(`"prompt":%q,"version":"v1","tier":%q`, prompt, []string{"x", "y"}[r.IntN(2)])
			ids := fmt.Sprintf(`"trace_id":%q,"span_id":%q`, trace, span)
			switch n := r.IntN(10); {
			case n == 0:
				e.value, e.counts = `{"type":"span"`, ""
			case n < 4 && linked:
				e.value = fmt.Sprintf(`{"type":"span","time":%q,%s,"parent_span_id":%q,%s}`, when, ids, parent, figures)
				all = append(all, e)
				e.value = fmt.Sprintf(`{"type":"span","kind":"other","time":%q,"trace_id":%q,"span_id":%q,%s}`, when, trace, parent, names)
				e.counts = ""
			case n < 6:
				e.value = fmt.Sprintf(`{"type":"span","time":%q,%s,%s,%s,"scores":{"s":%g}}`, when, ids, names, figures, 0.25*float64(r.IntN(5)))
			default:
				e.value = fmt.Sprintf(`{"type":"span","time":%q,%s,%s,%s}`, when, ids, names, figures)
			}
			all = append(all, e)
			if linked && strings.Contains(e.value, "parent_span_id") || linked && r.IntN(4) == 0 && e.counts != "" {
				all = append(all, event{at: at + 2*time.Second, topic: "scores", partition: p, counts: prompt,
					value: fmt.Sprintf(`{"type":"score","time":%q,%s,"rubric":"s","value":%g}`, when, ids, 0.25*float64(r.IntN(5)))})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b event) int { return int(a.at - b.at) })
	return all
}

var (
	streamsMade sync.Map
)

// streamOf is stream, made once.
func streamOf(number int, linked bool) []event {
	type key struct {
		number int
		linked bool
	}
	if all, ok := streamsMade.Load(key{number, linked}); ok {
		return all.([]event)
	}
	all, _ := streamsMade.LoadOrStore(key{number, linked}, stream(number, linked))
	return all.([]event)
}

func newSimulation(t testing.TB, c *chance, number int, linked, losing bool) *simulation {
	w := &world{linked: linked, losing: losing, events: streamOf(number, linked), registry: newRegistry(), requests: max(number%3-1, 0) * 2}
	s := &simulation{t: t, c: c, w: w, evidence: newEvidence(), kafka: newCluster(), revive: map[*stage]int{}, owners: map[place]*owner{}, did: map[string]int{}}
	sources := []string{"spans"}
	if linked {
		sources = append(sources, "scores")
	}
	for _, topic := range sources {
		s.kafka.create(topic, sourcePartitions)
	}
	for _, topic := range []string{"samples", "alerts", "state", "dead"} {
		s.kafka.create("driftd."+topic, samplesPartitions)
	}
	s.stages = []*stage{
		{name: "ingest", group: "driftd-ingest", topics: sources, run: s.ingest},
		{name: "detect", group: "driftd-detect", topics: []string{"driftd.samples"}, run: s.detect},
	}
	act := func(name string, core func(p *process) alert.Core) {
		s.stages = append(s.stages, &stage{name: name, group: "driftd-act-" + name, topics: []string{"driftd.alerts"}, alone: true,
			run: func(ctx context.Context, p *process) error {
				return alert.NewWorker(alert.WorkerConfig{
					Name: name, Prefix: "driftd.", Core: core(p), Partitions: samplesPartitions, Quiet: 100 * time.Millisecond, Client: p.client, Metrics: p.set, Log: quiet,
				}).Run(ctx)
			}})
	}
	for i, traits := range []alert.Traits{{Updates: true}, {PerAlert: true}} {
		if number%3 != i {
			continue
		}
		r := &receiver{name: fmt.Sprint("to", len(w.receivers)), traits: traits, told: map[string]detector.RecordType{}}
		w.receivers = append(w.receivers, r)
		act(r.name, func(p *process) alert.Core {
			return alert.NewOutbox(alert.OutboxConfig{
				Name: r.name, Receiver: reached{r, p}, Route: &alert.Route{Receiver: r.name}, UntilWorseBy: 0.2, Now: s.now, Metrics: p.set, Log: quiet,
			})
		})
	}
	if w.requests == 0 {
		return s
	}
	act("registry", func(p *process) alert.Core {
		return rollback.New(rollback.Config{Registry: asked{w.registry, p}, Enabled: true, Now: s.now, Metrics: p.set, Log: quiet})
	})
	return s
}

func (s *simulation) ingest(ctx context.Context, p *process) error {
	cfg := consumer.Config{
		Client: p.client, Log: quiet, Metrics: p.set, Now: s.now, Encodings: map[string]consumer.Format{"driftd_json": {New: driftdjson.New}},
		Dimensions: []consumer.Dimension{{Name: "tier"}}, Heartbeat: 2 * pulse, Commit: pulse,
	}
	for _, topic := range s.stages[0].topics {
		cfg.Sources = append(cfg.Sources, consumer.SourceTopic{Topic: topic, Encoding: "driftd_json"})
	}
	if s.w.linked {
		cfg.Linking = consumer.Linking{Wait: 10 * time.Second, Horizon: 30 * time.Minute, Memory: 1 << 20}
	}
	w, err := consumer.New(cfg)
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

func (s *simulation) detect(ctx context.Context, p *process) error {
	return detector.NewWorker(detector.WorkerOptions{
		Prefix: "driftd.", Windows: windowOptions, Partitions: samplesPartitions, CheckpointEvery: 4 * pulse, Now: s.now,
	}, set, p.client, p.set, quiet).Run(ctx)
}

func (s *simulation) origin(topic string, partition int) origin {
	return origin{topic, s.kafka.topics[topic].id, partition}
}

// write lets the producers write what is due, and people ask for rollbacks.
func (w *world) write(s *simulation) {
	now := s.now().Sub(start)
	for w.written < len(w.events) && w.events[w.written].at <= now {
		e := &w.events[w.written]
		w.written++
		if e.counts != "" {
			mark(&s.fate(s.origin(e.topic, e.partition)).counts, s.kafka.log(e.topic, e.partition).next)
		}
		s.put(e.topic, e.partition, []byte(e.value))
	}
	if w.asked < w.requests && now > time.Duration(w.asked+1)*30*time.Second {
		w.asked++
		r := detector.Record{
			ID: fmt.Sprint("request", w.asked), Step: 1, Type: detector.RollbackRequested, Time: s.now().UTC(), Prompt: string(rune('o' + w.asked)),
			Version: "v2", Previous: "v1", Actor: "jane", Reason: "it is rude",
		}
		s.put("driftd.alerts", 0, encode(&r))
	}
}

// put writes one record as others do.
func (s *simulation) put(topic string, partition int, value []byte) {
	c := kafkalog.Over(&direct{&still{}, s}, quiet)
	if _, err := c.Produce(context.Background(), []kafkalog.Message{{Topic: topic, Partition: partition, Value: value, Time: s.now()}}); err != nil {
		panic(err)
	}
}

// direct writes at once.
type direct struct {
	*still
	s *simulation
}

func (d *direct) Write(_ context.Context, parcels []kafkalog.Parcel) {
	for i := range parcels {
		p := &parcels[i]
		p.Base = d.s.kafka.log(p.Topic, p.Partition).append(p.Batch, p.Records, d.s.now().UnixMilli())
	}
}

// done tells whether all that was written has passed through.
func (w *world) done(s *simulation) bool {
	if w.written < len(w.events) || w.asked < w.requests {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.stages {
		for _, at := range s.places(st) {
			what := fmt.Sprint("read ", at.topic, at.partition)
			if !slices.ContainsFunc(s.calls, func(c *call) bool {
				return c.p.stage == st && c.p.notice == 0 && !c.p.frozen && c.what == what && c.offset == s.kafka.log(at.topic, at.partition).next
			}) {
				return false
			}
		}
	}
	return true
}
