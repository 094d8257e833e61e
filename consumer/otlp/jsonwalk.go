package otlp

import (
	"github.com/driftd/driftd/consumer"
)

// object is a walk over the members of an object.
type object struct {
	begun   bool
	unknown bool   // a key was skipped
	seen    uint32 // keys, by number
	at      int    // number of the key that is expected next: producers write their keys in one order
}

// next moves to the value of the next member that keys has and that is not null, and returns the key's number; −1 is the object's
// end.
func (d *jsonDecoder) next(o *object, what string, keys []string) (int, error) {
	s := &d.json
	for {
		switch {
		case o.begun:
			if s.Take('}') {
				return -1, nil
			}
			if !s.Take(',') {
				return 0, d.malformed()
			}
		case !s.Take('{'):
			return 0, d.wrongType(what, "an object")
		case s.Take('}'):
			return -1, nil
		}
		o.begun = true
		key, ok := s.Text()
		if !ok || !s.Take(':') {
			return 0, d.malformed()
		}
		k := o.number(key, keys)
		if k < 0 {
			o.unknown = true
		} else {
			if o.seen&(1<<k) != 0 {
				return 0, consumer.Refused(consumer.DuplicateKey, "%s of %s stands twice", keys[k], what)
			}
			o.seen |= 1 << k
			if s.Peek() != 'n' {
				return k, nil
			}
		}
		if !s.Skip() {
			return 0, d.malformed()
		}
	}
}

func (o *object) number(key []byte, keys []string) int {
	for range keys {
		k := o.at
		if o.at++; o.at == len(keys) {
			o.at = 0
		}
		if keys[k] == string(key) {
			return k
		}
	}
	return -1
}

// list is a walk over the elements of a list.
type list struct{ begun bool }

// element moves to the next element; more is false at the list's end.
func (d *jsonDecoder) element(l *list, what string) (more bool, err error) {
	s := &d.json
	switch {
	case l.begun:
		if s.Take(']') {
			return false, nil
		}
		if !s.Take(',') {
			return false, d.malformed()
		}
	case !s.Take('['):
		return false, d.wrongType(what, "a list")
	case s.Take(']'):
		return false, nil
	}
	l.begun = true
	return true, nil
}

// later skips a value and returns its place, to read it when it is known what it is good for.
func (d *jsonDecoder) later() (pos int, err error) {
	pos = d.json.Pos()
	return pos, d.skip()
}

// at reads the value at a place that later has told.
func (d *jsonDecoder) at(pos int, read func() error) error {
	back := d.json.Pos()
	d.json.Seek(pos)
	err := read()
	d.json.Seek(back)
	return err
}

func (d *jsonDecoder) skip() error {
	if !d.json.Skip() {
		return d.malformed()
	}
	return nil
}

func (d *jsonDecoder) malformed() error { return consumer.MalformedJSON(&d.json, "") }

// wrongType refuses a value of another type than want; what is no value at all stays malformed.
func (d *jsonDecoder) wrongType(key, want string) error {
	if err := d.skip(); err != nil {
		return err
	}
	return consumer.Refused(consumer.WrongType, "%s is not %s", key, want)
}
