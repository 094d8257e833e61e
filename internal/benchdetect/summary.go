package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
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
	fmt.Println("\nWhere a budget of one in 30 days is claimed (✓): all cells of a kind together")
	fmt.Printf("  %-32s %8s %12s %10s %8s\n", "", "false", "series-days", "a day", "≤ 95 %")
	for i, k := range contenders {
		if len(k.promises) == 0 {
			continue
		}
		false, days := 0, 0
		for _, c := range cells {
			if slices.Contains(k.promises, c.null) {
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
		for _, name := range []string{"drift, known mean", "drift, sealed day", "canary"} {
			l := c.of(name)
			fmt.Printf("  %-5s %4g a minute  %-18s %6.0f× (≥ %.0f×)  delay", c.dist.name(), c.rate, name,
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

// recorded holds the detector to a change that happened: two models, each before and after a new snapshot, 1,506 answers each. The reference is
// sealed from the first two thirds of the old snapshot's answers, every call is a pane of its own.
func recorded(path string, shuffles int) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Printf("\nRecorded answers: left out, %s is not there.\n", path)
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	model, score := slices.Index(lines[0], "model"), slices.Index(lines[0], "score")
	if model < 0 || score < 0 {
		return fmt.Errorf("read %s: no columns model and score", path)
	}
	scores := map[string][]float64{}
	for _, l := range lines[1:] {
		v, err := strconv.ParseFloat(l[score], 64)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		_, name, _ := strings.Cut(l[model], "/")
		scores[name] = append(scores[name], v)
	}
	fmt.Printf("\nRecorded answers, calls in random order, %d shuffles:\n", shuffles)
	for _, change := range [][2]string{{"gpt-4-0314", "gpt-4-0613"}, {"gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613"}} {
		before, alarmed := 0, 0
		var delays []float64
		for i := range shuffles {
			early, delay := replay(rand.New(rand.NewPCG(7, uint64(i))), scores[change[0]], scores[change[1]])
			before += early
			if delay > 0 {
				alarmed++
				delays = append(delays, float64(delay))
			} else {
				delays = append(delays, math.Inf(1))
			}
		}
		fmt.Printf("  %s → %s: %d alarms before, alarm after it in %d; after a median of %s calls, p90 %s\n", change[0], change[1], before, alarmed,
			minutes(quantile(delays, 0.5)), minutes(quantile(delays, 0.9)))
	}
	return nil
}

// replay returns the alarms before the change and the number of calls from it to the first one after, 0 for none.
func replay(r *rand.Rand, before, after []float64) (early, delay int) {
	before, after = slices.Clone(before), slices.Clone(after)
	r.Shuffle(len(before), func(i, j int) { before[i], before[j] = before[j], before[i] })
	r.Shuffle(len(after), func(i, j int) { after[i], after[j] = after[j], after[i] })
	var b evidence.Baseline
	learn := max(evidence.BaselineN, len(before)*2/3)
	for _, x := range before[:learn] {
		var w evidence.Weights
		w.Add(x, 1)
		b.Learn(&w)
	}
	m, _ := b.Seal()
	var tables evidence.Tables
	table := tables.For(m)
	var s evidence.Series
	for i, x := range slices.Concat(before[learn:], after) {
		var w evidence.Weights
		w.Add(x, 1)
		if _, ok := s.Add(int64(i), float64(i+1)*budget, evidence.Part{Table: table, Weights: &w}); ok {
			if i >= len(before)-learn {
				return early, i - (len(before) - learn) + 1
			}
			early++
		}
	}
	return early, 0
}
