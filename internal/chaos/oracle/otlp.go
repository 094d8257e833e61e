package oracle

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
)

// message is a protobuf message taken apart: the values of each field, in order.
type message map[uint64][]value

// value is of a field: bytes for strings and messages, bits for numbers.
type value struct {
	bytes []byte
	bits  uint64
}

// takeApart reads the fields of a message.
func takeApart(b []byte) (message, error) {
	m := make(message)
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 || tag>>3 == 0 {
			return nil, fault("malformed")
		}
		b = b[n:]
		var v value
		switch tag & 7 {
		case 0:
			if v.bits, n = binary.Uvarint(b); n <= 0 {
				return nil, fault("malformed")
			}
		case 1:
			if n = 8; len(b) < n {
				return nil, fault("malformed")
			}
			v.bits = binary.LittleEndian.Uint64(b)
		case 2:
			size, w := binary.Uvarint(b)
			if w <= 0 || size > uint64(len(b)-w) {
				return nil, fault("malformed")
			}
			n = w + int(size)
			v.bytes = b[w:n]
		case 5:
			if n = 4; len(b) < n {
				return nil, fault("malformed")
			}
			v.bits = uint64(binary.LittleEndian.Uint32(b))
		default:
			return nil, fault("malformed")
		}
		m[tag>>3] = append(m[tag>>3], v)
		b = b[n:]
	}
	return m, nil
}

func (m message) last(field uint64) value {
	if all := m[field]; len(all) > 0 {
		return all[len(all)-1]
	}
	return value{}
}

// decodeOTLP reads a record of otlp_proto: an ExportTraceServiceRequest.
func decodeOTLP(record []byte, dimensions []string) (events []*event, err error) {
	if record[0] == '{' || record[0] == '[' {
		return nil, fault("encoding")
	}
	request, err := takeApart(record)
	if err != nil {
		return nil, err
	}
	for _, group := range request[1] {
		ofResource, err := takeApart(group.bytes)
		if err != nil {
			return nil, err
		}
		for _, scope := range ofResource[2] {
			ofScope, err := takeApart(scope.bytes)
			if err != nil {
				return nil, err
			}
			for _, s := range ofScope[2] {
				e, err := decodeSpan(s.bytes, dimensions)
				if err != nil {
					return nil, err
				}
				events = append(events, e)
			}
		}
	}
	return events, nil
}

// decodeSpan reads a Span. The labels of these streams all stand on spans, not on their resource.
func decodeSpan(b []byte, dimensions []string) (*event, error) {
	span, err := takeApart(b)
	if err != nil {
		return nil, err
	}
	e := &event{figures: make(map[string]float64)}
	e.trace, e.span, e.parent = binaryID(e, span.last(1).bytes, 16), binaryID(e, span.last(2).bytes, 8), binaryID(e, span.last(4).bytes, 8)
	start, end := span.last(7).bits, span.last(8).bits
	e.time = int64(min(end, math.MaxInt64))
	attrs, err := attributes(span[9])
	if err != nil {
		return nil, err
	}
	for _, occurrence := range span[11] {
		o, is, err := evaluation(occurrence.bytes)
		if err != nil {
			return nil, err
		}
		if is {
			e.scores = append(e.scores, o)
		}
	}
	e.prompt, e.version, e.response = attrs.text("prompt.name"), attrs.text("prompt.version"), attrs.text("gen_ai.response.id")
	e.model, e.variant, e.environment = attrs.text("gen_ai.response.model"), attrs.text("prompt.variant"), attrs.text("deployment.environment.name")
	e.templateHash = attrs.text("prompt.template_hash")
	var dims []string
	for _, d := range dimensions {
		dims = append(dims, attrs.text("prompt."+d))
	}
	e.dims = strings.Join(dims, "\x00")
	if _, e.call = attrs["gen_ai.operation.name"]; !e.call {
		return e, nil
	}
	for name, attr := range map[string]string{
		"input_tokens": "gen_ai.usage.input_tokens", "output_tokens": "gen_ai.usage.output_tokens", "cost": "gen_ai.usage.cost",
		"ttft": "gen_ai.response.time_to_first_chunk",
	} {
		if v, ok := attrs[attr]; ok {
			if e.figures[name] = v.number(); math.IsNaN(e.figures[name]) {
				e.refuse("bad_value")
			}
		}
	}
	status, err := takeApart(span.last(15).bytes)
	if err != nil {
		return nil, err
	}
	if e.figures["error"] = 0; status.last(3).bits == 2 {
		e.figures["error"] = 1
	}
	switch {
	case start == 0 || end == 0:
	case end < start:
		e.refuse("negative_latency")
	default:
		e.figures["latency"] = float64(end-start) / 1e9
	}
	return e, nil
}

// binaryID is an id in hex; one of another length refuses the event.
func binaryID(e *event, b []byte, size int) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) != size {
		e.refuse("bad_id")
		return ""
	}
	text := hex.EncodeToString(b)
	if strings.Trim(text, "0") == "" {
		return ""
	}
	return text
}

// evaluation reads a span event; is tells whether it is a score.
func evaluation(b []byte) (o opinion, is bool, err error) {
	m, err := takeApart(b)
	if err != nil || string(m.last(2).bytes) != "gen_ai.evaluation.result" {
		return o, false, err
	}
	attrs, err := attributes(m[3])
	if err != nil {
		return o, false, err
	}
	o.rubric, o.label = attrs.text("gen_ai.evaluation.name"), attrs.text("gen_ai.evaluation.score.label")
	if v, ok := attrs["gen_ai.evaluation.score.value"]; ok {
		o.value, o.valued = v.number(), true
	}
	return o, true, nil
}

// anyValue is the value of an attribute.
type anyValue struct{ message }

type attributeSet map[string]anyValue

func attributes(list []value) (attributeSet, error) {
	set := make(attributeSet)
	for _, kv := range list {
		m, err := takeApart(kv.bytes)
		if err != nil {
			return nil, err
		}
		v, err := takeApart(m.last(2).bytes)
		if err != nil {
			return nil, err
		}
		set[string(m.last(1).bytes)] = anyValue{v}
	}
	return set, nil
}

func (s attributeSet) text(name string) string {
	v := s[name]
	if _, ok := v.message[3]; ok {
		return strconv.FormatInt(int64(v.last(3).bits), 10)
	}
	return string(v.last(1).bytes)
}

// number is NaN where there is none.
func (v anyValue) number() float64 {
	if _, ok := v.message[3]; ok {
		return float64(int64(v.last(3).bits))
	}
	if _, ok := v.message[4]; ok {
		return math.Float64frombits(v.last(4).bits)
	}
	if f, err := strconv.ParseFloat(string(v.last(1).bytes), 64); err == nil {
		return f
	}
	return math.NaN()
}
