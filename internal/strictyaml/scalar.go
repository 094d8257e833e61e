package strictyaml

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, written with a unit: 256MiB.
type Size int64

// String writes the largest unit that divides the size.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if u.binary && s >= Size(u.bytes) && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

var sizeUnits = []struct {
	name   string
	bytes  int64
	binary bool
}{{"GiB", 1 << 30, true}, {"MiB", 1 << 20, true}, {"KiB", 1 << 10, true}, {"GB", 1e9, false}, {"MB", 1e6, false}, {"kB", 1e3, false}, {"KB", 1e3, false}, {"B", 1, false}}

const (
	durationPattern = `^0$|^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$`
	sizePattern     = `^[0-9]+(\.[0-9]+)?(B|kB|KB|KiB|MB|MiB|GB|GiB)$`
)

var (
	durationPart = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)`)
	bareNumber   = regexp.MustCompile(`^[-+]?[0-9]+(\.[0-9]+)?$`)
)

var durationUnits = map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}

// maxDuration keeps sums of durations far from overflow.
const maxDuration = 10 * 365 * 24 * time.Hour

// ParseDuration reads 90s, 1h30m, 250ms, 7d. A number without a unit is an error, but for 0.
func ParseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	if bareNumber.MatchString(s) {
		n := strings.TrimLeft(s, "+-")
		return 0, fmt.Errorf("%s needs a unit, such as %ss or %sm", s, n, n)
	}
	if strings.HasPrefix(s, "-") {
		return 0, fmt.Errorf("%s: a duration is not negative", clip(s))
	}
	var sum float64
	rest := s
	for rest != "" {
		m := durationPart.FindStringSubmatch(rest)
		if m == nil {
			return 0, fmt.Errorf("`%s` is no duration: write a number and ms, s, m, h, d or w, such as 90s or 1h30m", clip(s))
		}
		v, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return 0, fmt.Errorf("`%s` is no duration: %w", clip(s), err)
		}
		sum += v * float64(durationUnits[m[2]])
		rest = rest[len(m[0]):]
	}
	if s == "" {
		return 0, errors.New("a duration is missing, such as 5m")
	}
	if sum > float64(maxDuration) {
		return 0, fmt.Errorf("%s is too long: ten years are the most", clip(s))
	}
	return time.Duration(math.Round(sum)), nil
}

// FormatDuration writes what ParseDuration reads, without the zeros of time.Duration: 1h, 1h30m, 250ms.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	if d < 0 {
		b.WriteByte('-')
		d = -d
	}
	if d >= 48*time.Hour && d%(24*time.Hour) == 0 {
		fmt.Fprintf(&b, "%dd", d/(24*time.Hour))
		return b.String()
	}
	for _, u := range []struct {
		name string
		d    time.Duration
	}{{"h", time.Hour}, {"m", time.Minute}} {
		if n := d / u.d; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.d
		}
	}
	switch {
	case d == 0:
	case d%time.Second == 0:
		fmt.Fprintf(&b, "%ds", d/time.Second)
	case d >= time.Second:
		fmt.Fprintf(&b, "%ss", strconv.FormatFloat(d.Seconds(), 'f', -1, 64))
	default:
		fmt.Fprintf(&b, "%sms", strconv.FormatFloat(float64(d)/1e6, 'f', -1, 64))
	}
	return b.String()
}

// ParseSize reads 256MiB, 1GB, 512B. A number without a unit is an error.
func ParseSize(s string) (Size, error) {
	if bareNumber.MatchString(s) {
		n := strings.TrimLeft(s, "+-")
		return 0, fmt.Errorf("%s needs a unit, such as %sMiB or %sKiB", s, n, n)
	}
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(digits, 64)
		if err != nil || strings.Trim(digits, "0123456789.") != "" {
			break
		}
		if v *= float64(u.bytes); v >= 1<<50 {
			return 0, fmt.Errorf("%s is too large: 1024 GiB are far beyond what is of use", clip(s))
		}
		return Size(math.Round(v)), nil
	}
	return 0, fmt.Errorf("`%s` is no size: write a number and B, KiB, MiB or GiB, such as 256MiB", clip(s))
}

var integer = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*)$`)

// parseInt reads decimal digits alone: 010, 0x10 and 1_000 mean different things to different readers.
func parseInt(s string) (int64, error) {
	if !integer.MatchString(s) {
		return 0, fmt.Errorf("`%s` is no whole number", clip(s))
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is too large a number", clip(s))
	}
	return v, nil
}

var decimal = regexp.MustCompile(`^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$`)

// ParseNumber reads a finite decimal number.
func ParseNumber(s string) (float64, error) {
	if !decimal.MatchString(s) {
		return 0, fmt.Errorf("`%s` is no number", clip(s))
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%s is too large a number", clip(s))
	}
	return v, nil
}
