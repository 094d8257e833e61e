package consumer

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
	"unsafe"
)

const (
	// generations is how many stretches of its horizon an index keeps behind the one that it fills.
	generations = 4
	// kept is how long an index may remember, in parts of its horizon: the generation at hand beside those of the horizon.
	kept = generations + 1
	// maxTrace bounds the spans of one trace that a generation remembers; of one with more, only ancestors are found.
	maxTrace = 2048
	// maxPast bounds the generations that are looked through.
	maxPast = 4 * generations
)

// place is where a generation has labels. It has the generation's number, lest labels keep what is to be forgotten.
type place struct {
	in  uint64
	ref uint32
}

// made numbers generations.
var made atomic.Uint64

// index remembers spans and ids by the trace that they belong to, for as long as its horizon and in as much memory as it is
// given, whichever ends first. It forgets by the generation, so that nothing is ever taken out of a table. What it knows at a
// place of the log depends on the log alone, as long as memory lasts: event time turns the generations, not the clock.
type index struct {
	which   int   // of a linker's indexes it is
	stretch int64 // event time of a generation, ns
	max     int   // bytes of all generations and their labels
	past    []*generation
	now     *generation
	number  int64 // of the stretch of now; 0 before the first
	crowded uint64

	held   map[string]*labels // that generations have, by their keys
	values map[value]holders  // that these labels have
	bytes  [2]int             // of those that are as they came, and of folded ones
	folded uint64             // how often labels were folded, as far as not told
	key    []byte
}

// generation is what came within one stretch of time: a table of spans, and the labels that they have.
type generation struct {
	id     uint64
	closed int   // 1 when it is
	number int64 // of the stretch that it ended in
	slots  []slot
	n      int
	table  []*labels
	owners []uint32 // of each of them: the hash of the one trace that has them; 0 when several have
	eased  int      // up to where those of one trace are folded
}

// slot is a remembered span: 20 bytes. A trace's spans stand behind each other, but for those of other traces between them.
type slot struct {
	trace  [2]uint32 // hash; zero is an empty slot
	span   uint32    // hash; 1 for what is an id and no span
	parent uint32    // hash; 0 is none
	labels uint32    // number in the generation's table, from 1; 0 is none. The upper bits are flags
}

const (
	isCall   = 1 << 31 // a model call
	isLinked = 1 << 30 // its prompt is not its own
	refMask  = isLinked - 1

	slotBytes = int(unsafe.Sizeof(slot{}))
)

var hashSeed, idSeed = maphash.MakeSeed(), maphash.MakeSeed()

// hashTrace and its like never return what marks an empty place.
func hashTrace(id *[16]byte) uint64 { return maphash.Bytes(hashSeed, id[:]) | 1 }
func hashID(id []byte) uint64       { return maphash.Bytes(idSeed, id) | 1 }
func hashSpan(id *[8]byte) uint32 {
	if *id == ([8]byte{}) {
		return 0
	}
	return uint32(maphash.Bytes(hashSeed, id[:])) | 2
}

// newIndex makes an index; which is 0 or 1, another one for each index that labels are put into.
func newIndex(which int, horizon int64, memory int) *index {
	return &index{which: which, stretch: max(horizon/generations, 1), max: memory, now: newGeneration(0), held: make(map[string]*labels), values: make(map[value]holders)}
}

// newGeneration has room for so many slots.
func newGeneration(slots int) *generation {
	return &generation{id: made.Add(1), slots: make([]slot, max(slots, 64))}
}

// turn begins a new generation when event time has left the stretch of the one at hand, or when that is full. What came more
// than a horizon before event time passed, up to which calls have been looked up, is forgotten: a leap of event time, as after a
// quiet hour, takes nothing away from calls that still wait.
func (x *index) turn(newest, passed int64) {
	if n := newest / x.stretch; n > x.number {
		if x.number > 0 && len(x.past) < maxPast {
			x.close()
		}
		x.number = n
	}
	if x.now.size() > (x.max-x.bytes[0]-x.bytes[1])/generations {
		x.close()
	}
	oldest := passed/x.stretch - generations
	for len(x.past) > 0 && (x.past[0].number < oldest || x.size() > x.max) {
		for _, l := range x.past[0].table {
			x.release(l)
		}
		x.past = append(x.past[:0], x.past[1:]...)
	}
}

func (x *index) close() {
	if x.now.n == 0 {
		return
	}
	last := x.now
	last.fit(last.n*100/88 + 1)
	last.number, last.closed = x.number, 1
	x.past = append(x.past, last)
	x.now = newGeneration(len(last.slots) / 2) // it will most likely have as many
}

func (x *index) size() int {
	n := x.now.size() + x.bytes[0] + x.bytes[1]
	for _, g := range x.past {
		n += g.size()
	}
	return n
}

// spans is how many entries are remembered.
func (x *index) spans() int {
	n := x.now.n
	for _, g := range x.past {
		n += g.n
	}
	return n
}

// put remembers a span of a trace, or an id in place of a trace. owner is the trace.
func (x *index) put(trace uint64, span, parent uint32, l *labels, flags uint32, owner uint64) {
	g := x.now
	if (g.n+1)*100 > len(g.slots)*85 {
		grown := len(g.slots)*8/7 + 64
		if len(x.past) == 0 { // there is memory to spare
			grown = len(g.slots)*3/2 + 64
		}
		g.fit(grown)
	}
	s := slot{trace: halves(trace), span: span, parent: parent, labels: flags}
	if l != nil {
		s.labels |= x.ref(g, l, owner)
	}
	if !g.insert(s, maxTrace) {
		x.crowded++
	}
}

// refine gives a remembered call the labels that linking found. Of several calls under one id it is one that has no prompt yet.
func (x *index) refine(trace uint64, span uint32, l *labels, owner uint64) {
	at, g := x.now.unnamed(trace, span), x.now
	for i := len(x.past) - 1; i >= 0 && at == nil; i-- {
		g = x.past[i]
		at = g.unnamed(trace, span)
	}
	if at != nil {
		at.labels = isCall | isLinked | x.ref(g, l, owner)
	}
}

// gather appends what is remembered of a trace, the newest generation first, until dst has maxTrace spans.
func (x *index) gather(dst []span, trace uint64) []span {
	dst = x.now.gather(dst, trace)
	for i := len(x.past) - 1; i >= 0 && len(dst) < maxTrace; i-- {
		dst = x.past[i].gather(dst, trace)
	}
	return dst
}

// span is a slot as it is read.
type span struct {
	span, parent uint32
	labels       *labels // nil when it has none
	call, linked bool
}

func halves(h uint64) [2]uint32 { return [2]uint32{uint32(h), uint32(h >> 32)} }

func (s *slot) hash() uint64 { return uint64(s.trace[0]) | uint64(s.trace[1])<<32 }

// home is where a trace's spans begin. It grows with the hash, so that a table is refitted in one sweep.
func (g *generation) home(hash uint64) int {
	hi, _ := bits.Mul64(hash, uint64(len(g.slots)))
	return int(hi)
}

// insert is false when the trace has its share already.
func (g *generation) insert(s slot, limit int) bool {
	for i := g.home(s.hash()); ; {
		at := &g.slots[i]
		if at.trace == ([2]uint32{}) {
			*at = s
			g.n++
			return true
		}
		if at.trace == s.trace {
			if limit--; limit <= 0 {
				return false
			}
		}
		if i++; i == len(g.slots) {
			i = 0
		}
	}
}

// fit lays the table out anew with n slots.
func (g *generation) fit(n int) {
	old := g.slots
	g.slots = make([]slot, max(n, 64))
	run, next := 0, 0 // the slots from run to before next are taken, by what was laid out last
	for i := range old {
		if old[i].trace == ([2]uint32{}) {
			continue
		}
		at := g.home(old[i].hash())
		if at >= run && at < next {
			at = next
		}
		for ; ; at++ {
			if at >= len(g.slots) {
				at = 0
			}
			if g.slots[at].trace == ([2]uint32{}) {
				break
			}
		}
		g.slots[at] = old[i]
		if at != next {
			run = at
		}
		next = at + 1
	}
}

func (g *generation) gather(dst []span, trace uint64) []span {
	want := halves(trace)
	for i := g.home(trace); ; {
		at := &g.slots[i]
		if at.trace == ([2]uint32{}) {
			return dst
		}
		if at.trace == want {
			if len(dst) == maxTrace {
				return dst
			}
			f := span{span: at.span, parent: at.parent, call: at.labels&isCall != 0, linked: at.labels&isLinked != 0}
			if ref := at.labels & refMask; ref > 0 {
				f.labels = g.table[ref-1]
			}
			dst = append(dst, f)
		}
		if i++; i == len(g.slots) {
			i = 0
		}
	}
}

// unnamed finds a call that has no prompt yet; nil when there is none.
func (g *generation) unnamed(trace uint64, span uint32) *slot {
	want := halves(trace)
	for i := g.home(trace); ; {
		at := &g.slots[i]
		if at.trace == ([2]uint32{}) {
			return nil
		}
		if at.trace == want && at.span == span && at.labels&isCall != 0 && !g.named(at) {
			return at
		}
		if i++; i == len(g.slots) {
			i = 0
		}
	}
}

// named tells whether a slot's labels name a prompt.
func (g *generation) named(at *slot) bool {
	ref := at.labels & refMask
	return ref > 0 && len(g.table[ref-1].Prompt) > 0
}

func (g *generation) size() int { return len(g.slots)*slotBytes + 8*cap(g.table) + 4*cap(g.owners) }
