package strictyaml

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Schemer is implemented by types that describe themselves in a JSON Schema.
type Schemer interface{ JSONSchema() map[string]any }

var schemerType = reflect.TypeFor[Schemer]()

// Schema is the JSON Schema (draft 2020-12) of what Decode reads into a struct of the type, for editors: it refuses what they can
// know to be wrong, not all that Decode refuses.
func Schema(t reflect.Type, id, title string) ([]byte, error) {
	s := schemer{defs: make(map[string]any)}
	root := s.object(t)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = id
	root["title"] = title
	if len(s.defs) > 0 {
		root["$defs"] = s.defs
	}
	out, err := json.MarshalIndent(root, "", "  ")
	return append(out, '\n'), err
}

type schemer struct{ defs map[string]any }

func (s *schemer) object(t reflect.Type) map[string]any {
	properties, required := make(map[string]any), []string{}
	k := structKeys(t)
	for i := range k.fields {
		f := &k.fields[i]
		p := s.value(f.typ, f)
		if f.doc != "" {
			p["description"] = f.doc
		}
		if f.hasDef {
			p["default"] = defaultValue(f)
		}
		properties[f.name] = p
		if f.required {
			required = append(required, f.name)
		}
	}
	o := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

// ref names a struct once, so that one that holds itself has an end.
func (s *schemer) ref(t reflect.Type) map[string]any {
	name := strings.ToLower(t.Name()[:1]) + t.Name()[1:]
	if _, ok := s.defs[name]; !ok {
		s.defs[name] = true
		s.defs[name] = s.object(t)
	}
	return map[string]any{"$ref": "#/$defs/" + name}
}

func (s *schemer) value(t reflect.Type, f *field) map[string]any {
	if t.Kind() == reflect.Pointer {
		return s.value(t.Elem(), f)
	}
	if reflect.PointerTo(t).Implements(schemerType) {
		return reflect.New(t).Interface().(Schemer).JSONSchema()
	}
	item := field{enum: f.enum, min: f.min, max: f.max, required: true}
	switch t.Kind() {
	case reflect.Struct:
		return s.ref(t)
	case reflect.Slice:
		list := map[string]any{"type": "array", "items": s.value(t.Elem(), &item)}
		if f.required {
			list["minItems"] = 1
		}
		return list
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.value(t.Elem(), &item)}
	}
	return scalarSchema(t, f)
}

func scalarSchema(t reflect.Type, f *field) map[string]any {
	switch {
	case t == durationType:
		return map[string]any{"anyOf": []any{map[string]any{"type": "string", "pattern": durationPattern}, map[string]any{"const": 0}}}
	case t == sizeType:
		return map[string]any{"type": "string", "pattern": sizePattern}
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	case t.Kind() == reflect.String && f.enum != nil:
		return map[string]any{"type": "string", "enum": f.enum}
	case t.Kind() == reflect.String: // version: 23 is text too
		return map[string]any{"type": []string{"string", "number", "boolean"}}
	}
	n := map[string]any{"type": "number"}
	if t.Kind() != reflect.Float64 {
		n["type"] = "integer"
	}
	if f.min != nil {
		n["minimum"] = *f.min
	}
	if f.max != nil {
		n["maximum"] = *f.max
	}
	return n
}

// defaultValue is the default as JSON has it.
func defaultValue(f *field) any {
	switch t := f.typ; {
	case t.Kind() == reflect.Slice:
		return strings.FieldsFunc(f.def, func(r rune) bool { return strings.ContainsRune("[], ", r) })
	case t.Kind() == reflect.Bool:
		return f.def == "true"
	case t == reflect.TypeFor[time.Duration](), t == sizeType:
		return f.def
	case t.Kind() != reflect.String:
		if v, err := strconv.ParseFloat(f.def, 64); err == nil {
			return v
		}
	}
	return f.def
}
