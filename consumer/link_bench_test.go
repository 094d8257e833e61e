package consumer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/windows"
)

// BenchmarkLink links traces of four spans, one record each, whose prompt stands on the rendering beside the call, at 1,000 spans
// a second of event time.
func BenchmarkLink(b *testing.B) {
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale"}}})
	if err != nil {
		b.Fatal(err)
	}
	linker := consumer.NewLinker(usualLinking, "spans", "scores")
	linkCore(b, "scores", linker, consumer.CoreConfig{}).Tend(testClock, true)
	core := consumer.NewCore(consumer.CoreConfig{
		Source: windows.Source{Topic: "spans"}, Decoder: otlp.New(attrs), Dimensions: attrs.Dimensions(), Partitions: 16,
		Partition: func(p string) int { return len(p) % 16 }, Linker: linker,
	})
	span := func(i byte, parent []byte, list ...otlpgen.Attribute) otlpgen.Span {
		return otlpgen.Span{Trace: make([]byte, 16), ID: []byte{i, 9, 9, 9, 9, 9, 9, 9}, Parent: parent, Start: 1, Attributes: list}
	}
	root := []byte{1, 9, 9, 9, 9, 9, 9, 9}
	record := func(n int, at time.Time) []byte {
		spans := []otlpgen.Span{
			span(2, root, otlpgen.Attribute{Key: "prompt.name", Value: fmt.Sprintf("intent_%d", n%20)}, otlpgen.Attribute{Key: "prompt.version", Value: "v22"},
				otlpgen.Attribute{Key: "tier", Value: "enterprise"}, otlpgen.Attribute{Key: "locale", Value: "de"}),
			span(3, root, otlpgen.Attribute{Key: "gen_ai.operation.name", Value: "chat"}, otlpgen.Attribute{Key: "gen_ai.response.model", Value: "claude-4-7-sonnet-20260301"},
				otlpgen.Attribute{Key: "gen_ai.usage.input_tokens", Value: 900}, otlpgen.Attribute{Key: "gen_ai.output.messages", Value: strings.Repeat("The answer is four. ", 10)}),
			span(4, root), span(1, nil, otlpgen.Attribute{Key: "http.route", Value: "/answer"}),
		}
		for i := range spans {
			copy(spans[i].Trace, fmt.Sprintf("trace-%010d", n))
			spans[i].Start, spans[i].End = uint64(at.UnixNano()-1e9), uint64(at.UnixNano())
		}
		return otlpgen.AppendSpans(nil, nil, spans...)
	}
	const ready = 4000 // records made beforehand, at a time
	var records [][]byte
	now := testClock
	n, linked := 0, uint64(0)
	step := func() {
		if n%ready == 0 {
			b.StopTimer()
			records = records[:0]
			for i := range ready {
				records = append(records, record(n+i, benchStart.Add(time.Duration(n+i)*4*time.Millisecond)))
			}
			now = benchStart.Add(time.Duration(n+ready) * 4 * time.Millisecond).UnixNano()
			b.StartTimer()
		}
		core.Add(int64(n), records[n%ready], now)
		n++
		if n%1000 == 0 {
			core.Tend(now, false)
		}
		if core.Full() {
			calls, _, _ := core.Counted()
			linked += calls["linked"]
			core.Drop(now)
		}
	}
	for range 30_000 {
		step()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		step()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(4*b.N), "ns/span")
	if n > 40_000 && linked == 0 {
		b.Error("nothing was linked")
	}
}
