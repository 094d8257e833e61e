package explain

import (
	"slices"
	"strings"

	"github.com/driftd/driftd/consumer"
)

// openKeys are those whose text holds an object, by encoding.
var openKeys = map[string]string{"posthog": "properties", "helicone": "value"}

// objectPassage is how the event of a record that is one JSON object came about.
func objectPassage(p *consumer.Probe, encoding string, payload []byte, e *consumer.ProbedEvent) *passage {
	open := openKeys[encoding]
	t := try(p, payload, func(key string) bool { return open != "" && key == open }, func(path []string) string {
		if len(path) > 1 && path[0] == open {
			path = path[1:]
		}
		return attributeName(strings.ReplaceAll(strings.Join(path, "."), "..", "[].")) // elements of lists have no key
	})
	out := &passage{of: "record", fields: map[string]*Field{}, native: encoding == "driftd_json"}
	if t == nil {
		return out
	}
	out.kind = Field{Field: fieldKind, Value: t.base[fieldKind], Attribute: strings.Join(t.decides, " and ")}
	out.unread = t.unread
	for name, keys := range t.taken {
		if name == "version" && len(keys) > 1 { // a version goes with its prompt
			keys = slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return slices.Contains(t.taken[fieldPrompt], k) })
		}
		f := out.field(name)
		if t.base[name] != "" {
			f.Attribute, f.From = strings.Join(keys, " and "), "record"
			continue
		}
		for _, k := range keys {
			f.PassedOver = append(f.PassedOver, PassedOver{Attribute: k, From: "record", Why: "as it stands, it takes the " + name + " away"})
		}
	}
	for name, list := range t.passed {
		for _, o := range list {
			f := out.field(name)
			f.PassedOver = append(f.PassedOver, PassedOver{Attribute: o.key, From: "record", Value: o.value, Why: "shadowed by " + o.by})
		}
	}
	for i := range e.Scores {
		keys := t.taken[scoreField(&e.Scores[i])]
		if keys == nil {
			keys = t.decides
		}
		out.scores = append(out.scores, strings.Join(keys, " and "))
	}
	return out
}
