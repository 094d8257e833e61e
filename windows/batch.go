package windows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

// A batch is the record of the samples topic: samples of one source partition for one samples partition, as columns with a
// dictionary of their own, beside what detect needs to count each once and to tell the time.
//
//	version 1 byte · crc32c 4 bytes of all that follows · header · tables · columns
//
// Integers are varints; values are 8-byte little-endian floats, contiguous, in the order of each sample's shape.
const batchVersion = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header is what every batch carries beside its samples.
type Header struct {
	Source     Source
	Clock      int64    // the ingest worker's clock, Unix ns
	Watermark  int64    // event time up to which the source partition is taken as complete, Unix ns; 0 before its first event, or Timeless
	Dimensions []string // names of a cell key's parts behind prompt and version
	Announced  []Source // in a heartbeat: the source partitions that exist
}

// Encoder builds the batches of one source partition for one samples partition, one after the other. It keeps the room that they
// took, so that the next one allocates nothing, but not that of a big one among small ones. Owned by one goroutine.
type Encoder struct {
	seq    uint32
	cells  dictionary
	axes   dictionary
	shapes dictionary
	plain  *[1 << 10]Known // shapes without scores, by mask; nil before the first sample

	n                                   int
	cellCol, axesCol, shapeCol, timeCol []byte
	offCol, idxCol, traceCol, valCol    []byte
	last                                Position
	lastTime                            int64
	scratch                             []byte
	small                               int // batches, in a row
}

// Known is the number that an encoder has given a cell in the batch at hand, for a caller that keeps it with what it knows of that
// cell itself, so that the encoder need not look for it. The zero value is nothing yet; it must not be shown to another encoder.
type Known struct{ seq, ref uint32 }

// NewEncoder returns an empty encoder.
func NewEncoder() *Encoder { return &Encoder{seq: 1} }

// Len is the number of samples since the last Reset.
func (e *Encoder) Len() int { return e.n }

// Size is about what the batch will take, in bytes.
func (e *Encoder) Size() int {
	return 256 + len(e.cells.table) + len(e.axes.table) + len(e.shapes.table) + len(e.valCol) + len(e.traceCol) + len(e.timeCol) +
		len(e.cellCol) + len(e.axesCol) + len(e.shapeCol) + len(e.offCol) + len(e.idxCol)
}

// Add appends a sample. Samples come in the order of their positions.
func (e *Encoder) Add(s *Sample) {
	var cell uint32
	switch k := s.Known; {
	case k == nil:
		cell = e.cells.ref(s.Cell)
	case k.seq == e.seq:
		cell = k.ref
	default:
		cell = e.cells.ref(s.Cell)
		*k = Known{e.seq, cell}
	}
	e.cellCol = binary.AppendUvarint(e.cellCol, uint64(cell))
	e.axesCol = binary.AppendUvarint(e.axesCol, uint64(e.axes.ref(s.Axes)))
	e.shapeCol = binary.AppendUvarint(e.shapeCol, uint64(e.shape(s)))
	e.offCol = binary.AppendUvarint(e.offCol, uint64(s.Offset-e.last.Offset))
	e.idxCol = binary.AppendUvarint(e.idxCol, uint64(s.Index))
	e.timeCol = binary.AppendVarint(e.timeCol, s.Time-e.lastTime)
	e.last, e.lastTime = s.Position, s.Time
	if s.Mask&MaskTrace != 0 {
		e.traceCol = append(e.traceCol, s.TraceID[:]...)
		e.traceCol = append(e.traceCol, s.SpanID[:]...)
	}
	for b := range NumBuiltin {
		if s.Mask.Has(b) {
			e.valCol = binary.LittleEndian.AppendUint64(e.valCol, math.Float64bits(s.Values[b]))
		}
	}
	for i := range s.Scores {
		e.valCol = binary.LittleEndian.AppendUint64(e.valCol, math.Float64bits(s.Scores[i].Value))
	}
	e.n++
}

func (e *Encoder) shape(s *Sample) uint32 {
	if len(s.Scores) == 0 {
		if e.plain == nil {
			e.plain = new([1 << 10]Known)
		}
		p := &e.plain[s.Mask&(1<<10-1)]
		if p.seq != e.seq {
			e.scratch = binary.AppendUvarint(e.scratch[:0], uint64(s.Mask))
			*p = Known{e.seq, e.shapes.ref(e.scratch)}
		}
		return p.ref
	}
	e.scratch = binary.AppendUvarint(e.scratch[:0], uint64(s.Mask))
	for i := range s.Scores {
		e.scratch = AppendKey(e.scratch, s.Scores[i].Rubric)
	}
	return e.shapes.ref(e.scratch)
}

// AppendBatch appends the encoded batch to dst. The encoder keeps its samples until Reset.
func (e *Encoder) AppendBatch(dst []byte, h *Header) []byte {
	start := len(dst)
	dst = append(dst, batchVersion, 0, 0, 0, 0)
	dst = appendSource(dst, h.Source)
	dst = binary.AppendVarint(dst, h.Clock)
	dst = binary.AppendVarint(dst, h.Watermark)
	dst = binary.AppendUvarint(dst, uint64(len(h.Dimensions)))
	dst = AppendKey(dst, h.Dimensions...)
	dst = binary.AppendUvarint(dst, uint64(len(h.Announced)))
	for _, s := range h.Announced {
		dst = appendSource(dst, s)
	}
	for _, d := range []*dictionary{&e.cells, &e.axes, &e.shapes} {
		dst = binary.AppendUvarint(dst, uint64(len(d.texts)))
		dst = append(dst, d.table...)
	}
	dst = binary.AppendUvarint(dst, uint64(e.n))
	for _, col := range [][]byte{e.cellCol, e.axesCol, e.shapeCol, e.offCol, e.idxCol, e.timeCol, e.traceCol, e.valCol} {
		dst = append(dst, col...)
	}
	binary.LittleEndian.PutUint32(dst[start+1:], crc32.Checksum(dst[start+5:], castagnoli))
	return dst
}

// smallBatches is how many batches in a row, each of which needs less than an eighth of the room that there is, give it back. A batch
// without samples does at once.
const smallBatches = 64

// Reset starts the next batch.
func (e *Encoder) Reset() {
	e.seq++
	if e.small++; e.Size() > e.room()/8 {
		e.small = 0
	}
	if e.n == 0 || e.small == smallBatches {
		*e = Encoder{seq: e.seq}
		return
	}
	e.cells.reset()
	e.axes.reset()
	e.shapes.reset()
	e.n, e.last, e.lastTime = 0, Position{}, 0
	e.cellCol, e.axesCol, e.shapeCol = e.cellCol[:0], e.axesCol[:0], e.shapeCol[:0]
	e.offCol, e.idxCol, e.timeCol = e.offCol[:0], e.idxCol[:0], e.timeCol[:0]
	e.traceCol, e.valCol = e.traceCol[:0], e.valCol[:0]
}

// room is the memory that batches have needed, bytes.
func (e *Encoder) room() int {
	return e.cells.room() + e.axes.room() + e.shapes.room() + cap(e.valCol) + cap(e.traceCol) + cap(e.timeCol) +
		cap(e.cellCol) + cap(e.axesCol) + cap(e.shapeCol) + cap(e.offCol) + cap(e.idxCol)
}

func appendSource(dst []byte, s Source) []byte {
	dst = AppendKey(dst, s.Topic)
	dst = binary.AppendUvarint(dst, uint64(s.Partition))
	return append(dst, s.Incarnation[:]...)
}

// Batch is a decoded record of the samples topic. Keys and values alias the record; all slices are reused by the next
// Decode.
type Batch struct {
	Header
	Cells  [][]byte // keys
	Axes   [][]byte // keys
	Shapes []Shape

	Cell, Axis, Shape []uint32 // a sample's references into the tables
	Pos               []Position
	Time              []int64
	traces, values    []byte
}

// Shape says what a sample carries: its mask, and the rubrics of its scores.
type Shape struct {
	Mask    Mask
	Rubrics [][]byte
	values  int
}

// ErrBatch is the error for a record that is no batch, or a damaged one.
var ErrBatch = errors.New("bad samples batch")

// Len is the number of samples.
func (b *Batch) Len() int { return len(b.Cell) }

// Decode reads a batch. It checks the checksum and every reference, so that what it accepts can be folded without further
// checks; anything else is ErrBatch.
func (b *Batch) Decode(data []byte) error {
	if len(data) < 5 {
		return fmt.Errorf("%w: %d bytes", ErrBatch, len(data))
	}
	if data[0] != batchVersion {
		return fmt.Errorf("%w: version %d, this driftd reads %d", ErrBatch, data[0], batchVersion)
	}
	if got, want := crc32.Checksum(data[5:], castagnoli), binary.LittleEndian.Uint32(data[1:]); got != want {
		return fmt.Errorf("%w: checksum %08x, want %08x", ErrBatch, got, want)
	}
	r := reader{b: data[5:]}
	b.Source = r.source()
	b.Clock, b.Watermark = r.varint(), r.varint()
	b.Dimensions = r.strings(b.Dimensions[:0], r.count())
	b.Announced = b.Announced[:0]
	for range r.count() {
		b.Announced = append(b.Announced, r.source())
		if r.err {
			break
		}
	}
	b.Cells = r.table(b.Cells[:0])
	b.Axes = r.table(b.Axes[:0])
	b.shapes(&r)
	n := r.count()
	b.Cell = r.column(b.Cell, n, len(b.Cells))
	b.Axis = r.column(b.Axis, n, len(b.Axes))
	b.Shape = r.column(b.Shape, n, len(b.Shapes))
	b.positions(&r, n)
	if r.err {
		return fmt.Errorf("%w: cut short or out of range", ErrBatch)
	}
	traces, values := 0, 0
	for _, s := range b.Shape {
		values += b.Shapes[s].values
		if b.Shapes[s].Mask&MaskTrace != 0 {
			traces++
		}
	}
	if len(r.b) != traces*24+values*8 {
		return fmt.Errorf("%w: %d bytes of values, want %d", ErrBatch, len(r.b), traces*24+values*8)
	}
	b.traces, b.values = r.b[:traces*24], r.b[traces*24:]
	for v := b.values; len(v) > 0; v = v[8:] {
		if f := math.Float64frombits(binary.LittleEndian.Uint64(v)); !(math.Abs(f) <= MaxValue) {
			return fmt.Errorf("%w: value %v", ErrBatch, f)
		}
	}
	return nil
}

func (b *Batch) shapes(r *reader) {
	n := r.count()
	b.Shapes = slices.Grow(b.Shapes[:0], min(n, 64))
	for range n {
		raw := reader{b: r.bytes()}
		if r.err {
			return
		}
		s := Shape{Mask: Mask(raw.uvarint())}
		for len(raw.b) > 0 && !raw.err {
			s.Rubrics = append(s.Rubrics, raw.bytes())
		}
		if raw.err {
			r.err = true
			return
		}
		for m := range NumBuiltin {
			if s.Mask.Has(m) {
				s.values++
			}
		}
		s.values += len(s.Rubrics)
		b.Shapes = append(b.Shapes, s)
	}
}

func (b *Batch) positions(r *reader, n int) {
	b.Pos = slices.Grow(b.Pos[:0], min(n, len(r.b)))
	b.Time = slices.Grow(b.Time[:0], min(n, len(r.b)))
	off := int64(0)
	for range n {
		off += int64(r.uvarint())
		b.Pos = append(b.Pos, Position{Offset: off})
		if r.err = r.err || off < 0; r.err {
			return
		}
	}
	for i := range b.Pos {
		index := r.uvarint()
		b.Pos[i].Index = uint32(index)
		if index >= math.MaxUint32 || i > 0 && !b.Pos[i-1].Less(b.Pos[i]) {
			r.err = true
		}
		if r.err {
			return
		}
	}
	t := int64(0)
	for range n {
		t += r.varint()
		b.Time = append(b.Time, t)
		r.err = r.err || t < 0
	}
}
