package consumer

import (
	"math"

	"github.com/driftd/driftd/internal/jsonscan"
)

// JSONValue reads the scanner's next value. null, lists and objects come out as Other. The text of a number is there too, as it
// is written. It is false for what is no well-formed JSON.
func JSONValue(s *jsonscan.Scanner) (v Value, ok bool) {
	switch c := s.Peek(); {
	case c == '"':
		v.Text, ok = s.Text()
	case c == 't' || c == 'f':
		v.Type = Bool
		if ok = s.Skip(); c == 't' {
			v.Int = 1
		}
	case jsonscan.IsNumber(c):
		v.Type = Real
		if v.Text, ok = s.Number(); ok {
			v.Real = jsonscan.ParseFloat(v.Text)
			if v.Real == math.Trunc(v.Real) && math.Abs(v.Real) < 1<<53 {
				v.Type, v.Int = Int, int64(v.Real)
			}
		}
	default:
		v.Type = Other
		ok = s.Skip()
	}
	return v, ok
}

// MalformedJSON is the error of a record in which the scanner could not go on; where follows the place, and may be empty.
func MalformedJSON(s *jsonscan.Scanner, where string) error {
	if s.Deep() {
		return Refused(TooDeep, "nested deeper than %d levels", jsonscan.MaxDepth)
	}
	return Refused(Malformed, "no well-formed JSON at byte %d%s", s.Pos(), where)
}
