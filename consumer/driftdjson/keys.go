package driftdjson

import (
	"encoding/hex"

	"github.com/go-faster/jx"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/windows"
)

// The known keys, numbered for the check that none stands twice; the dimensions follow.
const (
	keyType = iota
	keyTime
	keyKind
	keyTraceID
	keySpanID
	keyParentID
	keyResponseID
	keyPrompt
	keyVersion
	keyTemplateHash
	keyModel
	keyVariant
	keyEnvironment
	keyScores
	keyRubric
	keyValue
	keyLabel
	keyFigure                                          // and behind it the built-in metrics
	keyDimension = keyFigure + int(windows.NumBuiltin) // and behind it the dimensions
)

// number returns a key's number, or −1 for one that is not known.
func (d *decoder) number(key []byte) int {
	switch string(key) {
	case "type":
		return keyType
	case "time":
		return keyTime
	case "kind":
		return keyKind
	case "trace_id":
		return keyTraceID
	case "span_id":
		return keySpanID
	case "parent_span_id":
		return keyParentID
	case "response_id":
		return keyResponseID
	case "prompt":
		return keyPrompt
	case "version":
		return keyVersion
	case "template_hash":
		return keyTemplateHash
	case "model":
		return keyModel
	case "variant":
		return keyVariant
	case "environment":
		return keyEnvironment
	case "scores":
		return keyScores
	case "rubric":
		return keyRubric
	case "value":
		return keyValue
	case "label":
		return keyLabel
	case windows.Latency:
		return keyFigure + int(windows.BuiltinLatency)
	case windows.TTFT:
		return keyFigure + int(windows.BuiltinTTFT)
	case windows.InputTokens:
		return keyFigure + int(windows.BuiltinInputTokens)
	case windows.OutputTokens:
		return keyFigure + int(windows.BuiltinOutputTokens)
	case windows.Cost:
		return keyFigure + int(windows.BuiltinCost)
	case windows.Error:
		return keyFigure + int(windows.BuiltinError)
	case windows.Fallback:
		return keyFigure + int(windows.BuiltinFallback)
	}
	if i := d.dimension(key); i >= 0 {
		return keyDimension + i
	}
	return -1
}

func (d *decoder) dimension(key []byte) int {
	for i, name := range d.dims {
		if name == string(key) {
			return i
		}
	}
	return -1
}

// key reads the value of one key into the event.
func (d *decoder) key(j *jx.Decoder, key []byte) (err error) {
	k := d.number(key)
	if k < 0 {
		return j.Skip()
	}
	if d.seen&(1<<k) != 0 {
		return consumer.Refused(consumer.DuplicateKey, "%s stands twice", key)
	}
	d.seen |= 1 << k
	if j.Next() == jx.Null {
		return j.Null()
	}
	e := &d.event
	switch k {
	case keyType:
		d.typed = true
		second, err := oneOf(j, "type", "span", "score")
		if second {
			e.Kind = consumer.Score
		}
		return err
	case keyKind:
		d.other, err = oneOf(j, "kind", "inference", "other")
	case keyTime:
		return d.time(j)
	case keyTraceID:
		return id(j, e, "trace_id", e.Trace[:])
	case keySpanID:
		return id(j, e, "span_id", e.Span[:])
	case keyParentID:
		return id(j, e, "parent_span_id", e.Parent[:])
	case keyResponseID:
		e.Response, err = text(j, "response_id")
	case keyPrompt:
		e.Prompt, err = text(j, "prompt")
	case keyVersion:
		if j.Next() == jx.Number {
			e.Version, err = j.Raw()
			return err
		}
		e.Version, err = text(j, "version")
	case keyTemplateHash:
		e.TemplateHash, err = text(j, "template_hash")
	case keyModel:
		e.Model, err = text(j, "model")
	case keyVariant:
		e.Variant, err = text(j, "variant")
		d.alsoDimension("variant", e.Variant)
	case keyEnvironment:
		e.Environment, err = text(j, "environment")
		d.alsoDimension("environment", e.Environment)
	case keyScores:
		if j.Next() != jx.Object {
			return wrongType(j, "scores", "an object")
		}
		return j.ObjBytes(d.onScore)
	case keyRubric:
		d.own.Rubric, err = text(j, "rubric")
	case keyValue:
		d.own.HasValue = true
		d.own.Value, err = number(j, "value")
	case keyLabel:
		d.own.Label, err = text(j, "label")
	case keyFigure + int(windows.BuiltinError), keyFigure + int(windows.BuiltinFallback):
		b := windows.Builtin(k - keyFigure)
		if j.Next() != jx.Bool {
			return wrongType(j, windows.BuiltinNames[b], "true or false")
		}
		yes, err := j.Bool()
		e.Set(b, 0)
		if yes {
			e.Set(b, 1)
		}
		return err
	default:
		if k >= keyDimension {
			e.Dimensions[k-keyDimension], err = text(j, d.dims[k-keyDimension])
			return err
		}
		b := windows.Builtin(k - keyFigure)
		v, err := number(j, windows.BuiltinNames[b])
		e.Set(b, v)
		return err
	}
	return err
}

// alsoDimension sets an axis that is configured as a dimension too.
func (d *decoder) alsoDimension(name string, v []byte) {
	for i := range d.dims {
		if d.dims[i] == name {
			d.event.Dimensions[i] = v
		}
	}
}

// score reads one entry of scores.
func (d *decoder) score(j *jx.Decoder, key []byte) error {
	for i := range d.event.Scores {
		if string(d.event.Scores[i].Rubric) == string(key) {
			return consumer.Refused(consumer.DuplicateKey, "a rubric stands twice in scores")
		}
	}
	if j.Next() == jx.Null {
		return j.Null()
	}
	v, err := number(j, "a score")
	if err != nil {
		return err
	}
	d.event.AddScore(consumer.ScoreValue{Rubric: key, Value: v, HasValue: true})
	return nil
}

// oneOf reads a text that is one of two words and tells whether it is the second.
func oneOf(j *jx.Decoder, key, first, second string) (bool, error) {
	s, err := text(j, key)
	if err != nil {
		return false, err
	}
	switch string(s) {
	case first:
		return false, nil
	case second:
		return true, nil
	}
	return false, consumer.Refused(consumer.WrongType, "%s is neither %s nor %s", key, first, second)
}

func text(j *jx.Decoder, key string) ([]byte, error) {
	if j.Next() != jx.String {
		return nil, wrongType(j, key, "a text")
	}
	return j.StrBytes()
}

func number(j *jx.Decoder, key string) (float64, error) {
	if j.Next() != jx.Number {
		return 0, wrongType(j, key, "a number")
	}
	raw, err := j.Raw()
	if err != nil {
		return 0, err
	}
	return parseNumber(raw), nil
}

// id reads a hex id of as many bytes as dst has; an empty one is none.
func id(j *jx.Decoder, e *consumer.Event, key string, dst []byte) error {
	s, err := text(j, key)
	if err != nil || len(s) == 0 {
		return err
	}
	if len(s) != 2*len(dst) {
		e.Refuse(consumer.BadID, key+" has a wrong length")
		return nil
	}
	if _, err := hex.Decode(dst, s); err != nil {
		clear(dst)
		e.Refuse(consumer.BadID, key+" is not hexadecimal")
	}
	return nil
}

// wrongType refuses a value of another type than want; what is no JSON value at all stays a syntax error.
func wrongType(j *jx.Decoder, key, want string) error {
	if j.Next() == jx.Invalid {
		return j.Skip()
	}
	return consumer.Refused(consumer.WrongType, "%s is not %s", key, want)
}
