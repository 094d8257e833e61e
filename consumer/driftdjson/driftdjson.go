// Package driftdjson decodes driftd's own events: one JSON object a record, a span or a score, for producers without
// OpenTelemetry. Unknown keys are skipped. A known key with a value of another type, or there twice, refuses the record:
// an event that says two things about itself is not to be trusted. null is as good as absent.
package driftdjson

import (
	"errors"
	"io"

	"github.com/go-faster/jx"

	"github.com/driftd/driftd/consumer"
)

// maxDepth is how deep the JSON reader follows what it skips.
const maxDepth = 10000

type decoder struct {
	dims  []string
	json  jx.Decoder
	event consumer.Event
	seen  uint64 // keys of this record, by number
	typed bool
	other bool                // kind is other
	own   consumer.ScoreValue // of an event of type score
	day   dayCache

	onKey, onScore func(*jx.Decoder, []byte) error // made once: a closure a record would be an allocation
}

// New returns a decoder of native events.
func New(attrs *consumer.Attributes) consumer.Decoder {
	d := &decoder{dims: attrs.Dimensions()}
	d.event.Dimensions = make([][]byte, len(d.dims))
	d.onKey, d.onScore = d.key, d.score
	return d
}

// Decode implements consumer.Decoder. One event a record.
func (d *decoder) Decode(record []byte, yield func(*consumer.Event)) error {
	if firstByte(record) != '{' {
		return consumer.Refused(consumer.Encoding, "the record is no JSON object, its topic is set to driftd_json")
	}
	e := &d.event
	e.Reset()
	d.seen, d.typed, d.other, d.own = 0, false, false, consumer.ScoreValue{}
	d.json.ResetBytes(record)
	err := d.json.ObjBytes(d.onKey)
	if err == nil && !errors.Is(d.json.Skip(), io.EOF) {
		return consumer.Refused(consumer.Malformed, "more than one JSON value in the record")
	}
	if err != nil {
		if refused, ok := errors.AsType[*consumer.RecordError](err); ok {
			return refused
		}
		if tooDeep(record) {
			return consumer.Refused(consumer.TooDeep, "nested deeper than %d levels", maxDepth)
		}
		return consumer.Refused(consumer.Malformed, "no well-formed JSON")
	}
	if !d.typed {
		return consumer.Refused(consumer.WrongType, "type is missing: it says span or score")
	}
	if e.Kind == consumer.Span {
		e.Call = !d.other
	} else if d.seen&(1<<keyRubric|1<<keyValue|1<<keyLabel) != 0 || len(e.Scores) == 0 {
		e.AddScore(d.own)
	}
	yield(e)
	return nil
}

func firstByte(b []byte) byte {
	for _, c := range b {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// tooDeep tells whether a record that could not be read is nested too deep.
func tooDeep(b []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
