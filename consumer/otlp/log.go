package otlp

import (
	"github.com/VictoriaMetrics/easyproto"
)

// logRecord reads a LogRecord that is an evaluation; any other is skipped.
func (d *decoder) logRecord(data []byte) error {
	d.beginLog()
	e := &d.event
	var at, observed uint64
	var name, body []byte
	var f easyproto.FieldContext
	for src := data; len(src) > 0; {
		var err error
		if src, err = f.NextField(src); err != nil {
			return malformed("log record", err)
		}
		ok := true
		switch f.FieldNum {
		case 1:
			at, ok = f.Fixed64()
		case 5:
			body, ok = f.MessageData()
		case 6:
			_, ok = f.MessageData()
		case 9:
			ok = id(e, &f, e.Trace[:], "trace id")
		case 10:
			ok = id(e, &f, e.Span[:], "span id")
		case 11:
			observed, ok = f.Fixed64()
		case 12:
			name, ok = f.Bytes()
		}
		if !ok {
			return d.mismatch("a field of its log records")
		}
	}
	if len(name) > 0 && !d.attrs.ScoreEvent(name) {
		return nil
	}
	d.named = name
	if err := d.attributes(data, 6, &d.own); err != nil {
		return err
	}
	if !d.attrs.ScoreEvent(d.named) {
		return nil
	}
	if err := d.body(body); err != nil {
		return err
	}
	d.endLog(at, observed)
	return nil
}

// body reads the body of an evaluation, which may be a map that says what attributes may say.
func (d *decoder) body(src []byte) error {
	var f easyproto.FieldContext
	for len(src) > 0 {
		var err error
		if src, err = f.NextField(src); err != nil {
			return malformed("log body", err)
		}
		if f.FieldNum != 6 {
			continue
		}
		list, ok := f.MessageData()
		if !ok {
			return d.mismatch("the body of a log record")
		}
		if err := d.attributes(list, 1, &d.own); err != nil {
			return err
		}
	}
	return nil
}
