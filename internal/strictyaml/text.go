package strictyaml

import (
	"math"
	"strings"

	"go.yaml.in/yaml/v3"
)

// position counts lines and characters from 1.
type position struct{ line, column int }

// scalarEnd is the place just behind a scalar as it is written.
func (d *Document) scalarEnd(n *yaml.Node) position {
	line, column := n.Line, n.Column-1
	switch {
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		quote := '\''
		if n.Style&yaml.DoubleQuotedStyle != 0 {
			quote = '"'
		}
		for opened := false; line <= len(d.lines); line, column = line+1, 0 {
			runes := []rune(d.lines[line-1])
			for i := column; i < len(runes); i++ {
				switch {
				case !opened: // a tag or an anchor may stand before the quote
					opened = runes[i] == quote
				case runes[i] == '\\' && quote == '"':
					i++
				case runes[i] == quote && quote == '\'' && i+1 < len(runes) && runes[i+1] == quote:
					i++
				case runes[i] == quote:
					return position{line, i + 2}
				}
			}
		}
		return position{len(d.lines), len([]rune(d.lines[len(d.lines)-1])) + 1}
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && strings.HasPrefix(tail(d.lines[line-1], column), n.Value):
		return position{line, n.Column + len([]rune(n.Value))}
	}
	// What goes on over several lines ends where the indentation does.
	own := indentation(d.lines[line-1])
	for line < len(d.lines) && (strings.TrimSpace(d.lines[line]) == "" || indentation(d.lines[line]) > own) {
		line++
	}
	return position{line, len([]rune(d.lines[line-1])) + 1}
}

// textPlace is where the byte at offset of a scalar's value stands in the file; the scalar's begin where that cannot be told.
func (d *Document) textPlace(n *yaml.Node, offset int) position {
	begin := position{n.Line, n.Column}
	if n.Line < 1 || n.Line > len(d.lines) || offset < 0 || offset > len(n.Value) {
		return begin
	}
	before := n.Value[:offset]
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		if n.Style&yaml.FoldedStyle != 0 {
			return begin
		}
		row := strings.Count(before, "\n")
		line := n.Line + 1 + row
		want := strings.Split(n.Value, "\n")[row]
		if line > len(d.lines) || !strings.HasSuffix(d.lines[line-1], want) {
			return begin
		}
		blank := strings.TrimSuffix(d.lines[line-1], want)
		return position{line, len([]rune(blank)) + len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1}
	}
	raw, value := []rune(tail(d.lines[n.Line-1], n.Column-1)), []rune(n.Value)
	double, single := n.Style&yaml.DoubleQuotedStyle != 0, n.Style&yaml.SingleQuotedStyle != 0
	i := 0
	if double || single {
		i++
	}
	for _, r := range value[:len([]rune(before))] {
		switch {
		case i >= len(raw): // it goes on in the next line
			return begin
		case double && raw[i] == '\\':
			i += escapeLength(raw[i:])
			continue
		case raw[i] != r: // a tag or an anchor before it
			return begin
		case single && r == '\'':
			i++
		}
		i++
	}
	return position{n.Line, n.Column + i}
}

// escapeLength is how many characters the escape at the begin of raw takes.
func escapeLength(raw []rune) int {
	if len(raw) > 1 {
		switch raw[1] {
		case 'x':
			return 4
		case 'u':
			return 6
		case 'U':
			return 10
		}
	}
	return 2
}

// maxHidden is how many stretches of a line are hidden one by one; beyond that it is the whole line.
const maxHidden = 50

// hide keeps all scalars under a node from ever being shown.
func (d *Document) hide(n *yaml.Node) {
	for _, c := range n.Content {
		d.hide(c)
	}
	d.secret[n] = true
	if _, elsewhere := d.origins[n]; elsewhere || n.Kind != yaml.ScalarNode || n.Line < 1 || n.Line > len(d.lines) {
		return
	}
	if len(d.hidden[n.Line]) > maxHidden {
		d.hidden[n.Line] = append(d.hidden[n.Line][:0], span{0, math.MaxInt})
	}
	if h := d.hidden[n.Line]; len(h) == 1 && h[0].end == math.MaxInt {
		return
	}
	end := d.scalarEnd(n)
	for line := n.Line; line <= end.line; line++ {
		s := span{0, len([]rune(d.lines[line-1]))}
		if line == n.Line {
			s.start = n.Column - 1
		} else {
			s.start = indentation(d.lines[line-1])
		}
		if line == end.line {
			s.end = end.column - 1
		}
		d.hidden[line] = append(d.hidden[line], s)
	}
}

func indentation(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// tail is what follows the first n characters.
func tail(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[i:]
		}
		n--
	}
	return ""
}
