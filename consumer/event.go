// Package consumer is the ingest stage: it reads source topics of spans and scores, turns each event into a sample and
// writes the samples, in the order of the source and each at least once, to the samples topic; detect counts each once by
// its position. It knows no rules and keeps no windows. No prompt or completion text leaves a decoder.
//
// A [Worker] runs one task a source partition; a task owns its decoder and its [source], the pure core, and one more
// goroutine that has at most one round of samples in flight.
package consumer

import (
	"fmt"

	"github.com/driftd/driftd/windows"
)

// Decoder takes a record of one encoding apart. It is owned by one goroutine.
type Decoder interface {
	// Decode yields the events of a record in their order. The event and all it refers to is valid during the call of
	// yield only. After an error, which is a *RecordError, the events yielded before it do not count: what a record says
	// counts whole or not at all. The same bytes always yield the same events.
	Decode(record []byte, yield func(*Event)) error
}

// NewDecoder makes a decoder that looks names up in attrs.
type NewDecoder func(attrs *Attributes) Decoder

// Kind tells spans from scores.
type Kind uint8

const (
	Span Kind = iota
	Score
)

// Event is a span or a score as it came, but for all text that is no label. Labels are unchecked bytes that alias the record
// or the decoder's buffers; empty is absent.
type Event struct {
	Kind Kind
	Call bool  // a span of a model call: its figures count
	Time int64 // Unix ns; of a span its end. 0 is none

	Trace  [16]byte // zero is none
	Span   [8]byte  // of the span, or the one that a score is about; zero is none
	Parent [8]byte  // zero is none

	Prompt, Version []byte
	Dimensions      [][]byte // in configured order
	TemplateHash    []byte
	Model           []byte
	Variant         []byte
	Environment     []byte
	Response        []byte // id that the model's provider gave the response

	Has    windows.Mask // which of Values are there
	Values [windows.NumBuiltin]float64
	Scores []ScoreValue // at most MaxScores

	Fault Fault // what makes the event unusable, as far as the decoder saw
}

// MaxScores bounds the scores of one event; an event with more is refused.
const MaxScores = 256

// ScoreValue is a score on one rubric: a number, or a label that the rubric's scale turns into one.
type ScoreValue struct {
	Rubric, Label []byte
	Value         float64 // where HasValue
	HasValue      bool
}

// Fault is why an event or a record is refused. Detail is for people and holds no text of the event but names of keys.
type Fault struct {
	Reason Reason
	Detail string
}

// Reset empties the event for the next one; Dimensions keeps its length.
func (e *Event) Reset() {
	dims, scores := e.Dimensions, e.Scores[:0]
	clear(dims)
	*e = Event{Dimensions: dims, Scores: scores}
}

// Refuse marks the event as unusable. The first reason stays.
func (e *Event) Refuse(r Reason, detail string) {
	if e.Fault.Reason == Fine {
		e.Fault = Fault{r, detail}
	}
}

// Set gives the event a built-in value.
func (e *Event) Set(b windows.Builtin, v float64) {
	e.Has |= 1 << b
	e.Values[b] = v
}

// AddScore appends a score and refuses the event that has too many.
func (e *Event) AddScore(s ScoreValue) {
	if len(e.Scores) == MaxScores {
		e.Refuse(TooManyScores, "more scores than one event may have")
		return
	}
	e.Scores = append(e.Scores, s)
}

// RecordError is the error of a record that no event can be had of.
type RecordError struct{ Fault }

func (e *RecordError) Error() string { return fmt.Sprintf("%s: %s", e.Reason, e.Detail) }

// Refused makes a RecordError.
func Refused(r Reason, format string, args ...any) error {
	return &RecordError{Fault{r, fmt.Sprintf(format, args...)}}
}

// Scales knows the rubrics that rules have set a scale for. It is called by the goroutine of each source partition.
type Scales interface {
	Scale(rubric string) (Scale, bool)
}

// Scale is what scores of a rubric may be.
type Scale struct {
	Min, Max float64 // both belong to the range
	HasRange bool
	Labels   map[string]float64
}
