// Package otlp decodes what the OpenTelemetry Collector's Kafka exporter writes under the encoding otlp_proto: a record is
// one ExportTraceServiceRequest. Attributes that no field is taken from are skipped unread.
package otlp

import (
	"fmt"
	"math"

	"github.com/VictoriaMetrics/easyproto"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/windows"
)

// evaluation is the name of the span event that holds a score.
const evaluation = "gen_ai.evaluation.result"

// statusError is the code of a span's status that says that it failed.
const statusError = 2

type decoder struct {
	attrs                  *consumer.Attributes
	span, resource, result consumer.Set
	event                  consumer.Event
	yield                  func(*consumer.Event)
}

// New returns a decoder of trace export requests.
func New(attrs *consumer.Attributes) consumer.Decoder {
	return &decoder{attrs: attrs, event: consumer.Event{Dimensions: make([][]byte, len(attrs.Dimensions()))}}
}

// Decode implements consumer.Decoder. One event a span.
func (d *decoder) Decode(record []byte, yield func(*consumer.Event)) error {
	if len(record) > 0 && (record[0] == '{' || record[0] == '[') {
		return consumer.Refused(consumer.Encoding, "the record is JSON, its topic is set to otlp_proto")
	}
	d.yield = yield
	var f easyproto.FieldContext
	spans := false
	for len(record) > 0 {
		var err error
		if record, err = f.NextField(record); err != nil {
			return malformed("export request", err)
		}
		if f.FieldNum != 1 {
			continue
		}
		data, ok := f.MessageData()
		if !ok {
			return consumer.Refused(consumer.Encoding, "no trace export request")
		}
		spans = true
		if err := d.resourceSpans(data); err != nil {
			return err
		}
	}
	if !spans {
		return consumer.Refused(consumer.Encoding, "no trace export request: it has no spans of any resource")
	}
	return nil
}

func (d *decoder) resourceSpans(data []byte) error {
	d.resource.Reset()
	var f easyproto.FieldContext
	var err error
	for src := data; len(src) > 0; { // the resource first, wherever it stands
		if src, err = f.NextField(src); err != nil {
			return malformed("resource spans", err)
		}
		if f.FieldNum == 1 {
			resource, ok := f.MessageData()
			if !ok {
				return mismatch("resource")
			}
			if err := d.resourceAttributes(resource); err != nil {
				return err
			}
		}
	}
	for src := data; len(src) > 0; {
		if src, err = f.NextField(src); err != nil {
			return malformed("resource spans", err)
		}
		if f.FieldNum == 2 {
			scope, ok := f.MessageData()
			if !ok {
				return mismatch("scope spans")
			}
			if err := d.scopeSpans(scope); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *decoder) resourceAttributes(src []byte) error {
	var f easyproto.FieldContext
	for len(src) > 0 {
		var err error
		if src, err = f.NextField(src); err != nil {
			return malformed("resource", err)
		}
		if f.FieldNum == 1 {
			if err := d.attribute(&f, &d.resource); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *decoder) scopeSpans(src []byte) error {
	var f easyproto.FieldContext
	for len(src) > 0 {
		var err error
		if src, err = f.NextField(src); err != nil {
			return malformed("scope spans", err)
		}
		if f.FieldNum == 2 {
			span, ok := f.MessageData()
			if !ok {
				return mismatch("span")
			}
			if err := d.decodeSpan(span); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *decoder) decodeSpan(src []byte) error {
	e := &d.event
	e.Reset()
	d.span.Reset()
	var start, end uint64
	failed := false
	var f easyproto.FieldContext
	for len(src) > 0 {
		var err error
		if src, err = f.NextField(src); err != nil {
			return malformed("span", err)
		}
		ok := true
		switch f.FieldNum {
		case 1:
			ok = id(e, &f, e.Trace[:], "trace")
		case 2:
			ok = id(e, &f, e.Span[:], "span")
		case 4:
			ok = id(e, &f, e.Parent[:], "parent span")
		case 7:
			start, ok = f.Fixed64()
		case 8:
			end, ok = f.Fixed64()
		case 9:
			if err := d.attribute(&f, &d.span); err != nil {
				return err
			}
		case 11:
			var data []byte
			if data, ok = f.MessageData(); ok {
				if err := d.spanEvent(data); err != nil {
					return err
				}
			}
		case 15:
			var data []byte
			if data, ok = f.MessageData(); ok {
				if failed, err = status(data); err != nil {
					return err
				}
			}
		}
		if !ok {
			return consumer.Refused(consumer.Encoding, "no span: field %d has another type; a request of logs or metrics?", f.FieldNum)
		}
	}
	d.attrs.Fill(e, &d.span, &d.resource, int64(min(start, math.MaxInt64)))
	d.times(start, end)
	if e.Call && !e.Has.Has(windows.BuiltinError) {
		e.Set(windows.BuiltinError, 0)
		if failed {
			e.Set(windows.BuiltinError, 1)
		}
	}
	d.yield(e)
	return nil
}

// times sets the event's time, which is the span's end, and the latency.
func (d *decoder) times(start, end uint64) {
	e := &d.event
	e.Time = int64(min(end, math.MaxInt64))
	if start == 0 || end == 0 || !e.Call {
		return
	}
	if end < start {
		e.Refuse(consumer.NegativeLatency, "the span ends before it starts")
		return
	}
	e.Set(windows.BuiltinLatency, float64(end-start)/1e9)
}

// id reads an id of as many bytes as dst has; none is fine.
func id(e *consumer.Event, f *easyproto.FieldContext, dst []byte, what string) bool {
	b, ok := f.Bytes()
	if !ok {
		return false
	}
	if len(b) == len(dst) {
		copy(dst, b)
	} else if len(b) > 0 {
		e.Refuse(consumer.BadID, fmt.Sprintf("%s id of %d bytes", what, len(b)))
	}
	return true
}

func status(src []byte) (failed bool, err error) {
	var f easyproto.FieldContext
	for len(src) > 0 {
		if src, err = f.NextField(src); err != nil {
			return false, malformed("span status", err)
		}
		if f.FieldNum == 3 {
			code, ok := f.Uint64()
			if !ok {
				return false, mismatch("status code")
			}
			failed = code == statusError
		}
	}
	return failed, nil
}

// spanEvent takes the score out of an evaluation result; any other event is skipped.
func (d *decoder) spanEvent(data []byte) error {
	var f easyproto.FieldContext
	found := false
	for src := data; len(src) > 0 && !found; {
		var err error
		if src, err = f.NextField(src); err != nil {
			return malformed("span event", err)
		}
		if f.FieldNum == 2 {
			name, ok := f.Bytes()
			if !ok {
				return mismatch("name of a span event")
			}
			if string(name) != evaluation {
				return nil
			}
			found = true
		}
	}
	if !found {
		return nil
	}
	d.result.Reset()
	for src := data; len(src) > 0; {
		var err error
		if src, err = f.NextField(src); err != nil {
			return malformed("span event", err)
		}
		if f.FieldNum == 3 {
			if err := d.attribute(&f, &d.result); err != nil {
				return err
			}
		}
	}
	d.attrs.FillScore(&d.event, &d.result)
	return nil
}

func malformed(what string, err error) error {
	return consumer.Refused(consumer.Malformed, "%s: %v", what, err)
}

func mismatch(what string) error {
	return consumer.Refused(consumer.Encoding, "no trace export request: its %s has another type", what)
}
