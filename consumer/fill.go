package consumer

import (
	"bytes"
	"math"
	"math/bits"

	"github.com/driftd/driftd/windows"
)

// resolve finds what each field is taken from. start is the span's, Unix ns; 0 is none.
func (a *Attributes) resolve(s *Set, start int64) {
	if s.resolved {
		return
	}
	s.resolved, s.picked, s.start = true, 0, start
	s.made, s.text = s.made[:0], s.text[:0]
	for i, word := range s.found {
		for ; word != 0; word &= word - 1 {
			slot := i<<6 + bits.TrailingZeros64(word)
			r := a.quick[slot]
			if r.place == 0 {
				for j := a.first[slot]; j < a.first[slot+1]; j++ {
					s.consider(&a.uses[j])
				}
				continue
			}
			if s.picked>>r.field&1 != 0 {
				if r.field == FieldPrompt {
					s.consider(&a.uses[a.first[slot]])
					continue
				}
				if s.picks[r.field].place < r.place {
					continue
				}
			}
			s.picks[r.field] = pick{&s.values[slot], int16(slot), r.place}
			s.picked |= 1 << r.field
		}
	}
}

// consider makes an attribute what its field is taken from, if it counts and is the best so far.
func (s *Set) consider(u *use) {
	taken := s.picked>>u.field&1 != 0
	if taken && u.field != FieldPrompt && s.picks[u.field].place < u.place || u.test != always && !u.counts(s) {
		return
	}
	value := &s.values[u.slot]
	if u.how != nil {
		made, ok := u.how.do(s, value, s.start)
		if !ok {
			return
		}
		s.made = append(s.made, made)
		value = &s.made[len(s.made)-1]
	}
	if taken && u.field == FieldPrompt && !s.better(u, value) {
		return
	}
	s.picks[u.field] = pick{value, u.slot, u.place}
	s.picked |= 1 << u.field
}

// better tells whether another name for the prompt is to be preferred: one that is a name at all, then the lower rank.
func (s *Set) better(u *use, value *Value) bool {
	have := &s.picks[FieldPrompt]
	if old, new := s.isName(have.value), s.isName(value); old != new {
		return new
	}
	return u.place < have.place
}

// isName tells whether a value can be the name of a prompt. Some instrumentations put the prompt's text there.
func (s *Set) isName(v *Value) bool { return v.Type != Text || inspect(v.Text, maxPrompt) == sound }

// counts tells whether the attribute that decides about this one lets it count.
func (u *use) counts(s *Set) bool {
	has, v := s.found.has(int(u.other)), &s.values[u.other]
	switch u.test {
	case unless:
		return !has
	case when:
		return has && v.Type == Text && bytes.EqualFold(v.Text, []byte(u.is))
	case no:
		return !has || !v.isTrue()
	}
	return true
}

// textOf is a value as text, in the set's memory where it is none yet.
func (s *Set) textOf(v *Value) []byte {
	if v.Type == Text {
		return v.Text
	}
	if v.Type == Other {
		return nil
	}
	start := len(s.text)
	s.text = v.append(s.text)
	return s.text[start:len(s.text):len(s.text)]
}

// label returns a field's value as text, from the span, else from the resource.
func label(f Field, span, resource *Set) []byte {
	if span.picked>>f&1 != 0 {
		return span.textOf(span.picks[f].value)
	}
	if resource != nil && resource.picked>>f&1 != 0 {
		return span.textOf(resource.picks[f].value)
	}
	return nil
}

// prompt is the label of the prompt: a name on the resource goes before what is none on the span.
func prompt(span, resource *Set) []byte {
	if resource != nil && span.picked&resource.picked&(1<<FieldPrompt) != 0 && !span.isName(span.picks[FieldPrompt].value) &&
		resource.isName(resource.picks[FieldPrompt].value) {
		return span.textOf(resource.picks[FieldPrompt].value)
	}
	return label(FieldPrompt, span, resource)
}

var figures = [...]struct {
	field Field
	to    windows.Builtin
}{
	{FieldInputTokens, windows.BuiltinInputTokens}, {FieldOutputTokens, windows.BuiltinOutputTokens},
	{FieldCost, windows.BuiltinCost}, {FieldTTFT, windows.BuiltinTTFT},
}

// Fill sets all that attributes say about a span: labels, figures, scores that stand on the span itself, and whether it is a
// model call. Figures and scores are read from the span alone, labels from its resource too, which may be nil. start is the
// span's, Unix ns; 0 is none. Of an event that is a score, such as a log record, it sets labels and scores alone.
func (a *Attributes) Fill(e *Event, span, resource *Set, start int64) {
	a.resolve(span, start)
	if resource != nil {
		a.resolve(resource, 0)
	}
	if span.picked>>FieldOffline&1 == 0 {
		a.fill(e, span, resource)
	}
	if a.watch != nil {
		a.watch(a.explain(e, span, resource))
	}
}

func (a *Attributes) fill(e *Event, span, resource *Set) {
	e.Prompt = prompt(span, resource)
	e.Version = label(FieldVersion, span, resource)
	for i := range e.Dimensions {
		e.Dimensions[i] = label(fieldDimension+Field(i), span, resource)
	}
	e.TemplateHash = label(FieldTemplateHash, span, resource)
	e.Variant = label(FieldVariant, span, resource)
	e.Environment = label(FieldEnvironment, span, resource)
	e.Model = label(FieldModel, span, resource)
	e.Response = label(FieldResponse, span, nil)
	if span.picked>>FieldRubric&1 != 0 {
		a.addScore(e, span)
	}
	if len(span.inline) > 0 {
		a.addInline(e, span)
	}
	if p, ok := span.pick(FieldScores); ok {
		span.addScores(e, p.value)
	}
	if e.Kind == Score {
		return
	}
	if p, ok := span.pick(FieldFallback); ok {
		e.fallback(p.value)
	}
	if e.Call = a.isCall(span); !e.Call {
		return
	}
	for _, f := range figures {
		if span.picked>>f.field&1 != 0 {
			v := span.picks[f.field].value.number()
			if math.IsNaN(v) {
				e.Refuse(BadValue, a.attrs[span.picks[f.field].slot]+" is no number")
			}
			e.Set(f.to, v)
		}
	}
	if span.picked>>FieldErrorType&1 != 0 {
		e.Set(windows.BuiltinError, 1)
	}
}

// isCall tells whether a span is a model call: by what its producer calls it, else by what only model calls carry.
func (a *Attributes) isCall(span *Set) bool {
	if p, ok := span.pick(FieldOperation); ok {
		return p.value.Int != 0
	}
	_, marked := span.found.meets(&a.calls)
	return marked
}

// fallback keeps whether a fallback prompt was used. Its text is not that of the version which could not be had, so that the
// event has none.
func (e *Event) fallback(v *Value) {
	e.Set(windows.BuiltinFallback, 0)
	if isFallback(v) {
		e.Set(windows.BuiltinFallback, 1)
		e.Version = nil
	}
}

// isFallback reads a boolean, or a text that says so. Any other text names the fallback that was used.
func isFallback(v *Value) bool {
	switch v.Type {
	case Int, Bool:
		return v.Int != 0
	case Real:
		return v.Real != 0
	}
	switch string(v.Text) {
	case "false", "False", "FALSE", "0", "no", "none":
		return false
	}
	return true
}

// FillScore adds the scores that the attributes of an evaluation make.
func (a *Attributes) FillScore(e *Event, s *Set) {
	a.resolve(s, 0)
	if p, ok := s.pick(FieldEvaluation); ok {
		s.addEvaluation(e, p.value)
	} else {
		a.addScore(e, s)
	}
	if a.watch != nil {
		a.watch(a.explainScore(e, s))
	}
}

// addScore adds the score of gen_ai.evaluation.* and its like.
func (a *Attributes) addScore(e *Event, s *Set) {
	var score ScoreValue
	if p, ok := s.pick(FieldRubric); ok {
		score.Rubric = p.value.own()
	}
	if p, ok := s.pick(FieldScoreLabel); ok {
		score.Label = p.value.own()
	}
	if p, ok := s.pick(FieldScoreValue); ok {
		score.Value, score.HasValue = p.value.number(), true
	}
	e.AddScore(score)
}

// own is a value as text that outlives the set, which may be filled again before the event is yielded.
func (v *Value) own() []byte {
	switch v.Type {
	case Text:
		return v.Text
	case Other:
		return nil
	default:
		return v.append(nil)
	}
}
