package evidence

import (
	"math"
	"testing"
)

// TestLower: the bound is above the mean no more often than it says, and not far below it.
func TestLower(t *testing.T) {
	const n, alpha = 300, 0.05
	runs := simulated(t, 2000)
	for i, d := range draws {
		t.Run(d.name, func(t *testing.T) {
			r := seeded(5, uint64(i))
			wrong, gap := 0, 0.0
			for range runs {
				var w Weights
				for range n {
					w.Add(d.x(r), 1)
				}
				l := Lower(&w, alpha)
				if l > d.mean {
					wrong++
				}
				gap += d.mean - l
			}
			t.Logf("above the mean in %.4f of runs; %.4f below it in the mean", float64(wrong)/float64(runs), gap/float64(runs))
			if limit := alpha + 4*math.Sqrt(alpha/float64(runs)); float64(wrong)/float64(runs) > limit {
				t.Errorf("above the mean in %d of %d runs, want at most %.3f of them", wrong, runs, limit)
			}
			if sd := math.Sqrt(d.mean * (1 - d.mean)); gap/float64(runs) > 4.5*sd/math.Sqrt(n)+0.02 {
				t.Errorf("%.4f below the mean", gap/float64(runs))
			}
		})
	}
}

// TestLowerIsTight: the bound is not much lower than one that assumes normal scores and has no guarantee.
func TestLowerIsTight(t *testing.T) {
	for i, d := range draws {
		if d.mean > 0.99 || d.mean < 0.1 {
			continue // nothing normal there
		}
		for _, n := range []int{1000, 15_000, simulated(t, 150_000)} {
			r := seeded(7, uint64(i))
			ratio := 0.0
			const runs = 20
			for range runs {
				var w Weights
				for range n {
					w.Add(d.x(r), 1)
				}
				ratio += (w.Mean() - Lower(&w, 0.01)) / (2.326 * math.Sqrt(w.Variance()/float64(n))) / runs
			}
			t.Logf("%s, %d scores: %.2f normal bounds below", d.name, n, ratio)
			if ratio > 1.75 {
				t.Errorf("%s, %d scores: %.2f normal bounds below, want at most 1.75", d.name, n, ratio)
			}
		}
	}
}

// TestSealedBaseline: measured from a sealed baseline the budget holds; measured from the mean that was seen it does not.
func TestSealedBaseline(t *testing.T) {
	const panes, b = 1500, 0.0002
	runs := simulated(t, 200)
	sealed, plugin := 0, 0
	for i := range runs {
		r := seeded(8, uint64(i))
		d := draws[i%len(draws)]
		var base Weights
		for range BaselineN {
			base.Add(d.x(r), 1)
		}
		m := Lower(&base, BaselineAlpha)
		var a, p Series
		for i := range panes {
			var w Weights
			for range 20 {
				w.Add(d.x(r), 1)
			}
			if _, ok := a.Add(int64(i), float64(i+1)*b, Part{NewTable(m, Aim{}), &w}); ok {
				sealed++
			}
			if _, ok := p.Add(int64(i), float64(i+1)*b, Part{NewTable(base.Mean(), Aim{}), &w}); ok {
				plugin++
			}
		}
	}
	budget := float64(runs) * panes * b
	t.Logf("a budget of %g alarms: %d against the sealed bound, %d against the mean", budget, sealed, plugin)
	if float64(sealed) > budget+4*math.Sqrt(budget) {
		t.Errorf("%d alarms against the sealed bound, want at most %g", sealed, budget)
	}
	if float64(plugin) < 2*budget {
		t.Errorf("%d alarms against the mean that was seen: then nothing need be sealed", plugin)
	}
}

// TestDifference: the true difference is in the interval at all looks but for a share of alpha of the runs.
func TestDifference(t *testing.T) {
	const looks, alpha = 60, 0.1
	runs := simulated(t, 400)
	for _, diff := range []float64{0, -0.1} {
		r := seeded(6, uint64(-diff*100))
		missed, decided := 0, 0
		for range runs {
			var d Difference
			out := false
			for look := range looks {
				mean := 0.8 + 0.1*math.Sin(float64(look)/5)
				var x, y Weights
				for range 20 {
					x.Add(binary01(mean+diff).x(r), 1)
					y.Add(binary01(mean).x(r), 1)
				}
				d.Add(&x, &y)
				low, high := d.Interval(alpha)
				if low > high {
					t.Fatalf("interval from %g to %g", low, high)
				}
				out = out || diff < low || diff > high
			}
			if out {
				missed++
			}
			if v, _ := d.Decide(alpha); v == Worse {
				decided++
			}
		}
		t.Logf("difference %g: missed in %d of %d runs, found worse in %d", diff, missed, runs, decided)
		if limit := float64(runs)*alpha + 4*math.Sqrt(float64(runs)*alpha); float64(missed) > limit {
			t.Errorf("difference %g: outside the interval in %d of %d runs", diff, missed, runs)
		}
		if diff < 0 && decided < runs/2 {
			t.Errorf("difference %g found in %d of %d runs", diff, decided, runs)
		}
	}
}
