package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/driftd/driftd/detector/evidence"
)

// teller is a method whose alarm says since when and how much.
type teller interface {
	tell() (onset int64, effect evidence.Effect)
}

func (s *sequential) tell() (int64, evidence.Effect) { return s.alarm.Onset, s.effect() }

// verdicts says where the promises stand. Nothing in it depends on the machine.
func verdicts(cells []*cell) {
	budgets(cells)
	var judged []*cell
	for _, c := range cells {
		if c.null == iid && c.runs > 0 {
			judged = append(judged, c)
		}
	}
	claims := againstWelch(judged)
	limits(judged)
	hard(cells)
	alarms(judged)
	fmt.Println("\n" + claims)
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "NOT met"
}

// pooled adds up what a contender did where the null is one of some.
func pooled(cells []*cell, i int, where []null) (false, days int) {
	for _, c := range cells {
		if slices.Contains(where, c.null) && contenders[i].shown(c) {
			false += c.lines[i].false
			days += c.seriesDays()
		}
	}
	return false, days
}

func budgets(cells []*cell) {
	fmt.Println("\nFalse alarms where a budget is claimed: all cells of a kind together")
	fmt.Printf("  %-34s %8s %12s %10s %8s %8s\n", "", "false", "series-days", "a day", "≤ 95 %", "budget")
	for i, k := range contenders {
		if false, days := pooled(cells, i, k.promises); days > 0 {
			upper := poissonUpper(false) / float64(days)
			fmt.Printf("  %-34s %8d %12d %10.5f %8.5f %8.5f   %s\n", k.name, false, days, float64(false)/float64(days), upper, k.budget, met(upper <= k.budget))
		}
	}
}

// ratio is ∞ for one of nothing or of what was never seen.
func ratio(v float64, decimals int) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case math.IsInf(v, 1):
		return "∞"
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

func limits(cells []*cell) {
	fmt.Println("\nHow far from the limit, iid: median minutes of one that knows all but the time, of a known mean, of a sealed day; in brackets what the seal costs;")
	fmt.Println("ln(1/b)/KL_inf, which is to first order the mean of any method that holds a budget of b a minute for all scores of that mean, of a drop at the worst moment")
	for _, c := range cells {
		fmt.Printf("  %-5s %4g a minute ", c.dist.name(), c.rate)
		for d, drop := range drops {
			m := func(name string) float64 { return quantile(c.of(name).delays[d], 0.5) }
			seal := "     –"
			if v := m(sealedDay)/m(knownMean) - 1; v < 100 {
				seal = fmt.Sprintf("%+4.0f %%", 100*v)
			}
			fmt.Printf("  %.2f: %4s, known %4s, sealed %4s (%s), formula %5.0f", drop, minutes(m(limit)), minutes(m(knownMean)), minutes(m(sealedDay)), seal,
				math.Log(day/byDefault)/(c.rate*information(c.dist, drop)))
		}
		fmt.Println()
	}
}

// hard says what breaks where the mean dips though nothing is wrong, and what is done about it.
func hard(cells []*cell) {
	fmt.Println("\nWhat the budget does not hold on, and what is done about it: false alarms a day, all cells together")
	for _, h := range []struct {
		null null
		done []string
	}{
		{swing, []string{sameHours, canaryHalf, canaryTenth}},
		{wander, []string{canaryHalf, canaryTenth}},
		{mix, []string{byCohorts, canaryHalf, canaryTenth}},
	} {
		for _, name := range append([]string{sealedDay, sealedDay + told, plainWelch}, h.done...) {
			i := slices.IndexFunc(contenders, func(k contender) bool { return k.name == name })
			false, days := pooled(cells, i, []null{h.null})
			if days == 0 {
				continue
			}
			upper := poissonUpper(false) / float64(days)
			verdict := "cannot be told in so few days"
			switch {
			case name == plainWelch:
				verdict = ""
			case upper <= contenders[i].budget:
				verdict = "keeps the budget"
			case poissonLower(false)/float64(days) > contenders[i].budget:
				verdict = "breaks"
			}
			fmt.Printf("  %-14s %-28s %9.4f (≤ %.4f)  %s\n", h.null, name, float64(false)/float64(days), upper, verdict)
		}
	}
}

func alarms(cells []*cell) {
	fmt.Println("\nWhat the alarm says, iid: median |onset − change| in minutes; share of the effect's 95 % intervals that hold the true drop; delay foretold, of panes in the mean")
	for _, c := range cells {
		for _, name := range []string{knownMean + told, sealedDay + told, canaryHalf + told} {
			l := c.of(name)
			fmt.Printf("  %-5s %4g a minute  %-30s", c.dist.name(), c.rate, name)
			for d := range drops {
				var off []float64
				for _, v := range l.onset[d] {
					off = append(off, math.Abs(v))
				}
				if len(off) == 0 {
					fmt.Printf("  %.2f: none               ", drops[d])
					continue
				}
				fmt.Printf("  %.2f: %3.0f min, %3.0f %%", drops[d], quantile(off, 0.5), 100*float64(l.holds[d])/float64(l.told[d]))
				if name != canaryHalf+told {
					m := c.dist.mean()
					if name == sealedDay+told {
						m -= 3.4 * c.dist.sd() / math.Sqrt(c.rate*day)
					}
					p := evidence.Power{M: m, Mean: c.dist.mean(), SD: c.dist.sd(), N: c.rate, B: byDefault / day, By: asked}
					fmt.Printf(", %4.0f", p.Delay(drops[d]))
				}
			}
			fmt.Println()
		}
	}
}

// kernel measures what one series costs: the best of some turns, for others may use the machine too.
func kernel() {
	r := rand.New(rand.NewPCG(1, 1))
	var x, y [64]evidence.Weights
	for i := range x {
		for range 10 {
			x[i].Add(r.Float64(), 1)
			y[i].Add(r.Float64(), 1)
		}
	}
	var s evidence.Series
	table := evidence.NewTable(0.5, evidence.Aim{Mean: 0.5, SD: 0.3, By: asked})
	drift := best(func(i int) {
		s.Add(int64(i), float64(i)*1e-9, evidence.Part{Table: table, Weights: &x[i%64]})
	})
	c := evidence.Canary{By: asked}
	pair := best(func(i int) {
		c.Add(0, int64(i), &x[i%64], &y[i%64], float64(i)*1e-9)
	})
	fmt.Printf("\nA series and pane, on this machine: drift %.0f ns, canary %.0f ns. State saved: drift %d bytes, canary %d bytes.\n",
		drift, pair, len(s.Save(nil)), len(c.Save(nil)))
}

// best is the least time of a call, in ns.
func best(call func(i int)) float64 {
	const turns, calls = 50, 5000
	least := math.Inf(1)
	for turn := range turns {
		start := time.Now()
		for i := range calls {
			call(turn*calls + i)
		}
		least = min(least, float64(time.Since(start).Nanoseconds())/calls)
	}
	return least
}
