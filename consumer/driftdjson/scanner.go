package driftdjson

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep the lists and objects of unknown keys may be nested.
const maxDepth = 512

// scanner pulls JSON values out of a record, in one pass and without a token between: with it an event costs 0.6 of what it costs
// with the fastest pull parser that was tried (go-faster/jx), and the cost of an event is the product's. It accepts what encoding/json accepts. After a
// method has said false the scanner's place means nothing.
type scanner struct {
	b    []byte
	i    int
	own  []byte // texts that had escapes
	deep bool   // skip gave up because of maxDepth
}

func (s *scanner) reset(b []byte) { s.b, s.i, s.own, s.deep = b, 0, s.own[:0], false }

// peek moves to the next byte that is no white space and returns it, 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.b) && s.b[s.i] > ' ' {
		return s.b[s.i]
	}
	return s.space()
}

func (s *scanner) space() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// take moves behind the next byte, if it is c.
func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.i == len(s.b) {
		return false
	}
	s.i++
	return true
}

func (s *scanner) word(w string) bool {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// special marks, in the highest bit of a byte, the quotes, backslashes and control characters among eight; only the lowest mark is
// exact.
func special(x uint64) uint64 {
	quote, back := x^ones*'"', x^ones*'\\'
	return ((quote-ones)&^quote | (back-ones)&^back | (x-ones*' ')&^x) & tops
}

// text reads a string and returns what it says: a part of the record, or of the scanner's own buffer.
func (s *scanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	start := s.i
	s.plain()
	if s.i == len(s.b) {
		return nil, false
	}
	if s.b[s.i] == '"' {
		s.i++
		return s.b[start : s.i-1 : s.i-1], true
	}
	from := len(s.own)
	for s.i < len(s.b) {
		s.own = append(s.own, s.b[start:s.i]...)
		switch s.b[s.i] {
		case '"':
			s.i++
			return s.own[from:len(s.own):len(s.own)], true
		case '\\':
			if !s.escape() {
				return nil, false
			}
		default:
			return nil, false
		}
		start = s.i
		s.plain()
	}
	return nil, false
}

// plain moves to the next quote, backslash or control character.
func (s *scanner) plain() {
	for ; s.i+8 <= len(s.b); s.i += 8 {
		if m := special(binary.LittleEndian.Uint64(s.b[s.i:])); m != 0 {
			s.i += bits.TrailingZeros64(m) >> 3
			return
		}
	}
	for ; s.i < len(s.b); s.i++ {
		if c := s.b[s.i]; c < ' ' || c == '"' || c == '\\' {
			return
		}
	}
}

// escape reads an escape into own.
func (s *scanner) escape() bool {
	if len(s.b)-s.i < 2 {
		return false
	}
	c := s.b[s.i+1]
	s.i += 2
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		r, ok := s.hex()
		if !ok {
			return false
		}
		if utf16.IsSurrogate(r) {
			at := s.i
			if low := rune(utf8.RuneError); s.word(`\u`) {
				if low, ok = s.hex(); !ok {
					return false
				}
				r = utf16.DecodeRune(r, low)
			} else {
				r = utf8.RuneError
			}
			if r == utf8.RuneError {
				s.i = at // the second one stands for itself
			}
		}
		s.own = utf8.AppendRune(s.own, r)
		return true
	default:
		return false
	}
	s.own = append(s.own, c)
	return true
}

// hex reads four hexadecimal digits.
func (s *scanner) hex() (r rune, ok bool) {
	if len(s.b)-s.i < 4 {
		return 0, false
	}
	for _, c := range s.b[s.i : s.i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	s.i += 4
	return r, true
}

// digits returns where the digits from i on end.
func digits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// number reads a number and returns it as it is written.
func (s *scanner) number() ([]byte, bool) {
	s.peek()
	b, i := s.b, s.i
	if i < len(b) && b[i] == '-' {
		i++
	}
	whole := digits(b, i)
	if whole == i || b[i] == '0' && whole > i+1 {
		return nil, false
	}
	if i = whole; i < len(b) && b[i] == '.' {
		end := digits(b, i+1)
		if end == i+1 {
			return nil, false
		}
		i = end
	}
	if i < len(b) && b[i]|' ' == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		end := digits(b, i)
		if end == i {
			return nil, false
		}
		i = end
	}
	raw := b[s.i:i:i]
	s.i = i
	return raw, true
}

// skip moves over a value of any kind.
func (s *scanner) skip(depth int) bool {
	switch c := s.peek(); c {
	case '"':
		return s.skipText()
	case '{':
		return s.nested(depth) && s.fields(func(s *scanner) bool { return s.skipText() && s.take(':') && s.skip(depth+1) }, '}')
	case '[':
		return s.nested(depth) && s.fields(func(s *scanner) bool { return s.skip(depth + 1) }, ']')
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		_, ok := s.number()
		return ok
	}
}

func (s *scanner) nested(depth int) bool {
	s.i++
	s.deep = s.deep || depth >= maxDepth
	return !s.deep
}

// fields reads what stands between commas up to end.
func (s *scanner) fields(one func(*scanner) bool, end byte) bool {
	if s.take(end) {
		return true
	}
	for one(s) {
		if s.take(end) {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
	return false
}

// skipText moves over a string without keeping what it says.
func (s *scanner) skipText() bool {
	if !s.take('"') {
		return false
	}
	for {
		s.plain()
		if s.i == len(s.b) {
			return false
		}
		switch s.b[s.i] {
		case '"':
			s.i++
			return true
		case '\\':
			kept := len(s.own)
			if !s.escape() {
				return false
			}
			s.own = s.own[:kept]
		default:
			return false
		}
	}
}
