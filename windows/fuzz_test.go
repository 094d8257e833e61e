package windows

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"
)

// mended is a state record with a header that is right whatever its body is.
func mended(kind byte, body []byte) []byte {
	record := append([]byte{kind, stateVersion, 0, 0, 0, 0}, body...)
	binary.LittleEndian.PutUint32(record[2:], crc32.Checksum(body, castagnoli))
	return record
}

// allocated is how much f allocates, in bytes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzRestore holds that no checkpoint, whatever is in it, makes a store panic or allocate out of all proportion.
func FuzzRestore(f *testing.F) {
	c := newScenario(3)
	for _, steps := range []int{1, 40, 300} {
		s, log := NewStore(Options{Dimensions: testDimensions}), &memoryLog{}
		s.SetViews(testViews)
		for range steps {
			record, _ := c.step()
			advance(f, s, record)
		}
		if err := s.Checkpoint([]byte("extra"), log.write); err != nil {
			f.Fatal(err)
		}
		var panes []byte
		for _, g := range s.segments() {
			panes = g.buf
		}
		f.Add(s.appendState(nil, []byte("extra")), panes)
	}
	s := NewStore(Options{Dimensions: testDimensions})
	s.SetViews(testViews)
	var events []event
	for i := range compactRows + 3 { // some of them digested
		events = append(events, event{time: c.now, prompt: "p", version: "v", latency: float64(i) / 7, scored: true, score: 0.5})
	}
	fold(f, s, newFeed().batch(Source{}, c.now, 0, events...))
	f.Add(s.appendState(nil, nil), []byte{})
	record, _ := c.step()
	f.Fuzz(func(t *testing.T, state, panes []byte) {
		n := allocated(func() {
			s := NewStore(Options{Dimensions: testDimensions})
			refs, _, err := s.readState(&reader{b: state})
			for offset, g := range refs { // all the same
				if err == nil {
					head := binary.AppendUvarint([]byte{g.levelByte(s)}, uint64(g.at))
					err = s.readPanes(mended(panesRecord, append(head, panes...)), offset, g)
				}
			}
			if err != nil {
				return
			}
			work(t, s, record)
		})
		if limit := uint64(64<<20 + 1000*(len(state)+len(panes))); n > limit {
			t.Errorf("%d bytes of state and %d of panes make it allocate %d", len(state), len(panes), n)
		}
	})
}

// work does with a store all that can be done.
func work(t testing.TB, s *Store, record []byte) {
	views := s.SetViews(testViews)
	fold(t, s, record)
	for range 16 {
		if s.started && s.sealed < math.MaxInt64/minuteNanos {
			s.seal()
		}
	}
	s.drop()
	fingerprint(views)
	for _, v := range views {
		for _, g := range v.Fresh() {
			g.Pane()
			g.PaneOver()
			g.PaneAxes()
		}
		for _, g := range v.Groups() {
			g.Distribution(nil)
		}
	}
	for _, p := range s.Prompts() {
		for _, v := range s.Versions(p) {
			s.Figures(Query{Prompt: p, Version: v.Version}, 24*time.Hour)
			s.CellsOf(p, v.Version).Panes(Latency, true, true, func(_ int, st Stretch) { st.Quantile(0.95) })
			s.Between(Query{Prompt: p, Version: v.Version}, Latency, time.Time{}, s.Watermark())
			s.Cohorts(p, v.Version)
		}
	}
	if err := s.Checkpoint(nil, new(memoryLog).write); err != nil {
		t.Error(err)
	}
}

// FuzzPane holds the same of sealed panes, and that merging what was merged is possible.
func FuzzPane(f *testing.F) {
	c, s := newScenario(4), NewStore(Options{Dimensions: testDimensions})
	s.SetViews(testViews)
	var last []byte
	for range 200 {
		record, _ := c.step()
		advance(f, s, record)
	}
	for _, c := range s.byID {
		for _, at := range c.minute {
			if at > 0 {
				pane := s.minutes[slices.Index(c.minute[:], at)].blob(at)
				f.Add(pane, last)
				last = pane
				break
			}
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		n := allocated(func() {
			var m merger
			pane := m.merge(nil, minuteCompression, a, b)
			for range 2 {
				pane = m.merge(nil, quarterCompression, pane, a)
			}
			r := readBlob(pane)
			for e, ok := r.next(); ok; e, ok = r.next() {
				if e.key&3 != 0 {
					readExemplars(nil, e.payload, false)
					continue
				}
				payloadTotals(e.payload)
				m.fig.reset()
				m.fig.add(e.payload)
				m.order(&m.fig.dist)
				for _, q := range []float64{0, 0.5, 0.99, 1} {
					m.fig.dist.quantile(q, m.fig.min, m.fig.max)
				}
			}
		})
		if limit := uint64(1<<20 + 2000*(len(a)+len(b))); n > limit {
			t.Errorf("%d bytes of panes make it allocate %d", len(a)+len(b), n)
		}
	})
}

// FuzzFinder holds the same of records of the state log.
func FuzzFinder(f *testing.F) {
	log := &memoryLog{}
	s := NewStore(Options{Dimensions: testDimensions})
	if err := s.Checkpoint([]byte("extra"), log.write); err != nil {
		f.Fatal(err)
	}
	f.Add(log.records[0][stateHeader:], log.records[0][stateHeader:])
	f.Fuzz(func(t *testing.T, a, b []byte) {
		n := allocated(func() {
			f := NewFinder()
			f.Add(a)
			f.Add(mended(statesRecord, a))
			f.Add(mended(statesRecord, b))
			if cp, ok := f.Best(); ok {
				NewStore(Options{Dimensions: testDimensions}).Restore(cp, func([]int64, func([]byte) error) error { return nil })
			}
		})
		if limit := uint64(64<<20 + 1000*(len(a)+len(b))); n > limit {
			t.Errorf("%d bytes of records make it allocate %d", len(a)+len(b), n)
		}
	})
}
