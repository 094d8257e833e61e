package strictyaml

import (
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// syntaxError says where the text stops being YAML. The parser tells a line, often that of the construct around the mistake
// and none where that is the first; so it is asked again, with a line put before and the text given byte by byte, which shows how
// far it came.
func (d *Document) syntaxError(data []byte, err error) {
	reader := &byteReader{data: append([]byte("\n"), data...)}
	decoder := yaml.NewDecoder(reader)
	for range 2 { // the mistake may stand in a second document
		var n yaml.Node
		if again := decoder.Decode(&n); again != nil {
			err = again
			break
		}
	}
	line, what := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := lineOf.FindStringSubmatch(what); m != nil {
		line, _ = strconv.Atoi(m[1])
		line--
		what = what[len(m[0]):]
	}
	seen := strings.TrimRight(string(reader.data[1:max(1, reader.read)]), " \t\r\n")
	last := len(splitLines(seen))
	p := Problem{Line: line, Message: "not YAML: " + what}
	length := 0
	if hash := strings.Index(d.line(line), ": #"); hash >= 0 && strings.Contains(what, "did not find expected") {
		d.add(Problem{Line: line, Column: len([]rune(d.line(line)[:hash])) + 3, Message: "not YAML: a comment begins here, and the line ends before it", Hint: "text that begins with # needs quotes"}, 1)
		return
	}
	switch {
	case strings.Contains(what, "',' or"):
		p.Line = line + 1
		bracket := "["
		if strings.Contains(what, "'}'") {
			bracket = "{"
		}
		p.Message = "not YAML: the " + bracket + " that opens here is not closed, or a comma is missing"
		p.Hint = "add the missing ] or comma; text with brackets in it needs quotes"
		if bracket == "{" {
			p.Hint = "add the missing } or comma; text with braces in it needs quotes"
		}
		p.Column, length = column(d.line(p.Line), bracket), 1
	case strings.Contains(what, "unexpected end of stream"):
		p.Message, p.Hint = "not YAML: the quote that opens here is not closed", "add the closing quote"
		p.Column, length = max(column(d.line(line), `"`), column(d.line(line), `'`)), 1
	case strings.Contains(what, "alphabetic or numeric character"):
		p.Message, p.Hint = "not YAML: a value cannot begin with * or &", "put the value in quotes"
		p.Column, length = max(column(d.line(line), "*"), column(d.line(line), "&")), 1
	case strings.Contains(what, "mapping values are not allowed") && gluedColon.MatchString(d.line(line-1)):
		p.Line = line - 1
		p.Message, p.Hint = "not YAML: a colon and a space must follow a key", "add a space after the colon"
		p.Column, length = column(d.line(line-1), ":"), 1
	case strings.Contains(what, "mapping values are not allowed"):
		p.Message = "not YAML: this line cannot have a key here"
		p.Hint = "check the indentation; text with a colon and a space in it needs quotes"
		p.Column, length = lastColumn(d.line(line), ":"), 1
	case strings.Contains(what, "did not find expected '-' indicator"):
		p.Line = last
		p.Message, p.Hint = "not YAML: expected a list item that begins with `- ` here", "check the indentation of this line and of those before it"
	case strings.Contains(what, "did not find expected key"):
		p.Line = last
		p.Message, p.Hint = "not YAML: expected a key here", "check the indentation of this line and of those before it"
	case strings.Contains(what, "could not find expected ':'"):
		p.Message, p.Hint = "not YAML: expected `key: value` here", "a colon and a space must follow a key"
	case strings.Contains(what, "tab character"), strings.Contains(what, "cannot start any token"):
		if text := d.line(line); strings.HasPrefix(strings.TrimLeft(text, " "), "\t") {
			p.Message, p.Hint = "not YAML: a tab cannot indent", "indent with spaces"
			p.Column, length = column(text, "\t"), 1
		} else {
			p.Message, p.Hint = "not YAML: a value cannot begin with this character", "put the value in quotes"
			p.Column, length = max(column(text, "@"), column(text, "`"), column(text, "%")), 1
		}
	case strings.Contains(what, "unknown anchor"):
		p.Line = last
		p.Message, p.Hint = "aliases such as `*name` are not supported", "write the value out; text that begins with * needs quotes"
		p.Column, length = column(d.line(last), "*"), 1
	}
	text := d.line(p.Line)
	if p.Column < 1 {
		p.Column = len([]rune(text)) - len([]rune(strings.TrimLeft(text, " \t"))) + 1
	}
	if length == 0 {
		length = len([]rune(strings.TrimSpace(tail(text, p.Column-1))))
	}
	d.add(p, length)
}

// gluedColon is a key whose colon has no space behind it.
var gluedColon = regexp.MustCompile(`^[ -]*[A-Za-z_]+:[^ \t/]`)

var lineOf = regexp.MustCompile(`^line (\d+): `)

// line is the text of a line, "" outside the file.
func (d *Document) line(n int) string {
	if n < 1 || n > len(d.lines) {
		return ""
	}
	return d.lines[n-1]
}

// column is where s first stands in the line, from 1; 0 where it does not.
func column(line, s string) int {
	i := strings.Index(line, s)
	if i < 0 {
		return 0
	}
	return len([]rune(line[:i])) + 1
}

// lastColumn is where s last stands in the line.
func lastColumn(line, s string) int {
	i := strings.LastIndex(line, s)
	if i < 0 {
		return 0
	}
	return len([]rune(line[:i])) + 1
}

// byteReader gives one byte a read and counts them.
type byteReader struct {
	data []byte
	read int
}

func (r *byteReader) Read(p []byte) (int, error) {
	if r.read >= len(r.data) {
		return 0, io.EOF
	}
	p[0] = r.data[r.read]
	r.read++
	return 1, nil
}
