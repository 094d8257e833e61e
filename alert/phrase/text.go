// Package phrase says in plain words what alerts are about, for every receiver that tells people: figures in their units,
// sentences, times. Nothing in it is escaped for anything; a receiver does that for its own medium.
package phrase

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Clean makes one line of valid, printable text: control characters become spaces, those that turn the direction of
// writing or are invisible go.
func Clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	return strings.Join(strings.Fields(s), " ")
}

// Visible is s as one line on which everything can be seen: what is not printed, what turns the direction of writing, and line breaks are
// written as \u202e is. Other than with Clean, texts that differ go on to differ: for labels, which other programs tell alerts apart by.
func Visible(s string) string { return visible(s, false) }

// Lines is Visible for texts that have several lines.
func Lines(s string) string { return visible(s, true) }

func visible(s string, lines bool) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, string(utf8.RuneError)) {
		switch {
		case r == '\n' && lines:
			b.WriteRune(r)
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029',
			r == '\u00ad', r == '\u200b', r == '\u2060', r == '\ufeff': // those of emoji and of writing, such as U+200D, stay
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Cut shortens s to at most n UTF-16 units, which is how Slack counts, and never inside an entity.
func Cut(s string, n int) string {
	units := 0
	for i, r := range s {
		size := 1
		if r > 0xffff {
			size = 2
		}
		if units+size > n-1 && units16(s) > n {
			s = s[:i]
			if amp := strings.LastIndexByte(s, '&'); amp >= 0 && !strings.Contains(s[amp:], ";") {
				s = s[:amp]
			}
			return strings.TrimRight(s, " ") + "…"
		}
		units += size
	}
	return s
}

func units16(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// Lasted writes a duration as people say it: 45s, 12m, 1h 12m, 3d 4h.
func Lasted(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(max(d, 0).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 24*time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60), " 0m")
	}
	return strings.TrimSuffix(fmt.Sprintf("%dd %dh", int(d.Hours())/24, int(d.Hours())%24), " 0h")
}

// Clock writes a time in UTC, with its day where that is not the day of ref.
func Clock(t, ref time.Time) string {
	t, ref = t.UTC(), ref.UTC()
	if t.Year() == ref.Year() && t.YearDay() == ref.YearDay() {
		return t.Format("15:04")
	}
	return t.Format("2 Jan 15:04")
}

// Brief keeps a name from outside to a length that leaves room for the rest.
func Brief(s string) string { return Cut(Clean(s), 80) }

// Plural writes a count and what is counted: "1 call", "1,200 calls".
func Plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Number(float64(n), 15) + " " + many
}
