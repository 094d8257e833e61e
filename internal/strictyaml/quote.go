package strictyaml

import (
	"regexp"
	"unicode/utf8"
)

// Quote shows the problem where it stands in its file: at what the group of the expression matches in the problem's line, or in the
// first line behind it where it matches. Without a match the problem comes back as it is. It is for problems that were found after the
// file was read, and for files without secrets.
func Quote(p Problem, file []byte, where *regexp.Regexp) Problem {
	d := &Document{name: p.File, lines: splitLines(string(file))}
	for n := max(1, p.Line); n <= len(d.lines); n++ {
		line := d.lines[n-1]
		if at := where.FindStringSubmatchIndex(line); at != nil && utf8.ValidString(line) {
			p.Line, p.Column = n, utf8.RuneCountInString(line[:at[2]])+1
			p.length = utf8.RuneCountInString(line[at[2]:at[3]])
			d.attachSource(&p)
			break
		}
	}
	return p
}
