package configs

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// jsonSchema describes what a struct with json tags is marshalled to, with the comments of its fields. Keys that are not in
// it are let pass: readers ignore them.
func jsonSchema(t reflect.Type, source, id, title string) ([]byte, error) {
	root := object(t, source)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = "https://github.com/driftd/driftd/configs/" + id
	root["title"] = title
	out, err := json.MarshalIndent(root, "", "  ")
	return append(out, '\n'), err
}

func object(t reflect.Type, source string) map[string]any {
	comments := fieldComments(source, t.Name())
	properties, required := make(map[string]any), []string{}
	for f := range t.Fields() {
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := value(f.Type, source)
		if words := f.Tag.Get("enum"); words != "" {
			p["enum"] = strings.Split(words, "|")
		}
		if pattern := f.Tag.Get("pattern"); pattern != "" {
			p["pattern"] = pattern
		}
		if f.Tag.Get("time") != "" {
			p = map[string]any{"anyOf": []any{map[string]any{"type": "string", "format": "date-time"}, map[string]any{"type": "integer"}}}
		}
		if c := comments[f.Name]; c != "" {
			p["description"] = c
		}
		properties[name] = p
		if option != "omitempty" {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required}
}

func value(t reflect.Type, source string) map[string]any {
	switch {
	case t.Kind() == reflect.Pointer:
		return value(t.Elem(), source)
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Struct:
		return object(t, source)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": value(t.Elem(), source)}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": value(t.Elem(), source)}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	}
	s := map[string]any{"type": "string"}
	if words := constants(source, t.Name()); t.PkgPath() != "" && len(words) > 0 {
		s["enum"] = words
	}
	return s
}

func parse(source string) *ast.File {
	f, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.ParseComments)
	if err != nil {
		panic(err)
	}
	return f
}

// fieldComments are those behind or above the fields of a struct.
func fieldComments(source, typeName string) map[string]string {
	found := make(map[string]string)
	ast.Inspect(parse(source), func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != typeName {
			return true
		}
		s, ok := spec.Type.(*ast.StructType)
		if !ok {
			return true
		}
		for _, f := range s.Fields.List {
			comment := strings.TrimSpace(f.Comment.Text())
			for _, name := range f.Names {
				found[name.Name] = strings.ReplaceAll(comment, "\n", " ")
			}
		}
		return false
	})
	return found
}

// constants are the values of the text constants of a type.
func constants(source, typeName string) []string {
	var found []string
	ast.Inspect(parse(source), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); ok && id.Name == typeName {
			for _, v := range spec.Values {
				if lit, ok := v.(*ast.BasicLit); ok {
					found = append(found, strings.Trim(lit.Value, `"`))
				}
			}
		}
		return true
	})
	return found
}

// conforms says what of a value does not conform to a schema, "" where all does. It knows the keywords that are used here and
// stops at others, so that none is passed over.
func conforms(schema map[string]any, v any) string { return conform(schema, schema, v, "") }

func conform(root, schema map[string]any, v any, at string) string {
	for keyword, arg := range schema {
		if problem := keywordProblem(root, schema, keyword, arg, v, at); problem != "" {
			return problem
		}
	}
	return ""
}

func keywordProblem(root, schema map[string]any, keyword string, arg, v any, at string) string {
	text, isText := v.(string)
	number, isNumber := v.(float64)
	list, _ := v.([]any)
	object, isObject := v.(map[string]any)
	wrong := func(bad bool) string {
		if !bad {
			return ""
		}
		return fmt.Sprintf("%s: %v does not hold %s %v", at, v, keyword, arg)
	}
	switch keyword {
	case "$schema", "$id", "$defs", "title", "description", "default", "format":
	case "$ref":
		name := strings.TrimPrefix(arg.(string), "#/$defs/")
		return conform(root, root["$defs"].(map[string]any)[name].(map[string]any), v, at)
	case "type":
		types, ok := arg.([]any)
		if !ok {
			types = []any{arg}
		}
		return wrong(!slices.ContainsFunc(types, func(t any) bool { return isType(t.(string), v) }))
	case "enum":
		return wrong(!slices.Contains(arg.([]any), v))
	case "const":
		return wrong(arg != v)
	case "pattern":
		return wrong(isText && !regexp.MustCompile(arg.(string)).MatchString(text))
	case "minLength":
		return wrong(isText && len(text) < int(arg.(float64)))
	case "minimum":
		return wrong(isNumber && number < arg.(float64))
	case "maximum":
		return wrong(isNumber && number > arg.(float64))
	case "minItems":
		return wrong(v != nil && len(list) < int(arg.(float64)))
	case "minProperties":
		return wrong(isObject && len(object) < int(arg.(float64)))
	case "maxProperties":
		return wrong(isObject && len(object) > int(arg.(float64)))
	case "required":
		for _, name := range arg.([]any) {
			if _, ok := object[name.(string)]; isObject && !ok {
				return at + ": lacks " + name.(string)
			}
		}
	case "items":
		for i, item := range list {
			if problem := conform(root, arg.(map[string]any), item, fmt.Sprintf("%s[%d]", at, i)); problem != "" {
				return problem
			}
		}
	case "anyOf":
		for _, s := range arg.([]any) {
			if conform(root, s.(map[string]any), v, at) == "" {
				return ""
			}
		}
		return wrong(true)
	case "properties":
		for name, s := range arg.(map[string]any) {
			if inner, ok := object[name]; ok {
				if problem := conform(root, s.(map[string]any), inner, at+"."+name); problem != "" {
					return problem
				}
			}
		}
	case "additionalProperties":
		known, _ := schema["properties"].(map[string]any)
		for name, inner := range object {
			if _, ok := known[name]; ok {
				continue
			}
			if s, ok := arg.(map[string]any); ok {
				if problem := conform(root, s, inner, at+"."+name); problem != "" {
					return problem
				}
			} else if arg == false {
				return at + ": unknown key " + name
			}
		}
	default:
		return "the test does not know the keyword " + keyword
	}
	return ""
}

func isType(want string, v any) bool {
	switch v := v.(type) {
	case string:
		return want == "string"
	case bool:
		return want == "boolean"
	case float64:
		return want == "number" || want == "integer" && v == float64(int64(v))
	case []any:
		return want == "array"
	case map[string]any:
		return want == "object"
	}
	return false
}
