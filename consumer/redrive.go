package consumer

import (
	"math"
	"time"

	"github.com/driftd/driftd/windows"
)

// Outcome is what becomes, or became, of an event in the dead letters. The set is closed.
type Outcome uint8

const (
	Offerable     Outcome = iota // it would count now
	StillUnlinked                // it names no prompt, nor can one be found for it
	WasOffered                   // before, or its letter stands there twice
	WasCounted                   // ingest wrote the letter and, when it read the event once more, its sample
	DiesAgain                    // what was wrong with it still is
	TooOld                       // older than a day: detect keeps nothing that it could join
	CutShort                     // of its record only the beginning was kept
	Withheld                     // its record holds secrets, nothing of it was kept
	NotKept                      // nothing of it was kept
	NoSource                     // its topic is none of the sources
	Unsettled                    // ingest has not committed it: it may read it once more, and count it then
	NothingCounts                // the record can be read now, and holds nothing that counts
	NumOutcomes
)

var outcomeNames = [NumOutcomes]string{
	"offered", "still_unlinked", "already_offered", "already_counted", "dies_again", "too_old", "truncated", "private", "not_kept", "no_source",
	"not_settled", "nothing_counts",
}

func (o Outcome) String() string { return outcomeNames[o] }

// keptFor is how far behind detect's watermark an event may be and still join what is kept: the longest window.
const keptFor = 24 * time.Hour

// redriver says what becomes of dead letters when they are offered again. It reads them twice: survey finds out what has to be
// known, judge decides. It does no I/O and is owned by one goroutine.
type redriver struct {
	sources map[string]*letterSource
	native  Decoder
	dims    []string
	sampler *sampler // tries what ingest would make of an event

	oldest  int64                                            // event time before which nothing can be counted, Unix ns
	settled map[windows.Source]int64                         // by source partition, what ingest reads next
	offered *names                                           // before and now
	wanted  map[windows.Source]map[windows.Position]struct{} // may have been counted
	counted map[name128]struct{}
	links   *relinker // nil: nothing is linked

	first, last int64 // event times of what is wanted, Unix ns; first is MaxInt64 before the first
	askedFirst  int64 // and of what has to be linked
	askedLast   int64
	name        []byte
}

// letterSource is a source topic, as its letters are read.
type letterSource struct {
	decoder Decoder
	unwrap  func(*Record) ([]byte, error)
}

func newRedriver(native Decoder, dims []string, scales Scales, linking bool, now int64) *redriver {
	r := &redriver{
		sources: make(map[string]*letterSource), settled: make(map[windows.Source]int64), native: native, dims: dims, sampler: newSampler(dims, scales, func(string) int { return 0 }, leastKnown),
		offered: newNames(), wanted: make(map[windows.Source]map[windows.Position]struct{}), counted: make(map[name128]struct{}),
		first: math.MaxInt64, askedFirst: math.MaxInt64,
	}
	if linking {
		r.links = newRelinker(len(dims))
	}
	r.sampler.begin(now)
	return r
}

// open yields the events of a letter that can be read. What it returns is the outcome of a letter that cannot, else Offerable.
func (r *redriver) open(l *deadLetter, yield func(*Event, windows.Position)) Outcome {
	switch {
	case l.reason == Fine:
		return NoSource
	case l.cut && len(l.record.Value) == 0:
		return Withheld
	case l.cut:
		return CutShort
	case len(l.record.Value) == 0:
		return NotKept
	case r.unsettled(l):
		return Unsettled
	case l.event && !l.reason.mendable():
		return DiesAgain
	case l.event:
		if err := r.native.Decode(l.record.Value, func(e *Event) { yield(e, l.pos) }); err != nil {
			return DiesAgain // with these dimensions it is none
		}
		return Offerable
	}
	src := r.sources[l.source.Topic]
	if src == nil {
		return NoSource
	}
	value, err := l.record.Value, error(nil)
	if src.unwrap != nil {
		value, err = src.unwrap(l.record)
	}
	if err == nil {
		err = src.decoder.Decode(value, func(*Event) {}) // what it says counts whole or not at all
	}
	if err != nil {
		return DiesAgain
	}
	pos := l.pos
	src.decoder.Decode(value, func(e *Event) {
		yield(e, pos)
		pos.Index++
	})
	return Offerable
}

// unsettled tells whether ingest may read the letter's event once more: when it crashes before its commit it does, and may then
// link what it could not, and count it itself.
func (r *redriver) unsettled(l *deadLetter) bool {
	next, read := r.settled[l.source]
	return read && l.pos.Offset >= next
}

// counts tells whether an event is more than a part of its trace.
func counts(e *Event) bool { return e.Call || len(e.Scores) > 0 }

// identify returns the digest of an event's name, which stays in r.name.
func (r *redriver) identify(src windows.Source, pos windows.Position, e *Event) name128 {
	var rubric []byte
	if e.Kind == Score && len(e.Scores) == 1 {
		rubric = e.Scores[0].Rubric
	}
	r.name = appendName(r.name[:0], src, pos, rubric)
	return digest(r.name)
}

// survey notes what has to be known of a letter's events.
func (r *redriver) survey(l *deadLetter) {
	r.open(l, func(e *Event, pos windows.Position) {
		if !counts(e) || e.Fault.Reason != Fine || e.Time < max(r.oldest, earliest) || r.offered.has(r.identify(l.source, pos, e)) {
			return
		}
		places := r.wanted[l.source]
		if places == nil {
			places = make(map[windows.Position]struct{})
			r.wanted[l.source] = places
		}
		places[pos] = struct{}{}
		r.first, r.last = min(r.first, e.Time), max(r.last, e.Time)
		if r.links != nil && len(e.Prompt) == 0 {
			r.links.ask(e)
			r.askedFirst, r.askedLast = min(r.askedFirst, e.Time), max(r.askedLast, e.Time)
		}
	})
}

// sampled takes a batch of samples: what stands there has been counted.
func (r *redriver) sampled(b *windows.Batch) {
	places := r.wanted[b.Source]
	if places == nil {
		return
	}
	for i, pos := range b.Pos {
		if _, wanted := places[pos]; !wanted {
			continue
		}
		r.name = appendName(r.name[:0], b.Source, pos, nil)
		r.counted[digest(r.name)] = struct{}{}
		for _, rubric := range b.Shapes[b.Shape[i]].Rubrics {
			r.name = appendName(r.name[:0], b.Source, pos, rubric)
			r.counted[digest(r.name)] = struct{}{}
		}
	}
}

// learn shows the events of a record to the linker: spans when spans is set, else calls for their response ids.
func (r *redriver) learn(e *Event, spans bool) {
	switch {
	case !r.sampler.admit(e):
	case spans:
		r.links.learn(e)
	default:
		r.links.learnID(e)
	}
}

// offering is an event to be offered again. It is valid during the call that it is passed to.
type offering struct{ name, value []byte }

// judge decides on a letter. done is told the outcome of each event; where it is Offerable, with what to write.
func (r *redriver) judge(l *deadLetter, done func(Outcome, *offering)) {
	none := true
	why := r.open(l, func(e *Event, pos windows.Position) {
		if !counts(e) && e.Fault.Reason == Fine {
			return
		}
		none = false
		o := r.decide(l.source, e, pos)
		if o != Offerable {
			done(o, nil)
			return
		}
		done(o, &offering{name: r.name, value: appendEvent(e, r.dims)})
		for range r.sampler.dead { // some of its scores
			done(DiesAgain, nil)
		}
	})
	switch {
	case why != Offerable:
		done(why, nil)
	case none:
		done(NothingCounts, nil)
	}
}

// decide leaves an event that is Offerable as it is to be offered, and its name in r.name.
func (r *redriver) decide(src windows.Source, e *Event, pos windows.Position) Outcome {
	name := r.identify(src, pos, e)
	_, counted := r.counted[name]
	switch {
	case r.offered.has(name):
		return WasOffered
	case counted:
		return WasCounted
	case e.Fault.Reason == Fine && e.Time >= earliest && e.Time < r.oldest:
		return TooOld
	}
	if len(e.Prompt) == 0 && e.Fault.Reason == Fine {
		why := noSpan
		if r.links != nil {
			why = r.links.resolve(e)
		}
		switch why {
		case linked:
		case nested:
			return NothingCounts
		default:
			return StillUnlinked
		}
	}
	if !r.probe(e) {
		return DiesAgain
	}
	r.offered.add(name)
	return Offerable
}

// probe tells whether ingest would count the event. Of its scores it leaves those that would count, as numbers.
func (r *redriver) probe(e *Event) bool {
	p := r.sampler
	p.begin(p.now)
	if !p.admit(e) {
		return false
	}
	p.emit(e, windows.Position{}, noPrompt)
	if len(p.samples) == 0 {
		return false
	}
	e.Scores = e.Scores[:0]
	for _, v := range p.samples[0].Scores {
		e.Scores = append(e.Scores, ScoreValue{Rubric: v.Rubric, Value: v.Value, HasValue: true})
	}
	return true
}
