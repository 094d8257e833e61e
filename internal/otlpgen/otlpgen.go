// Package otlpgen writes events as producers do: export requests of traces and logs in protobuf and JSON, and native JSON lines.
// The demo and the tests use it; the daemon does not. Everything is for one goroutine.
package otlpgen

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/easyproto"
	"github.com/go-faster/jx"
)

// Call is one call of a model. Zero fields are left out.
type Call struct {
	Trace  [16]byte
	Span   [8]byte
	Parent [8]byte
	Start  time.Time
	End    time.Time

	Prompt, Version, Tier, Locale, Variant, Environment string
	TemplateHash, Model                                 string
	InputTokens, OutputTokens                           int
	Cost, TTFT                                          float64 // USD; seconds
	Failed                                              bool
	Text                                                string // completion text, in OTLP alone
	Scores                                              []Score
}

// Score is a value on a rubric.
type Score struct {
	Rubric string
	Value  float64
	Label  string // instead of Value, in OTLP alone
}

// Attribute is a key and a string, int, float64, bool, []byte, []any, []Attribute for a map, or nil.
type Attribute struct {
	Key   string
	Value any
}

// Span is a span as OTLP has it. IDs are written as they are, whatever their length.
type Span struct {
	Trace, ID, Parent []byte
	Name              string
	Start, End        uint64 // Unix ns
	Failed            bool
	Attributes        []Attribute
	Events            []Event
	Links             []Link
}

// Link is a Span Link.
type Link struct{ Trace, Span []byte }

// Event is a span event.
type Event struct {
	Name       string
	Attributes []Attribute
}

// OTLP returns the call as a span with the attributes of OpenTelemetry's conventions.
func (c *Call) OTLP() Span {
	s := Span{
		Trace: c.Trace[:], ID: c.Span[:], Name: "chat " + c.Model, Failed: c.Failed,
		Start: uint64(c.Start.UnixNano()), End: uint64(c.End.UnixNano()),
		Attributes: []Attribute{{"gen_ai.operation.name", "chat"}},
	}
	if c.Parent != [8]byte{} {
		s.Parent = c.Parent[:]
	}
	for _, a := range []Attribute{
		{"prompt.name", c.Prompt}, {"prompt.version", c.Version}, {"prompt.tier", c.Tier}, {"prompt.locale", c.Locale},
		{"prompt.variant", c.Variant}, {"deployment.environment.name", c.Environment}, {"prompt.template_hash", c.TemplateHash},
		{"gen_ai.response.model", c.Model}, {"gen_ai.completion", c.Text},
	} {
		if a.Value != "" {
			s.Attributes = append(s.Attributes, a)
		}
	}
	for _, a := range []Attribute{
		{"gen_ai.usage.input_tokens", c.InputTokens}, {"gen_ai.usage.output_tokens", c.OutputTokens},
		{"gen_ai.usage.cost", c.Cost}, {"gen_ai.response.time_to_first_chunk", c.TTFT},
	} {
		if a.Value != 0 && a.Value != 0.0 {
			s.Attributes = append(s.Attributes, a)
		}
	}
	for _, sc := range c.Scores {
		e := Event{Name: "gen_ai.evaluation.result", Attributes: []Attribute{{"gen_ai.evaluation.name", sc.Rubric}}}
		if sc.Label != "" {
			e.Attributes = append(e.Attributes, Attribute{"gen_ai.evaluation.score.label", sc.Label})
		} else {
			e.Attributes = append(e.Attributes, Attribute{"gen_ai.evaluation.score.value", sc.Value})
		}
		s.Events = append(s.Events, e)
	}
	return s
}

// AppendCalls appends an export request of the calls.
func AppendCalls(dst []byte, resource []Attribute, calls ...Call) []byte {
	spans := make([]Span, len(calls))
	for i := range calls {
		spans[i] = calls[i].OTLP()
	}
	return AppendSpans(dst, resource, spans...)
}

var pool easyproto.MarshalerPool

// AppendSpans appends an ExportTraceServiceRequest with one resource.
func AppendSpans(dst []byte, resource []Attribute, spans ...Span) []byte {
	m := pool.Get()
	defer pool.Put(m)
	of := m.MessageMarshaler().AppendMessage(1)
	appendAttributes(of.AppendMessage(1), 1, resource)
	scope := of.AppendMessage(2)
	name := scope.AppendMessage(1)
	name.AppendString(1, "otlpgen")
	for i := range spans {
		appendSpan(scope.AppendMessage(2), &spans[i])
	}
	return m.Marshal(dst)
}

func appendSpan(m *easyproto.MessageMarshaler, s *Span) {
	m.AppendBytes(1, s.Trace)
	m.AppendBytes(2, s.ID)
	m.AppendBytes(4, s.Parent)
	m.AppendString(5, s.Name)
	m.AppendInt32(6, 3) // a client
	m.AppendFixed64(7, s.Start)
	m.AppendFixed64(8, s.End)
	appendAttributes(m, 9, s.Attributes)
	for _, e := range s.Events {
		em := m.AppendMessage(11)
		em.AppendFixed64(1, s.End)
		em.AppendString(2, e.Name)
		appendAttributes(em, 3, e.Attributes)
	}
	for _, l := range s.Links {
		lm := m.AppendMessage(13)
		lm.AppendBytes(1, l.Trace)
		lm.AppendBytes(2, l.Span)
	}
	status := m.AppendMessage(15)
	if s.Failed {
		status.AppendString(2, "failed")
		status.AppendInt32(3, 2)
	}
}

func appendAttributes(m *easyproto.MessageMarshaler, field uint32, attrs []Attribute) {
	for _, a := range attrs {
		kv := m.AppendMessage(field)
		kv.AppendString(1, a.Key)
		appendValue(kv.AppendMessage(2), a.Value)
	}
}

func appendValue(m *easyproto.MessageMarshaler, v any) {
	switch v := v.(type) {
	case string:
		m.AppendString(1, v)
	case bool:
		m.AppendBool(2, v)
	case int:
		m.AppendInt64(3, int64(v))
	case float64:
		m.AppendDouble(4, v)
	case []any:
		list := m.AppendMessage(5)
		for _, x := range v {
			appendValue(list.AppendMessage(1), x)
		}
	case []Attribute:
		appendAttributes(m.AppendMessage(6), 1, v)
	case []byte:
		m.AppendBytes(7, v)
	}
}

// AppendNative appends the call as a native span, without a line end.
func AppendNative(dst []byte, c *Call) []byte {
	w := object(dst, "span", c.End, c)
	if !c.Start.IsZero() {
		w.number("latency", c.End.Sub(c.Start).Seconds())
	}
	w.number("ttft", c.TTFT)
	w.number("input_tokens", float64(c.InputTokens))
	w.number("output_tokens", float64(c.OutputTokens))
	w.number("cost", c.Cost)
	w.raw("error", strconv.AppendBool(nil, c.Failed))
	if len(c.Scores) > 0 {
		w.key("scores")
		w.dst = append(w.dst, '{')
		for i, s := range c.Scores {
			if i > 0 {
				w.dst = append(w.dst, ',')
			}
			w.quote(s.Rubric)
			w.dst = append(w.dst, ':')
			w.dst = strconv.AppendFloat(w.dst, s.Value, 'f', -1, 64)
		}
		w.dst = append(w.dst, '}')
	}
	return append(w.dst, '}')
}

// AppendNativeScore appends a score about the call, given at time at, as a native event without a line end.
func AppendNativeScore(dst []byte, c *Call, s Score, at time.Time) []byte {
	w := object(dst, "score", at, c)
	w.text("rubric", s.Rubric)
	if s.Label != "" {
		w.text("label", s.Label)
	} else {
		w.raw("value", strconv.AppendFloat(nil, s.Value, 'f', -1, 64))
	}
	return append(w.dst, '}')
}

type writer struct{ dst []byte }

func object(dst []byte, kind string, at time.Time, c *Call) *writer {
	w := &writer{append(dst, `{"type":"`...)}
	w.dst = append(w.dst, kind...)
	w.dst = append(w.dst, `","time":"`...)
	w.dst = at.UTC().AppendFormat(w.dst, time.RFC3339Nano)
	w.dst = append(w.dst, '"')
	if c.Trace != [16]byte{} {
		w.text("trace_id", hex.EncodeToString(c.Trace[:]))
		w.text("span_id", hex.EncodeToString(c.Span[:]))
	}
	w.text("prompt", c.Prompt)
	w.text("version", c.Version)
	w.text("tier", c.Tier)
	w.text("locale", c.Locale)
	w.text("variant", c.Variant)
	w.text("environment", c.Environment)
	w.text("template_hash", c.TemplateHash)
	w.text("model", c.Model)
	return w
}

func (w *writer) key(k string) {
	w.dst = append(w.dst, ',')
	w.quote(k)
	w.dst = append(w.dst, ':')
}

func (w *writer) quote(s string) {
	var e jx.Writer
	e.Str(s)
	w.dst = append(w.dst, e.Buf...)
}

func (w *writer) text(k, v string) {
	if v != "" {
		w.key(k)
		w.quote(v)
	}
}

func (w *writer) raw(k string, v []byte) {
	w.key(k)
	w.dst = append(w.dst, v...)
}

func (w *writer) number(k string, v float64) {
	if v != 0 {
		w.raw(k, strconv.AppendFloat(nil, v, 'f', -1, 64))
	}
}
