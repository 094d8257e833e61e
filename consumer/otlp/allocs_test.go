package otlp_test

import (
	"testing"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/internal/otlpgen"
)

// TestNoAllocations decodes what was decoded before: a decoder's memory is its own.
func TestNoAllocations(t *testing.T) {
	judged := otlpgen.Event{Name: result, Attributes: grounding("gen_ai.evaluation.explanation", secret)}
	call := otlpgen.Span{
		Trace: []byte{1, 15: 0}, ID: []byte{2, 7: 0}, Parent: []byte{3, 7: 0}, Start: 5, End: 7, Events: []otlpgen.Event{judged, {Name: "exception"}},
		Attributes: kv("gen_ai.operation.name", "chat", "prompt.name", "a \"refund\"\n", "prompt.version", 7, "gen_ai.usage.input_tokens", 41, "gen_ai.usage.cost", 0.0025,
			"gen_ai.response.model", "m", "prompt.tier", "free", "gen_ai.input.messages", `[{"role":"user"}]`, "tags", []any{"x", 5}, "locale", true),
	}
	judge := otlpgen.Span{Trace: call.Trace, ID: call.ID, Attributes: grounding(), Links: []otlpgen.Link{{Trace: call.Trace, Span: call.ID}}}
	log := otlpgen.Log{Trace: call.Trace, Span: call.ID, Time: 7, Body: kv("prompt.name", "a\tb"), Attributes: grounding("event.name", result)}
	spans := otlpgen.AppendSpans(nil, kv("deployment.environment", "prod"), call, judge, call)
	logs := otlpgen.AppendLogs(nil, kv("deployment.environment", "prod"), log, otlpgen.Log{Name: "gen_ai.user.message", Body: kv("content", secret)})
	a := tableOf(t)
	for name, tc := range map[string]struct {
		decoder consumer.Decoder
		record  []byte
		events  int
	}{
		"spans":         {otlp.New(a), spans, 4},
		"logs":          {otlp.New(a), logs, 1},
		"spans in JSON": {otlp.NewJSON(a), transcode(t, spans, false), 4},
		"logs in JSON":  {otlp.NewJSON(a), transcode(t, logs, true), 1},
	} {
		n := 0
		count := func(*consumer.Event) { n++ }
		allocs := testing.AllocsPerRun(100, func() {
			if err := tc.decoder.Decode(tc.record, count); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 || n != 101*tc.events {
			t.Errorf("%s: %v allocations, %d events", name, allocs, n)
		}
	}
}
