package main

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
)

const (
	wholeTopic = "whole"
	scoreTopic = "scores"
	spanRate   = 1000 // a second
)

// linkage is traces of four spans at spanRate: root, a rendering that names the prompt, the call, and a parser of its output. A
// score of each call comes some seconds later, on a topic of its own, by its span's id.
type linkage struct {
	rng    *rand.Rand
	first  time.Time
	spans  string // topic
	whole  bool   // four calls that name their prompt themselves, in place of the four spans
	record []byte
}

const traceSpans = 4

// trace is the record of the nth trace, as the Collector writes it with partition_traces_by_id.
func (l *linkage) trace(n int) (key string, value []byte, end time.Time) {
	end = l.first.Add(time.Duration(n) * traceSpans * time.Second / spanRate)
	at := uint64(end.UnixNano())
	var trace [16]byte
	for i := range 4 {
		v := l.rng.Uint32()
		for j := range 4 {
			trace[4*i+j] = byte(v >> (8 * j))
		}
	}
	trace[0] |= 1
	id := func(i byte) []byte { return append([]byte{i + 1}, trace[1:8]...) }
	span := func(i byte, parent []byte, name string, attrs ...otlpgen.Attribute) otlpgen.Span {
		return otlpgen.Span{Trace: trace[:], ID: id(i), Parent: parent, Name: name, Start: at - 1e9, End: at - uint64(i)*1e6, Attributes: attrs}
	}
	prompt := []otlpgen.Attribute{
		{Key: "prompt.name", Value: fmt.Sprintf("intent_%d", n%20)}, {Key: "prompt.version", Value: "v22"}, {Key: "prompt.sha", Value: "b1d7e4"},
		{Key: "tier", Value: "enterprise"}, {Key: "locale", Value: "de"},
	}
	call := []otlpgen.Attribute{
		{Key: "gen_ai.operation.name", Value: "chat"}, {Key: "gen_ai.response.model", Value: "claude-4-7-sonnet-20260301"},
		{Key: "gen_ai.usage.input_tokens", Value: 900}, {Key: "gen_ai.usage.output_tokens", Value: 120}, {Key: "gen_ai.usage.cost", Value: 0.004},
		{Key: "gen_ai.output.messages", Value: strings.Repeat("The answer is four. ", 10)},
	}
	spans := []otlpgen.Span{
		span(1, id(0), "render", prompt...), span(2, id(0), "llm.call", call...), span(3, id(0), "output.parse"),
		span(0, nil, "root", otlpgen.Attribute{Key: "http.route", Value: "/answer"}),
	}
	if l.whole {
		spans = spans[:0]
		for i := range byte(traceSpans) {
			spans = append(spans, span(i, nil, "llm.call", append(prompt[:len(prompt):len(prompt)], call...)...))
		}
	}
	l.record = otlpgen.AppendSpans(l.record[:0], []otlpgen.Attribute{{Key: "service.name", Value: "support"}}, spans...)
	return hex.EncodeToString(trace[:]), l.record, end
}

// score is the record of a trace's score.
func (l *linkage) score(key string, at time.Time) []byte {
	span := append([]byte{3}, make([]byte, 7)...)
	trace, _ := hex.DecodeString(key)
	copy(span[1:], trace[1:8])
	return fmt.Appendf(nil, `{"type":"score","time":%d,"trace_id":%q,"span_id":%q,"rubric":"citation_grounding","value":0.9}`,
		at.UnixNano(), key, hex.EncodeToString(span))
}

// fill writes n traces and their scores, the times of the log being those of the events.
func (l *linkage) fill(b *bench, c *kafkalog.Client, n int, scores bool) error {
	var msgs []kafkalog.Message
	size := 0
	flush := func() error {
		_, err := c.Produce(b.ctx, msgs)
		msgs, size = msgs[:0], 0
		return err
	}
	put := func(topic, key string, value []byte, at time.Time) error {
		if size += len(value) + 64; size > 700<<10 {
			if err := flush(); err != nil {
				return err
			}
		}
		msgs = append(msgs, kafkalog.Message{
			Topic: topic, Partition: kafkalog.PartitionFor(key, sourcePartitions), Key: []byte(key), Value: append([]byte(nil), value...), Time: at,
		})
		return nil
	}
	for i := range n {
		key, value, end := l.trace(i)
		if err := put(l.spans, key, value, end); err != nil {
			return err
		}
		if scores {
			at := end.Add(5 * time.Second)
			if err := put(scoreTopic, key, l.score(key, at), at); err != nil {
				return err
			}
		}
	}
	// What comes last lets all before it go. One record alone moves no time.
	for p := range sourcePartitions {
		last := l.first.Add(time.Duration(n)*traceSpans*time.Second/spanRate + time.Minute)
		for _, topic := range []string{l.spans, scoreTopic} {
			if l.whole && topic == scoreTopic { // it is still to be written
				continue
			}
			value := otlpgen.AppendSpans(nil, nil, otlpgen.Span{Trace: make([]byte, 16), ID: make([]byte, 8), End: uint64(last.UnixNano())})
			if topic == scoreTopic {
				value = fmt.Appendf(nil, `{"type":"score","prompt":"end","version":"v1","rubric":"end","value":1,"time":%d}`, last.UnixNano())
			}
			end := kafkalog.Message{Topic: topic, Partition: p, Key: []byte("end"), Value: value, Time: last}
			msgs = append(msgs, end, end)
		}
	}
	return flush()
}

// linkStage reads both source topics until so many calls and scores are samples.
func linkStage(c *kafkalog.Client, spans string, calls, scores int) (stage, *metrics.Set, error) {
	set := metrics.NewSet()
	var dims []consumer.Dimension
	for _, d := range dimensions {
		dims = append(dims, consumer.Dimension{Name: d})
	}
	w, err := consumer.New(consumer.Config{
		Client: c, Log: quiet(), Metrics: set, Now: time.Now, TopicPrefix: prefix, Dimensions: dims,
		Sources:   []consumer.SourceTopic{{Topic: spans, Encoding: "otlp_proto"}, {Topic: scoreTopic, Encoding: "driftd_json"}},
		Encodings: map[string]consumer.Format{"otlp_proto": {New: otlp.New}, "driftd_json": {New: driftdjson.New}},
		Linking:   usualLinking,
	})
	if err != nil {
		return stage{}, nil, err
	}
	count := func(topic, result string) int {
		return int(set.GetOrCreateCounter(fmt.Sprintf(`driftd_consumer_events_total{topic=%q,result=%q}`, topic, result)).Get())
	}
	return stage{w.Run, func() bool { return count(spans, "sample") >= calls && count(scoreTopic, "score") >= scores }}, set, nil
}

// usualLinking is the config's default.
var usualLinking = consumer.Linking{Wait: 10 * time.Second, Horizon: 30 * time.Minute, Memory: 256 << 20}

// link measures ingest of traces whose prompt stands on another span than the call, with scores by span id on a second topic;
// then the memory of what is remembered, and how long it takes to remember it again.
func (b *bench) link() error {
	traces := b.size(30 * 60 * spanRate / traceSpans)
	n := traces * traceSpans
	c, err := b.client(laneCount)
	if err != nil {
		return err
	}
	defer c.Close()
	var specs []kafkalog.TopicSpec
	for _, name := range []string{wholeTopic, scoreTopic} {
		specs = append(specs, kafkalog.TopicSpec{Name: name, Partitions: sourcePartitions, ReplicationFactor: 1})
	}
	if err := c.EnsureTopics(b.ctx, specs); err != nil {
		return err
	}
	began := time.Now().Add(-time.Hour)
	l := &linkage{rng: rand.New(rand.NewPCG(1, 1)), first: began, spans: wholeTopic, whole: true}
	if err := l.fill(b, c, traces, false); err != nil {
		return err
	}
	s, _, err := linkStage(c, wholeTopic, n, 0)
	if err != nil {
		return err
	}
	whole, _, err := b.finish("link-whole", nil, s)
	if err != nil {
		return err
	}

	l = &linkage{rng: rand.New(rand.NewPCG(2, 2)), first: began, spans: sourceTopic}
	if err := l.fill(b, c, traces, true); err != nil {
		return err
	}
	s, set, err := linkStage(c, sourceTopic, traces, traces+2*sourcePartitions)
	if err != nil {
		return err
	}
	var spans, bytes float64
	work, _, err := b.finish("link", func() {
		for p := range sourcePartitions {
			spans += set.GetOrCreateGauge(fmt.Sprintf(`driftd_consumer_link_spans{partition="%d"}`, p), nil).Get()
			bytes += set.GetOrCreateGauge(fmt.Sprintf(`driftd_consumer_link_bytes{partition="%d"}`, p), nil).Get()
		}
	}, s)
	if err != nil {
		return err
	}
	b.report(figure{What: "ingest, 4 whole spans a record", Value: whole.millions(n), Unit: "M spans/s/core", PerEvent: whole.per("span", n)})
	b.report(figure{
		What: "ingest with linking: traces of 4 spans, scores", Value: work.millions(n), Unit: "M spans/s/core", PerEvent: work.per("span", n),
		Note: fmt.Sprintf("%d traces, prompt on the rendering; %d scores by span id on a second topic", traces, traces),
	})
	b.report(figure{What: "  linking over whole spans", Value: whole.cpu.Seconds() / work.cpu.Seconds(), Unit: "×", Target: 0.5})
	b.report(figure{What: "  memory of a remembered span", Value: bytes / spans, Unit: "B/span", Target: 24, AtMost: true,
		Note: fmt.Sprintf("%.0f of them, %.1f MB", spans, bytes/1e6)})

	// Another process takes the partitions over. It has read one more trace when it remembers again.
	l.first = began.Add(time.Duration(traces)*traceSpans*time.Second/spanRate + time.Minute)
	if err := l.fill(b, c, sourcePartitions*8, false); err != nil {
		return err
	}
	s, _, err = linkStage(c, sourceTopic, sourcePartitions*8, 0)
	if err != nil {
		return err
	}
	again, _, err := b.finish("link-rebuild", nil, s)
	if err != nil {
		return err
	}
	b.report(figure{What: "  rebuild of 30 min at 1000 spans/s", Value: again.wall.Seconds(), Unit: "s", Target: 3, AtMost: true,
		PerEvent: again.per("span", n), Note: fmt.Sprintf("%.1f CPU-s; by the clock, joining the group included", again.cpu.Seconds())})
	return nil
}
