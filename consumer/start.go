package consumer

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Start says where to begin in a source partition of which the group has committed nothing. The zero value is the log's start.
type Start struct {
	Latest bool      // at the log's end
	At     time.Time // else, when set, at the first record of this time or later
}

// lineage tells a source partition from its namesakes: from a topic of its name that was deleted, and from itself before its log
// was cut back. It is kept in the metadata of the committed offset.
type lineage struct {
	topic   [16]byte // id; zero where the broker knows none
	counter uint64   // how often the log was found cut back or, without ids, made again
}

// incarnation is the lineage as samples carry it.
func (l lineage) incarnation() [16]byte {
	id := l.topic
	binary.BigEndian.PutUint64(id[8:], binary.BigEndian.Uint64(id[8:])^l.counter)
	return id
}

func (l lineage) String() string {
	return "driftd1 " + hex.EncodeToString(l.topic[:]) + " " + strconv.FormatUint(l.counter, 10)
}

// maxFences bounds the fences that a commit remembers, so that its metadata stays below the 4096 bytes that brokers allow. The clock
// flushes four times a minute at most, so they reach back for an hour at least, longer than what is remembered with the usual horizon.
// With a longer one those that are forgotten are of events that were counted: read again, to be remembered, one of these may find
// another prompt than it did, where more of its trace had come since, and so may scores that come later.
const maxFences = 256

// metadata is that of a commit. fences are the offsets, in ascending order, that had been read when the clock flushed the delay
// line; the last maxFences of them are kept, as the distances between them.
func (l lineage) metadata(fences []int64) string {
	if len(fences) == 0 {
		return l.String()
	}
	b := append([]byte(l.String()), ' ')
	last := int64(0)
	for i, f := range fences[max(0, len(fences)-maxFences):] {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, f-last, 36)
		last = f
	}
	return string(b)
}

// parseMetadata reads a commit's metadata; ok is false for any that is not ours.
func parseMetadata(metadata string) (l lineage, fences []int64, ok bool) {
	f := strings.Fields(metadata)
	if len(f) != 3 && len(f) != 4 || f[0] != "driftd1" || len(f[1]) != 2*len(l.topic) {
		return lineage{}, nil, false
	}
	if _, err := hex.Decode(l.topic[:], []byte(f[1])); err != nil {
		return lineage{}, nil, false
	}
	n, err := strconv.ParseUint(f[2], 10, 64)
	if err != nil {
		return lineage{}, nil, false
	}
	l.counter = n
	if len(f) == 3 {
		return l, nil, true
	}
	last := int64(0)
	for delta := range strings.SplitSeq(f[3], ",") {
		d, err := strconv.ParseInt(delta, 36, 64)
		if err != nil || d <= 0 || last+d < last {
			return lineage{}, nil, false
		}
		last += d
		fences = append(fences, last)
	}
	return l, fences, true
}

// beginning is where a task begins, and why.
type beginning struct {
	lineage
	offset int64
	first  int64   // of the log
	fences []int64 // see lineage.metadata
	fresh  bool    // nothing is committed: offset is the log's start, for a Start to overrule
	read   int64   // where the group has forgotten it: everything below this was read
	gap    int64   // records that are passed over unread
	why    string  // there is a gap
	reset  string  // why the committed offset means nothing any more; empty when it does
}

// The reasons to leave the committed offset.
const (
	resetRecreated = "recreated" // the topic was deleted and made again
	resetTruncated = "truncated" // its log ends below what was read
	resetForgotten = "forgotten" // the group has it no more
)

// Why records are never read.
const (
	gapRetention = "retention has removed them before they were read"
	gapForward   = "the group's offset was set forward by hand"
	gapDeleted   = "the topic was deleted before they were read"
)

// committed is what a group has stored: the offset to go on from, −1 for nothing.
type committed struct {
	offset   int64
	metadata string
}

// resume finds where to go on from what the group has committed and what the log holds, first up to before next. The samples of a
// new lineage count anew, so it never lets records be read again that may have counted: a topic with an id whose log was cut back
// goes on at its end. Without ids, a log that ends below the committed offset is most likely another one. copied is the copy of
// what was committed (see copies); it matters where the group has none of ours.
func resume(topic [16]byte, at, copied committed, first, next int64) beginning {
	b := beginning{lineage: lineage{topic: topic}, offset: first, first: first}
	last, fences, ours := parseMetadata(at.metadata)
	if at.offset < 0 || !ours {
		return b.without(at.offset, copied, next)
	}
	if last.topic == topic {
		b.lineage = last
	}
	anonymous := topic == [16]byte{}
	switch {
	case !anonymous && last.topic != [16]byte{} && last.topic != topic:
		b.reset = resetRecreated
	case at.offset > next:
		b.cutBack(next)
	case at.offset < first:
		b.gap, b.why = first-at.offset, gapRetention
	default:
		b.offset = at.offset
		if last.topic == topic {
			b.fences = fences
		}
	}
	return b
}

// cutBack begins behind a log that ends below what was read of it, at next.
func (b *beginning) cutBack(next int64) {
	b.counter++
	b.fences = nil
	if b.topic == [16]byte{} {
		b.reset = resetRecreated
	} else {
		b.reset, b.offset = resetTruncated, next
	}
}

// without finds where to go on where the group has no commit of ours: somebody has set the offset by hand, which is obeyed, or it
// is lost, −1. The copy tells how far this log was read, its lineage and its fences: so what is read again is the same as before, and
// what is passed over unread is counted.
func (b beginning) without(offset int64, copied committed, next int64) beginning {
	last, fences, known := parseMetadata(copied.metadata)
	known = known && copied.offset >= 0
	if known && last.topic == b.topic {
		b.lineage, b.fences = last, fences
	} else if known && offset < 0 && last.topic != [16]byte{} && b.topic != [16]byte{} {
		b.reset = resetRecreated
		return b
	} else {
		known = false
	}
	switch {
	case known && copied.offset > next:
		b.cutBack(next)
		return b
	case offset < 0 && known:
		b.reset, b.read = resetForgotten, copied.offset
	case offset < 0:
		b.fresh = true
	case offset > next:
		b.reset = resetTruncated
	default:
		b.offset = max(offset, b.first)
	}
	switch {
	case known:
		b.gap = max(b.offset-copied.offset, 0)
	case offset >= 0:
		b.gap = max(b.first-offset, 0)
	}
	switch {
	case b.gap > 0 && known && b.offset > b.first:
		b.why = gapForward
	case b.gap > 0:
		b.why = gapRetention
	}
	return b
}

// metadata is what is to be committed with where to begin.
func (b beginning) metadata() string { return b.lineage.metadata(b.fences) }

func (b beginning) String() string {
	return fmt.Sprintf("%s from offset %d", b.lineage, b.offset)
}
