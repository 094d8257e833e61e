package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// MaxSize is the largest file that is read, in bytes.
const MaxSize = 1 << 20

// maxProblems ends the list of a file that is wrong all over; maxFound bounds the work of finding which they are.
const (
	maxProblems = 100
	maxFound    = 400
)

// Document is one YAML file and what is wrong with it. It is for use by one goroutine.
type Document struct {
	name     string
	lines    []string
	root     *yaml.Node // nil where the text is no YAML, or empty
	problems Problems
	more     int                   // errors beyond maxFound
	places   map[any]place         // of decoded fields, by pointer to the field; of map entries, by entry
	origins  map[*yaml.Node]string // of nodes that are not from the file: who set them
	hidden   map[int][]span        // stretches not to be shown, by line
	faulty   map[*yaml.Node]bool   // where errors were reported
	secret   map[*yaml.Node]bool   // scalars of types that hide their text
	leaves   []*yaml.Node          // that numbers in layers stand for
	misspelt map[any]bool          // structs with unknown keys, by pointer
}

// place is where a field stands.
type place struct {
	key, value *yaml.Node
	present    bool // the file has it; else key and value are those around it
}

// Parse reads one document. What is wrong with the text itself is in Problems already; Decode then does nothing.
func Parse(name string, data []byte) *Document {
	d := &Document{name: name, places: make(map[any]place), origins: make(map[*yaml.Node]string), hidden: make(map[int][]span), misspelt: make(map[any]bool), secret: make(map[*yaml.Node]bool), faulty: make(map[*yaml.Node]bool)}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if len(data) > MaxSize {
		d.problems = append(d.problems, Problem{File: name, Message: fmt.Sprintf("the file is larger than %d KiB", MaxSize>>10), Hint: "split it into several files"})
		return d
	}
	if !d.checkText(data) {
		return d
	}
	d.lines = splitLines(string(data))
	var doc yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return d
	}
	if err != nil {
		d.syntaxError(data, err)
		return d
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		n := second.Content[0]
		d.add(Problem{Line: n.Line, Column: n.Column, Message: "a second document begins here", Hint: "keep one document a file: remove the `---` before it"}, 1)
		return d
	} else if !errors.Is(err, io.EOF) {
		d.syntaxError(data, err)
		return d
	}
	d.root = doc.Content[0]
	d.checkNodes(d.root)
	return d
}

// Redact makes source lines fit to be shown where the text could not be parsed, and so nobody knows which of it is secret.
func (d *Document) Redact(f func(line string) string) {
	if d.root != nil {
		return
	}
	for i := range d.problems {
		p := &d.problems[i]
		p.source = f(p.source)
		p.start = min(p.start, utf8.RuneCountInString(p.source))
		p.length = max(1, min(p.length, utf8.RuneCountInString(p.source)-p.start))
	}
}

// Problems is what was found so far, in the order of places.
func (d *Document) Problems() Problems {
	ps := append(Problems(nil), d.problems...)
	ps.Sort()
	more := d.more + max(0, len(ps)-maxProblems)
	ps = ps[:min(len(ps), maxProblems)]
	for i := range ps {
		if ps[i].Line > 0 && d.root != nil {
			d.attachSource(&ps[i])
		}
	}
	if more > 0 {
		ps = append(ps, Problem{File: d.name, Message: fmt.Sprintf("%d more problems are not shown", more)})
	}
	return ps
}

// Clean is true where nothing was found.
func (d *Document) Clean() bool { return len(d.problems) == 0 }

// checkText finds what YAML forbids in any text, with its place.
func (d *Document) checkText(data []byte) bool {
	line, column := 1, 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		message, hint := "", ""
		switch {
		case r == utf8.RuneError && size == 1:
			message, hint = "this is no UTF-8 text", "save the file as UTF-8"
		case r < 0x20 && r != '\t' && r != '\n' && r != '\r', r == 0x7f, r > 0x7f && r < 0xa0 && r != 0x85, r == 0xfeff, r == 0xfffe, r == 0xffff:
			message, hint = fmt.Sprintf("control character %U is not allowed in YAML", r), "remove it, or write it as an escape in double quotes"
		}
		if message != "" {
			d.lines = splitLines(strings.ToValidUTF8(string(data), "\ufffd"))
			d.add(Problem{Line: line, Column: column, Message: message, Hint: hint}, 1)
			return false
		}
		i += size
		column++
		if r == '\n' || r == '\u0085' || r == '\u2028' || r == '\u2029' || r == '\r' && (i >= len(data) || data[i] != '\n') {
			line++
			column = 1
		}
	}
	return true
}

// checkNodes reports what is wrong whatever the document is decoded into: aliases, keys that are no text, keys that come twice.
func (d *Document) checkNodes(n *yaml.Node) {
	switch n.Kind {
	case yaml.AliasNode:
		d.report(n, false, "write the value out", "aliases such as `*%s` are not supported", n.Value)
	case yaml.SequenceNode:
		for _, c := range n.Content {
			d.checkNodes(c)
		}
	case yaml.MappingNode:
		seen := make(map[string]*yaml.Node, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			switch {
			case key.Kind == yaml.AliasNode || key.Tag == "!!merge":
				d.report(key, false, "write the keys out", "merge keys and aliases are not supported")
			case key.Kind != yaml.ScalarNode:
				if !beginsTemplate(n, key) { // a {{ template }} without quotes is told as such where it is decoded
					d.report(key, false, "", "a key must be plain text")
				}
			case seen[key.Value] != nil:
				d.report(key, false, fmt.Sprintf("it stands in line %d already", seen[key.Value].Line), "duplicate key `%s`", clip(key.Value))
			default:
				seen[key.Value] = key
			}
			d.checkNodes(value)
		}
	}
}

// beginsTemplate is true of the mapping that YAML makes of {{ … }} without quotes.
func beginsTemplate(n, key *yaml.Node) bool {
	return n.Style&yaml.FlowStyle != 0 && key.Kind == yaml.MappingNode && key.Style&yaml.FlowStyle != 0 && key.Line == n.Line && key.Column == n.Column+1
}

// report adds a problem at a node.
func (d *Document) report(n *yaml.Node, warning bool, hint, format string, args ...any) {
	p := Problem{Warning: warning, Message: fmt.Sprintf(format, args...), Hint: hint}
	d.faulty[n] = d.faulty[n] || !warning
	if d.full() {
		return
	}
	if origin, ok := d.origins[n]; ok {
		p.File = origin
		d.problems = append(d.problems, p)
		return
	}
	p.Line, p.Column = n.Line, n.Column
	d.add(p, d.shownLength(n))
}

// add adds a problem of the file itself; length is that of the mark.
func (d *Document) add(p Problem, length int) {
	if d.full() {
		return
	}
	p.File, p.length = d.name, length
	p.Line = min(max(1, p.Line), max(1, len(d.lines)))
	if p.Line <= len(d.lines) {
		p.Column = min(max(1, p.Column), utf8.RuneCountInString(d.lines[p.Line-1])+1)
	}
	if d.root == nil {
		d.attachSource(&p)
	}
	d.problems = append(d.problems, p)
}

// full counts what comes after so many problems that nobody reads them.
func (d *Document) full() bool {
	if len(d.problems) < maxFound {
		return false
	}
	d.more++
	return true
}

func (d *Document) attachSource(p *Problem) {
	if p.Line > len(d.lines) || p.File != d.name {
		return
	}
	line, hidden, mark := d.lines[p.Line-1], d.hidden[p.Line], span{p.Column - 1, p.Column - 1 + p.length}
	if from := p.Column - 1 - 2*maxShown; len(line) > 16*maxShown && from > 0 { // far more than is shown
		line = tail(line, from)
		mark.start, mark.end = mark.start-from, mark.end-from
		near := make([]span, 0, len(hidden))
		for _, h := range hidden {
			near = append(near, span{h.start - from, h.end - from})
		}
		hidden = near
	}
	line = line[:len(line)-len(tail(line, 4*maxShown))]
	p.source, mark = shown(line, mark, hidden)
	p.start, p.length = mark.start, max(1, mark.end-mark.start)
}

// shownLength is how much of its line a node takes, in characters; 1 for what spans lines.
func (d *Document) shownLength(n *yaml.Node) int {
	if n.Kind != yaml.ScalarNode || n.Line < 1 || n.Line > len(d.lines) {
		return 1
	}
	if end := d.scalarEnd(n); end.line == n.Line {
		return max(1, end.column-n.Column)
	}
	return 1
}

func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// Name is that of the file.
func (d *Document) Name() string { return d.name }
