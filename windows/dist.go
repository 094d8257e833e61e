package windows

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/influxdata/tdigest"
)

// Compression of the digests at each level: of a minute pane, of a quarter-hour pane, and of the running aggregates that a
// window is read from. On lognormal latencies with a daily swing, 10 and 100 a minute, p50, p95 and p99 are within 1, 1 and
// 4 % over 1 h and within 0.5, 1 and 1 % over 24 h (TestQuantileErrors).
const (
	minuteCompression    = 30
	quarterCompression   = 50
	aggregateCompression = 200
)

// A table of value → count stays exact up to tableLimit distinct values, as rubrics need: they are often 0/1 or 1–5, where
// a digest is wrong at the steps. Values that are no short decimals cost 8 bytes each and are kept up to rawLimit.
const (
	tableLimit   = 64
	rawLimit     = 10
	maxDecimals  = 4
	decimalRange = 1 << 40
)

// dist is a distribution as points in ascending order: distinct values with their counts when exact, else the centroids of a
// t-digest.
type dist struct {
	exact bool
	pts   tdigest.CentroidList
}

// sparePoints is how much room is kept between two uses: enough for a day of one cell. A day of a whole prompt takes megabytes once.
const sparePoints = 16 << 10

// digester owns the buffers for building and merging distributions. Owned by one goroutine.
type digester struct {
	td    map[float64]*tdigest.TDigest // by compression
	spare tdigest.CentroidList
	runs  []int
}

// compress makes about so many centroids of points, in their place.
func (g *digester) compress(pts tdigest.CentroidList, compression float64) tdigest.CentroidList {
	if len(pts) <= int(compression) {
		return pts
	}
	td := g.td[compression]
	if td == nil {
		if g.td == nil {
			g.td = make(map[float64]*tdigest.TDigest)
		}
		td = tdigest.NewWithCompression(compression)
		g.td[compression] = td
	}
	td.Reset()
	td.AddCentroidList(pts)
	return td.Centroids(pts[:0])
}

// order sorts the points and folds equal values. They come as ascending runs, one a pane; few are merged pairwise.
func (g *digester) order(d *dist) {
	a, b := d.pts, slices.Grow(g.spare[:0], len(d.pts))[:len(d.pts)]
	runs := runsOf(g.runs[:0], a)
	if len(runs) > manyRuns && len(a) > manyPoints {
		a, b = radix(a, b)
		settle(a)
		runs = runsOf(runs[:0], a)
	}
	for len(runs) > 2 {
		left := runs[:0]
		for i := 0; i+1 < len(runs); i += 2 {
			from := runs[i]
			left = append(left, from)
			if i+2 == len(runs) { // the odd one
				copy(b[from:], a[from:])
				break
			}
			mergeRuns(b[from:runs[i+2]], a[from:runs[i+1]], a[runs[i+1]:runs[i+2]])
		}
		runs = append(left, len(a))
		a, b = b, a
	}
	d.pts, g.spare, g.runs = a, b, runs
	if cap(b) > sparePoints {
		g.spare = nil
	}
	d.foldEqual()
}

// runsOf are where the ascending runs of points begin, and the end.
func runsOf(dst []int, pts tdigest.CentroidList) []int {
	dst = append(dst, 0)
	for i := 1; i < len(pts); i++ {
		if pts[i].Mean < pts[i-1].Mean {
			dst = append(dst, i)
		}
	}
	return append(dst, len(pts))
}

// fewRuns is up to how many runs the upper half of a distribution is read without putting all of it in order.
const fewRuns = 16

// runs are ascending.
type runs struct {
	of [fewRuns][]tdigest.Centroid
	n  int
}

// pop takes the greatest point away.
func (r *runs) pop() (p tdigest.Centroid, ok bool) {
	if r.n == 0 {
		return p, false
	}
	best := 0
	for i := 1; i < r.n; i++ {
		if r.of[i][len(r.of[i])-1].Mean > r.of[best][len(r.of[best])-1].Mean {
			best = i
		}
	}
	last := len(r.of[best]) - 1
	p = r.of[best][last]
	if r.of[best] = r.of[best][:last]; last == 0 {
		r.n--
		r.of[best] = r.of[r.n]
	}
	return p, true
}

// quantile is dist.quantile of points that may be a few ascending runs. In the upper half it walks down from the top of all
// runs at once, which for a p95 is past a part of the points only.
func (g *digester) quantile(d *dist, q, lo, hi float64) float64 {
	var r runs
	from, total := 0, 0.0
	for i := range d.pts {
		total += d.pts[i].Weight
		if i+1 < len(d.pts) && d.pts[i+1].Mean >= d.pts[i].Mean {
			continue
		}
		if r.n < fewRuns {
			r.of[r.n] = d.pts[from : i+1]
		}
		r.n, from = r.n+1, i+1
	}
	if q < 0.5 || r.n > fewRuns || r.n == 0 {
		g.order(d)
		return d.quantile(q, lo, hi)
	}
	at, rank := q*total, rankOf(q, total)
	below, next, nextAt := total, hi, total
	top, more := r.pop()
	for more {
		var p tdigest.Centroid
		if p, more = r.pop(); more && p.Mean == top.Mean { // one point, as in order
			top.Weight += p.Weight
			continue
		}
		below -= top.Weight
		mid := below + top.Weight/2
		switch {
		case d.exact && below < rank:
			return top.Mean
		case !d.exact && mid <= at:
			if nextAt == mid {
				return next
			}
			return min(max(top.Mean+(next-top.Mean)*(at-mid)/(nextAt-mid), lo), hi)
		}
		next, nextAt = top.Mean, mid
		top = p
	}
	return min(max(lo+(next-lo)*at/nextAt, lo), hi)
}

// rankOf is the nearest rank of a quantile. 0.55·100 is a little more than 55 in floats.
func rankOf(q, total float64) float64 { return math.Ceil(q * total * (1 - 1e-12)) }

// mergeRuns fills dst with two ascending runs.
func mergeRuns(dst, a, b tdigest.CentroidList) {
	i, j := 0, 0
	for k := range dst {
		if j == len(b) || i < len(a) && a[i].Mean <= b[j].Mean {
			dst[k] = a[i]
			i++
		} else {
			dst[k] = b[j]
			j++
		}
	}
}

// normalize orders the points and compresses what is not, or no longer, exact.
func (g *digester) normalize(d *dist, compression float64) {
	g.order(d)
	if d.exact && len(d.pts) > tableLimit {
		d.exact = false
	}
	if !d.exact {
		d.pts = g.compress(d.pts, compression)
	}
}

func (d *dist) foldEqual() {
	if len(d.pts) == 0 {
		return
	}
	last := 0
	for _, p := range d.pts[1:] {
		if p.Mean == d.pts[last].Mean {
			d.pts[last].Weight += p.Weight
			continue
		}
		last++
		d.pts[last] = p
	}
	d.pts = d.pts[:last+1]
}

// ofSorted makes the distribution of values in ascending order, in d's own buffer.
func (g *digester) ofSorted(d *dist, values []float64, compression float64) {
	d.exact = true
	d.pts = d.pts[:0]
	for i := 0; i < len(values); {
		j := i + 1
		for j < len(values) && values[j] == values[i] {
			j++
		}
		d.pts = append(d.pts, tdigest.Centroid{Mean: values[i], Weight: float64(j - i)})
		i = j
	}
	if len(d.pts) > tableLimit {
		d.exact = false
		d.pts = g.compress(d.pts, compression)
	}
}

// quantile is the nearest-rank value when exact: the smallest value with at least q·n values at or below it. Of a digest it
// interpolates between the middles of neighbouring centroids. It is held within [lo, hi]; NaN when empty.
func (d *dist) quantile(q, lo, hi float64) float64 {
	if len(d.pts) == 0 {
		return math.NaN()
	}
	total := 0.0
	for _, p := range d.pts {
		total += p.Weight
	}
	if d.exact {
		rank, seen := rankOf(q, total), 0.0
		for _, p := range d.pts {
			if seen += p.Weight; seen >= rank {
				return p.Mean
			}
		}
		return d.pts[len(d.pts)-1].Mean
	}
	at, seen := q*total, 0.0
	prev, prevAt := lo, 0.0
	for _, p := range d.pts {
		mid := seen + p.Weight/2
		if at < mid {
			return min(max(prev+(p.Mean-prev)*(at-prevAt)/(mid-prevAt), lo), hi)
		}
		seen += p.Weight
		prev, prevAt = p.Mean, mid
	}
	if total == prevAt {
		return hi
	}
	return min(max(prev+(hi-prev)*(at-prevAt)/(total-prevAt), lo), hi)
}

// Encodings of a distribution, by their first byte: below formRaw a table of decimals with that many places.
const (
	formRaw    = 0xfe // a table of 8-byte floats
	formDigest = 0xff
)

var pow10 = [maxDecimals + 1]float64{1, 10, 100, 1e3, 1e4}

// appendTable appends an exact distribution and tells whether it is worth it: short decimals up to tableLimit values, others
// up to rawLimit. A table needs nothing beside it: count, exact sum, least and greatest follow from it.
func (d *dist) appendTable(dst []byte) ([]byte, bool) {
	k, ok := d.decimals()
	if !ok && len(d.pts) > rawLimit {
		return dst, false
	}
	if !ok {
		dst = append(dst, formRaw)
		dst = binary.AppendUvarint(dst, uint64(len(d.pts)))
		for _, p := range d.pts {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(p.Mean))
			dst = binary.AppendUvarint(dst, uint64(p.Weight))
		}
		return dst, true
	}
	dst = append(dst, byte(k))
	dst = binary.AppendUvarint(dst, uint64(len(d.pts)))
	last := int64(0)
	for _, p := range d.pts {
		v := int64(math.RoundToEven(p.Mean * pow10[k]))
		dst = binary.AppendVarint(dst, v-last)
		dst = binary.AppendUvarint(dst, uint64(p.Weight))
		last = v
	}
	return dst, true
}

// decimals finds the fewest places, up to maxDecimals, with which every value can be written exactly. How halves are rounded does
// not matter: they cannot be written so; RoundToEven is one instruction.
func (d *dist) decimals() (k int, ok bool) {
	for _, p := range d.pts {
		for {
			v := math.RoundToEven(p.Mean * pow10[k])
			if v/pow10[k] == p.Mean && math.Abs(v) < decimalRange {
				break
			}
			if k++; k > maxDecimals {
				return 0, false
			}
		}
	}
	return k, true
}

// appendDigest appends the centroids: means as the top 20 bits of a float32 in an order-preserving code (a step is 1/2048 of
// an octave, half of it the greatest error: 0.025 %), delta-coded; weights are whole numbers. About 2.6 bytes a centroid.
func (d *dist) appendDigest(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(d.pts)))
	last := uint32(0)
	for _, p := range d.pts {
		c := max(meanCode(p.Mean), last)
		dst = binary.AppendUvarint(dst, uint64(c-last))
		dst = binary.AppendUvarint(dst, uint64(p.Weight))
		last = c
	}
	return dst
}

const (
	meanShift = 12
	meanZero  = 1 << (31 - meanShift) // the code of 0; negative means are below it
)

func meanCode(v float64) uint32 {
	b := math.Float32bits(float32(v))
	m := (b&^(1<<31) + 1<<(meanShift-1)) >> meanShift
	if b&(1<<31) != 0 {
		return meanZero - m
	}
	return meanZero + m
}

func meanOf(c uint32) float64 {
	if c < meanZero {
		return -meanOf(2*meanZero - c)
	}
	return float64(math.Float32frombits((c - meanZero) << meanShift))
}

// readTable appends the points of a table whose first byte was form.
func readTable(r *reader, form byte, pts tdigest.CentroidList) tdigest.CentroidList {
	n := r.count()
	if form != formRaw && form > maxDecimals {
		r.err = true
		return pts
	}
	last := int64(0)
	for range n {
		var v float64
		if form == formRaw {
			v = r.float()
		} else {
			last += r.varint()
			v = float64(last) / pow10[form]
		}
		w := r.uvarint()
		if r.err {
			break
		}
		pts = append(pts, tdigest.Centroid{Mean: v, Weight: float64(w)})
	}
	return pts
}

// readDigest appends the centroids of a digest.
func readDigest(r *reader, pts tdigest.CentroidList) tdigest.CentroidList {
	code := uint32(0)
	for range r.count() {
		code += uint32(r.uvarint())
		w := r.uvarint()
		if r.err {
			break
		}
		pts = append(pts, tdigest.Centroid{Mean: meanOf(code), Weight: float64(w)})
	}
	return pts
}
