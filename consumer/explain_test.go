package consumer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// explained are the explanations of a span and, where there is one, its evaluation, a line a finding.
func explained(t *testing.T, o AttributeOptions, span, resource, event []any) string {
	t.Helper()
	var b strings.Builder
	o.Watch = func(x *Explanation) {
		for _, f := range x.Findings {
			took := "left"
			if f.Taken {
				took = "took"
			}
			fmt.Fprintf(&b, "%s %s: %s of %s", took, f.Field, f.Attribute, f.From)
			if f.Value != "" {
				fmt.Fprintf(&b, " = %s", f.Value)
			}
			if f.Why != "" {
				fmt.Fprintf(&b, " (%s)", f.Why)
			}
			b.WriteByte('\n')
		}
	}
	a, err := NewAttributes(o)
	if err != nil {
		t.Fatal(err)
	}
	var s, r, ev Set
	e := &Event{Dimensions: make([][]byte, len(o.Dimensions))}
	if event != nil {
		a.FillScore(e, fill(a, &ev, event...))
	}
	a.Fill(e, fill(a, &s, span...), fill(a, &r, resource...), began)
	return b.String()
}

func TestExplain(t *testing.T) {
	for name, tc := range map[string]struct {
		span, resource, event []any
		want                  string
	}{
		"where everything came from": {
			resource: []any{"deployment.environment.name", "production", "prompt.version", "v1", "gen_ai.usage.cost", 9.0},
			span: []any{"gen_ai.operation.name", "chat", "prompt.name", "qa", "gen_ai.prompt.name", "other", "prompt.id", "UHJv", "prompt.vendor", "arize", "langfuse.observation.prompt.version", 7,
				"tier", "pro", "gen_ai.usage.input_tokens", "12", "gen_ai.usage.prompt_tokens", 13, "gen_ai.usage.cost.amount", 3.0, "gen_ai.usage.cost.currency", "EUR", "error.type", "timeout: the text"},
			want: `left prompt: prompt.id of span (prompt.vendor is set)
took prompt: prompt.name of span = qa
left prompt: gen_ai.prompt.name of span = other (shadowed by prompt.name of the span)
took version: langfuse.observation.prompt.version of span = 7
left version: prompt.version of resource = v1 (shadowed by langfuse.observation.prompt.version of the span)
took environment: deployment.environment.name of resource = production
took operation: gen_ai.operation.name of span = a model call
took input_tokens: gen_ai.usage.input_tokens of span = 12
left input_tokens: gen_ai.usage.prompt_tokens of span = 13 (shadowed by gen_ai.usage.input_tokens of the span)
left cost: gen_ai.usage.cost.amount of span (gen_ai.usage.cost.currency is not USD)
took error: error.type of span = it failed
took tier: tier of span = pro
`,
		},
		"text in the place of a name": {
			span: []any{"gen_ai.prompt.template.name", "You are\na bot", "gen_ai.request.model", "m\x00"}, resource: []any{"lc_hub_repo", "greeter"},
			want: `left prompt: gen_ai.prompt.template.name of span (it is text, no label: line breaks or control characters, 13 bytes)
took prompt: lc_hub_repo of resource = greeter
took model: gen_ai.request.model of span (it is text, no label: line breaks or control characters, 2 bytes)
took call: gen_ai.request.model of span = a model call (only model calls carry it)
`,
		},
		"nothing but text": {
			span: []any{"prompt.name", strings.Repeat("x", 300)},
			want: "took prompt: prompt.name of span (it is text, no label: too long, 300 bytes)\n",
		},
		"a draft": {
			span: []any{"langwatch.prompt.id", "faq:6", "langwatch.prompt.draft", true, "langwatch.prompt.version.number", 6},
			want: `took prompt: langwatch.prompt.id of span = faq
left version: langwatch.prompt.version.number of span (langwatch.prompt.draft is true)
left version: langwatch.prompt.id of span (langwatch.prompt.draft is true)
`,
		},
		"a fallback": {
			span: []any{"prompt.name", "p", "prompt.version", "v1", "prompt.condition.fallback", "the cached text of old"},
			want: `took prompt: prompt.name of span = p
left version: prompt.version of span = v1 (a fallback prompt was used, whose text is not this version's)
took fallback: prompt.condition.fallback of span = a fallback prompt
`,
		},
		"no model call": {
			span: []any{"gen_ai.operation.name", "invoke_agent", "gen_ai.usage.input_tokens", 3, "gen_ai.request.model", "m"},
			want: `took model: gen_ai.request.model of span = m
took operation: gen_ai.operation.name of span = no model call
left input_tokens: gen_ai.usage.input_tokens of span = 3 (the span is no model call)
`,
		},
		"what cannot be read": {
			span: []any{"mlflow.linkedPrompts", "secret text", "openinference.span.kind", "THOUGHT", "gen_ai.usage.cost", "free", "langfuse.observation.completion_start_time", "soon"},
			want: `left prompt: mlflow.linkedPrompts of span (it cannot be read as what it should be: JSON list: name of the first)
left version: mlflow.linkedPrompts of span (it cannot be read as what it should be: JSON list: version of the first)
left operation: openinference.span.kind of span (it cannot be read as what it should be: says whether the span is a model call)
took call: gen_ai.usage.cost of span = a model call (only model calls carry it)
took cost: gen_ai.usage.cost of span (it is no number)
left ttft: langfuse.observation.completion_start_time of span (it cannot be read as what it should be: a time; the span's start is taken off)
`,
		},
		"scores": {
			event: []any{"gen_ai.evaluation.name", "tone", "gen_ai.evaluation.score.value", 0.5, "gen_ai.evaluation.explanation", "text"},
			span:  []any{"annotations.0.annotation.name", "correctness", "annotations.0.annotation.score", 1, "braintrust.scores", `{"a":1}`, "json_encoded_event", `{"name":"x"}`},
			want: `took rubric: gen_ai.evaluation.name of span event = tone
took score_value: gen_ai.evaluation.score.value of span event = 0.5
took scores: braintrust.scores of span
took score: annotations.0 of span = correctness
`,
		},
		"an evaluation run": {
			span: []any{"promptfoo.eval.id", "e", "prompt.name", "p"},
			want: "took offline: promptfoo.eval.id of span (this is an evaluation run, no production traffic: nothing is taken)\n",
		},
		"nothing of use": {span: []any{"http.method", "GET"}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, explained(t, AttributeOptions{Dimensions: []Dimension{{Name: "tier"}}}, tc.span, tc.resource, tc.event)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestExplainLog is of a log record, which has no figures.
func TestExplainLog(t *testing.T) {
	var got []string
	a, err := NewAttributes(AttributeOptions{Watch: func(x *Explanation) {
		for _, f := range x.Findings {
			got = append(got, fmt.Sprint(f.Field, " ", f.Taken, " ", f.Why))
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	var s Set
	e := &Event{Kind: Score}
	a.Fill(e, fill(a, &s, "gen_ai.evaluation.name", "tone", "gen_ai.evaluation.score.value", 1, "gen_ai.usage.cost", 0.5, "gen_ai.operation.name", "chat", "prompt.name", "p"), nil, 0)
	want := []string{"prompt true ", "operation false an evaluation has no figures", "cost false an evaluation has no figures", "rubric true ", "score_value true "}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if w := inWords(e); w.Call || w.Values != nil || w.Prompt != "p" || w.Scores["tone"] != 1.0 {
		t.Errorf("%+v", w)
	}
}

// TestExplanationsAreTrue holds that what an explanation calls taken is what the event has.
func TestExplanationsAreTrue(t *testing.T) {
	var last *Explanation
	a, err := NewAttributes(testOptions("", func(x *Explanation) { last = x }))
	if err != nil {
		t.Fatal(err)
	}
	var span, resource Set
	for _, p := range producers {
		e := &Event{Dimensions: make([][]byte, 2)}
		a.Fill(e, fill(a, &span, p.span...), fill(a, &resource, p.resource...), began)
		got := inWords(e)
		have := map[string]string{
			"prompt": got.Prompt, "version": got.Version, "template_hash": got.Hash, "model": got.Model, "variant": got.Variant, "environment": got.Environment, "response_id": got.Response,
			"tier": got.Tier, "locale": got.Locale,
		}
		for field, value := range got.Values {
			have[field] = fmt.Sprint(value)
		}
		delete(have, "fallback")
		delete(have, "error")
		said := map[string]string{}
		for _, f := range last.Findings {
			if _, known := have[f.Field]; known && f.Taken {
				if said[f.Field] != "" {
					t.Errorf("%s: %s is taken twice", p.name, f.Field)
				}
				said[f.Field] = f.Value
			}
		}
		for field, value := range have {
			if value == "" {
				delete(have, field)
			}
		}
		if d := cmp.Diff(have, said); d != "" {
			t.Errorf("%s: %s", p.name, d)
		}
	}
}
