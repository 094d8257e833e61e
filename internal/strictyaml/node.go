package strictyaml

import (
	"reflect"

	"go.yaml.in/yaml/v3"
)

// Node is a place in a document, for types that read themselves.
type Node struct {
	d      *Document
	n      *yaml.Node
	f      *field
	in     []scope
	secret bool
}

// Text is the scalar's text as written, without quotes; ok is false for lists and mappings.
func (n Node) Text() (text string, ok bool) {
	if n.n.Kind != yaml.ScalarNode {
		return "", false
	}
	return n.n.Value, true
}

// Quoted is true of text in quotes.
func (n Node) Quoted() bool {
	return n.n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

// IsMapping is true of keys and values.
func (n Node) IsMapping() bool { return n.n.Kind == yaml.MappingNode }

// Name is the key that the value stands under.
func (n Node) Name() string { return n.f.name }

// Decode reads the node into the struct that into points to, as Document.Decode does.
func (n Node) Decode(into any) {
	v := reflect.ValueOf(into).Elem()
	n.d.remember(v, place{key: n.n, value: n.n, present: true})
	n.d.decode(n.n, v, n.f, n.in)
}

// Misspelt is true of a struct that Decode was given and that has an unknown key.
func (n Node) Misspelt(ptr any) bool { return n.d.misspelt[ptr] }

// Hide keeps the text from ever being shown.
func (n Node) Hide() { n.d.hide(n.n) }

// Wrong reports that the value is no such thing.
func (n Node) Wrong(want string) { n.d.wrongKind(n.n, n.f, want, n.secret) }

// Errorf reports an error at the node.
func (n Node) Errorf(hint, format string, args ...any) { n.d.report(n.n, false, hint, format, args...) }

// Warnf reports a warning at the node.
func (n Node) Warnf(hint, format string, args ...any) { n.d.report(n.n, true, hint, format, args...) }

// entry names a value of a map.
type entry struct {
	of  any // pointer to the map
	key string
}

func (d *Document) remember(v reflect.Value, p place) {
	if v.CanAddr() {
		d.places[v.Addr().Interface()] = p
	}
}

// Place is where a decoded field stands. Ask for it by the field's address, for a map's value by Document.Entry.
type Place struct {
	d *Document
	p place
}

// At is the place of the field, or pointer's target, that ptr points to. It must have been decoded by this document.
func (d *Document) At(ptr any) Place { return d.placeOf(ptr) }

// Entry is the place of one entry of the map that ptr points to.
func (d *Document) Entry(ptr any, key string) Place { return d.placeOf(entry{ptr, key}) }

// Misspelt is true of a decoded struct that has an unknown key, or is no mapping at all: what seems to be missing may be there.
func (d *Document) Misspelt(ptr any) bool { return d.misspelt[ptr] }

func (d *Document) placeOf(what any) Place {
	p, ok := d.places[what]
	if !ok {
		root := d.root
		if root == nil {
			root = &yaml.Node{Kind: yaml.MappingNode, Line: 1, Column: 1}
		}
		p = place{key: root, value: root}
	}
	return Place{d, p}
}

// Present is true where the file, or what was laid over it, has the key.
func (p Place) Present() bool { return p.p.present }

// Faulty is true where an error was reported at the value already.
func (p Place) Faulty() bool { return p.d.faulty[p.p.value] }

// Hide keeps the value from ever being shown.
func (p Place) Hide() { p.d.hide(p.p.value) }

// Line is that of the value, 0 where it is not from the file.
func (p Place) Line() int { return p.p.value.Line }

// InFile is true where the value stands in the file, not in what was laid over it.
func (p Place) InFile() bool { _, elsewhere := p.d.origins[p.p.value]; return !elsewhere }

// String is file:line:column of the key, for other messages to name.
func (p Place) String() string {
	if origin, ok := p.d.origins[p.p.key]; ok {
		return origin
	}
	return Problem{File: p.d.name, Line: p.p.key.Line, Column: p.p.key.Column}.Place()
}

// Errorf reports an error at the value.
func (p Place) Errorf(hint, format string, args ...any) {
	p.d.report(p.p.value, false, hint, format, args...)
}

// Warnf reports a warning at the value.
func (p Place) Warnf(hint, format string, args ...any) {
	p.d.report(p.p.value, true, hint, format, args...)
}

// KeyErrorf reports an error at the key.
func (p Place) KeyErrorf(hint, format string, args ...any) {
	p.d.report(p.p.key, false, hint, format, args...)
}

// KeyWarnf reports a warning at the key.
func (p Place) KeyWarnf(hint, format string, args ...any) {
	p.d.report(p.p.key, true, hint, format, args...)
}

// TextErrorf reports an error at length bytes from offset on of the value's text.
func (p Place) TextErrorf(offset, length int, hint, format string, args ...any) {
	n := p.p.value
	if _, elsewhere := p.d.origins[n]; elsewhere || n.Kind != yaml.ScalarNode {
		p.Errorf(hint, format, args...)
		return
	}
	at := p.d.textPlace(n, offset)
	if at.line == n.Line && at.column == n.Column {
		p.Errorf(hint, format, args...)
		return
	}
	p.d.add(Problem{Line: at.line, Column: at.column, Message: sprintf(format, args), Hint: hint}, max(1, length))
}

// Scalars calls f for all scalars of the file; hidden is true of those that were decoded into a Hidden type.
func (d *Document) Scalars(f func(at Place, text string, hidden bool)) {
	if d.root != nil {
		d.scalars(d.root, f)
	}
}

func (d *Document) scalars(n *yaml.Node, f func(at Place, text string, hidden bool)) {
	if n.Kind == yaml.ScalarNode {
		f(Place{d, place{key: n, value: n, present: true}}, n.Value, d.secret[n])
		return
	}
	for _, c := range n.Content {
		d.scalars(c, f)
	}
}
