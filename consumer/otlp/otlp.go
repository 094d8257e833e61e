// Package otlp decodes what the OpenTelemetry Collector's Kafka exporter writes under the encodings otlp_proto and otlp_json: a
// record is one ExportTraceServiceRequest or ExportLogsServiceRequest. Which of them is told by the record's structure, so that
// a topic may have both. Attributes that no field is taken from are skipped unread, and so are all log records but evaluations:
// others hold prompt text.
package otlp

import (
	"github.com/VictoriaMetrics/easyproto"

	"github.com/driftd/driftd/consumer"
)

// statusError is the code of a span's status that says that it failed.
const statusError = 2

// decoder reads protobuf.
type decoder struct {
	telemetry
	signal signal
}

// New returns a decoder of otlp_proto.
func New(attrs *consumer.Attributes) consumer.Decoder {
	return &decoder{telemetry: newTelemetry(attrs)}
}

// Decode implements consumer.Decoder. A span is an event, with the scores that are about itself; one that holds an evaluation of
// another span is followed by an event with that. A log record that is an evaluation is an event; others are none.
func (d *decoder) Decode(record []byte, yield func(*consumer.Event)) error {
	if len(record) > 0 && (record[0] == '{' || record[0] == '[') {
		return consumer.Refused(consumer.Encoding, "the record is JSON, its topic is set to otlp_proto")
	}
	d.yield = yield
	d.signal = signalOf(record, 0)
	if d.signal == metrics {
		return refuseSignal(metrics)
	}
	known := len(record) == 0
	var f easyproto.FieldContext
	for len(record) > 0 {
		var err error
		if record, err = f.NextField(record); err != nil {
			return malformed("export request", err)
		}
		if f.FieldNum == 2 {
			return refuseSignal(profiles) // their dictionary
		}
		if f.FieldNum != 1 {
			continue
		}
		data, ok := f.MessageData()
		if !ok {
			return consumer.Refused(consumer.Encoding, "no export request of traces or logs")
		}
		known = true
		if err := d.resourceItems(data); err != nil {
			return err
		}
	}
	if !known {
		return consumer.Refused(consumer.Encoding, "no export request of traces or logs: it has no resources")
	}
	return nil
}

// resourceItems reads ResourceSpans or ResourceLogs.
func (d *decoder) resourceItems(data []byte) error {
	d.resource.Reset()
	var f easyproto.FieldContext
	var err error
	for src := data; len(src) > 0; { // the resource first, wherever it stands
		if src, err = f.NextField(src); err != nil {
			return malformed("resource", err)
		}
		if f.FieldNum == 1 {
			resource, ok := f.MessageData()
			if !ok {
				return d.mismatch("resource")
			}
			if err := d.attributes(resource, 1, &d.resource); err != nil {
				return err
			}
		}
	}
	for src := data; len(src) > 0; {
		if src, err = f.NextField(src); err != nil {
			return malformed("resource", err)
		}
		if f.FieldNum == 2 {
			scope, ok := f.MessageData()
			if !ok {
				return d.mismatch("scope")
			}
			if err := d.scopeItems(scope); err != nil {
				return err
			}
		}
	}
	return nil
}

// scopeItems reads ScopeSpans or ScopeLogs.
func (d *decoder) scopeItems(src []byte) error {
	var f easyproto.FieldContext
	for len(src) > 0 {
		var err error
		if src, err = f.NextField(src); err != nil {
			return malformed("scope", err)
		}
		if f.FieldNum != 2 {
			continue
		}
		item, ok := f.MessageData()
		if !ok {
			return d.mismatch("item")
		}
		if d.signal == logs {
			err = d.logRecord(item)
		} else {
			err = d.span(item)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// refuseSignal refuses a request of a signal that has no prompts and scores.
func refuseSignal(s signal) error {
	return consumer.Refused(consumer.Encoding, "an export request of %s: only traces and logs are read, give %s a topic of their own", s, s)
}

func malformed(what string, err error) error {
	return consumer.Refused(consumer.Malformed, "%s: %v", what, err)
}

// mismatch refuses a record whose field has not the type that it has in requests of the signal that the rest of it looks like.
func (d *decoder) mismatch(what string) error {
	s := d.signal
	if s == undecided {
		s = traces
	}
	return consumer.Refused(consumer.Encoding, "no export request of %s: %s has another type", s, what)
}
