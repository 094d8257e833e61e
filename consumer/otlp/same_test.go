package otlp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/internal/otlpgen"
)

func tableOf(t testing.TB) *consumer.Attributes {
	t.Helper()
	a, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale"}}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// events are a record's events, each with all that it says.
func events(d consumer.Decoder, record []byte) (all []string, err error) {
	err = d.Decode(record, func(e *consumer.Event) { all = append(all, fmt.Sprintf("%+v", *e)) })
	return all, err
}

// random makes telemetry of what producers write and of what none should.
type random struct{ *rand.Rand }

func pick[T any](r random, from ...T) T { return from[r.IntN(len(from))] }

func (r random) id(n int) []byte {
	if r.IntN(20) == 0 {
		n = r.IntN(20)
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.IntN(3))
	}
	return b
}

func (r random) value(depth int) any {
	switch n := r.IntN(12); {
	case n < 6:
		return pick(r, "chat", "refund", "v7", "0.5", "", "gpt", "EVALUATOR", "a \"quoted\"\nline\t\\ \u00e4\u2028\x01", "0102030405060708", `{"name":"tone","score":0.5,"passed":true}`, "true")
	case n < 8:
		return pick(r, 0, 1, -5, 41, math.MaxInt64, math.MinInt64)
	case n < 10:
		return pick(r, 0.5, -1.5, 0, 1e300, 1e-9, math.NaN(), math.Inf(1), math.Inf(-1), 123456789.125)
	case depth > 3:
		return r.IntN(2) == 0
	case n == 10:
		return []any{r.value(depth + 1), r.value(depth + 1)}
	default:
		return pick[any](r, r.attributes(depth+1), []byte{0, 1, 2, 255}, nil, true, false)
	}
}

func (r random) attributes(depth int) (attrs []otlpgen.Attribute) {
	for range r.IntN(7) {
		key := pick(r, "prompt.name", "prompt.version", "prompt.tier", "locale", "gen_ai.operation.name", "gen_ai.response.model", "gen_ai.response.id", "gen_ai.usage.input_tokens",
			"gen_ai.usage.cost", "gen_ai.input.messages", "error.type", "prompt.condition.fallback", "gen_ai.evaluation.name", "gen_ai.evaluation.score.value", "gen_ai.evaluation.score.label",
			"gen_ai.evaluation.target_span_id", "annotations.0.annotation.name", "annotations.0.annotation.score", "evaluations.1.evaluation.name", "evaluations.1.evaluation.score",
			"openinference.span.kind", "event.name", "json_encoded_event", "", "unknown \"key\"")
		value := r.value(depth)
		if key == "event.name" && r.IntN(2) == 0 {
			value = "gen_ai.evaluation.result"
		}
		attrs = append(attrs, otlpgen.Attribute{Key: key, Value: value})
	}
	return attrs
}

func (r random) time() uint64 { return pick[uint64](r, 0, 1, 1.7e18, 1.7e18+5e8, math.MaxUint64) }

func (r random) span() otlpgen.Span {
	s := otlpgen.Span{Trace: r.id(16), ID: r.id(8), Parent: r.id(8), Name: "x", Start: r.time(), End: r.time(), Failed: r.IntN(3) == 0, Attributes: r.attributes(0)}
	for range r.IntN(3) {
		s.Events = append(s.Events, otlpgen.Event{Name: pick(r, "exception", "gen_ai.evaluation.result", "langwatch.evaluation.custom"), Attributes: r.attributes(0)})
	}
	for range r.IntN(3) {
		s.Links = append(s.Links, otlpgen.Link{Trace: r.id(16), Span: r.id(8)})
	}
	return s
}

func (r random) log() otlpgen.Log {
	return otlpgen.Log{
		Trace: r.id(16), Span: r.id(8), Time: r.time(), Observed: r.time(), Name: pick(r, "", "gen_ai.evaluation.result", "gen_ai.evaluation.result", "gen_ai.user.message"),
		Body: r.value(0), Attributes: r.attributes(0),
	}
}

// requests are a request in protobuf and in JSON.
func (r random) requests(t testing.TB) (proto, inJSON []byte) {
	logs := r.IntN(2) == 0
	for range 1 + r.IntN(2) {
		resource := r.attributes(2)
		if logs {
			proto = otlpgen.AppendLogs(proto, resource, r.log(), r.log())
		} else {
			proto = otlpgen.AppendSpans(proto, resource, r.span(), r.span())
		}
	}
	return proto, transcode(t, proto, logs)
}

func transcode(t testing.TB, proto []byte, logs bool) []byte {
	t.Helper()
	in := otlpgen.TracesJSON
	if logs {
		in = otlpgen.LogsJSON
	}
	b, err := in(proto)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(b) {
		t.Fatalf("no JSON: %s", b)
	}
	return b
}

var detail = regexp.MustCompile(`Detail:[^}]*`)

// TestSameEvents gives the same telemetry in protobuf, in JSON, and in JSON whose keys stand in another order among unknown ones.
func TestSameEvents(t *testing.T) {
	attrs := tableOf(t)
	inProto, inJSON := otlp.New(attrs), otlp.NewJSON(attrs)
	yielded, scores := 0, 0
	seeds := uint64(3000)
	if testing.Short() {
		seeds = 300
	}
	for seed := range seeds {
		r := random{rand.New(rand.NewPCG(seed, 1))}
		proto, text := r.requests(t)
		want, err := events(inProto, proto)
		if err != nil {
			t.Fatal(err)
		}
		for n, record := range [][]byte{text, r.shuffled(t, text)} {
			got, err := events(inJSON, record)
			if err != nil {
				t.Fatalf("%s: %v", record, err)
			}
			if len(got) != len(want) {
				t.Fatalf("%s: %d events, %d in protobuf", record, len(got), len(want))
			}
			for i := range got {
				if n > 0 { // the first fault that is seen counts, and it may be another one
					got[i], want[i] = detail.ReplaceAllString(got[i], ""), detail.ReplaceAllString(want[i], "")
				}
				if got[i] != want[i] {
					t.Fatalf("%s\n JSON:     %s\n protobuf: %s", record, got[i], want[i])
				}
			}
		}
		yielded += len(want)
		for _, w := range want {
			if bytes.Contains([]byte(w), []byte("{Kind:1")) {
				scores++
			}
		}
	}
	if yielded < int(seeds)/3 || scores < int(seeds)/6 {
		t.Errorf("%d events, of which %d are scores: too few to say anything", yielded, scores)
	}
}

// TestSameAsTheCollector gives what a real Collector wrote in JSON, and what otlpgen makes of its protobuf.
func TestSameAsTheCollector(t *testing.T) {
	paths, err := filepath.Glob("testdata/producers/*/*.otlp_proto")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d records, %v", len(paths), err)
	}
	attrs := tableOf(t)
	for _, path := range paths {
		proto, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(strings.TrimSuffix(path, "proto") + "json")
		if err != nil {
			t.Fatal(err)
		}
		want, err := events(otlp.NewJSON(attrs), text)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		got, err := events(otlp.NewJSON(attrs), transcode(t, proto, strings.HasPrefix(filepath.Base(path), "logs")))
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s", path, err, d)
		}
	}
}

// shuffled is the same JSON with the members of objects in another order and unknown ones among them.
func (r random) shuffled(t testing.TB, text []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	r.write(t, &b, v)
	return b.Bytes()
}

func (r random) write(t testing.TB, b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		if r.IntN(3) == 0 {
			keys = append(keys, "unknown")
			v["unknown"] = pick[any](r, nil, "x", []any{map[string]any{"a": 1}})
		}
		r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		b.WriteString("{ ")
		for i, k := range keys {
			if i > 0 {
				b.WriteString(" ,\n")
			}
			r.write(t, b, k)
			b.WriteByte(':')
			r.write(t, b, v[k])
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, x := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			r.write(t, b, x)
		}
		b.WriteString(" ]")
	default:
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
}
