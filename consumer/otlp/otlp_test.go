package otlp_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/windows"
)

// seen is an event in words.
type seen struct {
	Call                             bool
	Prompt, Version, Tier, Locale    string
	Hash, Model, Variant, Env, Reply string
	Values                           map[string]float64
	Scores                           map[string]any
	Fault                            string
}

func decode(t *testing.T, record []byte) []seen {
	t.Helper()
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale", Attributes: []string{"prompt.locale", "user.lang"}}}})
	if err != nil {
		t.Fatal(err)
	}
	var all []seen
	err = otlp.New(attrs).Decode(record, func(e *consumer.Event) {
		s := seen{
			Call: e.Call, Prompt: string(e.Prompt), Version: string(e.Version), Tier: string(e.Dimensions[0]), Locale: string(e.Dimensions[1]),
			Hash: string(e.TemplateHash), Model: string(e.Model), Variant: string(e.Variant), Env: string(e.Environment), Reply: string(e.Response),
			Fault: e.Fault.Reason.String(),
		}
		for b := range windows.NumBuiltin {
			if e.Has.Has(b) {
				if s.Values == nil {
					s.Values = map[string]float64{}
				}
				s.Values[windows.BuiltinNames[b]] = e.Values[b]
			}
		}
		for _, sc := range e.Scores {
			if s.Scores == nil {
				s.Scores = map[string]any{}
			}
			if s.Scores[string(sc.Rubric)] = any(string(sc.Label)); sc.HasValue {
				s.Scores[string(sc.Rubric)] = sc.Value
			}
		}
		all = append(all, s)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

type attrs = []otlpgen.Attribute

// kv makes attributes of keys and values in turn.
func kv(pairs ...any) (a attrs) {
	for i := 0; i < len(pairs); i += 2 {
		a = append(a, otlpgen.Attribute{Key: pairs[i].(string), Value: pairs[i+1]})
	}
	return a
}

func TestAttributes(t *testing.T) {
	type values = map[string]float64
	end := uint64(time.Date(2026, 11, 20, 14, 32, 0, 0, time.UTC).UnixNano())
	call := func(more ...otlpgen.Attribute) attrs { return append(kv("gen_ai.operation.name", "chat"), more...) }
	ok := values{"error": 0}
	for name, tc := range map[string]struct {
		resource, span attrs
		failed         bool
		events         []otlpgen.Event
		want           seen
	}{
		"prompt.id before prompt.name": {span: call(kv("prompt.name", "b", "prompt.id", "a")...), want: seen{Call: true, Prompt: "a", Values: ok}},
		"prompt.id of a vendor": {
			span: call(kv("prompt.id", "cHJvbXB0", "prompt.vendor", "arize", "gen_ai.prompt.name", "a")...), want: seen{Call: true, Prompt: "a", Values: ok},
		},
		"first non-empty":      {span: call(kv("prompt.name", "", "gen_ai.prompt.template.name", "a")...), want: seen{Call: true, Prompt: "a", Values: ok}},
		"span before resource": {resource: kv("prompt.id", "r", "prompt.version", "7"), span: call(kv("gen_ai.prompt.name", "s")...), want: seen{Call: true, Prompt: "s", Version: "7", Values: ok}},
		"versions that are no text": {
			span: call(kv("prompt.name", "p", "prompt.version", 12)...), want: seen{Call: true, Prompt: "p", Version: "12", Values: ok},
		},
		"version with a point": {span: call(kv("gen_ai.prompt.version", 1.5)...), want: seen{Call: true, Version: "1.5", Values: ok}},
		"dimensions": {
			resource: kv("user.lang", "de", "tier", "free"), span: call(kv("prompt.tier", "enterprise")...),
			want: seen{Call: true, Tier: "enterprise", Locale: "de", Values: ok},
		},
		"axes": {
			resource: kv("deployment.environment.name", "production"),
			span:     call(kv("prompt.sha", "s", "prompt.template_hash", "h", "prompt.variant", "control", "gen_ai.request.model", "q", "gen_ai.response.model", "m", "gen_ai.response.id", "r1")...),
			want:     seen{Call: true, Hash: "h", Variant: "control", Model: "m", Env: "production", Reply: "r1", Values: ok},
		},
		"figures": {
			span: call(kv("gen_ai.usage.input_tokens", 100, "gen_ai.usage.completion_tokens", "20", "gen_ai.usage.cost", 0.5, "gen_ai.response.time_to_first_chunk", 0.25, "prompt.condition.fallback", true)...),
			want: seen{Call: true, Values: values{"input_tokens": 100, "output_tokens": 20, "cost": 0.5, "ttft": 0.25, "fallback": 1, "error": 0}},
		},
		"cost in dollars": {span: call(kv("gen_ai.usage.cost.amount", 3.0, "gen_ai.usage.cost.currency", "USD")...), want: seen{Call: true, Values: values{"cost": 3, "error": 0}}},
		"cost in euros":   {span: call(kv("gen_ai.usage.cost.amount", 3.0, "gen_ai.usage.cost.currency", "EUR", "gen_ai.cost.total_cost", 4.0)...), want: seen{Call: true, Values: values{"cost": 4, "error": 0}}},
		"figures of a resource are nobody's": {
			resource: kv("gen_ai.usage.cost", 9.0, "gen_ai.request.model", "m"), span: kv("prompt.name", "p"), want: seen{Prompt: "p", Model: "m"},
		},
		"no fallback":           {span: call(kv("prompt.condition.fallback", "false")...), want: seen{Call: true, Values: values{"fallback": 0, "error": 0}}},
		"failed":                {span: call(), failed: true, want: seen{Call: true, Values: values{"error": 1}}},
		"error.type":            {span: call(kv("error.type", "timeout")...), want: seen{Call: true, Values: values{"error": 1}}},
		"call by its model":     {span: kv("gen_ai.request.model", "m"), want: seen{Call: true, Model: "m", Values: ok}},
		"call by its usage":     {span: kv("gen_ai.usage.input_tokens", 1), want: seen{Call: true, Values: values{"input_tokens": 1, "error": 0}}},
		"agent":                 {span: kv("gen_ai.operation.name", "invoke_agent", "gen_ai.usage.input_tokens", 1, "prompt.name", "p"), want: seen{Prompt: "p"}},
		"operation of a vendor": {span: kv("gen_ai.operation.name", "think", "gen_ai.request.model", "m"), want: seen{Call: true, Model: "m", Values: ok}},
		"render":                {span: kv("prompt.name", "p", "prompt.sha", "h"), failed: true, want: seen{Prompt: "p", Hash: "h"}},
		"lists are no values":   {span: call(kv("prompt.name", []any{"a"}, "gen_ai.prompt.name", "b")...), want: seen{Call: true, Prompt: "b", Values: ok}},
		"scores": {
			span: call(), events: []otlpgen.Event{
				{Name: "exception", Attributes: kv("gen_ai.evaluation.name", "no")},
				{Name: "gen_ai.evaluation.result", Attributes: kv("gen_ai.evaluation.name", "grounding", "gen_ai.evaluation.score.value", 0.9, "gen_ai.evaluation.explanation", "text")},
				{Name: "gen_ai.evaluation.result", Attributes: kv("gen_ai.evaluation.name", "verdict", "gen_ai.evaluation.score.label", "pass")},
				{Name: "gen_ai.evaluation.result", Attributes: kv("gen_ai.evaluation.name", "n", "gen_ai.evaluation.score.value", 4)},
			},
			want: seen{Call: true, Values: ok, Scores: map[string]any{"grounding": 0.9, "verdict": "pass", "n": 4.0}},
		},
		"bad figure": {span: call(kv("gen_ai.usage.cost", "free")...), want: seen{Call: true, Fault: "bad_value", Values: values{"cost": math.NaN(), "error": 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := otlpgen.Span{End: end, Attributes: tc.span, Failed: tc.failed, Events: tc.events}
			got := decode(t, otlpgen.AppendSpans(nil, tc.resource, s))
			nan := cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })
			if d := cmp.Diff([]seen{tc.want}, got, nan); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSpansOfSeveralResources(t *testing.T) {
	a := otlpgen.AppendSpans(nil, kv("prompt.name", "a", "prompt.tier", "free"), otlpgen.Span{}, otlpgen.Span{Attributes: kv("prompt.version", 1)})
	b := otlpgen.AppendSpans(nil, kv("prompt.name", "b"), otlpgen.Span{})
	got := decode(t, append(a, b...))
	want := []seen{{Prompt: "a", Tier: "free"}, {Prompt: "a", Tier: "free", Version: "1"}, {Prompt: "b"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestResourceBehindItsSpans reads a message whose fields stand in another order, as protobuf allows.
func TestResourceBehindItsSpans(t *testing.T) {
	scope := []byte{2<<3 | 2, 2, 2<<3 | 2, 0} // one empty span
	kv := append([]byte{1<<3 | 2, 11}, "prompt.name"...)
	kv = append(kv, 2<<3|2, 3, 1<<3|2, 1, 'p')
	resource := append([]byte{1<<3 | 2, byte(len(kv) + 2), 1<<3 | 2, byte(len(kv))}, kv...)
	body := append(scope, resource...)
	got := decode(t, append([]byte{1<<3 | 2, byte(len(body))}, body...))
	if d := cmp.Diff([]seen{{Prompt: "p"}}, got); d != "" {
		t.Error(d)
	}
}

func TestTimesAndIDs(t *testing.T) {
	a, err := consumer.NewAttributes(consumer.AttributeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := otlpgen.Call{Trace: [16]byte{1, 15: 2}, Span: [8]byte{3}, Parent: [8]byte{4}, Prompt: "p", Text: strings.Repeat("x", 200)}
	c.End = time.Date(2026, 11, 20, 14, 32, 0, 123, time.UTC)
	c.Start = c.End.Add(-1250 * time.Millisecond)
	err = otlp.New(a).Decode(otlpgen.AppendCalls(nil, nil, c), func(e *consumer.Event) {
		if e.Time != c.End.UnixNano() || e.Values[windows.BuiltinLatency] != 1.25 || e.Trace != c.Trace || e.Span != c.Span || e.Parent != c.Parent {
			t.Errorf("%+v", e)
		}
	})
	if err != nil {
		t.Error(err)
	}
}
