package posthog

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
)

const canary = "the customer's own words"

// texts is all bytes that can be reached from a value.
func texts(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			return string(v.Bytes()) + "\n"
		}
		var b strings.Builder
		for i := range v.Len() {
			b.WriteString(texts(v.Index(i)))
		}
		return b.String()
	case reflect.Struct:
		var b strings.Builder
		for i := range v.NumField() {
			b.WriteString(texts(v.Field(i)))
		}
		return b.String()
	case reflect.Pointer:
		return texts(v.Elem())
	case reflect.String:
		return v.String() + "\n"
	}
	return ""
}

// prosaic is a row that has the canary wherever text may stand, and labels where labels do.
func prosaic(event, text string) []byte {
	properties := map[string]any{
		"$ai_prompt_name": "p", "$ai_prompt_version": 1, "$ai_model": "m", "$ai_trace_id": "t", "$ai_evaluation_name": "r", "$ai_evaluation_result": true,
		"$ai_metric_name": "r", "$ai_metric_value": 1, "tier": "pro",
	}
	for _, key := range []string{
		"$ai_input", "$ai_output", "$ai_output_choices", "$ai_input_state", "$ai_output_state", "$ai_error", "$ai_evaluation_reasoning", "$ai_feedback_text",
		"$ai_sentiment_messages", "$ai_tools", "$ai_span_name", "$current_url", "anything", text,
	} {
		properties[key] = text
		properties[key+"_nested"] = []any{map[string]any{"content": text, text: text}}
	}
	inner, _ := json.Marshal(properties)
	outer, _ := json.Marshal(map[string]any{
		"uuid": generation, "event": event, "properties": string(inner), "timestamp": "2026-11-20 14:32:00.123", "distinct_id": text, "elements_chain": text,
		"person_properties": `{"email":` + quote(text) + `}`, text: text, "group0_properties": text,
	})
	return outer
}

func TestNoTextLeaves(t *testing.T) {
	d := newDecoder(t, nil)
	for event := range kinds {
		events := 0
		record := prosaic(event, canary)
		if err := d.Decode(record, func(e *consumer.Event) {
			events++
			if all := texts(reflect.ValueOf(e)); strings.Contains(all, canary) || !strings.Contains(all, "pro") {
				t.Errorf("%s: %q", event, all)
			}
		}); err != nil || events != 1 {
			t.Errorf("%s: %d events, %v", event, events, err)
		}
		for cut := range record {
			if err := d.Decode(record[:cut], func(*consumer.Event) {}); err != nil && strings.Contains(err.Error(), "customer") {
				t.Errorf("%s: %v", event, err)
			}
		}
	}
}

// FuzzText holds that no text changes what comes out, nor comes out itself.
func FuzzText(f *testing.F) {
	f.Add("a\"b\\n{}[],:\u2028")
	f.Add(`","$ai_prompt_name":"q`)
	f.Add(`\",\"$ai_prompt_name\":\"q`)
	f.Add("\xff\x00\ud7ff")
	d := newDecoder(f, nil)
	f.Fuzz(func(t *testing.T, text string) {
		got := decode(t, d, prosaic("$ai_generation", canary+text))
		if got == nil || got.Prompt != "p" || got.Version != "1" || got.Dimensions != "pro||m" || strings.Contains(fmt.Sprint(got), canary) {
			t.Errorf("%+v", got)
		}
	})
}

func FuzzDecode(f *testing.F) {
	files, err := os.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if !file.IsDir() {
			f.Add(fixture(f, strings.TrimSuffix(file.Name(), ".json")))
		}
	}
	f.Add([]byte(row("$ai_evaluation", `{"$ai_evaluation_categorical_result":["a"],"$ai_trace_id":1e5,"$ai_target_type":"trace","$ai_target_id":"x"}`)))
	f.Add([]byte(`{"event":"$ai_metric","properties":{"$ai_metric_value":-0.0,"tier":true},"timestamp":"2026-11-20T14:32:00+01:00"}`))
	d := newDecoder(f, nil)
	f.Fuzz(func(t *testing.T, record []byte) {
		show := func(d *decoder) (out string, err error) {
			err = d.Decode(record, func(e *consumer.Event) { out = fmt.Sprintf("%q", fmt.Sprint(*e)) })
			return out, err
		}
		used, err := show(d)
		fresh, again := show(New(d.attrs).(*decoder))
		if used != fresh || fmt.Sprint(err) != fmt.Sprint(again) {
			t.Errorf("%q depends on the records before: %s, %v; %s, %v", record, used, err, fresh, again)
		}
		if used != "" && !json.Valid(record) {
			t.Errorf("read what is no JSON: %q", record)
		}
		var refused *consumer.RecordError
		if err != nil && !errors.As(err, &refused) {
			t.Fatalf("%T: %v", err, err)
		}
		if err != nil && refused.Reason == consumer.Malformed && !strings.HasSuffix(refused.Detail, inProperties) && json.Valid(record) {
			t.Errorf("refused well-formed JSON: %q: %v", record, err)
		}
	})
}

// FuzzTime holds the short way of reading times against the time package.
func FuzzTime(f *testing.F) {
	for _, s := range []string{
		"2026-11-20 14:32:00", "2026-11-20 14:32:00.123", "2026-11-20 14:32:00.123456", "2026-11-20T14:32:00.123456789Z", "2026-11-20 14:32:60", "2026-02-29 00:00:00",
		"2026-11-20 24:00:00", "2026-11-20 14:32:00.", "2026-11-20 14:32:00+01:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999", "1969-12-31 23:59:59.5", "2026-11-20 14:32:00.0000000001",
	} {
		f.Add("2026-11-20 00:00:00", s)
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, before, s string) {
		var d day
		d.parse([]byte(before))
		got, ok := d.parse([]byte(s))
		want, wantOK := time.Time{}, false
		if len(s) > 18 && s[13] == ':' && (s[10] == ' ' || s[10] == 'T') && !strings.Contains(s, ",") {
			for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
				if at, err := time.Parse(layout, s[:10]+"T"+s[11:]); err == nil {
					want, wantOK = at, true
				}
			}
		}
		if ok != wantOK && !(wantOK && len(s) > 29) { // more than 9 digits
			t.Fatalf("%q: read %v, the time package says %v", s, ok, wantOK)
		}
		if ok && want.Year() >= 1700 && want.Year() <= 2200 && got != want.UnixNano() {
			t.Errorf("%q: %d, want %d", s, got, want.UnixNano())
		}
	})
}

func TestIDs(t *testing.T) {
	if traceID([]byte("3f2a7c9e-51d4-4b8e-9a63-0c7be1d2f845")) != traceID([]byte("3F2A7C9E51D44B8E9A630C7BE1D2F845")) {
		t.Error("a UUID with dashes and one without are two traces")
	}
	if traceID(nil) != [16]byte{} || spanID(nil) != [8]byte{} {
		t.Error("no text is an id")
	}
	known := map[any]string{}
	for _, text := range []string{
		"3f2a7c9e-51d4-4b8e-9a63-0c7be1d2f845", "3f2a7c9e-51d4-4b8e-9a63-0c7be1d2f846", "3f2a7c9e-51d4-4b8e-9a63-0c7be1d2f84g", "3f2a7c9e+51d4-4b8e-9a63-0c7be1d2f845", "a", "A", "run 1",
	} {
		for _, id := range []any{traceID([]byte(text)), spanID([]byte(text))} {
			if other, twice := known[id]; twice {
				t.Errorf("%q and %q have one id", text, other)
			}
			known[id] = text
		}
	}
	// Ids of version 7 made in one millisecond share their first half.
	if spanID([]byte("0199c0de-4a10-7e55-8d21-6b1c3f90aa17")) == spanID([]byte("0199c0de-4a10-7e55-8d21-6b1c3f90aa18")) {
		t.Error("two UUIDs have one span id")
	}
}

func BenchmarkDecode(b *testing.B) {
	d := newDecoder(b, nil)
	for _, name := range []string{"generation", "evaluation", "span", "pageview"} {
		record := fixture(b, name)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(record)))
			for b.Loop() {
				if err := d.Decode(record, func(*consumer.Event) {}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
