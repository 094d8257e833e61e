package web

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

func dig(v any, keys ...string) any {
	for _, k := range keys {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	return v
}

// conforms checks a value against a schema of the document, as far as those go. It returns what is wrong.
func conforms(doc, schema map[string]any, v any) string {
	if ref, ok := schema["$ref"].(string); ok {
		to, ok := dig(doc, "components", "schemas", strings.TrimPrefix(ref, "#/components/schemas/")).(map[string]any)
		if !ok {
			return ref + " is not in the document"
		}
		return conforms(doc, to, v)
	}
	if choices, ok := schema["anyOf"].([]any); ok {
		problem := ""
		for _, s := range choices {
			if problem = conforms(doc, s.(map[string]any), v); problem == "" {
				return ""
			}
		}
		return problem
	}
	switch schema["type"] {
	case "object":
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Sprintf("%v is no object", v)
		}
		properties, _ := schema["properties"].(map[string]any)
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := m[name.(string)]; !ok {
				return fmt.Sprintf("%s is missing", name)
			}
		}
		for name, value := range m {
			s, ok := properties[name].(map[string]any)
			if !ok {
				if s, ok = schema["additionalProperties"].(map[string]any); !ok {
					return fmt.Sprintf("%s is unknown", name)
				}
			}
			if problem := conforms(doc, s, value); problem != "" {
				return name + ": " + problem
			}
		}
	case "array":
		list, ok := v.([]any)
		if !ok {
			return fmt.Sprintf("%v is no list", v)
		}
		for i, value := range list {
			if problem := conforms(doc, schema["items"].(map[string]any), value); problem != "" {
				return fmt.Sprintf("%d: %s", i, problem)
			}
		}
	case "string":
		s, ok := v.(string)
		words, closed := schema["enum"].([]any)
		if !ok || closed && !slices.Contains(words, any(s)) {
			return fmt.Sprintf("%v is none of the words", v)
		}
		if schema["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339Nano, s); err != nil {
				return err.Error()
			}
		}
	case "number", "integer":
		x, ok := v.(float64)
		if !ok || schema["type"] == "integer" && x != float64(int64(x)) {
			return fmt.Sprintf("%v is no %s", v, schema["type"])
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			return fmt.Sprintf("%v is no boolean", v)
		}
	case "null":
		if v != nil {
			return fmt.Sprintf("%v is not null", v)
		}
	default:
		return fmt.Sprintf("the schema has the type %v", schema["type"])
	}
	return ""
}
