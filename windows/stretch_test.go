package windows

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestStretch holds what cells say of a stretch of time against the values themselves.
func TestStretch(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, few := range []bool{true, false} {
		s := NewStore(Options{Dimensions: testDimensions})
		f, src := newFeed(), Source{Topic: "spans"}
		at := func(minute int) time.Time { return time.Date(2026, 11, 20, 12, minute, 0, 0, time.UTC) }
		var all, paid []float64
		var every []timed
		for m := range 150 {
			var events []event
			for _, tier := range []string{"free", "paid"} {
				for range 5 {
					v := rng.ExpFloat64()
					if few {
						v = math.Round(4*v) / 4
					}
					events = append(events, event{time: at(m).UnixNano(), prompt: "p", version: "v1", dims: [2]string{tier, "de"}, latency: v})
					every = append(every, timed{at(m), v})
					if m >= 30 && m < 140 { // whole quarters, then whole minutes
						all = append(all, v)
						if tier == "paid" {
							paid = append(paid, v)
						}
					}
				}
			}
			now := at(m + 1).UnixNano()
			fold(t, s, f.batch(src, now, now, events...))
			s.Advance(func(time.Time) {})
		}
		from, to := at(30), at(140)
		for name, want := range map[string][]float64{"all": all, "paid": paid} {
			cells := s.CellsOf("p", "v1")
			if name == "paid" {
				cells = cells.Only(func(dims []string) bool { return dims[0] == "paid" })
			}
			if n := map[string]int{"all": 2, "paid": 1}[name]; cells.Len() != n {
				t.Fatalf("%s: %d cells, want %d", name, cells.Len(), n)
			}
			near := func(what string, got, want, by float64) {
				t.Helper()
				if !(math.Abs(got-want) <= by) {
					t.Errorf("few %v, %s: %s is %v, want %v", few, name, what, got, want)
				}
			}
			slack := 0.02
			if few {
				slack = 1e-12
			}
			sum, above, least, most := 0.0, 0, math.Inf(1), 0.0
			for _, v := range want {
				sum, least, most = sum+v, min(least, v), max(most, v)
				if v > 1.25 {
					above++
				}
			}
			plain := cells.Between(Latency, from, to, false)
			near("mean", plain.Mean(), sum/float64(len(want)), 1e-9)
			if plain.N() != int64(len(want)) {
				t.Errorf("%d values, want %d", plain.N(), len(want))
			}
			st := cells.Between(Latency, from, to, true)
			near("sum", st.Sum(), sum, 1e-9)
			near("share above", st.Above(1.25), float64(above)/float64(len(want)), slack)
			near("share above all", st.Above(most), 0, 0)
			near("share above none", st.Above(least-1), 1, 0)
			if !few {
				near("share above the median", st.Above(st.Quantile(0.5)), 0.5, 1e-6)
				near("share above p90", st.Above(st.Quantile(0.9)), 0.1, 1e-6)
			}
			near("least", st.Min(), least, 0)
			near("greatest", st.Max(), most, 0)
		}
		cells := s.CellsOf("p", "v1")
		for _, quarters := range []bool{false, true} {
			seen, length := 0, time.Minute
			if quarters {
				length = 15 * time.Minute
			}
			var from time.Time
			type pane struct {
				n   int64
				sum float64
			}
			panes := make(map[int]pane)
			from = cells.Panes(Latency, quarters, true, func(i int, st Stretch) {
				panes[i] = pane{st.N(), st.Sum()}
				if q := st.Quantile(0.5); !(q >= st.Min() && q <= st.Max()) {
					t.Errorf("pane %d: median %v of %v to %v", i, q, st.Min(), st.Max())
				}
			})
			for i, got := range panes {
				begin := from.Add(time.Duration(i) * length)
				var want pane
				for _, e := range every {
					if !e.at.Before(begin) && e.at.Before(begin.Add(length)) {
						want.n, want.sum = want.n+1, want.sum+e.value
					}
				}
				if seen++; got.n != want.n || math.Abs(got.sum-want.sum) > 1e-9 {
					t.Errorf("few %v, pane %d of quarters %v: %v, want %v", few, i, quarters, got, want)
				}
			}
			if want := map[bool]int{false: 60, true: 10}[quarters]; seen != want {
				t.Errorf("%d panes, want %d", seen, want)
			}
		}
		for _, shaped := range []string{Latency, "nothing"} {
			sum := cells.Between(Latency, at(0), at(150), false).Sum()
			calls, of, st := cells.Quarters(shaped, at(0), at(150))
			if calls != 1500 || of[Latency].N != 1500 || math.Abs(of[Latency].Sum-sum) > 1e-9 || len(of) != 1 {
				t.Errorf("%d calls, %v; want 1500 of %v", calls, of, sum)
			}
			if q := st.Quantile(0.5); shaped == Latency && math.Abs(q-math.Ln2) > 0.1 || shaped != Latency && !math.IsNaN(q) {
				t.Errorf("median of %s is %v", shaped, q)
			}
		}
		if parts := cells.Split(func(dims []string) string { return dims[0] }); len(parts) != 2 || parts["paid"].Between(Latency, at(0), at(150), false).N() != 750 {
			t.Errorf("split into %v", parts)
		}
		for name, st := range map[string]Stretch{
			"no such metric":  s.CellsOf("p", "v1").Between("nothing", from, to, true),
			"no such version": s.CellsOf("p", "v2").Between(Latency, from, to, true),
			"no such time":    s.CellsOf("p", "v1").Between(Latency, to, from, true),
		} {
			got := fmt.Sprint(st.N(), st.Mean(), st.Above(1), st.Min(), st.Max(), st.Quantile(0.5))
			if want := "0 NaN NaN NaN NaN NaN"; got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
	}
}

// timed is a value and when it was.
type timed struct {
	at    time.Time
	value float64
}
