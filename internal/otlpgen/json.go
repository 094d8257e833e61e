package otlpgen

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/VictoriaMetrics/easyproto"
)

// message is the part of a protobuf message that JSON is written of, in the order of its fields' numbers.
type message []field

type field struct {
	number   uint32
	name     string
	is       kind
	of       *message // of a nested one
	repeated bool
	choice   bool // one of the fields that are marked so, the last one
}

type kind uint8

const (
	nested kind = iota
	text
	number // varint that JSON has as a number
	long   // varint that JSON has as a text
	nanos  // fixed64
	flags  // fixed32
	double // NaN and infinities are texts
	boolean
	id   // in hex
	blob // in base64
)

var (
	anyValueOf = message{
		{number: 1, name: "stringValue", is: text, choice: true},
		{number: 2, name: "boolValue", is: boolean, choice: true},
		{number: 3, name: "intValue", is: long, choice: true},
		{number: 4, name: "doubleValue", is: double, choice: true},
		{number: 5, name: "arrayValue", of: &arrayOf, choice: true},
		{number: 6, name: "kvlistValue", of: &mapOf, choice: true},
		{number: 7, name: "bytesValue", is: blob, choice: true},
	}
	arrayOf    = message{{number: 1, name: "values", repeated: true}} // of anyValueOf
	mapOf      = message{{number: 1, name: "values", of: &keyValueOf, repeated: true}}
	keyValueOf = message{{number: 1, name: "key", is: text}, {number: 2, name: "value"}} // of anyValueOf
	resourceOf = message{{number: 1, name: "attributes", of: &keyValueOf, repeated: true}}
	scopeOf    = message{{number: 1, name: "name", is: text}, {number: 2, name: "version", is: text}}

	spanEventOf = message{
		{number: 1, name: "timeUnixNano", is: nanos}, {number: 2, name: "name", is: text},
		{number: 3, name: "attributes", of: &keyValueOf, repeated: true},
	}
	linkOf   = message{{number: 1, name: "traceId", is: id}, {number: 2, name: "spanId", is: id}}
	statusOf = message{{number: 2, name: "message", is: text}, {number: 3, name: "code", is: number}}
	spanOf   = message{
		{number: 1, name: "traceId", is: id}, {number: 2, name: "spanId", is: id}, {number: 3, name: "traceState", is: text},
		{number: 4, name: "parentSpanId", is: id}, {number: 5, name: "name", is: text}, {number: 6, name: "kind", is: number},
		{number: 7, name: "startTimeUnixNano", is: nanos}, {number: 8, name: "endTimeUnixNano", is: nanos},
		{number: 9, name: "attributes", of: &keyValueOf, repeated: true}, {number: 11, name: "events", of: &spanEventOf, repeated: true},
		{number: 13, name: "links", of: &linkOf, repeated: true}, {number: 15, name: "status", of: &statusOf},
	}
	logOf = message{
		{number: 1, name: "timeUnixNano", is: nanos}, {number: 2, name: "severityNumber", is: number}, {number: 3, name: "severityText", is: text},
		{number: 5, name: "body", of: &anyValueOf}, {number: 6, name: "attributes", of: &keyValueOf, repeated: true},
		{number: 8, name: "flags", is: flags}, {number: 9, name: "traceId", is: id}, {number: 10, name: "spanId", is: id},
		{number: 11, name: "observedTimeUnixNano", is: nanos}, {number: 12, name: "eventName", is: text},
	}

	scopeSpansOf    = message{{number: 1, name: "scope", of: &scopeOf}, {number: 2, name: "spans", of: &spanOf, repeated: true}}
	scopeLogsOf     = message{{number: 1, name: "scope", of: &scopeOf}, {number: 2, name: "logRecords", of: &logOf, repeated: true}}
	resourceSpansOf = message{{number: 1, name: "resource", of: &resourceOf}, {number: 2, name: "scopeSpans", of: &scopeSpansOf, repeated: true}}
	resourceLogsOf  = message{{number: 1, name: "resource", of: &resourceOf}, {number: 2, name: "scopeLogs", of: &scopeLogsOf, repeated: true}}
	tracesOf        = message{{number: 1, name: "resourceSpans", of: &resourceSpansOf, repeated: true}}
	logsOf          = message{{number: 1, name: "resourceLogs", of: &resourceLogsOf, repeated: true}}
)

func init() { // these refer to themselves
	arrayOf[0].of, keyValueOf[1].of = &anyValueOf, &anyValueOf
}

// TracesJSON writes an ExportTraceServiceRequest in protobuf as the Collector's exporters write it in JSON. It fails for what is no
// such request, and for one that gives a field twice that JSON can have once.
func TracesJSON(record []byte) ([]byte, error) { return tracesOf.append(nil, record, 0) }

// LogsJSON is TracesJSON for an ExportLogsServiceRequest.
func LogsJSON(record []byte) ([]byte, error) { return logsOf.append(nil, record, 0) }

// maxNested bounds how deep values are nested.
const maxNested = 400

func (m message) append(dst, src []byte, depth int) ([]byte, error) {
	if depth > maxNested {
		return nil, errors.New("write OTLP in JSON: nested too deep")
	}
	dst = append(dst, '{')
	first := true
	last, err := m.chosen(src)
	if err != nil {
		return nil, err
	}
	for i := range m {
		f := &m[i]
		if f.choice && f.number != last {
			continue
		}
		before, n := len(dst), 0
		if !first {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), f.name...), '"', ':')
		if f.repeated {
			dst = append(dst, '[')
		}
		var fc easyproto.FieldContext
		for rest := src; len(rest) > 0; {
			if rest, err = fc.NextField(rest); err != nil {
				return nil, err
			}
			if fc.FieldNum != f.number {
				continue
			}
			if n++; n > 1 && !f.repeated {
				return nil, fmt.Errorf("write OTLP in JSON: %s stands twice", f.name)
			}
			if n > 1 {
				dst = append(dst, ',')
			}
			if dst, err = f.append(dst, &fc, depth); err != nil {
				return nil, err
			}
		}
		if f.repeated {
			dst = append(dst, ']')
		}
		if n == 0 {
			dst = dst[:before]
			continue
		}
		first = false
	}
	return append(dst, '}'), nil
}

// chosen is the number of the last field that is a choice.
func (m message) chosen(src []byte) (last uint32, err error) {
	var fc easyproto.FieldContext
	for len(src) > 0 {
		if src, err = fc.NextField(src); err != nil {
			return 0, err
		}
		for i := range m {
			if m[i].choice && m[i].number == fc.FieldNum {
				last = fc.FieldNum
			}
		}
	}
	return last, nil
}

func (f *field) append(dst []byte, fc *easyproto.FieldContext, depth int) ([]byte, error) {
	var ok bool
	switch f.is {
	case nested:
		var data []byte
		if data, ok = fc.MessageData(); ok {
			return f.of.append(dst, data, depth+1)
		}
	case text, id, blob:
		var b []byte
		if b, ok = fc.Bytes(); ok {
			dst = append(dst, '"')
			switch f.is {
			case text:
				dst = appendEscaped(dst, b)
			case id:
				dst = hex.AppendEncode(dst, b)
			default:
				dst = base64.StdEncoding.AppendEncode(dst, b)
			}
			dst = append(dst, '"')
		}
	case number:
		var v int64
		v, ok = fc.Int64()
		dst = strconv.AppendInt(dst, v, 10)
	case long:
		var v int64
		v, ok = fc.Int64()
		dst = append(strconv.AppendInt(append(dst, '"'), v, 10), '"')
	case nanos:
		var v uint64
		v, ok = fc.Fixed64()
		dst = append(strconv.AppendUint(append(dst, '"'), v, 10), '"')
	case flags:
		var v uint32
		v, ok = fc.Fixed32()
		dst = strconv.AppendUint(dst, uint64(v), 10)
	case double:
		var v float64
		v, ok = fc.Double()
		dst = appendDouble(dst, v)
	case boolean:
		var v uint64
		v, ok = fc.Uint64()
		dst = strconv.AppendBool(dst, v != 0)
	}
	if !ok {
		return nil, fmt.Errorf("write OTLP in JSON: %s has another type", f.name)
	}
	return dst, nil
}

func appendDouble(dst []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Infinity"`...)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}

// appendEscaped writes a text between its quotes. What is not UTF-8 stays as it is.
func appendEscaped(dst, b []byte) []byte {
	for _, c := range b {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c < ' ':
			dst = fmt.Appendf(dst, `\u%04x`, c)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
