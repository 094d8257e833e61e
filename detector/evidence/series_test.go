package evidence

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// panesOf makes panes that are healthy until at and then lower.
func panesOf(r *rand.Rand, count, at int) []Weights {
	panes := make([]Weights, count)
	for i := range panes {
		for range r.IntN(15) {
			x := math.Sqrt(r.Float64()) // mean ⅔
			if i >= at {
				x *= 0.85
			}
			panes[i].Add(x, 1)
		}
	}
	return panes
}

// alarms are the panes at which a series alarms, with their onsets.
func alarms(t *Table, panes []Weights, each func(i int, s *Series)) (at [][2]int64) {
	var s Series
	for i := range panes {
		if each != nil {
			each(i, &s)
		}
		if a, ok := s.Add(int64(i), float64(i+1)/2000, Part{t, &panes[i]}); ok {
			at = append(at, [2]int64{int64(i), a.Onset})
		}
	}
	return at
}

func TestRestartChangesNothing(t *testing.T) {
	table := NewTable(2.0/3, Aim{})
	panes := panesOf(seeded(10, 0), 600, 400)
	want := alarms(table, panes, nil)
	if len(want) < 3 {
		t.Fatalf("%d alarms: too few to compare", len(want))
	}
	most := 0
	got := alarms(table, panes, func(i int, s *Series) {
		saved := s.Save([]byte("before"))
		most = max(most, len(saved)-6)
		*s = Series{paid: 99}
		rest, err := s.Load(append(saved[6:], 1, 2))
		if err != nil || len(rest) != 2 {
			t.Fatalf("pane %d: load: %v, %d bytes left", i, err, len(rest))
		}
		if again := s.Save([]byte("before")); !slices.Equal(again, saved) {
			t.Fatalf("pane %d: saved %x, after a load %x", i, saved, again)
		}
	})
	if !slices.Equal(got, want) {
		t.Errorf("alarms %v, with a restart at each pane %v", want, got)
	}
	if most > 450 {
		t.Errorf("%d bytes a series, want at most 450", most)
	}
}

// TestMergeOfCells: cells of one minute may be merged in any order. Minutes merged by fives give the same alarms to within
// that.
func TestMergeOfCells(t *testing.T) {
	r := seeded(12, 0)
	table := NewTable(2.0/3, Aim{})
	whole := make([]Weights, 500)
	shuffled := make([]Weights, 500)
	fives := make([]Weights, 100)
	for i := range whole {
		cells := make([]Weights, 6)
		for c := range cells {
			for range r.IntN(4) {
				x := math.Sqrt(r.Float64())
				if i >= 300 {
					x *= 0.8
				}
				whole[i].Add(x, 1)
				cells[c].Add(x, 1)
			}
		}
		r.Shuffle(len(cells), func(a, b int) { cells[a], cells[b] = cells[b], cells[a] })
		for c := range cells {
			shuffled[i].Merge(&cells[c])
		}
		fives[i/5].Merge(&whole[i])
	}
	want := alarms(table, whole, nil)
	if got := alarms(table, shuffled, nil); !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("alarms %v, of merged cells %v", want, got)
	}
	var s Series
	for i := range fives {
		if _, ok := s.Add(int64(i), float64(5*(i+1))/2000, Part{table, &fives[i]}); ok {
			if first := want[0][0]; int64(i) < first/5-1 || int64(i) > first/5+1 {
				t.Errorf("alarm at pane %d of five minutes, of one minute at %d", i, first)
			}
			return
		}
	}
	t.Error("no alarm from panes of five minutes")
}

// TestParts: the parts of a pane that are held against the same M are as good as merged.
func TestParts(t *testing.T) {
	r := seeded(13, 0)
	table := NewTable(0.7, Aim{})
	var together, apart Series
	for i := range 300 {
		panes := panesOf(r, 2, 0)
		all := panes[0]
		all.Merge(&panes[1])
		_, a := together.Add(int64(i), float64(i+1)/500, Part{table, &all})
		_, b := apart.Add(int64(i), float64(i+1)/500, Part{table, &panes[0]}, Part{table, &panes[1]})
		if a != b || math.Abs(together.M()-apart.M()) > 1e-9 {
			t.Fatalf("pane %d: M %g together, %g apart", i, together.M(), apart.M())
		}
	}
}

// TestMirror: scores of which lower is better, mirrored, alarm as their mirror images do.
func TestMirror(t *testing.T) {
	panes := panesOf(seeded(14, 0), 500, 300)
	mirrored := make([]Weights, len(panes))
	r := seeded(14, 0)
	for i := range mirrored {
		for range r.IntN(15) {
			x := math.Sqrt(r.Float64())
			if i >= 300 {
				x *= 0.85
			}
			mirrored[i].Add(1-x, 1)
		}
		mirrored[i] = mirrored[i].Mirror()
		if math.Abs(mirrored[i].Sum()-panes[i].Sum()) > 1e-5 {
			t.Fatalf("pane %d: sum %g, mirrored twice %g", i, panes[i].Sum(), mirrored[i].Sum())
		}
	}
	want := alarms(NewTable(2.0/3, Aim{}), panes, nil)
	if got := alarms(NewTable(2.0/3, Aim{}), mirrored, nil); !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("alarms %v, mirrored %v", want, got)
	}
}

// TestOnset: the alarm names the pane of the change, give or take the time that the alarm took.
func TestOnset(t *testing.T) {
	var off []float64
	for i := range 100 {
		panes := panesOf(seeded(15, uint64(i)), 700, 300)
		for _, a := range alarms(NewTable(2.0/3, Aim{}), panes, nil) {
			if a[0] >= 300 {
				off = append(off, math.Abs(float64(a[1]-300)))
				break
			}
		}
	}
	slices.Sort(off)
	if len(off) < 95 {
		t.Fatalf("%d of 100 changes seen", len(off))
	}
	if median := off[len(off)/2]; median > 3 {
		t.Errorf("onset off by a median of %g panes, want at most 3", median)
	}
}

// TestExtremes: nothing is lost, endless or not a number, whatever the scores and however many of them.
func TestExtremes(t *testing.T) {
	f := func(name string, m float64, alarm bool, pane func(i int, w *Weights)) {
		t.Helper()
		var s Series
		fired := false
		months := simulated(t, 100_000)
		for i := range months {
			var w Weights
			pane(i, &w)
			if _, ok := s.Add(int64(i), float64(i+1)*1e-5, Part{NewTable(m, Aim{}), &w}); ok {
				fired = true
			}
			if m := s.M(); !(m >= 0 && m < 1) {
				t.Fatalf("%s: pane %d: M is %g", name, i, m)
			}
		}
		if fired != alarm {
			t.Errorf("%s: alarm %v, want %v", name, fired, alarm)
		}
	}
	f("no scores", 0.8, false, func(int, *Weights) {})
	f("one a day", 0.8, false, func(i int, w *Weights) {
		if i%1440 == 0 {
			w.Add(0.8, 1)
		}
	})
	f("all equal", 0.8, false, func(_ int, w *Weights) { w.Add(0.8, 1000) })
	f("all equal, a million, on a knot", 0.5, false, func(_ int, w *Weights) { w.Add(0.5, 1_000_000) })
	f("all equal, a million, between knots", 0.91, false, func(_ int, w *Weights) { w.Add(0.91, 1_000_000) })
	f("all perfect", 1, false, func(_ int, w *Weights) { w.Add(1, 1_000_000) })
	f("all worst", 0, false, func(_ int, w *Weights) { w.Add(0, 1_000_000) })
	f("worst where perfection is asked", 1, true, func(_ int, w *Weights) { w.Add(0, 1_000_000) })
	f("perfect where the worst is asked", 1e-9, false, func(_ int, w *Weights) { w.Add(1, 1_000_000) })
	f("months of too good, then a drop", 0.5, true, func(i int, w *Weights) {
		if i < 9_990 {
			w.Add(1, 1_000_000)
		} else {
			w.Add(0, 10)
		}
	})
	f("no number", 0.5, false, func(_ int, w *Weights) {
		if !w.Add(math.NaN(), 1) || w.N() != 0 {
			t.Fatal("NaN was counted")
		}
	})
	f("no claim", math.NaN(), false, func(_ int, w *Weights) { w.Add(0, 1) })
}

// TestSaves: what is saved and loaded is the same, to the last bit.
func TestSaves(t *testing.T) {
	x, y := panesOf(seeded(27, 0), 200, 100), panesOf(seeded(27, 1), 200, 200)
	var p Purse
	var b Seasonal
	var d Difference
	for i := range x {
		p.Pay(1.0/3, 1+i%7)
		b.Learn(i%Hours, &x[i])
		d.Add(&x[i], &y[i])
		var p2 Purse
		var b2 Seasonal
		var d2 Difference
		saved := d.Save(b.Save(p.Save(nil)))
		rest, err := p2.Load(saved)
		if err == nil {
			rest, err = b2.Load(rest)
		}
		if err == nil {
			rest, err = d2.Load(rest)
		}
		if err != nil || len(rest) != 0 || p2 != p || b2 != b || d2 != d {
			t.Fatalf("pane %d: loaded %v with %d bytes left; %v, %v, %v", i, err, len(rest), p2 == p, b2 == b, d2 == d)
		}
		if _, err := p2.Load(saved[:3]); err == nil {
			t.Fatal("a purse cut short loads")
		}
	}
}

func FuzzLoad(f *testing.F) {
	panes := panesOf(seeded(17, 0), 50, 20)
	var s Series
	var c Canary
	var d Difference
	var b Seasonal
	for i := range panes {
		s.Add(int64(i), float64(i)/1000, Part{NewTable(0.6, Aim{}), &panes[i]})
		c.Add(0, int64(i), &panes[i], &panes[len(panes)-1-i], float64(i)/1000)
		d.Add(&panes[i], &panes[len(panes)-1-i])
		b.Learn(i%Hours, &panes[i])
	}
	f.Add(s.Save(nil), 0.5, 3)
	f.Add(c.Save(nil), 0.5, 3)
	f.Add(d.Save(nil), 0.5, 3)
	f.Add(b.Save(nil), 0.5, 3)
	f.Add(new(Seasonal).Save(nil), 0.5, 3)
	f.Add([]byte{}, -1.0, 0)
	f.Fuzz(func(t *testing.T, src []byte, x float64, n int) {
		var w, o Weights
		w.Add(x, int64(n&0xfffff))
		o.Add(1-x, int64(n&0xff))
		var s Series
		if _, err := s.Load(src); err == nil {
			s.Add(5, 1, Part{NewTable(x, Aim{}), &w})
			if m := s.M(); !(m >= 0) {
				t.Errorf("series: M is %g", m)
			}
		}
		var c Canary
		if _, err := c.Load(src); err == nil {
			c.Add(0, 5, &w, &o, 1)
			if m := c.M(); !(m >= 0) {
				t.Errorf("canary: M is %g", m)
			}
		}
		var d Difference
		if _, err := d.Load(src); err == nil {
			d.Add(&w, &o)
			if low, high := d.Interval(0.05); low != low || high != high {
				t.Errorf("interval from %g to %g", low, high)
			}
			d.Decide(0.05)
		}
		var seasonal Seasonal
		if _, err := seasonal.Load(src); err == nil {
			seasonal.Learn(23, &w)
			seasonal.Seal()
		}
		if m := Lower(&w, BaselineAlpha); w.N() > 0 && !(m >= 0 && m <= 1) {
			t.Errorf("baseline sealed at %g", m)
		}
	})
}

func BenchmarkSeries(b *testing.B) {
	panes := panesOf(seeded(18, 0), 1000, 1000)
	table := NewTable(0.6, Aim{})
	var s Series
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		s.Add(int64(i), float64(i)*1e-9, Part{table, &panes[i%len(panes)]})
	}
}

func BenchmarkCanary(b *testing.B) {
	panes := panesOf(seeded(19, 0), 1000, 1000)
	var c Canary
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		c.Add(0, int64(i), &panes[i%len(panes)], &panes[(i+7)%len(panes)], float64(i)*1e-9)
	}
}
