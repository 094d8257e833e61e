package consumer

import (
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-faster/jx"

	"github.com/driftd/driftd/windows"
)

// maxDead bounds the raw record in a dead letter; the rest is cut off. Letters of 1 MiB would not fit every topic.
const maxDead = 256 << 10

// The headers of a dead letter.
const (
	headerTopic       = "driftd-topic"
	headerPartition   = "driftd-partition"
	headerIncarnation = "driftd-incarnation" // of the topic, as samples have it, hex
	headerOffset      = "driftd-offset"
	headerIndex       = "driftd-index" // number of the event in its record, for letters of single events
	headerReason      = "driftd-reason"
	headerDetail      = "driftd-detail"
	headerTime        = "driftd-time"      // of the ingest worker's clock, RFC 3339
	headerTruncated   = "driftd-truncated" // size of the record that was cut, bytes
)

// message is a record to be written to the samples topic, or a dead letter.
type message struct {
	dead       bool
	partition  int // of the samples topic; dead letters are spread by their source
	key, value []byte
	headers    []header
}

type header struct {
	key   string
	value []byte
}

// size is about what the message takes in a request.
func (m *message) size() int {
	n := 32 + len(m.key) + len(m.value)
	for _, h := range m.headers {
		n += 8 + len(h.key) + len(h.value)
	}
	return n
}

// letter starts a dead letter.
func letter(src windows.Source, offset int64, f Fault, now int64) message {
	return message{dead: true, partition: int(src.Partition), headers: []header{
		{headerTopic, []byte(src.Topic)},
		{headerPartition, strconv.AppendInt(nil, int64(src.Partition), 10)},
		{headerIncarnation, hex.AppendEncode(nil, src.Incarnation[:])},
		{headerOffset, strconv.AppendInt(nil, offset, 10)},
		{headerReason, []byte(f.Reason.String())},
		{headerDetail, []byte(f.Detail)},
		{headerTime, time.Unix(0, now).UTC().AppendFormat(nil, time.RFC3339Nano)},
	}}
}

// recordLetter is the dead letter of a whole record: it holds the record as it was, up to a limit. Text cannot be taken out of
// what cannot be read, so the topic of dead letters is kept for a short time. Of a private record there is
// only the place.
func recordLetter(src windows.Source, rec *Record, f Fault, now int64, private bool) message {
	m := letter(src, rec.Offset, f, now)
	if private {
		m.headers = append(m.headers, header{headerTruncated, strconv.AppendInt(nil, int64(len(rec.Value)), 10)})
		return m
	}
	if len(rec.Key) <= maxPrompt {
		m.key = slices.Clone(rec.Key)
	}
	for _, h := range rec.Headers {
		if isEnvelope(h.Key) && len(h.Value) <= maxAxis {
			m.headers = append(m.headers, header{h.Key, slices.Clone(h.Value)})
		}
	}
	value := rec.Value
	if len(value) > maxDead {
		m.headers = append(m.headers, header{headerTruncated, strconv.AppendInt(nil, int64(len(value)), 10)})
		value = value[:maxDead]
	}
	m.value = slices.Clone(value)
	return m
}

// isEnvelope tells whether a header says how to read the record: without those of CloudEvents it could not be read again.
func isEnvelope(key string) bool {
	return strings.EqualFold(key, "content-type") || len(key) > 3 && strings.EqualFold(key[:3], "ce_")
}

// eventLetter is the dead letter of one event: a native event without any text, that can be offered again.
func eventLetter(src windows.Source, r *refused, now int64) message {
	m := letter(src, r.pos.Offset, r.fault, now)
	m.headers = append(m.headers, header{headerIndex, strconv.AppendUint(nil, uint64(r.pos.Index), 10)})
	m.value = r.event
	return m
}

// appendEvent writes an event as a native one. Labels that are not sound are left out: they may be text.
func appendEvent(e *Event, dims []string) []byte {
	w := begin(e, dims)
	if e.Kind == Span && !e.Call {
		w.text("kind", []byte("other"), maxAxis)
	}
	for b := range windows.NumBuiltin {
		switch {
		case !e.Has.Has(b):
		case b == windows.BuiltinError || b == windows.BuiltinFallback:
			w.FieldStart(windows.BuiltinNames[b])
			w.Bool(e.Values[b] != 0)
		default:
			w.number(windows.BuiltinNames[b], e.Values[b])
		}
	}
	if e.Kind == Score && len(e.Scores) == 1 {
		w.score(&e.Scores[0])
	} else {
		w.scores(e.Scores)
	}
	w.ObjEnd()
	return w.Bytes()
}

// appendScore writes one score of an event as a native score.
func appendScore(e *Event, dims []string, v *ScoreValue) []byte {
	score := *e
	score.Kind = Score
	w := begin(&score, dims)
	w.score(v)
	w.ObjEnd()
	return w.Bytes()
}

// nativeWriter writes native events.
type nativeWriter struct{ jx.Encoder }

func begin(e *Event, dims []string) *nativeWriter {
	w := &nativeWriter{}
	w.ObjStart()
	w.FieldStart("type")
	if e.Kind == Span {
		w.Str("span")
	} else {
		w.Str("score")
	}
	if e.Time != 0 {
		w.FieldStart("time")
		w.Int64(e.Time)
	}
	w.id("trace_id", e.Trace[:])
	w.id("span_id", e.Span[:])
	w.id("parent_span_id", e.Parent[:])
	w.text("response_id", e.Response, maxAxis)
	w.text("prompt", e.Prompt, maxPrompt)
	w.text("version", e.Version, maxDimension)
	for _, a := range axes(e) {
		w.text(a.name, a.value, maxAxis)
	}
	for i, d := range dims {
		if _, axis := axisFields[d]; !axis { // those stand there already
			w.text(d, e.Dimensions[i], maxDimension)
		}
	}
	return w
}

func (w *nativeWriter) id(key string, id []byte) {
	if slices.ContainsFunc(id, func(b byte) bool { return b != 0 }) {
		w.FieldStart(key)
		w.Str(hex.EncodeToString(id))
	}
}

func (w *nativeWriter) text(key string, v []byte, limit int) {
	if len(v) > 0 && inspect(v, limit) == sound {
		w.FieldStart(key)
		w.ByteStr(v)
	}
}

func (w *nativeWriter) number(key string, v float64) {
	if !math.IsNaN(v) && !math.IsInf(v, 0) {
		w.FieldStart(key)
		w.Float64(v)
	}
}

func (w *nativeWriter) score(v *ScoreValue) {
	w.text("rubric", v.Rubric, maxRubric)
	if v.HasValue {
		w.number("value", v.Value)
	}
	w.text("label", v.Label, maxRubric)
}

func (w *nativeWriter) scores(list []ScoreValue) {
	open := false
	for i := range list {
		v := &list[i]
		if !v.HasValue || inspect(v.Rubric, maxRubric) != sound || math.IsNaN(v.Value) || math.IsInf(v.Value, 0) {
			continue
		}
		if !open {
			w.FieldStart("scores")
			w.ObjStart()
			open = true
		}
		w.number(string(v.Rubric), v.Value)
	}
	if open {
		w.ObjEnd()
	}
}
