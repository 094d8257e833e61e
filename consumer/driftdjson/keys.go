package driftdjson

import (
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

// value reads the value of the key with number k into the event.
func (d *decoder) value(k int) (err error) {
	e := &d.event
	switch k {
	case keyType:
		d.typed = true
		score := false
		if score, err = d.oneOf("type", "span", "score"); score {
			e.Kind = consumer.Score
		}
	case keyKind:
		d.other, err = d.oneOf("kind", "inference", "other")
	case keyTime:
		e.Time, err = d.time()
	case keyTraceID:
		err = d.id("trace_id", e.Trace[:])
	case keySpanID:
		err = d.id("span_id", e.Span[:])
	case keyParentID:
		err = d.id("parent_span_id", e.Parent[:])
	case keyResponseID:
		e.Response, err = d.text("response_id")
	case keyPrompt:
		e.Prompt, err = d.text("prompt")
	case keyVersion:
		e.Version, err = d.version()
	case keyTemplateHash:
		e.TemplateHash, err = d.text("template_hash")
		d.alsoDimension("template_hash", e.TemplateHash)
	case keyModel:
		e.Model, err = d.text("model")
		d.alsoDimension("model", e.Model)
	case keyVariant:
		e.Variant, err = d.text("variant")
		d.alsoDimension("variant", e.Variant)
	case keyEnvironment:
		e.Environment, err = d.text("environment")
		d.alsoDimension("environment", e.Environment)
	case keyScores:
		if d.json.Peek() != '{' {
			return d.wrongType("scores", "an object")
		}
		err = d.object(d.score)
	case keyRubric:
		d.own.Rubric, err = d.text("rubric")
	case keyValue:
		d.own.HasValue = true
		d.own.Value, err = d.float("value")
	case keyLabel:
		d.own.Label, err = d.text("label")
	case keyFigure + int(windows.BuiltinError), keyFigure + int(windows.BuiltinFallback):
		b := windows.Builtin(k - keyFigure)
		e.Set(b, 0)
		yes := false
		if yes, err = d.yes(windows.BuiltinNames[b]); yes {
			e.Set(b, 1)
		}
	default:
		if k >= keyDimension {
			e.Dimensions[k-keyDimension], err = d.text(d.dims[k-keyDimension])
			break
		}
		b := windows.Builtin(k - keyFigure)
		v := 0.0
		v, err = d.float(windows.BuiltinNames[b])
		e.Set(b, v)
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
func (d *decoder) score(key []byte) error {
	for i := range d.event.Scores {
		if string(d.event.Scores[i].Rubric) == string(key) {
			return consumer.Refused(consumer.DuplicateKey, "a rubric stands twice in scores")
		}
	}
	if d.json.Peek() == 'n' { // null
		return d.skip()
	}
	v, err := d.float("a score")
	if err == nil {
		d.event.AddScore(consumer.ScoreValue{Rubric: key, Value: v, HasValue: true})
	}
	return err
}
