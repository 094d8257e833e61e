package consumer

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/driftd/driftd/windows"
)

// Probe tells what ingest would make of single records, without brokers: it decodes, checks and links by the code that ingest
// runs. Of a trace it knows what stands in the record at hand. It is owned by one goroutine.
type Probe struct {
	attrs     *Attributes
	source    sourceConfig
	once      time.Duration // see SourceTopic.Dedup
	linking   Linking
	disorder  time.Duration
	now       func() time.Time
	explained []*Explanation
}

// NewProbe makes a probe of a topic's records. Of cfg it needs Encodings and Now, and minds Dimensions, Lists, Scales, Linking and
// Disorder. What came before it is not known of a record, so dedup concerns the events in it alone.
func NewProbe(cfg Config, topic SourceTopic) (*Probe, error) {
	p := &Probe{once: topic.Dedup, linking: cfg.Linking, disorder: cfg.Disorder, now: cfg.Now}
	format, ok := cfg.Encodings[topic.Encoding]
	if !ok {
		return nil, fmt.Errorf("probe records: unknown encoding %q", topic.Encoding)
	}
	var err error
	p.attrs, err = NewAttributes(AttributeOptions{
		Preset: topic.Preset, Dimensions: cfg.Dimensions, Lists: cfg.Lists,
		Watch: func(x *Explanation) { p.explained = append(p.explained, x) },
	})
	if err != nil {
		return nil, fmt.Errorf("probe records: %w", err)
	}
	p.source = sourceConfig{
		decoder: format.New(p.attrs), unwrap: topic.Unwrap, private: format.Private,
		dims: p.attrs.Dimensions(), scales: cfg.Scales, partitions: 1, partition: func(string) int { return 0 },
	}
	return p, nil
}

// Dimensions are the names of the dimensions, in order.
func (p *Probe) Dimensions() []string { return p.attrs.Dimensions() }

// Reads tells whether an attribute of this name may decide anything.
func (p *Probe) Reads(key []byte) bool {
	_, ok := p.attrs.Lookup(key)
	return ok
}

// IsEvaluation tells whether a log record or span event of this name holds a score.
func (p *Probe) IsEvaluation(name []byte) bool { return p.attrs.ScoreEvent(name) }

// Probed is what was made of a record.
type Probed struct {
	Fault  Fault // of the record as a whole: it goes to the dead letters, and nothing in it counts
	Events []ProbedEvent
}

// ProbedEvent is an event, with what linking gave it. It may be kept.
type ProbedEvent struct {
	Event
	Explained []*Explanation // of attributes, the span itself last; none of events that follow from the one before
	Fate      Fate
	Link      string  // what became of the link that it needed: "linked" or why not; "" where it needed none
	From      int     // event of the record that it was linked to, −1 for none
	Scored    []Fault // what is wrong with each of Scores, if anything
}

// Fate is what becomes of an event.
type Fate uint8

const (
	Counts     Fate = iota // as a call, as scores, or both
	Waits                  // for a link to what is not in the record
	Remembered             // it has neither figures nor scores; others may be linked to it, unless it has a fault
	Repeats                // a call inside a call, which is counted once
	Unlinkable             // nothing can be found that it could be linked to
	Dies                   // goes to the dead letters: the event, or all of its scores
	Doubled                // an event of its id stands before it in the record, and its source has dedup
)

func (f Fate) String() string {
	return [...]string{"counts", "waits", "remembered", "repeats", "unlinkable", "dead", "doubled"}[f]
}

// Record tells what would become of a record. Its events are as ingest would yield them, in their order.
func (p *Probe) Record(rec *Record) (found Probed) {
	now := p.now().UnixNano()
	c := p.source
	c.now = now
	if p.linking.Horizon > 0 {
		c.part = newLinker(p.linking, p.disorder, 1, 1, func() []string { return nil }).join("")
	}
	if p.once > 0 {
		c.dedup = newDedup(p.once, 1<<20)
	}
	s := newSource(c)
	s.rec = rec
	s.sampler.begin(now)
	p.explained = nil
	value, err := rec.Value, error(nil)
	if s.unwrap != nil && len(value) > 0 {
		value, err = s.unwrap(rec)
	}
	if err == nil && len(value) > 0 {
		err = s.decoder.Decode(value, func(e *Event) {
			out := ProbedEvent{Explained: p.explained, From: -1}
			p.explained = nil
			goes := s.sampler.admit(e)
			if goes && s.dedup != nil {
				trial := *e // what is dropped is still to be shown
				trial.Scores = slices.Clone(e.Scores)
				if _, whole := s.dedup.take(&trial, 0); whole {
					out.Fate, goes = Doubled, false
				}
			}
			if goes && s.part != nil {
				s.memorize(e)
			}
			out.Event = Event{Dimensions: make([][]byte, len(e.Dimensions))}
			unpackEvent(packEvent(nil, e), &out.Event)
			out.Fault = e.Fault
			found.Events = append(found.Events, out)
		})
	}
	if err != nil {
		f := Fault{Malformed, "the decoder failed"}
		if refused, ok := errors.AsType[*RecordError](err); ok {
			f = refused.Fault
		}
		return Probed{Fault: f}
	}
	if s.part != nil {
		s.part.remember(s.memos, s.sampler.newest, s.sampler.newest)
	}
	own := make([]bool, len(found.Events)) // prompts that are not from linking
	for i := range found.Events {
		own[i] = len(found.Events[i].Prompt) > 0
	}
	for i := range found.Events {
		if found.Events[i].Fate == Doubled {
			continue
		}
		s.decide(&found.Events[i], windows.Position{Index: uint32(i)}, now)
		if found.Events[i].Link == linked.String() {
			found.Events[i].From = giver(found.Events, i, own)
		}
	}
	return found
}

// decide finds out what becomes of an event when the whole record is known.
func (s *source) decide(e *ProbedEvent, pos windows.Position, now int64) {
	p := s.sampler
	p.begin(now)
	if e.Fault.Reason != Fine {
		e.Fate = Dies
		return
	}
	f := checkLabels(&e.Event)
	if f.Reason == Fine {
		f = checkAxes(&e.Event)
	}
	if f.Reason != Fine {
		e.Refuse(f.Reason, f.Detail)
		e.Fate = Dies
	}
	if !e.Call && len(e.Scores) == 0 {
		e.Fate = Remembered
		return
	}
	if e.Fate == Dies {
		return
	}
	why := noPrompt
	if needs := len(e.Prompt) == 0; needs && s.part != nil {
		_, why = s.part.resolve(&e.Event, s.interns.of)
		e.Link = why.String()
	}
	if !e.Call {
		e.Has = 0
	}
	promptless := len(e.Prompt) == 0
	if promptless {
		e.Prompt = []byte("?") // to see what else is wrong with it
		defer func() { e.Prompt = nil }()
	}
	p.emit(&e.Event, pos, why)
	counts := len(p.samples) > 0
	s.tryScores(e, pos, now)
	switch {
	case !counts:
		e.Fate = Dies
	case !promptless:
		e.Fate = Counts
	case why == nested:
		e.Fate = Repeats
	case s.part != nil && (why == noSpan || why == noPrompt) && (e.Trace != [16]byte{} || !e.Call && len(e.Response) > 0):
		e.Fate = Waits
	default:
		e.Fate = Unlinkable
	}
}

// tryScores finds out which of an event's scores are refused.
func (s *source) tryScores(e *ProbedEvent, pos windows.Position, now int64) {
	p := s.sampler
	p.begin(now)
	e.Scored = make([]Fault, len(e.Scores))
	for i := range e.Scores {
		before := len(p.dead)
		if p.score(&e.Event, pos, &e.Scores[i], 0); len(p.dead) > before {
			e.Scored[i] = p.dead[before].fault
		}
	}
}

// giver is the event that the one with number i has its prompt from: the nearest ancestor with that prompt, the span or
// response that a score is about, or else the first of the trace with that prompt.
func giver(events []ProbedEvent, i int, own []bool) int {
	e := &events[i]
	gives := func(o *ProbedEvent) bool { return bytes.Equal(o.Prompt, e.Prompt) && len(o.Prompt) > 0 }
	index := func(want func(j int, o *ProbedEvent) bool) int {
		for j := range events {
			if j != i && want(j, &events[j]) {
				return j
			}
		}
		return -1
	}
	about := e.Parent
	if !e.Call {
		if len(e.Response) > 0 {
			if j := index(func(_ int, o *ProbedEvent) bool { return o.Call && bytes.Equal(o.Response, e.Response) && gives(o) }); j >= 0 {
				return j
			}
		}
		about = e.Span
	}
	for depth := 0; about != [8]byte{} && depth < maxDepth; depth++ {
		j := index(func(_ int, o *ProbedEvent) bool { return o.Kind == Span && o.Trace == e.Trace && o.Span == about })
		if j < 0 {
			break
		}
		if gives(&events[j]) && (own[j] || !e.Call) {
			return j
		}
		about = events[j].Parent
	}
	return index(func(j int, o *ProbedEvent) bool {
		return o.Kind == Span && o.Trace == e.Trace && own[j] && gives(o) && !(e.Call && o.Call)
	})
}

// Label tells whether a text can be a name, a version or the like: short, and without line breaks and control characters.
func Label(text []byte) bool { return inspect(text, maxAxis) == sound }
