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

	handleName = &conversion{"of the form handle:number, the handle", func(_ *Set, v *Value, _ int64) (Value, bool) {
		handle, _, ok := splitHandle(v)
		return Value{Text: handle}, ok
	}}
	handleNumber = &conversion{"of the form handle:number, the number", func(_ *Set, v *Value, _ int64) (Value, bool) {
		_, number, ok := splitHandle(v)
		return Value{Text: number}, ok
	}}

	jsonText = &conversion{"may be a JSON string", func(s *Set, v *Value, _ int64) (Value, bool) {
		text, ok := s.jsonText(v)
		return Value{Text: text}, ok && len(text) > 0
	}}
	jsonName     = member("JSON object: name", false, "name")
	jsonVersion  = member("JSON object: version", false, "version")
	jsonFallback = member("JSON object: isFallback", false, "isFallback")
	firstName    = member("JSON list: name of the first", true, "name")
	firstVersion = member("JSON list: version of the first", true, "version")
	jsonInput    = member("JSON object: input, input_tokens or prompt_tokens", false, "input", "input_tokens", "prompt_tokens")
	jsonOutput   = member("JSON object: output, output_tokens or completion_tokens", false, "output", "output_tokens", "completion_tokens")
	jsonTotal    = &conversion{"JSON object: total or total_cost, else the sum", func(s *Set, v *Value, _ int64) (Value, bool) {
		if total, ok := s.member(v, false, "total", "total_cost"); ok {
			return total, true
		}
		return s.sum(v)
	}}
)

// member is the conversion that takes the first key that there is of a JSON object, or of the first object of a list.
func member(doc string, list bool, keys ...string) *conversion {
	return &conversion{doc, func(s *Set, v *Value, _ int64) (Value, bool) { return s.member(v, list, keys...) }}
}

// splitHandle cuts LangWatch's handle:number; any other id is opaque and names nothing.
func splitHandle(v *Value) (handle, number []byte, ok bool) {
	i := bytes.LastIndexByte(v.Text, ':')
	if i <= 0 || i == len(v.Text)-1 {
		return nil, nil, false
	}
	for _, c := range v.Text[i+1:] {
		if c < '0' || c > '9' {
			return nil, nil, false
		}
	}
	return v.Text[:i], v.Text[i+1:], true
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
func (s *Set) member(v *Value, list bool, keys ...string) (found Value, ok bool) {
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
		if value, err = scalar(d); value.Type == Real {
			total, any = total+value.Real, true
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

// addEvaluation adds the score of an evaluation that is a JSON object of name, score, passed, label and status, as LangWatch
// writes it. One that was skipped or failed has no score.
func (s *Set) addEvaluation(e *Event, v *Value) {
	text := func(key string) []byte {
		if m, ok := s.member(v, false, key); ok {
			return m.own()
		}
		return nil
	}
	switch string(text("status")) {
	case "", "processed":
	default:
		return
	}
	score := ScoreValue{Rubric: text("name"), Label: text("label")}
	if m, ok := s.member(v, false, "score", "passed"); ok {
		score.Value, score.HasValue = m.number(), true
	}
	e.AddScore(score)
}
