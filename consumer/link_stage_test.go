package consumer_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/windows"
)

// traceOf is the four spans of a call, each to be a record of its own: the prompt stands on the rendering beside the call.
func traceOf(n int, end time.Time) (key string, spans [][]byte, score []byte) {
	trace := []byte(fmt.Sprintf("trace-%010d", n))
	id := func(i byte) []byte { return append([]byte{i + 1}, trace[9:16]...) }
	span := func(i byte, parent []byte, at time.Duration, attrs ...otlpgen.Attribute) []byte {
		t := uint64(end.Add(at).UnixNano())
		return otlpgen.AppendSpans(nil, nil, otlpgen.Span{Trace: trace, ID: id(i), Parent: parent, Start: t - 1e8, End: t, Attributes: attrs})
	}
	spans = [][]byte{
		span(1, id(0), -900*time.Millisecond, otlpgen.Attribute{Key: "prompt.name", Value: fmt.Sprintf("p%d", n%7)}, otlpgen.Attribute{Key: "prompt.version", Value: "v1"}),
		span(2, id(0), -100*time.Millisecond, otlpgen.Attribute{Key: "gen_ai.operation.name", Value: "chat"}, otlpgen.Attribute{Key: "gen_ai.usage.input_tokens", Value: 10}),
		span(3, id(0), -50*time.Millisecond),
		span(0, nil, 0, otlpgen.Attribute{Key: "tier", Value: "gold"}),
	}
	key = hex.EncodeToString(trace)
	score = fmt.Appendf(nil, `{"type":"score","time":%d,"trace_id":%q,"span_id":%q,"rubric":"grounding","value":0.5}`,
		end.Add(3*time.Second).UnixNano(), key, hex.EncodeToString(id(2)))
	return key, spans, score
}

// Spans of a trace come out of order, scores on a topic of their own by the call's id, and ingest is restarted in the middle:
// every call and every score is linked, and counts once.
func TestEveryLinkIsFoundOverARestart(t *testing.T) {
	s := newStage(t)
	const traces = 600
	r := rand.New(rand.NewPCG(3, 3))
	type sent struct {
		at  time.Time
		msg kafkalog.Message
	}
	var log []sent
	now := time.Now()
	put := func(topic, key string, value []byte, at time.Time) {
		if r.IntN(20) == 0 { // five in a hundred come up to 5 s out of order
			at = at.Add(time.Duration(r.IntN(5000)) * time.Millisecond)
		}
		log = append(log, sent{at, kafkalog.Message{
			Topic: topic, Partition: kafkalog.PartitionFor(key, sourcePartitions), Key: []byte(key), Value: value, Time: at,
		}})
	}
	start := now.Add(-10 * time.Minute)
	for n := range traces {
		end := start.Add(time.Duration(n) * 200 * time.Millisecond)
		key, spans, score := traceOf(n, end)
		for _, span := range spans {
			put(s.spans, key, span, end)
		}
		put(s.natives, key, score, end.Add(3*time.Second))
	}
	slices.SortStableFunc(log, func(a, b sent) int { return a.at.Compare(b.at) })
	send := func(part []sent) {
		t.Helper()
		var msgs []kafkalog.Message
		for _, m := range part {
			msgs = append(msgs, m.msg)
		}
		if _, err := s.client.Produce(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
	}
	linking := func(c *consumer.Config) {
		c.Linking = consumer.Linking{Wait: 10 * time.Second, Horizon: 30 * time.Minute, Memory: 64 << 20}
		c.Idle = 4 * time.Second // of silence at the end, by the clock
	}
	stop := s.run(linking)
	for from := 0; from < len(log); from += 300 {
		send(log[from:min(from+300, len(log))])
		if from == 1500 {
			s.samples.until("call that was linked", func() bool { return s.samples.counted[s.spans] > 100 })
			stop()
			stop = s.run(linking)
		}
	}
	s.samples.until("end", func() bool { return s.samples.counted[s.spans]+s.samples.counted[s.natives] >= 2*traces })
	stop()
	calls, scores := 0, 0
	for cell, n := range s.samples.cells {
		parts, err := windows.SplitKey(nil, []byte(cell[1:]))
		if err != nil || parts[1] != "v1" || parts[2] != "gold" {
			t.Errorf("%d samples of cell %q", n, parts)
		}
		if cell[0] == 'c' {
			calls += n
		} else {
			scores += n
		}
	}
	if calls != traces || scores != traces {
		t.Errorf("%d calls and %d scores count, want %d of each", calls, scores, traces)
	}
	t.Logf("linked %d of %d calls, %d of %d scores", calls, traces, scores, traces)
}
