package consumer

import (
	"math"
	"slices"
)

// relinker links events that ingest could not: it knows all partitions of all source topics over a stretch of time, so it finds
// what came too late, what stands in a partition of another number, and what has been forgotten. It keeps no more than the
// traces that are asked for. Questions come first (ask), then, for those who name a response, one reading for the traces that
// the responses belong to (learnID), then one for the spans (learn), then the answers (resolve). Owned by one goroutine.
type relinker struct {
	traces map[uint64]struct{}
	ids    map[uint64][]callAt
	spans  *index

	interns interner
	found   []span
	named   []span // calls by a response id
	event   Event
}

// callAt is a call that has a response id which was asked for.
type callAt struct {
	trace  uint64 // hash; 0 is none
	span   uint32
	labels *labels // its own, where it has no trace
}

func newRelinker(dims int) *relinker {
	return &relinker{
		traces: make(map[uint64]struct{}), ids: make(map[uint64][]callAt),
		spans:   newIndex(1, math.MaxInt64, math.MaxInt), // it forgets nothing
		interns: interner{known: recent[*labels]{max: leastKnown}},
		event:   Event{Dimensions: make([][]byte, dims)},
	}
}

// ask notes what is to be found out for an event without a prompt.
func (k *relinker) ask(e *Event) {
	if e.Trace != [16]byte{} {
		k.traces[hashTrace(&e.Trace)] = struct{}{}
	}
	if !e.Call && len(e.Response) > 0 {
		if h := hashID(e.Response); k.ids[h] == nil {
			k.ids[h] = []callAt{}
		}
	}
}

// learnID takes an event that may be a call with a response that was asked for.
func (k *relinker) learnID(e *Event) {
	if e.Kind != Span || !e.Call || len(e.Response) == 0 {
		return
	}
	h := hashID(e.Response)
	calls, asked := k.ids[h]
	if !asked || len(calls) == maxTrace {
		return
	}
	c := callAt{span: hashSpan(&e.Span)}
	if e.Trace != [16]byte{} {
		c.trace = hashTrace(&e.Trace)
		k.traces[c.trace] = struct{}{}
	} else {
		c.labels = k.interns.of(e)
	}
	if !slices.Contains(calls, c) {
		k.ids[h] = append(calls, c)
	}
}

// learn takes an event that may be a span of a trace that was asked for.
func (k *relinker) learn(e *Event) {
	if e.Kind != Span || e.Trace == [16]byte{} {
		return
	}
	trace := hashTrace(&e.Trace)
	if _, asked := k.traces[trace]; !asked {
		return
	}
	flags := uint32(0)
	if e.Call {
		flags = isCall
	}
	k.spans.put(trace, hashSpan(&e.Span), hashSpan(&e.Parent), k.interns.of(e), flags, trace)
}

// size is about the memory that it takes, bytes.
func (k *relinker) size() int {
	return k.spans.size() + 24*len(k.traces) + 96*len(k.ids)
}

// resolve gives an event what it lacks, as the live linker does (see linker.resolve).
func (k *relinker) resolve(e *Event) linking {
	if e.Kind == Span && e.Call {
		return linkCall(e, k.trace(hashTrace(&e.Trace)))
	}
	if len(e.Response) > 0 {
		k.named = k.named[:0]
		for _, c := range k.ids[hashID(e.Response)] {
			if c.trace == 0 {
				k.named = append(k.named, span{span: 1, labels: c.labels, call: true})
				continue
			}
			for _, s := range k.trace(c.trace) {
				if s.call && s.span == c.span {
					k.named = append(k.named, span{span: 1, labels: s.labels, call: true})
				}
			}
		}
		if why := linkScore(e, k.named); why == linked || e.Trace == [16]byte{} {
			return why
		}
	}
	if e.Trace == [16]byte{} {
		return noSpan
	}
	return linkScore(e, k.trace(hashTrace(&e.Trace)))
}

// trace gathers a trace's spans, its calls with the prompts that they are linked to.
func (k *relinker) trace(trace uint64) []span {
	k.found = k.spans.gather(k.found[:0], trace)
	for i := range k.found {
		s := &k.found[i]
		if !s.call || s.named() {
			continue
		}
		e := &k.event
		e.Reset()
		e.Kind, e.Call = Span, true
		if s.labels != nil {
			e.wear(s.labels)
		}
		if linkCallAt(e, s.span, s.parent, k.found) == linked {
			s.labels, s.linked = k.interns.of(e), true
		}
	}
	return k.found
}
