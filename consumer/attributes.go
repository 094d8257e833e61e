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
	quick  []rank   // by slot, of those that serve one field and are plain
	calls  slotSet  // that only model calls carry
	inline bool     // scores with a number in the key are read
	watch  func(*Explanation)
}

// rank is an attribute's place in a field's list; the lower place wins. The zero value is none.
type rank struct {
	place uint16 // from 1
	field Field
}

// use is one way in which an attribute serves a field.
type use struct {
	rank
	slot  int16
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
		for i, r := range listed(f, rows, listOf(f, &o)) {
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
		for place, r := range dimensionRows(d.Name, list, o.Lists, preset, all) {
			r.call = false
			b.add(fieldDimension+Field(i), place, r)
		}
	}
	if err := b.finish(); err != nil {
		return nil, err
	}
	return a, nil
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
