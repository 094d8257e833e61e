package otlp_test

import (
	"strings"
	"testing"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/internal/otlpgen"
)

// benchRequest is of fifty spans with sixteen attributes and 1.2 kB of messages each.
func benchRequest() []byte {
	spans := make([]otlpgen.Span, 50)
	for i := range spans {
		spans[i] = otlpgen.Span{
			Trace: []byte{1, 15: byte(i)}, ID: []byte{2, 7: byte(i)}, Parent: []byte{3, 7: byte(i)}, Name: "chat claude-4-7-sonnet", Start: 1763640000e9, End: 1763640001e9,
			Attributes: kv("gen_ai.operation.name", "chat", "prompt.name", "support_intent_classifier", "prompt.version", "v23", "prompt.tier", "enterprise", "prompt.locale", "de",
				"gen_ai.provider.name", "anthropic", "gen_ai.request.model", "claude-4-7-sonnet", "gen_ai.response.model", "claude-4-7-sonnet-20260301", "gen_ai.response.id", "msg_0123456789",
				"gen_ai.request.temperature", 0.2, "gen_ai.usage.input_tokens", 1240, "gen_ai.usage.output_tokens", 180, "gen_ai.response.finish_reasons", []any{"stop"}, "server.port", 443,
				"gen_ai.input.messages", `[{"role":"user","content":"`+strings.Repeat("I would like to have my money back, please. ", 16)+`"}]`,
				"gen_ai.output.messages", `[{"role":"assistant","content":"`+strings.Repeat("The answer is four. ", 20)+`"}]`),
		}
	}
	return otlpgen.AppendSpans(nil, kv("service.name", "support"), spans...)
}

func benchDecode(b *testing.B, d consumer.Decoder, record []byte) {
	n := 0
	count := func(*consumer.Event) { n++ }
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Decode(record, count); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "spans/s")
}

// BenchmarkDecode and BenchmarkDecodeJSON decode the same request, without making samples of it.
func BenchmarkDecode(b *testing.B) { benchDecode(b, otlp.New(tableOf(b)), benchRequest()) }
func BenchmarkDecodeJSON(b *testing.B) {
	benchDecode(b, otlp.NewJSON(tableOf(b)), transcode(b, benchRequest(), false))
}
