package detector

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"time"
)

// stepsKept is how long an alert that is over is remembered after its last step, in event time.
const stepsKept = 7 * 24 * time.Hour

// steps numbers the transitions of alerts. No number of an alert is given out twice, also when the alert has been forgotten
// since: one that is not known begins above all that were forgotten. So what is kept does not grow by every alert that there
// ever was.
type steps struct {
	of    map[ID]step
	floor int // the greatest number that was forgotten
}

// step is the newest of an alert.
type step struct {
	n  int
	at time.Time // event time
}

func newSteps() steps { return steps{of: make(map[ID]step)} }

// next is the number of the step that id takes now.
func (s *steps) next(id ID, now time.Time) int {
	n := s.floor
	if last, ok := s.of[id]; ok {
		n = last.n
	}
	s.of[id] = step{n + 1, now}
	return n + 1
}

// forget drops the alerts that are over for long. It is due once an hour.
func (s *steps) forget(now time.Time, open map[ID]*alert) {
	maps.DeleteFunc(s.of, func(id ID, last step) bool {
		over := open[id] == nil && now.Sub(last.at) > stepsKept
		if over {
			s.floor = max(s.floor, last.n)
		}
		return over
	})
}

func (s *steps) save(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(s.floor))
	dst = binary.AppendUvarint(dst, uint64(len(s.of)))
	for _, id := range slices.SortedFunc(maps.Keys(s.of), func(a, b ID) int { return bytes.Compare(a[:], b[:]) }) {
		dst = append(dst, id[:]...)
		dst = binary.AppendUvarint(dst, uint64(s.of[id].n))
		dst = appendTime(dst, s.of[id].at)
	}
	return dst
}

func (s *steps) load(r *reader) {
	*s = newSteps()
	s.floor = int(r.uvarint())
	for range r.count() {
		id := ID(r.fixed(16))
		s.of[id] = step{int(r.uvarint()), r.time()}
	}
}
