package otlp

import (
	"encoding/base64"
	"encoding/hex"
	"math"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/jsonscan"
)

var (
	keyValueKeys = []string{"key", "value"}
	valueKeys    = []string{"stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue"}
)

// attributes reads a list of KeyValues into set.
func (d *jsonDecoder) attributes(set *consumer.Set) error {
	var l list
	for {
		more, err := d.element(&l, "attributes")
		if err != nil || !more {
			return err
		}
		if err := d.attribute(set); err != nil {
			return err
		}
	}
}

// attribute reads a KeyValue into set when the table has a use for its key.
func (d *jsonDecoder) attribute(set *consumer.Set) error {
	s := &d.json
	s.Peek()
	start := s.Pos()
	if s.Word(`{"key":`) { // as every known producer writes it
		key, ok := s.Text()
		if ok && s.Word(`,"value":`) && s.Peek() == '{' {
			if err := d.attributeValue(set, key); err != nil {
				return err
			}
			if s.Word("}") {
				return nil
			}
		}
		s.Seek(start) // what was put once may be put twice
	}
	var o object
	var key []byte
	value := -1
	for {
		k, err := d.next(&o, "an attribute", keyValueKeys)
		switch {
		case err != nil:
		case k == 0:
			key, err = d.readText("key")
		case k == 1:
			value, err = d.later()
		case value >= 0:
			return d.at(value, func() error { return d.attributeValue(set, key) })
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// attributeValue reads the value of an attribute into set, or skips it.
func (d *jsonDecoder) attributeValue(set *consumer.Set, key []byte) error {
	slot, ok := d.attrs.Lookup(key)
	if !ok {
		if slot = -1; !d.isName(set, key) {
			return d.skip()
		}
	}
	v, err := d.anyValue()
	if err == nil {
		d.put(set, slot, key, v)
	}
	return err
}

// anyValue reads an AnyValue; lists and maps are not looked into.
func (d *jsonDecoder) anyValue() (v consumer.Value, err error) {
	v.Type = consumer.Other
	var o object
	for n := 0; ; n++ {
		k, err := d.next(&o, "the value of an attribute", valueKeys)
		if err != nil {
			return v, err
		}
		if n > 0 && k >= 0 {
			return v, consumer.Refused(consumer.DuplicateKey, "an attribute has two values")
		}
		switch k {
		case 0:
			v.Type = consumer.Text
			v.Text, err = d.readText("stringValue")
		case 1:
			v.Type = consumer.Bool
			v.Int, err = d.boolean("boolValue")
		case 2:
			v.Type = consumer.Int
			v.Int, err = d.integer("intValue")
		case 3:
			v.Type = consumer.Real
			v.Real, err = d.double("doubleValue")
		case 4, 5, 6:
			err = d.skip()
		default:
			return v, nil
		}
		if err != nil {
			return v, err
		}
	}
}

func (d *jsonDecoder) readText(key string) ([]byte, error) {
	if d.json.Peek() != '"' {
		return nil, d.wrongType(key, "a text")
	}
	v, ok := d.json.Text()
	if !ok {
		return nil, d.malformed()
	}
	return v, nil
}

func (d *jsonDecoder) boolean(key string) (int64, error) {
	switch d.json.Peek() {
	case 't':
		return 1, d.skip()
	case 'f':
		return 0, d.skip()
	}
	return 0, d.wrongType(key, "true or false")
}

// figure reads what a number is written as, in a text or not.
func (d *jsonDecoder) figure(key, want string) ([]byte, error) {
	c := d.json.Peek()
	if c == '"' {
		return d.readText(key)
	}
	if !jsonscan.IsNumber(c) {
		return nil, d.wrongType(key, want)
	}
	raw, ok := d.json.Number()
	if !ok {
		return nil, d.malformed()
	}
	return raw, nil
}

func (d *jsonDecoder) integer(key string) (int64, error) {
	raw, err := d.figure(key, "an integer")
	if err != nil {
		return 0, err
	}
	negative := len(raw) > 0 && raw[0] == '-'
	if negative {
		raw = raw[1:]
	}
	v, ok := parseUint(raw)
	switch {
	case ok && negative && v <= 1<<63:
		return -int64(v), nil
	case ok && !negative && v <= math.MaxInt64:
		return int64(v), nil
	}
	return 0, consumer.Refused(consumer.WrongType, "%s is not an integer of 64 bits", key)
}

// time reads Unix nanoseconds.
func (d *jsonDecoder) time(key string) (uint64, error) {
	raw, err := d.figure(key, "an integer")
	if err != nil {
		return 0, err
	}
	v, ok := parseUint(raw)
	if !ok {
		return 0, consumer.Refused(consumer.WrongType, "%s is no integer of Unix nanoseconds", key)
	}
	return v, nil
}

func parseUint(raw []byte) (v uint64, ok bool) {
	for _, c := range raw {
		if c -= '0'; c > 9 || v > (math.MaxUint64-uint64(c))/10 {
			return 0, false
		}
		v = v*10 + uint64(c)
	}
	return v, len(raw) > 0
}

// double reads a number, or a text that says one or which number is none.
func (d *jsonDecoder) double(key string) (float64, error) {
	quoted := d.json.Peek() == '"'
	raw, err := d.figure(key, "a number")
	if err != nil {
		return 0, err
	}
	if !quoted {
		return jsonscan.ParseFloat(raw), nil
	}
	switch string(raw) {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	d.quoted.Reset(raw)
	if raw, ok := d.quoted.Number(); ok && d.quoted.AtEnd() {
		return jsonscan.ParseFloat(raw), nil
	}
	return 0, consumer.Refused(consumer.WrongType, "%s is not a number", key)
}

// id reads a hex id of as many bytes as dst has; an empty one is none. What is no such id refuses the event alone, as in protobuf.
func (d *jsonDecoder) id(e *consumer.Event, dst []byte, what string) error {
	text, err := d.readText(what)
	if err != nil || len(text) == 0 {
		return err
	}
	n := len(text)
	if n == 2*len(dst) {
		if _, err := hex.Decode(dst, text); err == nil {
			return nil
		}
		clear(dst)
	}
	switch hexadecimal := isHex(text); {
	case hexadecimal && n%2 == 0:
		wrongLength(e, what, n/2)
	case !hexadecimal && (n == base64.StdEncoding.EncodedLen(len(dst)) || n == base64.RawStdEncoding.EncodedLen(len(dst))):
		e.Refuse(consumer.BadID, what+" in base64: OTLP JSON has ids in hex, the producer writes plain protobuf JSON")
	default:
		e.Refuse(consumer.BadID, what+" is not hexadecimal")
	}
	return nil
}

func isHex(text []byte) bool {
	for _, c := range text {
		if c |= ' '; c-'0' > 9 && c-'a' > 5 { // in either case
			return false
		}
	}
	return true
}
