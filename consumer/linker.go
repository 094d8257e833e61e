package consumer

import (
	"cmp"
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// Linking says how spans and scores of a trace are brought together. The zero value links nothing: who carries no prompt is
// unlinked.
type Linking struct {
	Wait    time.Duration // that a call waits for the other spans of its trace, event time; 0 where they come in one record
	Horizon time.Duration // that spans are remembered, event time. 0 is no linking
	Memory  int64         // bytes that all partitions of a process may take for that
}

// linker is what the source partitions of one number share: one index, whatever topics the spans of a trace stand in, and how far
// each of them is. It is for concurrent use by their tasks; its lock is taken once a record.
type linker struct {
	wait, slack int64           // event time, ns
	lead        int64           // that spans may be read ahead of scores, event time, ns
	lineBytes   int             // that a delay line may take
	expected    func() []string // topics that have a partition of this number; not to be changed
	folded      *metrics.Counter

	mu    sync.Mutex
	calls *index // calls, spans that name a prompt, and ids
	spans *index // other spans: the way to ancestors, for as long as a call waits
	found []span
	parts map[string]*part
}

// part is one source partition, as those of the same number see it.
type part struct {
	*linker
	topic string
	// hasSpans is whether spans were read from it; sampled, whether it was read far enough to know that it has none.
	hasSpans, sampled atomic.Bool
	// entered is the event time up to which its spans are in the index, passed that up to which they are there with all that
	// they are linked to. Unix ns.
	entered, passed atomic.Int64
	// reached is the event time that two of its records have reached, and never follows the clock.
	reached atomic.Int64
	// until is, by topic, what that topic's partition had reached when the last was asked for of those fetches that found the end of this
	// one: behind it as much may stand here by now as came there. Under the linker's lock.
	until map[string]int64
	// wanted is the event time of the first that waits in its delay line; MaxInt64 when none does.
	wanted atomic.Int64
	// caught is the clock when more was last asked for and there was none, Unix ns: what was written before that has been read.
	caught atomic.Int64
	// atEnd is whether there is nothing more to read for now; full, whether it cannot read on before others let its events go;
	// failing, whether it cannot be read.
	atEnd, full, failing atomic.Bool
}

func newLinker(l Linking, slack time.Duration, partitions, topics int, expected func() []string) *linker {
	memory := int(l.Memory) / max(partitions, 1)
	brief := l.Wait + slack
	return &linker{
		wait: int64(l.Wait), slack: int64(slack), lead: int64(l.Horizon) / 2, expected: expected,
		lineBytes: max(memory/4/max(topics, 1), 64<<10), folded: new(metrics.Counter),
		calls: newIndex(0, int64(l.Horizon), memory/2), spans: newIndex(1, int64(brief), memory/4),
		parts: make(map[string]*part),
	}
}

// join adds a source partition; leave takes it away again.
func (l *linker) join(topic string) *part {
	p := &part{linker: l, topic: topic, until: make(map[string]int64)}
	p.wanted.Store(math.MaxInt64)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parts[topic] = p
	return p
}

func (p *part) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.parts[p.topic] == p {
		delete(p.parts, p.topic)
	}
}

// fails tells the partitions of the same number whether this one cannot be read. A nil part is nobody's.
func (p *part) fails(yes bool) {
	if p != nil {
		p.failing.Store(yes)
	}
}

// others calls yield with every partition of this number but p itself, nil for one that this worker has not taken up, until
// yield is false.
func (p *part) others(yield func(*part) bool) {
	expected := p.expected()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, topic := range expected {
		if topic != p.topic && !yield(p.parts[topic]) {
			return
		}
	}
}

// bounds is how far the other partitions of a number let the events of one go.
type bounds struct {
	calls, scores int64 // event time up to which others hold all that calls, and scores, may be linked to
	came          int64 // clock up to which events have come before others were at their ends
	bare          int64 // clock up to which events have come before others were found to have no spans yet
	stuck         bool  // another is not read, by this worker at least
}

// hold tells whether others hold an event; limit is the event time up to which they let its like go.
func (b *bounds) hold(w *waiting, limit int64) bool {
	return w.came > b.bare || w.time > limit && w.came > b.came
}

// bounds looks at the other partitions. full is whether this one cannot read on before events go.
//
// An event waits for every partition that may hold its spans, as far as event time goes. It does not wait for ever: where the
// times of a partition that is at its end stay behind, be it that its clock is wrong, or that old spans are sent again, nothing
// more is to be had of it by waiting for its time.
func (p *part) bounds(full bool) bounds {
	b := bounds{calls: math.MaxInt64, scores: math.MaxInt64, came: math.MaxInt64, bare: math.MaxInt64}
	patience := p.lead
	if full {
		patience = min(patience, 2*(p.wait+p.slack))
	}
	p.others(func(o *part) bool {
		var entered, passed, caught int64
		read := o != nil
		if read {
			entered, passed, caught = o.entered.Load(), o.passed.Load(), o.caught.Load()
			if !o.hasSpans.Load() && (o.sampled.Load() || caught > 0) {
				// Where it is at its end, its first spans may be there when more is asked for.
				if !o.sampled.Load() && !o.full.Load() && !o.failing.Load() {
					b.bare = min(b.bare, caught)
				}
				return true
			}
			read = !o.failing.Load()
		}
		clogged := read && o.full.Load()
		b.stuck = b.stuck || !read
		// Calls do not stand still for what cannot be read unless it is known to hold spans.
		unsure := o != nil && !read && !o.hasSpans.Load()
		if !(clogged || full && !read || unsure) {
			b.calls = min(b.calls, entered-p.wait)
		}
		if !(clogged && full) {
			b.scores = min(b.scores, passed-p.slack)
		}
		if !read {
			caught = 0
		}
		b.came = min(b.came, caught-patience)
		return true
	})
	return b
}

// ahead tells whether spans of event time t are so far ahead of the scores in other partitions that they would be forgotten
// before those are read.
func (p *part) ahead(t int64) (yes bool) {
	p.others(func(o *part) bool {
		if o == nil || o.failing.Load() || o.full.Load() {
			return true
		}
		at := o.entered.Load()
		if o.atEnd.Load() {
			at = o.until[p.topic]
		}
		yes = at > 0 && t-at > p.lead
		return !yes
	})
	return yes
}

// standing is what the partitions of the other topics have reached, for ended.
func (p *part) standing(at map[string]int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for topic, o := range p.parts {
		at[topic] = o.reached.Load()
	}
}

// ended takes what others had reached when more was asked for, and there was nothing.
func (p *part) ended(at map[string]int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.Copy(p.until, at)
}

// memo is a span to be remembered.
type memo struct {
	trace        uint64
	span, parent uint32
	flags        uint32
	labels       *labels
	id           uint64 // by which scores may name it; 0 is none
	brief        bool
}

// remember takes what a record said. steady is the event time that the partition has reached, passed that of the calls that have
// been looked up: the way to ancestors is kept for all that still wait, in whichever partition. What scores may name is kept for
// those too that have not been read yet, or wait: of a topic with little traffic hours are read at once.
func (p *part) remember(memos []memo, steady, passed int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.linker
	for _, o := range l.parts {
		if o != p && o.hasSpans.Load() && !o.failing.Load() {
			passed = min(passed, o.passed.Load())
		}
	}
	l.spans.turn(steady, passed)
	for _, topic := range l.expected() {
		if topic != p.topic {
			passed = min(passed, l.parts[topic].judging(p.topic))
		}
	}
	l.calls.turn(steady, passed)
	for i := range memos {
		m := &memos[i]
		switch {
		case m.trace == 0:
		case m.brief:
			l.spans.put(m.trace, m.span, m.parent, m.labels, m.flags, m.trace)
		default:
			l.calls.put(m.trace, m.span, m.parent, m.labels, m.flags, m.trace)
		}
		if m.id != 0 {
			l.calls.put(m.id, 1, 0, m.labels, m.flags, cmp.Or(m.trace, m.id))
		}
	}
	l.folded.AddInt64(int64(l.calls.folded + l.spans.folded))
	l.calls.folded, l.spans.folded = 0, 0
}

// judging is the event time from which on scores of the partition may still come that are about spans of a topic. Where it was read to its
// end, these are about what has come there since. A nil part has not been taken up. The caller has the linker's lock.
func (p *part) judging(topic string) int64 {
	switch {
	case p == nil:
		return 0
	case p.failing.Load():
		return p.wanted.Load()
	case p.atEnd.Load():
		return min(p.wanted.Load(), p.until[topic])
	}
	return min(p.wanted.Load(), p.entered.Load())
}

// resolve gives an event what it lacks. intern makes labels of the event's.
func (l *linker) resolve(e *Event, intern func(*Event) *labels) (*labels, linking) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Kind == Score || !e.Call {
		return nil, l.score(e)
	}
	trace := hashTrace(&e.Trace)
	why := linkCall(e, l.trace(trace))
	var known *labels
	if why == linked {
		known = intern(e)
		l.calls.refine(trace, hashSpan(&e.Span), known, trace)
		if len(e.Response) > 0 {
			l.calls.refine(hashID(e.Response), 1, known, trace)
		}
	}
	return known, why
}

func (l *linker) score(e *Event) linking {
	if len(e.Response) > 0 {
		l.found = l.calls.gather(l.found[:0], hashID(e.Response))
		if why := linkScore(e, l.found); why == linked || e.Trace == [16]byte{} {
			return why
		}
	}
	if e.Trace == [16]byte{} {
		return noSpan
	}
	return linkScore(e, l.trace(hashTrace(&e.Trace)))
}

// trace gathers what is remembered of a trace.
func (l *linker) trace(trace uint64) []span {
	l.found = l.calls.gather(l.found[:0], trace)
	l.found = l.spans.gather(l.found, trace)
	return l.found
}

// linkStats are the figures of an index.
type linkStats struct {
	spans, bytes int
	crowded      uint64
}

func (l *linker) stats() linkStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return linkStats{
		spans: l.calls.spans() + l.spans.spans(), bytes: l.calls.size() + l.spans.size(), crowded: l.calls.crowded + l.spans.crowded,
	}
}

// alone tells whether no source partition is left.
func (l *linker) alone() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.parts) == 0
}
