package consumer

import (
	"crypto/sha256"
	"fmt"

	"github.com/driftd/driftd/windows"
)

// headerDead names, in a record of the topic of events that are offered again, the event that it is.
const headerDead = "driftd-dead"

// names are those of the events that were offered again. Dead letters and what is made of them are written at least once, and
// two people may offer the same letters at the same time; so the event is named by its first place, and counts where that name
// stands first. The set is made of the log from its start on: what it says of a record depends on the log before it alone,
// whoever reads it and however often.
type names struct{ seen map[name128]struct{} }

// name128 is the digest of a name: 16 bytes are remembered of each event for as long as the topic keeps it.
type name128 [16]byte

func newNames() *names { return &names{seen: make(map[name128]struct{})} }

// first tells whether a record is the first of its name, and remembers it. One without a name always is.
func (n *names) first(rec *Record) bool {
	for i := range rec.Headers {
		if h := &rec.Headers[i]; h.Key == headerDead {
			return n.add(digest(h.Value))
		}
	}
	return true
}

// add tells whether the name is new.
func (n *names) add(name name128) bool {
	if _, seen := n.seen[name]; seen {
		return false
	}
	n.seen[name] = struct{}{}
	return true
}

func (n *names) has(name name128) bool {
	_, seen := n.seen[name]
	return seen
}

func digest(name []byte) name128 {
	sum := sha256.Sum256(name)
	return name128(sum[:16])
}

// appendName appends the name of an event: the place where it was read first, and for a score that has a letter to itself its
// rubric, since a call's scores stand at one place.
func appendName(dst []byte, src windows.Source, pos windows.Position, rubric []byte) []byte {
	dst = fmt.Appendf(dst, "%s/%d/%x/%d/%d", src.Topic, src.Partition, src.Incarnation, pos.Offset, pos.Index)
	if len(rubric) > 0 {
		dst = append(append(dst, '/'), rubric...)
	}
	return dst
}
