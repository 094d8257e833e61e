package strictyaml

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// unknownKey says what the key was most likely meant to be: one that is spelt alike, which it gives back too, or the same one in
// another place.
func (d *Document) unknownKey(key *yaml.Node, in []scope) (meant string) {
	here := in[len(in)-1]
	for _, later := range here.keys.later {
		if key.Value == later {
			d.report(key, false, "allowed here: "+List(here.keys.names(), "and"), "`%s` is not supported yet", later)
			return ""
		}
	}
	hint := ""
	if len(in) > 1 && in[len(in)-2].keys.byName[key.Value] != nil {
		hint = fmt.Sprintf("`%s` belongs beside %s, not inside it", key.Value, here.name)
		if here.item {
			hint = fmt.Sprintf("`%s` belongs one level further out, to %s", key.Value, in[len(in)-2].name)
		}
	}
	if hint == "" {
		hint = inside(here.keys, key.Value, 1)
	}
	if near := Nearest(key.Value, here.keys.names()); near != "" && hint == "" {
		meant = near
		hint = fmt.Sprintf("did you mean `%s`?", near)
	}
	if hint == "" {
		hint = inside(here.keys, key.Value, 3)
	}
	if hint == "" {
		hint = "allowed here: " + List(here.keys.names(), "and")
	}
	where := "in " + here.name
	if len(in) == 1 {
		where = "at the top of the file"
	}
	d.report(key, false, hint, "unknown key `%s` %s", clip(key.Value), where)
	return meant
}

// inside says under which key, at most so many levels in, there is one of the name; "" where there is none.
func inside(k *keys, name string, levels int) string {
	for i := range k.fields {
		f := &k.fields[i]
		t, list := f.typ, false
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			list = list || t.Kind() == reflect.Slice
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(unmarshalerType) {
			continue
		}
		inner := structKeys(t)
		switch {
		case inner.byName[name] != nil && list && f.item != "":
			return fmt.Sprintf("`%s` belongs to each %s under `%s`", name, f.item, f.name)
		case inner.byName[name] != nil:
			return fmt.Sprintf("`%s` belongs inside `%s`", name, f.name)
		case levels > 1:
			if hint := inside(inner, name, levels-1); hint != "" {
				return hint + ", under `" + f.name + "`"
			}
		}
	}
	return ""
}

func (d *Document) noValue(n *yaml.Node, f *field) {
	hint := f.doc
	if strings.Contains(tail(d.line(n.Line), n.Column-1), "#") {
		hint = "a # begins a comment: text that begins with # needs quotes"
	}
	d.report(n, false, hint, "%s has no value", f.called())
}

func (d *Document) wrongKind(n *yaml.Node, f *field, want string, secret bool) {
	d.wrongKindHint(n, f, want, "", secret)
}

func (d *Document) wrongKindHint(n *yaml.Node, f *field, want, hint string, secret bool) {
	if secret {
		d.hide(n)
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		d.noValue(n, f)
		return
	}
	if hint == "" {
		hint = f.doc
	}
	d.report(n, false, hint, "%s must be %s, not %s", f.called(), want, found(n))
}

// wanted is what a scalar of the type is called.
func wanted(t reflect.Type) string {
	switch {
	case t == durationType:
		return "a duration, such as 5m"
	case t == sizeType:
		return "a size, such as 256MiB"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.String:
		return "text"
	}
	return "a number"
}

// found is what a node is called.
func found(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	}
	return "text"
}
