package strictyaml

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Unmarshaler is implemented by pointers to types that read themselves. What is wrong they report through the node.
type Unmarshaler interface{ UnmarshalStrict(n Node) }

var (
	unmarshalerType = reflect.TypeFor[Unmarshaler]()
	durationType    = reflect.TypeFor[time.Duration]()
	sizeType        = reflect.TypeFor[Size]()
)

// scope is a mapping that is being decoded, for messages.
type scope struct {
	name string // as field.called has it
	item bool   // of a list
	keys *keys
}

// Decode fills the struct that into points to, reports what does not fit and sets defaults for what is absent. The struct's
// slices and maps must not be replaced while places are asked for: they are found by the fields' addresses.
func (d *Document) Decode(into any) {
	v := reflect.ValueOf(into).Elem()
	switch {
	case d.root == nil && len(d.problems) > 0:
		d.setDefaults(v)
		return
	case d.root == nil:
		d.root = &yaml.Node{Kind: yaml.MappingNode, Line: 1, Column: 1}
	}
	d.decode(d.root, v, &field{}, nil)
}

func (d *Document) decode(n *yaml.Node, v reflect.Value, f *field, in []scope) {
	if n.Kind == yaml.AliasNode {
		return // reported by Parse
	}
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		v.Set(reflect.New(t.Elem()))
		d.remember(v.Elem(), place{key: d.places[v.Addr().Interface()].key, value: n, present: true})
		d.decode(n, v.Elem(), f, in)
		return
	}
	if v.Addr().Type().Implements(unmarshalerType) {
		if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
			d.noValue(n, f)
			return
		}
		d.secret[n] = hides(t)
		v.Addr().Interface().(Unmarshaler).UnmarshalStrict(Node{d: d, n: n, f: f, in: in, secret: hides(t)})
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		d.decodeStruct(n, v, f, in)
	case reflect.Slice:
		d.decodeSlice(n, v, f, in)
	case reflect.Map:
		d.decodeMap(n, v, f, in)
	default:
		d.decodeScalar(n, v, f)
	}
}

func (d *Document) decodeStruct(n *yaml.Node, v reflect.Value, f *field, in []scope) {
	k := structKeys(v.Type())
	here := append(in[:len(in):len(in)], scope{name: f.called(), item: f.isItem, keys: k})
	secret := hides(v.Type())
	if n.Kind != yaml.MappingNode {
		d.misspelt[v.Addr().Interface()] = true
		d.wrongKindHint(n, f, "keys and values", "keys are "+List(k.names(), "and"), secret)
		d.setDefaults(v)
		return
	}
	meant := make(map[string]bool) // keys that others are taken to be misspellings of
	found := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		kf := k.byName[key.Value]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" || kf == nil || found[key.Value] {
			if secret {
				d.hide(value)
			}
			if key.Kind == yaml.ScalarNode && key.Tag != "!!merge" && kf == nil {
				d.misspelt[v.Addr().Interface()] = true
				meant[d.unknownKey(key, here)] = true
			}
			continue
		}
		found[key.Value] = true
		fv := v.Field(kf.index)
		d.remember(fv, place{key: key, value: value, present: true})
		d.decode(value, fv, kf, here)
	}
	for i := range k.fields {
		kf := &k.fields[i]
		if found[kf.name] {
			continue
		}
		fv := v.Field(kf.index)
		around := d.first(n)
		d.remember(fv, place{key: around, value: around})
		if kf.required && !meant[kf.name] {
			d.report(around, false, kf.doc, "%s has no `%s`", f.called(), kf.name)
		}
		d.setDefault(fv, kf)
	}
}

// first is the first key of a mapping that stands in the file, for what is missing; the mapping itself where there is none.
func (d *Document) first(n *yaml.Node) *yaml.Node {
	for i := 0; i < len(n.Content); i += 2 {
		if d.origins[n.Content[i]] == "" {
			return n.Content[i]
		}
	}
	return n
}

func (d *Document) decodeSlice(n *yaml.Node, v reflect.Value, f *field, in []scope) {
	if n.Kind != yaml.SequenceNode {
		hint := ""
		if n.Kind == yaml.ScalarNode && n.Tag != "!!null" && !hides(v.Type()) {
			hint = fmt.Sprintf("write [%s]", clip(n.Value))
		}
		if n.Kind == yaml.MappingNode && f.item != "" {
			hint = fmt.Sprintf("begin each %s with `- `", f.item)
		}
		d.wrongKindHint(n, f, "a list", hint, hides(v.Type()))
		return
	}
	if f.required && len(n.Content) == 0 {
		d.report(n, false, f.doc, "%s is empty", f.called())
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	item := *f
	item.required, item.isItem = true, true
	for i, c := range n.Content {
		d.remember(v.Index(i), place{key: c, value: c, present: true})
		d.decode(c, v.Index(i), &item, in)
	}
}

func (d *Document) decodeMap(n *yaml.Node, v reflect.Value, f *field, in []scope) {
	secret := hides(v.Type())
	if n.Kind != yaml.MappingNode {
		d.wrongKind(n, f, "keys and values", secret)
		return
	}
	t := v.Type()
	v.Set(reflect.MakeMapWithSize(t, len(n.Content)/2))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := reflect.ValueOf(key.Value).Convert(t.Key())
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" || v.MapIndex(name).IsValid() {
			if secret {
				d.hide(value)
			}
			continue
		}
		item := field{name: key.Value, item: f.item, required: true, doc: f.doc, enum: f.enum, min: f.min, max: f.max}
		ev := reflect.New(t.Elem()).Elem()
		d.decode(value, ev, &item, in)
		v.SetMapIndex(name, ev)
		p := place{key: key, value: value, present: true}
		d.places[entry{v.Addr().Interface(), key.Value}] = p
		if ev.Kind() == reflect.Pointer && !ev.IsNil() {
			d.remember(ev.Elem(), p)
		}
	}
}

func (d *Document) decodeScalar(n *yaml.Node, v reflect.Value, f *field) {
	t := v.Type()
	want := wanted(t)
	if n.Kind != yaml.ScalarNode {
		if n.Kind == yaml.MappingNode && t.Kind() == reflect.String && len(n.Content) > 0 && beginsTemplate(n, n.Content[0]) {
			d.report(n, false, "put quotes around the whole text", "text that begins with {{ needs quotes")
			return
		}
		d.wrongKind(n, f, want, hides(t))
		return
	}
	if n.Tag == "!!null" {
		d.noValue(n, f)
		return
	}
	text := n.Value
	quoted := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	fail := func(err error) { d.report(n, false, d.unquoteHint(n, t, quoted), "%v", err) }
	switch {
	case t == durationType:
		dur, err := ParseDuration(text)
		if err != nil {
			fail(err)
			return
		}
		v.SetInt(int64(dur))
	case t == sizeType:
		size, err := ParseSize(text)
		if err != nil {
			fail(err)
			return
		}
		v.SetInt(int64(size))
	case t.Kind() == reflect.String:
		if f.required && strings.TrimSpace(text) == "" {
			d.report(n, false, f.doc, "%s is empty", f.called())
			return
		}
		if f.enum != nil && !d.oneOf(n, f) {
			return
		}
		v.SetString(text)
	case t.Kind() == reflect.Bool:
		if quoted || text != "true" && text != "false" {
			d.report(n, false, "write true or false", "`%s` is neither true nor false", clip(text))
			return
		}
		v.SetBool(text == "true")
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64, t.Kind() == reflect.Int32:
		i, err := parseInt(text)
		if err == nil && quoted {
			err = fmt.Errorf("%q is text, not a number", text)
		}
		if err == nil && v.OverflowInt(i) {
			err = fmt.Errorf("%s is too large a number", clip(text))
		}
		if err != nil {
			fail(err)
			return
		}
		if d.inRange(n, f, float64(i)) {
			v.SetInt(i)
		}
	case t.Kind() == reflect.Float64:
		x, err := ParseNumber(text)
		if err == nil && quoted {
			err = fmt.Errorf("%q is text, not a number", text)
		}
		if err != nil {
			fail(err)
			return
		}
		if d.inRange(n, f, x) {
			v.SetFloat(x)
		}
	default:
		panic(fmt.Sprintf("BUG: field `%s` of type %s cannot be decoded", f.name, t))
	}
}

func (d *Document) unquoteHint(n *yaml.Node, t reflect.Type, quoted bool) string {
	_, err := ParseNumber(n.Value)
	switch {
	case t == durationType || t == sizeType:
		return ""
	case quoted && err == nil:
		return "remove the quotes: " + n.Value
	case strings.HasSuffix(n.Value, "%"):
		return "write a plain number"
	}
	return "write a number, such as " + map[bool]string{true: "0.85", false: "16"}[t.Kind() == reflect.Float64]
}

func (d *Document) inRange(n *yaml.Node, f *field, x float64) bool {
	text := func(b float64) string { return strconv.FormatFloat(b, 'g', -1, 64) }
	switch {
	case f.min != nil && x < *f.min:
		d.report(n, false, fmt.Sprintf("write %s or more", text(*f.min)), "%s is too small for %s", n.Value, f.called())
	case f.max != nil && x > *f.max:
		d.report(n, false, fmt.Sprintf("write %s or less", text(*f.max)), "%s is too large for %s", n.Value, f.called())
	default:
		return true
	}
	return false
}

func (d *Document) oneOf(n *yaml.Node, f *field) bool {
	for _, w := range f.enum {
		if n.Value == w {
			return true
		}
	}
	for _, w := range f.later {
		if n.Value == w {
			d.report(n, false, "allowed here: "+List(f.enum, "or"), "%s `%s` is not supported yet", f.called(), w)
			return false
		}
	}
	hint := "write " + List(f.enum, "or")
	if near := Nearest(n.Value, f.enum); near != "" && len(f.enum) > 2 {
		hint = fmt.Sprintf("did you mean `%s`?", near)
	}
	d.report(n, false, hint, "%s cannot be `%s`", f.called(), clip(n.Value))
	return false
}
