package consumer

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// Explanation is what was made of the attributes of a span, a log record or an evaluation, and why. Nobody holds on to it.
type Explanation struct {
	Evaluation bool // of a span event; else of a span or log record
	Findings   []Finding
}

// Finding is what one attribute had to say. No text of an event stands in it but labels and numbers.
type Finding struct {
	Field     string // as Fields has it, a dimension, or "call" or "score"
	Attribute string // its key; of a score with a number in the key what its keys begin with
	From      Origin
	Value     string // after conversion; "" where it may not be shown
	Taken     bool
	Why       string // it was not taken, or what is wrong with it though it was
}

// Origin is the set that an attribute stands in.
type Origin uint8

const (
	OfSpan Origin = iota // or of a log record
	OfResource
	OfEvent
)

func (o Origin) String() string { return [...]string{"span", "resource", "span event"}[o] }

// explain says what Fill made of a span and its resource.
func (a *Attributes) explain(e *Event, span, resource *Set) *Explanation {
	x := &explainer{a: a, e: e, span: span, resource: resource}
	if p, ok := span.pick(FieldOffline); ok {
		x.add(Finding{Field: fieldNames[FieldOffline], Attribute: a.attrs[p.slot], Taken: true, Why: "this is an evaluation run, no production traffic: nothing is taken"})
		return &x.x
	}
	for f := range fieldDimension + Field(len(a.dims)) {
		switch f {
		case FieldEvaluation: // of span events
		case FieldOperation:
			x.field(f)
			x.call()
		default:
			x.field(f)
		}
	}
	for i := range span.inline {
		in := &span.inline[i]
		x.add(Finding{Field: "score", Attribute: string(in.id), Value: shownLabel(in.rubric.own()), Taken: true})
	}
	return &x.x
}

// explainScore says what FillScore made of an evaluation.
func (a *Attributes) explainScore(e *Event, s *Set) *Explanation {
	x := &explainer{a: a, e: e, span: s, origin: OfEvent, x: Explanation{Evaluation: true}}
	for _, f := range []Field{FieldRubric, FieldScoreValue, FieldScoreLabel, FieldEvaluation, FieldTarget, FieldTargetTrace} {
		x.field(f)
	}
	return &x.x
}

type explainer struct {
	a              *Attributes
	e              *Event
	span, resource *Set
	origin         Origin // of span
	x              Explanation
}

func (x *explainer) add(f Finding) { x.x.Findings = append(x.x.Findings, f) }

// name is that of a field in words.
func (x *explainer) name(f Field) string {
	if f >= fieldDimension {
		return x.a.dims[f-fieldDimension]
	}
	return fieldNames[f]
}

// field adds all that was said about a field, in the order in which it was looked for.
func (x *explainer) field(f Field) {
	var uses []*use
	for i := range x.a.uses {
		if u := &x.a.uses[i]; u.field == f {
			uses = append(uses, u)
		}
	}
	slices.SortFunc(uses, func(a, b *use) int { return cmp.Compare(a.place, b.place) })
	taken, from := x.taken(f)
	for _, u := range uses {
		x.candidate(f, u, x.span, x.origin, taken, from)
	}
	if x.resource != nil && isLabel(f) {
		for _, u := range uses {
			x.candidate(f, u, x.resource, OfResource, taken, from)
		}
	}
}

// taken returns what a field was taken from; without a value nothing.
func (x *explainer) taken(f Field) (pick, Origin) {
	span, ok := x.span.pick(f)
	if x.resource == nil || !isLabel(f) {
		return span, x.origin
	}
	resource, other := x.resource.pick(f)
	if other && (!ok || f == FieldPrompt && !x.span.isName(span.value) && x.resource.isName(resource.value)) {
		return resource, OfResource
	}
	return span, x.origin
}

// isLabel tells whether a field is read from the resource too.
func isLabel(f Field) bool {
	switch f {
	case FieldPrompt, FieldVersion, FieldTemplateHash, FieldVariant, FieldEnvironment, FieldModel:
		return true
	}
	return f >= fieldDimension
}

// candidate adds what one attribute says, if the set has it.
func (x *explainer) candidate(f Field, u *use, s *Set, origin Origin, taken pick, from Origin) {
	if !s.found.has(int(u.slot)) {
		return
	}
	found := Finding{Field: x.name(f), Attribute: x.a.attrs[u.slot], From: origin}
	value := s.values[u.slot]
	if u.test != always && !u.counts(s) {
		found.Why = x.a.untested(u)
		x.add(found)
		return
	}
	if u.how != nil {
		made, ok := u.how.do(s, &value, s.start)
		if !ok {
			found.Why = "it cannot be read as what it should be: " + u.how.doc
			x.add(found)
			return
		}
		value = made
	}
	found.Value, found.Why = shown(f, &value)
	switch {
	case taken.value == nil || taken.slot != u.slot || taken.place != u.place || from != origin:
		if found.Why == "" && taken.value != nil {
			found.Why = fmt.Sprintf("shadowed by %s of the %s", x.a.attrs[taken.slot], from)
		}
	case f == FieldVersion && len(x.e.Version) == 0:
		found.Why = "a fallback prompt was used, whose text is not this version's"
	case x.e.Kind == Score && (isFigure(f) || f == FieldFallback || f == FieldOperation):
		found.Why = "an evaluation has no figures"
	case isFigure(f) && !x.e.Call:
		found.Why = "the span is no model call"
	default:
		found.Taken = true
	}
	x.add(found)
}

// untested says why an attribute does not count.
func (a *Attributes) untested(u *use) string {
	switch other := a.attrs[u.other]; u.test {
	case unless:
		return other + " is set"
	case when:
		return other + " is not " + u.is
	default:
		return other + " is true"
	}
}

func isFigure(f Field) bool {
	return f >= FieldInputTokens && f <= FieldErrorType
}

// shown is a value as it may be shown, and what is wrong with it.
func shown(f Field, v *Value) (text, why string) {
	switch f {
	case FieldInputTokens, FieldOutputTokens, FieldCost, FieldTTFT, FieldScoreValue:
		n := v.number()
		if n != n {
			return "", "it is no number"
		}
		return strconv.FormatFloat(n, 'g', -1, 64), ""
	case FieldOperation:
		if v.Int != 0 {
			return "a model call", ""
		}
		return "no model call", ""
	case FieldErrorType:
		return "it failed", ""
	case FieldFallback:
		if isFallback(v) {
			return "a fallback prompt", ""
		}
		return "no fallback prompt", ""
	case FieldEvaluation, FieldScores:
		return "", ""
	}
	label := v.own()
	limit := maxDimension
	switch f {
	case FieldPrompt, FieldTemplateHash, FieldModel, FieldVariant, FieldEnvironment, FieldResponse:
		limit = maxPrompt
	}
	if flaw := inspect(label, limit); flaw != sound {
		return "", fmt.Sprintf("it is text, no label: %s, %d bytes", flaw, len(label))
	}
	return string(label), ""
}

// shownLabel is a label, or nothing where it is none.
func shownLabel(b []byte) string {
	if inspect(b, maxRubric) != sound {
		return ""
	}
	return string(b)
}

// call adds what made the span a model call, where nothing says so in words.
func (x *explainer) call() {
	if _, ok := x.span.pick(FieldOperation); ok || x.e.Kind != Span {
		return
	}
	if slot, ok := x.span.found.meets(&x.a.calls); ok {
		x.add(Finding{Field: "call", Attribute: x.a.attrs[slot], Value: "a model call", Taken: true, Why: "only model calls carry it"})
	}
}
