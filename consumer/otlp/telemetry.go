package otlp

import (
	"bytes"
	"fmt"
	"math"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/windows"
)

// eventName is the attribute by which log records say what they are where they have no field for it.
const eventName = "event.name"

// telemetry is what both encodings make events of, so that the same telemetry makes the same events in either.
type telemetry struct {
	attrs *consumer.Attributes
	yield func(*consumer.Event)

	resource consumer.Set
	own      consumer.Set // of the span or log record at hand
	result   consumer.Set // of a span event
	event    consumer.Event

	log   bool   // the event at hand is a log record
	named []byte // what it says that it is

	// Of the span at hand, if it is an evaluation of another one.
	score     consumer.Event // the evaluation; of one Span Link it has the ids already
	links     int
	stays     bool // scores stand on it in a way that is about the span that carries them
	evaluator bool // its producer calls it one: all scores on it are about another span
}

func newTelemetry(attrs *consumer.Attributes) telemetry {
	t := telemetry{attrs: attrs}
	t.event.Dimensions = make([][]byte, len(attrs.Dimensions()))
	t.score.Dimensions = make([][]byte, len(attrs.Dimensions()))
	return t
}

func (t *telemetry) beginSpan() {
	t.event.Reset()
	t.own.Reset()
	t.log, t.links, t.stays, t.evaluator = false, 0, false, false
}

// isName tells whether the attribute says what a log record is.
func (t *telemetry) isName(set *consumer.Set, key []byte) bool {
	return t.log && set == &t.own && string(key) == eventName
}

// put keeps an attribute in a set. The slot of one that the table has no use for is −1.
func (t *telemetry) put(set *consumer.Set, slot int, key []byte, v consumer.Value) {
	if slot >= 0 {
		set.Put(slot, key, v)
	}
	if n := len(v.Text); t.log || slot >= consumer.MaxNames || n == len("evaluator") || n == len("evaluation") {
		t.note(set, slot, key, v.Text)
	}
}

// note looks for what log records say that they are, and for what decides whom the scores of a span are about.
func (t *telemetry) note(set *consumer.Set, slot int, key, text []byte) {
	switch {
	case set != &t.own:
	case t.log:
		if len(t.named) == 0 && string(key) == eventName {
			t.named = text
		}
	case slot >= consumer.MaxNames:
		t.stays = t.stays || !bytes.HasPrefix(key, []byte("evaluations."))
	default:
		t.evaluator = t.evaluator || saysEvaluator(key, text)
	}
}

func saysEvaluator(key, value []byte) bool {
	if !bytes.HasSuffix(key, []byte("span.kind")) && !bytes.HasSuffix(key, []byte("span.type")) && !bytes.HasSuffix(key, []byte("observation.type")) {
		return false
	}
	return bytes.EqualFold(value, []byte("evaluator")) || bytes.EqualFold(value, []byte("evaluation"))
}

// spanEvent takes the scores out of an event of the span, whose attributes are in result.
func (t *telemetry) spanEvent() { t.attrs.FillScore(&t.event, &t.result) }

// nextLink is the event that takes the ids of the span's next Span Link; nil is one too many to say whom an evaluation is about.
func (t *telemetry) nextLink() *consumer.Event {
	if t.links++; t.links > 1 {
		return nil
	}
	t.score.Reset()
	return &t.score
}

// endSpan yields the span and, if it is an evaluation of another one, its scores as an event of their own.
func (t *telemetry) endSpan(start, end uint64, failed bool) {
	e := &t.event
	e.Time = nanos(end)
	scored := len(e.Scores)
	t.attrs.Fill(e, &t.own, &t.resource, nanos(start))
	if e.Call {
		call(e, start, end, failed)
	}
	if t.evaluator {
		scored = 0
	} else if t.stays {
		scored = len(e.Scores)
	}
	if scored == len(e.Scores) || !t.aboutAnother() {
		t.yield(e)
		return
	}
	s := &t.score
	s.Kind, s.Time = consumer.Score, e.Time
	s.Scores = append(s.Scores[:0], e.Scores[scored:]...)
	e.Scores = e.Scores[:scored]
	t.yield(e)
	t.yield(s)
}

// aboutAnother tells whether the span names another one by its only link or an attribute, and makes score one about that.
func (t *telemetry) aboutAnother() bool {
	if t.links == 1 && (t.score.Span != [8]byte{} || t.score.Trace != [16]byte{} || t.score.Fault.Reason != consumer.Fine) {
		return true
	}
	t.score.Reset()
	t.score.Trace = t.event.Trace
	return t.attrs.Target(&t.score, &t.own)
}

// call sets what a span's own fields say about a model call.
func call(e *consumer.Event, start, end uint64, failed bool) {
	if !e.Has.Has(windows.BuiltinError) {
		e.Set(windows.BuiltinError, 0)
		if failed {
			e.Set(windows.BuiltinError, 1)
		}
	}
	switch {
	case start == 0 || end == 0:
	case end < start:
		e.Refuse(consumer.NegativeLatency, "the span ends before it starts")
	default:
		e.Set(windows.BuiltinLatency, float64(end-start)/1e9)
	}
}

// beginLog begins a log record.
func (t *telemetry) beginLog() {
	t.event.Reset()
	t.own.Reset()
	t.log = true
}

// endLog yields the score of a log record that is an evaluation. Its ids name the span that was judged.
func (t *telemetry) endLog(at, observed uint64) {
	e := &t.event
	e.Kind = consumer.Score
	if e.Time = nanos(at); at == 0 {
		e.Time = nanos(observed)
	}
	t.attrs.Fill(e, &t.own, &t.resource, 0)
	if len(e.Scores) == 0 {
		t.attrs.FillScore(e, &t.own)
	}
	t.attrs.Target(e, &t.own)
	t.yield(e)
}

// nanos is a time, at its limit where it is beyond what an event can have.
func nanos(t uint64) int64 { return int64(min(t, math.MaxInt64)) }

// wrongLength refuses an event with an id of n bytes.
func wrongLength(e *consumer.Event, what string, n int) {
	e.Refuse(consumer.BadID, fmt.Sprintf("%s of %d bytes", what, n))
}
