package stream

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/driftd/driftd/internal/otlpgen"
)

// traffic makes all calls and what is said about them.
func (g *generator) traffic() {
	weights := 0
	for _, p := range g.prompts {
		weights += p.weight
	}
	for m := range g.minutes {
		begin := g.Begin.Add(time.Duration(m) * time.Minute)
		var calls []*call
		for i := range g.prompts {
			p := &g.prompts[i]
			if p.ends > 0 && float64(m) >= p.ends*float64(g.minutes) {
				continue
			}
			n := g.Rate * 60 * float64(p.weight) / float64(weights) * (0.7 + 0.6*g.rng.Float64())
			for range int(math.Ceil(n)) {
				calls = append(calls, g.call(p, begin))
			}
			for _, v := range p.versions { // some minutes have twice as many of a version
				if g.bad[signal{p.name, v, surging}][m] {
					for range int(n / 2) {
						c := g.call(p, begin)
						c.version = v
						calls = append(calls, c)
					}
				}
			}
		}
		slices.SortFunc(calls, func(a, b *call) int { return a.end.Compare(b.end) })
		for _, c := range calls {
			if c.prompt == RollbackPrompt && g.rolledOut(c.end) {
				c.version = BadVersion
			}
			g.figures(c)
			g.identify(c)
			g.tell(c)
		}
	}
	for p := range max(g.Partitions, g.GrowTo) {
		g.export(p)
	}
}

func pick[T any](g *generator, of []T) T { return of[g.rng.IntN(len(of))] }

// call makes one of the minute that begins then.
func (g *generator) call(p *prompt, begin time.Time) *call {
	return &call{
		prompt: p.name, version: pick(g, p.versions), tier: pick(g, p.tiers), locale: pick(g, p.locales),
		end: begin.Add(time.Duration(g.rng.Int64N(int64(59 * time.Second)))),
	}
}

// figures gives a call what is measured of it. Of search_answer latency and cost are any number; of the others short decimals.
func (g *generator) figures(c *call) {
	slowness := g.is(slow, c)
	latency := time.Duration(3+g.rng.IntN(12)) * 100 * time.Millisecond
	c.input, c.output = 100*(1+g.rng.IntN(20)), 10*(1+g.rng.IntN(30))
	c.cost = float64(1+g.rng.IntN(40)) / 10000
	switch c.prompt {
	case "search_answer":
		if latency = time.Duration((0.8 + 1.2*g.rng.Float64()) * 1e9); slowness {
			latency = time.Duration((7.5 + 0.5*g.rng.Float64()) * 1e9)
		}
		c.cost = 0.002 + 0.004*g.rng.Float64()
		if g.is(dear, c) {
			c.cost *= 5
		}
		if c.ttft = float64(1+g.rng.IntN(15)) / 10; slowness && g.rng.IntN(6) == 0 {
			c.ttft = 2.5
		}
	case "triage":
		if g.is(wordy, c) && g.rng.IntN(8) == 0 {
			c.input = 5000
		}
		if g.is(dear, c) && g.rng.IntN(10) == 0 {
			c.input = 3
		}
	default:
		if g.is(wordy, c) {
			c.output *= 2
		}
	}
	c.start = c.end.Add(-latency)
	share := 0.02
	if g.is(failing, c) {
		share = 0.3
	}
	c.failed = g.rng.Float64() < share
}

// scores are what a call is worth.
func (g *generator) scores(c *call) (all []score) {
	switch c.prompt {
	case "refund_handler", LatePrompt:
		v := 0.85 + 0.05*float64(g.rng.IntN(4))
		if g.is(quality, c) || c.tier == "enterprise" && g.is(quality+" enterprise", c) {
			v = 0.5 + 0.05*float64(g.rng.IntN(8))
		}
		all = append(all, score{rubric: "grounding", value: math.Round(v*100) / 100})
		if c.prompt == LatePrompt {
			break
		}
		fails := 10
		if g.is(judgment, c) {
			fails = 2
		}
		s := score{rubric: "verdict", label: "pass"}
		if g.rng.IntN(fails) == 0 {
			s.label = "fail"
		}
		if g.rng.IntN(2) == 0 {
			all = append(all, s)
		}
	case RollbackPrompt:
		v := 0.9 + 0.05*float64(g.rng.IntN(3))
		if c.version == BadVersion {
			v -= 0.3
		}
		all = append(all, score{rubric: "grounding", value: math.Round(v*100) / 100})
	case "search_answer":
		v := 3.5 + 1.5*g.rng.Float64() // any number
		if g.is(quality, c) {
			v -= 2
		}
		all = append(all, score{rubric: "style", value: v})
	}
	return all
}

// tell writes what there is to know of a call, in one of many ways.
func (g *generator) tell(c *call) {
	scores := g.scores(c)
	if g.rng.IntN(3) == 0 {
		c.response = fmt.Sprintf("resp-%x", c.span)
	}
	var inside, apart []score
	for _, s := range scores {
		if g.rng.IntN(2) == 0 {
			inside = append(inside, s)
		} else {
			apart = append(apart, s)
		}
	}
	linked := g.rng.IntN(5) == 0
	if linked {
		binary.BigEndian.PutUint64(c.parent[:], g.rng.Uint64()|1)
	}
	switch {
	case g.rng.IntN(2) == 0 && linked:
		g.tellLinkedOTLP(c, inside)
	case linked:
		apart = append(apart, g.tellNative(c, inside)...)
		delay := g.jitter() + time.Duration(g.rng.Int64N(int64(time.Second)))
		g.add(Events, c.partition, c.end, delay, c.traceHex(), c.nativeResolver().bytes())
	case g.rng.IntN(2) == 0:
		g.bundle(c, c.otlp(true, inside))
	default:
		apart = append(apart, g.tellNative(c, inside)...)
	}
	for _, s := range apart {
		g.judge(c, s)
	}
}

// tellLinkedOTLP writes a call that does not know its prompt, and above it the span that does: in the same request, or in the next.
func (g *generator) tellLinkedOTLP(c *call, inside []score) {
	if g.rng.IntN(2) == 0 {
		g.bundle(c, c.otlp(false, inside), c.resolver())
		return
	}
	first := g.jitter()
	g.add(Spans, c.partition, c.end, first, c.traceHex(), otlpgen.AppendSpans(nil, nil, c.otlp(false, inside)))
	g.add(Spans, c.partition, c.end, first+time.Duration(g.rng.Int64N(int64(time.Second))), c.traceHex(), otlpgen.AppendSpans(nil, nil, c.resolver()))
}

// tellNative writes a call as a native span, and returns the scores that cannot stand inside it: labels are for scores alone.
func (g *generator) tellNative(c *call, inside []score) (apart []score) {
	n := c.native()
	if c.parent == [8]byte{} {
		n.labelled(c)
	}
	for _, s := range inside {
		if s.label != "" {
			apart = append(apart, s)
			continue
		}
		if n.Scores == nil {
			n.Scores = make(map[string]float64)
		}
		n.Scores[s.rubric] = s.value
	}
	g.add(Events, c.partition, c.end, g.jitter(), c.traceHex(), n.bytes())
	return apart
}

// judge writes a score that comes some seconds after its call: it names its labels, its span, or the id of the response.
func (g *generator) judge(c *call, s score) {
	at := c.end.Add(time.Second + time.Duration(g.rng.Int64N(int64(50*time.Second))))
	n := nativeScore(s, at)
	topic := Scores
	if g.rng.IntN(3) == 0 {
		topic = Events
	}
	switch g.rng.IntN(4) {
	case 0:
		n.labelled(c)
		n.Trace = c.traceHex()
	case 1:
		if c.response != "" {
			n.Response = c.response
			break
		}
		fallthrough
	default:
		n.Trace, n.Span = c.traceHex(), c.spanHex()
	}
	g.add(topic, c.partition, at, g.jitter(), c.traceHex(), n.bytes())
}

// pulses keep every partition alive to the end, and behind it until all that came before is sealed.
func (g *generator) pulses() {
	const every = 10 * time.Second
	for at := time.Duration(0); at <= g.Length+Tail; at += every {
		when := g.Begin.Add(at)
		for p := range g.partitions(when) {
			c := &call{prompt: pulsePrompt, version: "v1", start: when.Add(-100 * time.Millisecond), end: when, input: 1}
			binary.BigEndian.PutUint64(c.trace[:], 1<<63|uint64(p))
			binary.BigEndian.PutUint64(c.trace[8:], uint64(at)+1)
			c.span[0] = 1
			g.add(Spans, p, when, 0, "", otlpgen.AppendSpans(nil, nil, c.otlp(true, nil)))
			c.span[0] = 2
			g.add(Events, p, when, 0, "", c.native().labelled(c).bytes())
			g.add(Scores, p, when, 0, "", nativeScore(score{rubric: "alive", value: 1}, when).labelled(c).bytes())
		}
	}
}
