package consumer_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/windows"
)

var benchStart = time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)

// benchCall is one of a few hundred distinct cells, as traffic of some prompts, tiers and locales makes them.
func benchCall(i int) otlpgen.Call {
	c := otlpgen.Call{
		Prompt: fmt.Sprintf("support_intent_classifier_%d", i%5), Version: fmt.Sprintf("v%d", 20+i%3),
		Tier: []string{"free", "pro", "team", "enterprise"}[i%4], Locale: []string{"en", "de", "fr", "es", "ja"}[i%5],
		Model: "claude-4-7-sonnet-20260301", Start: benchStart.Add(time.Duration(i) * time.Millisecond),
		InputTokens: 900 + i%400, OutputTokens: 120 + i%80, Text: strings.Repeat("The answer is four. ", 10),
	}
	c.End = c.Start.Add(time.Duration(800+i%900) * time.Millisecond)
	c.Trace[0], c.Trace[15], c.Span[0], c.Span[7] = 1, byte(i), 2, byte(i)
	return c
}

func benchCore(b *testing.B, encoding consumer.NewDecoder) *consumer.Core {
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale"}}})
	if err != nil {
		b.Fatal(err)
	}
	return consumer.NewCore(consumer.CoreConfig{
		Source: windows.Source{Topic: "spans"}, Decoder: encoding(attrs), Dimensions: attrs.Dimensions(), Partitions: 16,
		Partition: func(p string) int { return len(p) % 16 },
	})
}

func benchDecode(b *testing.B, encoding consumer.NewDecoder, records [][]byte, events int) {
	core := benchCore(b, encoding)
	now := benchStart.Add(time.Hour).UnixNano()
	offset := int64(0)
	step := func() {
		core.Add(offset, records[offset%int64(len(records))], now)
		offset++
		if core.Full() {
			core.Drop(now)
		}
	}
	for range 20000 / events {
		step()
	}
	size := 0
	for _, r := range records {
		size += len(r)
	}
	b.SetBytes(int64(size / len(records)))
	b.ReportAllocs()
	b.ResetTimer()
	began := cpuTime(b)
	for b.Loop() {
		step()
	}
	b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N*events), "cpu-ns/event") // what others do meanwhile does not count
}

// cpuTime is what this process has taken, in all its threads.
func cpuTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkOTLPDecode takes requests of fifty spans with eight attributes and 200 bytes of text each into batches.
func BenchmarkOTLPDecode(b *testing.B) {
	records := make([][]byte, 20)
	for i := range records {
		calls := make([]otlpgen.Call, 50)
		for j := range calls {
			calls[j] = benchCall(i*50 + j)
		}
		records[i] = otlpgen.AppendCalls(nil, []otlpgen.Attribute{{Key: "service.name", Value: "support"}}, calls...)
	}
	benchDecode(b, otlp.New, records, 50)
}

// BenchmarkOTLPJSONDecode takes requests in JSON of fifty spans with nineteen attributes, as an instrumented client writes them: about
// 1.2 kB of messages and 2.8 kB of JSON each.
func BenchmarkOTLPJSONDecode(b *testing.B) {
	type attrs = []otlpgen.Attribute
	question, answer := strings.Repeat("I would like to have my money back, please. ", 16), strings.Repeat("The answer is four. ", 20)
	records := make([][]byte, 20)
	for i := range records {
		spans := make([]otlpgen.Span, 50)
		for j := range spans {
			c := benchCall(i*50 + j)
			c.Text = ""
			spans[j] = c.OTLP()
			spans[j].Attributes = append(spans[j].Attributes, attrs{
				{Key: "gen_ai.provider.name", Value: "anthropic"}, {Key: "gen_ai.request.model", Value: "claude-4-7-sonnet"},
				{Key: "gen_ai.request.max_tokens", Value: 4096}, {Key: "gen_ai.request.temperature", Value: 0.2},
				{Key: "gen_ai.response.id", Value: fmt.Sprintf("msg_%024d", i*50+j)}, {Key: "gen_ai.response.finish_reasons", Value: []any{"stop"}},
				{Key: "gen_ai.conversation.id", Value: "0b5c3a52-6c1f-4c2c-9d0a-6f8e1d3b7a90"},
				{Key: "server.address", Value: "api.anthropic.com"}, {Key: "server.port", Value: 443},
				{Key: "gen_ai.input.messages", Value: `[{"role":"user","parts":[{"type":"text","content":"` + question + `"}]}]`},
				{Key: "gen_ai.output.messages", Value: `[{"role":"assistant","parts":[{"type":"text","content":"` + answer + `"}],"finish_reason":"stop"}]`},
			}...)
		}
		var err error
		if records[i], err = otlpgen.TracesJSON(otlpgen.AppendSpans(nil, attrs{{Key: "service.name", Value: "support"}}, spans...)); err != nil {
			b.Fatal(err)
		}
	}
	benchDecode(b, otlp.NewJSON, records, 50)
}

// BenchmarkNativeDecode takes native events of about 250 bytes and six values into batches.
func BenchmarkNativeDecode(b *testing.B) {
	records := make([][]byte, 1000)
	for i := range records {
		c := benchCall(i)
		c.Prompt = c.Prompt[8:24] // 250 bytes an event
		c.Model, c.Trace, c.Cost, c.TTFT = "", [16]byte{}, 0.0028, 0.21
		c.Scores = []otlpgen.Score{{Rubric: "citation_grounding", Value: 0.91}}
		records[i] = otlpgen.AppendNative(nil, &c)
	}
	benchDecode(b, driftdjson.New, records, 1)
}
