package consumer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// filled is what a table makes of a span and its resource.
func filled(t testing.TB, o AttributeOptions, span, resource []any) words {
	t.Helper()
	a, err := NewAttributes(o)
	if err != nil {
		t.Fatal(err)
	}
	var s, r Set
	e := &Event{Dimensions: make([][]byte, len(o.Dimensions))}
	a.Fill(e, fill(a, &s, span...), fill(a, &r, resource...), began)
	return inWords(e)
}

func TestWhichNameIsThePrompt(t *testing.T) {
	text, long := "You are a bot.\nAnswer.", strings.Repeat("x", maxPrompt+1)
	for name, tc := range map[string]struct {
		span, resource []any
		want           string
	}{
		"text, then a name":               {span: []any{"prompt.name", text, "gen_ai.prompt.template.name", "greeter"}, want: "greeter"},
		"two texts, then a name":          {span: []any{"prompt.id", long, "prompt.name", text, "lc_hub_repo", "greeter"}, want: "greeter"},
		"a name, then text":               {span: []any{"prompt.id", "greeter", "prompt.name", text}, want: "greeter"},
		"text on the span, a name above":  {span: []any{"prompt.name", text}, resource: []any{"lc_hub_repo", "greeter"}, want: "greeter"},
		"a name on the span, text above":  {span: []any{"lc_hub_repo", "greeter"}, resource: []any{"prompt.name", text}, want: "greeter"},
		"no name at all":                  {span: []any{"gen_ai.prompt.name", text, "prompt.name", text + "2"}, want: text + "2"},
		"text on the span and above":      {span: []any{"lc_hub_repo", text}, resource: []any{"prompt.name", "\t"}, want: text},
		"not UTF-8":                       {span: []any{"prompt.name", "\xff", "gen_ai.prompt.name", "p"}, want: "p"},
		"the longest that is one":         {span: []any{"prompt.name", long[1:], "gen_ai.prompt.name", "p"}, want: long[1:]},
		"a number":                        {span: []any{"prompt.id", 7, "prompt.name", "p"}, want: "7"},
		"an empty one":                    {span: []any{"prompt.id", "", "prompt.name", "p"}, want: "p"},
		"a list":                          {span: []any{"prompt.id", []string{"a"}, "prompt.name", "p"}, want: "p"},
		"JSON that names none":            {span: []any{"mlflow.linkedPrompts", "[]", "lc_hub_repo", "p"}, want: "p"},
		"JSON that is broken":             {span: []any{"mlflow.linkedPrompts", `[{"name":"q"`, "lc_hub_repo", "p"}, want: "p"},
		"JSON with text for a name":       {span: []any{"mlflow.linkedPrompts", `[{"name":"a\nb"}]`, "lc_hub_repo", "p"}, want: "p"},
		"the id of a vendor":              {span: []any{"prompt.id", "UHJv", "prompt.vendor", "arize"}, want: ""},
		"the vendor elsewhere":            {span: []any{"prompt.id", "p"}, resource: []any{"prompt.vendor", "arize"}, want: "p"},
		"a handle that is empty":          {span: []any{"langwatch.prompt.id", ":3"}, want: ""},
		"a handle with a number for name": {span: []any{"langwatch.prompt.id", 3}, want: ""},
	} {
		if got := filled(t, AttributeOptions{}, tc.span, tc.resource).Prompt; got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestWhichSpansAreCalls(t *testing.T) {
	for name, tc := range map[string]struct {
		span []any
		want bool
	}{
		"the standard goes before others":      {[]any{"gen_ai.operation.name", "chat", "openinference.span.kind", "CHAIN"}, true},
		"and the other way":                    {[]any{"gen_ai.operation.name", "execute_tool", "openinference.span.kind", "LLM"}, false},
		"a word that nobody knows":             {[]any{"gen_ai.operation.name", "think", "openinference.span.kind", "CHAIN", "gen_ai.request.model", "m"}, false},
		"a word that nobody knows and a model": {[]any{"gen_ai.operation.name", "think", "gen_ai.request.model", "m"}, true},
		"a word that nobody knows alone":       {[]any{"gen_ai.operation.name", "think"}, false},
		"an unknown kind":                      {[]any{"openinference.span.kind", "UNKNOWN", "llm.token_count.prompt", 3}, true},
		"a number for a kind":                  {[]any{"gen_ai.operation.name", 3, "gen_ai.request.model", "m"}, true},
		"a tool of MLflow":                     {[]any{"mlflow.spanType", `"TOOL"`, "gen_ai.request.model", "m"}, false},
		"tokens alone":                         {[]any{"gen_ai.usage.completion_tokens", 3}, true},
		"a cost in euros":                      {[]any{"gen_ai.usage.cost.amount", 3.0}, true},
		"a cost that parents repeat":           {[]any{"gen_ai.cost.total_cost", 3.0}, false},
		"tokens of MLflow that parents repeat": {[]any{"mlflow.chat.tokenUsage", `{"input_tokens":3}`}, false},
		"a prompt alone":                       {[]any{"prompt.name", "p", "prompt.version", "1"}, false},
		"nothing":                              {nil, false},
	} {
		if got := filled(t, AttributeOptions{}, tc.span, nil).Call; got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestLists(t *testing.T) {
	lists := map[string][]string{
		"prompt": {"my.prompt", "prompt.id"}, "version": {"mlflow.linkedPrompts", "build"}, "model": {"my.model"}, "environment": {"stage"}, "tier": {"plan"},
		"ttft": {"my.ttft", "ai.response.msToFirstChunk"}, "cost": {"gen_ai.usage.cost.amount"}, "operation": {"my.kind"}, "input_tokens": {"my.tokens"},
	}
	o := AttributeOptions{Preset: "otel", Dimensions: []Dimension{{Name: "tier"}, {Name: "environment"}}, Lists: lists}
	for name, tc := range map[string]struct {
		span []any
		want words
	}{
		"own names": {
			[]any{"my.prompt", "a", "prompt.name", "b", "build", "7", "my.model", "m", "gen_ai.response.model", "n", "stage", "blue", "plan", "pro", "prompt.tier", "free", "my.kind", "llm",
				"my.tokens", 3, "gen_ai.usage.input_tokens", 4, "my.ttft", 0.5},
			words{Call: true, Prompt: "a", Version: "7", Model: "m", Environment: "blue", Tier: "pro", Locale: "blue", Values: values{"input_tokens": 3, "ttft": 0.5}},
		},
		"replaced names are not read":           {[]any{"my.kind", "llm", "prompt.name", "b", "gen_ai.response.model", "n", "gen_ai.usage.input_tokens", 4}, words{Call: true}},
		"nor is what they said of calls":        {[]any{"gen_ai.operation.name", "execute_tool", "my.kind", "llm"}, words{Call: true}},
		"but they still mark calls":             {[]any{"gen_ai.response.model", "n"}, words{Call: true}},
		"as do one's own":                       {[]any{"my.tokens", 3}, words{Call: true, Values: values{"input_tokens": 3}}},
		"known names are read as ever":          {[]any{"my.kind", "llm", "mlflow.linkedPrompts", `[{"name":"q","version":"3"}]`, "ai.response.msToFirstChunk", 250}, words{Call: true, Version: "3", Values: values{"ttft": 0.25}}},
		"a vendor does not shadow what one set": {[]any{"prompt.id", "p", "prompt.vendor", "arize"}, words{Prompt: "p"}},
		"a cost is one in dollars":              {[]any{"my.kind", "llm", "gen_ai.usage.cost.amount", 3.0, "gen_ai.usage.cost.currency", "EUR"}, words{Call: true}},
	} {
		if d := cmp.Diff(tc.want, filled(t, o, tc.span, nil)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	o = AttributeOptions{Dimensions: []Dimension{{Name: "tier", Attributes: []string{"langfuse.trace.metadata.plan"}}, {Name: "locale", Attributes: []string{"metadata"}}}}
	if got := filled(t, o, []any{"langfuse.trace.metadata.plan", `"pro"`, "metadata", `{"tier":"no","locale":"de"}`}, nil); got.Tier != "pro" || got.Locale != "de" {
		t.Errorf("metadata are read as %+v", got)
	}
	o = AttributeOptions{Dimensions: []Dimension{{Name: "tier"}, {Name: "environment", Attributes: []string{"stage"}}}}
	if got := filled(t, o, []any{"stage", "blue", "deployment.environment", "green"}, nil); got.Environment != "blue" || got.Locale != "blue" {
		t.Errorf("an axis that is a dimension has two values: %+v", got)
	}
	for field, want := range map[string]string{"promt": "there is neither", "provider": "there is neither"} {
		if _, err := NewAttributes(AttributeOptions{Lists: map[string][]string{field: {"a"}}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := NewAttributes(AttributeOptions{Dimensions: []Dimension{{Name: "operation"}}}); err == nil {
		t.Error("a dimension has the name of a field")
	}
	for _, field := range Fields() {
		if _, err := NewAttributes(AttributeOptions{Lists: map[string][]string{field: {"a", "b"}}}); err != nil {
			t.Error(err)
		}
	}
}

// TestAsManyAsThereMayBe builds the largest table that a config can ask for.
func TestAsManyAsThereMayBe(t *testing.T) {
	o := AttributeOptions{Lists: map[string][]string{}}
	for i := range 16 {
		o.Dimensions = append(o.Dimensions, Dimension{Name: fmt.Sprintf("dimension_%d", i)})
	}
	a, err := NewAttributes(o)
	if err != nil {
		t.Fatal(err)
	}
	if free := MaxNames - len(a.attrs); free < 100 {
		t.Errorf("only %d names are left for lists of one's own", free)
	}
}

// TestOrderDoesNotMatter fills events from all kinds of mixtures, in two orders.
func TestOrderDoesNotMatter(t *testing.T) {
	var keys []string
	for f := range fieldDimension {
		for _, r := range table[f] {
			if !slices.Contains(keys, r.attr) && f != FieldOffline {
				keys = append(keys, r.attr)
			}
		}
	}
	vals := []any{"a", "b:3", "x\ny", "true", "LLM", "CHAIN", 3, 4.5, true, false, "2026-11-20T14:31:59Z", `{"name":"n","version":2,"input":1,"output":2,"total":3,"type":"llm"}`,
		`"[{\"name\":\"q\",\"version\":\"4\"}]"`, "USD", "ERROR"}
	a, err := NewAttributes(testOptions("", nil))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	var span, resource Set
	for range 5000 {
		var pairs, above [][2]any
		for range random.IntN(12) {
			pairs = append(pairs, [2]any{keys[random.IntN(len(keys))], vals[random.IntN(len(vals))]})
		}
		for range random.IntN(4) {
			above = append(above, [2]any{keys[random.IntN(len(keys))], vals[random.IntN(len(vals))]})
		}
		unique := func(list [][2]any) [][2]any {
			slices.SortFunc(list, func(a, b [2]any) int { return strings.Compare(a[0].(string), b[0].(string)) })
			return slices.CompactFunc(list, func(a, b [2]any) bool { return a[0] == b[0] })
		}
		pairs, above = unique(pairs), unique(above)
		flat := func(list [][2]any) (out []any) {
			for _, p := range list {
				out = append(out, p[0], p[1])
			}
			return out
		}
		make := func() words {
			e := &Event{Dimensions: make([][]byte, 2)}
			a.Fill(e, fill(a, &span, flat(pairs)...), fill(a, &resource, flat(above)...), began)
			return inWords(e)
		}
		first := fmt.Sprint(make())
		random.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
		random.Shuffle(len(above), func(i, j int) { above[i], above[j] = above[j], above[i] })
		if second := fmt.Sprint(make()); first != second {
			t.Fatalf("%v, %v:\n%s\n%s", pairs, above, first, second)
		}
	}
}

// TestFillAllocatesNothing holds that what is read often costs no memory, with JSON in it too.
func TestFillAllocatesNothing(t *testing.T) {
	a, err := NewAttributes(testOptions("", nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"OpenTelemetry", "driftd's own names", "OpenInference", "Langfuse", "OpenLLMetry", "MLflow's TypeScript, flat"} {
		keys, vals := attributesOf(producers[slices.IndexFunc(producers, func(p producer) bool { return p.name == name })].span)
		var span Set
		e := &Event{Dimensions: make([][]byte, 2)}
		if n := testing.AllocsPerRun(100, func() {
			e.Reset()
			span.Reset()
			for j, key := range keys {
				if slot, ok := a.Lookup(key); ok {
					span.Put(slot, key, vals[j])
				}
			}
			a.Fill(e, &span, nil, began)
		}); n > 0 {
			t.Errorf("%s: %v allocations a span", name, n)
		}
	}
}

// BenchmarkFill looks a span's attributes up and fills an event, of producers that write plain values and of those that write JSON.
func BenchmarkFill(b *testing.B) {
	a, err := NewAttributes(testOptions("", nil))
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"driftd's own names", "OpenTelemetry", "OpenInference", "Langfuse", "MLflow"} {
		p := producers[slices.IndexFunc(producers, func(p producer) bool { return p.name == name })]
		keys, vals := attributesOf(p.span)
		b.Run(name, func(b *testing.B) {
			var span Set
			e := &Event{Dimensions: make([][]byte, 2)}
			b.ReportAllocs()
			for b.Loop() {
				e.Reset()
				span.Reset()
				for i, key := range keys {
					if slot, ok := a.Lookup(key); ok {
						span.Put(slot, key, vals[i])
					}
				}
				a.Fill(e, &span, nil, began)
			}
		})
	}
}
