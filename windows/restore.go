package windows

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"
)

// Checkpoint is a complete one that a Finder put together.
type Checkpoint struct {
	batches uint64 // folded when it was written: the greater is the newer
	state   []byte
}

// Finder puts checkpoints together from records of a state log, in whatever order of reading.
type Finder struct {
	parts map[string]map[uint64][]byte // by checkpoint
	best  *Checkpoint
}

// NewFinder returns an empty finder.
func NewFinder() *Finder { return &Finder{parts: make(map[string]map[uint64][]byte)} }

// Add takes a record of the state log; it copies what it keeps. Damaged records, and records of panes, are passed over.
func (f *Finder) Add(record []byte) {
	kind, body, err := openRecord(record)
	if err != nil || kind != statesRecord {
		return
	}
	r := reader{b: body}
	batches := r.uvarint()
	sum := r.take(4)
	part, parts := r.uvarint(), r.uvarint()
	if r.err || part >= parts || f.best != nil && batches < f.best.batches {
		return
	}
	id := string(binary.AppendUvarint(binary.AppendUvarint(slices.Clone(sum), batches), parts))
	have := f.parts[id]
	if have == nil {
		have = make(map[uint64][]byte)
		f.parts[id] = have
	}
	have[part] = slices.Clone(r.b)
	if uint64(len(have)) < parts {
		return
	}
	delete(f.parts, id)
	state := []byte{}
	for i := range parts {
		state = append(state, have[i]...)
	}
	if crc32.Checksum(state, castagnoli) == binary.LittleEndian.Uint32(sum) {
		f.best = &Checkpoint{batches, state}
	}
}

// Best is the newest complete checkpoint of the records added so far.
func (f *Finder) Best() (*Checkpoint, bool) { return f.best, f.best != nil }

// Restore fills an empty store from a checkpoint. read fetches records of the state log by offset, ascending, and hands each
// to its function. The store's options may have changed since: cells are kept as they are, but for other Dimensions than the
// checkpoint's Restore refuses. After an error the store must not be used.
func (s *Store) Restore(cp *Checkpoint, read func(offsets []int64, each func(record []byte) error) error) (extra []byte, err error) {
	r := reader{b: cp.state}
	refs, extra, err := s.readState(&r)
	if err == nil && (r.err || len(r.b) > 0) {
		err = fmt.Errorf("%w: checkpoint cut short or too long", ErrState)
	}
	if err != nil {
		return nil, err
	}
	offsets := slices.Sorted(maps.Keys(refs))
	i := 0
	err = read(offsets, func(record []byte) error {
		if i >= len(offsets) {
			return fmt.Errorf("%w: more records than asked for", ErrState)
		}
		i++
		return s.readPanes(record, offsets[i-1], refs[offsets[i-1]])
	})
	if err == nil && i < len(offsets) {
		err = fmt.Errorf("%w: %d of %d records of panes", ErrState, i, len(offsets))
	}
	for _, g := range s.segments() {
		if err == nil && len(g.buf) != g.saved {
			err = fmt.Errorf("%w: %d bytes of panes, not %d", ErrState, len(g.buf), g.saved)
		}
		if cap(g.buf) > len(g.buf)+len(g.buf)/16+spareBytes {
			g.buf = slices.Clone(g.buf)
		}
	}
	return extra, err
}

// spareBytes is what a restored segment may have too much of, beside a sixteenth: memory is given out in whole pages.
const spareBytes = 8 << 10

// readPanes adds the entries of a record of panes to the segment for which the checkpoint names it.
func (s *Store) readPanes(record []byte, offset int64, g *segment) error {
	kind, body, err := openRecord(record)
	r := reader{b: body}
	level, at := r.take(1), r.uvarint()
	if err != nil || kind != panesRecord || r.err || level[0] != g.levelByte(s) || at != uint64(g.at) {
		return fmt.Errorf("read panes at offset %d: %w", offset, ErrState)
	}
	entries := r.b
	if len(g.refs) == 0 { // in one piece: fresh memory is dear. What the checkpoint claims is believed as far as records go
		g.buf = make([]byte, 0, min(g.saved, cap(g.refs)*len(entries)))
	}
	g.refs = append(g.refs, offset)
	base := len(g.buf)
	g.buf = append(g.buf, entries...)
	for len(r.b) > 0 {
		place := uint32(base + len(entries) - len(r.b) + 1)
		id := r.uvarint()
		r.bytes()
		if r.err {
			return fmt.Errorf("read panes at offset %d: %w", offset, ErrState)
		}
		if id >= uint64(len(s.byID)) || s.byID[id] == nil {
			continue // of a cell that was dropped
		}
		of := &s.byID[id].minute[minuteSlot(g.at)]
		if level[0] != 0 {
			of = &s.byID[id].quarter[quarterSlot(g.at/quarterMinutes)]
		}
		if *of > 0 {
			g.dead += len(g.blob(*of))
		}
		*of = place
	}
	return nil
}

// readState reads what appendState wrote and returns the offsets of the pane records, each with its segment. What it accepts
// can be worked with as if it had been folded.
func (s *Store) readState(r *reader) (refs map[int64]*segment, extra []byte, err error) {
	flag := func() bool { return r.uvarint() == 1 }
	s.batches = r.uvarint()
	s.started = flag()
	s.sealed = r.varint()
	s.clock, s.watermark = r.varint(), r.varint()
	if s.sealed < 0 || s.sealed > math.MaxInt64/minuteNanos {
		return nil, nil, fmt.Errorf("%w: minute %d", ErrState, s.sealed)
	}
	if dims := r.strings(nil, r.count()); !slices.Equal(dims, s.opt.Dimensions) {
		return nil, nil, fmt.Errorf("restore: checkpoint has dimensions %q, the configuration %q", dims, s.opt.Dimensions)
	}
	for range r.count() {
		k, src := r.source(), &source{}
		src.next.Offset, src.next.Index = r.varint(), uint32(r.uvarint())
		src.watermark, src.clock = r.varint(), r.varint()
		s.sources[k] = src
	}
	if err := s.readMetrics(r); err != nil {
		return nil, nil, err
	}
	if !s.axes.read(r) {
		return nil, nil, fmt.Errorf("%w: axes", ErrState)
	}
	for range r.count() {
		p := &prompt{name: string(r.bytes()), versions: make(map[string]*version), cohorts: make(map[string]int)}
		for range r.count() {
			v := &version{name: string(r.bytes()), prompt: p, first: r.varint(), last: r.varint(), sealed: r.varint()}
			v.previous, v.newcomer = string(r.bytes()), flag()
			p.versions[v.name] = v
			if v.newcomer {
				s.newcomers = append(s.newcomers, v)
			}
		}
		s.prompts[p.name] = p
	}
	ids := r.uvarint()
	if ids > maxCells {
		return nil, nil, errCell
	}
	s.byID = make([]*cell, ids)
	for range r.count() {
		if err := s.readCell(r); err != nil {
			return nil, nil, err
		}
	}
	s.findFree()
	refs = make(map[int64]*segment)
	for range r.count() {
		level, at := r.take(1), r.varint()
		if r.err || level[0] > 1 || at < 0 {
			r.err = true
			break
		}
		g := &s.minutes[minuteSlot(at)]
		if level[0] != 0 {
			g = &s.quarters[quarterSlot(at/quarterMinutes)]
		}
		g.start(at)
		size, records := r.uvarint(), r.count()
		if size > math.MaxUint32 {
			r.err = true
			break
		}
		g.saved, g.refs = int(size), make([]int64, 0, records)
		for range records {
			refs[r.varint()] = g
		}
	}
	return refs, slices.Clone(r.bytes()), nil
}

func (s *Store) readMetrics(r *reader) error {
	for range r.count() {
		name := string(r.bytes())
		if _, twice := s.metricID[name]; twice || len(s.metrics) >= noMetricID {
			return fmt.Errorf("%w: metric %q", ErrState, name)
		}
		if name != "" {
			s.metricID[name] = uint16(len(s.metrics))
		}
		s.metrics, s.watched = append(s.metrics, name), append(s.watched, watch{})
	}
	return nil
}

var errCell = fmt.Errorf("%w: cell", ErrState)

func (s *Store) readCell(r *reader) error {
	id, key := r.uvarint(), r.bytes()
	parts, err := SplitKey(nil, key)
	if err != nil || r.err || len(parts) != 2+len(s.opt.Dimensions) || s.prompts[parts[0]] == nil ||
		id >= uint64(len(s.byID)) || s.byID[id] != nil || s.cells[string(key)] != nil {
		return errCell
	}
	c := &cell{id: uint32(id), key: string(key)}
	c.prompt, c.dims = s.prompts[parts[0]], parts[2:]
	if c.ver = c.prompt.versions[parts[1]]; c.ver == nil {
		return errCell
	}
	c.first, c.last, c.builtins = r.varint(), r.varint(), Mask(r.uvarint())
	for range r.count() {
		v := rubric{uint16(r.uvarint()), r.varint()}
		if int(v.metric) >= len(s.metrics) {
			return errCell
		}
		c.rubrics = append(c.rubrics, v)
	}
	for range r.count() {
		if !s.readOpenPane(r, c) {
			return errCell
		}
	}
	s.addCell(c)
	return nil
}

func (s *Store) readOpenPane(r *reader, c *cell) (ok bool) {
	p := openPane{place: place{at: r.varint(), quarter: r.uvarint() == 1, late: r.uvarint() == 1}}
	if p.at < 0 || p.at > math.MaxInt64/minuteNanos || p.late != (s.started && p.at < s.sealed) ||
		len(c.open) > 0 && !c.open[len(c.open)-1].before(p.place) {
		return false
	}
	words := reader{b: r.take(8 * r.uvarint())}
	p.rows = make([]uint64, 0, len(words.b)/8)
	for len(words.b) > 0 {
		p.rows = append(p.rows, words.uint64())
	}
	if p.n, ok = countRows(p.rows, len(s.metrics), len(s.axes.terms)); !ok {
		return false
	}
	if partial := r.bytes(); len(partial) > 0 {
		p.partial = slices.Clone(partial)
		pane := reader{b: partial}
		pane.bytes()
		p.digested = int32(readBlob(pane.b).calls)
	}
	c.open = append(c.open, p)
	if !p.late {
		s.open[p.at] = append(s.open[p.at], c)
	} else if len(c.open) == 1 {
		s.late = append(s.late, c)
	}
	return true
}
