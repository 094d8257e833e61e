package posthog

import (
	"github.com/driftd/driftd/consumer"
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

// scalar reads a value; see consumer.JSONValue.
func (d *decoder) scalar(where string) (v consumer.Value, err error) {
	v, ok := consumer.JSONValue(&d.json)
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

func (d *decoder) malformed(where string) error { return consumer.MalformedJSON(&d.json, where) }
