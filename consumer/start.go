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

// maxFences bounds the fences that a commit remembers, so that its metadata stays well below the 4096 bytes that brokers allow.
const maxFences = 128

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
	gap    int64   // records that retention has taken before they were read
	reset  string  // why the committed offset means nothing any more; empty when it does
}

// The reasons to leave the committed offset.
const (
	resetRecreated = "recreated" // the topic was deleted and made again
	resetTruncated = "truncated" // its log ends below what was read
)

// resume finds where to go on from what the group has committed (offset −1: nothing) and what the log holds, first up to before
// next. The samples of a new lineage count anew, so it never lets records be read again that may have counted: a topic with an
// id whose log was cut back goes on at its end. Without ids, a log that ends below the committed offset is most likely another
// one.
func resume(topic [16]byte, committed int64, metadata string, first, next int64) beginning {
	b := beginning{lineage: lineage{topic: topic}, offset: first, first: first}
	if committed < 0 {
		b.fresh = true
		return b
	}
	last, fences, ours := parseMetadata(metadata)
	if ours && last.topic == topic {
		b.lineage = last
	}
	anonymous := topic == [16]byte{}
	switch {
	case ours && !anonymous && last.topic != [16]byte{} && last.topic != topic:
		b.reset = resetRecreated
	case committed > next && anonymous:
		b.reset = resetRecreated
		b.counter++
	case committed > next && ours:
		b.reset = resetTruncated
		b.counter++
		b.offset = next
	case committed > next: // set by hand
		b.reset = resetTruncated
	case committed < first:
		b.gap = first - committed
	default:
		b.offset = committed
		if ours && last.topic == topic {
			b.fences = fences
		}
	}
	return b
}

// metadata is what is to be committed with where to begin.
func (b beginning) metadata() string { return b.lineage.metadata(b.fences) }

func (b beginning) String() string {
	return fmt.Sprintf("%s from offset %d", b.lineage, b.offset)
}
