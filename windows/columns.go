package windows

import (
	"encoding/binary"
	"math"
	"slices"
)

// columns take rows apart into the values of each metric. The buffers are the store's, used by one pane at a time.
type columns struct {
	values    [][]float64     // by metric
	worst     [2][][]exemplar // greatest and least, by metric
	touched   []uint16
	blob, out []byte
	payload   []byte
	fig       figures
	axes      []axisCount // of the pane at hand
	axis      int         // of them, the one counted last
	pane      uint64      // number of the pane at hand, for the gauges and the totals
	whole     bool        // it had not been digested before
	totals    []total     // by metric, of those that views sum up
}

// total is count and sum of the values of a pane.
type total struct {
	pane uint64
	n    int64
	sum  Sum
}

// seal returns the pane that the rows and the partial digest of p make. The result is good until the next call.
func (k *columns) seal(s *Store, p *openPane) []byte {
	k.pane++
	k.whole = p.partial == nil
	earlier := reader{b: p.partial}
	beside := reader{}
	if !k.whole {
		beside.b = earlier.bytes()
	}
	k.readAxes(s, &beside)
	calls := k.split(s, p.rows)
	slices.Sort(k.touched)
	k.blob = binary.AppendUvarint(k.blob[:0], uint64(calls))
	for _, id := range k.touched {
		k.payload = s.merger.appendValues(k.payload[:0], &k.fig, k.values[id])
		k.blob = appendEntry(k.blob, figuresKey(id), k.payload)
		if s.watched[id].summed {
			k.totals[id] = total{k.pane, int64(len(k.values[id])), k.fig.total()}
		}
		if !p.late {
			k.gauges(s, id)
		}
		for i := range k.worst {
			if w := k.worst[i][id]; len(w) > 0 {
				k.payload = appendExemplars(k.payload[:0], w)
				k.blob = appendEntry(k.blob, exemplarKey(id, greatest+uint32(i)), k.payload)
			}
		}
	}
	if k.whole {
		return k.blob
	}
	k.readGauges(s, &beside)
	k.out = s.merger.merge(k.out[:0], minuteCompression, earlier.b, k.blob)
	return k.out
}

// split sorts the values of the rows by metric.
func (k *columns) split(s *Store, rows []uint64) (calls int64) {
	for len(k.values) < len(s.metrics) {
		k.values, k.totals = append(k.values, nil), append(k.totals, total{})
		k.worst[0], k.worst[1] = append(k.worst[0], nil), append(k.worst[1], nil)
	}
	for _, id := range k.touched {
		k.values[id] = k.values[id][:0]
		k.worst[0][id], k.worst[1][id] = k.worst[0][id][:0], k.worst[1][id][:0]
	}
	k.touched = k.touched[:0]
	for i := 0; i < len(rows); {
		header := rows[i]
		mask, scores := Mask(header), int(uint32(header>>16))
		i++
		if mask&MaskCall != 0 {
			calls++
		}
		var trace []uint64
		if mask&MaskTrace != 0 {
			trace = rows[i : i+2]
			i += 2
		}
		for b := range NumBuiltin {
			if mask.Has(b) {
				k.value(s, uint16(b), rows[i], trace)
				i++
			}
		}
		if axes := uint16(header >> axesShift); axes != noAxes {
			fallbacks := int64(0)
			if mask.Has(BuiltinFallback) && rows[i-1] == fallbackBits { // the last of the built-in ones
				fallbacks = 1
			}
			k.countAxes(axes, 1, fallbacks)
		}
		for range scores {
			k.value(s, uint16(rows[i]), rows[i+1], trace)
			i += 2
		}
	}
	return calls
}

func (k *columns) value(s *Store, id uint16, bits uint64, trace []uint64) {
	v := math.Float64frombits(bits) + 0 // −0 becomes 0
	if len(k.values[id]) == 0 {
		k.touched = append(k.touched, id)
	}
	k.values[id] = append(k.values[id], v)
	if w := &s.watched[id]; trace != nil && (w.greatest || w.least) {
		e := exemplar{value: v}
		binary.LittleEndian.PutUint64(e.trace[:], trace[0])
		binary.LittleEndian.PutUint64(e.trace[8:], trace[1])
		if w.greatest {
			k.worst[0][id] = keepWorst(k.worst[0][id], e, false)
		}
		if w.least {
			k.worst[1][id] = keepWorst(k.worst[1][id], e, true)
		}
	}
}
