package consumer

import (
	"bytes"
	"slices"

	"github.com/driftd/driftd/windows"
)

// A model call without a prompt takes that of its nearest ancestor that has one, else the one prompt that spans of its trace
// name which are no calls themselves: a resolver above it, a rendering of the template beside it. A call that names a prompt
// speaks for itself and for what is below it, not for its neighbours: an agent's other calls need not be of the same prompt.
// Two candidates are none. A call inside another call is the same call, seen by a second instrumentation, and is not counted
// twice. A score takes the labels of the span that it names, however that came by them.

// linking is what became of the search for a partner.
type linking uint8

const (
	linked    linking = iota
	noSpan            // nothing is remembered of the trace or the id: it never came, comes late, or is past the horizon
	noPrompt          // the trace is known, but names no prompt
	ambiguous         // it names several
	nested            // a call inside a call
	crowded           // more spans in the trace than are remembered
	numLinking
)

var linkingNames = [numLinking]string{"linked", "no_span", "no_prompt", "ambiguous", "nested", "crowded"}

func (l linking) String() string { return linkingNames[l] }

// maxDepth bounds the ancestors that are asked.
const maxDepth = 64

// ancestors yields the remembered ones of a span with this parent, nearest first. Parents in a circle end it.
func ancestors(trace []span, parent uint32, yield func(*span) bool) {
	for depth := 0; parent != 0 && depth < maxDepth; depth++ {
		var at *span
		for i := range trace {
			if s := &trace[i]; s.span == parent && (at == nil || s.labels != nil && at.labels == nil) {
				at = s
			}
		}
		if at == nil || !yield(at) {
			return
		}
		parent = at.parent
	}
}

// named tells whether a span's labels name a prompt.
func (s *span) named() bool { return s.labels != nil && len(s.labels.Prompt) > 0 }

// same tells whether two labels name one prompt in one version; who knows no version does not contradict.
func (l *labels) same(o *labels) bool {
	return bytes.Equal(l.Prompt, o.Prompt) &&
		(len(l.Version) == 0 || len(o.Version) == 0 || bytes.Equal(l.Version, o.Version))
}

// one returns the labels that all spans agree upon which want chooses, of several the first that has a version.
func one(trace []span, want func(*span) bool, agree func(a, b *labels) bool) (*labels, linking) {
	var found *labels
	for i := range trace {
		s := &trace[i]
		if !s.named() || !want(s) {
			continue
		}
		switch {
		case found == nil:
			found = s.labels
		case !agree(found, s.labels):
			return nil, ambiguous
		case len(found.Version) == 0:
			found = s.labels
		}
	}
	if found == nil {
		return nil, noPrompt
	}
	return found, linked
}

// linkCall gives a call the prompt of its trace, and what it lacks of the other labels from there and from its ancestors.
func linkCall(e *Event, trace []span) linking {
	return linkCallAt(e, hashSpan(&e.Span), hashSpan(&e.Parent), trace)
}

// linkCallAt is linkCall for the call self below parent, whatever ids the event has.
func linkCallAt(e *Event, self, parent uint32, trace []span) linking {
	var from *labels
	inside := false
	ancestors(trace, parent, func(s *span) bool {
		if s.span == self { // parents in a circle
			return false
		}
		if from == nil && s.named() && !s.linked {
			from = s.labels
		}
		inside = inside || s.call
		return !inside
	})
	if inside {
		return nested
	}
	if from == nil && len(trace) == maxTrace {
		return crowded
	}
	if from == nil {
		var why linking
		from, why = one(trace, func(s *span) bool { return !s.call }, (*labels).same)
		if why != linked {
			return why
		}
	}
	e.Prompt = from.Prompt
	if len(e.Version) == 0 && e.Values[windows.BuiltinFallback] == 0 { // a fallback is no version
		e.Version = from.Version
	}
	if len(e.TemplateHash) == 0 {
		e.TemplateHash = from.TemplateHash
	}
	if from.Fallback > 0 && !e.Has.Has(windows.BuiltinFallback) {
		e.Set(windows.BuiltinFallback, float64(from.Fallback-1))
	}
	e.lack(from)
	ancestors(trace, parent, func(s *span) bool {
		if s.labels != nil {
			e.lack(s.labels)
		}
		return true
	})
	return linked
}

// lack fills the labels that say who was served.
func (e *Event) lack(l *labels) {
	for i := range e.Dimensions {
		if len(e.Dimensions[i]) == 0 {
			e.Dimensions[i] = l.Dimensions[i]
		}
	}
	if len(e.Variant) == 0 {
		e.Variant = l.Variant
	}
	if len(e.Environment) == 0 {
		e.Environment = l.Environment
	}
}

// linkScore gives scores the labels of what they judge: the span that they name, else its nearest ancestor with a prompt, else
// the one cell of the calls right below it, else the one cell that the trace's calls belong to. So a score of a root or an agent
// finds its calls long after that span itself is forgotten. It cannot be told from a call that never came: the score of such a call
// goes to the other calls of its trace if they are of one cell.
func linkScore(e *Event, trace []span) linking {
	if len(trace) == 0 {
		return noSpan
	}
	var from *labels
	why := noPrompt
	about := hashSpan(&e.Span)
	if about != 0 {
		from, why = one(trace, func(s *span) bool { return s.span == about }, (*labels).equal)
		if why == noPrompt {
			for i := range trace {
				if trace[i].span != about {
					continue
				}
				ancestors(trace, trace[i].parent, func(s *span) bool {
					if s.named() {
						from, why = s.labels, linked
					}
					return from == nil
				})
				break
			}
		}
	}
	if why == noPrompt && about != 0 {
		from, why = one(trace, func(s *span) bool { return s.call && s.parent == about }, (*labels).sameCell)
	}
	if why == noPrompt && len(trace) == maxTrace {
		return crowded
	}
	if why == noPrompt {
		from, why = one(trace, func(s *span) bool { return s.call }, (*labels).sameCell)
	}
	if why == noPrompt {
		from, why = one(trace, func(*span) bool { return true }, (*labels).same)
	}
	if why == linked {
		e.wear(from)
	}
	return why
}

// wear sets all labels.
func (e *Event) wear(l *labels) {
	e.Prompt, e.Version = l.Prompt, l.Version
	copy(e.Dimensions, l.Dimensions)
	e.TemplateHash, e.Model, e.Variant, e.Environment = l.TemplateHash, l.Model, l.Variant, l.Environment
	if l.Fallback > 0 && e.Call {
		e.Set(windows.BuiltinFallback, float64(l.Fallback-1))
	}
}

func (l *labels) equal(o *labels) bool { return l.text == o.text }

func (l *labels) sameCell(o *labels) bool {
	return bytes.Equal(l.Prompt, o.Prompt) && bytes.Equal(l.Version, o.Version) &&
		slices.EqualFunc(l.Dimensions, o.Dimensions, bytes.Equal)
}
