package web

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/detector"
)

// object is a JSON object.
type object = map[string]any

// OpenAPI is the document of the API, as it is served at /api/v1/openapi.json.
func OpenAPI() ([]byte, error) {
	out, err := json.MarshalIndent(document(), "", "  ")
	return append(out, '\n'), err
}

// document is the OpenAPI document of the routes.
var document = sync.OnceValue(func() object {
	schemas := make(object)
	paths := make(object)
	for i := range routes {
		rt := &routes[i]
		at, ok := paths[prefix+rt.path].(object)
		if !ok {
			at = make(object)
			paths[prefix+rt.path] = at
		}
		at[strings.ToLower(rt.method)] = rt.operation(schemas)
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "driftd", "version": "1",
			"description": "What people and programs ask of a daemon, and do. Ids may be cut to any beginning of four characters or more that only one has. " +
				"Every change stands in the audit log.",
		},
		"paths": paths,
		"components": object{
			"schemas": schemas,
			"securitySchemes": object{"token": object{
				"type": "http", "scheme": "bearer", "description": "http.token of the config, or one of http.tokens. This machine needs none where the config has none.",
			}},
		},
		"security": []object{{"token": []string{}}, {}},
	}
})

func (rt *route) operation(schemas object) object {
	scope := "read"
	if rt.right == writes {
		scope = "write"
	}
	content := func(t reflect.Type) object { return object{"application/json": object{"schema": schemaOf(t, schemas)}} }
	answer := func(does string, t reflect.Type) object { return object{"description": does, "content": content(t)} }
	problem := reflect.TypeFor[Problem]()
	responses := object{
		strconv.Itoa(rt.code): answer("All is well.", rt.out),
		"400":                 answer("The request is wrong; the body says what would be right.", problem),
		"401":                 answer("The token is missing or wrong.", problem),
		"403":                 answer("Not with this token, or not from there.", problem),
		"503":                 answer("Not now: Retry-After says when.", problem),
	}
	if strings.Contains(rt.path, "{id}") {
		responses["404"] = answer("There is none of that id.", problem)
	}
	out := object{"summary": rt.does, "operationId": rt.name(), "x-scope": scope, "responses": responses}
	if rt.right == writes {
		responses["202"] = answer("It was written and holds, but has not been seen yet.", problem)
		responses["409"] = answer("Somebody was first; the body says who and when.", problem)
		out["requestBody"] = object{"required": needed(rt.in), "content": content(rt.in)}
	}
	var parameters []object
	for part := range strings.SplitSeq(rt.path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			parameters = append(parameters, object{"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	for _, p := range rt.query {
		parameters = append(parameters, object{"name": p.name, "in": "query", "description": p.does, "schema": object{"type": "string"}})
	}
	if parameters != nil {
		out["parameters"] = parameters
	}
	return out
}

// name is unique among the routes.
func (rt *route) name() string {
	words := strings.FieldsFunc(rt.path, func(r rune) bool { return strings.ContainsRune("/{}", r) })
	return strings.ToLower(rt.method) + "_" + strings.Join(words, "_")
}

// needed says that something in a body is required.
func needed(t reflect.Type) bool {
	for f := range fields(t) {
		if !f.optional {
			return true
		}
	}
	return false
}

// field is a key of a JSON object.
type field struct {
	name, doc string
	typ       reflect.Type
	optional  bool
}

// fields are the keys that a struct is marshalled to, those of embedded structs among them.
func fields(t reflect.Type) func(yield func(field) bool) {
	return func(yield func(field) bool) {
		for f := range t.Fields() {
			name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Anonymous && name == "" {
				for inner := range fields(f.Type) {
					if !yield(inner) {
						return
					}
				}
				continue
			}
			if name == "-" || !f.IsExported() {
				continue
			}
			if !yield(field{name, f.Tag.Get("doc"), f.Type, strings.Contains(option, "omitempty")}) {
				return
			}
		}
	}
}

// words are the closed sets.
var words = map[reflect.Type][]string{
	reflect.TypeFor[desk.SilenceState](): {string(desk.SilencePending), string(desk.SilenceActive), string(desk.SilenceExpired)},
	reflect.TypeFor[alert.RollbackState](): {
		string(alert.RollbackProposed), string(alert.RollbackWaiting), string(alert.RollbackChecking), string(alert.RollbackPromoting),
		string(alert.RollbackVerifying), string(alert.RollbackWatching), string(alert.RollbackRecovered), string(alert.RollbackIneffective),
		string(alert.RollbackRefused), string(alert.RollbackRejected), string(alert.RollbackFailed),
	},
}

// schemaOf describes what a value of t is marshalled to. Structs with a name are kept in schemas, and referred to.
func schemaOf(t reflect.Type, schemas object) object {
	if t == reflect.TypeFor[time.Time]() {
		return object{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), schemas)
	case reflect.Struct:
		name := t.Name()
		if t == reflect.TypeFor[detector.Silence]() {
			name = "SilenceTerms" // desk has a Silence of its own
		}
		if _, ok := schemas[name]; !ok {
			o := object{"type": "object", "additionalProperties": false}
			schemas[name] = o // before its fields, which may refer to it
			properties, required := make(object), []string{}
			for f := range fields(t) {
				p := schemaOf(f.typ, schemas)
				if f.doc != "" {
					p["description"] = f.doc
				}
				properties[f.name] = p
				if !f.optional {
					required = append(required, f.name)
				}
			}
			o["properties"], o["required"] = properties, required
		}
		return object{"$ref": "#/components/schemas/" + name}
	case reflect.Slice:
		return object{"type": "array", "items": orNull(t.Elem(), schemas)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": orNull(t.Elem(), schemas)}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.String:
		s := object{"type": "string"}
		if w := words[t]; w != nil {
			s["enum"] = w
		}
		return s
	}
	panic(fmt.Sprintf("BUG: the API answers with a %s", t))
}

// orNull is the schema of an element, which may be null where it is a pointer.
func orNull(t reflect.Type, schemas object) object {
	if t.Kind() != reflect.Pointer {
		return schemaOf(t, schemas)
	}
	return object{"anyOf": []object{schemaOf(t, schemas), {"type": "null"}}}
}
