package windows

import "encoding/binary"

// segment holds the sealed panes of all cells for one minute or one quarter of an hour, one after the other:
//
//	cell id uvarint · length uvarint · pane
//
// Cells find theirs by its place. A pane that is sealed again is appended, and the cell points at the new one; so a segment
// is written to the state log by appending too. When most of it is of no use any more, it is made anew without that. When its
// time has passed, it is dropped as a whole.
type segment struct {
	at    int64 // first minute, since the epoch
	used  bool
	buf   []byte
	dead  int     // bytes of panes in buf that no cell points at
	saved int     // bytes of buf that are in the state log
	refs  []int64 // offsets there
}

// blob is the pane at a place that a cell holds.
func (g *segment) blob(at uint32) []byte {
	r := reader{b: g.buf[at-1:]}
	r.uvarint()
	return r.bytes()
}

// add appends a pane and returns its place.
func (g *segment) add(id uint32, blob []byte) uint32 {
	at := uint32(len(g.buf) + 1)
	g.buf = binary.AppendUvarint(g.buf, uint64(id))
	g.buf = binary.AppendUvarint(g.buf, uint64(len(blob)))
	g.buf = append(g.buf, blob...)
	return at
}

// replace appends a pane and makes place, which is its cell's, point at it.
func (g *segment) replace(place *uint32, id uint32, blob []byte) {
	if *place > 0 {
		g.dead += len(g.blob(*place))
	}
	*place = g.add(id, blob)
}

// tidy makes the segment anew when most of it is dead.
func (g *segment) tidy(s *Store, place func(*cell) *uint32) {
	if 2*g.dead <= len(g.buf) {
		return
	}
	made := segment{at: g.at, used: true, buf: make([]byte, 0, len(g.buf)-g.dead)}
	// A pane that is passed over lies before the cell's own, so a new place is never taken for it.
	g.each(s, place, func(c *cell, blob []byte) { *place(c) = made.add(c.id, blob) })
	*g = made
}

// start makes the segment that of another time.
func (g *segment) start(at int64) { *g = segment{at: at, used: true} }

// each calls f for every pane that a cell still points at, in the order of first sealing.
func (g *segment) each(s *Store, place func(*cell) *uint32, f func(c *cell, blob []byte)) {
	for at := 0; at < len(g.buf); {
		r := reader{b: g.buf[at:]}
		id := uint32(r.uvarint())
		blob := r.bytes()
		if int(id) < len(s.byID) {
			if c := s.byID[id]; c != nil && *place(c) == uint32(at+1) {
				f(c, blob)
			}
		}
		at = len(g.buf) - len(r.b)
	}
}

// The slots of times before the epoch, back to which windows may reach, are never found to hold them.
func minuteSlot(m int64) int  { return int(uint64(m) % minutesKept) }
func quarterSlot(q int64) int { return int(uint64(q) % quartersKept) }

func minutePlace(slot int) func(*cell) *uint32 {
	return func(c *cell) *uint32 { return &c.minute[slot] }
}

func quarterPlace(slot int) func(*cell) *uint32 {
	return func(c *cell) *uint32 { return &c.quarter[slot] }
}

// eachMinute walks the panes of minute m, if it is held.
func (s *Store) eachMinute(m int64, f func(c *cell, blob []byte)) {
	i := minuteSlot(m)
	if g := &s.minutes[i]; g.used && g.at == m {
		g.each(s, minutePlace(i), f)
	}
}

// eachQuarter walks the panes of quarter q, counted from the epoch.
func (s *Store) eachQuarter(q int64, f func(c *cell, blob []byte)) {
	i := quarterSlot(q)
	if g := &s.quarters[i]; g.used && g.at == q*quarterMinutes {
		g.each(s, quarterPlace(i), f)
	}
}

// minuteBlob is the cell's pane of minute m, or nil.
func (s *Store) minuteBlob(c *cell, m int64) []byte {
	i := minuteSlot(m)
	if at := c.minute[i]; at > 0 && s.minutes[i].at == m {
		return s.minutes[i].blob(at)
	}
	return nil
}

// quarterBlob is the cell's pane of quarter q, or nil.
func (s *Store) quarterBlob(c *cell, q int64) []byte {
	i := quarterSlot(q)
	if at := c.quarter[i]; at > 0 && s.quarters[i].at == q*quarterMinutes {
		return s.quarters[i].blob(at)
	}
	return nil
}

// startMinute frees the slot of minute m for it.
func (s *Store) startMinute(m int64) *segment {
	i := minuteSlot(m)
	g := &s.minutes[i]
	g.each(s, minutePlace(i), func(c *cell, _ []byte) { c.minute[i] = 0 })
	g.start(m)
	return g
}

// startQuarter frees the slot of quarter q for it.
func (s *Store) startQuarter(q int64) *segment {
	i := quarterSlot(q)
	g := &s.quarters[i]
	g.each(s, quarterPlace(i), func(c *cell, _ []byte) { c.quarter[i] = 0 })
	g.start(q * quarterMinutes)
	return g
}
