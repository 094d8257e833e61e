package explain

import (
	"slices"
	"strings"

	"github.com/driftd/driftd/consumer"
)

// otlpReader makes passages of the events of an export request, whose items and events come in one order.
type otlpReader struct {
	probe *consumer.Probe
	items []item
	next  int
	last  *passage
}

// newOTLPReader reads a request's items beside its events. skipped is how many log records are no scores.
func newOTLPReader(p *consumer.Probe, payload []byte, isJSON bool, events []consumer.ProbedEvent) (r *otlpReader, skipped int) {
	r = &otlpReader{probe: p}
	logs := true
	for i := range events {
		logs = logs && events[i].Kind == consumer.Score
	}
	var all []item
	if isJSON {
		all = jsonItems(payload, p.IsEvaluation)
	} else {
		all = protoItems(payload, logs, p.IsEvaluation)
	}
	for _, it := range all {
		if it.log && !p.IsEvaluation([]byte(it.name)) {
			skipped++
			continue
		}
		r.items = append(r.items, it)
	}
	return r, skipped
}

// passage is how the next event came about. One without explanations follows from the one before it.
func (r *otlpReader) passage(e *consumer.ProbedEvent) *passage {
	if len(e.Explained) == 0 && r.last != nil {
		p := &passage{of: "span", name: r.last.name, fields: map[string]*Field{}, scores: r.last.scores}
		about := "the span's link"
		if f := r.last.fields["target_span_id"]; f != nil && f.Attribute != "" {
			about = f.Attribute
		}
		p.field("span_id").From, p.field("time").From = about, "the span's end"
		return p
	}
	p := &passage{of: "span", fields: map[string]*Field{}}
	r.last = p
	if r.next < len(r.items) {
		it := &r.items[r.next]
		r.next++
		p.name = spanName(it.name)
		p.unread = r.unread(it.own)
		p.unread = append(p.unread, r.unread(it.evaluated)...)
		p.resource = r.unread(it.resource)
		if it.log {
			p.of, p.name = "log record", ""
		}
	}
	for _, x := range e.Explained {
		p.explain(x)
	}
	if e.Kind == consumer.Span {
		p.kind.Field = fieldKind
		if p.kind.Value == "" {
			p.kind.Value = "no model call"
			p.kind.Note = "no gen_ai.operation.name or its like, no gen_ai.request.model or its like"
		}
		p.own(e)
	}
	return p
}

func (r *otlpReader) unread(list []attribute) (out []attribute) {
	for _, a := range list {
		if a.key != eventName && !r.probe.Reads([]byte(a.key)) {
			out = append(out, a)
		}
	}
	return out
}

const (
	// unreadable is before what an attribute should be that could not be read as that.
	unreadable = "it cannot be read as what it should be: "
	holdsNone  = "it holds none"
)

// explain takes over what was made of attributes.
func (p *passage) explain(x *consumer.Explanation) {
	byRubric := ""
	for _, f := range x.Findings {
		from := f.From.String()
		if from == "span" {
			from = p.of
		}
		switch f.Field {
		case "rubric", "evaluation":
			if f.Taken {
				p.scores = append(p.scores, f.Attribute)
			}
			continue
		case "score":
			p.scores = append(p.scores, f.Attribute)
			continue
		case "scores":
			byRubric = f.Attribute
			continue
		case "score_value", "score_label":
			if f.Why == "" {
				continue
			}
		}
		to, why := &p.kind, f.Why
		switch unread := strings.HasPrefix(why, unreadable); {
		case f.Field != "operation" && f.Field != "call":
			to = p.field(f.Field)
			if unread {
				why = holdsNone + " (" + strings.TrimPrefix(why, unreadable) + ")"
			}
		case unread:
			why = "its word says neither that it is a model call nor that it is none"
		}
		if f.Taken {
			to.Value, to.Attribute, to.From, to.Note = f.Value, f.Attribute, from, why
		} else {
			to.PassedOver = append(to.PassedOver, PassedOver{f.Attribute, from, f.Value, why})
		}
	}
	if byRubric != "" { // of any number of scores
		p.scores = append(p.scores, slices.Repeat([]string{byRubric}, consumer.MaxScores)...)
	}
}

// own names the sources of what is no attribute.
func (p *passage) own(e *consumer.ProbedEvent) {
	for field, source := range map[string]string{
		"latency": "the span's end − start", "error": "the span's status", "time": "the span's end",
		"trace_id": "the span", "span_id": "the span", "parent_span_id": "the span",
	} {
		if f := p.field(field); f.Attribute == "" {
			f.From = source
		}
	}
	if f := p.fields["offline"]; f != nil && f.Attribute != "" {
		p.kind.Note = f.Attribute + " marks an evaluation run, which is no production traffic"
	}
}
