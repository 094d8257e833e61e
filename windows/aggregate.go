package windows

import (
	"encoding/hex"
	"math"
)

// aggregate keeps, for a window whose quantiles are read, what most of its panes merge to, so that a read merges a few of
// them only. Time is cut into blocks as long as the window. The window is then the end of one block and the start of the
// next: of the first the suffixes at every eighth pane are kept, of the second the prefixes. Blocks lie at fixed times, so
// that the figures do not depend on when they were first read.
type aggregate struct {
	made   bool
	start  int64    // of the second block, in panes since the epoch
	suffix [][]byte // suffix[i] holds the last 8·(i+1) panes of the first block
	prefix [][]byte // prefix[i] holds the first 8·(i+1) panes of the second
}

const aggregateStep = 8

// ring is where a window's panes come from: (*Store).minuteBlob or (*Store).quarterBlob.
type ring func(s *Store, c *cell, pane int64) []byte

// read adds the figures of panes [from, to) of the group to f.
func (g *Group) read(r ring, from, to int64, f *figures) {
	for pane := from; pane < to; pane++ {
		for _, c := range g.cells {
			if blob := r(g.view.store, c, pane); blob != nil {
				if payload := findEntry(blob, figuresKey(g.view.metric)); payload != nil {
					f.add(payload)
				}
			}
		}
	}
}

// window gathers the figures of the whole window, the points of their distribution not yet in order. They are good until the
// next call on the store.
func (g *Group) window() *figures {
	s := g.view.store
	f := &s.merger.fig
	f.reset()
	end := s.sealed
	from := g.view.from(end)
	if g.view.long() {
		g.readAggregated((*Store).quarterBlob, from/quarterMinutes, end/quarterMinutes, f)
		g.read((*Store).minuteBlob, end/quarterMinutes*quarterMinutes, end, f)
	} else {
		g.readAggregated((*Store).minuteBlob, from, end, f)
	}
	return f
}

func (g *Group) readAggregated(r ring, from, to int64, f *figures) {
	length := to - from
	if length < 2*aggregateStep {
		g.read(r, from, to, f)
		return
	}
	a := &g.agg
	start := (to - 1) / length * length
	if !a.made || a.start != start {
		*a = aggregate{made: true, start: start}
		for end := start; end-aggregateStep >= from; end -= aggregateStep {
			a.suffix = append(a.suffix, g.fold(r, a.suffix, end-aggregateStep, end))
		}
	}
	for int64(len(a.prefix)+1)*aggregateStep <= to-start {
		at := start + int64(len(a.prefix))*aggregateStep
		a.prefix = append(a.prefix, g.fold(r, a.prefix, at, at+aggregateStep))
	}
	whole := (start - from) / aggregateStep
	g.read(r, from, start-whole*aggregateStep, f)
	if whole > 0 {
		f.addSome(a.suffix[whole-1])
	}
	if n := len(a.prefix); n > 0 {
		f.addSome(a.prefix[n-1])
	}
	g.read(r, start+int64(len(a.prefix))*aggregateStep, to, f)
}

// fold is the last of the aggregates with panes [from, to) added; an empty one is nil.
func (g *Group) fold(r ring, sofar [][]byte, from, to int64) []byte {
	m := &g.view.store.merger
	f := &m.aggregate
	f.reset()
	if len(sofar) > 0 {
		f.addSome(sofar[len(sofar)-1])
	}
	g.read(r, from, to, f)
	if f.n == 0 {
		return nil
	}
	m.normalize(&f.dist, aggregateCompression)
	return f.append(nil)
}

func (f *figures) addSome(payload []byte) {
	if payload != nil {
		f.add(payload)
	}
}

// Quantile is the q-quantile of the values in the window, 0 ≤ q ≤ 1: exact for rubrics of few distinct values (nearest
// rank), else of a t-digest. NaN when empty.
func (g *Group) Quantile(q float64) float64 {
	f := g.window()
	return g.view.store.merger.quantile(&f.dist, q, f.min, f.max)
}

// Min is the least value in the window; NaN when empty.
func (g *Group) Min() float64 {
	if f := g.window(); f.n > 0 {
		return f.min
	}
	return math.NaN()
}

// Max is the greatest value in the window; NaN when empty.
func (g *Group) Max() float64 {
	if f := g.window(); f.n > 0 {
		return f.max
	}
	return math.NaN()
}

// Exemplars are the trace ids of the worst values in the last hour of the window, worst first, in hex. Views that count calls
// have none.
func (g *Group) Exemplars() []string {
	if g.view.of != ofValues {
		return nil
	}
	s := g.view.store
	key := exemplarKey(g.view.metric, greatest)
	if g.view.spec.LowIsWorse {
		key = exemplarKey(g.view.metric, least)
	}
	m := &s.merger
	m.worst = m.worst[:0]
	from := max(g.view.from(s.sealed), s.sealed-minutesKept)
	for pane := from; pane < s.sealed; pane++ {
		for _, c := range g.cells {
			if blob := s.minuteBlob(c, pane); blob != nil {
				m.worst = readExemplars(m.worst, findEntry(blob, key), g.view.spec.LowIsWorse)
			}
		}
	}
	var out []string
	for _, e := range m.worst {
		out = append(out, hex.EncodeToString(e.trace[:]))
	}
	return out
}

// Distribution is the group's window as points in ascending order, appended to dst: values with their counts while each pane has
// few distinct ones, else the centroids of t-digests. Views that count calls have none.
func (g *Group) Distribution(dst []Bin) []Bin {
	if g.view.of != ofValues {
		return dst
	}
	f := g.window()
	g.view.store.merger.order(&f.dist)
	for _, p := range f.dist.pts {
		dst = append(dst, Bin{p.Mean, p.Weight, f.dist.exact})
	}
	return dst
}
