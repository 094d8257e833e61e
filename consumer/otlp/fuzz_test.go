package otlp_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/internal/otlpgen"
)

// seeds gives requests in protobuf and in JSON.
func seeds(f *testing.F) (protos, texts [][]byte) {
	c := otlpgen.Call{
		Trace: [16]byte{1}, Span: [8]byte{2}, Start: time.Unix(1e9, 0), End: time.Unix(1e9+1, 0), Prompt: "p", Version: "v1", Tier: "t", Locale: "l", Model: "m",
		InputTokens: 1, Cost: 0.1, Failed: true, Text: "text", Scores: []otlpgen.Score{{Rubric: "r", Value: 1}, {Rubric: "s", Label: "pass"}},
	}
	short := otlpgen.Span{Trace: []byte("short"), End: math.MaxUint64, Links: []otlpgen.Link{{Trace: []byte{1}}}}
	for _, p := range [][]byte{
		otlpgen.AppendCalls(nil, kv("service.name", "x"), c, c), otlpgen.AppendSpans(nil, kv("prompt.name", []any{"a", []any{1, true}}), short),
	} {
		protos, texts = append(protos, p), append(texts, transcode(f, p, false))
	}
	for seed := range uint64(20) {
		p, text := random{rand.New(rand.NewPCG(seed, 2))}.requests(f)
		protos, texts = append(protos, p), append(texts, text)
	}
	return protos, texts
}

// holds checks what is true of any record and returns its events.
func holds(t *testing.T, used consumer.Decoder, encoding consumer.NewDecoder, attrs *consumer.Attributes, record []byte) ([]string, error) {
	t.Helper()
	got, err := events(used, record)
	again, other := events(encoding(attrs), record)
	if (err == nil) != (other == nil) || err != nil && err.Error() != other.Error() || err == nil && !slices.Equal(got, again) {
		t.Errorf("%q depends on the records before:\n%v, %v\n%v, %v", record, got, err, again, other)
	}
	if err != nil {
		if _, ok := err.(*consumer.RecordError); !ok {
			t.Errorf("%T: %v", err, err)
		}
	}
	return got, err
}

// alike tells whether two events say the same. Of two faults in one span each form names the one that it comes to first.
func alike(a, b string) bool { return detail.ReplaceAllString(a, "") == detail.ReplaceAllString(b, "") }

// FuzzDecode holds that a record says the same each time, and in JSON what it says in protobuf.
func FuzzDecode(f *testing.F) {
	protos, _ := seeds(f)
	for _, p := range protos {
		f.Add(p)
	}
	f.Add([]byte(`{"resourceSpans":[]}`))
	attrs := tableOf(f)
	d, inJSON := otlp.New(attrs), otlp.NewJSON(attrs)
	f.Fuzz(func(t *testing.T, record []byte) {
		want, err := holds(t, d, otlp.New, attrs, record)
		if err != nil {
			return
		}
		written, same := false, false
		for _, in := range []func([]byte) ([]byte, error){otlpgen.TracesJSON, otlpgen.LogsJSON} {
			text, err := in(record)
			if err != nil { // of the other signal, or something stands twice
				continue
			}
			got, err := events(inJSON, text)
			written, same = true, same || err == nil && slices.EqualFunc(got, want, alike)
		}
		if written && !same {
			t.Errorf("%q is in JSON neither as traces nor as logs %v", record, want)
		}
	})
}

// FuzzDecodeJSON holds that a record says the same each time, and that what is well formed is told from what is not.
func FuzzDecodeJSON(f *testing.F) {
	_, texts := seeds(f)
	for _, text := range texts {
		f.Add(text)
	}
	f.Add([]byte(`{"x":[[]],"resourceSpans":[null]} `))
	attrs := tableOf(f)
	d := otlp.NewJSON(attrs)
	f.Fuzz(func(t *testing.T, record []byte) {
		_, err := holds(t, d, otlp.NewJSON, attrs, record)
		valid := json.Valid(record)
		if err == nil && !valid && len(record) > 0 {
			t.Errorf("read what is no JSON: %q", record)
		}
		if refused, ok := err.(*consumer.RecordError); ok && refused.Reason == consumer.Malformed && valid {
			t.Errorf("refused well-formed JSON: %q: %v", record, err)
		}
	})
}
