package consumer

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"unsafe"

	"github.com/driftd/driftd/windows"
)

// Dimension is a label beside prompt and version that makes series.
type Dimension struct {
	Name       string
	Attributes []string // that hold it, in order of preference; none: prompt.<name>, then <name>, or as the table says
}

// MaxDimensions bounds the dimensions beside prompt and version.
const MaxDimensions = 32

// MaxNames bounds the attributes that one table may name.
const MaxNames = 128

// Attributes finds the fields of events among their attributes. It is immutable and may be shared.
type Attributes struct {
	dims   []string
	keys   keyTable
	attrs  []string // by slot
	fields [][]candidate
	masks  []slotSet // of each field's candidates
	calls  slotSet
}

// candidate is a slot that a field may be taken from.
type candidate struct {
	slot, other int // other: the deciding slot, or −1
	is          string
}

// AttributeOptions is what a table is made of.
type AttributeOptions struct {
	Preset     string // which producers' names it has; "" and "auto" are all
	Dimensions []Dimension
	// Lists replace the attributes of a field, by its name: "prompt", "version", "model", …
	Lists map[string][]string
}

// NewAttributes makes a table. It fails when there are more than MaxDimensions, when one
// stands twice or has a name that means something else, and when there are more than MaxNames attributes in all.
func NewAttributes(o AttributeOptions) (*Attributes, error) {
	dims := o.Dimensions
	if len(dims) > MaxDimensions {
		return nil, fmt.Errorf("build attribute table: %d dimensions, at most %d are possible", len(dims), MaxDimensions)
	}
	rows := slices.Clone(names)
	a := &Attributes{}
	for i, d := range dims {
		if slices.Contains(reserved, d.Name) || slices.Contains(a.dims, d.Name) {
			return nil, fmt.Errorf("build attribute table: dimension %q stands twice or is the name of something else", d.Name)
		}
		a.dims = append(a.dims, d.Name)
		attrs := d.Attributes
		if len(attrs) == 0 {
			attrs = usualAttributes(d.Name)
		}
		for _, attr := range attrs {
			rows = append(rows, name{field: fieldDimension + Field(i), attr: attr})
		}
	}
	a.fields = make([][]candidate, int(fieldDimension)+len(dims))
	a.masks = make([]slotSet, len(a.fields))
	for _, r := range rows {
		c := candidate{slot: a.slot(r.attr), other: -1, is: r.is}
		if r.other != "" {
			c.other = a.slot(r.other)
		}
		if len(a.attrs) > MaxNames {
			return nil, fmt.Errorf("build attribute table: more than %d attribute names", MaxNames)
		}
		a.fields[r.field] = append(a.fields[r.field], c)
		a.masks[r.field].add(c.slot)
		if r.call {
			a.calls.add(c.slot)
		}
	}
	a.keys = newKeyTable(a.attrs)
	return a, nil
}

func (a *Attributes) slot(attr string) int {
	if i := slices.Index(a.attrs, attr); i >= 0 {
		return i
	}
	a.attrs = append(a.attrs, attr)
	return len(a.attrs) - 1
}

// Dimensions are the names of the dimensions, in order. Not to be changed.
func (a *Attributes) Dimensions() []string { return a.dims }

// Lookup finds the slot of an attribute; ok is false for all that the table does not name, whose values nobody needs to read.
func (a *Attributes) Lookup(key []byte) (slot int, ok bool) { return a.keys.find(key) }

// slotSet is a set of slots.
type slotSet [MaxNames / 64]uint64

func (s *slotSet) add(i int)      { s[i>>6] |= 1 << (i & 63) }
func (s *slotSet) has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }
func (s *slotSet) meets(t *slotSet) bool {
	return s[0]&t[0]|s[1]&t[1] != 0
}

// Value is the value of an attribute. Its bytes alias the record.
type Value struct {
	Type ValueType
	Text []byte
	Int  int64
	Real float64
}

// ValueType is the type that a producer gave a value.
type ValueType uint8

const (
	Text ValueType = iota
	Int
	Real
	Bool  // in Int
	Other // lists, maps and bytes: of no use to any field
)

// Set is the attributes of one span, resource or span event that the table names.
type Set struct {
	found  slotSet
	values [MaxNames]Value
	number []byte // texts of numbers
}

// Reset empties the set.
func (s *Set) Reset() {
	s.found = slotSet{}
	s.number = s.number[:0]
}

// Put keeps a value. Empty texts and values of no use are none; of two, the first stays.
func (s *Set) Put(slot int, v Value) {
	if s.found.has(slot) || v.Type == Text && len(v.Text) == 0 || v.Type == Other {
		return
	}
	s.found.add(slot)
	s.values[slot] = v
}

// find returns the value that counts for a field within one set.
func (a *Attributes) find(f Field, s *Set) (slot int, ok bool) {
	if !s.found.meets(&a.masks[f]) {
		return 0, false
	}
	for _, c := range a.fields[f] {
		if !s.found.has(c.slot) {
			continue
		}
		if c.other >= 0 {
			set := s.found.has(c.other)
			if c.is == "" && set || c.is != "" && !(set && string(s.values[c.other].Text) == c.is) {
				continue
			}
		}
		return c.slot, true
	}
	return 0, false
}

// text returns a field's value as text, from the span, else from the resource.
func (a *Attributes) text(f Field, span, resource *Set) []byte {
	from := span
	slot, ok := a.find(f, span)
	if !ok {
		if resource == nil {
			return nil
		}
		if slot, ok = a.find(f, resource); !ok {
			return nil
		}
		from = resource
	}
	v := &from.values[slot]
	if v.Type == Text {
		return v.Text
	}
	start := len(span.number)
	switch v.Type {
	case Int:
		span.number = strconv.AppendInt(span.number, v.Int, 10)
	case Real:
		span.number = strconv.AppendFloat(span.number, v.Real, 'f', -1, 64)
	case Bool:
		span.number = strconv.AppendBool(span.number, v.Int != 0)
	}
	return span.number[start:len(span.number):len(span.number)]
}

// number returns a value as a number, NaN when it is none. Some producers write numbers as texts.
func (v *Value) number() float64 {
	switch v.Type {
	case Int, Bool:
		return float64(v.Int)
	case Real:
		return v.Real
	default:
		f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(v.Text), len(v.Text)), 64)
		if err != nil {
			return math.NaN()
		}
		return f
	}
}

var figures = [...]struct {
	field Field
	to    windows.Builtin
}{
	{FieldInputTokens, windows.BuiltinInputTokens}, {FieldOutputTokens, windows.BuiltinOutputTokens},
	{FieldCost, windows.BuiltinCost}, {FieldTTFT, windows.BuiltinTTFT},
}

// Fill sets all that attributes say about a span: labels, figures, and whether it is a model call. Figures are read from the
// span alone, labels from its resource too.
func (a *Attributes) Fill(e *Event, span, resource *Set) {
	e.Prompt = a.text(FieldPrompt, span, resource)
	e.Version = a.text(FieldVersion, span, resource)
	for i := range e.Dimensions {
		e.Dimensions[i] = a.text(fieldDimension+Field(i), span, resource)
	}
	e.TemplateHash = a.text(FieldTemplateHash, span, resource)
	e.Variant = a.text(FieldVariant, span, resource)
	e.Environment = a.text(FieldEnvironment, span, resource)
	e.Model = a.text(FieldModel, span, resource)
	e.Response = a.text(FieldResponse, span, nil)
	if e.Call = a.isCall(span); !e.Call {
		return
	}
	for _, f := range figures {
		if slot, ok := a.find(f.field, span); ok {
			v := span.values[slot].number()
			if math.IsNaN(v) {
				e.Refuse(BadValue, a.attrs[slot]+" is no number")
			}
			e.Set(f.to, v)
		}
	}
	if slot, ok := a.find(FieldFallback, span); ok {
		e.fallback(&span.values[slot])
	}
	if len(a.text(FieldErrorType, span, nil)) > 0 {
		e.Set(windows.BuiltinError, 1)
	}
}

func (a *Attributes) isCall(span *Set) bool {
	if op := a.text(FieldOperation, span, nil); op != nil {
		if call, known := operations[string(op)]; known {
			return call
		}
	}
	return span.found.meets(&a.calls)
}

// fallback tells whether a fallback prompt was used: a boolean, or a text that says so. Any other text names the fallback that was used.
func (e *Event) fallback(v *Value) {
	yes := true
	switch v.Type {
	case Int, Bool:
		yes = v.Int != 0
	case Real:
		yes = v.Real != 0
	case Text:
		switch string(v.Text) {
		case "false", "False", "0", "no", "none":
			yes = false
		}
	}
	e.Set(windows.BuiltinFallback, 0)
	if yes {
		e.Set(windows.BuiltinFallback, 1)
	}
}

// FillScore adds the score that the attributes of an evaluation result make.
func (a *Attributes) FillScore(e *Event, s *Set) {
	score := ScoreValue{Rubric: a.text(FieldRubric, s, nil), Label: a.text(FieldScoreLabel, s, nil)}
	if slot, ok := a.find(FieldScoreValue, s); ok {
		score.Value, score.HasValue = s.values[slot].number(), true
	}
	e.AddScore(score)
}
