package otlp

import (
	"encoding/binary"

	"github.com/VictoriaMetrics/easyproto"

	"github.com/driftd/driftd/consumer"
)

// attributes reads the KeyValues in a field of a message into set.
func (d *decoder) attributes(src []byte, field uint32, set *consumer.Set) error {
	var f easyproto.FieldContext
	for len(src) > 0 {
		var err error
		if src, err = f.NextField(src); err != nil {
			return malformed("attributes", err)
		}
		if f.FieldNum == field {
			if err := d.attribute(&f, set); err != nil {
				return err
			}
		}
	}
	return nil
}

// attribute reads a KeyValue into set when the table has a use for its key.
func (d *decoder) attribute(f *easyproto.FieldContext, set *consumer.Set) error {
	data, ok := f.MessageData()
	if !ok {
		return d.mismatch("an attribute")
	}
	key, value, err := d.keyValue(data)
	if err != nil {
		return err
	}
	slot, ok := d.attrs.Lookup(key)
	if !ok {
		if slot = -1; !d.isName(set, key) {
			return nil
		}
	}
	v, err := d.anyValue(value)
	if err != nil {
		return err
	}
	d.put(set, slot, key, v)
	return nil
}

// keyValue takes a KeyValue apart.
func (d *decoder) keyValue(data []byte) (key, value []byte, err error) {
	// As every known producer writes it: the key, shorter than 128 bytes, then the value, then nothing.
	if len(data) > 2 && data[0] == 1<<3|2 && int(data[1]) <= len(data)-2 && data[1] < 0x80 {
		key, rest := data[2:2+data[1]], data[2+data[1]:]
		if len(rest) > 1 && rest[0] == 2<<3|2 {
			if n, w := binary.Uvarint(rest[1:]); w > 0 && n == uint64(len(rest)-1-w) {
				return key, rest[1+w:], nil
			}
		}
	}
	var f easyproto.FieldContext
	for len(data) > 0 {
		if data, err = f.NextField(data); err != nil {
			return nil, nil, malformed("attribute", err)
		}
		ok := true
		switch f.FieldNum {
		case 1:
			key, ok = f.Bytes()
		case 2:
			value, ok = f.MessageData()
		}
		if !ok {
			return nil, nil, d.mismatch("an attribute")
		}
	}
	return key, value, nil
}

// anyValue reads an AnyValue; lists and maps are not looked into, so depth does not matter.
func (d *decoder) anyValue(data []byte) (v consumer.Value, err error) {
	v.Type = consumer.Other
	if len(data) > 1 && data[0] == 1<<3|2 { // a text, and nothing behind it
		if n, w := binary.Uvarint(data[1:]); w > 0 && n == uint64(len(data)-1-w) {
			v.Type, v.Text = consumer.Text, data[1+w:]
			return v, nil
		}
	}
	var f easyproto.FieldContext
	for len(data) > 0 {
		if data, err = f.NextField(data); err != nil {
			return v, malformed("attribute value", err)
		}
		ok := true
		switch f.FieldNum {
		case 1:
			v.Type = consumer.Text
			v.Text, ok = f.Bytes()
		case 2:
			var b uint64
			b, ok = f.Uint64()
			v.Type, v.Int = consumer.Bool, int64(min(b, 1))
		case 3:
			v.Type = consumer.Int
			v.Int, ok = f.Int64()
		case 4:
			v.Type = consumer.Real
			v.Real, ok = f.Double()
		case 5, 6, 7:
			v.Type = consumer.Other
		}
		if !ok {
			return v, d.mismatch("the value of an attribute")
		}
	}
	return v, nil
}
