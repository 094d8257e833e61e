package explain

import (
	"slices"
	"strings"

	"github.com/driftd/driftd/consumer"
)

// passage is how an item of a record became one event or two: by what names, and with what left unread.
type passage struct {
	of, name string
	kind     Field
	fields   map[string]*Field
	scores   []string // attributes that the scores came from, in order
	unread   []attribute
	resource []attribute
	native   bool // the names of fields are fixed: no list can name others
}

func (p *passage) field(name string) *Field {
	f := p.fields[name]
	if f == nil {
		f = &Field{Field: name}
		p.fields[name] = f
	}
	return f
}

// event makes the report of an event.
func (p *passage) event(e *consumer.ProbedEvent, dims []string) Event {
	out := Event{Of: p.of, Name: p.name, Call: e.Call, Verdict: e.Fate.String(), Link: e.Link, Type: "span", Scores: []Score{}, Hints: []string{}}
	if e.Kind == consumer.Score {
		out.Type = "score"
	}
	if e.From >= 0 {
		from := e.From
		out.LinkedTo = &from
	}
	if e.Fault.Reason != consumer.Fine {
		out.Reason, out.Detail = e.Fault.Reason.String(), e.Fault.Detail
	}
	out.Fields, out.Missing = p.shown(e, dims)
	for i := range e.Scores {
		out.Scores = append(out.Scores, p.score(e, i))
	}
	if len(p.scores) >= len(e.Scores) {
		p.scores = p.scores[len(e.Scores):]
	}
	out.NotRead, out.Resource = attributeNames(p.unread), attributeNames(p.resource)
	return out
}

// shown is the fields that there is something to say of, and the names of the others.
func (p *passage) shown(e *consumer.ProbedEvent, dims []string) (fields []Field, missing []string) {
	fields, missing = []Field{}, []string{}
	values := snap(e, dims)
	if p.kind.Value != "" || len(p.kind.PassedOver) > 0 {
		kind := p.kind
		kind.PassedOver = append([]PassedOver{}, kind.PassedOver...)
		fields = append(fields, kind)
	}
	for _, name := range fieldNames(dims) {
		f := p.fields[name]
		value, there := values[name]
		if f == nil && !there {
			if wanted(e, name, dims) {
				missing = append(missing, name)
			}
			continue
		}
		shown := Field{Field: name}
		if f != nil {
			shown = *f
		}
		shown.Value = value
		switch {
		case there && shown.Attribute == "" && shown.From == "" && e.From >= 0 && !slices.Contains(idNames, name):
			shown.From = "link"
		case !there:
			shown.Attribute, shown.From = "", ""
		}
		if shown.PassedOver == nil {
			shown.PassedOver = []PassedOver{}
		}
		if there || len(shown.PassedOver) > 0 && wanted(e, name, dims) || shown.Note != "" || slices.ContainsFunc(shown.PassedOver, telling) {
			fields = append(fields, shown)
		}
		if !there && wanted(e, name, dims) {
			missing = append(missing, name)
		}
	}
	return fields, missing
}

// telling tells what is of interest though the event has no use for the field.
func telling(p PassedOver) bool { return !strings.HasPrefix(p.Why, holdsNone) }

// wanted tells whether it is to be said that an event has no such field.
func wanted(e *consumer.ProbedEvent, name string, dims []string) bool {
	if slices.Contains(idNames, name) {
		return false
	}
	return e.Call || slices.Contains(dims, name) || name == fieldPrompt || name == "version"
}

func (p *passage) score(e *consumer.ProbedEvent, i int) Score {
	v := &e.Scores[i]
	s := Score{Rubric: shownLabel(v.Rubric), Label: shownLabel(v.Label)}
	if v.HasValue && v.Value-v.Value == 0 { // finite
		s.Value = &v.Value
	}
	if i < len(p.scores) {
		s.Attribute = p.scores[i]
	}
	if i < len(e.Scored) && e.Scored[i].Reason != consumer.Fine {
		s.Reason, s.Detail = e.Scored[i].Reason.String(), e.Scored[i].Detail
	}
	return s
}
