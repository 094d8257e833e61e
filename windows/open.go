package windows

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// openPane holds the samples of a cell for one place as rows:
//
//	header: mask, scores<<16, axes<<48 · trace id, 2 words if MaskTrace · built-in values by mask · for each score its metric and value
//
// They are taken apart when the pane is sealed.
type openPane struct {
	place
	n        int32 // rows
	digested int32 // samples in partial; after a restart the calls among them
	rows     []uint64
	partial  []byte // what was digested before the rows: length of its axes and what gauges said of it, these, pane
}

func (p *openPane) add(shape *foldShape, header uint64, vals, trace []byte) {
	rows := p.rows
	at := len(rows)
	rows = append(rows, header)
	if trace != nil {
		rows[at] |= uint64(MaskTrace)
		rows = append(rows, binary.LittleEndian.Uint64(trace), binary.LittleEndian.Uint64(trace[8:]))
	}
	plain := len(vals) - 8*len(shape.rubrics)
	for v := vals[:plain]; len(v) >= 8; v = v[8:] {
		rows = append(rows, binary.LittleEndian.Uint64(v))
	}
	for i, id := range shape.rubrics {
		if id != noMetric {
			rows = append(rows, uint64(id), binary.LittleEndian.Uint64(vals[plain+8*i:]))
		}
	}
	p.rows = rows
	p.n++
}

// countRows counts the rows of an open pane; ok is false where they are not whole, or name a metric or axes out of range.
func countRows(rows []uint64, metrics, axes int) (n int32, ok bool) {
	for ; len(rows) > 0; n++ {
		mask, scores := Mask(rows[0]), uint64(uint32(rows[0]>>16))
		if rows[0]>>axesShift >= uint64(axes) {
			return n, false
		}
		size := 1 + bits.OnesCount16(uint16(mask&(1<<NumBuiltin-1)))
		if mask&MaskTrace != 0 {
			size += 2
		}
		if uint64(len(rows)) < uint64(size)+2*scores {
			return n, false
		}
		for rows = rows[size:]; scores > 0; scores-- {
			if rows[0] >= uint64(metrics) {
				return n, false
			}
			rows = rows[2:]
		}
	}
	return n, true
}

// before orders a cell's open panes by time. There may be many: those of a day when a source partition is as far behind.
func (p place) before(q place) bool { return p.at < q.at || p.at == q.at && !p.quarter && q.quarter }

// pane finds or opens the cell's pane for a place.
func (s *Store) pane(c *cell, at place) *openPane {
	n := len(c.open)
	i, hasLate := 0, n > 0 && c.open[0].late
	for end := n; i < end; {
		if mid := (i + end) / 2; c.open[mid].before(at) {
			i = mid + 1
		} else {
			end = mid
		}
	}
	if i < n && c.open[i].place == at {
		return &c.open[i]
	}
	if !at.late {
		s.open[at.at] = append(s.open[at.at], c)
	} else if !hasLate {
		s.late = append(s.late, c)
	}
	if n == cap(c.open) {
		c.open = append(c.open, openPane{})
	}
	c.open = c.open[:n+1] // a pane that was sealed may have left its buffer there
	rows := c.open[n].rows[:0]
	copy(c.open[i+1:], c.open[i:n])
	c.open[i] = openPane{place: at, rows: rows}
	return &c.open[i]
}

// spareBuffers is how many panes' buffers a cell keeps for the next ones.
const spareBuffers = 4

// closePane takes the i-th open pane away; its buffer stays behind the end of c.open for the next one.
func (c *cell) closePane(i int) {
	last := len(c.open) - 1
	p := openPane{rows: c.open[i].rows}
	copy(c.open[i:], c.open[i+1:])
	if last >= spareBuffers {
		p.rows = nil
	}
	c.open[last] = p
	c.open = c.open[:last]
	if last < spareBuffers && cap(c.open) > 4*spareBuffers { // there had been a pile of them
		c.open = slices.Clone(c.open[:spareBuffers])[:last]
	}
}

// compact digests the rows of an open pane that has many.
func (s *Store) compact(c *cell, p *openPane) {
	pane := s.columns.seal(s, p)
	var beside []byte
	if !p.late {
		beside = s.columns.appendGauges(s.columns.appendAxes(nil), s)
	}
	partial := make([]byte, 0, binary.MaxVarintLen32+len(beside)+len(pane))
	partial = binary.AppendUvarint(partial, uint64(len(beside)))
	partial = append(partial, beside...)
	p.partial = append(partial, pane...)
	p.rows, p.n, p.digested = p.rows[:0], 0, p.digested+p.n
}
