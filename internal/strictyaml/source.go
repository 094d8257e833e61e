package strictyaml

import (
	"strings"
	"unicode"
)

// maxShown is how much of a source line is printed, in characters.
const maxShown = 150

// splitLines cuts text where YAML counts lines.
func splitLines(text string) []string {
	var lines []string
	start := 0
	skip := false
	for i, r := range text {
		if skip { // the \n of \r\n
			skip = false
			start = i + 1
			continue
		}
		switch r {
		case '\r', '\n', '\u0085', '\u2028', '\u2029':
			lines = append(lines, text[start:i])
			start = i + len(string(r))
			skip = r == '\r' && strings.HasPrefix(text[i+1:], "\n")
		}
	}
	return append(lines, text[start:])
}

// span is a stretch of one line, in characters from 0.
type span struct{ start, end int }

// shown gives the line as it may be printed, with the hidden stretches as *** and no character that moves the cursor, and
// where the mark has come to lie.
func shown(line string, mark span, hidden []span) (string, span) {
	var out []rune
	moved := span{-1, -1}
	at := func(i int) {
		if moved.start < 0 && i >= mark.start {
			moved.start = len(out)
		}
		if moved.end < 0 && i >= mark.end {
			moved.end = len(out)
		}
	}
	runes := []rune(line)
	for i := 0; i < len(runes); {
		at(i)
		if end := coveredUntil(hidden, i); end > i {
			start := len(out)
			out = append(out, []rune("***")...)
			end = min(end, len(runes))
			if moved.start < 0 && mark.start < end {
				moved.start = start
			}
			if moved.end < 0 && mark.end < end {
				moved.end = len(out)
			}
			i = end
			continue
		}
		r := runes[i]
		switch {
		case r == '\t':
			r = ' '
		case !unicode.IsPrint(r):
			r = unicode.ReplacementChar
		}
		out = append(out, r)
		i++
	}
	at(len(runes) + mark.end)
	return cut(out, moved)
}

// printable is text of a file that cannot move the cursor or colour what follows.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return unicode.ReplacementChar
	}, s)
}

func coveredUntil(hidden []span, i int) int {
	for _, h := range hidden {
		if h.start <= i && i < h.end {
			return h.end
		}
	}
	return i
}

// cut shortens a long line around the mark.
func cut(line []rune, mark span) (string, span) {
	mark.end = min(mark.end, len(line))
	mark.start = min(mark.start, len(line))
	if len(line) <= maxShown {
		return strings.TrimRightFunc(string(line), unicode.IsSpace), mark
	}
	from := max(0, min(mark.start-maxShown/2, len(line)-maxShown))
	to := min(len(line), from+maxShown)
	s := string(line[from:to])
	mark.start, mark.end = mark.start-from, min(mark.end, to)-from
	if from > 0 {
		s = "…" + s
		mark.start++
		mark.end++
	}
	if to < len(line) {
		s += "…"
	}
	return s, mark
}

// indent is the blank that puts a mark under the character at n.
func indent(line string, n int) string { return strings.Repeat(" ", width(line, 0, n)) }

// width is how many columns of a terminal the characters from start on take.
func width(line string, start, n int) int {
	w, i := 0, 0
	for _, r := range line {
		if i >= start+n {
			return w
		}
		if i >= start {
			switch {
			case unicode.In(r, unicode.Mn, unicode.Me):
			case isWide(r):
				w += 2
			default:
				w++
			}
		}
		i++
	}
	return w + max(0, start+n-max(i, start))
}

// isWide is true for the characters that terminals draw two columns wide: East Asian ones and pictures.
func isWide(r rune) bool {
	return r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 || r >= 0xf900 && r <= 0xfaff ||
		r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0xffe0 && r <= 0xffe6 || r >= 0x1f300 && r <= 0x1faff || r >= 0x20000 && r <= 0x3fffd)
}
