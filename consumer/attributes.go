package consumer

import (
	"fmt"
	"slices"
)

// Dimension is a label beside prompt and version that makes series.
type Dimension struct {
	Name       string
	Attributes []string // that hold it, in order of preference; none: prompt.<name>, then <name>, then producers' metadata, or as the table says
}

// MaxDimensions bounds the dimensions beside prompt and version.
const MaxDimensions = 32

// MaxNames bounds the attributes that one table may name.
const MaxNames = 512

// Attributes finds the fields of events among their attributes. It is immutable and may be shared.
type Attributes struct {
	dims   []string
	keys   keyTable
	attrs  []string // by slot
	uses   []use    // those of a slot stand together
	first  []int32  // by slot, where its uses begin; one more than there are slots
	calls  slotSet  // that only model calls carry
	inline bool     // scores with a number in the key are read
	watch  func(*Explanation)
}

// use is one way in which an attribute serves a field.
type use struct {
	slot  int16
	rank  uint16 // its place in the field's list: the lower wins
	field Field
	plain bool // no test, no conversion, and not the prompt
	test  test
	other int16 // slot of the attribute that the test is about
	is    string
	how   *conversion
}

// AttributeOptions is what a table is made of.
type AttributeOptions struct {
	Preset     string // which producers' names it has; "" and "auto" are all
	Dimensions []Dimension
	// Lists replace the attributes of a field or a dimension, by its name: "prompt", "version", "model", …; Fields has them
	// all. An attribute that the table knows for that field is still converted as there, and a cost is still one in USD alone.
	Lists map[string][]string
	// Watch, where set, is told of every span, log record and span event that is an evaluation what was made of it and why,
	// before the event is yielded and by the same goroutine.
	Watch func(*Explanation)
}

// NewAttributes makes a table. It fails when there are more than MaxDimensions, when one stands twice or has a name that
// means something else, when there are more than MaxNames attributes in all, and for a preset or a list of no field.
func NewAttributes(o AttributeOptions) (*Attributes, error) {
	dims := o.Dimensions
	if len(dims) > MaxDimensions {
		return nil, fmt.Errorf("build attribute table: %d dimensions, at most %d are possible", len(dims), MaxDimensions)
	}
	preset, all, err := parsePreset(o.Preset)
	if err != nil {
		return nil, err
	}
	a := &Attributes{watch: o.Watch, inline: preset.has(inOpenInference, all)}
	b := &builder{a: a}
	for _, d := range dims {
		_, isAxis := axisFields[d.Name]
		if slices.Contains(reserved, d.Name) || slices.Contains(a.dims, d.Name) || !isAxis && slices.Contains(fieldNames[:], d.Name) {
			return nil, fmt.Errorf("build attribute table: dimension %q stands twice or is the name of something else", d.Name)
		}
		a.dims = append(a.dims, d.Name)
	}
	for field := range o.Lists {
		if known := append(Fields(), a.dims...); !slices.Contains(known, field) {
			return nil, fmt.Errorf("build attribute table: there is neither a field nor a dimension %q", field)
		}
	}
	for f := range fieldDimension {
		rows := rowsOf(f, preset, all)
		for i, r := range listed(f, rows, o.Lists[fieldNames[f]]) {
			b.add(f, i, r)
		}
		for _, r := range rows { // whatever the lists say, only model calls carry them
			b.mark(r)
		}
	}
	for i, d := range dims {
		list := d.Attributes
		if len(list) == 0 {
			list = o.Lists[d.Name]
		}
		for rank, r := range dimensionRows(d.Name, list, o.Lists, preset, all) {
			r.call = false
			b.add(fieldDimension+Field(i), rank, r)
		}
	}
	if err := b.finish(); err != nil {
		return nil, err
	}
	return a, nil
}

// rowsOf are a field's rows of a preset.
func rowsOf(f Field, preset presets, all bool) (rows []name) {
	for _, r := range table[f] {
		if preset.has(r.in, all) {
			rows = append(rows, r)
		}
	}
	return rows
}

// listed are the rows of a field whose attributes are given by a list; without one those of the preset. What one wrote into
// a list is not to be shadowed by another attribute.
func listed(f Field, rows []name, list []string) []name {
	if len(list) == 0 {
		return rows
	}
	calls := slices.ContainsFunc(table[f], func(r name) bool { return r.call })
	var out []name
	for _, attr := range list {
		known := false
		for _, r := range table[f] {
			if r.attr == attr {
				if r.only.test == unless {
					r.only = condition{}
				}
				out, known = append(out, r), true
			}
		}
		if !known {
			out = append(out, name{attr: attr, call: calls, how: usualConversion(f)})
		}
	}
	return out
}

// usualConversion is that of an attribute of one's own.
func usualConversion(f Field) *conversion {
	if f == FieldOperation {
		return kind
	}
	return nil
}

// dimensionRows are those of a dimension: its list, else the axis that it is, else the usual places.
func dimensionRows(dim string, list []string, lists map[string][]string, preset presets, all bool) (rows []name) {
	axis, isAxis := axisFields[dim]
	switch {
	case isAxis && len(list) > 0:
		return listed(axis, nil, list)
	case isAxis:
		return listed(axis, rowsOf(axis, preset, all), lists[dim])
	case len(list) > 0:
		for _, attr := range list {
			rows = append(rows, name{attr: attr})
		}
		return rows
	}
	for _, m := range metadata {
		if preset.has(m.in, all) {
			rows = append(rows, name{attr: m.attr + dim})
		}
	}
	return rows
}

// builder puts a table together.
type builder struct {
	a    *Attributes
	uses [][]use // by slot
	call []int   // slots
}

func (b *builder) slot(attr string) int {
	if i := slices.Index(b.a.attrs, attr); i >= 0 {
		return i
	}
	b.a.attrs, b.uses = append(b.a.attrs, attr), append(b.uses, nil)
	return len(b.a.attrs) - 1
}

// add makes an attribute serve a field.
func (b *builder) add(f Field, rank int, r name) {
	slot := b.slot(r.attr)
	u := use{
		slot: int16(slot), rank: uint16(rank), field: f, test: r.only.test, is: r.only.is, how: r.how,
		plain: r.only.test == always && r.how == nil && f != FieldPrompt,
	}
	if u.test != always {
		u.other = int16(b.slot(r.only.attr))
	}
	b.uses[slot] = append(b.uses[slot], u)
	b.mark(r)
}

// mark keeps that only model calls carry an attribute.
func (b *builder) mark(r name) {
	if r.call {
		b.call = append(b.call, b.slot(r.attr))
	}
}

func (b *builder) finish() error {
	a := b.a
	if len(a.attrs) > MaxNames {
		return fmt.Errorf("build attribute table: more than %d attribute names", MaxNames)
	}
	for _, uses := range b.uses {
		a.first = append(a.first, int32(len(a.uses)))
		a.uses = append(a.uses, uses...)
	}
	a.first = append(a.first, int32(len(a.uses)))
	for _, slot := range b.call {
		a.calls.add(slot)
	}
	a.keys = newKeyTable(a.attrs)
	return nil
}

// Dimensions are the names of the dimensions, in order. Not to be changed.
func (a *Attributes) Dimensions() []string { return a.dims }

// Lookup finds the slot of an attribute, for Put; ok is false for all that the table has no use for, whose values nobody
// needs to read.
func (a *Attributes) Lookup(key []byte) (slot int, ok bool) {
	t := &a.keys
	for i := hashKey(key) >> t.shift; ; i++ {
		e := &t.entries[i&uint64(len(t.entries)-1)]
		if e.key == string(key) {
			return e.slot, e.key != ""
		}
		if e.key == "" {
			break
		}
	}
	if a.inline && (key[0] == 'a' || key[0] == 'e') {
		return lookupInline(key)
	}
	return 0, false
}

// ScoreEvent tells whether a span event or log record of this name is an evaluation, whose attributes FillScore reads.
func (a *Attributes) ScoreEvent(name []byte) bool {
	switch string(name) {
	case "gen_ai.evaluation.result", "langwatch.evaluation.custom":
		return true
	}
	return false
}
