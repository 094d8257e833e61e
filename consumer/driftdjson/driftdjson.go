// Package driftdjson decodes driftd's own events: one JSON object a record, a span or a score, for producers without
// OpenTelemetry. Unknown keys are skipped. A known key with a value of another type, or there twice, refuses the record:
// an event that says two things about itself is not to be trusted. null is as good as absent.
package driftdjson

import (
	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/jsonscan"
)

// guess is a key where the record before had it. Producers write their keys in one order, so that most need no more than to be
// compared.
type guess struct {
	text   []byte // as it stood there, with quotes and colon
	number int
}

const maxGuesses, maxGuess = 32, 64 // keys; bytes

type decoder struct {
	dims  []string
	json  jsonscan.Scanner
	event consumer.Event
	seen  uint64 // keys of this record, by number
	typed bool
	other bool                // kind is other
	own   consumer.ScoreValue // of an event of type score
	day   dayCache

	guesses [maxGuesses]guess
}

// New returns a decoder of native events.
func New(attrs *consumer.Attributes) consumer.Decoder {
	d := &decoder{dims: attrs.Dimensions()}
	d.event.Dimensions = make([][]byte, len(d.dims))
	return d
}

// Decode implements consumer.Decoder. One event a record.
func (d *decoder) Decode(record []byte, yield func(*consumer.Event)) error {
	s := &d.json
	s.Reset(record)
	if s.Peek() != '{' {
		return consumer.Refused(consumer.Encoding, "the record is no JSON object, its topic is set to driftd_json")
	}
	e := &d.event
	e.Reset()
	d.seen, d.typed, d.other, d.own = 0, false, false, consumer.ScoreValue{}
	if err := d.fields(); err != nil {
		return err
	}
	if !s.AtEnd() {
		return consumer.Refused(consumer.Malformed, "more than one JSON value in the record")
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

// fields reads the record's object.
func (d *decoder) fields() error {
	s := &d.json
	s.Take('{')
	if s.Take('}') {
		return nil
	}
	for n := 0; ; n++ {
		s.Peek()
		from := s.Pos()
		k, ok := d.nextKey(n)
		if !ok {
			return d.malformed()
		}
		if k >= 0 {
			if d.seen&(1<<k) != 0 {
				return consumer.Refused(consumer.DuplicateKey, "%s stands twice", s.Since(from))
			}
			d.seen |= 1 << k
		}
		if c := s.Peek(); k < 0 || c == 'n' { // unknown, or null
			if !s.Skip() {
				return d.malformed()
			}
		} else if err := d.value(k); err != nil {
			return err
		}
		if s.Take('}') {
			return nil
		}
		if !s.Take(',') {
			return d.malformed()
		}
	}
}

// nextKey reads the record's nth key and returns its number.
func (d *decoder) nextKey(n int) (number int, ok bool) {
	s := &d.json
	if n < maxGuesses {
		if g := &d.guesses[n]; len(g.text) > 0 && s.Match(g.text) {
			return g.number, true
		}
	}
	from := s.Pos()
	key, ok := s.Text()
	if !ok || !s.Take(':') {
		return 0, false
	}
	number = d.number(key)
	if text := s.Since(from); n < maxGuesses && len(text) <= maxGuess {
		d.guesses[n] = guess{append(d.guesses[n].text[:0], text...), number}
	}
	return number, true
}

// object reads an object and calls field with each key, to read its value.
func (d *decoder) object(field func(key []byte) error) error {
	s := &d.json
	if !s.Take('{') {
		return d.malformed()
	}
	if s.Take('}') {
		return nil
	}
	for {
		key, ok := s.Text()
		if !ok || !s.Take(':') {
			return d.malformed()
		}
		s.Peek()
		if err := field(key); err != nil {
			return err
		}
		if s.Take('}') {
			return nil
		}
		if !s.Take(',') {
			return d.malformed()
		}
	}
}

func (d *decoder) malformed() error { return consumer.MalformedJSON(&d.json, "") }
