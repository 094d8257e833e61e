package cloudevents

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/driftd/driftd/consumer"
)

func record(value string, headers ...string) *consumer.Record {
	rec := &consumer.Record{Value: []byte(value)}
	for i := 0; i < len(headers); i += 2 {
		rec.Headers = append(rec.Headers, consumer.Header{Key: headers[i], Value: []byte(headers[i+1])})
	}
	return rec
}

const payload = `{"type":"span","time":"2026-11-20T14:32:00Z","prompt":"refund_handler"}`

// event is the JSON format around members, as SDKs write it.
func event(members string) string {
	return `{"specversion":"1.0","id":"7c1e","source":"/support/api","type":"com.example.llm.span","time":"2026-11-20T14:32:00Z"` + members + `}`
}

// binary are the headers that the Go SDK writes in binary mode.
var binary = []string{"ce_id", "7c1e", "ce_source", "/support/api", "ce_specversion", "1.0", "ce_type", "com.example.llm.span", "content-type", "application/json"}

var structuredType = []string{"content-type", "application/cloudevents+json; charset=UTF-8"}

func TestUnwrap(t *testing.T) {
	for name, tc := range map[string]struct {
		rec  *consumer.Record
		want string
	}{
		"binary":                        {record(payload, binary...), payload},
		"binary, protobuf":              {record("\x0a\x02\x12\x00", "ce_specversion", "1.0", "content-type", "application/x-protobuf"), "\x0a\x02\x12\x00"},
		"binary, without content type":  {record(payload, "ce_specversion", "1.0"), payload},
		"binary, header in other case":  {record(payload, "CE_SpecVersion", "1.0"), payload},
		"binary, a later 1.x":           {record(payload, "ce_specversion", "1.1"), payload},
		"binary, payload has an event":  {record(event(""), binary...), event("")},
		"structured":                    {record(event(`,"datacontenttype":"application/json","data":`+payload), structuredType...), payload},
		"structured, no data type":      {record(event(`,"data":`+payload), structuredType...), payload},
		"structured, bare content type": {record(event(`,"data":`+payload), "Content-Type", "application/cloudevents"), payload},
		"structured, no header":         {record(event(`,"data":` + payload)), payload},
		"structured and ce_ headers":    {record(event(`,"data":`+payload), append([]string{"ce_specversion", "1.0"}, structuredType...)...), payload},
		"data before specversion":       {record(` {"data": ` + payload + ` , "x":[{}],"specversion":"1.0"} `), payload},
		"data in a JSON string":         {record(event(`,"datacontenttype":"application/vnd.api+json","data":"{\"a\":1}"`)), `"{\"a\":1}"`},
		"data in a text":                {record(event(`,"datacontenttype":"text/plain","data":"{\"a\":\"\u00e4\"}"`)), `{"a":"ä"}`},
		"object for another type":       {record(event(`,"datacontenttype":"text/plain","data":{"a":1}`)), `{"a":1}`},
		"type with parameters":          {record(event(`,"datacontenttype":"Application/JSON; charset=utf-8","data":"a"`)), `"a"`},
		"base64":                        {record(event(`,"datacontenttype":"application/x-protobuf","data_base64":"CgISAA=="`), structuredType...), "\x0a\x02\x12\x00"},
		"base64 with escapes":           {record(event(`,"data_base64":"\/\/8\u003d"`)), "\xff\xff"},
		"null beside base64":            {record(event(`,"data":null,"data_base64":"e30="`)), "{}"},
		"tombstone":                     {record("", binary...), ""},
		"tombstone without headers":     {record(""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Unwrap(tc.rec)
			if err != nil || string(got) != tc.want {
				t.Errorf("%q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	const secret = "the customer's own words"
	for name, tc := range map[string]struct {
		rec  *consumer.Record
		want consumer.Reason
		says string
	}{
		"binary of 0.3":             {record(payload, "ce_specversion", "0.3"), consumer.Encoding, "1.x"},
		"binary of 2.0":             {record(payload, "ce_specversion", "2.0"), consumer.Encoding, "1.x"},
		"binary of nothing":         {record(payload, "ce_specversion", ""), consumer.Encoding, "1.x"},
		"binary of 10":              {record(payload, "ce_specversion", "10"), consumer.Encoding, "1.x"},
		"structured of 0.3":         {record(strings.Replace(event(`,"data":{}`), "1.0", "0.3", 1), structuredType...), consumer.Encoding, "1.x"},
		"batch":                     {record("["+event(`,"data":{}`)+"]", "content-type", "application/cloudevents-batch+json"), consumer.Encoding, "batch"},
		"batch without a header":    {record(" [" + event(`,"data":{}`) + "]"), consumer.Encoding, "batch"},
		"Avro":                      {record("\x00\x01", "content-type", "application/cloudevents+avro"), consumer.Encoding, "another format"},
		"no event":                  {record(payload), consumer.Encoding, "specversion"},
		"no object":                 {record(secret), consumer.Encoding, "no CloudEvent"},
		"no object, but the type":   {record(`"`+secret+`"`, structuredType...), consumer.Encoding, "no JSON object"},
		"blank":                     {record("  "), consumer.Encoding, "no CloudEvent"},
		"empty object":              {record("{}", structuredType...), consumer.Encoding, "specversion"},
		"specversion is a number":   {record(`{"specversion":1.0,"data":{}}`), consumer.Encoding, "specversion"},
		"no data":                   {record(event("")), consumer.Encoding, "without data"},
		"data is null":              {record(event(`,"data":null`)), consumer.Encoding, "without data"},
		"both kinds of data":        {record(event(`,"data":{},"data_base64":"e30="`)), consumer.Malformed, "both"},
		"bad base64":                {record(event(`,"data_base64":"` + secret + `"`)), consumer.Malformed, "base64"},
		"base64 cut short":          {record(event(`,"data_base64":"e30"`)), consumer.Malformed, "base64"},
		"base64 is no text":         {record(event(`,"data_base64":7`)), consumer.WrongType, "data_base64"},
		"data twice":                {record(event(`,"data":{},"data":1`)), consumer.DuplicateKey, "data"},
		"null and data":             {record(event(`,"data":null,"data":1`)), consumer.DuplicateKey, "data"},
		"cut short":                 {record(event(`,"data":{"a":"` + secret)), consumer.Malformed, "at byte"},
		"two values":                {record(event(`,"data":{}`) + "{}"), consumer.Malformed, "more than one"},
		"something behind it":       {record(event(`,"data":{}`) + "x}"), consumer.Malformed, "more than one"},
		"no comma":                  {record(`{"specversion":"1.0" "data":{}}`), consumer.Malformed, "at byte"},
		"nested too deep":           {record(event(`,"data":` + strings.Repeat("[", 20_000))), consumer.TooDeep, "levels"},
		"nested deep in an unknown": {record(event(`,"data":{},"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000))), consumer.TooDeep, "levels"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Unwrap(tc.rec)
			var refused *consumer.RecordError
			if !errors.As(err, &refused) || refused.Reason != tc.want || !strings.Contains(refused.Detail, tc.says) || strings.Contains(refused.Detail, secret) {
				t.Errorf("%q, %v; want %v that says %q", got, err, tc.want, tc.says)
			}
		})
	}
}

func TestAllocations(t *testing.T) {
	for name, rec := range map[string]*consumer.Record{
		"binary":     record(payload, binary...),
		"structured": record(event(`,"datacontenttype":"application/json","data":`+payload), structuredType...),
	} {
		if n := testing.AllocsPerRun(100, func() { _, _ = Unwrap(rec) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// FuzzUnwrap holds Unwrap against encoding/json on values of structured mode.
func FuzzUnwrap(f *testing.F) {
	f.Add([]byte(event(`,"data":`+payload)), "application/cloudevents+json", "")
	f.Add([]byte(event(`,"datacontenttype":"text/xml","data":"<a>\n\ud83d\ude00"`)), "", "")
	f.Add([]byte(event(`,"data_base64":"CgISAA=="`)), "application/cloudevents+json", "1.0")
	f.Add([]byte(payload), "application/json", "1.0")
	f.Add([]byte("["+event("")+"]"), "application/cloudevents-batch+json", "")
	f.Add([]byte(`{"specversion":"1.0","data":"a","data":{}}`), "", "0.3")
	f.Fuzz(func(t *testing.T, value []byte, contentType, version string) {
		rec := &consumer.Record{Value: value}
		if contentType != "" {
			rec.Headers = append(rec.Headers, consumer.Header{Key: "content-type", Value: []byte(contentType)})
		}
		if version != "" {
			rec.Headers = append(rec.Headers, consumer.Header{Key: "ce_specversion", Value: []byte(version)})
		}
		before := bytes.Clone(value)
		got, err := Unwrap(rec)
		again, errAgain := Unwrap(rec)
		if !bytes.Equal(got, again) || (err == nil) != (errAgain == nil) || !bytes.Equal(before, value) {
			t.Fatalf("%q: %q, then %q", value, got, again)
		}
		var refused *consumer.RecordError
		if err != nil && !errors.As(err, &refused) {
			t.Fatalf("%T: %v", err, err)
		}
		if err != nil || len(value) == 0 || version != "" && !strings.HasPrefix(strings.ToLower(contentType), typeEvent) {
			return
		}
		var e struct {
			Specversion string          `json:"specversion"`
			Data        json.RawMessage `json:"data"`
			Base64      []byte          `json:"data_base64"`
		}
		if err := json.Unmarshal(value, &e); err != nil || !strings.HasPrefix(e.Specversion, "1.") {
			if _, wrong := errors.AsType[base64.CorruptInputError](err); !wrong && strings.Count(strings.ToLower(string(value)), "specversion") < 2 {
				t.Fatalf("%q was read: %v", value, err)
			}
		}
		if len(e.Data) > 0 && e.Data[0] == '{' && !bytes.Equal(e.Data, got) && bytes.Count(bytes.ToLower(value), []byte("data")) == 1 {
			t.Errorf("%q: %q, encoding/json says %q", value, got, e.Data)
		}
	})
}

func BenchmarkUnwrap(b *testing.B) {
	large := `{"resourceSpans":[` + strings.Repeat(`{"scopeSpans":[{"spans":[{"name":"chat","attributes":[{"key":"prompt.name","value":{"stringValue":"refund_handler"}}]}]}]},`, 50) + `{}]}`
	for name, rec := range map[string]*consumer.Record{
		"binary":     record(payload, binary...),
		"structured": record(event(`,"datacontenttype":"application/json","data":`+payload), structuredType...),
		"large":      record(event(`,"datacontenttype":"application/json","data":`+large), structuredType...),
		"base64":     record(event(`,"data_base64":"`+base64.StdEncoding.EncodeToString([]byte(large))+`"`), structuredType...),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(rec.Value)))
			for b.Loop() {
				if _, err := Unwrap(rec); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
