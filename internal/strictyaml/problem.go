// Package strictyaml decodes YAML into structs by reflection and says all that is wrong with it at once, each thing with
// its file, line and column and what would have been right. It refuses what hides mistakes: unknown and duplicate keys,
// numbers without a unit where one is needed, several documents in a file, aliases. The same struct tags give the JSON
// Schema and the reference of the keys. It does no I/O and keeps no state between documents.
package strictyaml

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with a file. Line and Column count from 1, Column in characters; both are 0 where the value did
// not come from the file (File then names the environment variable or the flag) or where the whole file is meant.
type Problem struct {
	File    string
	Line    int
	Column  int
	Warning bool   // it does not keep the file from being used
	Message string // what is wrong
	Hint    string // what would have been right; may be empty

	source string // the line, made safe to print
	start  int    // of the mark in source, in characters from 0
	length int    // of the mark
}

// Problems is everything wrong with one or more files.
type Problems []Problem

// Err is nil where there are only warnings; else an error whose text is that of all problems.
func (ps Problems) Err() error {
	if ps.Errors() == 0 {
		return nil
	}
	return errors.New(strings.TrimSuffix(ps.Text(), "\n"))
}

// Errors counts the problems that are not warnings.
func (ps Problems) Errors() int {
	n := 0
	for _, p := range ps {
		if !p.Warning {
			n++
		}
	}
	return n
}

// Warnings counts the problems that do not keep the files from being used.
func (ps Problems) Warnings() int { return len(ps) - ps.Errors() }

// Sort puts errors before warnings and each in the order of their places; files keep the order in which they come.
func (ps Problems) Sort() {
	order := make(map[string]int)
	for _, p := range ps {
		if _, ok := order[p.File]; !ok {
			order[p.File] = len(order)
		}
	}
	rank := func(p Problem) int {
		if p.Warning {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(order[a.File], order[b.File]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Text is what people read: each problem with its line of the file and a mark under the place.
func (ps Problems) Text() string { return ps.text(false) }

// ColorText is Text with terminal colours.
func (ps Problems) ColorText() string { return ps.text(true) }

func (ps Problems) text(c paint) string {
	var b strings.Builder
	for i, p := range ps {
		if i > 0 && (p.source != "" || ps[i-1].source != "") {
			b.WriteByte('\n')
		}
		p.write(&b, c)
	}
	return b.String()
}

// String is the problem as Text has it, without a line break at the end.
func (p Problem) String() string { return strings.TrimSuffix(Problems{p}.Text(), "\n") }

// Place is file:line:column, as far as it is known.
func (p Problem) Place() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

func (p Problem) write(b *strings.Builder, c paint) {
	b.WriteString(c.in(bold, printable(p.Place())+":"))
	b.WriteByte(' ')
	if p.Warning {
		b.WriteString(c.in(yellow, "warning:"))
		b.WriteByte(' ')
	}
	b.WriteString(printable(p.Message))
	b.WriteByte('\n')
	if p.source == "" {
		if p.Hint != "" {
			fmt.Fprintf(b, "    %s\n", printable(p.Hint))
		}
		return
	}
	gutter := fmt.Sprintf("%5d | ", p.Line)
	b.WriteString(c.in(dim, gutter) + p.source + "\n")
	b.WriteString(c.in(dim, strings.Repeat(" ", len(gutter)-2)+"| ") + indent(p.source, p.start))
	mark := strings.Repeat("^", max(1, width(p.source, p.start, p.length)))
	if p.Hint != "" {
		mark += " " + printable(p.Hint)
	}
	colour := red
	if p.Warning {
		colour = yellow
	}
	b.WriteString(c.in(colour, mark) + "\n")
}

// MarshalJSON gives one object a problem, for tools.
func (p Problem) MarshalJSON() ([]byte, error) {
	severity := "error"
	if p.Warning {
		severity = "warning"
	}
	return json.Marshal(struct {
		File     string `json:"file"`
		Line     int    `json:"line,omitempty"`
		Column   int    `json:"column,omitempty"`
		Severity string `json:"severity"`
		Message  string `json:"message"`
		Hint     string `json:"hint,omitempty"`
	}{p.File, p.Line, p.Column, severity, p.Message, p.Hint})
}

// paint colours for terminals, or not at all.
type paint bool

const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	yellow = "33"
)

func (p paint) in(colour, s string) string {
	if !p {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}
