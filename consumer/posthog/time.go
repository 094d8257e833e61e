package posthog

import (
	"bytes"
	"math"
	"time"
	"unsafe"
)

// day remembers the start of the day parsed last: events come in bursts of one day.
type day struct {
	text  [10]byte // 2006-01-02
	start int64    // Unix ns
}

// parse reads a time: day, blank or T, time of day, up to 9 digits of a second, which all may be missing; then nothing or Z for
// UTC, or an offset. Times that int64 nanoseconds cannot hold come out at their limits.
func (d *day) parse(s []byte) (ns int64, ok bool) {
	// As it stands on the topic: 2006-01-02 15:04:05.000000.
	n := len(s)
	if n < 19 || n > 35 || s[10] != ' ' && s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	if string(s[:10]) != string(d.text[:]) && !d.turn(s[:10]) {
		return slow(s)
	}
	h, m, sec := two(s[11:]), two(s[14:]), two(s[17:])
	if h > 23 || m > 59 || sec > 59 {
		return 0, false
	}
	ns = d.start + int64(h*3600+m*60+sec)*1e9
	rest := s[19:]
	if len(rest) > 0 && rest[0] == '.' {
		scale := int64(1e8)
		i := 1
		for ; i < len(rest) && rest[i]-'0' <= 9; i++ {
			ns += int64(rest[i]-'0') * scale
			scale /= 10
		}
		if i == 1 || i > 10 {
			return 0, false
		}
		rest = rest[i:]
	}
	if len(rest) == 0 || string(rest) == "Z" {
		return ns, true
	}
	return slow(s)
}

// turn makes a day the one at hand.
func (d *day) turn(s []byte) bool {
	t, err := time.Parse(time.DateOnly, unsafe.String(unsafe.SliceData(s), len(s)))
	if err != nil || t.Year() < 1700 || t.Year() > 2200 {
		return false
	}
	copy(d.text[:], s)
	d.start = t.UnixNano()
	return true
}

// slow reads the times that are not worth a shorter way.
func slow(s []byte) (ns int64, ok bool) {
	if bytes.IndexByte(s, ',') >= 0 { // the time package takes it for a point
		return 0, false
	}
	text := string(s[:10]) + "T" + string(s[11:])
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		if t, err = time.Parse("2006-01-02T15:04:05.999999999", text); err != nil {
			return 0, false
		}
	}
	switch y := t.Year(); {
	case y < 1700:
		return math.MinInt64, true
	case y > 2200:
		return math.MaxInt64, true
	}
	return t.UnixNano(), true
}

// two reads two digits; anything else comes out beyond every limit.
func two(s []byte) int {
	a, b := s[0]-'0', s[1]-'0'
	if a > 9 || b > 9 {
		return math.MaxInt32
	}
	return int(a)*10 + int(b)
}
