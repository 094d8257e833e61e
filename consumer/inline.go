package consumer

import (
	"bytes"
	"encoding/hex"

	"github.com/go-faster/jx"
)

// Some producers write scores as attributes of the span itself, with a number or the rubric in the key:
//
//	annotations.0.annotation.name        a person's or a judge's view of the span that carries it
//	evaluations.0.evaluation.name        of an evaluator span: of the span that it links to
//	eval.<rubric>.score                  likewise of the span that carries it
//
// Their slots lie behind those of the table.
const (
	inlineName = MaxNames + iota
	inlineScoreValue
	inlineLabel
	inlineExplanation // of no use, but it makes an annotation whole that has no score
	inlineEvalScore   // the key holds the rubric
	inlineEvalLabel
)

// inlineScore is a score as it came together so far.
type inlineScore struct {
	id             []byte // of the key: all up to its number, or the rubric
	rubric, label  Value
	score          Value
	has, explained bool // score
}

const (
	annotations = "annotations."
	annotation  = ".annotation."
	evaluations = "evaluations."
	evaluation  = ".evaluation."
	eval        = "eval."
)

// lookupInline finds the slot of a key that the table does not name.
func lookupInline(key []byte) (slot int, ok bool) {
	if _, part := splitInline(key); part != nil {
		switch string(part) {
		case "name":
			return inlineName, true
		case "score":
			return inlineScoreValue, true
		case "label":
			return inlineLabel, true
		case "explanation":
			return inlineExplanation, true
		}
		return 0, false
	}
	if rest, ok := bytes.CutPrefix(key, []byte(eval)); ok && len(rest) > len(".score") {
		if bytes.HasSuffix(rest, []byte(".score")) {
			return inlineEvalScore, true
		}
		if bytes.HasSuffix(rest, []byte(".label")) {
			return inlineEvalLabel, true
		}
	}
	return 0, false
}

// splitInline cuts a key with a number; part is nil for any other.
func splitInline(key []byte) (id, part []byte) {
	var head, middle string
	switch {
	case bytes.HasPrefix(key, []byte(annotations)):
		head, middle = annotations, annotation
	case bytes.HasPrefix(key, []byte(evaluations)):
		head, middle = evaluations, evaluation
	default:
		return nil, nil
	}
	i := len(head)
	for i < len(key) && key[i] >= '0' && key[i] <= '9' {
		i++
	}
	if i == len(head) {
		return nil, nil
	}
	rest, ok := bytes.CutPrefix(key[i:], []byte(middle))
	if !ok {
		return nil, nil
	}
	return key[:i], rest
}

// putInline keeps a part of a score.
func (s *Set) putInline(slot int, key []byte, v Value) {
	if v.Type == Text && len(v.Text) == 0 || v.Type == Other {
		return
	}
	id, _ := splitInline(key)
	if slot >= inlineEvalScore {
		id = key[len(eval) : len(key)-len(".score")]
	}
	at := -1
	for i := len(s.inline) - 1; i >= 0; i-- { // most often it is the last one
		if bytes.Equal(s.inline[i].id, id) {
			at = i
			break
		}
	}
	if at < 0 {
		if len(s.inline) > MaxScores { // one too many is enough to refuse the event
			return
		}
		at = len(s.inline)
		s.inline = append(s.inline, inlineScore{id: id})
		if slot >= inlineEvalScore {
			s.inline[at].rubric = Value{Text: id}
		}
	}
	to := &s.inline[at]
	switch slot {
	case inlineName:
		to.rubric = v
	case inlineLabel, inlineEvalLabel:
		to.label = v
	case inlineScoreValue, inlineEvalScore:
		to.score, to.has = v, true
	case inlineExplanation:
		to.explained = true
	}
}

// addInline adds the scores that stand on the span itself.
func (a *Attributes) addInline(e *Event, s *Set) {
	for i := range s.inline {
		in := &s.inline[i]
		score := ScoreValue{Rubric: in.rubric.own(), Label: in.label.own()}
		if in.has {
			score.Value, score.HasValue = in.score.number(), true
		}
		if in.explained && !in.has && len(score.Label) == 0 {
			continue // words alone are no score
		}
		e.AddScore(score)
	}
}

// addEvaluation adds the score of an evaluation that is a JSON object of name, score, passed, label and status, as LangWatch
// writes it. One that was skipped or failed has no score.
func (s *Set) addEvaluation(e *Event, v *Value) {
	text := func(key string) []byte {
		if m, ok := s.member(v, false, "", key); ok {
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
	if m, ok := s.member(v, false, "", "score", "passed"); ok {
		score.Value, score.HasValue = m.number(), true
	}
	e.AddScore(score)
}

// addScores adds the scores of a JSON object by rubric, as Braintrust writes it.
func (s *Set) addScores(e *Event, v *Value) {
	if v.Type != Text {
		return
	}
	d, kind := s.unwrap(v.Text)
	if kind != jx.Object {
		return
	}
	o, err := d.ObjIter()
	for err == nil && o.Next() {
		rubric := o.Key()
		var value Value
		if value, err = scalar(d); err == nil && value.Type != Other {
			e.AddScore(ScoreValue{Rubric: rubric, Value: value.number(), HasValue: true})
		}
	}
}

// Target tells whether the set is of an evaluation that names the span it is about by its id, and makes the event one about
// that span. An id that is none refuses the event.
func (a *Attributes) Target(e *Event, s *Set) bool {
	a.resolve(s, 0)
	span, ok := s.pick(FieldTarget)
	if !ok {
		return false
	}
	if trace, ok := s.pick(FieldTargetTrace); ok && !unhex(e.Trace[:], trace.value.Text) {
		e.Refuse(BadID, a.attrs[trace.slot]+" is no trace id")
	}
	if !unhex(e.Span[:], span.value.Text) {
		e.Refuse(BadID, a.attrs[span.slot]+" is no span id")
	}
	e.Parent = [8]byte{}
	return true
}

// unhex reads an id of as many bytes as dst has.
func unhex(dst, src []byte) bool {
	if hex.DecodedLen(len(src)) != len(dst) || len(src)%2 != 0 {
		return false
	}
	_, err := hex.Decode(dst, src)
	return err == nil
}
