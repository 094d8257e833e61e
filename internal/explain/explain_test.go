package explain

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/consumer/helicone"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/consumer/posthog"
)

var formats = map[string]consumer.Format{
	"otlp_proto": {New: otlp.New}, "otlp_json": {New: otlp.NewJSON}, "driftd_json": {New: driftdjson.New},
	"posthog": {New: posthog.New}, "helicone": {New: helicone.New, Private: true},
}

func options(encoding string) Options {
	return Options{
		Dead: "driftd.dead", Topic: consumer.SourceTopic{Encoding: encoding},
		Config: consumer.Config{
			Encodings: formats, Now: func() time.Time { return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) },
			Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale"}},
			Linking:    consumer.Linking{Wait: 10 * time.Second, Horizon: 30 * time.Minute, Memory: 1 << 20},
		},
	}
}

// report explains a record and returns the report with its text and its JSON.
func report(t testing.TB, o Options, record []byte) (r *Report, text, inJSON string) {
	t.Helper()
	r, err := Explain(o, record)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	r.Text(&b)
	j, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return r, b.String(), string(j)
}

func TestForms(t *testing.T) {
	record := []byte("\n\x7f\x00resource spans\xff")
	f := func(given, form string) {
		t.Helper()
		if got, as := Record([]byte(given)); as != form || form != Raw && !bytes.Equal(got, record) || form == Raw && string(got) != given {
			t.Errorf("%q: %q, %s", given, got, as)
		}
	}
	f(string(record), Raw)
	f(base64.StdEncoding.EncodeToString(record), Base64)
	f(base64.RawURLEncoding.EncodeToString(record)+"\n", Base64)
	wrapped := base64.StdEncoding.EncodeToString(record)
	f(wrapped[:10]+"\r\n"+wrapped[10:]+"\n", Base64)
	f(hex.EncodeToString(record), Hex)
	f("0x"+strings.ToUpper(hex.EncodeToString(record))+"\n", Hex)
	f(`{"type":"span"}`, Raw)
	f("short", Raw)
	f("", Raw)
}

func TestGuess(t *testing.T) {
	f := func(record, want string) {
		t.Helper()
		got, wrapped := Guess([]byte(record))
		if wrapped {
			got = "cloudevents"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", record, got, want)
		}
	}
	f("\n\x05\x12\x03\n\x01a", "otlp_proto")
	f(`{"resourceSpans":[]}`, "otlp_json")
	f(` {"resourceLogs":[`, "otlp_json")
	f(`{"type":"span","value":1}`, "driftd_json")
	f(`{"type":"score","value":"{}"}`, "helicone")
	f(`{"uuid":"1","event":"$ai_generation","properties":"{}"}`, "posthog")
	f(`{"value":"{\"requestId\":\"1\"}"}`, "helicone")
	f(`{"heliconeMeta":{}}`, "helicone")
	f(`{"specversion":"1.0","data":{}}`, "cloudevents")
	f(`{`, "driftd_json")

	paths, _ := filepath.Glob("../../consumer/otlp/testdata/producers/*/*.otlp_*")
	for _, path := range paths {
		record, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := Guess(record); got != filepath.Ext(path)[1:] {
			t.Errorf("%s: %s", path, got)
		}
	}
	if len(paths) == 0 {
		t.Error("no fixtures")
	}
}

// TestProducers explains what real producers wrote: every span of theirs is there, the same in both encodings, and nothing is
// dropped.
func TestProducers(t *testing.T) {
	paths, _ := filepath.Glob("../../consumer/otlp/testdata/producers/*/*.otlp_proto")
	for _, path := range paths {
		t.Run(strings.TrimPrefix(path, "../../consumer/otlp/testdata/producers/"), func(t *testing.T) {
			var texts [2]string
			for i, encoding := range []string{"otlp_proto", "otlp_json"} {
				record, err := os.ReadFile(strings.TrimSuffix(path, "otlp_proto") + encoding)
				if err != nil {
					t.Fatal(err)
				}
				r, text, _ := report(t, options(""), record)
				if r.Verdict == Dropped {
					t.Errorf("dropped:\n%s", text)
				}
				for j := range r.Events {
					if e := &r.Events[j]; e.Of == "span" && e.Type == "span" && e.Name == "" {
						t.Errorf("span %d has no name", j)
					}
				}
				_, texts[i], _ = strings.Cut(text, "\n")
			}
			if texts[0] != texts[1] {
				t.Errorf("protobuf:\n%s\nJSON:\n%s", texts[0], texts[1])
			}
		})
	}
}

const canary = "CANARY the customer's own words"

// TestNoTextIsShown puts text wherever a producer may have put it.
func TestNoTextIsShown(t *testing.T) {
	long := strings.Repeat(canary+". ", 20)
	span := func(attributes ...string) string {
		var list []string
		for i := 0; i < len(attributes); i += 2 {
			list = append(list, fmt.Sprintf(`{"key":%q,"value":{"stringValue":%q}}`, attributes[i], attributes[i+1]))
		}
		return fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"greeting","value":{"stringValue":%[1]q}}]},"scopeSpans":[{"scope":{"name":%[1]q},
			"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":%[1]q,"endTimeUnixNano":"1763649121000000000",
			"attributes":[%[2]s],"events":[{"name":%[1]q,"attributes":[{"key":"x","value":{"stringValue":%[1]q}}]},{"name":"gen_ai.evaluation.result",
			"attributes":[{"key":"gen_ai.evaluation.name","value":{"stringValue":"r"}},{"key":"gen_ai.evaluation.score.value","value":{"doubleValue":1}},
			{"key":"gen_ai.evaluation.explanation","value":{"stringValue":%[1]q}}]}],"status":{"code":2,"message":%[1]q}}]}]}]}`,
			canary, strings.Join(list, ","))
	}
	quoted, _ := json.Marshal(canary)
	inner, _ := json.Marshal(fmt.Sprintf(`{"$ai_prompt_name":"p","$ai_trace_id":"t","$ai_input":%[1]s,"mine":%[1]s,"$ai_error":[%[1]s],"tier":"a"}`, quoted))
	log, _ := json.Marshal(fmt.Sprintf(`{"authorization":%[1]s,"heliconeMeta":{"promptId":"p","promptInputs":{"q":%[1]s}},
		"log":{"request":{"id":"1","path":%[1]s,"properties":{"Note":%[1]s}},"response":{"status":200,"responseCreatedAt":"2026-11-20T14:32:00Z","body":%[1]s}}}`, quoted))
	for name, record := range map[string]string{
		"unknown attributes": span("gen_ai.operation.name", "chat", "gen_ai.prompt.name", "p", "input.value", canary, "my.prompt", canary, canary, canary),
		"text in names": span("gen_ai.operation.name", "chat", "gen_ai.prompt.name", long, "gen_ai.prompt.version", long, "prompt.tier", long,
			"gen_ai.request.model", long, "prompt.name", "a\n"+canary, "deployment.environment", long),
		"no call":       span("prompt.name", long, "greeting", canary),
		"native":        fmt.Sprintf(`{"type":"span","time":"2026-11-20T14:32:00Z","prompt":"p","question":%[1]s,"nested":{"a":[%[1]s],%[1]s:1},%[1]s:%[1]s}`, quoted),
		"native prompt": fmt.Sprintf(`{"type":"span","time":"2026-11-20T14:32:00Z","prompt":"a\n%s","version":%q}`, canary, long),
		"native score":  fmt.Sprintf(`{"type":"score","time":"2026-11-20T14:32:00Z","prompt":"p","rubric":%q,"label":%q}`, long, long),
		"no type":       fmt.Sprintf(`{"question":%s}`, quoted),
		"cut":           fmt.Sprintf(`{"type":"span","prompt":"%s`, canary),
		"text":          canary,
		"posthog":       fmt.Sprintf(`{"event":"$ai_generation","uuid":"1","properties":%s,"timestamp":"2026-11-20 14:32:00.123","person_properties":%s,"distinct_id":%s}`, inner, quoted, quoted),
		"helicone":      fmt.Sprintf(`{"value":%s}`, log),
		"cloudevents":   fmt.Sprintf(`{"specversion":"1.0","subject":%[1]s,"data":{"type":"span","time":"2026-11-20T14:32:00Z","prompt":"p","x":%[1]s}}`, quoted),
	} {
		for _, encoding := range append([]string{""}, sortedKeys(formats)...) {
			r, text, inJSON := report(t, options(encoding), []byte(record))
			if strings.Contains(text, "CANARY") || strings.Contains(text, "customer") {
				t.Errorf("%s as %q:\n%s", name, encoding, text)
			}
			if strings.Contains(inJSON, "CANARY") || strings.Contains(inJSON, "customer") {
				t.Errorf("%s as %q:\n%s", name, encoding, inJSON)
			}
			if encoding == "" && len(r.Events) == 0 && !slices.Contains([]string{"no type", "cut", "text"}, name) {
				t.Errorf("%s is no event:\n%s", name, text)
			}
		}
	}
}

// TestNativeKeys holds the list of native keys against the decoder: it reads each of them.
func TestNativeKeys(t *testing.T) {
	p, err := consumer.NewProbe(options("").Config, consumer.SourceTopic{Encoding: "driftd_json"})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range append(slices.Clone(nativeKeys), "tier") {
		twice := fmt.Appendf(nil, `{%[1]q:null,%[1]q:null}`, key)
		known := strings.Contains(p.Record(&consumer.Record{Value: twice}).Fault.Detail, "stands twice")
		if unused := key == "provider" || key == "source"; known == unused {
			t.Errorf("%s: %v", key, known)
		}
	}
}

func TestNearNames(t *testing.T) {
	near := func(key, field string) {
		t.Helper()
		for _, f := range []string{"prompt", "version", "model", "input_tokens", "output_tokens", "cost", "tier"} {
			if got := resembles(words(key), f); got != (f == field) {
				t.Errorf("%s as %s: %v", key, f, got)
			}
		}
	}
	near("my.prompt", "prompt")
	near("promptName", "prompt")
	near("llm.prompt_template_id", "prompt")
	near("prompt_version", "version")
	near("app.promptVersion", "version")
	near("prompt.version_name", "version")
	near("llm_model", "model")
	near("usage.prompt_tokens", "input_tokens")
	near("usage.completionTokens", "output_tokens")
	near("llm.cost_usd", "cost")
	near("user.tier", "tier")
	near("customerTier", "tier")
	for _, key := range []string{
		"gen_ai.prompt", "gen_ai.prompt.0.content", "prompt.text", "prompt_variables", "service.version", "telemetry.sdk.version", "prompt.hash", "frontier", "",
	} {
		near(key, "")
	}

	native := func(key, want string) {
		t.Helper()
		if got := nativeKey(key, []string{"tier", "locale"}); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	native("prompt_name", "prompt")
	native("traceId", "trace_id")
	native("latency_ms", "latency")
	native("completion_tokens", "output_tokens")
	native("lokale", "locale")
	native("question", "")
	native("id", "")
}

// TestTrialSeesWhatDecides takes records apart whose keys depend on each other.
func TestTrialSeesWhatDecides(t *testing.T) {
	find := func(r *Report, name string) *Field {
		for i := range r.Events[0].Fields {
			if f := &r.Events[0].Fields[i]; f.Field == name {
				return f
			}
		}
		return &Field{}
	}
	r, _, _ := report(t, options(""), []byte(`{"event":"$ai_generation","uuid":"1","timestamp":"2026-11-20 14:32:00.123","properties":
		"{\"$ai_prompt_name\":\"p\",\"$ai_prompt_version\":7,\"$ai_prompt_source\":\"code_fallback\",\"$ai_is_error\":false,\"$ai_http_status\":500,\"note\":\"x\"}"}`))
	if f := find(r, "version"); f.Value != "" || len(f.PassedOver) != 1 || f.PassedOver[0].Attribute != "$ai_prompt_source" {
		t.Errorf("version: %+v", f)
	}
	if f := find(r, "error"); f.Value != "no" || f.Attribute != "$ai_is_error" || len(f.PassedOver) != 1 || f.PassedOver[0].Attribute != "$ai_http_status" {
		t.Errorf("error: %+v", f)
	}
	if f := find(r, "kind"); f.Attribute != "event" {
		t.Errorf("kind: %+v", f)
	}
	if e := &r.Events[0]; !slices.Equal(e.NotRead, []string{"$ai_prompt_version", "note"}) && !slices.Equal(e.NotRead, []string{"note"}) {
		t.Errorf("not read: %q", e.NotRead)
	}
	// Of two names for one thing that agree, the one that is taken is known too.
	r, _, _ = report(t, options(""), []byte(`{"heliconeMeta":{},"log":{"request":{"id":"1","promptId":"p","promptVersion":"3","properties":
		{"Helicone-Prompt-Id":"p"}},"response":{"responseCreatedAt":"2026-11-20T14:32:00Z"}}}`))
	if f := find(r, "prompt"); f.Attribute != "log.request.promptId" || len(f.PassedOver) != 1 || f.PassedOver[0].Attribute != "log.request.properties.Helicone-Prompt-Id" {
		t.Errorf("prompt: %+v", f)
	}
}

// TestHints holds what is suggested where lists name properties.
func TestHints(t *testing.T) {
	f := func(record, want string) {
		t.Helper()
		r, text, _ := report(t, options(""), []byte(record))
		if len(r.Events) != 1 || !slices.ContainsFunc(r.Events[0].Hints, func(h string) bool { return strings.Contains(h, want) }) {
			t.Errorf("%s is not said:\n%s", want, text)
		}
	}
	f(`{"event":"$ai_generation","uuid":"1","timestamp":"2026-11-20 14:32:00.123","properties":"{\"$ai_trace_id\":\"t\",\"my_prompt\":\"p\",\"$ai_input\":\"x\"}"}`,
		"attributes: {prompt: [my_prompt]}")
	f(`{"heliconeMeta":{"otherPromptId":"x"},"log":{"request":{"id":"1","properties":{"App-Prompt-Name":"p","App-Prompt-Version":"2"}},
		"response":{"responseCreatedAt":"2026-11-20T14:32:00Z"}}}`, "attributes: {prompt: [app-prompt-name], version: [app-prompt-version]}")
	f(`{"heliconeMeta":{"otherPromptId":"x"},"log":{"request":{"id":"1"},"response":{"responseCreatedAt":"2026-11-20T14:32:00Z"}}}`,
		"`Helicone-Prompt-Id` and `Helicone-Prompt-Version`")
	f(`{"type":"span","time":"2026-11-20T14:32:00Z","prompt":"p"}`, "have its producer set `version`")
	f(`{"type":"span","time":"2036-11-20T14:32:00Z","prompt":"p"}`, "clock")
	f(`{"type":"span","time":1763649120,"prompt":"p"}`, "Unix nanoseconds")
	f(`{"type":"score","time":"2026-11-20T14:32:00Z","trace_id":"5b8efff798038103d269b633813fc60c","rubric":"r","value":1}`, "it counts when spans of its trace have been read")
}

// TestLineFeedBehindRecord is what tools print that write one record a line.
func TestLineFeedBehindRecord(t *testing.T) {
	record, err := os.ReadFile("../../consumer/otlp/testdata/producers/gosdk/spans-1.otlp_proto")
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := report(t, options(""), record)
	if _, got, _ := report(t, options(""), append(record, '\n')); got != want {
		t.Errorf("%s", got)
	}
}

// TestManyKeys finds what is read among thousands of keys, and each score's own.
func TestManyKeys(t *testing.T) {
	b := []byte("{")
	for i := range 5000 {
		b = fmt.Appendf(b, `"k%d":%d,`, i, i)
	}
	b = append(b, `"type":"span","time":"2026-11-20T14:32:00Z","prompt":"p","scores":{"a":0,"b":1,"c":0.5},"tier":"a"}`...)
	r, _, _ := report(t, options(""), b)
	e := &r.Events[0]
	from := map[string]string{}
	for _, f := range e.Fields {
		from[f.Field] = f.Attribute
	}
	if from["prompt"] != "prompt" || from["tier"] != "tier" || from["kind"] != "type" || len(e.NotRead) != 5000 {
		t.Errorf("%v, %d keys are not read", from, len(e.NotRead))
	}
	for _, s := range e.Scores {
		if s.Attribute != "scores."+s.Rubric {
			t.Errorf("score %s is from %s", s.Rubric, s.Attribute)
		}
	}
}

// TestSpansOfOneKind are told once.
func TestSpansOfOneKind(t *testing.T) {
	span := func(trace int, model string) string {
		return fmt.Sprintf(`{"traceId":"%032x","spanId":"eee19b7ec3c1b174","name":"chat","endTimeUnixNano":"1763649121000000000","attributes":[
			{"key":"gen_ai.prompt.name","value":{"stringValue":"p%d"}},{"key":%q,"value":{"stringValue":"m"}}]}`, trace, trace, model)
	}
	_, text, _ := report(t, options("otlp_json"), []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[`+
		span(1, "gen_ai.request.model")+","+span(2, "gen_ai.response.model")+","+span(3, "gen_ai.request.model")+`]}]}]}`))
	if n := strings.Count(text, "the span's status"); n != 2 || !strings.Contains(text, "counts as a call of p3 without a version\n\n  all from the same places as of [1] chat\n") {
		t.Errorf("%d tables:\n%s", n, text)
	}
}

func FuzzExplain(f *testing.F) {
	for _, pattern := range []string{"../../consumer/otlp/testdata/producers/*/*.otlp_*", "../../consumer/*/testdata/*.json"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			record, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(record)
		}
	}
	f.Add([]byte(`{"type":"score","time":1,"scores":{"a":0,"b":"x"},"":[{}],"\u2028":null}`))
	f.Add([]byte("{\"a\":1\n\n{"))
	f.Fuzz(func(t *testing.T, record []byte) {
		r, text, _ := report(t, options(""), record)
		if r.Verdict == "" || text == "" {
			t.Errorf("nothing is said of %q", record)
		}
	})
}

// What dedup of a source does with a record is said: of events that stand in it twice, and of those that it cannot know.
func TestDedup(t *testing.T) {
	call := func(ids string) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[{` + ids + `"name":"chat","startTimeUnixNano":"1798761500000000000","endTimeUnixNano":"1798761501000000000",
			"attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"prompt.name","value":{"stringValue":"p"}},{"key":"prompt.version","value":{"stringValue":"v1"}}]}]}]}]}`
	}
	ids := `"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174",`
	one := call(ids)
	resource := one[len(`{"resourceSpans":[`) : len(one)-len(`]}`)]
	f := func(record string, dedup time.Duration, wants ...string) {
		t.Helper()
		o := options("otlp_json")
		o.Topic.Dedup = dedup
		_, text, _ := report(t, o, []byte(record))
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("dedup %s: no %q in\n%s", dedup, want, text)
			}
		}
		if says := strings.Contains(text, "dedup"); says != (dedup > 0 && len(wants) > 1) {
			t.Errorf("dedup %s: speaks of it: %t\n%s", dedup, says, text)
		}
	}
	twice := `{"resourceSpans":[` + resource + `,` + resource + `]}`
	f(twice, 0, "is used: 2 count")
	f(twice, time.Minute, "is used: 1 counts, 1 came before", "is not counted: an event of its id stands before it, and `dedup` of its source counts one")
	f(call(""), time.Minute, "counts as a call of p v1", "without both it counts as often as it is sent")
	f(call(""), 0, "counts as a call of p v1")
	f(one, time.Minute, "counts as a call of p v1")
}
