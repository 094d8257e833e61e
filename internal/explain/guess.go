package explain

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Guess tells the encoding that a record looks like, by its first byte and the keys of its object, and whether it is wrapped in
// a CloudEvent, whose payload is to be guessed then.
func Guess(record []byte) (encoding string, wrapped bool) {
	b := bytes.TrimLeft(record, " \t\r\n")
	if len(b) == 0 || b[0] != '{' && b[0] != '[' {
		return "otlp_proto", false
	}
	keys := topKeys(b)
	has := func(names ...string) bool {
		for _, n := range names {
			if _, ok := keys[n]; !ok {
				return false
			}
		}
		return true
	}
	switch {
	case has("specversion"):
		return "", true
	case has("resourceSpans"), has("resourceLogs"), has("resourceMetrics"), has("resource_spans"), has("resource_logs"):
		return "otlp_json", false
	case has("heliconeMeta"), has("requestId", "organizationId"), has("value") && strings.HasPrefix(keys["value"], `"{`):
		return "helicone", false
	case has("event", "properties"), strings.HasPrefix(keys["event"], `"$`):
		return "posthog", false
	case b[0] == '{' && len(record) > 0 && record[0] == '\n' && len(keys) == 0:
		return "otlp_proto", false // a length that looks like a brace
	}
	return "driftd_json", false
}

// topKeys are the keys of an object and how their values begin, as far as it can be read.
func topKeys(b []byte) map[string]string {
	keys := make(map[string]string)
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return keys
	}
	for d.More() {
		t, err := d.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			break
		}
		keys[key] = ""
		var value json.RawMessage
		if d.Decode(&value) != nil {
			break
		}
		keys[key] = string(value[:min(len(value), 64)])
	}
	return keys
}
