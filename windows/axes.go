package windows

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strings"
)

// Axes are what a call says beside its dimensions.
type Axes struct{ TemplateHash, Model, Variant, Environment string }

func (a *Axes) compare(b *Axes) int {
	return cmp.Or(strings.Compare(a.TemplateHash, b.TemplateHash), strings.Compare(a.Model, b.Model),
		strings.Compare(a.Variant, b.Variant), strings.Compare(a.Environment, b.Environment))
}

// AxisCount is how many calls of a minute had these axes.
type AxisCount struct {
	Axes
	Calls     int64
	Fallbacks int64 // of them, with the fallback prompt
}

// axisCount is how many calls of a pane had the axes of that number.
type axisCount struct {
	id               uint16
	calls, fallbacks int64
}

// countAxes adds to the axes of the pane at hand.
func (k *columns) countAxes(id uint16, calls, fallbacks int64) {
	if k.axis >= len(k.axes) || k.axes[k.axis].id != id { // mostly it is the same again
		find := func(a axisCount) bool { return a.id == id }
		if k.axis = slices.IndexFunc(k.axes, find); k.axis < 0 {
			if id != otherAxes && len(k.axes) >= maxPaneAxes {
				k.axis = 0
				k.countAxes(otherAxes, calls, fallbacks)
				return
			}
			k.axis = len(k.axes)
			k.axes = append(k.axes, axisCount{id: id})
		}
	}
	a := &k.axes[k.axis]
	a.calls, a.fallbacks = a.calls+calls, a.fallbacks+fallbacks
}

// appendAxes appends the axes of the pane at hand.
func (k *columns) appendAxes(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(k.axes)))
	for _, a := range k.axes {
		dst = binary.AppendUvarint(dst, uint64(a.id))
		dst = binary.AppendUvarint(dst, uint64(a.calls))
		dst = binary.AppendUvarint(dst, uint64(a.fallbacks))
	}
	return dst
}

// readAxes begins the axes of the pane at hand with what appendAxes wrote of an earlier part of it.
func (k *columns) readAxes(s *Store, r *reader) {
	k.axes, k.axis = k.axes[:0], 0
	for range r.count() {
		id, calls, fallbacks := r.uvarint(), r.uvarint(), r.uvarint()
		if !r.err && id != noAxes && id < uint64(len(s.axes.terms)) {
			k.countAxes(uint16(id), int64(calls), int64(fallbacks))
		}
	}
}

var fallbackBits = math.Float64bits(1)

// freshAxes are the axes of a view's groups in the minute sealed last: first as they come, then, when they are asked for, by group.
type freshAxes struct {
	rows   []axisRow
	sorted bool
	counts []AxisCount
	ends   []int32 // in counts, by the group's place
}

type axisRow struct {
	place int32
	axisCount
}

// sort makes counts of the rows of n groups.
func (f *freshAxes) sort(terms []axisTerm, n int) {
	order := func(a, b axisRow) int {
		if a.place != b.place || a.id == b.id {
			return cmp.Compare(a.place, b.place)
		}
		return terms[a.id].compare(&terms[b.id].Axes)
	}
	if !slices.IsSortedFunc(f.rows, order) {
		slices.SortFunc(f.rows, order)
	}
	f.sorted, f.counts, f.ends = true, f.counts[:0], f.ends[:0]
	row := 0
	for place := range int32(n) {
		begin := len(f.counts)
		for ; row < len(f.rows) && f.rows[row].place == place; row++ {
			r := &f.rows[row]
			if last := len(f.counts) - 1; last < begin || f.counts[last].Axes != terms[r.id].Axes {
				f.counts = append(f.counts, AxisCount{Axes: terms[r.id].Axes})
			}
			a := &f.counts[len(f.counts)-1]
			a.Calls, a.Fallbacks = a.Calls+r.calls, a.Fallbacks+r.fallbacks
		}
		f.ends = append(f.ends, int32(len(f.counts)))
	}
}

// PaneAxes are the axes of the calls in the minute that was sealed last, sorted; good until the next minute is sealed. Late
// samples are not counted. Axes beyond a limit, on those of a cell in a minute or of a prompt or the store in a quarter of an
// hour, are counted as Other in each part.
func (g *Group) PaneAxes() []AxisCount {
	if !g.view.spec.Axes || !g.isFresh() {
		return nil
	}
	f := &g.view.fresh.axes
	if !f.sorted {
		f.sort(g.view.store.axes.terms, len(g.view.fresh.groups))
	}
	begin, end := int32(0), f.ends[g.place]
	if g.place > 0 {
		begin = f.ends[g.place-1]
	}
	return f.counts[begin:end:end]
}
