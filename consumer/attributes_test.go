package consumer_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/internal/otlpgen"
)

func TestImpossibleDimensions(t *testing.T) {
	var many, long []consumer.Dimension
	for i := range consumer.MaxDimensions + 1 {
		many = append(many, consumer.Dimension{Name: fmt.Sprintf("d%d", i)})
	}
	d := consumer.Dimension{Name: "tier"}
	for i := range consumer.MaxNames {
		d.Attributes = append(d.Attributes, fmt.Sprintf("a%d", i))
	}
	long = append(long, d)
	for name, dims := range map[string][]consumer.Dimension{
		"too many": many, "too many attributes": long, "twice": {{Name: "tier"}, {Name: "tier"}}, "a key": {{Name: "prompt"}}, "a metric": {{Name: "cost"}}, "none": {{}},
	} {
		if _, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: dims}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestAxesAsDimensions reads a call whose axes are dimensions too, in both encodings.
func TestAxesAsDimensions(t *testing.T) {
	c := goodCall()
	c.Variant, c.Environment, c.TemplateHash = "control", "production", "h"
	names := []string{"model", "environment", "region", "variant", "template_hash"}
	var dims []consumer.Dimension
	for _, n := range names {
		dims = append(dims, consumer.Dimension{Name: n})
	}
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: dims})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		encoding consumer.NewDecoder
		record   []byte
	}{
		"otlp":   {otlp.New, otlpgen.AppendCalls(nil, []otlpgen.Attribute{attr("region", "eu")}, c)},
		"native": {driftdjson.New, append(otlpgen.AppendNative(nil, &c)[:0:0], strings.Replace(string(otlpgen.AppendNative(nil, &c)), "{", `{"region":"eu",`, 1)...)},
	} {
		if err := tc.encoding(attrs).Decode(tc.record, func(e *consumer.Event) {
			if got := fmt.Sprintf("%s", e.Dimensions); got != "[m1 production eu control h]" {
				t.Errorf("%s: dimensions %s", name, got)
			}
			if string(e.Model) != "m1" || string(e.Variant) != "control" || string(e.Environment) != "production" || string(e.TemplateHash) != "h" {
				t.Errorf("%s: axes of %+v", name, e)
			}
		}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWatch is told of what a decoder reads before the event comes.
func TestWatch(t *testing.T) {
	var log []string
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Watch: func(x *consumer.Explanation) {
		for _, f := range x.Findings {
			log = append(log, fmt.Sprintf("%s %s of the %s", f.Field, f.Attribute, f.From))
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	span := otlpgen.Span{End: 1, Attributes: []otlpgen.Attribute{attr("prompt.name", "p")}, Events: []otlpgen.Event{result(attr(evaluationName, "r"))}}
	if err := otlp.New(attrs).Decode(otlpgen.AppendSpans(nil, []otlpgen.Attribute{attr("prompt.version", "1")}, span), func(e *consumer.Event) {
		log = append(log, fmt.Sprintf("event of %s %s", e.Prompt, e.Version))
	}); err != nil {
		t.Fatal(err)
	}
	want := "rubric gen_ai.evaluation.name of the span event; prompt prompt.name of the span; version prompt.version of the resource; event of p 1"
	if got := strings.Join(log, "; "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestNewRefuses(t *testing.T) {
	for want, sources := range map[string][]consumer.SourceTopic{
		`unknown encoding "avro"`: {{Topic: "a", Encoding: "avro"}},
		"named twice":             {{Topic: "a", Encoding: "otlp_proto"}, {Topic: "a", Encoding: "otlp_proto"}},
		"no source topics":        nil,
	} {
		_, err := consumer.New(consumer.Config{
			Log: slog.New(slog.DiscardHandler), Metrics: metrics.NewSet(), Now: time.Now, Sources: sources, Encodings: map[string]consumer.Format{"otlp_proto": {New: otlp.New}},
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
