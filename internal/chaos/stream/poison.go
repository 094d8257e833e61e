package stream

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/otlpgen"
)

// late makes events that come too late: some by minutes, some by more than any window is long.
func (g *generator) late() {
	p := &prompts[slices.IndexFunc(prompts, func(p prompt) bool { return p.name == LatePrompt })]
	for m := 5; m < g.minutes; m++ {
		now := g.Begin.Add(time.Duration(m) * time.Minute)
		for _, back := range []time.Duration{time.Duration(1+g.rng.IntN(4)) * time.Minute, 30 * time.Hour} {
			c := g.call(p, now)
			c.end = c.end.Add(-back)
			g.figures(c)
			g.identify(c)
			g.add(Events, c.partition, c.end, back, c.traceHex(), c.native().labelled(c).bytes())
		}
	}
}

// Toxin is a record that no one can use as it is.
type toxin struct {
	topic string
	value []byte
}

// poison mixes bad records in, each kind in its turn, and at least once where there is any poison.
func (g *generator) poison() {
	if g.Poison == 0 {
		return
	}
	kinds := len(g.toxins(g.Begin))
	n := max(int(g.Poison*float64(len(g.records))), kinds)
	for i := range n {
		at := g.Begin.Add(2*time.Minute + time.Duration(g.toxic.Int64N(int64(g.Length-2*time.Minute))))
		t := g.toxins(at)[i%kinds]
		g.add(t.topic, g.toxic.IntN(g.partitions(at)), at, 0, "", t.value)
	}
}

// toxins are all kinds of bad records, of events at that time where they have one.
func (g *generator) toxins(at time.Time) (all []toxin) {
	c := &call{prompt: "refund_handler", version: "v17", tier: "free", locale: "en", start: at.Add(-time.Second), end: at, input: 100, output: 10, cost: 0.001}
	id := func() { // of a trace that nothing else is of
		binary.BigEndian.PutUint64(c.trace[:], g.toxic.Uint64()|1)
		binary.BigEndian.PutUint64(c.span[:], g.toxic.Uint64()|1)
	}
	add := func(topic string, value []byte) { all = append(all, toxin{topic, value}) }
	span := func(change func(*otlpgen.Span), scores ...score) {
		id()
		s := c.otlp(true, scores)
		change(&s)
		add(Spans, otlpgen.AppendSpans(nil, nil, s))
	}
	with := func(key string, value any) {
		span(func(s *otlpgen.Span) {
			for i := range s.Attributes {
				if s.Attributes[i].Key == key {
					s.Attributes[i].Value = value
				}
			}
		})
	}
	event := func(change func(*native)) {
		id()
		n := c.native().labelled(c)
		change(n)
		add(Events, n.bytes())
	}
	raw := func(more string) { // of a native span
		id()
		add(Events, []byte(strings.TrimSuffix(string(c.native().labelled(c).bytes()), "}")+","+more+"}"))
	}
	opinion := func(s score, change func(*native)) {
		id()
		n := nativeScore(s, at).labelled(c)
		change(n)
		add(Scores, n.bytes())
	}
	none := func(*native) {}

	// Whole records.
	id()
	whole := otlpgen.AppendSpans(nil, nil, c.otlp(true, nil))
	add(Spans, whole[:len(whole)-3])
	add(Spans, []byte(`{"resourceSpans":[]}`))
	add(Spans, nil)
	add(Events, nil)
	add(Events, []byte(`{"type":"span","time":"2026-11-20T14:30:00Z","prompt":"ref`))
	add(Events, []byte("hello, world"))
	raw(`"note":NaN`)
	raw(`"type":"span"`)
	raw(`"more":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000))
	event(func(n *native) { n.Version = true })
	event(func(n *native) { n.Time = "yesterday" })

	// Whole events.
	with("gen_ai.usage.cost", math.NaN())
	with("gen_ai.usage.cost", 1e300)
	with("gen_ai.usage.input_tokens", -4)
	with("gen_ai.usage.input_tokens", "many")
	with("prompt.name", strings.Repeat("x", 300))
	with("prompt.name", "Answer\nall")
	with("prompt.tier", "caf\xe9")
	with("prompt.locale", strings.Repeat("x", 129))
	with("gen_ai.response.model", strings.Repeat("x", 257))
	span(func(s *otlpgen.Span) { s.Trace = []byte("5b8efff798038103d269b633813fc60c") })
	span(func(s *otlpgen.Span) { s.Start, s.End = s.End, s.Start })
	span(func(s *otlpgen.Span) { s.End = 0 })
	span(func(s *otlpgen.Span) { s.Start, s.End = 4102444800e9-1e9, 4102444800e9 })
	event(func(n *native) { n.Cost = 1e300 })
	event(func(n *native) { *n.Latency = -1 })
	event(func(n *native) { n.Time = "1970-01-01T00:00:01Z" })
	event(func(n *native) { n.Time = "2100-01-01T00:00:00Z" })
	event(func(n *native) { n.Prompt = "a\nb<script>" })
	event(func(n *native) { n.Trace = "5b8e" })

	// Scores.
	span(func(*otlpgen.Span) {}, score{rubric: "grounding", value: 1.5})
	span(func(*otlpgen.Span) {}, score{rubric: "verdict", label: "maybe"})
	span(func(*otlpgen.Span) {}, score{rubric: "latency", value: 1})
	span(func(*otlpgen.Span) {}, score{rubric: "grounding", value: 1}, score{rubric: "grounding", value: 0.5})
	event(func(n *native) { n.Scores = map[string]float64{"grounding": 7} })
	opinion(score{rubric: "grounding", value: 7}, none)
	opinion(score{rubric: "verdict", label: "maybe"}, none)
	opinion(score{value: 1}, none)
	opinion(score{rubric: "grounding"}, func(n *native) { n.Value = nil })
	opinion(score{rubric: "grounding", value: 0.1}, func(n *native) { // nobody's
		n.Prompt, n.Version, n.Tier, n.Locale = "", nil, "", ""
		n.Trace, n.Span = c.traceHex(), c.spanHex()
	})
	return all
}
