package windows

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/influxdata/tdigest"
)

// A sealed pane of a cell is one byte string that holds all its series, pointer-free:
//
//	calls uvarint · entries, ascending by key: key uvarint · length uvarint · payload
//
// The key is the metric times four, for its figures; plus one for the exemplars with the greatest values, plus two for those
// with the least. The payload of figures is a table, or
// n · sum · sum of squares · least · greatest · digest.

// figures are what a pane or a window knows of one series.
type figures struct {
	n        int64
	sum      Sum
	squares  float64
	min, max float64
	dist     dist
}

func (f *figures) reset() {
	pts := f.dist.pts[:0]
	if cap(pts) > sparePoints {
		pts = nil
	}
	*f = figures{dist: dist{exact: true, pts: pts}, min: math.Inf(1), max: math.Inf(-1)}
}

// appendValues appends the payload of values, which it sorts. f is its scratch.
func (g *digester) appendValues(dst []byte, f *figures, values []float64) []byte {
	f.reset()
	constant := true
	for _, v := range values {
		if v != values[0] {
			constant = false
			break
		}
	}
	if constant { // error and fallback, mostly, and panes of one value
		f.dist.pts = append(f.dist.pts, tdigest.Centroid{Mean: values[0], Weight: float64(len(values))})
	} else {
		slices.Sort(values)
		g.ofSorted(&f.dist, values, minuteCompression)
	}
	if f.dist.exact {
		var ok bool
		if dst, ok = f.dist.appendTable(dst); ok {
			return dst
		}
	}
	for _, v := range values {
		f.sum = f.sum.Add(SumOf(v))
		f.squares += v * v
	}
	f.n, f.min, f.max = int64(len(values)), values[0], values[len(values)-1]
	return f.appendDigest(dst)
}

// total is the sum of the values that appendValues has appended.
func (f *figures) total() Sum {
	if !f.dist.exact {
		return f.sum
	}
	var sum Sum
	for _, p := range f.dist.pts {
		sum = sum.Add(SumOf(p.Mean).Times(int64(p.Weight)))
	}
	return sum
}

// fromTable derives the figures from an exact distribution.
func (f *figures) fromTable() {
	f.n, f.sum, f.squares = 0, Sum{}, 0
	for _, p := range f.dist.pts {
		n := int64(p.Weight)
		f.n += n
		f.sum = f.sum.Add(SumOf(p.Mean).Times(n))
		f.squares += p.Weight * p.Mean * p.Mean
	}
	if len(f.dist.pts) > 0 {
		f.min, f.max = f.dist.pts[0].Mean, f.dist.pts[len(f.dist.pts)-1].Mean
	}
}

// append appends the payload. A distribution that is not worth a table becomes a digest of its points.
func (f *figures) append(dst []byte) []byte {
	if f.dist.exact {
		var ok bool
		if dst, ok = f.dist.appendTable(dst); ok {
			return dst
		}
	}
	return f.appendDigest(dst)
}

func (f *figures) appendDigest(dst []byte) []byte {
	dst = append(dst, formDigest)
	dst = binary.AppendUvarint(dst, uint64(f.n))
	dst = binary.AppendVarint(dst, f.sum.hi)
	dst = binary.LittleEndian.AppendUint64(dst, f.sum.lo)
	for _, v := range []float64{f.squares, f.min, f.max} {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	return f.dist.appendDigest(dst)
}

// add reads a payload and adds it to f. The distribution is left unsorted: normalize it when all is added.
func (f *figures) add(payload []byte) {
	r := reader{b: payload[1:]}
	from := len(f.dist.pts)
	if payload[0] != formDigest {
		f.dist.pts = readTable(&r, payload[0], f.dist.pts)
		var t figures
		t.dist.pts = f.dist.pts[from:]
		t.fromTable()
		f.addMoments(&t)
		return
	}
	var t figures
	t.moments(&r)
	f.dist.pts = readDigest(&r, f.dist.pts)
	f.dist.exact = false
	f.addMoments(&t)
}

// addMomentsOf is add without the distribution, which it spoils.
func (f *figures) addMomentsOf(payload []byte) {
	r := reader{b: payload[1:]}
	t := figures{dist: dist{pts: f.dist.pts[:0]}}
	if payload[0] == formDigest {
		t.moments(&r)
	} else {
		t.dist.pts = readTable(&r, payload[0], t.dist.pts)
		t.fromTable()
		f.dist.pts = t.dist.pts
	}
	f.addMoments(&t)
}

func (f *figures) addMoments(t *figures) {
	f.n += t.n
	f.sum = f.sum.Add(t.sum)
	f.squares += t.squares
	if t.n > 0 {
		f.min, f.max = min(f.min, t.min), max(f.max, t.max)
	}
}

func (f *figures) moments(r *reader) {
	f.n = int64(r.uvarint())
	f.sum.hi = r.varint()
	f.sum.lo = r.uint64()
	f.squares, f.min, f.max = r.float(), r.float(), r.float()
}

// payloadTotals reads count and sum alone.
func payloadTotals(payload []byte) (n int64, sum Sum) {
	r := reader{b: payload[1:]}
	if payload[0] == formDigest {
		n = int64(r.uvarint())
		sum.hi = r.varint()
		sum.lo = r.uint64()
		return n, sum
	}
	if payload[0] != formRaw && payload[0] > maxDecimals {
		return 0, sum
	}
	last := int64(0)
	for range r.count() {
		var v float64
		if payload[0] == formRaw {
			v = r.float()
		} else {
			last += r.varint()
			v = float64(last) / pow10[payload[0]]
		}
		w := int64(r.uvarint())
		n += w
		sum = sum.Add(SumOf(v).Times(w))
	}
	return n, sum
}

// entry is one series, or its exemplars, in a cell's pane.
type entry struct {
	key     uint32
	payload []byte
}

const (
	greatest = 1
	least    = 2
)

func figuresKey(metric uint16) uint32              { return uint32(metric) << 2 }
func exemplarKey(metric uint16, end uint32) uint32 { return uint32(metric)<<2 | end }

// blobReader walks a sealed pane.
type blobReader struct {
	calls int64
	r     reader
}

func readBlob(blob []byte) blobReader {
	b := blobReader{r: reader{b: blob}}
	b.calls = int64(b.r.uvarint())
	return b
}

// next returns entries until ok is false.
func (b *blobReader) next() (e entry, ok bool) {
	if len(b.r.b) == 0 {
		return entry{}, false
	}
	e.key = uint32(b.r.uvarint())
	e.payload = b.r.bytes()
	return e, !b.r.err && len(e.payload) > 0
}

// find returns the payload under key, or nil.
func findEntry(blob []byte, key uint32) []byte {
	b := readBlob(blob)
	for {
		e, ok := b.next()
		if !ok || e.key > key {
			return nil
		}
		if e.key == key {
			return e.payload
		}
	}
}

// merger merges sealed panes of one cell into one. Owned by one goroutine.
type merger struct {
	digester
	heads   []head
	run     [][]byte // payloads under one key
	fig     figures
	payload []byte
	worst   []exemplar

	aggregate figures // for the windows
}

// merge appends the pane that holds everything of blobs. Its result depends on their order only in the last digits of
// sums of squares and of digests, so callers pass them in the order of time.
func (m *merger) merge(dst []byte, compression float64, blobs ...[]byte) []byte {
	calls := int64(0)
	m.heads = m.heads[:0]
	for _, blob := range blobs {
		h := head{rest: readBlob(blob)}
		calls += h.rest.calls
		if h.advance() {
			m.heads = append(m.heads, h)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(calls))
	for len(m.heads) > 0 {
		key := m.heads[0].key
		for i := range m.heads[1:] {
			key = min(key, m.heads[i+1].key)
		}
		m.run = m.run[:0]
		left := m.heads[:0]
		for i := range m.heads {
			h := m.heads[i]
			if h.key == key {
				m.run = append(m.run, h.payload)
				if !h.advance() {
					continue
				}
			}
			left = append(left, h)
		}
		m.heads = left
		m.payload = m.payload[:0]
		switch {
		case len(m.run) == 1:
			m.payload = append(m.payload, m.run[0]...)
		case key&3 != 0:
			m.payload = m.mergeExemplars(m.payload, key&3 == least)
		default:
			m.gather(compression)
			m.payload = m.fig.append(m.payload)
		}
		dst = appendEntry(dst, key, m.payload)
	}
	return dst
}

// head is where merge is in one pane.
type head struct {
	entry
	rest blobReader
}

func (h *head) advance() (ok bool) {
	h.entry, ok = h.rest.next()
	return ok
}

// gather adds the payloads of a run up. Where all are tables their figures follow from the table that they make together.
func (m *merger) gather(compression float64) {
	f := &m.fig
	f.reset()
	for _, payload := range m.run {
		if payload[0] == formDigest {
			f.dist.exact = false
		}
	}
	for _, payload := range m.run {
		if !f.dist.exact {
			f.add(payload)
			continue
		}
		r := reader{b: payload[1:]}
		f.dist.pts = readTable(&r, payload[0], f.dist.pts)
	}
	if f.dist.exact {
		m.order(&f.dist)
		f.fromTable()
	}
	m.normalize(&f.dist, compression)
}

func appendEntry(dst []byte, key uint32, payload []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(key))
	dst = binary.AppendUvarint(dst, uint64(len(payload)))
	return append(dst, payload...)
}

// maxExemplars is how many trace ids a pane keeps of a series, those with the worst values.
const maxExemplars = 3

// exemplar is a trace to look at: 8 bytes of value and 16 of trace id in a pane.
type exemplar struct {
	value float64
	trace [16]byte
}

// keepWorst inserts e into worst, worst first, if it belongs there. Of equal values the lesser trace id is first, so that the
// result does not depend on the order of cells.
func keepWorst(worst []exemplar, e exemplar, lowIsWorse bool) []exemplar {
	i := len(worst)
	for i > 0 && e.before(&worst[i-1], lowIsWorse) {
		i--
	}
	if i == maxExemplars {
		return worst
	}
	worst = slices.Insert(worst, i, e)
	return worst[:min(len(worst), maxExemplars)]
}

func (e *exemplar) before(o *exemplar, lowIsWorse bool) bool {
	if e.value != o.value {
		return e.value > o.value != lowIsWorse
	}
	return bytes.Compare(e.trace[:], o.trace[:]) < 0
}

func appendExemplars(dst []byte, worst []exemplar) []byte {
	for _, e := range worst {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(e.value))
		dst = append(dst, e.trace[:]...)
	}
	return dst
}

func readExemplars(worst []exemplar, payload []byte, lowIsWorse bool) []exemplar {
	for r := (reader{b: payload}); len(r.b) >= 24; {
		e := exemplar{value: r.float()}
		copy(e.trace[:], r.take(16))
		worst = keepWorst(worst, e, lowIsWorse)
	}
	return worst
}

func (m *merger) mergeExemplars(dst []byte, lowIsWorse bool) []byte {
	m.worst = m.worst[:0]
	for _, payload := range m.run {
		m.worst = readExemplars(m.worst, payload, lowIsWorse)
	}
	return appendExemplars(dst, m.worst)
}
