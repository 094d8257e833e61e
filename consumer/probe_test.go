package consumer_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/windows"
)

func newProbe(t testing.TB, encoding consumer.NewDecoder, now int64) *consumer.Probe {
	t.Helper()
	p, err := consumer.NewProbe(consumer.Config{
		Encodings: map[string]consumer.Format{"e": {New: encoding}}, Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale"}},
		Scales: testScales, Linking: usualLinking, Disorder: 10 * time.Second, Now: func() time.Time { return time.Unix(0, now) },
	}, consumer.SourceTopic{Encoding: "e"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// foretold is what a probe says will come out of a record: samples, and the reasons of dead letters.
func foretold(p *consumer.Probe, record []byte) (samples, dead []string) {
	found := p.Record(&consumer.Record{Value: record})
	if f := found.Fault; f.Reason != consumer.Fine {
		return nil, []string{f.Reason.String()}
	}
	for i := range found.Events {
		e := &found.Events[i]
		if e.Fate == consumer.Counts {
			kind := "score "
			if e.Call {
				kind = "call "
			}
			cell := append([][]byte{e.Prompt, e.Version}, e.Dimensions...)
			samples = append(samples, kind+string(bytes.Join(cell, []byte("/"))))
		}
		if e.Fate == consumer.Dies && e.Fault.Reason != consumer.Fine {
			dead = append(dead, e.Fault.Reason.String())
			continue
		}
		for _, f := range e.Scored {
			if len(e.Prompt) == 0 { // with nothing behind it, the record is all that is ever known
				dead = append(dead, consumer.Unlinked.String())
			} else if f.Reason != consumer.Fine {
				dead = append(dead, f.Reason.String())
			}
		}
	}
	return samples, dead
}

// ingested is what comes out of a record when it is all there is.
func ingested(t testing.TB, encoding consumer.NewDecoder, record []byte, now int64) (samples, dead []string) {
	attrs, err := consumer.NewAttributes(consumer.AttributeOptions{Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale"}}})
	if err != nil {
		t.Fatal(err)
	}
	core := consumer.NewCore(consumer.CoreConfig{
		Source: windows.Source{Topic: "t"}, Decoder: encoding(attrs), Dimensions: attrs.Dimensions(), Scales: testScales,
		Partitions: 1, Partition: func(string) int { return 0 }, Now: now, Linker: consumer.NewLinker(usualLinking, "t"),
	})
	core.Add(0, record, now)
	later := now + int64(time.Hour)
	core.Tend(later, true)
	waves, letters, _ := core.Cut(later, true)
	for _, wave := range waves {
		for _, s := range wave {
			samples = append(samples, samplesOf(t, s.Value)...)
		}
	}
	for _, l := range letters {
		dead = append(dead, l.Headers["driftd-reason"])
	}
	return samples, dead
}

// TestProbeForetells holds what a probe says against what ingest does, on what real producers wrote and on what is wrong with events.
func TestProbeForetells(t *testing.T) {
	counted, refused := 0, 0
	check := func(name string, encoding consumer.NewDecoder, record []byte, now int64) {
		t.Helper()
		samples, dead := foretold(newProbe(t, encoding, now), record)
		wantSamples, wantDead := ingested(t, encoding, record, now)
		for _, list := range [][]string{samples, dead, wantSamples, wantDead} {
			slices.Sort(list)
		}
		if d := cmp.Diff(wantSamples, samples); d != "" {
			t.Errorf("%s: samples: %s", name, d)
		}
		if d := cmp.Diff(wantDead, dead); d != "" {
			t.Errorf("%s: dead letters: %s", name, d)
		}
		counted, refused = counted+len(samples), refused+len(dead)
	}
	paths, _ := filepath.Glob("otlp/testdata/producers/*/*.otlp_proto")
	for _, path := range paths {
		record, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		check(path, otlp.New, record, testClock+int64(30*24*time.Hour))
	}
	text := strings.Repeat("long ", 100)
	for name, record := range map[string][]byte{
		"whole":              request(span()),
		"no prompt":          request(span(attr("prompt.id", nil), attr("prompt.version", nil))),
		"text in the prompt": request(span(attr("prompt.id", text))),
		"text in an axis":    request(span(attr("prompt.variant", text))),
		"text in a tier":     request(span(attr("prompt.tier", text), attr("prompt.id", nil))),
		"no call":            request(span(attr("openinference.span.kind", "CHAIN"), attr("prompt.id", text))),
		"negative cost":      request(span(attr("gen_ai.usage.cost", -1.0)), span()),
		"nothing":            {},
		"cut":                request(span())[:40],
	} {
		check(name, otlp.New, record, testClock)
	}
	for _, line := range []string{
		"call t1 s1 prompt=p version=v1 tier=gold", "call t1 s1", "call @1", "call @4000 prompt=p", "span t1 s1 prompt=p", "span @1",
		"score t1 s1", "score prompt=p", "score prompt=p version=" + strings.ReplaceAll(text, " ", "_"), "score @1",
	} {
		check(line, driftdjson.New, linkEvent(line), testClock)
	}
	for _, event := range []string{
		`"rubric":"verdict","label":"pass"`, `"rubric":"verdict","label":"maybe"`, `"rubric":"grounding","value":7`, `"rubric":"latency","value":1`, `"rubric":"x"`,
		`"scores":{"grounding":0.5,"verdict":9,"other":3}`, `"scores":{"grounding":2,"verdict":9}`,
	} {
		check(event, driftdjson.New, []byte(`{"type":"score","time":"2026-11-20T14:00:00Z","prompt":"p",`+event+`}`), testClock)
		check("unlinked "+event, driftdjson.New, []byte(`{"type":"score","time":"2026-11-20T14:00:00Z","trace_id":"5b8efff798038103d269b633813fc60c",`+event+`}`), testClock)
	}
	if counted < 20 || refused < 10 {
		t.Errorf("%d samples and %d dead letters: too few to hold anything", counted, refused)
	}
}

// TestProbeLinks tells which event of a record another one is linked to.
func TestProbeLinks(t *testing.T) {
	p := newProbe(t, otlp.New, testClock+int64(30*24*time.Hour))
	record, err := os.ReadFile("otlp/testdata/producers/gosdk/spans-1.otlp_proto")
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	found := p.Record(&consumer.Record{Value: record})
	for i := range found.Events {
		e := &found.Events[i]
		line := e.Fate.String()
		if e.From >= 0 {
			line += " from " + string(found.Events[e.From].Prompt)
			if found.Events[e.From].Call {
				t.Errorf("event %d is linked to a call", i)
			}
		}
		said = append(said, line)
	}
	if want := []string{"remembered", "counts from gosdk.refund", "remembered", "remembered"}; !slices.Equal(said, want) {
		t.Errorf("%q", said)
	}
}
