package windows

import (
	"slices"
	"time"
)

// Options of a store. They decide what a replay gives, so every instance that reads a log must have the same.
type Options struct {
	Dimensions  []string // names of a cell key's parts behind prompt and version
	MaxSeries   int      // in the store; a cell that would pass it folds into Other, a rubric of a known cell is dropped; 0 is no limit
	MaxCohorts  int      // of one prompt: tuples of dimension values; 0 is no limit
	MaxVersions int      // of one prompt; 0 is no limit
}

// Other is the label that takes the place of what a cardinality limit keeps out.
const Other = "__other__"

// How much the rings hold.
const (
	minutesKept    = 60 // panes of one minute
	quartersKept   = 96 // panes of fifteen
	quarterMinutes = 15
	maxRubrics     = 1024 // names of rubrics in a store
	maxCells       = 1 << 22
	compactRows    = 512 // samples that an open pane keeps raw before it digests them
)

const (
	minuteNanos = int64(time.Minute)
	hour        = 60 // in minutes
)

// Store holds every series of one samples partition. It is a deterministic function of the batches that it was given, in
// their order. It belongs to one goroutine.
type Store struct {
	opt Options

	cells   map[string]*cell
	byID    []*cell  // nil where a cell was dropped
	free    []uint32 // those places
	prompts map[string]*prompt
	series  int

	newcomers []*version
	batches   uint64 // folded since the log's beginning

	metrics  []string // by number; the built-in ones first; "" where a rubric was dropped
	metricID map[string]uint16
	watched  []watch // by metric

	keepTraces bool    // exemplars are wanted
	gauges     []gauge // of the views
	axes       axisTable

	clockwork // sources, log clock, watermark

	started  bool
	sealed   int64             // the first minute that is not sealed, since the epoch
	open     map[int64][]*cell // cells with an open pane, by minute
	late     []*cell           // cells with rows for panes that were sealed before
	minutes  [minutesKept]segment
	quarters [quartersKept]segment

	views []*View

	merger   merger
	columns  columns
	fold     folding
	building []byte // a segment on its way
	order    []uint64
}

// watch says what views want of a metric.
type watch struct {
	greatest, least bool  // ends that exemplars come from
	summed          bool  // some view has its windows
	gauges          []int // of Store.gauges
}

// NewStore returns an empty store.
func NewStore(o Options) *Store {
	s := &Store{
		opt: o, cells: make(map[string]*cell), prompts: make(map[string]*prompt), metricID: make(map[string]uint16),
		axes: newAxisTable(), open: make(map[int64][]*cell), clockwork: clockwork{sources: make(map[Source]*source)},
	}
	for _, name := range BuiltinNames {
		s.metric(name)
	}
	return s
}

// metric numbers a metric by name; ok is false when there are too many.
func (s *Store) metric(name string) (id uint16, ok bool) {
	if id, ok = s.metricID[name]; ok {
		return id, true
	}
	if name == "" || len(s.metricID) >= int(NumBuiltin)+maxRubrics {
		return 0, false
	}
	return s.addMetric(name), true
}

// addMetric numbers a new metric, whatever the limit.
func (s *Store) addMetric(name string) (id uint16) {
	at := slices.Index(s.metrics, "")
	if at < 0 {
		at = len(s.metrics)
		s.metrics = append(s.metrics, "")
		s.watched = append(s.watched, watch{})
	}
	s.metrics[at] = name
	s.metricID[name] = uint16(at)
	return uint16(at)
}

// Folded counts what became of a batch's samples.
type Folded struct {
	Samples int // taken in
	Values  int // metric values and scores in them
	Skipped int // counted before: below the source's cursor
	Late    int // taken into a pane that was sealed before
	TooLate int // older than the longest window, dropped; Advance tells of those from before the first watermark
	Other   int // folded into Other by a limit
	Dropped int // values of rubrics beyond the limit on their names, or on series
}

// folding is what Fold keeps between batches for reuse.
type folding struct {
	cells  []*cell
	other  []bool
	axes   []uint16
	shapes []foldShape
	cut    foldShape // of the sample at hand
	parts  []string
	key    []byte
}

type foldShape struct {
	header  uint64 // of a row, without the trace bit and the axes
	trace   bool
	values  int // in the batch
	rubrics []uint32
	dropped int
}

const noMetric = 1<<32 - 1

func (f *foldShape) drop(i int) {
	f.rubrics[i] = noMetric
	f.dropped++
	f.header -= 1 << 16
}

// without is the shape without its i-th score.
func (fo *folding) without(shape *foldShape, i int) *foldShape {
	if shape != &fo.cut {
		rubrics := append(fo.cut.rubrics[:0], shape.rubrics...)
		fo.cut = *shape
		fo.cut.rubrics = rubrics
	}
	fo.cut.drop(i)
	return &fo.cut
}

// Fold takes in a batch: samples that were counted before are skipped, the others join the open panes of their cells, and
// the source's cursor, the log's clock and the watermark move. Panes are sealed by Advance, not here.
func (s *Store) Fold(b *Batch) Folded {
	var f Folded
	s.batches++
	src := s.see(b)
	s.prepare(b)
	values, traces := b.values, b.traces
	for i, pos := range b.Pos {
		shape := &s.fold.shapes[b.Shape[i]]
		vals := values[:shape.values*8]
		values = values[len(vals):]
		var trace []byte
		if shape.trace {
			trace, traces = traces[:16], traces[24:]
			if !s.keepTraces {
				trace = nil
			}
		}
		if pos.Less(src.next) {
			f.Skipped++
			continue
		}
		at, ok := s.place(b.Time[i])
		if !ok {
			f.TooLate++
			continue
		}
		ref := b.Cell[i]
		c := s.fold.cells[ref]
		if c == nil {
			c, s.fold.other[ref] = s.resolve(b, b.Cells[ref], b.Time[i])
			s.fold.cells[ref] = c
		}
		if s.fold.other[ref] {
			f.Other++
		}
		p := s.pane(c, at)
		if at.late {
			f.Late++
		}
		shape = s.touch(c, b.Time[i], shape)
		header := shape.header
		if s.axes.wanted && !at.late && Mask(header)&MaskCall != 0 {
			header |= s.axesOf(b, i, c)
		}
		p.add(shape, header, vals, trace)
		if p.n >= compactRows {
			s.compact(c, p)
		}
		f.Samples++
		f.Values += shape.values - shape.dropped
		f.Dropped += shape.dropped
	}
	if n := b.Len(); n > 0 {
		if after := b.Pos[n-1].After(); src.next.Less(after) {
			src.next = after
		}
	}
	return f
}

// prepare translates the batch's tables into the store's numbers.
func (s *Store) prepare(b *Batch) {
	fo := &s.fold
	fo.cells = slices.Grow(fo.cells[:0], len(b.Cells))[:len(b.Cells)]
	clear(fo.cells)
	fo.other = slices.Grow(fo.other[:0], len(b.Cells))[:len(b.Cells)]
	clear(fo.other)
	if s.axes.wanted {
		fo.axes = slices.Grow(fo.axes[:0], len(b.Axes))[:len(b.Axes)]
		clear(fo.axes)
	}
	fo.shapes = slices.Grow(fo.shapes[:0], len(b.Shapes))[:len(b.Shapes)]
	for i, sh := range b.Shapes {
		f := &fo.shapes[i]
		f.values, f.trace, f.dropped = sh.values, sh.Mask&MaskTrace != 0, 0
		f.header = uint64(sh.Mask&^MaskTrace) | uint64(len(sh.Rubrics))<<16
		f.rubrics = f.rubrics[:0]
		for i, name := range sh.Rubrics {
			id, ok := s.metricID[string(name)]
			if !ok {
				id, ok = s.metric(string(name))
			}
			if f.rubrics = append(f.rubrics, uint32(id)); !ok {
				f.drop(i)
			}
		}
	}
}

// place is where a sample belongs by its time.
type place struct {
	at      int64 // minute since the epoch
	quarter bool  // behind the ring of minutes: at is a quarter's first minute
	late    bool  // sealed before
}

// place finds it for event time t; ok is false when t is older than the longest window.
func (s *Store) place(t int64) (p place, ok bool) {
	p.at = t / minuteNanos
	if !s.started || p.at >= s.sealed {
		return p, true
	}
	p.late = true
	if p.at < s.sealed-minutesKept {
		p.quarter = true
		p.at -= p.at % quarterMinutes
	}
	return p, p.at >= (s.sealed/quarterMinutes-quartersKept)*quarterMinutes
}

// Stats are sizes, for gauges.
type Stats struct {
	Prompts, Cells, Series, OpenPanes int
	SealedBytes                       int // of panes
	Sources                           int
}

// Stats counts what the store holds.
func (s *Store) Stats() Stats {
	st := Stats{Prompts: len(s.prompts), Cells: len(s.cells), Series: s.series, Sources: len(s.sources)}
	for _, cells := range s.open {
		st.OpenPanes += len(cells)
	}
	st.OpenPanes += len(s.late)
	for i := range s.minutes {
		st.SealedBytes += len(s.minutes[i].buf)
	}
	for i := range s.quarters {
		st.SealedBytes += len(s.quarters[i].buf)
	}
	return st
}
