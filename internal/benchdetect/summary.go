package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/driftd/driftd/detector/evidence"
)

// teller is a method whose alarm says since when and how much.
type teller interface {
	tell() (onset int64, low, high float64)
}

func (s *sequential) tell() (onset int64, low, high float64) {
	e := evidence.EffectOf(&s.alarm.Since, s.ref, s.refVar)
	return s.alarm.Onset, e.Low, e.High
}

// verdicts says where the promises stand.
func verdicts(cells []*cell) {
	fmt.Println("\nWhere a budget of one in 30 days is claimed: all cells of a kind together")
	fmt.Printf("  %-32s %8s %12s %10s %8s\n", "", "false", "series-days", "a day", "≤ 95 %")
	for i, k := range contenders {
		if len(k.promises) == 0 {
			continue
		}
		false, days := 0, 0
		for _, c := range cells {
			if slices.Contains(k.promises, c.null) && !(k.name == canaryTenth && c.rate > holderRate) {
				false += c.lines[i].false
				days += c.seriesDays()
			}
		}
		fmt.Printf("  %-32s %8d %12d %10.5f %8.5f   budget .0333\n", k.name, false, days, float64(false)/float64(days), poissonUpper(false)/float64(days))
	}
	fmt.Println("\nAgainst Welch 1h/24h on iid scores: times fewer false alarms (at the 95 % bound), times its median delay")
	for _, c := range cells {
		if c.null != iid || c.runs == 0 {
			continue
		}
		w := c.of("Welch 1h/24h p<.01")
		for _, name := range []string{"drift, known mean", "drift, sealed day", "canary, half the traffic", canaryTenth} {
			l := c.of(name)
			if name == canaryTenth && c.rate > holderRate {
				continue
			}
			fmt.Printf("  %-5s %4g a minute  %-26s %6.0f× (≥ %.0f×)  delay", c.dist.name(), c.rate, name,
				float64(w.false)/float64(l.false), float64(w.false)/poissonUpper(l.false))
			for d := range drops {
				fmt.Printf("  %.2f: %.2f×", drops[d], quantile(l.delays[d], 0.5)/quantile(w.delays[d], 0.5))
			}
			fmt.Println()
		}
	}
	fmt.Println("\nWhat the alarm says, iid: median |onset − change| in minutes; share of the effect's 95 % intervals that hold the true drop; median delay foretold")
	for _, c := range cells {
		if c.null != iid || c.runs == 0 {
			continue
		}
		for _, name := range []string{"drift, known mean", "drift, sealed day"} {
			l := c.of(name)
			fmt.Printf("  %-5s %4g a minute  %-18s", c.dist.name(), c.rate, name)
			for d := range drops {
				var off []float64
				for _, v := range l.onset[d] {
					off = append(off, math.Abs(v))
				}
				fmt.Printf("  %.2f: %3.0f min, %3.0f %%, ", drops[d], quantile(off, 0.5), 100*float64(l.holds[d])/float64(l.told[d]))
				m := c.dist.mean()
				if name == "drift, sealed day" {
					m -= 3.2 * c.dist.sd() / math.Sqrt(c.rate*day)
				}
				fmt.Printf("%4.0f", evidence.Power{M: m, Mean: c.dist.mean(), SD: c.dist.sd(), N: c.rate, B: budget}.Delay(drops[d]))
			}
			fmt.Println()
		}
	}
}

// kernel measures what one series costs.
func kernel() {
	r := rand.New(rand.NewPCG(1, 1))
	var panes [64]pane
	for i := range panes {
		for range 10 {
			panes[i].w.Add(r.Float64(), 1)
			panes[i].beside.Add(r.Float64(), 1)
		}
	}
	var tables evidence.Tables
	table, s, c := tables.For(0.5), evidence.Series{}, evidence.Canary{}
	const n = 1_000_000
	start := time.Now()
	for i := range n {
		s.Add(int64(i), float64(i)*1e-9, evidence.Part{Table: table, Weights: &panes[i%64].w})
	}
	drift := time.Since(start)
	start = time.Now()
	for i := range n / 10 {
		c.Add(0, int64(i), &panes[i%64].w, &panes[(i+1)%64].beside, float64(i)*1e-9)
	}
	fmt.Printf("\nA series and pane: drift %.0f ns, canary %.0f ns. State saved: drift %d bytes, canary %d bytes.\n",
		float64(drift.Nanoseconds())/n, float64(time.Since(start).Nanoseconds())/(n/10), len(s.Save(nil)), len(c.Save(nil)))
}
