package jsonscan

import (
	"math"
	"strconv"
)

// IsNumber says whether a value that begins with c is a number, if it is any.
func IsNumber(c byte) bool { return c == '-' || c >= '0' && c <= '9' }

// digits returns where the digits from i on end.
func digits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// Number reads a number and returns it as it is written.
func (s *Scanner) Number() ([]byte, bool) {
	s.Peek()
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

// pow10 are the powers of ten that a float64 holds exactly.
var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// ParseFloat reads a number that Number has returned, to infinity where it is too large. A mantissa below 2^53 and one division by
// an exact power of ten round once, so the short way gives what strconv gives (Clinger 1990, "How to read floating point numbers
// accurately").
func ParseFloat(raw []byte) float64 {
	if len(raw) > 16 { // may not fit 2^53
		return slowFloat(raw)
	}
	mantissa, point := uint64(0), len(raw)
	for i, c := range raw {
		switch digit := c - '0'; {
		case digit <= 9:
			mantissa = mantissa*10 + uint64(digit)
		case c == '.':
			point = i + 1
		case c != '-' || i > 0: // an exponent
			return slowFloat(raw)
		}
	}
	if mantissa > 1<<53 {
		return slowFloat(raw)
	}
	v := float64(mantissa)
	if point < len(raw) {
		v /= pow10[len(raw)-point]
	}
	if raw[0] == '-' {
		return -v
	}
	return v
}

func slowFloat(raw []byte) float64 {
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil && !math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}
