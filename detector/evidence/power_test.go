package evidence

import (
	"math"
	"slices"
	"testing"
)

// TestDelayForetold: what is foretold is what happens, to within a third.
func TestDelayForetold(t *testing.T) {
	const b = 1.0 / 43_200
	f := func(d draw, sd, mean, rate, drop, by float64) {
		t.Helper()
		p := Power{M: mean, Mean: d.mean, SD: sd, N: rate, B: b, By: by}
		want := p.Delay(drop)
		table := NewTable(mean, Aim{d.mean, sd, by})
		var delays []float64
		for i := range 60 {
			r := seeded(20, uint64(i))
			var s Series
			for pane := 0; ; pane++ {
				var w Weights
				for range int(rate) {
					x := d.x(r)
					if pane >= 50 && r.Float64() < drop/d.mean {
						x = 0 // the mean falls by drop
					}
					w.Add(x, 1)
				}
				if _, ok := s.Add(int64(pane), float64(pane+1)*b, Part{table, &w}); ok {
					delays = append(delays, float64(pane-49))
					break
				}
			}
		}
		slices.Sort(delays)
		got := delays[len(delays)/2]
		t.Logf("%s, drop %g: %g panes foretold, median %g", d.name, drop, math.Round(want), got)
		if got < want/1.4-1 || got > want*1.4+1 {
			t.Errorf("%s, drop %g: %g panes foretold, median %g", d.name, drop, want, got)
		}
		if drop > 0.01 {
			if least := p.Smallest(want); math.Abs(least-drop) > 0.002 {
				t.Errorf("%s: drop of %g takes %g panes, smallest in those is %g", d.name, drop, want, least)
			}
		}
	}
	f(binary01(0.9), 0.3, 0.9, 10, 0.05, 0)
	f(binary01(0.9), 0.3, 0.9, 10, 0.05, 0.05)
	f(binary01(0.9), 0.3, 0.9, 10, 0.13, 0.05)
	f(binary01(0.9), 0.3, 0.89, 10, 0.05, 0.05)
	f(binary01(0.5), 0.5, 0.5, 40, 0.05, 0.05)
	f(binary01(0.95), 1, 0.95, 40, 0.02, 0)
}

func TestDelayEdges(t *testing.T) {
	f := func(p Power, drop, want float64) {
		t.Helper()
		if got := p.Delay(drop); got != want {
			t.Errorf("%+v, drop %g: %g panes, want %g", p, drop, got, want)
		}
	}
	ok := Power{M: 0.8, Mean: 0.8, SD: 0.1, N: 10, B: 1e-5}
	never := math.Inf(1)
	f(ok, 0, never)
	f(ok, 0.9, never) // no mean is below 0
	f(Power{M: 0.7, Mean: 0.8, SD: 0.1, N: 10, B: 1e-5}, 0.1, never)
	f(Power{M: 0.8, Mean: 0.8, SD: 0.1, N: 0, B: 1e-5}, 0.1, never)
	f(Power{M: 0.8, Mean: 0.8, SD: 0.1, N: 10}, 0.1, never)
	f(Power{M: 1, Mean: 1, SD: 0.1, N: 10, B: 1e-5}, 0.1, never)
	f(Power{M: 0.8, Mean: 0.8, SD: 0, N: 1e6, B: 1e-5}, 0.7, 1)
	if got := (Power{M: 0.1, Mean: 0.9, SD: 0.3, N: 1, B: 1e-9}).Smallest(10); !(got > 0.8) {
		t.Errorf("smallest drop %g, want more than .8", got)
	}
}

// TestEffectInterval: with the onset known, the interval holds the truth as often as it says.
func TestEffectInterval(t *testing.T) {
	for i, d := range draws {
		for _, n := range []int{20, 200} {
			r := seeded(21, uint64(i))
			const runs = 2000
			holds := 0
			for range runs {
				var w Weights
				for range n {
					w.Add(d.x(r), 1)
				}
				var m Moments
				m.add(&w)
				if e := EffectOf(&m, 0.7, 0); e.Low <= d.mean-0.7 && d.mean-0.7 <= e.High {
					holds++
				}
			}
			t.Logf("%s, %d scores: held in %.3f of runs", d.name, n, float64(holds)/runs)
			if float64(holds) < 0.93*runs {
				t.Errorf("%s, %d scores: held in %d of %d runs", d.name, n, holds, runs)
			}
		}
	}
}

// TestDecideForetells: what is said to be missing is about what it takes.
func TestDecideForetells(t *testing.T) {
	var ratios []float64
	for i := range 60 {
		r := seeded(22, uint64(i))
		var d Difference
		foretold := int64(0)
		for look := 1; look < 4000; look++ {
			var x, y Weights
			for range 10 {
				x.Add(binary01(0.75).x(r), 1)
				y.Add(binary01(0.85).x(r), 1)
			}
			d.Add(&x, &y)
			v, more := d.Decide(0.05)
			if v == Better {
				t.Fatal("worse is taken for better")
			}
			if look == 20 && v == Undecided && more > 0 {
				foretold = 400 + more
			}
			if v == Worse {
				if foretold > 0 {
					ratios = append(ratios, float64(d.NX+d.NY)/float64(foretold))
				}
				break
			}
		}
	}
	slices.Sort(ratios)
	if len(ratios) < 20 {
		t.Fatalf("%d forecasts", len(ratios))
	}
	if m := ratios[len(ratios)/2]; m < 0.5 || m > 2 {
		t.Errorf("it took a median of %.2f times what was foretold", m)
	}
	var none Difference
	if v, more := none.Decide(0.05); v != Undecided || more != 0 {
		t.Errorf("of nothing: %v, %d", v, more)
	}
	if low, high := none.Interval(0.05); low != -1 || high != 1 {
		t.Errorf("of nothing: from %g to %g", low, high)
	}
}
