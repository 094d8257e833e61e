package otlp

import (
	"github.com/VictoriaMetrics/easyproto"

	"github.com/driftd/driftd/consumer"
)

// span reads a Span.
func (d *decoder) span(src []byte) error {
	d.beginSpan()
	e := &d.event
	var start, end uint64
	failed := false
	var f easyproto.FieldContext
	for len(src) > 0 {
		var err error
		if src, err = f.NextField(src); err != nil {
			return malformed("span", err)
		}
		var data []byte
		ok := true
		switch f.FieldNum {
		case 1:
			ok = id(e, &f, e.Trace[:], "trace id")
		case 2:
			ok = id(e, &f, e.Span[:], "span id")
		case 4:
			ok = id(e, &f, e.Parent[:], "parent span id")
		case 7:
			start, ok = f.Fixed64()
		case 8:
			end, ok = f.Fixed64()
		case 9:
			err = d.attribute(&f, &d.own)
		case 11:
			if data, ok = f.MessageData(); ok {
				err = d.readSpanEvent(data)
			}
		case 13:
			if data, ok = f.MessageData(); ok {
				err = d.link(data)
			}
		case 15:
			if data, ok = f.MessageData(); ok {
				failed, err = d.status(data)
			}
		}
		if err != nil {
			return err
		}
		if !ok {
			return d.mismatch("a field of its spans")
		}
	}
	d.endSpan(start, end, failed)
	return nil
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
		wrongLength(e, what, len(b))
	}
	return true
}

func (d *decoder) status(src []byte) (failed bool, err error) {
	var f easyproto.FieldContext
	for len(src) > 0 {
		if src, err = f.NextField(src); err != nil {
			return false, malformed("span status", err)
		}
		if f.FieldNum == 3 {
			code, ok := f.Uint64()
			if !ok {
				return false, d.mismatch("the status of a span")
			}
			failed = code == statusError
		}
	}
	return failed, nil
}

func (d *decoder) link(src []byte) error {
	to := d.nextLink()
	if to == nil {
		return nil
	}
	var f easyproto.FieldContext
	for len(src) > 0 {
		var err error
		if src, err = f.NextField(src); err != nil {
			return malformed("span link", err)
		}
		ok := true
		switch f.FieldNum {
		case 1:
			ok = id(to, &f, to.Trace[:], "linked trace id")
		case 2:
			ok = id(to, &f, to.Span[:], "linked span id")
		}
		if !ok {
			return d.mismatch("the link of a span")
		}
	}
	return nil
}

// readSpanEvent reads an event that is an evaluation; any other is skipped.
func (d *decoder) readSpanEvent(data []byte) error {
	var name []byte
	var f easyproto.FieldContext
	for src := data; len(src) > 0; {
		var err error
		if src, err = f.NextField(src); err != nil {
			return malformed("span event", err)
		}
		if f.FieldNum == 2 {
			var ok bool
			if name, ok = f.Bytes(); !ok {
				return d.mismatch("the name of a span event")
			}
		}
	}
	if !d.attrs.ScoreEvent(name) {
		return nil
	}
	d.result.Reset()
	if err := d.attributes(data, 3, &d.result); err != nil {
		return err
	}
	d.spanEvent()
	return nil
}
