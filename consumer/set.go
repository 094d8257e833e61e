package consumer

import (
	"math"
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/go-faster/jx"
)

// Value is the value of an attribute. Its bytes alias the record.
type Value struct {
	Type ValueType
	Text []byte
	Int  int64
	Real float64
}

// ValueType is the type that a producer gave a value.
type ValueType uint8

const (
	Text ValueType = iota
	Int
	Real
	Bool  // in Int
	Other // lists, maps and bytes: of no use to any field
)

// number returns a value as a number, NaN when it is none. Some producers write numbers as texts.
func (v *Value) number() float64 {
	switch v.Type {
	case Int, Bool:
		return float64(v.Int)
	case Real:
		return v.Real
	default:
		f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(v.Text), len(v.Text)), 64)
		if err != nil {
			return math.NaN()
		}
		return f
	}
}

// isTrue tells whether a value says yes: a boolean, a number, or one of them as text.
func (v *Value) isTrue() bool {
	switch v.Type {
	case Int, Bool:
		return v.Int != 0
	case Real:
		return v.Real != 0
	default:
		switch string(v.Text) {
		case "true", "True", "TRUE", "1", "yes":
			return true
		}
		return false
	}
}

// append appends a value as text.
func (v *Value) append(dst []byte) []byte {
	switch v.Type {
	case Int:
		return strconv.AppendInt(dst, v.Int, 10)
	case Real:
		return strconv.AppendFloat(dst, v.Real, 'f', -1, 64)
	case Bool:
		return strconv.AppendBool(dst, v.Int != 0)
	default:
		return append(dst, v.Text...)
	}
}

// Set is the attributes of one span, log record, span event or resource that the table has a use for. The zero value is empty.
type Set struct {
	found  slotSet
	values [MaxNames]Value
	inline []inlineScore

	// What resolve made of them.
	resolved bool
	start    int64  // that it was given
	picked   uint64 // bit f: picks has field f
	picks    [maxFields]pick
	made     []Value // by conversions
	text     []byte  // of made, and of numbers
	json     jx.Decoder

	word string // that kind read last
	call bool
}

// pick is what a field is taken from.
type pick struct {
	value *Value
	slot  int16
	place uint16 // in the field's list
}

// Reset empties the set.
func (s *Set) Reset() {
	s.found = slotSet{}
	s.inline = s.inline[:0]
	s.resolved = false
}

// Put keeps an attribute whose slot Lookup has found. Empty texts and values of no use are none; of two, the first stays. Key
// and value must stay as they are until Reset. Nothing may be put into a set that Fill or FillScore has seen.
func (s *Set) Put(slot int, key []byte, v Value) {
	if slot >= MaxNames {
		s.putInline(slot, key, v)
		return
	}
	if s.found.has(slot) || v.Type == Text && len(v.Text) == 0 || v.Type == Other {
		return
	}
	s.found.add(slot)
	s.values[slot] = v
}

// pick returns what a field is taken from.
func (s *Set) pick(f Field) (pick, bool) {
	if s.picked>>f&1 == 0 {
		return pick{}, false
	}
	return s.picks[f], true
}

// slotSet is a set of slots.
type slotSet [MaxNames / 64]uint64

func (s *slotSet) add(i int)      { s[i>>6] |= 1 << (i & 63) }
func (s *slotSet) has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }

// meets returns the first slot that both sets have.
func (s *slotSet) meets(t *slotSet) (slot int, ok bool) {
	for i := range s {
		if both := s[i] & t[i]; both != 0 {
			return i<<6 + bits.TrailingZeros64(both), true
		}
	}
	return 0, false
}
