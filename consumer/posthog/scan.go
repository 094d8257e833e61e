package posthog

import (
	"math"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/jsonscan"
)

// object reads an object and calls field with each key, to read its value.
func (d *decoder) object(field func(key []byte) error, where string) error {
	s := &d.json
	if !s.Take('{') {
		return d.malformed(where)
	}
	if s.Take('}') {
		return nil
	}
	for {
		key, ok := s.Text()
		if !ok || !s.Take(':') {
			return d.malformed(where)
		}
		if err := field(key); err != nil {
			return err
		}
		if s.Take('}') {
			return nil
		}
		if !s.Take(',') {
			return d.malformed(where)
		}
	}
}

// text reads a text of a row; what is none is left out.
func (d *decoder) text(to *[]byte) error {
	if d.json.Peek() != '"' {
		return d.skip("")
	}
	b, ok := d.json.Text()
	if !ok {
		return d.malformed("")
	}
	*to = b
	return nil
}

// scalar reads a value. null, lists and objects come out as Other. The text of a number is there too, as it is written.
func (d *decoder) scalar(where string) (v consumer.Value, err error) {
	s := &d.json
	ok := false
	switch c := s.Peek(); {
	case c == '"':
		v.Text, ok = s.Text()
	case c == 't' || c == 'f':
		v.Type = consumer.Bool
		if ok = s.Skip(); c == 't' {
			v.Int = 1
		}
	case jsonscan.IsNumber(c):
		v.Type = consumer.Real
		if v.Text, ok = s.Number(); ok {
			v.Real = jsonscan.ParseFloat(v.Text)
			if v.Real == math.Trunc(v.Real) && math.Abs(v.Real) < 1<<53 {
				v.Type, v.Int = consumer.Int, int64(v.Real)
			}
		}
	default:
		v.Type = consumer.Other
		ok = s.Skip()
	}
	if !ok {
		return v, d.malformed(where)
	}
	return v, nil
}

// one reads a list of one text as that text, and any other value as scalar does.
func (d *decoder) one(where string) (v consumer.Value, err error) {
	s := &d.json
	if s.Peek() != '[' {
		return d.scalar(where)
	}
	at := s.Pos()
	s.Take('[')
	if s.Peek() == '"' {
		if b, ok := s.Text(); ok && s.Take(']') {
			return consumer.Value{Text: b}, nil
		}
	}
	s.Seek(at)
	return consumer.Value{Type: consumer.Other}, d.skip(where)
}

func (d *decoder) skip(where string) error {
	if !d.json.Skip() {
		return d.malformed(where)
	}
	return nil
}

func (d *decoder) malformed(where string) error {
	if d.json.Deep() {
		return consumer.Refused(consumer.TooDeep, "nested deeper than %d levels", jsonscan.MaxDepth)
	}
	return consumer.Refused(consumer.Malformed, "no well-formed JSON at byte %d%s", d.json.Pos(), where)
}
