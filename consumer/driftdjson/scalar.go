package driftdjson

import (
	"math"
	"strconv"
	"time"

	"github.com/go-faster/jx"

	"github.com/driftd/driftd/consumer"
)

// pow10 are the powers of ten that a float64 holds exactly.
var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// parseNumber reads a JSON number, to infinity where it is too large. A mantissa below 2^53 and one division by an exact
// power of ten round once, so the short way gives what strconv gives (Clinger 1990, "How to read floating point numbers
// accurately").
func parseNumber(raw []byte) float64 {
	b, negative := raw, false
	if len(b) > 0 && b[0] == '-' {
		b, negative = b[1:], true
	}
	mantissa, places, point := uint64(0), 0, false
	if len(b) > 16 { // may not fit 2^53
		return slowNumber(raw)
	}
	for _, c := range b {
		switch {
		case c == '.' && !point:
			point = true
		case c >= '0' && c <= '9':
			mantissa = mantissa*10 + uint64(c-'0')
			if point {
				places++
			}
		default: // an exponent
			return slowNumber(raw)
		}
	}
	if mantissa > 1<<53 {
		return slowNumber(raw)
	}
	v := float64(mantissa)
	if places > 0 {
		v /= pow10[places]
	}
	if negative {
		return -v
	}
	return v
}

func slowNumber(raw []byte) float64 {
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil && !math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

// time reads Unix nanoseconds or an RFC 3339 time; anything else refuses the record.
func (d *decoder) time(j *jx.Decoder) error {
	switch j.Next() {
	case jx.Number:
		raw, err := j.Raw()
		if err != nil {
			return err
		}
		ns, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			return consumer.Refused(consumer.WrongType, "time is no integer of Unix nanoseconds")
		}
		d.event.Time = ns
	case jx.String:
		s, err := j.StrBytes()
		if err != nil {
			return err
		}
		ns, ok := d.day.parse(s)
		if !ok {
			return consumer.Refused(consumer.WrongType, "time is not as in RFC 3339")
		}
		d.event.Time = ns
	default:
		return wrongType(j, "time", "a text or an integer")
	}
	return nil
}

// dayCache remembers the start of the day parsed last: events come in bursts of one day.
type dayCache struct {
	text  [10]byte // 2006-01-02
	start int64    // Unix ns
}

// parse reads an RFC 3339 time. Times that int64 nanoseconds cannot hold come out at their limits.
func (c *dayCache) parse(s []byte) (ns int64, ok bool) {
	// The usual form: 2006-01-02T15:04:05[.fraction]Z.
	n := len(s)
	if n < 20 || n > 30 || s[n-1] != 'Z' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || string(s[:10]) != string(c.text[:]) {
		return c.slow(s)
	}
	h, m, sec := two(s[11:]), two(s[14:]), two(s[17:])
	if h > 23 || m > 59 || sec > 59 {
		return c.slow(s)
	}
	fraction := int64(0)
	if n > 20 {
		if s[19] != '.' || n == 21 {
			return c.slow(s)
		}
		scale := int64(1e9)
		for _, d := range s[20 : n-1] {
			if d -= '0'; d > 9 {
				return c.slow(s)
			}
			fraction = fraction*10 + int64(d)
			scale /= 10
		}
		fraction *= scale
	}
	return c.start + int64(h*3600+m*60+sec)*1e9 + fraction, true
}

// two reads two digits; anything else comes out beyond every limit.
func two(s []byte) int {
	a, b := s[0]-'0', s[1]-'0'
	if a > 9 || b > 9 {
		return math.MaxInt32
	}
	return int(a)*10 + int(b)
}

func (c *dayCache) slow(s []byte) (int64, bool) {
	t, err := time.Parse(time.RFC3339Nano, string(s))
	if err != nil {
		return 0, false
	}
	switch y := t.Year(); {
	case y < 1700:
		return math.MinInt64, true
	case y > 2200:
		return math.MaxInt64, true
	}
	if t.Location() == time.UTC && len(s) >= 10 && s[len(s)-1] == 'Z' {
		copy(c.text[:], s)
		c.start = t.Truncate(24 * time.Hour).UnixNano()
	}
	return t.UnixNano(), true
}
