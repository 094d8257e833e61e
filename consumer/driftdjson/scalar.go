package driftdjson

import (
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/jsonscan"
)

// skip moves over a value.
func (d *decoder) skip() error {
	if !d.json.Skip() {
		return d.malformed()
	}
	return nil
}

func (d *decoder) text(key string) ([]byte, error) {
	if d.json.Peek() != '"' {
		return nil, d.wrongType(key, "a text")
	}
	v, ok := d.json.Text()
	if !ok {
		return nil, d.malformed()
	}
	return v, nil
}

func (d *decoder) float(key string) (float64, error) {
	if !jsonscan.IsNumber(d.json.Peek()) {
		return 0, d.wrongType(key, "a number")
	}
	raw, ok := d.json.Number()
	if !ok {
		return 0, d.malformed()
	}
	return jsonscan.ParseFloat(raw), nil
}

// version reads a text or a number, as it is written.
func (d *decoder) version() ([]byte, error) {
	if !jsonscan.IsNumber(d.json.Peek()) {
		return d.text("version")
	}
	raw, ok := d.json.Number()
	if !ok {
		return nil, d.malformed()
	}
	return raw, nil
}

func (d *decoder) yes(key string) (bool, error) {
	switch d.json.Peek() {
	case 't':
		return true, d.skip()
	case 'f':
		return false, d.skip()
	}
	return false, d.wrongType(key, "true or false")
}

// oneOf reads a text that is one of two words and tells whether it is the second.
func (d *decoder) oneOf(key, first, second string) (bool, error) {
	s, err := d.text(key)
	if err != nil {
		return false, err
	}
	switch string(s) {
	case first:
		return false, nil
	case second:
		return true, nil
	}
	return false, consumer.Refused(consumer.WrongType, "%s is neither %s nor %s", key, first, second)
}

// id reads a hex id of as many bytes as dst has; an empty one is none.
func (d *decoder) id(key string, dst []byte) error {
	s, err := d.text(key)
	if err != nil || len(s) == 0 {
		return err
	}
	if len(s) != 2*len(dst) {
		d.event.Refuse(consumer.BadID, key+" has a wrong length")
		return nil
	}
	if _, err := hex.Decode(dst, s); err != nil {
		clear(dst)
		d.event.Refuse(consumer.BadID, key+" is not hexadecimal")
	}
	return nil
}

// wrongType refuses a value of another type than want; what is no value at all stays malformed.
func (d *decoder) wrongType(key, want string) error {
	if err := d.skip(); err != nil {
		return err
	}
	return consumer.Refused(consumer.WrongType, "%s is not %s", key, want)
}

// time reads Unix nanoseconds or an RFC 3339 time; anything else refuses the record.
func (d *decoder) time() (int64, error) {
	switch c := d.json.Peek(); {
	case jsonscan.IsNumber(c):
		raw, ok := d.json.Number()
		if !ok {
			return 0, d.malformed()
		}
		ns, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			return 0, consumer.Refused(consumer.WrongType, "time is no integer of Unix nanoseconds")
		}
		return ns, nil
	case c == '"':
		s, err := d.text("time")
		if err != nil {
			return 0, err
		}
		ns, ok := d.day.parse(s)
		if !ok {
			return 0, consumer.Refused(consumer.WrongType, "time is not as in RFC 3339")
		}
		return ns, nil
	}
	return 0, d.wrongType("time", "a text or an integer")
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
