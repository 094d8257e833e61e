package consumer

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/driftd/driftd/windows"
)

// attributesOf makes keys and values of keys and values in turn.
func attributesOf(pairs []any) (keys [][]byte, vals []Value) {
	for i := 0; i < len(pairs); i += 2 {
		var v Value
		switch x := pairs[i+1].(type) {
		case string:
			v = Value{Text: []byte(x)}
		case int:
			v = Value{Type: Int, Int: int64(x)}
		case float64:
			v = Value{Type: Real, Real: x}
		case bool:
			v.Type = Bool
			if x {
				v.Int = 1
			}
		default:
			v.Type = Other
		}
		keys, vals = append(keys, []byte(pairs[i].(string))), append(vals, v)
	}
	return keys, vals
}

// fill puts keys and values in turn into a set, as a decoder does.
func fill(a *Attributes, s *Set, pairs ...any) *Set {
	s.Reset()
	keys, vals := attributesOf(pairs)
	for i, key := range keys {
		if slot, ok := a.Lookup(key); ok {
			s.Put(slot, key, vals[i])
		}
	}
	return s
}

// words is an event in words.
type words struct {
	Call                           bool
	Prompt, Version, Hash, Model   string
	Variant, Environment, Response string
	Tier, Locale                   string
	Values                         map[string]float64
	Scores                         map[string]any
	Fault                          string
}

func inWords(e *Event) words {
	w := words{
		Call: e.Call, Prompt: string(e.Prompt), Version: string(e.Version), Hash: string(e.TemplateHash), Model: string(e.Model),
		Variant: string(e.Variant), Environment: string(e.Environment), Response: string(e.Response), Fault: e.Fault.Reason.String(),
	}
	if len(e.Dimensions) == 2 {
		w.Tier, w.Locale = string(e.Dimensions[0]), string(e.Dimensions[1])
	}
	for b := range windows.NumBuiltin {
		if e.Has.Has(b) {
			if w.Values == nil {
				w.Values = map[string]float64{}
			}
			w.Values[windows.BuiltinNames[b]] = math.Round(e.Values[b]*1e9) / 1e9
		}
	}
	for _, s := range e.Scores {
		if w.Scores == nil {
			w.Scores = map[string]any{}
		}
		if w.Scores[string(s.Rubric)] = any(string(s.Label)); s.HasValue {
			w.Scores[string(s.Rubric)] = s.Value
		}
	}
	return w
}

type values = map[string]float64

// began is when the spans of the producers start.
var began = time.Date(2026, 11, 20, 14, 31, 58, 0, time.UTC).UnixNano()

// testOptions are those that all producers are tried with.
func testOptions(preset string, watch func(*Explanation)) AttributeOptions {
	return AttributeOptions{Preset: preset, Dimensions: []Dimension{{Name: "tier"}, {Name: "locale"}}, Watch: watch}
}

func TestProducers(t *testing.T) {
	for _, p := range producers {
		for _, preset := range append([]string{"", "auto"}, p.presets...) {
			t.Run(p.name+"/"+preset, func(t *testing.T) {
				a, err := NewAttributes(testOptions(preset, nil))
				if err != nil {
					t.Fatal(err)
				}
				var span, resource, event Set
				e := &Event{Dimensions: make([][]byte, 2)}
				if p.event != nil {
					a.FillScore(e, fill(a, &event, p.event...))
				}
				a.Fill(e, fill(a, &span, p.span...), fill(a, &resource, p.resource...), began)
				if d := cmp.Diff(p.want, inWords(e)); d != "" {
					t.Error(d)
				}
			})
		}
	}
}

// TestEveryRowIsTaken holds that each row of the table is what some producer's field was taken from, and that what the table
// says of itself is what it does.
func TestEveryRowIsTaken(t *testing.T) {
	type row struct{ field, attr string }
	taken := map[row]bool{}
	var e *Event
	a, err := NewAttributes(testOptions("", func(x *Explanation) {
		for _, f := range x.Findings {
			if f.Taken {
				taken[row{f.Field, f.Attribute}] = true
			}
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	var span, resource, event Set
	for _, p := range producers {
		e = &Event{Dimensions: make([][]byte, 2)}
		if p.event != nil {
			a.FillScore(e, fill(a, &event, p.event...))
		}
		a.Fill(e, fill(a, &span, p.span...), fill(a, &resource, p.resource...), began)
	}
	fill(a, &span, "gen_ai.evaluation.name", "tone", "gen_ai.evaluation.target_span_id", "eee19b7ec3c1b174", "gen_ai.evaluation.target_trace_id", "5b8efff798038103d269b633813fc60c")
	a.Fill(&Event{Dimensions: make([][]byte, 2)}, &span, nil, 0)
	for f := range fieldDimension {
		for _, r := range table[f] {
			if !taken[row{f.String(), r.attr}] {
				t.Errorf("no producer's %s is taken from %s", f, r.attr)
			}
		}
	}
	for _, m := range metadata {
		if !taken[row{"tier", strings.Replace(m.attr, "NAME", "tier", 1)}] && !taken[row{"locale", strings.Replace(m.attr, "NAME", "locale", 1)}] {
			t.Errorf("no producer's dimension is taken from %s", m.attr)
		}
	}
}

// TestPresetsLeaveOut tells presets from auto: what is not theirs is not read.
func TestPresetsLeaveOut(t *testing.T) {
	for _, preset := range []string{"openinference", "mlflow"} { // an SDK that traces itself beneath them
		if got := filled(t, AttributeOptions{Preset: preset}, []any{"gen_ai.operation.name", "chat", "gen_ai.request.model", "m", "gen_ai.usage.input_tokens", 42}, nil); got.Call {
			t.Errorf("%s counts the call a second time", preset)
		}
	}
	for preset, key := range map[string]string{
		"otel": "llm.model_name", "openinference": "langfuse.observation.prompt.name", "langfuse": "traceloop.prompt.key", "openllmetry": "mlflow.linkedPrompts", "mlflow": "openinference.span.kind",
	} {
		a, err := NewAttributes(AttributeOptions{Preset: preset})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := a.Lookup([]byte(key)); ok {
			t.Errorf("%s reads %s", preset, key)
		}
		if _, ok := a.Lookup([]byte("gen_ai.prompt.name")); !ok {
			t.Errorf("%s does not read gen_ai.prompt.name", preset)
		}
		_, inline := a.Lookup([]byte("annotations.0.annotation.score"))
		if inline != (preset == "openinference") {
			t.Errorf("%s reads annotations: %v", preset, inline)
		}
	}
	if _, err := NewAttributes(AttributeOptions{Preset: "arize"}); err == nil || fmt.Sprint(err) != `build attribute table: there is no preset "arize", only auto, otel, openinference, langfuse, openllmetry, mlflow` {
		t.Error(err)
	}
}
