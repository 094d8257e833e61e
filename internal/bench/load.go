package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
)

const (
	sourceTopic      = "events"
	prefix           = "driftd."
	sourcePartitions = 4
	laneCount        = 4 // partitions of driftd's own topics
)

// valuesPerCall are the six of an event (latency, two kinds of tokens, cost, error, a score), and that it was no fallback, which
// driftd counts for every call.
const valuesPerCall = 7

var dimensions = []string{"tier", "locale"}

func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// client connects to the broker and makes the topics, with the given number of partitions of driftd's own.
func (b *bench) client(lanes int) (*kafkalog.Client, error) {
	c, err := kafkalog.Dial(kafkalog.Config{Brokers: b.brokers}, quiet())
	if err != nil {
		return nil, err
	}
	return c, c.EnsureTopics(b.ctx, []kafkalog.TopicSpec{
		{Name: sourceTopic, Partitions: sourcePartitions, ReplicationFactor: 1},
		{Name: prefix + "samples", Partitions: lanes, ReplicationFactor: 1},
		{Name: prefix + "alerts", Partitions: lanes, ReplicationFactor: 1},
		{Name: prefix + "state", Partitions: lanes, ReplicationFactor: 1},
		{Name: prefix + "dead", Partitions: 1, ReplicationFactor: 1},
	})
}

// traffic is a stream of calls in the order of their times, spread evenly over an hour and at random over cells.
type traffic struct {
	rng    *rand.Rand
	calls  int
	made   int
	cells  []otlpgen.Call // what all calls of a cell have in common
	first  time.Time
	record []byte
}

// newTraffic makes cells as prompts × tiers × locales.
func newTraffic(calls, cells int) *traffic {
	t := &traffic{rng: rand.New(rand.NewPCG(7, uint64(cells))), calls: calls, first: time.Now().Add(-time.Hour).Truncate(time.Minute)}
	const tiers, locales = 5, 10
	for i := range cells {
		t.cells = append(t.cells, otlpgen.Call{
			Prompt: fmt.Sprintf("intent_classifier_%d", i/tiers/locales), Version: "v22",
			Tier: fmt.Sprintf("tier_%d", i%tiers), Locale: fmt.Sprintf("l%d", i/tiers%locales),
		})
	}
	return t
}

// next is the next call, with a latency, tokens, a cost and a score, and whether it failed: six values.
func (t *traffic) next() otlpgen.Call {
	c := t.cells[t.rng.IntN(len(t.cells))]
	c.End = t.first.Add(time.Duration(t.made) * (time.Hour / time.Duration(t.calls)))
	t.made++
	c.Start = c.End.Add(-time.Duration(math.Exp(t.rng.NormFloat64()/2) * float64(time.Second)).Truncate(time.Microsecond))
	c.InputTokens, c.OutputTokens = 900+t.rng.IntN(400), 120+t.rng.IntN(80)
	c.Cost = float64(1000+t.rng.IntN(9000)) / 1e6
	c.Failed = t.rng.IntN(100) == 0
	c.Scores = []otlpgen.Score{{Rubric: "citation_grounding", Value: float64(t.rng.IntN(11)) / 10}}
	return c
}

// native is a record of driftd_json.
func (t *traffic) native() []byte {
	c := t.next()
	t.record = otlpgen.AppendNative(t.record[:0], &c)
	return t.record
}

// otlp is an export request of so many spans, with 200 bytes of completion text each, as collectors batch them.
func (t *traffic) otlp(spans int) []byte {
	calls := make([]otlpgen.Call, spans)
	for i := range calls {
		calls[i] = t.next()
		calls[i].Scores = nil
		calls[i].Model = "claude-4-7-sonnet-20260301"
		calls[i].Text = strings.Repeat("The answer is four. ", 10)
		for j := range calls[i].Trace {
			calls[i].Trace[j] = byte(t.rng.Uint32())
		}
		copy(calls[i].Span[:], calls[i].Trace[:])
	}
	t.record = otlpgen.AppendCalls(t.record[:0], []otlpgen.Attribute{{Key: "service.name", Value: "support"}}, calls...)
	return t.record
}

// fill writes n records, spread over the partitions of a topic, and returns their size.
func fill(ctx context.Context, c *kafkalog.Client, topic string, partitions, n int, record func() []byte) (size int, err error) {
	const batch = 800 << 10 // of one partition
	var msgs []kafkalog.Message
	pending := 0
	flush := func() error {
		if len(msgs) == 0 {
			return nil
		}
		_, err := c.Produce(ctx, msgs)
		msgs, pending = msgs[:0], 0
		return err
	}
	for i := range n {
		value := append([]byte(nil), record()...)
		size += len(value)
		if pending += len(value) + 32; pending > batch*partitions*9/10 {
			if err := flush(); err != nil {
				return size, fmt.Errorf("fill %s: %w", topic, err)
			}
		}
		msgs = append(msgs, kafkalog.Message{Topic: topic, Partition: i % partitions, Value: value})
	}
	if err := flush(); err != nil {
		return size, fmt.Errorf("fill %s: %w", topic, err)
	}
	return size, nil
}
