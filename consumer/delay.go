package consumer

import (
	"cmp"
	"math"
	"sync/atomic"

	"github.com/driftd/driftd/windows"
)

// releaseBatch bounds the events that leave the delay line in one go.
const releaseBatch = 256

// delayed is the part of a source that links: what it holds back, and what it remembers of the record at hand.
//
// Nothing overtakes: once an event waits, all behind it do, so each lane still gets its samples in the order of their positions.
// What an event is linked to depends on the log alone, not on when it was read, so that reading it again finds the same: a call
// leaves when the newest event time of its partition is a wait ahead of that at its entry. Only a partition that falls silent
// is flushed by the clock, and the place where that happened is committed first (see task.raiseFence).
type delayed struct {
	line    line
	event   Event // taken out of the line
	memos   []memo
	interns interner
	bounds  bounds           // that other partitions set
	steady  int64            // event time that two records have reached, Unix ns
	read    int              // records
	askedAt int64            // clock when more was asked for, Unix ns
	asked   map[string]int64 // what the partitions of the same number had reached then
	flushed int64            // events of offsets below wait no longer
	over    bool             // nothing waits any longer
	pushed  int              // length of the line when the record at hand began
}

// What holds, and what cannot:
//
// In one topic, every event counts once and is linked to the same, whatever crashes, is written twice or is read again, as long
// as what is remembered reaches back as far as it did at first (see Worker.rewind), there was memory for it, and whoever reads
// knows the fences. An offset that is set by hand loses them; a zombie, which reads on while another worker has its partition, does
// not learn of those that are raised meanwhile. A call that a silence had parted from its trace may then find another prompt, and
// count under both if these stand in different partitions of the samples.
//
// Between two topics there is no order in the log. What a call or a score finds in the other one depends on how far that was
// read: at least as far as the event's time, and what producers may be late by. So what comes in time is found, whatever crashes,
// and counts once. Each topic commits its own offset and need not wait for the other's: all are rewound by a horizon, and read in
// step (see part.ahead). Not so what comes later than that, or while the other topic cannot be read. Read again, the event may
// find more than at first. If it found nothing, and its worker died before it committed, it counts now; its dead letter stays, and
// redrive sees that it was counted. If it finds a nearer ancestor now, it may count under both prompts, as above.

// enter takes an event that was admitted at position pos, and tells whether it may go on at once.
func (s *source) enter(e *Event, pos windows.Position) (goes bool) {
	replayed := pos.Offset < s.from
	if s.part == nil {
		return !replayed
	}
	s.memorize(e)
	unlinked := len(e.Prompt) == 0 && (e.Call || len(e.Scores) > 0)
	score := unlinked && !e.Call
	switch {
	case !e.Call && len(e.Scores) == 0: // says nothing but what is memorized
		return !replayed
	case !unlinked && (s.line.empty() || replayed):
		return !replayed
	case score && replayed:
		return false
	}
	// It is checked before it takes room.
	f := checkLabels(e)
	if f.Reason == Fine {
		f = checkAxes(e)
	}
	if f.Reason != Fine {
		e.Refuse(f.Reason, f.Detail)
		return !replayed
	}
	s.line.push(waiting{pos: pos, time: e.Time, before: s.newest, since: s.steady, came: s.arrived, link: unlinked, score: score}, e)
	if unlinked && !s.looked && s.home != nil && !replayed && e.Trace != [16]byte{} {
		s.looked = true
		s.sampler.tally.keys[keyed(s.rec.Key, &e.Trace, s.home)]++
	}
	return false
}

// memorize notes what the index is to know of the event, for when its record is known to be sound.
func (s *source) memorize(e *Event) {
	if e.Kind == Score || e.Trace == [16]byte{} && len(e.Response) == 0 {
		return
	}
	m := memo{span: hashSpan(&e.Span), parent: hashSpan(&e.Parent)}
	if e.Call && len(e.Prompt) > 0 {
		m.labels = s.whole(e)
	} else {
		m.labels = s.interns.of(e)
	}
	if e.Trace != [16]byte{} {
		m.trace = hashTrace(&e.Trace)
	}
	named := m.labels != nil && len(m.labels.Prompt) > 0
	m.brief = !e.Call && !named
	if e.Call {
		m.flags = isCall
		if len(e.Response) > 0 {
			m.id = hashID(e.Response)
		}
	}
	s.memos = append(s.memos, m)
}

// whole returns the labels of a call that names its prompt. They are kept with its cell, which is found for the sampler too.
func (s *source) whole(e *Event) *labels {
	p := s.sampler
	c, f := p.find(e)
	if f.Reason != Fine {
		return nil
	}
	p.found = c
	if l := c.labels; l != nil && l.text[:len(l.text)-1] == string(p.key) && l.text[len(l.text)-1] == fallback(e) {
		return l
	}
	l := s.interns.of(e)
	if c.labels == nil && l != nil {
		p.cells.bytes += l.size()
	}
	c.labels = l
	return l
}

// left is the event time up to which the partition's events have left the line.
func (s *source) left() int64 {
	if s.line.empty() {
		return s.newest
	}
	return s.line.first().before
}

// wanted is the event time of the first that waits, or that of the events before it where it comes from the future.
func (s *source) wanted() int64 {
	if s.line.empty() {
		return math.MaxInt64
	}
	w := s.line.first()
	return min(w.time, w.before)
}

// passed is the event time up to which the partition's calls have been looked up.
func (s *source) passed() int64 {
	if s.line.next < len(s.line.queue) {
		return s.line.queue[s.line.next].since
	}
	return s.steady
}

// reach takes the newest event time of a record. One record's clock alone moves nothing that waits: steady is the time that
// two records have reached.
func (s *source) reach(t int64) {
	switch {
	case t > s.newest:
		s.steady, s.newest = s.newest, t
	case t > s.steady:
		s.steady = t
	}
}

// due tells whether the event at i has waited long enough, or fills the line with those behind it.
func (s *source) due(i int, hold int64) bool {
	w := &s.line.queue[i]
	return w.pos.Offset < s.flushed || s.over || s.steady >= w.mark+hold || s.line.from(i) > s.part.lineBytes
}

// clogged tells whether there is no room in the line.
func (s *source) clogged() bool { return s.line.bytes() > s.part.lineBytes }

// link looks for the prompts of calls whose time has come, whether or not it is their turn to leave: scores before them may wait
// for other partitions, which must not wait for these.
func (s *source) link() {
	l := &s.line
	for ; l.next < len(l.queue); l.next++ {
		w := &l.queue[l.next]
		if !w.link || w.score {
			continue
		}
		if !s.due(l.next, s.part.wait) {
			return
		}
		if !s.over && s.bounds.hold(w, s.bounds.calls) {
			return
		}
		if w.pos.Offset >= max(s.flushed, s.from) && !s.over && s.steady < w.mark+s.part.wait {
			s.building.counted.early++
		}
		l.look(w, &s.event)
		w.labels, w.why = s.part.resolve(&s.event, s.interns.of)
	}
}

// ripe tells whether the first event in the line may go.
func (s *source) ripe() bool {
	w := s.line.first()
	switch {
	case !w.link:
		return true
	case !w.score:
		return s.line.next > s.line.head
	default:
		return s.due(s.line.head, s.part.wait+s.part.slack) && (s.over || !s.bounds.hold(w, s.bounds.scores))
	}
}

// release lets events out of the line whose time has come, until the round is full.
func (s *source) release(now int64) { s.let(now, false) }

func (s *source) let(now int64, however bool) {
	for !s.line.empty() && (however || !s.full()) {
		s.bounds = s.part.bounds(s.clogged())
		s.link()
		p := s.sampler
		p.begin(now)
		n := 0
		for ; n < releaseBatch && !s.line.empty() && s.ripe(); n++ {
			w := s.line.pop(&s.event)
			if w.pos.Offset < s.from {
				continue
			}
			e := &s.event
			switch {
			case w.score:
				_, w.why = s.part.resolve(e, s.interns.of)
			case w.labels != nil:
				e.wear(w.labels)
			}
			if w.link {
				p.tally.link(e, w.why)
			}
			p.emit(e, w.pos, w.why)
		}
		if n == 0 {
			return
		}
		s.settle(now)
		s.line.tidy()
	}
}

// blocked tells whether nothing more may be read for now: the line is full of what waits for another partition, or the spans
// are so far ahead of scores in another that they would be forgotten before those are read.
func (s *source) blocked() bool {
	return s.part != nil && (s.clogged() || s.next >= s.from && s.part.hasSpans.Load() && s.part.ahead(s.steady))
}

// stuck tells whether the first event in the line waits for a partition that is not read.
func (s *source) stuck() bool {
	if s.part == nil || s.line.empty() {
		return false
	}
	hold := s.part.wait
	if s.line.first().score {
		hold += s.part.slack
	}
	return s.due(s.line.head, hold) && !s.ripe() && s.part.bounds(s.clogged()).stuck
}

// flush ends the wait of all that is in the line, as at the offset next.
func (s *source) flush(now int64) {
	s.flushed = s.next
	s.let(now, true)
}

// end lets all that is in the line go, linked or not: nothing more will come.
func (s *source) end(now int64) {
	s.over = true
	if s.part != nil {
		s.let(now, true)
	}
}

// refence flushes the line where it was flushed when this was read before: when all below offset has been read.
func (s *source) refence(offset, now int64) {
	for len(s.fences) > 0 && offset >= s.fences[0] {
		s.fences = s.fences[1:]
		s.flush(now)
	}
}

// ask notes the time, and how far others are, before more is asked for.
func (s *source) ask(now int64) {
	if s.part == nil {
		return
	}
	s.askedAt = now
	if s.asked == nil {
		s.asked = make(map[string]int64)
	}
	s.part.standing(s.asked)
}

// publish tells the partitions of the same number how far this one is.
func (s *source) publish(now int64, atEnd bool) {
	if s.part == nil {
		return
	}
	entered, passed := s.steady, s.passed()
	if atEnd && now-s.arrived >= int64(s.idle) {
		entered = max(entered, now-int64(s.idle))
		if s.line.next == len(s.line.queue) {
			passed = max(passed, entered)
		}
	}
	s.part.wanted.Store(s.wanted())
	raise(&s.part.reached, s.steady)
	raise(&s.part.entered, entered)
	raise(&s.part.passed, passed)
	if atEnd {
		raise(&s.part.caught, cmp.Or(s.askedAt, now))
		s.part.ended(s.asked)
	}
	s.part.atEnd.Store(atEnd)
	s.part.full.Store(s.clogged())
	if s.read >= enough {
		s.part.sampled.Store(true)
	}
}

// enough is how many records tell that a partition holds no spans.
const enough = 1000

func raise(v *atomic.Int64, to int64) {
	if to > v.Load() {
		v.Store(to)
	}
}

// silent tells whether the partition has been read to its end, nothing waits, and nothing has come for a while.
func (s *source) silent(now int64, atEnd bool) bool {
	return atEnd && s.line.empty() && now-s.arrived >= int64(s.idle)
}

// stale tells whether the line should be flushed by the clock.
func (s *source) stale(now int64, atEnd bool) bool {
	return atEnd && !s.line.empty() && now-s.arrived >= int64(s.idle) && s.flushed < s.next
}
