package consumer

import (
	"encoding/hex"
	"strconv"

	"github.com/driftd/driftd/windows"
)

// deadLetter is a dead letter as it is read again. It refers to the record that it is of.
type deadLetter struct {
	source windows.Source
	pos    windows.Position // of the event; of a whole record its index is 0
	reason Reason           // Fine: it is none of ingest's
	says   string           // the reason as it stands there
	event  bool             // holds one event, as a native one; else a record as it came
	cut    bool             // not all of the record was kept
	record *Record
}

// parseLetter reads the headers of a dead letter.
func parseLetter(rec *Record) (l deadLetter) {
	l.record = rec
	sound := false
	for i := range rec.Headers {
		h := &rec.Headers[i]
		switch text := string(h.Value); h.Key {
		case headerTopic:
			l.source.Topic = text
		case headerPartition:
			n, _ := strconv.ParseInt(text, 10, 32)
			l.source.Partition = int32(n)
		case headerIncarnation:
			if hex.DecodedLen(len(text)) == len(l.source.Incarnation) {
				hex.Decode(l.source.Incarnation[:], h.Value)
			}
		case headerOffset:
			n, err := strconv.ParseInt(text, 10, 64)
			l.pos.Offset, sound = n, err == nil
		case headerIndex:
			n, err := strconv.ParseUint(text, 10, 32)
			l.pos.Index, l.event = uint32(n), err == nil
		case headerReason:
			l.says = text
			l.reason, _ = ParseReason(text)
		case headerTruncated:
			l.cut = true
		}
	}
	if !sound || l.source.Topic == "" {
		l.reason = Fine
	}
	return l
}

// ParseReason finds a reason by its name in metrics and dead letters.
func ParseReason(name string) (r Reason, ok bool) {
	for r = Fine + 1; r < numReasons; r++ {
		if r.String() == name {
			return r, true
		}
	}
	return Fine, false
}

// mendable tells whether what was wrong with an event may be right by now, while its letter still has all of it: of the others
// it has left out the very thing that was wrong.
func (r Reason) mendable() bool {
	switch r {
	case Unlinked, UnknownLabel, OutOfRange, Future:
		return true
	}
	return false
}
