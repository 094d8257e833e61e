package evidence

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// canaryAlarms are the panes at which a canary alarms. each may change it before the pane.
func canaryAlarms(x, y []Weights, by float64, each func(i int, c *Canary)) (at [][2]int64) {
	c := Canary{By: by}
	for i := range x {
		if each != nil {
			each(i, &c)
		}
		if a, ok := c.Add(0, int64(i), &x[i], &y[i], float64(i+1)/2000); ok {
			at = append(at, [2]int64{int64(i), a.Onset})
		}
	}
	return at
}

func TestCanaryRestart(t *testing.T) {
	r := seeded(11, 0)
	x, y := panesOf(r, 600, 300), panesOf(r, 600, 600)
	want := canaryAlarms(x, y, 0.1, nil)
	if len(want) == 0 {
		t.Fatal("no alarm")
	}
	got := canaryAlarms(x, y, 0.1, func(i int, c *Canary) {
		saved := c.Save(nil)
		*c = Canary{By: c.By}
		if rest, err := c.Load(saved); err != nil || len(rest) != 0 {
			t.Fatalf("pane %d: load: %v, %d bytes left", i, err, len(rest))
		}
		if again := c.Save(nil); !slices.Equal(again, saved) {
			t.Fatalf("pane %d: saved %x, after a load %x", i, saved, again)
		}
	})
	if !slices.Equal(got, want) {
		t.Errorf("alarms %v, with a restart at each pane %v", want, got)
	}
}

// TestCanaryWaits: scores of one side wait for the other as if both had come in one pane.
func TestCanaryWaits(t *testing.T) {
	r := seeded(24, 0)
	x, y := panesOf(r, 600, 300), panesOf(r, 600, 600)
	var together, apart Canary
	var none Weights
	alarms := 0
	for i := range x {
		if x[i].N() == 0 || y[i].N() == 0 {
			continue
		}
		paid := float64(i+1) / 2000
		_, want := together.Add(0, int64(i), &x[i], &y[i], paid)
		if i%2 == 0 {
			apart.Add(0, int64(i), &x[i], &none, paid)
			_, got := apart.Add(0, int64(i), &none, &y[i], paid)
			check(t, i, want, got, together.M(), apart.M())
		} else {
			apart.Add(0, int64(i), &none, &y[i], paid)
			_, got := apart.Add(0, int64(i), &x[i], &none, paid)
			check(t, i, want, got, together.M(), apart.M())
		}
		if want {
			alarms++
		}
	}
	if alarms == 0 {
		t.Error("no alarm")
	}
}

func check(t *testing.T, pane int, want, got bool, m, apart float64) {
	t.Helper()
	if got != want || m != apart {
		t.Fatalf("pane %d: alarm %v, M %g; with one side after the other %v, %g", pane, want, m, got, apart)
	}
}

// TestCanaryMirror: where lower is better, mirrored scores alarm when their mirror images do.
func TestCanaryMirror(t *testing.T) {
	pane := func(r *rand.Rand, drop float64, mirrored bool) (w Weights) {
		for range r.IntN(10) {
			x := math.Sqrt(r.Float64()) * (1 - drop)
			if mirrored {
				x = 1 - x
			}
			w.Add(x, 1)
		}
		if mirrored {
			w = w.Mirror()
		}
		return w
	}
	make := func(mirrored bool) (x, y []Weights) {
		r := seeded(25, 0)
		for i := range 600 {
			drop := 0.0
			if i >= 300 {
				drop = 0.15
			}
			x, y = append(x, pane(r, drop, mirrored)), append(y, pane(r, 0, mirrored))
		}
		return x, y
	}
	x, y := make(false)
	mx, my := make(true)
	want := canaryAlarms(x, y, 0.05, nil)
	if got := canaryAlarms(mx, my, 0.05, nil); !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("alarms %v, mirrored %v", want, got)
	}
}

// TestCanaryExtremes: nothing is lost, endless or not a number, whatever comes on either side.
func TestCanaryExtremes(t *testing.T) {
	f := func(name string, by float64, alarm bool, pane func(i int, x, y *Weights)) {
		t.Helper()
		c := Canary{By: by}
		fired := false
		for i := range simulated(t, 100_000) {
			var x, y Weights
			pane(i, &x, &y)
			if _, ok := c.Add(0, int64(i), &x, &y, float64(i+1)*1e-5); ok {
				fired = true
			}
			if m := c.M(); !(m >= 0 && m < 1) {
				t.Fatalf("%s: pane %d: M is %g", name, i, m)
			}
		}
		if fired != alarm {
			t.Errorf("%s: alarm %v, want %v", name, fired, alarm)
		}
	}
	const million = 1_000_000
	for _, by := range []float64{0, 0.05, 1} {
		f("nothing", by, false, func(int, *Weights, *Weights) {})
		f("one side", by, false, func(_ int, x, _ *Weights) { x.Add(0, million) })
		f("other side", by, false, func(_ int, _, y *Weights) { y.Add(1, million) })
		f("equal", by, false, func(_ int, x, y *Weights) { x.Add(0.37, million); y.Add(0.37, 3) })
		f("all perfect", by, false, func(_ int, x, y *Weights) { x.Add(1, million); y.Add(1, million) })
		f("all worst", by, false, func(_ int, x, y *Weights) { x.Add(0, million); y.Add(0, 1) })
		f("better", by, false, func(_ int, x, y *Weights) { x.Add(1, million); y.Add(0, million) })
		f("worse", by, true, func(_ int, x, y *Weights) { x.Add(0, million); y.Add(1, 1) })
		f("months of better, then worse", by, true, func(i int, x, y *Weights) {
			if i < 9_000 {
				x.Add(1, million)
				y.Add(0, million)
			} else {
				x.Add(0, 100)
				y.Add(1, 100)
			}
		})
	}
}

// TestAimed: a drop as great as the one aimed at is seen sooner than without an aim, in the mean over many.
func TestAimed(t *testing.T) {
	const b, by = 1.0 / 43_200, 0.05
	delay := func(seed uint64, aim Aim) int {
		r := seeded(26, seed)
		table := NewTable(aim.Mean, aim)
		var s Series
		for i := 0; ; i++ {
			var w Weights
			for range 10 {
				w.Add(binary01(aim.Mean-by).x(r), 1)
			}
			if _, ok := s.Add(int64(i), float64(i+1)*b, Part{table, &w}); ok {
				return i
			}
		}
	}
	with, without := 0, 0
	for i := range uint64(300) {
		with += delay(i, Aim{0.9, 0.3, by})
		without += delay(i, Aim{Mean: 0.9})
	}
	t.Logf("%.1f panes aimed, %.1f not", float64(with)/300, float64(without)/300)
	if float64(with) > 0.95*float64(without) {
		t.Errorf("%d panes with an aim, %d without: not worth it", with, without)
	}
}
