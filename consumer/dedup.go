package consumer

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"time"
	"unsafe"
)

// dedup tells events of a source partition that were sent more than once. Producers without idempotence send a batch again when its
// answer is lost; that makes two records, and so two events, but the ids in them are the same.
//
// An event has come before if an event of its id that stands before it in the partition has a time, in whole seconds, that is no
// older than the horizon. The horizon reaches back from the time that two records had reached before the event's own (see
// source.reach). It does not matter whether that earlier event was counted. So what becomes of an event depends on no more of the
// log than a horizon before it: a zombie and its successor decide alike, and whoever takes a partition over knows enough when it
// has read that much again. The first of an id is never dropped.
//
// An event that was refused when it came, such as one from the future, does not stand for those that come later. An id is a trace
// and a span, and for a score its rubric and time too; what has no ids is not known. Owned by the source's goroutine.
type dedup struct {
	horizon int64 // event time, ns
	max     int   // slots
	slots   []idSlot
	taken   int    // slots, by forgotten ids too
	floor   uint32 // event time, Unix s: what is older had to go for want of room
	short   uint64 // ids that went so before their time, or had no room
	undo    []idSlot
	key     []byte
	fresh   []bool
}

// idSlot is a remembered id: 12 bytes. at is the time of the newest event of that id, Unix s: 0 is an empty slot.
type idSlot struct {
	hash [2]uint32
	at   uint32
}

const (
	idSlotBytes = int(unsafe.Sizeof(idSlot{}))
	// never is the time of an id whose only record was refused.
	never = 1
	// minIDs are the slots that a table has at least.
	minIDs = 64
)

var spanSeed, scoreSeed = maphash.MakeSeed(), maphash.MakeSeed()

// newDedup remembers for so long, in a table of so many bytes.
func newDedup(horizon time.Duration, memory int64) *dedup {
	return &dedup{horizon: int64(horizon), max: max(int(memory)/idSlotBytes, minIDs), slots: make([]idSlot, minIDs)}
}

// begin starts a record.
func (d *dedup) begin() { d.undo = d.undo[:0] }

// abandon forgets the record at hand again: nothing in it counts.
func (d *dedup) abandon() {
	for i := len(d.undo) - 1; i >= 0; i-- {
		if s := d.find(d.undo[i].hash); s.at > 0 {
			s.at = max(d.undo[i].at, never)
		}
	}
	d.undo = d.undo[:0]
}

// take takes out of an event what has come before, and tells how much that was: the span with all that it says, or single scores.
// whole is whether nothing is left. steady is the event time that two records have reached, Unix ns.
func (d *dedup) take(e *Event, steady int64) (dropped uint64, whole bool) {
	if e.Trace == [16]byte{} || e.Span == [8]byte{} {
		return 0, false
	}
	limit := seconds(max(steady-d.horizon, 0))
	at := seconds(e.Time)
	d.key = append(append(d.key[:0], e.Trace[:]...), e.Span[:]...)
	if e.Kind == Span {
		if !e.Call && len(e.Scores) == 0 { // it is not counted anyway
			return 0, false
		}
		if d.put(maphash.Bytes(spanSeed, d.key), at, limit) {
			return 1, true
		}
		return 0, false
	}
	d.key = binary.LittleEndian.AppendUint64(d.key, uint64(e.Time))
	n := len(d.key)
	rubric := func(i int) uint64 {
		d.key = append(d.key[:n], e.Scores[i].Rubric...)
		return maphash.Bytes(scoreSeed, d.key)
	}
	// Two scores of one event on one rubric are another mistake, which the sampler finds.
	d.fresh = d.fresh[:0]
	for i := range e.Scores {
		s := d.find(halves(rubric(i)))
		d.fresh = append(d.fresh, s.at == 0 || s.at < max(limit, d.floor))
	}
	kept := e.Scores[:0]
	for i := range e.Scores {
		d.put(rubric(i), at, limit)
		if d.fresh[i] {
			kept = append(kept, e.Scores[i])
		}
	}
	dropped = uint64(len(e.Scores) - len(kept))
	e.Scores = kept
	return dropped, dropped > 0 && len(kept) == 0
}

// put remembers an id, and tells whether it was remembered as of limit or later.
func (d *dedup) put(hash uint64, at, limit uint32) (known bool) {
	s := d.find(halves(hash))
	if s.at > 0 {
		known = s.at >= max(limit, d.floor)
		d.undo = append(d.undo, *s)
		s.at = max(s.at, at)
		return known
	}
	if at < max(limit, d.floor) {
		if at >= limit {
			d.short++
		}
		return false
	}
	*s = idSlot{halves(hash), at}
	d.undo = append(d.undo, idSlot{hash: s.hash})
	if d.taken++; d.taken*100 > len(d.slots)*85 {
		d.room(limit)
	}
	return false
}

// find returns the slot that an id has, or the empty one that it would have.
func (d *dedup) find(hash [2]uint32) *idSlot {
	for i := d.home(hash); ; {
		if s := &d.slots[i]; s.at == 0 || s.hash == hash {
			return s
		}
		if i++; i == len(d.slots) {
			i = 0
		}
	}
}

func (d *dedup) home(hash [2]uint32) int {
	hi, _ := bits.Mul64(uint64(hash[0])|uint64(hash[1])<<32, uint64(len(d.slots)))
	return int(hi)
}

// room makes some: it forgets what is older than limit, and if that is too little, the table grows. When it may not, the oldest
// ids go, whose time has not come yet.
func (d *dedup) room(limit uint32) {
	d.sweep(max(limit, d.floor))
	if d.taken*100 <= len(d.slots)*70 {
		return
	}
	if n := min(d.taken*7/4, d.max); n > len(d.slots) {
		old := d.slots
		d.slots = make([]idSlot, n)
		for _, s := range old {
			if s.at > 0 {
				*d.find(s.hash) = s
			}
		}
	}
	if d.taken*100 > len(d.slots)*75 {
		before := d.taken
		d.floor = d.median() + 1
		d.sweep(d.floor)
		d.short += uint64(before - d.taken)
	}
}

// median is a time that half of the ids are not newer than, to a 256th of what they span.
func (d *dedup) median() uint32 {
	oldest, newest := ^uint32(0), uint32(0)
	for _, s := range d.slots {
		if s.at > 0 {
			oldest, newest = min(oldest, s.at), max(newest, s.at)
		}
	}
	width := (newest-oldest)/256 + 1
	var ids [256]int
	for _, s := range d.slots {
		if s.at > 0 {
			ids[(s.at-oldest)/width]++
		}
	}
	n, i := ids[0], 0
	for ; n*2 < d.taken; n += ids[i] {
		i++
	}
	return oldest + uint32(i+1)*width - 1
}

// sweep takes out what is older than a time. It begins behind an empty slot, so that what moves never moves on, only back towards
// its home.
func (d *dedup) sweep(oldest uint32) {
	start := 0
	for d.slots[start].at > 0 {
		start++
	}
	for k := 1; k < len(d.slots); k++ {
		i := start + k
		if i >= len(d.slots) {
			i -= len(d.slots)
		}
		s := d.slots[i]
		if s.at == 0 {
			continue
		}
		d.slots[i] = idSlot{}
		if s.at < oldest {
			d.taken--
			continue
		}
		*d.find(s.hash) = s
	}
}

// size is the bytes of the table. While it grows there are two.
func (d *dedup) size() int { return len(d.slots) * idSlotBytes }

func seconds(ns int64) uint32 { return uint32(ns / int64(time.Second)) }
