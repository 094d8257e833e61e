package evidence

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// swinging is the mean of a minute, for a day's swing of ±.08.
func swinging(minute int) float64 { return 0.8 + 0.08*math.Sin(2*math.Pi*float64(minute)/1440) }

func swingingPane(minute, n int, r *rand.Rand) (w Weights) {
	for range n {
		x := 0.0
		if r.Float64() < swinging(minute) {
			x = 1
		}
		w.Add(x, 1)
	}
	return w
}

// TestSeasonal: a swing that comes back each day costs no budget against the same hours, and much against the whole day; a drop is
// seen against both.
func TestSeasonal(t *testing.T) {
	const n, b = 20, 0.002
	var seasonal Seasonal
	var whole Weights
	r := seeded(31, 0)
	for minute := range 1440 {
		w := swingingPane(minute, n, r)
		seasonal.Learn(minute/60, &w)
		whole.Merge(&w)
	}
	blocks := seasonal.Seal()
	if len(blocks) != Hours || seasonal.N() != whole.N() {
		t.Fatalf("%d blocks, %d of %d scores", len(blocks), seasonal.N(), whole.N())
	}
	m := Lower(&whole, BaselineAlpha)
	days := simulated(t, 50)
	same, all, dropped := Series{}, Series{}, Series{}
	alarms, plain, seen := 0, 0, 0
	for i := range days * 1440 {
		w := swingingPane(i, n, r)
		paid := float64(i+1) * b
		hour := i % 1440 / 60
		if _, ok := same.Add(int64(i), paid, Part{NewTable(blocks[hour].Bound, Aim{}), &w}); ok {
			alarms++
		}
		if _, ok := all.Add(int64(i), paid, Part{NewTable(m, Aim{}), &w}); ok {
			plain++
		}
		var low Weights
		for range n {
			low.Add(binary01(swinging(i)-0.13).x(r), 1)
		}
		if _, ok := dropped.Add(int64(i), paid, Part{NewTable(blocks[hour].Bound, Aim{}), &low}); ok {
			seen++
		}
	}
	budget := float64(days) * 1440 * b
	t.Logf("budget %g: %d alarms against the same hour, %d against the day, %d after a drop", budget, alarms, plain, seen)
	if float64(alarms) > budget+4*math.Sqrt(budget) {
		t.Errorf("%d alarms against the same hour, of a budget of %g", alarms, budget)
	}
	if float64(plain) < 2*budget || float64(seen) < 2*budget {
		t.Errorf("%d alarms against the whole day, %d after a drop, want more than twice the budget of %g", plain, seen, budget)
	}
}

// TestSeasonalFalls: a bound of several hours is below the mean of the last of them where a steep swing falls, and no lower than it
// must be where it rises or stands.
func TestSeasonalFalls(t *testing.T) {
	var s Seasonal
	mean := func(minute int) float64 { return 0.8 + 0.1*math.Sin(2*math.Pi*float64(minute)/1440) }
	r := seeded(32, 0)
	for minute := range 1440 {
		var w Weights
		for range 5 {
			w.Add(mean(minute)+(r.Float64()-0.5)/5, 1)
		}
		s.Learn(minute/60, &w)
	}
	blocks := s.Seal()
	if len(blocks) != Hours/4 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for minute := range 1440 {
		if b := &blocks[minute/240]; b.Bound > mean(minute) {
			t.Errorf("minute %d has a mean of %g, and the bound is %g", minute, mean(minute), b.Bound)
		}
	}
	if b := &blocks[4]; b.Bound < b.Mean()-0.02 {
		t.Errorf("where the swing is lowest the bound is %g, the mean %g", b.Bound, b.Mean())
	}
	// A swing that is lowest inside the second of three blocks, and not in its middle.
	means := []float64{0.9, 0.4, 0.6}
	three := make([]Block, len(means))
	for i, m := range means {
		three[i].Add(m, 1000)
	}
	// The one through means of .5, 0 and .2 above it: −.15x + .35(x² − 1/12), least at x = .15/.7.
	if got, x := falls(three)[1], .15/.7; math.Abs(got-(.15*x-.35*(x*x-1./12))) > 1e-6 {
		t.Errorf("a swing that is lowest inside its block falls by %g", got)
	}
	var flat []Block
	for range 6 {
		var b Block
		b.Add(0.8, 1000)
		flat = append(flat, b)
	}
	for i, f := range falls(flat) {
		if f != 0 {
			t.Errorf("a mean that does not swing falls by %g in block %d", f, i)
		}
	}
}

// TestSeasonalBlocks: blocks are as short as counts allow.
func TestSeasonalBlocks(t *testing.T) {
	f := func(anHour int64, thin int, want int) {
		t.Helper()
		var s Seasonal
		for h := range Hours {
			var w Weights
			n := anHour
			if h == thin {
				n /= 10
			}
			w.Add(float64(h)/100, n)
			s.Learn(h, &w)
		}
		blocks := s.Seal()
		if len(blocks)*want != Hours && len(blocks)+want > 0 {
			t.Fatalf("%d an hour: %d blocks, want them of %d hours", anHour, len(blocks), want)
		}
		for i := range blocks {
			if b := &blocks[i]; b.Bound > b.Mean() {
				t.Errorf("%d an hour: bound %g, mean %g of block %d", anHour, b.Bound, b.Mean(), i)
			}
		}
		saved := s.Save(nil)
		var again Seasonal
		if rest, err := again.Load(append(slices.Clone(saved), 7)); err != nil || len(rest) != 1 || again != s {
			t.Errorf("load: %v, %d bytes left", err, len(rest))
		}
		if len(saved) > 2200 {
			t.Errorf("%d bytes", len(saved))
		}
		if _, err := again.Load(saved[:len(saved)-1]); err == nil || again != (Seasonal{}) {
			t.Errorf("cut short, it loads: %v", err)
		}
	}
	f(5000, -1, 1)
	f(5000, 7, 2)
	f(500, -1, 2)
	f(334, -1, 3)
	f(250, -1, 4)
	f(249, -1, 0)
	f(0, -1, 0)
}
