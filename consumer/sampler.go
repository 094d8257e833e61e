package consumer

import (
	"fmt"
	"math"
	"slices"

	"github.com/driftd/driftd/windows"
)

const (
	maxPrompt    = 256 // bytes of a prompt's name; longer ones are template text
	maxDimension = 128 // bytes of a version or a dimension
	maxAxis      = 256 // bytes of an axis
	maxRubric    = 128 // bytes of a rubric's name

	// maxRubrics bounds the rubrics remembered during a round; past it the memory starts afresh.
	maxRubrics = 1 << 12

	// maxKept bounds the samples that memory is kept for from one record to the next.
	maxKept = 1 << 14

	// earliest is the year 2000 in Unix ns: an older time is one in a wrong unit.
	earliest = 946684800e9

	// ahead is how far an event may be ahead of the ingest worker's clock, ns.
	ahead = 5 * 60e9
)

// sampler turns events into samples and dead letters. Nothing of a record counts before its commit.
type sampler struct {
	dims      []string
	scales    Scales
	partition func(prompt string) int // of the samples topic
	cells     recent[*cell]           // by cell key; their labels have been checked
	axes      []byte                  // key checked last
	rubrics   map[string]*rubric

	// Of the record at hand.
	now     int64 // the ingest worker's clock, Unix ns
	newest  int64 // event time
	tally   tally
	samples []windows.Sample
	lanes   []int32 // of each sample
	arena   []byte  // their keys
	scores  []windows.Score
	dead    []refused
	found   *cell  // of the event at hand, when it has been looked for; key is its
	key     []byte // of the cell and the axes of the event at hand
	cellLen int    // of the cell's part
}

// refused is an event that becomes a dead letter.
type refused struct {
	fault Fault
	pos   windows.Position
	event []byte // native JSON without any text
}

// rubric is a rubric's scale as rules had it when this round began.
type rubric struct {
	scale Scale
	known bool
}

// tally counts what became of events.
type tally struct {
	records, tombstones, bytes               uint64
	samples, scores, unlinked, notInferences uint64
	unversioned                              uint64
	repeated                                 uint64 // offered again more than once
	duplicates                               uint64 // spans and scores that were sent more than once
	dead                                     [numReasons]uint64
	early                                    uint64             // calls that left a full delay line before their time
	calls, judged                            [numLinking]uint64 // that needed a link, and what became of it
	keys                                     [numKeying]uint64
}

// link counts what became of an event that needed a link.
func (t *tally) link(e *Event, why linking) {
	if e.Call {
		t.calls[why]++
	} else {
		t.judged[why]++
	}
}

// newSampler makes a sampler that may take so many bytes for what it knows of cells.
func newSampler(dims []string, scales Scales, partition func(string) int, known int) *sampler {
	return &sampler{
		dims: dims, scales: scales, partition: partition, cells: recent[*cell]{max: known}, rubrics: map[string]*rubric{},
	}
}

// begin starts a record, or a batch of events that have waited.
func (s *sampler) begin(now int64) {
	s.now, s.newest, s.tally = now, 0, tally{}
	if cap(s.samples) > maxKept {
		s.samples, s.lanes, s.arena, s.scores = nil, nil, nil, nil
	}
	s.samples, s.lanes, s.dead = s.samples[:0], s.lanes[:0], s.dead[:0]
	s.arena, s.scores = s.arena[:0], s.scores[:0]
}

// refresh forgets what rubrics' scales were, for the rules may have been read again, and cells that are idle at clock now.
func (s *sampler) refresh(now int64) {
	clear(s.rubrics)
	s.cells.age(now)
}

// admit looks at what must be right before an event may be linked or drag time along; it leaves the fault in the event.
func (s *sampler) admit(e *Event) bool {
	switch {
	case e.Fault.Reason != Fine:
	case e.Time < earliest:
		e.Refuse(BadTime, "the time is missing or before the year 2000; Unix times are in nanoseconds")
	case e.Time > s.now+ahead:
		e.Refuse(Future, "the time is more than 5 min ahead of the ingest worker's clock")
	default:
		s.newest = max(s.newest, e.Time)
		checkFigures(e)
	}
	return e.Fault.Reason == Fine
}

// emit makes a sample of an event that was admitted. why tells what became of it if it still has no prompt.
func (s *sampler) emit(e *Event, pos windows.Position, why linking) {
	if e.Kind == Span && !e.Call {
		s.tally.notInferences++
		e.Has = 0
		if len(e.Scores) == 0 {
			return
		}
	}
	if len(e.Prompt) == 0 {
		if e.Call && why != nested { // that is counted as the call around it
			s.tally.unlinked++
		}
		for i := range e.Scores {
			s.refuseScore(e, pos, &e.Scores[i], Unlinked, unlinkedDetail[why])
		}
		return
	}
	c, fault := s.found, Fault{}
	if c == nil {
		if c, fault = s.find(e); fault.Reason != Fine {
			s.refuse(e, pos, fault)
			return
		}
	}
	s.found = nil
	first := len(s.scores)
	for i := range e.Scores {
		s.score(e, pos, &e.Scores[i], first)
	}
	if !e.Call && len(s.scores) == first {
		return
	}
	s.add(e, pos, c, s.scores[first:len(s.scores):len(s.scores)])
}

// unlinkedDetail is what a dead letter says of a score that found no prompt.
var unlinkedDetail = [numLinking]string{
	noSpan:    "the score names no prompt, and its span is not remembered",
	noPrompt:  "the score names no prompt, nor does any span of its trace",
	ambiguous: "the score names no prompt, and its trace has several",
	nested:    "the call that is scored is inside another call",
	crowded:   "the score names no prompt, and its trace has more spans than are remembered",
}

// checkFigures refuses an event with a figure that no call can have.
func checkFigures(e *Event) {
	for b := range windows.NumBuiltin {
		if !e.Has.Has(b) {
			continue
		}
		switch v := e.Values[b]; {
		case v >= 0 && v <= windows.MaxValue:
		case b == windows.BuiltinLatency && v < 0:
			e.Refuse(NegativeLatency, "latency is negative")
		default:
			e.Refuse(BadValue, windows.BuiltinNames[b]+" is not finite, negative or too large")
		}
	}
}

// cell is what is known of a cell whose labels have been checked.
type cell struct {
	lane  int32
	key   int32         // its length
	known windows.Known // to the lane's encoder

	labels *labels // of a call of the cell: the last that was asked for
}

// size is about the memory that it takes, with what it takes to find it, bytes.
func (c *cell) size() int {
	n := 96 + int(c.key)
	if c.labels != nil {
		n += c.labels.size()
	}
	return n
}

// find returns the event's cell, and leaves its checked keys in s.key for add.
func (s *sampler) find(e *Event) (*cell, Fault) {
	s.key = windows.AppendKey(s.key[:0], e.Prompt, e.Version)
	s.key = windows.AppendKey(s.key, e.Dimensions...)
	c, known := s.cells.get(s.key)
	if !known {
		if f := checkLabels(e); f.Reason != Fine {
			return nil, f
		}
		c = &cell{lane: int32(s.partition(string(e.Prompt))), key: int32(len(s.key))}
		s.cells.put(string(s.key), c)
	}
	s.cellLen = len(s.key)
	s.key = windows.AppendKey(s.key, e.TemplateHash, e.Model, e.Variant, e.Environment)
	if axes := s.key[s.cellLen:]; string(s.axes) != string(axes) {
		if f := checkAxes(e); f.Reason != Fine {
			return nil, f
		}
		s.axes = append(s.axes[:0], axes...)
	}
	return c, Fault{}
}

// add appends the sample of an event whose keys find has just made.
func (s *sampler) add(e *Event, pos windows.Position, c *cell, scores []windows.Score) {
	start := len(s.arena)
	s.arena = append(s.arena, s.key...)
	keys := s.arena[start:len(s.arena):len(s.arena)]
	s.samples = slices.Grow(s.samples, 1)[:len(s.samples)+1]
	m := &s.samples[len(s.samples)-1]
	m.Position, m.Time = pos, e.Time
	m.Cell, m.Axes, m.Known = keys[:s.cellLen:s.cellLen], keys[s.cellLen:], &c.known
	m.TraceID, m.SpanID = e.Trace, e.Span
	m.Mask, m.Values, m.Scores = e.Has, e.Values, scores
	if e.Call {
		m.Mask |= windows.MaskCall
		s.tally.samples++
		if len(e.Version) == 0 {
			s.tally.unversioned++
		}
		// Who writes error or fallback only when there was one must not get a rate of 100 %.
		for _, b := range [...]windows.Builtin{windows.BuiltinError, windows.BuiltinFallback} {
			if !e.Has.Has(b) {
				m.Mask |= 1 << b
				m.Values[b] = 0
			}
		}
	}
	if e.Trace != [16]byte{} {
		m.Mask |= windows.MaskTrace
	}
	s.tally.scores += uint64(len(scores))
	s.lanes = append(s.lanes, c.lane)
}

// score adds a score, or refuses it alone.
func (s *sampler) score(e *Event, pos windows.Position, v *ScoreValue, first int) {
	r, ok := s.rubrics[string(v.Rubric)]
	if !ok {
		if f := checkRubric(v.Rubric); f.Reason != Fine {
			s.refuseScore(e, pos, v, f.Reason, f.Detail)
			return
		}
		r = &rubric{}
		if s.scales != nil {
			r.scale, r.known = s.scales.Scale(string(v.Rubric))
		}
		if len(s.rubrics) >= maxRubrics {
			s.rubrics = map[string]*rubric{}
		}
		s.rubrics[string(v.Rubric)] = r
	}
	value := v.Value
	switch {
	case v.HasValue:
		if !(math.Abs(value) <= windows.MaxValue) {
			s.refuseScore(e, pos, v, BadValue, "the score is not finite or too large")
			return
		}
	case len(v.Label) > 0:
		if value, ok = r.scale.Labels[string(v.Label)]; !ok {
			s.refuseScore(e, pos, v, UnknownLabel, "the rubric's scale has no such label")
			return
		}
	default:
		s.refuseScore(e, pos, v, NoValue, "the score has neither value nor label")
		return
	}
	if r.known && r.scale.HasRange && !(value >= r.scale.Min && value <= r.scale.Max) {
		s.refuseScore(e, pos, v, OutOfRange, fmt.Sprintf("%v is not in %v to %v", value, r.scale.Min, r.scale.Max))
		return
	}
	for i := first; i < len(s.scores); i++ {
		if string(s.scores[i].Rubric) == string(v.Rubric) {
			s.refuseScore(e, pos, v, DuplicateRubric, "the event has another score on this rubric")
			return
		}
	}
	start := len(s.arena)
	s.arena = append(s.arena, v.Rubric...)
	s.scores = append(s.scores, windows.Score{Rubric: s.arena[start:len(s.arena):len(s.arena)], Value: value})
}

func (s *sampler) refuse(e *Event, pos windows.Position, f Fault) {
	s.tally.dead[f.Reason]++
	s.dead = append(s.dead, refused{f, pos, appendEvent(e, s.dims)})
}

func (s *sampler) refuseScore(e *Event, pos windows.Position, v *ScoreValue, r Reason, detail string) {
	s.tally.dead[r]++
	s.dead = append(s.dead, refused{Fault{r, detail}, pos, appendScore(e, s.dims, v)})
}

func (t *tally) add(o *tally) {
	t.records += o.records
	t.tombstones += o.tombstones
	t.bytes += o.bytes
	t.samples += o.samples
	t.scores += o.scores
	t.unlinked += o.unlinked
	t.notInferences += o.notInferences
	t.unversioned += o.unversioned
	t.repeated += o.repeated
	t.duplicates += o.duplicates
	for i := range t.dead {
		t.dead[i] += o.dead[i]
	}
	t.early += o.early
	for i := range t.calls {
		t.calls[i] += o.calls[i]
		t.judged[i] += o.judged[i]
	}
	for i := range t.keys {
		t.keys[i] += o.keys[i]
	}
}
