package windows

import (
	"cmp"
	"slices"
)

// cell is one full tuple of prompt, version and dimensions. All its series lie together: in the rows of its open panes, and
// in one byte string a sealed pane, found by its place in the segment of that minute or quarter.
type cell struct {
	id     uint32
	key    string
	prompt *prompt
	ver    *version
	dims   []string

	first, last int64 // event time of its samples, Unix ns
	builtins    Mask  // metrics seen
	rubrics     []rubric

	open    []openPane           // by time, so late ones first
	minute  [minutesKept]uint32  // place in minutes[m%60].buf plus 1; 0 is none
	quarter [quartersKept]uint32 // place in quarters[q%96].buf plus 1; 0 is none

	views []cellView
}

// rubric is one that a cell has values of.
type rubric struct {
	metric uint16
	last   int64 // event time of the newest, Unix ns
}

func (c *cell) rubric(metric uint16) *rubric {
	for i := range c.rubrics {
		if c.rubrics[i].metric == metric {
			return &c.rubrics[i]
		}
	}
	return nil
}

type cellView struct {
	view   *View
	groups [2]*Group // cohort and total; nil where the view does not ask for it
}

// touch notes what c has seen. It returns the shape of what is taken in of the sample: without those scores that would make a
// series too many.
func (s *Store) touch(c *cell, t int64, shape *foldShape) *foldShape {
	if t > c.last {
		c.last = t
		c.ver.last = max(c.ver.last, t)
	} else if t < c.first {
		c.first = t
		c.ver.first = min(c.ver.first, t)
	}
	mask := Mask(shape.header)
	if fresh := mask &^ c.builtins & (1<<NumBuiltin - 1); fresh != 0 {
		for b := range NumBuiltin {
			if fresh.Has(b) {
				s.series++
			}
		}
	}
	c.builtins |= mask
	taken := shape
	for i, id := range shape.rubrics {
		if id == noMetric {
			continue
		}
		if r := c.rubric(uint16(id)); r != nil {
			r.last = max(r.last, t)
			continue
		}
		if s.opt.MaxSeries > 0 && s.series >= s.opt.MaxSeries {
			taken = s.fold.without(taken, i)
			continue
		}
		c.rubrics = append(c.rubrics, rubric{uint16(id), t})
		s.series++
	}
	return taken
}

func (c *cell) seriesCount() int {
	n := 1 + len(c.rubrics) // volume is one
	for b := range NumBuiltin {
		if c.builtins.Has(b) {
			n++
		}
	}
	return n
}

// resolve finds the cell of a key that the batch holds, or makes it; other says that a limit folded it.
func (s *Store) resolve(b *Batch, key []byte, t int64) (c *cell, other bool) {
	if !slices.Equal(b.Dimensions, s.opt.Dimensions) {
		key = s.rekey(b, key)
	}
	if c = s.cells[string(key)]; c != nil {
		return c, false
	}
	parts, err := SplitKey(s.fold.parts[:0], key)
	s.fold.parts = parts[:0]
	for len(parts) < 2+len(s.opt.Dimensions) {
		parts = append(parts, "")
	}
	parts = parts[:2+len(s.opt.Dimensions)]
	other = s.limit(parts) || err != nil
	s.fold.key = AppendKey(s.fold.key[:0], parts...)
	if c = s.cells[string(s.fold.key)]; c == nil {
		c = s.newCell(string(s.fold.key), parts, t)
	}
	return c, other
}

// rekey puts the parts of a key into the store's order of dimensions: a log may hold batches from before a change.
func (s *Store) rekey(b *Batch, key []byte) []byte {
	parts, err := SplitKey(nil, key)
	if err != nil || len(parts) < 2 {
		return key
	}
	out := AppendKey(nil, parts[:2]...)
	for _, d := range s.opt.Dimensions {
		v := ""
		if i := slices.Index(b.Dimensions, d); i >= 0 && 2+i < len(parts) {
			v = parts[2+i]
		}
		out = AppendKey(out, v)
	}
	return out
}

// limit folds the parts of a new cell's key into Other where they would pass a limit. No version stays no version, which is
// one of a prompt at most: LinkCoverage must not take it for one.
func (s *Store) limit(parts []string) (folded bool) {
	linked := parts[1] != ""
	others := func(p []string) {
		for i := range p {
			p[i] = Other
		}
		folded = true
	}
	if s.opt.MaxSeries > 0 && s.series >= s.opt.MaxSeries || len(s.cells) >= maxCells-1 {
		others(parts)
		if !linked {
			parts[1] = ""
		}
		return folded
	}
	p := s.prompts[parts[0]]
	if p == nil {
		return false
	}
	if linked && s.opt.MaxVersions > 0 && p.versions[parts[1]] == nil && len(p.versions) >= s.opt.MaxVersions {
		others(parts[1:2])
	}
	if s.opt.MaxCohorts > 0 && len(p.cohorts) >= s.opt.MaxCohorts {
		if _, known := p.cohorts[string(AppendKey(nil, parts[2:]...))]; !known {
			others(parts[2:])
		}
	}
	return folded
}

func (s *Store) newCell(key string, parts []string, t int64) *cell {
	p := s.prompts[parts[0]]
	if p == nil {
		p = &prompt{name: parts[0], versions: make(map[string]*version), cohorts: make(map[string]int)}
		s.prompts[p.name] = p
	}
	v := p.versions[parts[1]]
	if v == nil {
		v = &version{name: parts[1], prompt: p, first: t, last: t, newcomer: true}
		p.versions[v.name] = v
		s.newcomers = append(s.newcomers, v)
	}
	v.first, v.last = min(v.first, t), max(v.last, t)
	c := &cell{id: uint32(len(s.byID)), key: key, prompt: p, ver: v, dims: slices.Clone(parts[2:]), first: t, last: t}
	if n := len(s.free) - 1; n >= 0 {
		c.id, s.free = s.free[n], s.free[:n]
	} else {
		s.byID = append(s.byID, nil)
	}
	s.addCell(c)
	return c
}

func (s *Store) addCell(c *cell) {
	s.series += c.seriesCount()
	s.cells[c.key] = c
	s.byID[c.id] = c
	c.prompt.cells = withCell(c.prompt.cells, c)
	c.prompt.cohorts[string(AppendKey(nil, c.dims...))]++
	c.ver.cells++
	for _, v := range s.views {
		v.attach(c)
	}
}

// withCell adds a cell to others. They are in the order of their ids, which a restart does not change: in another order sums of
// floats, and digests, would differ in the last digits.
func withCell(cells []*cell, c *cell) []*cell {
	at := len(cells)
	if at > 0 && cells[at-1].id > c.id {
		at, _ = slices.BinarySearchFunc(cells, c.id, func(o *cell, id uint32) int { return cmp.Compare(o.id, id) })
	}
	return slices.Insert(cells, at, c)
}

// drop forgets the cells without a sample in the longest window, and what they alone held up. No segment holds panes of theirs any
// more, so their ids are free.
func (s *Store) drop() {
	oldest := (s.sealed - (quartersKept+1)*quarterMinutes) * minuteNanos
	thinned := make(map[*prompt]bool)
	for _, c := range s.byID {
		if c == nil || c.last >= oldest || len(c.open) > 0 {
			continue
		}
		s.byID[c.id] = nil
		delete(s.cells, c.key)
		s.series -= c.seriesCount()
		dims := string(AppendKey(nil, c.dims...))
		if c.prompt.cohorts[dims]--; c.prompt.cohorts[dims] == 0 {
			delete(c.prompt.cohorts, dims)
		}
		if c.ver.cells--; c.ver.cells == 0 {
			delete(c.prompt.versions, c.ver.name)
		}
		thinned[c.prompt] = true
	}
	gone := func(c *cell) bool { return s.byID[c.id] != c }
	for p := range thinned {
		if p.cells = slices.DeleteFunc(p.cells, gone); len(p.cells) == 0 {
			delete(s.prompts, p.name)
		}
	}
	for _, v := range s.views {
		v.sweep(gone)
	}
	s.findFree()
	s.dropRubrics(oldest)
}

// dropRubrics forgets the rubrics that cells have no values of in the longest window, and the names that nobody needs any more:
// they are limited, and some evaluators make a new one for each run.
func (s *Store) dropRubrics(oldest int64) {
	used := make([]bool, noMetricID+1)
	for _, c := range s.byID {
		if c == nil {
			continue
		}
		had := len(c.rubrics)
		c.rubrics = slices.DeleteFunc(c.rubrics, func(r rubric) bool { return r.last < oldest })
		s.series -= had - len(c.rubrics)
		for _, r := range c.rubrics {
			used[r.metric] = true
		}
	}
	for _, v := range s.views {
		used[v.metric] = true
	}
	for id := int(NumBuiltin); id < len(s.metrics); id++ {
		if !used[id] {
			delete(s.metricID, s.metrics[id])
			s.metrics[id] = ""
		}
	}
}

// findFree lists the ids that no cell has, the least last.
func (s *Store) findFree() {
	s.free = slices.Grow(s.free[:0], len(s.byID)-len(s.cells))
	for id := len(s.byID) - 1; id >= 0; id-- {
		if s.byID[id] == nil {
			s.free = append(s.free, uint32(id))
		}
	}
}
