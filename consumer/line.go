package consumer

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/driftd/driftd/windows"
)

// line is the delay line of a source partition: events in the order of their positions that wait for what they belong to.
// They are kept packed, a few hundred bytes each, without pointers.
type line struct {
	queue []waiting
	head  int
	next  int // the first that may still have to be linked; what is before it is, but for scores
	buf   []byte
	gone  int // bytes of buf that are taken out
}

// waiting is an event in the line.
type waiting struct {
	pos    windows.Position
	time   int64 // event time
	before int64 // newest event time of the partition before the event's record
	since  int64 // the steady one (see source.reach)
	mark   int64 // event time that its wait counts from
	came   int64 // the clock when it came
	at     int   // in buf
	size   int
	link   bool    // needs a link; others wait for their turn
	score  bool    // is about a span that may be in another topic
	labels *labels // of a call that was linked
	why    linking // of one that was looked at
}

const waitingBytes = int(unsafe.Sizeof(waiting{}))

func (l *line) len() int    { return len(l.queue) - l.head }
func (l *line) bytes() int  { return len(l.buf) - l.gone + l.len()*waitingBytes }
func (l *line) empty() bool { return l.head == len(l.queue) }

// from is the bytes of the event at i and all behind it.
func (l *line) from(i int) int { return len(l.buf) - l.queue[i].at + (len(l.queue)-i)*waitingBytes }

// first is the event whose turn is next; there must be one.
func (l *line) first() *waiting { return &l.queue[l.head] }

// push appends an event.
func (l *line) push(w waiting, e *Event) {
	n := len(l.buf)
	l.buf = packEvent(l.buf, e)
	w.at, w.size = n, len(l.buf)-n
	l.queue = append(l.queue, w)
}

// look unpacks the event of w.
func (l *line) look(w *waiting, e *Event) { unpackEvent(l.buf[w.at:w.at+w.size], e) }

// mark sets, when a record ends, from when on its events wait, those from at on: from their own time, but not long after the
// steady one, lest an event from the future holds up what comes behind it.
func (l *line) mark(at int, steady, slack int64) {
	for i := l.head + at; i < len(l.queue); i++ {
		w := &l.queue[i]
		w.mark = max(steady, min(w.time, steady+slack))
		if steady == 0 {
			w.mark = w.time
		}
	}
}

// cut takes the events from at on out again.
func (l *line) cut(at int) {
	for i := l.head + at; i < len(l.queue); i++ {
		l.buf = l.buf[:len(l.buf)-l.queue[i].size]
	}
	l.queue = l.queue[:l.head+at]
	l.next = min(l.next, len(l.queue))
}

// pop unpacks the first event into e, which is valid until the next push, and takes it out.
func (l *line) pop(e *Event) waiting {
	w := l.queue[l.head]
	l.look(&w, e)
	l.head++
	l.next = max(l.next, l.head)
	l.gone += w.size
	return w
}

// tidy makes room, so that what went out of the line is not kept. Popped events end with it.
func (l *line) tidy() {
	if l.empty() {
		clear(l.queue)
		l.queue, l.buf = l.queue[:0], l.buf[:0]
		if cap(l.buf) > maxSpare {
			l.queue, l.buf = nil, nil
		}
	} else if l.gone > len(l.buf)/2 {
		l.queue = append(l.queue[:0], l.queue[l.head:]...)
		l.buf = append(l.buf[:0], l.buf[l.gone:]...)
		for i := range l.queue {
			l.queue[i].at -= l.gone
		}
	} else {
		return
	}
	l.next -= l.head
	l.head, l.gone = 0, 0
}

// packEvent appends an event without a fault.
func packEvent(dst []byte, e *Event) []byte {
	flags := byte(e.Kind)
	if e.Call {
		flags |= 2
	}
	dst = append(dst, flags)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Time))
	dst = append(dst, e.Trace[:]...)
	dst = append(dst, e.Span[:]...)
	dst = append(dst, e.Parent[:]...)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(e.Has))
	for b := range windows.NumBuiltin {
		if e.Has.Has(b) {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(e.Values[b]))
		}
	}
	dst = windows.AppendKey(dst, e.Prompt, e.Version, e.TemplateHash, e.Model, e.Variant, e.Environment, e.Response)
	dst = windows.AppendKey(dst, e.Dimensions...)
	dst = binary.AppendUvarint(dst, uint64(len(e.Scores)))
	for i := range e.Scores {
		v := &e.Scores[i]
		has := byte(0)
		if v.HasValue {
			has = 1
		}
		dst = append(dst, has)
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Value))
		dst = windows.AppendKey(dst, v.Rubric, v.Label)
	}
	return dst
}

// unpackEvent is the inverse of packEvent. The event aliases src; it has as many dimensions as when it was packed.
func unpackEvent(src []byte, e *Event) {
	e.Reset()
	e.Kind, e.Call = Kind(src[0]&1), src[0]&2 != 0
	e.Time = int64(binary.LittleEndian.Uint64(src[1:]))
	src = src[9:]
	src = src[copy(e.Trace[:], src):]
	src = src[copy(e.Span[:], src):]
	src = src[copy(e.Parent[:], src):]
	e.Has = windows.Mask(binary.LittleEndian.Uint16(src))
	src = src[2:]
	number := func() float64 {
		v := math.Float64frombits(binary.LittleEndian.Uint64(src))
		src = src[8:]
		return v
	}
	for b := range windows.NumBuiltin {
		if e.Has.Has(b) {
			e.Values[b] = number()
		}
	}
	text := func() []byte {
		n, w := binary.Uvarint(src)
		v := src[w : w+int(n) : w+int(n)]
		src = src[w+int(n):]
		return v
	}
	for _, to := range [...]*[]byte{&e.Prompt, &e.Version, &e.TemplateHash, &e.Model, &e.Variant, &e.Environment, &e.Response} {
		*to = text()
	}
	for i := range e.Dimensions {
		e.Dimensions[i] = text()
	}
	n, w := binary.Uvarint(src)
	src = src[w:]
	for range n {
		v := ScoreValue{HasValue: src[0] == 1}
		src = src[1:]
		v.Value = number()
		v.Rubric, v.Label = text(), text()
		e.Scores = append(e.Scores, v)
	}
}
