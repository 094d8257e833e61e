package consumer

import (
	"bytes"
	"strconv"
	"time"
	"unsafe"

	"github.com/go-faster/jx"
)

// conversion makes a field's value of an attribute's. What it cannot read is no value, and the next attribute is asked. start
// is the span's, Unix ns; 0 is none. The result may alias the value or the set.
type conversion struct {
	doc string
	do  func(s *Set, v *Value, start int64) (Value, bool)
}

var (
	milliseconds = &conversion{"in milliseconds", func(_ *Set, v *Value, _ int64) (Value, bool) {
		return Value{Type: Real, Real: v.number() / 1000}, true
	}}
	sinceStart = &conversion{"a time; the span's start is taken off", func(s *Set, v *Value, start int64) (Value, bool) {
		text, ok := s.jsonText(v)
		if !ok || start == 0 {
			return Value{}, false
		}
		at, ok := parseTime(text)
		return Value{Type: Real, Real: float64(at-start) / 1e9}, ok
	}}
	errorLevel = &conversion{"when it is ERROR", func(_ *Set, v *Value, _ int64) (Value, bool) {
		return *v, string(v.Text) == "ERROR"
	}}

	handleName = &conversion{"without its :version or :tag", func(_ *Set, v *Value, _ int64) (Value, bool) {
		handle, _ := splitHandle(v.Text)
		return Value{Text: handle}, v.Type == Text && len(handle) > 0
	}}
	handleNumber = &conversion{"of the form handle:number, the number", func(_ *Set, v *Value, _ int64) (Value, bool) {
		_, number := splitHandle(v.Text)
		return Value{Text: number}, v.Type == Text && isVersion(number)
	}}

	jsonText = &conversion{"may be a JSON string", func(s *Set, v *Value, _ int64) (Value, bool) {
		text, ok := s.jsonText(v)
		return Value{Text: text}, ok && len(text) > 0
	}}
	jsonName     = member("JSON object: name", false, "", "name")
	jsonVersion  = member("JSON object: version", false, "", "version")
	jsonFallback = member("JSON object: isFallback", false, "", "isFallback")
	jsonModel    = member("JSON object: model", false, "", "model")
	jsonInput    = member("JSON object: input, input_tokens, prompt_tokens or promptTokens", false, "", "input", "input_tokens", "prompt_tokens", "promptTokens")
	jsonOutput   = member("JSON object: output, output_tokens, completion_tokens or completionTokens", false, "", "output", "output_tokens", "completion_tokens", "completionTokens")

	jsonCost = member("JSON object: cost", false, "", "cost")

	jsonPromptID      = member("JSON object: prompt.id", false, "prompt", "id")
	jsonPromptVersion = member("JSON object: prompt.version", false, "prompt", "version")
	jsonFirstToken    = member("JSON object: time_to_first_token", false, "", "time_to_first_token")

	firstTokenAt = &conversion{"JSON object: first_token_at less started_at, in milliseconds", func(s *Set, v *Value, _ int64) (Value, bool) {
		begun, ok := s.member(v, false, "", "started_at")
		at, okAt := s.member(v, false, "", "first_token_at")
		return Value{Type: Real, Real: (at.number() - begun.number()) / 1000}, ok && okAt
	}}

	firstName          = member("JSON list: name of the first", true, "", "name")
	firstVersion       = member("JSON list: version of the first", true, "", "version")
	firstVersionNumber = member("JSON list: version.version_number or version.commit of the first", true, "version", "version_number", "commit")

	jsonTotal = &conversion{"JSON object: total or total_cost, else the sum", func(s *Set, v *Value, _ int64) (Value, bool) {
		if total, ok := s.member(v, false, "", "total", "total_cost"); ok {
			return total, true
		}
		return s.sum(v)
	}}
)

// member is the conversion that takes the first key that there is of a JSON object, or of the first object of a list. With in
// it is a key of the object under that key.
func member(doc string, list bool, in string, keys ...string) *conversion {
	return &conversion{doc, func(s *Set, v *Value, _ int64) (Value, bool) { return s.member(v, list, in, keys...) }}
}

// splitHandle cuts LangWatch's handle:version; a handle that stands alone has none.
func splitHandle(id []byte) (handle, version []byte) {
	if i := bytes.LastIndexByte(id, ':'); i >= 0 {
		return id[:i], id[i+1:]
	}
	return id, nil
}

// isVersion tells the number of a version from a tag. There is no version 0.
func isVersion(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0 && b[0] != '0'
}

// parseTime reads RFC 3339, with a space for the T or without a zone as Python writes it, then UTC.
func parseTime(text []byte) (at int64, ok bool) {
	if len(text) > 40 {
		return 0, false
	}
	s := unsafe.String(unsafe.SliceData(text), len(text))
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1970 && t.Year() < 2262 {
			return t.UnixNano(), true
		}
	}
	return 0, false
}

// maxWrapped is how often a JSON value may stand in a JSON string: producers that encode twice do it once.
const maxWrapped = 3

// unwrap gives the decoder the JSON of a text, out of the JSON strings that it may stand in.
func (s *Set) unwrap(text []byte) (*jx.Decoder, jx.Type) {
	for range maxWrapped {
		s.json.ResetBytes(text)
		kind := s.json.Next()
		if kind != jx.String {
			return &s.json, kind
		}
		inner, err := s.json.StrBytes() // aliases text, or is a copy without its escapes
		if err != nil {
			return &s.json, jx.Invalid
		}
		text = inner
	}
	return &s.json, jx.Invalid
}

// jsonText is a text that may be a JSON string.
func (s *Set) jsonText(v *Value) ([]byte, bool) {
	if v.Type != Text {
		return s.textOf(v), true
	}
	if len(v.Text) < 2 || v.Text[0] != '"' {
		return v.Text, true
	}
	s.json.ResetBytes(v.Text)
	text, err := s.json.StrBytes()
	return text, err == nil
}

// member reads the first of the keys that an object has, as far as it is a text, a number or a boolean.
func (s *Set) member(v *Value, list bool, in string, keys ...string) (found Value, ok bool) {
	if v.Type != Text {
		return Value{}, false
	}
	d, kind := s.unwrap(v.Text)
	if list && kind == jx.Array {
		items, err := d.ArrIter()
		if err != nil || !items.Next() {
			return Value{}, false
		}
		kind = d.Next()
	}
	if kind != jx.Object {
		return Value{}, false
	}
	if in == "" {
		return first(d, keys)
	}
	o, err := d.ObjIter()
	for err == nil && o.Next() {
		if string(o.Key()) == in && d.Next() == jx.Object {
			return first(d, keys)
		}
		err = d.Skip()
	}
	return Value{}, false
}

// first reads an object and returns the value of the first of the keys that it has.
func first(d *jx.Decoder, keys []string) (found Value, ok bool) {
	best := len(keys)
	o, err := d.ObjIter()
	for err == nil && o.Next() {
		at := best
		for i := range keys[:best] {
			if string(o.Key()) == keys[i] {
				at = i
			}
		}
		if at == best {
			err = d.Skip()
			continue
		}
		var value Value
		if value, err = scalar(d); err == nil && value.Type != Other {
			found, best = value, at
		}
	}
	if err != nil || o.Err() != nil {
		return Value{}, false
	}
	return found, best < len(keys)
}

// sum adds the numbers of an object up.
func (s *Set) sum(v *Value) (Value, bool) {
	if v.Type != Text {
		return Value{}, false
	}
	d, kind := s.unwrap(v.Text)
	if kind != jx.Object {
		return Value{}, false
	}
	total, any := 0.0, false
	o, err := d.ObjIter()
	for err == nil && o.Next() {
		var value Value
		if value, err = scalar(d); value.Type == Real || value.Type == Int {
			total, any = total+value.number(), true
		}
	}
	return Value{Type: Real, Real: total}, any && err == nil && o.Err() == nil
}

// scalar reads a value; null, an empty text, a list or an object is Other.
func scalar(d *jx.Decoder) (Value, error) {
	switch d.Next() {
	case jx.String:
		text, err := d.StrBytes()
		if len(text) == 0 {
			return Value{Type: Other}, err
		}
		return Value{Text: text}, err
	case jx.Number:
		n, err := d.Num()
		if err != nil {
			return Value{}, err
		}
		if n.IsInt() {
			if i, err := n.Int64(); err == nil {
				return Value{Type: Int, Int: i}, nil
			}
		}
		f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(n), len(n)), 64)
		return Value{Type: Real, Real: f}, err
	case jx.Bool:
		b, err := d.Bool()
		if b {
			return Value{Type: Bool, Int: 1}, err
		}
		return Value{Type: Bool}, err
	default:
		return Value{Type: Other}, d.Skip()
	}
}
