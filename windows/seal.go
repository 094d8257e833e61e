package windows

import (
	"iter"
	"math/bits"
	"slices"
	"time"
)

// Advance seals every minute that the watermark has passed, one after the other, and calls tick after each with the event
// time that is its end. It returns how many samples turned out to be too late: those that were taken in before the first
// watermark and are more than a day older than it. Their Fold could not know.
func (s *Store) Advance(tick func(now time.Time)) (tooLate int) {
	if s.watermark == 0 {
		return 0
	}
	if !s.started {
		tooLate = s.begin()
	}
	for s.sealed < s.watermark/minuteNanos {
		s.seal()
		tick(time.Unix(0, s.sealed*minuteNanos).UTC())
	}
	return tooLate
}

// begin sets the first minute to seal: that of the oldest sample, within the longest window. It drops the samples of before
// that and counts them.
func (s *Store) begin() (tooLate int) {
	s.started = true
	s.sealed = s.watermark / minuteNanos
	oldest := s.sealed - quartersKept*quarterMinutes
	for m, cells := range s.open {
		if m < oldest {
			for _, c := range cells {
				i := slices.IndexFunc(c.open, func(p openPane) bool { return p.at == m })
				tooLate += int(c.open[i].digested + c.open[i].n)
				c.open = slices.Delete(c.open, i, i+1)
			}
			delete(s.open, m)
			continue
		}
		s.sealed = min(s.sealed, m)
	}
	return tooLate
}

// seal closes the first minute that is still open: its panes leave the rows for the ring, the views move on by a minute,
// samples that came late for older panes join them, and each quarter of an hour its fifteen minutes become one pane.
func (s *Store) seal() {
	m := s.sealed
	s.sealed++
	s.leave()
	s.welcome(m, false)
	s.sealMinute(m)
	if s.sealed%quarterMinutes == 0 {
		s.axes.sweep(s.sealed)
		s.sealQuarter(s.sealed/quarterMinutes - 1)
	}
	s.sealLate()
	s.welcome(m, true)
	if s.sealed%hour == 0 {
		s.drop()
	}
}

func (s *Store) sealMinute(m int64) {
	g := s.startMinute(m)
	g.buf = s.building[:0]
	slot := minuteSlot(m)
	for _, v := range s.views {
		v.sealed = s.sealed
		v.fresh.reset()
	}
	for c := range s.inOrder(s.open[m]) {
		i := slices.IndexFunc(c.open, func(p openPane) bool { return p.at == m && !p.late })
		blob := s.columns.seal(s, &c.open[i])
		c.minute[slot] = g.add(c.id, blob)
		c.enterNew(blob, &s.columns)
		c.tell(s, &s.columns)
		c.ver.sealed = s.sealed
		c.closePane(i)
	}
	delete(s.open, m)
	s.built(g)
}

// inOrder gives the cells, which are different ones, in the order of their ids: it is the same after a restart, and they lie
// in memory much like that.
func (s *Store) inOrder(cells []*cell) iter.Seq[*cell] {
	s.order = slices.Grow(s.order[:0], len(s.byID)/64+1)[:len(s.byID)/64+1]
	clear(s.order)
	for _, c := range cells {
		s.order[c.id/64] |= 1 << (c.id % 64)
	}
	return func(yield func(*cell) bool) {
		for i, word := range s.order {
			for ; word != 0; word &= word - 1 {
				if !yield(s.byID[i*64+bits.TrailingZeros64(word)]) {
					return
				}
			}
		}
	}
}

// built gives a new segment a buffer of its own, without spare capacity.
func (s *Store) built(g *segment) {
	s.building = g.buf
	g.buf = slices.Clone(g.buf)
}

// sealLate lets late samples join the panes they belong to.
func (s *Store) sealLate() {
	for _, c := range s.late {
		for len(c.open) > 0 && c.open[0].late {
			s.joinLate(c, &c.open[0])
			c.closePane(0)
		}
	}
	if len(s.late) == 0 {
		return
	}
	s.late = s.late[:0]
	for i := range s.minutes {
		s.minutes[i].tidy(s, minutePlace(i))
	}
	for i := range s.quarters {
		s.quarters[i].tidy(s, quarterPlace(i))
	}
}

func (s *Store) joinLate(c *cell, p *openPane) {
	fresh := slices.Clone(s.columns.seal(s, p))
	minute, q := p.at, p.at/quarterMinutes
	// Since the pane was opened the ring may have moved on past its minute.
	if !p.quarter && minute >= s.sealed-minutesKept {
		i := minuteSlot(minute)
		g := &s.minutes[i]
		if !g.used || g.at != minute {
			s.startMinute(minute)
		}
		g.replace(&c.minute[i], c.id, s.joined(s.minuteBlob(c, minute), fresh, minuteCompression))
	}
	if q < s.sealed/quarterMinutes && q >= s.sealed/quarterMinutes-quartersKept {
		i := quarterSlot(q)
		g := &s.quarters[i]
		if !g.used || g.at != q*quarterMinutes {
			s.startQuarter(q)
		}
		g.replace(&c.quarter[i], c.id, s.joined(s.quarterBlob(c, q), fresh, quarterCompression))
	}
	c.enter(minute, fresh, s.sealed)
	c.disturb()
}

func (s *Store) joined(old, fresh []byte, compression float64) []byte {
	if old == nil {
		return fresh
	}
	s.columns.blob = s.merger.merge(s.columns.blob[:0], compression, old, fresh)
	return s.columns.blob
}

// sealQuarter merges the minutes of quarter q into one pane a cell.
func (s *Store) sealQuarter(q int64) {
	g := s.startQuarter(q)
	g.buf = s.building[:0]
	slot := quarterSlot(q)
	blobs := make([][]byte, 0, quarterMinutes)
	for _, c := range s.byID {
		if c == nil {
			continue
		}
		blobs = blobs[:0]
		for m := q * quarterMinutes; m < (q+1)*quarterMinutes; m++ {
			if blob := s.minuteBlob(c, m); blob != nil {
				blobs = append(blobs, blob)
			}
		}
		if len(blobs) == 0 {
			continue
		}
		s.columns.blob = s.merger.merge(s.columns.blob[:0], quarterCompression, blobs...)
		c.quarter[slot] = g.add(c.id, s.columns.blob)
	}
	s.built(g)
}
