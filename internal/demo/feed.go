package demo

import (
	"context"
	"encoding/hex"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
)

// The source topics.
const (
	spansTopic  = "llm.spans"
	scoresTopic = "llm.scores"

	sourcePartitions = 2 // of each, so that scores stand beside the spans that they are about
)

// resource is what a client's exporter says of its process.
var resource = []otlpgen.Attribute{{Key: "service.name", Value: "assistant"}, {Key: "telemetry.sdk.language", Value: "go"}}

// feed writes events to the source topics as clients and judges do: each client's spans of a step as one export request a
// partition, each late score as a native event of its own, which names the span that it is about and nothing else.
type feed struct {
	client  *kafkalog.Client
	traffic *traffic
	begin   time.Time
	done    int64            // seconds that are written
	calls   [][]otlpgen.Call // of the step at hand, by client and partition
	msgs    []kafkalog.Message

	sent sent
}

// sent counts what was written. It may be read by any goroutine.
type sent struct{ spans, scores atomic.Int64 }

func (s *sent) events() int64 { return s.spans.Load() + s.scores.Load() }

func newFeed(client *kafkalog.Client, t *traffic, begin time.Time) *feed {
	return &feed{client: client, traffic: t, begin: begin, calls: make([][]otlpgen.Call, len(prompts)*clients*sourcePartitions)}
}

// write writes what happens until the event time to, which is whole seconds after the beginning, and returns when all of it is
// in the log. An error leaves open how much is: the demo is over.
func (f *feed) write(ctx context.Context, to time.Time) error {
	for i := range f.calls {
		f.calls[i] = f.calls[i][:0]
	}
	f.msgs = f.msgs[:0]
	var spans, scores int64
	for end := int64(to.Sub(f.begin) / time.Second); f.done < end; f.done++ {
		s := f.traffic.next(f.done)
		for i, calls := range s.calls {
			for j := range calls {
				_, at := home(&calls[j])
				f.calls[i*sourcePartitions+at] = append(f.calls[i*sourcePartitions+at], calls[j])
			}
		}
		for i := range s.scores {
			sc := &s.scores[i]
			key, at := home(&sc.call)
			about := otlpgen.Call{Trace: sc.call.Trace, Span: sc.call.Span}
			f.msgs = append(f.msgs, kafkalog.Message{
				Topic: scoresTopic, Partition: at, Key: []byte(key), Value: otlpgen.AppendNativeScore(nil, &about, sc.Score, sc.at),
			})
			scores++
		}
	}
	for i, calls := range f.calls {
		if len(calls) == 0 {
			continue
		}
		spans += int64(len(calls))
		f.msgs = append(f.msgs, kafkalog.Message{
			Topic: spansTopic, Partition: i % sourcePartitions, Value: otlpgen.AppendCalls(nil, resource, calls...),
		})
	}
	if _, err := f.client.Produce(ctx, f.msgs); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	f.sent.spans.Add(spans)
	f.sent.scores.Add(scores)
	return nil
}

// home is a call's trace as a key, and the partition where all of the trace stands.
func home(c *otlpgen.Call) (key string, partition int) {
	key = hex.EncodeToString(c.Trace[:])
	return key, kafkalog.PartitionFor(key, sourcePartitions)
}
