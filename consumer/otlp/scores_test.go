package otlp_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/windows"
)

// say writes an event in a line: its kind, what it is about, labels, scores and fault.
func say(e *consumer.Event) string {
	var b strings.Builder
	switch {
	case e.Kind == consumer.Score:
		b.WriteString("score of")
	case e.Call:
		b.WriteString("call")
	default:
		b.WriteString("span")
	}
	for _, id := range [][]byte{e.Trace[:], e.Span[:]} {
		if id = bytes.TrimRight(id, "\x00"); len(id) == 0 {
			b.WriteString(" –")
		} else {
			b.WriteString(" " + hex.EncodeToString(id))
		}
	}
	for _, l := range []struct {
		name string
		text []byte
	}{{"prompt", e.Prompt}, {"version", e.Version}, {"tier", e.Dimensions[0]}, {"environment", e.Environment}, {"response", e.Response}} {
		if len(l.text) > 0 {
			fmt.Fprintf(&b, " %s=%s", l.name, l.text)
		}
	}
	for _, s := range e.Scores {
		fmt.Fprintf(&b, " %s:", s.Rubric)
		if s.HasValue {
			fmt.Fprint(&b, s.Value)
		}
		b.Write(s.Label)
	}
	if e.Kind == consumer.Score && e.Has != 0 {
		b.WriteString(" with figures")
	}
	if e.Fault.Reason != consumer.Fine {
		b.WriteString(" " + e.Fault.Reason.String())
	}
	fmt.Fprintf(&b, " @%d", e.Time)
	return b.String()
}

// said checks what is made of a request in both encodings.
func said(t *testing.T, proto []byte, logs bool, want ...string) {
	t.Helper()
	for encoding, d := range map[string]consumer.Decoder{"protobuf": otlp.New(tableOf(t)), "JSON": otlp.NewJSON(tableOf(t))} {
		record := proto
		if encoding == "JSON" {
			record = transcode(t, proto, logs)
		}
		var got []string
		if err := d.Decode(record, func(e *consumer.Event) { got = append(got, say(e)) }); err != nil {
			t.Errorf("%s: %v", encoding, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", encoding, d)
		}
	}
}

const result = "gen_ai.evaluation.result"

func grounding(more ...any) attrs {
	return kv(append([]any{"gen_ai.evaluation.name", "grounding", "gen_ai.evaluation.score.value", 0.5}, more...)...)
}

func TestLogRecords(t *testing.T) {
	ids := otlpgen.Log{Trace: []byte{1, 15: 0}, Span: []byte{2, 7: 0}, Time: 7, Observed: 9}
	log := func(name string, body any, attributes attrs) otlpgen.Log {
		l := ids
		l.Name, l.Body, l.Attributes = name, body, attributes
		return l
	}
	late := log(result, nil, grounding())
	late.Time = 0
	short := log(result, nil, grounding())
	short.Trace = []byte{1, 2, 3}
	nowhere := log(result, nil, grounding("gen_ai.response.id", "msg_1"))
	nowhere.Trace, nowhere.Span = nil, nil
	for name, tc := range map[string]struct {
		log  otlpgen.Log
		want []string
	}{
		"by its field":                  {log(result, nil, grounding()), []string{"score of 01 02 environment=prod grounding:0.5 @7"}},
		"by its attribute":              {log("", nil, grounding("event.name", result)), []string{"score of 01 02 environment=prod grounding:0.5 @7"}},
		"the field decides":             {log("other", nil, grounding("event.name", result)), nil},
		"the field decides for it":      {log(result, nil, grounding("event.name", "other")), []string{"score of 01 02 environment=prod grounding:0.5 @7"}},
		"the first attribute decides":   {log("", nil, grounding("event.name", "other", "event.name", result)), nil},
		"another attribute":             {log("", nil, grounding("event.name", "gen_ai.choice")), nil},
		"an attribute that is a number": {log("", nil, grounding("event.name", 5)), nil},
		"no name":                       {log("", secret, grounding()), nil},
		"a user's message":              {log("gen_ai.user.message", kv("content", secret), kv("gen_ai.system", "x")), nil},
		"a log line":                    {log("", "GET /index.html", nil), nil},
		"in its body":                   {log(result, kv("gen_ai.evaluation.name", "tone", "gen_ai.evaluation.score.label", "fair"), nil), []string{"score of 01 02 environment=prod tone:fair @7"}},
		"attributes before the body": {log(result, kv("gen_ai.evaluation.name", "tone", "gen_ai.response.id", "msg_1"), grounding()),
			[]string{"score of 01 02 environment=prod response=msg_1 grounding:0.5 @7"}},
		"a body of text":        {log(result, secret, grounding()), []string{"score of 01 02 environment=prod grounding:0.5 @7"}},
		"observed":              {late, []string{"score of 01 02 environment=prod grounding:0.5 @9"}},
		"by its response":       {nowhere, []string{"score of – – environment=prod response=msg_1 grounding:0.5 @7"}},
		"with a prompt":         {log(result, nil, grounding("prompt.name", "refund", "prompt.version", "v2", "prompt.tier", "free")), []string{"score of 01 02 prompt=refund version=v2 tier=free environment=prod grounding:0.5 @7"}},
		"about another span":    {log(result, nil, grounding("gen_ai.evaluation.target_span_id", "0500000000000000")), []string{"score of 01 05 environment=prod grounding:0.5 @7"}},
		"about no span":         {log(result, nil, grounding("gen_ai.evaluation.target_span_id", "five")), []string{"score of 01 02 environment=prod grounding:0.5 bad_id @7"}},
		"figures are no figure": {log(result, nil, grounding("gen_ai.usage.input_tokens", 5)), []string{"score of 01 02 environment=prod grounding:0.5 @7"}},
		"a bad id":              {short, []string{"score of – 02 environment=prod grounding:0.5 bad_id @7"}},
		"a label":               {log(result, nil, kv("gen_ai.evaluation.name", "verdict", "gen_ai.evaluation.score.label", "pass", "gen_ai.evaluation.explanation", secret)), []string{"score of 01 02 environment=prod verdict:pass @7"}},
		"no rubric":             {log(result, nil, kv("gen_ai.evaluation.score.value", 1)), []string{"score of 01 02 environment=prod :1 @7"}},
		"nothing":               {log(result, nil, nil), []string{"score of 01 02 environment=prod : @7"}},
	} {
		t.Run(name, func(t *testing.T) {
			said(t, otlpgen.AppendLogs(nil, kv("deployment.environment.name", "prod"), tc.log), true, tc.want...)
		})
	}
}

func TestWhomScoresAreAbout(t *testing.T) {
	link := func(trace, span byte) otlpgen.Link {
		return otlpgen.Link{Trace: []byte{trace, 15: 0}, Span: []byte{span, 7: 0}}
	}
	event := otlpgen.Event{Name: result, Attributes: kv("gen_ai.evaluation.name", "tone", "gen_ai.evaluation.score.value", 1)}
	other := otlpgen.Event{Name: "exception", Attributes: kv("gen_ai.evaluation.name", "no")}
	with := func(attributes attrs, links ...otlpgen.Link) otlpgen.Span {
		return otlpgen.Span{Trace: []byte{1, 15: 0}, ID: []byte{2, 7: 0}, Attributes: attributes, Links: links, End: 7}
	}
	and := func(s otlpgen.Span, events ...otlpgen.Event) otlpgen.Span {
		s.Events = events
		return s
	}
	judge := kv("gen_ai.operation.name", "chat", "prompt.name", "judge")
	for name, tc := range map[string]struct {
		span otlpgen.Span
		want []string
	}{
		"an event":                         {and(with(judge), other, event), []string{"call 01 02 prompt=judge tone:1 @7"}},
		"an event, and a link to anything": {and(with(judge, link(8, 9)), event), []string{"call 01 02 prompt=judge tone:1 @7"}},
		"attributes":                       {with(grounding()), []string{"span 01 02 grounding:0.5 @7"}},
		"attributes and a link":            {with(grounding(), link(8, 9)), []string{"span 01 02 @7", "score of 08 09 grounding:0.5 @7"}},
		"the judge is a call":              {with(append(grounding(), judge...), link(8, 9)), []string{"call 01 02 prompt=judge @7", "score of 08 09 grounding:0.5 @7"}},
		"two links":                        {with(grounding(), link(8, 9), link(8, 10)), []string{"span 01 02 grounding:0.5 @7"}},
		"an empty link":                    {with(grounding(), otlpgen.Link{}), []string{"span 01 02 grounding:0.5 @7"}},
		"a link with a bad id":             {with(grounding(), otlpgen.Link{Trace: []byte{8, 15: 0}, Span: []byte{9}}), []string{"span 01 02 @7", "score of 08 – grounding:0.5 bad_id @7"}},
		"a target":                         {with(grounding("gen_ai.evaluation.target_span_id", "0500000000000000")), []string{"span 01 02 @7", "score of 01 05 grounding:0.5 @7"}},
		"a link before a target":           {with(grounding("gen_ai.evaluation.target_span_id", "0500000000000000"), link(8, 9)), []string{"span 01 02 @7", "score of 08 09 grounding:0.5 @7"}},
		"a target beside two links": {with(grounding("gen_ai.evaluation.target_span_id", "0500000000000000"), link(8, 9), link(8, 10)),
			[]string{"span 01 02 @7", "score of 01 05 grounding:0.5 @7"}},
		"a link without a score": {with(judge, link(8, 9)), []string{"call 01 02 prompt=judge @7"}},
		"annotations are about the span that has them": {with(append(judge, kv("annotations.0.annotation.name", "tone", "annotations.0.annotation.score", 1)...), link(8, 9)),
			[]string{"call 01 02 prompt=judge tone:1 @7"}},
		"evaluations are about the linked one": {with(kv("evaluations.0.evaluation.name", "tone", "evaluations.0.evaluation.score", 1, "evaluations.1.evaluation.name", "tact", "evaluations.1.evaluation.label", "some"), link(8, 9)),
			[]string{"span 01 02 @7", "score of 08 09 tone:1 tact:some @7"}},
		"all on an evaluator are": {and(with(kv("openinference.span.kind", "EVALUATOR", "annotations.0.annotation.name", "tact", "annotations.0.annotation.score", 0), link(8, 9)), event),
			[]string{"span 01 02 @7", "score of 08 09 tone:1 tact:0 @7"}},
		"an evaluator of Langfuse":      {and(with(kv("langfuse.observation.type", "evaluator"), link(8, 9)), event), []string{"span 01 02 @7", "score of 08 09 tone:1 @7"}},
		"an evaluator without a link":   {and(with(kv("openinference.span.kind", "EVALUATOR")), event), []string{"span 01 02 tone:1 @7"}},
		"a prompt that is an evaluator": {and(with(append(judge[:1:1], kv("prompt.name", "evaluator")...), link(8, 9)), event), []string{"call 01 02 prompt=evaluator tone:1 @7"}},
		"an evaluation as JSON": {
			and(with(judge), otlpgen.Event{Name: "langwatch.evaluation.custom", Attributes: kv("json_encoded_event", `{"name":"tone","score":0.25,"passed":true,"details":"`+secret+`"}`)}),
			[]string{"call 01 02 prompt=judge tone:0.25 @7"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			// A span behind it shows that nothing is left over.
			said(t, otlpgen.AppendSpans(nil, nil, tc.span, with(grounding())), false, append(tc.want, "span 01 02 grounding:0.5 @7")...)
		})
	}
}

// TestStatusCodes reads names of codes, as some producers' JSON has them, and numbers.
func TestStatusCodes(t *testing.T) {
	d := otlp.NewJSON(tableOf(t))
	for code, want := range map[string]float64{`2`: 1, `"STATUS_CODE_ERROR"`: 1, `1`: 0, `"STATUS_CODE_OK"`: 0, `0`: 0, `null`: 0} {
		record := `{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":"SPAN_KIND_CLIENT","status":{"message":"` + secret + `","code":` + code + `},
			"attributes":[{"key":"gen_ai.request.model","value":{"stringValue":"m"}}]}]}]}]}`
		n := 0
		err := d.Decode([]byte(record), func(e *consumer.Event) {
			if n++; !e.Call || e.Values[windows.BuiltinError] != want {
				t.Errorf("%s: %+v", code, *e)
			}
		})
		if err != nil || n != 1 {
			t.Errorf("%s: %d events, %v", code, n, err)
		}
	}
}

// TestNumbersInJSON reads numbers as they are and in texts.
func TestNumbersInJSON(t *testing.T) {
	d := otlp.NewJSON(tableOf(t))
	for value, want := range map[string]string{
		`{"intValue":"41"}`: "41", `{"intValue":41}`: "41", `{"intValue":"-9223372036854775808"}`: "-9.223372036854776e+18", `{"doubleValue":1.5}`: "1.5", `{"doubleValue":"1.5"}`: "1.5",
		`{"doubleValue":3}`: "3", `{"doubleValue":1e-3}`: "0.001", `{"doubleValue":"NaN"}`: "NaN", `{"doubleValue":"Infinity"}`: "+Inf", `{"doubleValue":"-Infinity"}`: "-Inf",
		`{"doubleValue":1e999}`: "+Inf", `{"stringValue":"4\u0031"}`: "41", `{"unknownValue":{},"intValue":"5"}`: "5",
	} {
		record := `{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":1763640000000000000,"endTimeUnixNano":"1763640001000000000",
			"attributes":[{"key":"gen_ai.usage.cost","value":` + value + `}]}]}]}]}`
		got := ""
		err := d.Decode([]byte(record), func(e *consumer.Event) {
			got = fmt.Sprint(e.Values[windows.BuiltinCost])
			if e.Time != 1763640001000000000 || e.Values[windows.BuiltinLatency] != 1 {
				t.Errorf("%+v", *e)
			}
		})
		if err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", value, got, err, want)
		}
	}
}
