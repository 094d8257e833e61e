package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/rules"
)

// TestForetold: what is foretold is what happens, to within a half: of a baseline that is sealed as the detector seals it, of a pair
// of streams that is taken for one of nx·ny/(nx+ny) values, and of counts.
func TestForetold(t *testing.T) {
	set := parseRules(t, `
rubrics: {g: {min: 0, max: 1}}
groups:
  - name: g
    match: {prompt: p}
    rules:
      - {alert: D, rubric: g, drift: {drop: 0.05, against: 24h}}
      - {alert: C, rubric: g, canary: {drop: 0.05}}
      - {alert: X, metric: latency, exceed: {above: 4s, share: 5%}}
`)
	byName := func(i int) *rules.Rule { return &set.Groups[0].Rules[i] }
	draw := func(r *rand.Rand, n int, mean float64) (w evidence.Weights) {
		for range n {
			w.Add(math.Floor(r.Float64()+mean), 1)
		}
		return w
	}
	// run gives the median number of panes until one that add makes of a series is an alarm; change is told when.
	run := func(begin func(r *rand.Rand) (add func(pane int, changed bool, paid float64) bool)) float64 {
		const quiet, runs = 60, 40
		b := share(byName(0), 1, 1) / perDay
		var delays []float64
		for i := range runs {
			add := begin(rand.New(rand.NewPCG(7, uint64(i))))
			for pane := range 20 * perDay {
				if add(pane, pane >= quiet, float64(pane+1)*b) {
					delays = append(delays, float64(pane-quiet+1))
					break
				}
			}
		}
		if len(delays) < runs {
			return math.Inf(1)
		}
		slices.Sort(delays)
		return delays[runs/2]
	}
	hold := func(what string, foretold time.Duration, median float64) {
		t.Helper()
		t.Logf("%s: %.0f min foretold, median %.0f", what, foretold.Minutes(), median)
		if want := foretold.Minutes(); median > want*1.5+2 || median < want/1.5-2 {
			t.Errorf("%s: %.0f min foretold, median %.0f", what, want, median)
		}
	}
	deviation := func(mean float64) float64 { return math.Sqrt(mean * (1 - mean)) }

	aDrift := func(mean, drop float64, n int) {
		t.Helper()
		r := byName(0)
		r.Drift.By.Value = drop
		s := sightOf(r, stream{rate: float64(n), mean: mean, sd: deviation(mean)}, share(r, 1, 1))
		hold(fmt.Sprintf("drift from %g by %g, %d a minute", mean, drop, n), s.delay, run(func(random *rand.Rand) func(int, bool, float64) bool {
			var b evidence.Weights
			var series evidence.Series
			for range perDay {
				w := draw(random, n, mean)
				b.Merge(&w)
			}
			m := evidence.Lower(&b, evidence.BaselineAlpha)
			table := evidence.NewTable(m, evidence.Aim{Mean: b.Mean(), SD: deviation(b.Mean()), By: drop})
			return func(pane int, changed bool, paid float64) bool {
				now := mean
				if changed {
					now -= drop
				}
				w := draw(random, n, now)
				_, alarm := series.Add(int64(pane), paid, evidence.Part{Table: table, Weights: &w})
				return alarm
			}
		}))
	}
	aDrift(0.9, 0.05, 10)
	aDrift(0.9, 0.13, 2)
	aDrift(0.98, 0.02, 10)
	aDrift(0.5, 0.1, 10)

	aCanary := func(mean, drop float64, nx, ny int) {
		t.Helper()
		r := byName(1)
		r.Canary.By.Value = drop
		rate := float64(nx*ny) / float64(nx+ny)
		s := sightOf(r, stream{rate: rate, mean: mean, sd: deviation(mean)}, share(r, 1, 1))
		hold(fmt.Sprintf("canary from %g by %g, %d beside %d a minute", mean, drop, nx, ny), s.delay, run(func(random *rand.Rand) func(int, bool, float64) bool {
			c := evidence.Canary{By: drop}
			return func(pane int, changed bool, paid float64) bool {
				now := mean
				if changed {
					now -= drop
				}
				x, y := draw(random, nx, now), draw(random, ny, mean)
				_, alarm := c.Add(0, int64(pane), &x, &y, paid)
				return alarm
			}
		}))
	}
	aCanary(0.9, 0.05, 5, 5)
	aCanary(0.9, 0.13, 10, 10)
	aCanary(0.9, 0.05, 2, 20)
	aCanary(0.5, 0.05, 20, 20)
	aCanary(0.7, 0.1, 18, 2)

	anExceed := func(before float64, n int64) {
		t.Helper()
		r := byName(2)
		s := sightOf(r, stream{rate: float64(n), mean: 1 - before, sd: deviation(before)}, share(r, 1, 1))
		hold(fmt.Sprintf("exceed from %g to 0.1, %d a minute", before, n), s.delay, run(func(random *rand.Rand) func(int, bool, float64) bool {
			var series evidence.Series
			share := r.Exceed.Share
			table := evidence.NewTable(1-share, evidence.Aim{Mean: 1 - share, SD: deviation(share), By: share})
			return func(pane int, changed bool, paid float64) bool {
				now := before
				if changed {
					now = 2 * r.Exceed.Share
				}
				over := int64(0)
				for range n {
					if random.Float64() < now {
						over++
					}
				}
				w := evidence.Exceed(n, over)
				_, alarm := series.Add(int64(pane), paid, evidence.Part{Table: table, Weights: &w})
				return alarm
			}
		}))
	}
	anExceed(0.05, 10)
	anExceed(0.01, 10)
	anExceed(0.03, 50)
}
