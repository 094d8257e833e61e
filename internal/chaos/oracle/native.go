package oracle

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// fault is the reason for which a whole record is refused.
type fault string

func (f fault) Error() string { return string(f) }

// knownKeys are those of a native event; the dimensions are known too.
var knownKeys = append([]string{
	"type", "time", "kind", "trace_id", "span_id", "parent_span_id", "response_id", "prompt", "version", "template_hash", "model", "variant",
	"environment", "scores", "rubric", "value", "label",
}, figureNames...)

// decodeNative reads a record of driftd_json.
func decodeNative(record []byte, dimensions []string) (*event, error) {
	if trimmed := bytes.TrimLeft(record, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, fault("encoding")
	}
	keys := make(map[string]json.RawMessage)
	d := json.NewDecoder(bytes.NewReader(record))
	if _, err := d.Token(); err != nil {
		return nil, jsonFault(err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, jsonFault(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, jsonFault(err)
		}
		key := name.(string)
		if !slices.Contains(knownKeys, key) && !slices.Contains(dimensions, key) {
			continue
		}
		if _, twice := keys[key]; twice {
			return nil, fault("duplicate_key")
		}
		keys[key] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, jsonFault(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fault("malformed")
	}
	n := nativeReader{keys: keys}
	e := n.event(dimensions)
	if n.wrong {
		return nil, fault("wrong_type")
	}
	return e, nil
}

// jsonFault tells what is nested too deep from what is broken.
func jsonFault(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok && strings.Contains(syntax.Error(), "max depth") {
		return fault("too_deep")
	}
	return fault("malformed")
}

// nativeReader takes the known keys of an object apart.
type nativeReader struct {
	keys  map[string]json.RawMessage
	wrong bool // a key has a value of another type
}

// has tells whether there is such a key, and not null.
func (n *nativeReader) has(key string) bool {
	raw, ok := n.keys[key]
	return ok && string(raw) != "null"
}

func (n *nativeReader) into(key string, v any) {
	if n.has(key) && json.Unmarshal(n.keys[key], v) != nil {
		n.wrong = true
	}
}

func (n *nativeReader) text(key string) (v string) {
	n.into(key, &v)
	return v
}

// number reads a float; one that is too great is infinite.
func (n *nativeReader) number(raw json.RawMessage) float64 {
	var text json.Number
	if len(raw) == 0 || raw[0] == '"' || json.Unmarshal(raw, &text) != nil {
		n.wrong = true
		return 0
	}
	v, err := text.Float64()
	if err != nil && !math.IsInf(v, 0) {
		n.wrong = true
	}
	return v
}

func (n *nativeReader) event(dimensions []string) *event {
	e := &event{figures: make(map[string]float64)}
	switch n.text("type") {
	case "span":
	case "score":
		e.score = true
	default:
		n.wrong = true
	}
	kind := n.text("kind")
	e.call = !e.score && kind != "other"
	e.time = n.time()
	e.trace, e.span, e.parent = n.id(e, "trace_id", 16), n.id(e, "span_id", 8), n.id(e, "parent_span_id", 8)
	e.response, e.prompt = n.text("response_id"), n.text("prompt")
	if n.has("version") {
		if raw := n.keys["version"]; raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' {
			e.version = string(raw)
		} else {
			e.version = n.text("version")
		}
	}
	e.templateHash, e.model, e.variant, e.environment = n.text("template_hash"), n.text("model"), n.text("variant"), n.text("environment")
	var dims []string
	for _, d := range dimensions {
		dims = append(dims, n.text(d))
	}
	e.dims = strings.Join(dims, "\x00")
	for _, name := range figureNames {
		switch {
		case !n.has(name):
		case name == "error" || name == "fallback":
			var yes bool
			n.into(name, &yes)
			e.figures[name] = 0
			if yes {
				e.figures[name] = 1
			}
		default:
			e.figures[name] = n.number(n.keys[name])
		}
	}
	if n.has("scores") {
		var scores map[string]json.RawMessage
		n.into("scores", &scores)
		for rubric, raw := range scores {
			if string(raw) != "null" {
				e.scores = append(e.scores, opinion{rubric: rubric, value: n.number(raw), valued: true})
			}
		}
	}
	if e.score && (n.has("rubric") || n.has("value") || n.has("label") || len(e.scores) == 0) {
		o := opinion{rubric: n.text("rubric"), label: n.text("label")}
		if o.valued = n.has("value"); o.valued {
			o.value = n.number(n.keys["value"])
		}
		e.scores = append(e.scores, o)
	}
	return e
}

// time reads Unix nanoseconds or RFC 3339.
func (n *nativeReader) time() int64 {
	if !n.has("time") {
		return 0
	}
	if n.keys["time"][0] != '"' {
		var ns int64
		n.into("time", &ns)
		return ns
	}
	t, err := time.Parse(time.RFC3339Nano, n.text("time"))
	if err != nil {
		n.wrong = true
		return 0
	}
	switch { // outside of what nanoseconds can say
	case t.Year() < 1700:
		return math.MinInt64
	case t.Year() > 2260:
		return math.MaxInt64
	}
	return t.UnixNano()
}

// id reads an id of so many bytes in hex; all zeros are none.
func (n *nativeReader) id(e *event, key string, size int) string {
	text := strings.ToLower(n.text(key))
	if text == "" {
		return ""
	}
	if b, err := hex.DecodeString(text); err != nil || len(b) != size {
		e.refuse("bad_id")
		return ""
	}
	if strings.Trim(text, "0") == "" {
		return ""
	}
	return text
}
