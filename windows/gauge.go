package windows

import (
	"encoding/binary"
	"math"
	"slices"
)

// gauge measures the values of a metric in a pane while they are all there, before they become a digest: it weighs them on a
// scale, or counts those above a limit. Views that ask the same share one.
type gauge struct {
	question

	// Of the pane at hand:
	pane    uint64 // its number; another one's figures are old
	n       int64  // values; of a limit alone
	out     int64  // values outside the scale, or above the limit
	weights Weights
}

// question is what a gauge answers.
type question struct {
	metric uint16
	over   bool    // how many are greater than lo, instead of their weights from lo to hi
	lo, hi float64 // of the scale
}

const noGauge = -1

// gauge finds or makes the gauge for a question about a metric that has a number.
func (s *Store) gauge(q question) int {
	i := slices.IndexFunc(s.gauges, func(g gauge) bool { return g.question == q })
	if i < 0 {
		i = len(s.gauges)
		s.gauges = append(s.gauges, gauge{question: q})
		w := &s.watched[q.metric]
		w.gauges = append(w.gauges, i)
	}
	return i
}

// begin readies the gauge for the pane of that number.
func (g *gauge) begin(pane uint64) {
	if g.pane != pane {
		*g = gauge{question: g.question, pane: pane}
	}
}

// take measures the values of a pane, which are in ascending order, or all equal. d is their distribution.
func (g *gauge) take(values []float64, d *dist) {
	switch {
	case g.over:
		above, _ := slices.BinarySearchFunc(values, g.lo, func(v, limit float64) int {
			if v > limit {
				return 1
			}
			return -1
		})
		g.n += int64(len(values))
		g.out += int64(len(values) - above)
	case d.exact:
		for i := range d.pts {
			g.weigh(d.pts[i].Mean, int64(d.pts[i].Weight))
		}
	default:
		for _, v := range values {
			g.weigh(v, 1)
		}
	}
}

func (g *gauge) weigh(v float64, n int64) {
	if g.weights.Add((v-g.lo)/(g.hi-g.lo), n) {
		g.out += n
	}
}

// gauges measures the values of one metric.
func (k *columns) gauges(s *Store, id uint16) {
	for _, i := range s.watched[id].gauges {
		g := &s.gauges[i]
		g.begin(k.pane)
		g.take(k.values[id], &k.fig.dist)
	}
}

// appendGauges appends what the gauges say of the pane at hand.
func (k *columns) appendGauges(dst []byte, s *Store) []byte {
	for i := range s.gauges {
		g := &s.gauges[i]
		if g.pane != k.pane {
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(g.metric)<<1|oneIf(g.over))
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(g.lo))
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(g.hi))
		dst = binary.AppendUvarint(dst, uint64(g.n))
		dst = binary.AppendUvarint(dst, uint64(g.out))
		if !g.over {
			dst = g.weights.Append(dst)
		}
	}
	return dst
}

// readGauges adds what appendGauges wrote of an earlier part of the pane at hand, as far as views still ask for it.
func (k *columns) readGauges(s *Store, r *reader) {
	for len(r.b) > 0 {
		id := r.uvarint()
		old := gauge{question: question{metric: uint16(id >> 1), over: id&1 != 0, lo: r.float(), hi: r.float()}}
		old.n, old.out = int64(r.uvarint()), int64(r.uvarint())
		if !old.over {
			for j := range old.weights {
				old.weights[j] = int64(r.uvarint())
			}
		}
		i := slices.IndexFunc(s.gauges, func(g gauge) bool { return g.question == old.question })
		if i < 0 || r.err {
			continue
		}
		g := &s.gauges[i]
		g.begin(k.pane)
		g.n, g.out = g.n+old.n, g.out+old.out
		g.weights.Merge(&old.weights)
	}
}

func oneIf(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
