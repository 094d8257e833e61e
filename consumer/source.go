package consumer

import (
	"errors"
	"time"

	"github.com/driftd/driftd/windows"
)

const (
	// roundSamples and roundBytes are when a round is full: samples in all, and bytes for one samples partition.
	roundSamples = 8192
	roundBytes   = 512 << 10
)

// Record is a record of a source topic. Its slices may be reused after the call that it is passed to.
type Record struct {
	Offset     int64
	Time       int64 // as the log shows it, Unix ms
	Key, Value []byte
	Headers    []Header
}

// Header is a header of a record.
type Header struct {
	Key   string
	Value []byte
}

// sourceConfig is what a source is made with.
type sourceConfig struct {
	id         windows.Source
	decoder    Decoder
	unwrap     func(*Record) ([]byte, error) // nil: records are as the decoder wants them
	private    bool                          // records are not kept in dead letters
	dims       []string
	scales     Scales // nil: none are known
	partitions int    // of the samples topic
	partition  func(prompt string) int
	disorder   time.Duration         // by which events may come late behind newer ones
	idle       time.Duration         // after which the watermark of a partition that is read to its end follows the clock
	start      int64                 // first offset to read
	from       int64                 // first offset of which samples are written; those before it are remembered only
	fences     []int64               // offsets at which the clock flushed the delay line when this was read before, ascending
	names      *names                // of the events that were offered again, for their topic; nil for all others
	part       *part                 // what the partitions of this number share; nil: nothing is linked
	dedup      *dedup                // of events that were sent more than once; nil: each counts
	home       func(key []byte) bool // whether Kafka's default partitioner has put a record of this key here; nil: there is but one partition
	now        int64                 // the ingest worker's clock, Unix ns
	known      int                   // bytes that what is known of cells and labels may take; leastKnown where it is 0
}

// source is one source partition: it takes records in offset order and gives rounds of messages. It does no I/O, starts
// nothing and is owned by one goroutine.
// What must be linked first waits in its delay line.
//
// Exactly once rests on this: each samples partition (a lane) gets its samples in the order of their positions, a round is
// written whole before the next one is begun, and the offset of a round is committed after that. So what a samples partition
// holds is, but for repetitions of what came before, in order; detect skips what it has counted.
type source struct {
	sourceConfig
	delayed
	sampler *sampler
	take    func(*Event)
	lanes   []lane
	rec     *Record // at hand
	index   uint32  // of the next event in it
	looked  bool    // at its key

	next      int64 // offset behind the last record
	newest    int64 // event time, Unix ns; 0 before the first
	watermark int64 // given out last
	arrived   int64 // the clock when the last record came
	announced []windows.Source
	building  *round
	spare     []*round
}

// lane is one samples partition.
type lane struct {
	enc      *windows.Encoder
	wave     int  // of this round that the next batch goes into
	fresh    bool // got samples since the last heartbeat was due
	due      bool // gets a heartbeat at the next cut
	announce bool // its next batch tells which source partitions exist
}

func newSource(c sourceConfig) *source {
	s := &source{sourceConfig: c, next: c.start, arrived: c.now, lanes: make([]lane, c.partitions)}
	known := max(c.known, leastKnown)
	s.delayed = delayed{event: Event{Dimensions: make([][]byte, len(c.dims))}, interns: interner{known: recent[*labels]{max: known / 4}}}
	s.building = &round{next: max(c.start, c.from)}
	for len(s.fences) > 0 && s.fences[0] <= c.start {
		s.fences = s.fences[1:]
	}
	s.sampler = newSampler(c.dims, c.scales, c.partition, known*3/4)
	s.take = s.one
	for i := range s.lanes {
		s.lanes[i].enc = windows.NewEncoder()
	}
	return s
}

// add takes a record at clock now.
func (s *source) add(rec *Record, now int64) {
	s.refence(rec.Offset, now)
	s.record(rec, now)
	s.refence(s.next, now)
	if s.part != nil {
		s.release(now)
	}
}

func (s *source) record(rec *Record, now int64) {
	s.next, s.arrived = rec.Offset+1, now
	s.rec, s.index, s.looked = rec, 0, false
	s.pushed, s.memos = s.line.len(), s.memos[:0]
	counted := &s.building.counted
	if rec.Offset < s.from {
		counted = &tally{} // it was counted when its samples were written
	}
	counted.records++
	counted.bytes += uint64(len(rec.Key) + len(rec.Value))
	if s.names != nil {
		if !s.names.first(rec) {
			counted.repeated++
			return
		}
		if rec.Offset < s.from {
			return // its name is all that is wanted of it
		}
	}
	if len(rec.Value) == 0 {
		counted.tombstones++
		return
	}
	p := s.sampler
	p.begin(s.clock(rec, now))
	if s.dedup != nil {
		s.dedup.begin()
	}
	value, err := rec.Value, error(nil)
	if s.unwrap != nil {
		value, err = s.unwrap(rec)
	}
	if err == nil {
		err = s.decoder.Decode(value, s.take)
	}
	if err != nil {
		s.line.cut(s.pushed)
		if s.dedup != nil {
			s.dedup.abandon()
		}
		if rec.Offset < s.from {
			return
		}
		f := Fault{Malformed, "the decoder failed"}
		if refused, ok := errors.AsType[*RecordError](err); ok {
			f = refused.Fault
		}
		counted.dead[f.Reason]++
		s.building.bury(recordLetter(s.id, rec, f, now, s.private))
		return
	}
	s.settle(now)
	s.reach(p.newest) // the watermark stays behind this record's times until its end
	if s.part != nil {
		s.read++
		s.line.mark(s.pushed, s.steady, s.part.slack)
		if s.part.hasSpans.Load() { // scores may be far ahead of the spans that are to come
			s.part.remember(s.memos, s.steady, s.passed())
		}
		if cap(s.memos) > maxKept {
			s.memos = nil
		}
	}
}

// clock is the one that judges which of a record's events are from the future. For what is remembered only it is, as far as the
// log shows it, that of the time when the record came: what was refused then must not drag time along now.
func (s *source) clock(rec *Record, now int64) int64 {
	if rec.Offset < s.from && rec.Time > earliest/1e6 {
		return min(now, rec.Time*1e6)
	}
	return now
}

// one takes an event of the record at hand.
func (s *source) one(e *Event) {
	pos := windows.Position{Offset: s.rec.Offset, Index: s.index}
	s.index++
	if s.part != nil && e.Kind == Span && !s.part.hasSpans.Load() {
		s.part.hasSpans.Store(true)
	}
	goes := s.sampler.admit(e)
	if goes && s.dedup != nil {
		dropped, whole := s.dedup.take(e, s.steady)
		if dropped > 0 && pos.Offset >= s.from {
			s.sampler.tally.duplicates += dropped
		}
		if whole {
			return // it has been remembered for linking as well
		}
	}
	if goes {
		goes = s.enter(e, pos)
	}
	switch {
	case pos.Offset < s.from:
	case e.Fault.Reason != Fine:
		s.sampler.refuse(e, pos, e.Fault)
	case goes:
		s.sampler.emit(e, pos, noPrompt)
	}
	s.sampler.found = nil
}

// settle takes what the sampler has made into the round.
func (s *source) settle(now int64) {
	p := s.sampler
	s.building.counted.add(&p.tally)
	for i := range p.dead {
		s.building.bury(eventLetter(s.id, &p.dead[i], now))
	}
	for i := range p.samples {
		l := &s.lanes[p.lanes[i]]
		l.enc.Add(&p.samples[i])
		if l.enc.Size() >= roundBytes {
			s.seal(int(p.lanes[i]), now)
		}
	}
	s.building.samples += len(p.samples)
}

// broken notes a batch of records, from offset from to before next, that cannot be read.
func (s *source) broken(from, next int64, detail string, now int64) {
	s.refence(next-1, now)
	s.next, s.arrived = next, now
	s.refence(next, now)
	if from < s.from {
		return
	}
	s.building.counted.dead[CorruptBatch]++
	s.building.bury(letter(s.id, from, Fault{CorruptBatch, detail}, now))
}

// skip moves over offsets that hold no records.
func (s *source) skip(next, now int64) {
	if next > s.next {
		s.refence(s.next, now)
		s.next = next
		s.refence(next, now)
	}
}

// settled is the offset below which everything is in a round.
func (s *source) settled() int64 {
	at := s.next
	if !s.line.empty() {
		at = s.line.first().pos.Offset
	}
	return max(at, s.from)
}

// full tells whether the round should be cut however young it is.
func (s *source) full() bool { return s.building.samples >= roundSamples || s.building.full }

// begun tells whether there is anything to write or to commit.
func (s *source) begun() bool {
	return s.settled() > s.building.next || s.building.samples > 0 || len(s.building.waves) > 0
}

// beat makes the next cut write a heartbeat into each lane that has had no samples since the last call. It, and the next batch
// of every other lane, tell which source partitions exist.
func (s *source) beat(announced []windows.Source) {
	if s.names != nil { // nobody waits for it
		return
	}
	s.announced = announced
	for i := range s.lanes {
		l := &s.lanes[i]
		l.announce = true
		l.due = !l.fresh && l.enc.Len() == 0
		l.fresh = false
		s.building.beat = s.building.beat || l.due
	}
}

// cut ends the round and begins the next one. It returns nil when there is nothing to write nor to commit. atEnd says that
// the partition has been read to its end.
func (s *source) cut(now int64, atEnd bool) *round {
	if !s.begun() && !s.building.beat {
		return nil
	}
	s.advance(now, atEnd)
	return s.close(now)
}

// close ends the round, with the watermark as it is, and begins the next one.
func (s *source) close(now int64) *round {
	r := s.building
	for i := range s.lanes {
		if s.lanes[i].enc.Len() > 0 || s.lanes[i].due {
			s.seal(i, now)
		}
		s.lanes[i].wave = 0
	}
	r.next, r.watermark = s.settled(), s.watermark
	s.building = &round{}
	if n := len(s.spare); n > 0 {
		s.building, s.spare = s.spare[n-1], s.spare[:n-1]
	}
	s.building.next = r.next
	s.sampler.refresh(now)
	s.interns.known.age(now)
	return r
}

// advance moves the watermark. Only a partition that has nothing more to read, and holds nothing back, follows the clock.
func (s *source) advance(now int64, atEnd bool) {
	if s.names != nil {
		return // its events are late by nature
	}
	if left := s.left(); left > 0 {
		s.watermark = max(s.watermark, left-int64(s.disorder))
	}
	if s.silent(now, atEnd) {
		s.watermark = max(s.watermark, now-int64(s.idle)-int64(s.disorder))
	}
}

// seal puts what a lane has into the round as one batch.
func (s *source) seal(at int, now int64) {
	l, r := &s.lanes[at], s.building
	h := windows.Header{Source: s.id, Clock: now, Watermark: s.watermark, Dimensions: s.dims}
	if s.names != nil {
		h.Watermark = windows.Timeless
	}
	if l.announce {
		h.Announced, l.announce = s.announced, false
	}
	start := len(r.buf)
	r.buf = l.enc.AppendBatch(r.buf, &h)
	r.put(l.wave, message{partition: at, value: r.buf[start:len(r.buf):len(r.buf)]})
	r.full = r.full || l.enc.Size() >= roundBytes
	l.wave++
	l.fresh = l.fresh || l.enc.Len() > 0
	l.due = false
	l.enc.Reset()
}

// recycle takes back a round that has been written.
func (s *source) recycle(r *round) {
	r.reset()
	s.spare = append(s.spare, r)
}
