package driftdjson

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/windows"
)

func newDecoder(t testing.TB) *decoder {
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale"}, {Name: "variant"}}})
	if err != nil {
		t.Fatal(err)
	}
	return New(attrs).(*decoder)
}

// The examples of the format's description.
const exampleSpan = `{"type":"span","time":"2026-11-20T14:32:00.123Z","trace_id":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b174",
 "prompt":"refund_handler","version":"v18","tier":"enterprise","locale":"de","variant":"control","environment":"production",
 "template_hash":"b1d7e4","model":"claude-4-7-sonnet-20260301","provider":"anthropic","fallback":false,"error":false,
 "latency":1.234,"ttft":0.21,"input_tokens":1240,"output_tokens":180,"cost":0.0028,"scores":{"citation_grounding":0.91}}`

const exampleScore = `{"type":"score","time":"2026-11-20T14:32:05Z","prompt":"refund_handler","version":"v18","tier":"enterprise","locale":"de",
 "rubric":"verdict","label":"pass","trace_id":"5b8efff798038103d269b633813fc60c"}`

func TestExamples(t *testing.T) {
	d := newDecoder(t)
	n := 0
	if err := d.Decode([]byte(exampleSpan), func(e *consumer.Event) {
		n++
		values := [windows.NumBuiltin]float64{1.234, 0.21, 1240, 180, 0.0028, 0, 0}
		if e.Kind != consumer.Span || !e.Call || e.Time != time.Date(2026, 11, 20, 14, 32, 0, 123e6, time.UTC).UnixNano() ||
			e.Trace != [16]byte{0x5b, 0x8e, 0xff, 0xf7, 0x98, 0x03, 0x81, 0x03, 0xd2, 0x69, 0xb6, 0x33, 0x81, 0x3f, 0xc6, 0x0c} ||
			e.Span != [8]byte{0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74} || e.Has != 1<<windows.NumBuiltin-1 || e.Values != values ||
			string(e.Prompt) != "refund_handler" || string(e.Version) != "v18" || string(e.Variant) != "control" || string(e.Environment) != "production" ||
			string(e.TemplateHash) != "b1d7e4" || string(e.Model) != "claude-4-7-sonnet-20260301" || e.Fault.Reason != consumer.Fine {
			t.Errorf("%+v", e)
		}
		if string(e.Dimensions[0]) != "enterprise" || string(e.Dimensions[1]) != "de" || string(e.Dimensions[2]) != "control" {
			t.Errorf("dimensions %q", e.Dimensions)
		}
		if len(e.Scores) != 1 || string(e.Scores[0].Rubric) != "citation_grounding" || e.Scores[0].Value != 0.91 {
			t.Errorf("scores %+v", e.Scores)
		}
	}); err != nil {
		t.Error(err)
	}
	if err := d.Decode([]byte(exampleScore), func(e *consumer.Event) {
		n++
		if e.Kind != consumer.Score || e.Call || e.Has != 0 || len(e.Scores) != 1 || string(e.Scores[0].Label) != "pass" || e.Scores[0].HasValue ||
			e.Span != [8]byte{} || len(e.Dimensions[2]) != 0 {
			t.Errorf("%+v", e)
		}
	}); err != nil {
		t.Error(err)
	}
	if n != 2 {
		t.Errorf("%d events", n)
	}
}

func TestEscapesAndOrder(t *testing.T) {
	d := newDecoder(t)
	if err := d.Decode([]byte(` {"value":-0.5,"rubric":"r","prompt":"a\u0062\/\"","time":1763640000000000000,"type":"score"} `), func(e *consumer.Event) {
		if e.Kind != consumer.Score || string(e.Prompt) != `ab/"` || e.Time != 1763640000e9 || len(e.Scores) != 1 || e.Scores[0].Value != -0.5 {
			t.Errorf("%+v", e)
		}
	}); err != nil {
		t.Error(err)
	}
}

// FuzzTime holds the short way of reading times against the time package.
func FuzzTime(f *testing.F) {
	for _, s := range []string{
		"2026-11-20T14:32:00Z", "2026-11-20T14:32:00.123456789Z", "2026-11-20T14:32:60Z", "2026-11-20T24:00:00Z", "2026-11-20T14:32:00.Z", "2026-11-20T14:32:00.1234567891Z",
		"2026-11-20t14:32:00Z", "2026-11-20T14:32:00+01:00", "2026-02-29T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59.5Z",
	} {
		f.Add("2026-11-20T00:00:00Z", s)
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, before, s string) {
		var c dayCache
		c.parse([]byte(before))
		got, ok := c.parse([]byte(s))
		want, err := time.Parse(time.RFC3339Nano, s)
		if ok != (err == nil) {
			t.Fatalf("%q: read %v, the time package says %v", s, ok, err)
		}
		if ok && want.Year() >= 1700 && want.Year() <= 2200 && got != want.UnixNano() {
			t.Errorf("%q: %d, want %d", s, got, want.UnixNano())
		}
	})
}

func FuzzDecode(f *testing.F) {
	c := otlpgen.Call{
		Trace: [16]byte{1}, Span: [8]byte{2}, Start: time.Unix(1e9, 0), End: time.Unix(1e9+1, 0), Prompt: "p", Version: "v1", Tier: "t", Locale: "l", Model: "m",
		InputTokens: 1, Cost: 0.1, Failed: true, Scores: []otlpgen.Score{{Rubric: "r", Value: 1}},
	}
	f.Add(otlpgen.AppendNative(nil, &c))
	f.Add(otlpgen.AppendNativeScore(nil, &c, otlpgen.Score{Rubric: "verdict", Label: "pass"}, c.End))
	f.Add([]byte(exampleSpan))
	f.Add([]byte(`{"type":"span","x":[[{"y":null}]],"scores":{"a":1,"b":null},"version":7}`))
	d := newDecoder(f)
	f.Fuzz(func(t *testing.T, record []byte) {
		show := func(d *decoder) (out string, err error) {
			err = d.Decode(record, func(e *consumer.Event) { out = fmt.Sprintf("%q", fmt.Sprint(*e)) })
			return out, err
		}
		used, err := show(d) // its guesses are from other records
		fresh, again := show(newDecoder(t))
		if used != fresh || fmt.Sprint(err) != fmt.Sprint(again) {
			t.Errorf("%q depends on the records before: %s, %v; %s, %v", record, used, err, fresh, again)
		}
		if err == nil && !json.Valid(record) {
			t.Errorf("read what is no JSON: %q", record)
		}
		if err == nil {
			return
		}
		refused, ok := err.(*consumer.RecordError)
		if !ok {
			t.Fatalf("%T: %v", err, err)
		}
		if refused.Reason == consumer.Malformed && json.Valid(record) {
			t.Errorf("refused well-formed JSON: %q: %v", record, err)
		}
	})
}
