package strictyaml

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Reference lists the keys of a struct type as a Markdown table a mapping.
func Reference(t reflect.Type, title string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", title)
	type part struct {
		heading string
		t       reflect.Type
	}
	done := make(map[reflect.Type]bool)
	queue := []part{{"", t}}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		if done[p.t] {
			continue
		}
		done[p.t] = true
		if p.heading != "" {
			fmt.Fprintf(&b, "### `%s`\n\n", p.heading)
		}
		b.WriteString("| key | value | default | meaning |\n|---|---|---|---|\n")
		k := structKeys(p.t)
		for i := range k.fields {
			f := &k.fields[i]
			def := "`" + f.def + "`"
			switch {
			case f.required:
				def = "required"
			case !f.hasDef || f.def == "":
				def = ""
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, strings.ReplaceAll(valueWords(f.typ, f), "|", "\\|"), def, strings.ReplaceAll(f.doc, "|", "\\|"))
			if inner, step := structIn(f.typ); inner != nil {
				queue = append(queue, part{strings.TrimPrefix(p.heading+"."+f.name+step, "."), inner})
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// structIn is the struct that a key's value is, or holds, and how one gets to it.
func structIn(t reflect.Type) (inner reflect.Type, step string) {
	switch {
	case reflect.PointerTo(t).Implements(unmarshalerType):
		return nil, ""
	case t.Kind() == reflect.Pointer:
		return structIn(t.Elem())
	case t.Kind() == reflect.Slice:
		inner, step = structIn(t.Elem())
		return inner, "[]" + step
	case t.Kind() == reflect.Map:
		inner, step = structIn(t.Elem())
		return inner, ".*" + step
	case t.Kind() == reflect.Struct:
		return t, ""
	}
	return nil, ""
}

// Worded is implemented by types that read themselves, to say in few words what they read.
type Worded interface{ Words() string }

func valueWords(t reflect.Type, f *field) string {
	if w, ok := reflect.New(t).Interface().(Worded); ok {
		return w.Words()
	}
	switch {
	case t.Kind() == reflect.Pointer:
		return valueWords(t.Elem(), f)
	case f.enum != nil && t.Kind() == reflect.String:
		return strings.ReplaceAll(List(f.enum, "or"), "`", "")
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t == sizeType:
		return "size"
	}
	switch t.Kind() {
	case reflect.Slice:
		return "list of " + valueWords(t.Elem(), &field{})
	case reflect.Map:
		return "name → " + valueWords(t.Elem(), &field{})
	case reflect.Struct:
		return "keys"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Float64:
		return "number"
	}
	whole := "whole number"
	if f.min != nil && f.max != nil {
		whole += fmt.Sprintf(" %g … %g", *f.min, *f.max)
	} else if f.min != nil {
		whole += fmt.Sprintf(" ≥ %g", *f.min)
	}
	return whole
}
