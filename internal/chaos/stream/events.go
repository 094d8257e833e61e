package stream

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/driftd/driftd/internal/otlpgen"
)

// call is one call of a model, as the stream knows it whatever records say it.
type call struct {
	prompt, version, tier, locale string
	trace                         [16]byte
	span, parent                  [8]byte
	response                      string
	start, end                    time.Time
	ttft, cost                    float64
	input, output                 int
	failed                        bool
	partition                     int
}

// score is a value on a rubric, or a label.
type score struct {
	rubric, label string
	value         float64
}

func (c *call) traceHex() string { return hex.EncodeToString(c.trace[:]) }
func (c *call) spanHex() string  { return hex.EncodeToString(c.span[:]) }

// identify gives the call ids of its own and a partition.
func (g *generator) identify(c *call) {
	g.traces++
	binary.BigEndian.PutUint64(c.trace[:], g.rng.Uint64()|1)
	binary.BigEndian.PutUint64(c.trace[8:], g.traces)
	binary.BigEndian.PutUint64(c.span[:], g.rng.Uint64()|1)
	c.partition = partitionOf(c.traceHex(), g.partitions(c.end))
}

// partitionOf is where Kafka's default partitioner puts a key.
func partitionOf(key string, partitions int) int {
	return int(murmur2(key)&0x7fffffff) % partitions
}

func murmur2(key string) uint32 {
	const m = 0x5bd1e995
	data := []byte(key)
	h := uint32(0x9747b28c) ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := binary.LittleEndian.Uint32(data) * m
		h = h*m ^ (k^k>>24)*m
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(data[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}

// native is an event as driftd_json has it.
type native struct {
	Type     string             `json:"type"`
	Time     any                `json:"time"`
	Kind     string             `json:"kind,omitempty"`
	Trace    string             `json:"trace_id,omitempty"`
	Span     string             `json:"span_id,omitempty"`
	Parent   string             `json:"parent_span_id,omitempty"`
	Response string             `json:"response_id,omitempty"`
	Prompt   string             `json:"prompt,omitempty"`
	Version  any                `json:"version,omitempty"`
	Tier     string             `json:"tier,omitempty"`
	Locale   string             `json:"locale,omitempty"`
	Model    string             `json:"model,omitempty"`
	Error    *bool              `json:"error,omitempty"`
	Latency  *float64           `json:"latency,omitempty"`
	TTFT     float64            `json:"ttft,omitempty"`
	Input    int                `json:"input_tokens,omitempty"`
	Output   int                `json:"output_tokens,omitempty"`
	Cost     float64            `json:"cost,omitempty"`
	Scores   map[string]float64 `json:"scores,omitempty"`
	Rubric   string             `json:"rubric,omitempty"`
	Value    *float64           `json:"value,omitempty"`
	Label    string             `json:"label,omitempty"`
}

func (n *native) bytes() []byte {
	b, err := json.Marshal(n)
	if err != nil {
		panic(fmt.Sprintf("BUG: an event is always JSON: %v", err))
	}
	return b
}

// model is what served the call.
func (c *call) model() string {
	if c.prompt == RollbackPrompt {
		return "claude-4-7-haiku-20260301"
	}
	return "claude-4-7-sonnet-20260301"
}

// labelled sets who was served.
func (n *native) labelled(c *call) *native {
	n.Prompt, n.Tier, n.Locale = c.prompt, c.tier, c.locale
	if c.version == "7" {
		n.Version = 7 // as some write it
	} else if c.version != "" {
		n.Version = c.version
	}
	return n
}

// native is the call as a native span, without its labels.
func (c *call) native() *native {
	latency := c.end.Sub(c.start).Seconds()
	n := &native{
		Type: "span", Time: c.end.UTC().Format(time.RFC3339Nano), Trace: c.traceHex(), Span: c.spanHex(), Response: c.response, Model: c.model(),
		Latency: &latency, TTFT: c.ttft, Input: c.input, Output: c.output, Cost: c.cost,
	}
	if c.parent != [8]byte{} {
		n.Parent = hex.EncodeToString(c.parent[:])
	}
	if c.failed {
		n.Error = &c.failed
	}
	return n
}

// nativeScore is a score as an event, with neither labels nor what it is about.
func nativeScore(s score, at time.Time) *native {
	n := &native{Type: "score", Time: at.UnixNano(), Rubric: s.rubric, Label: s.label}
	if s.label == "" {
		n.Value = &s.value
	}
	return n
}

// otlp is the call as an OTLP span, with scores as its events.
func (c *call) otlp(named bool, scores []score) otlpgen.Span {
	o := otlpgen.Call{
		Trace: c.trace, Span: c.span, Parent: c.parent, Start: c.start, End: c.end, Model: c.model(),
		InputTokens: c.input, OutputTokens: c.output, Cost: c.cost, TTFT: c.ttft, Failed: c.failed, Text: "what the model said",
	}
	if named {
		o.Prompt, o.Version, o.Tier, o.Locale = c.prompt, c.version, c.tier, c.locale
	}
	for _, s := range scores {
		o.Scores = append(o.Scores, otlpgen.Score{Rubric: s.rubric, Value: s.value, Label: s.label})
	}
	span := o.OTLP()
	if c.response != "" {
		span.Attributes = append(span.Attributes, otlpgen.Attribute{Key: "gen_ai.response.id", Value: c.response})
	}
	return span
}

// resolver is the span above the call that says which prompt it is. It ends after the call.
func (c *call) resolver() otlpgen.Span {
	s := otlpgen.Span{
		Trace: c.trace[:], ID: c.parent[:], Name: "resolve", Start: uint64(c.start.UnixNano()), End: uint64(c.end.Add(50 * time.Millisecond).UnixNano()),
	}
	for _, a := range []otlpgen.Attribute{
		{Key: "prompt.name", Value: c.prompt}, {Key: "prompt.version", Value: c.version}, {Key: "prompt.tier", Value: c.tier}, {Key: "prompt.locale", Value: c.locale},
	} {
		if a.Value != "" {
			s.Attributes = append(s.Attributes, a)
		}
	}
	return s
}

func (c *call) nativeResolver() *native {
	n := &native{Type: "span", Kind: "other", Time: c.end.Add(50 * time.Millisecond).UnixNano(), Trace: c.traceHex(), Span: hex.EncodeToString(c.parent[:])}
	return n.labelled(c)
}

// bundle is an export request on its way.
type bundle struct {
	spans []otlpgen.Span
	first time.Time // earliest end
	last  time.Time
	key   string
}

// bundle puts spans of one trace into the partition's next export request, which holds no more than two seconds.
func (g *generator) bundle(c *call, spans ...otlpgen.Span) {
	b := g.bundles[c.partition]
	if b != nil && (len(b.spans) >= 5 || c.end.Sub(b.first) > 2*time.Second) {
		g.export(c.partition)
		b = nil
	}
	if b == nil {
		b = &bundle{first: c.end, key: c.traceHex()}
		g.bundles[c.partition] = b
	}
	b.spans = append(b.spans, spans...)
	b.last = c.end.Add(50 * time.Millisecond)
}

// export ends the request of a partition.
func (g *generator) export(partition int) {
	if b := g.bundles[partition]; b != nil {
		g.add(Spans, partition, b.last, g.jitter(), b.key, otlpgen.AppendSpans(nil, []otlpgen.Attribute{{Key: "service.name", Value: "shop"}}, b.spans...))
		delete(g.bundles, partition)
	}
}
