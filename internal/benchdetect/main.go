// Command benchdetect shows by simulation what the detection kinds promise: how often they are wrong, and how long they take,
// beside what monitors and streaming libraries do instead. All of it is seeded: the same table each time. It is a tool for
// developers; the daemon does not need it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/driftd/driftd/internal/recorded"
)

func main() {
	quick := flag.Bool("quick", false, "a tenth of the days and runs: it works, but its figures mean little")
	only := flag.String("only", "", "one distribution: Beta, 0/1 or 1–5")
	rate := flag.Float64("rate", 0, "one rate: 1, 10 or 100 scores a minute")
	data := flag.String("data", recorded.Path, "recorded answers to try the detector on; left out where the file is not there")
	workers := flag.Int("workers", 2, "cells at a time")
	flag.Parse()
	if flag.NArg() > 0 || *workers < 1 || *only != "" && byName(*only) == nil || !slices.Contains([]float64{0, 1, 10, 100}, *rate) {
		flag.Usage()
		os.Exit(2)
	}
	cells := plan(*only, *rate, *quick)
	simulate(cells, *workers)
	fmt.Println("A budget of one false alarm in 30 days, .0333 a day, or where it is said one in 300, .0033: ✓ kept at the 95 % bound, ? too few days to tell, ✗ broken, blank where it is not claimed")
	for _, c := range cells {
		c.print()
	}
	verdicts(cells)
	kernel()
	changes, err := changed(*data, 200)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fmt.Printf("\nRecorded answers: left out, %s is not there\n", *data)
	case err != nil:
		fmt.Fprintln(os.Stderr, "benchdetect:", err)
		os.Exit(1)
	default:
		fmt.Println("\nRecorded answers, calls in random order")
		for _, c := range changes {
			fmt.Println(" ", c.String())
		}
	}
}

func plan(only string, rate float64, quick bool) (cells []*cell) {
	for _, d := range dists {
		if only != "" && d.name() != only {
			continue
		}
		for _, at := range []struct {
			rate       float64
			days, runs int
		}{{1, 1000, 100}, {10, 600, 200}, {100, 150, 50}} {
			if rate != 0 && at.rate != rate {
				continue
			}
			for _, n := range nulls {
				c := &cell{dist: d, rate: at.rate, null: n, days: at.days, runs: at.runs}
				if n != iid {
					c.runs /= 2
					if at.rate != 10 {
						c.runs = 0
					}
				}
				if quick {
					c.days, c.runs = c.days/10, c.runs/10
				}
				cells = append(cells, c)
			}
		}
	}
	return cells
}

func simulate(cells []*cell, workers int) {
	queue := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range queue {
				c := cells[i]
				c.run(uint64(slices.Index(nulls, c.null)) + 10*uint64(c.rate) + 10_000*uint64(slices.Index(dists, c.dist)))
			}
		})
	}
	for i := range cells {
		if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprintf(os.Stderr, "\r%d of %d", i, len(cells))
		}
		queue <- i
	}
	close(queue)
	wg.Wait()
	fmt.Fprint(os.Stderr, "\r")
}

func (c *cell) print() {
	fmt.Printf("\n%s, %g a minute, %s; %d series-days\n", c.dist.name(), c.rate, c.null, c.seriesDays())
	fmt.Printf("  %-38s %10s %8s   %s\n", "", "false/day", "≤ 95 %", "median / p90 minutes, share missed in a day, after a drop of .02 · .05 · .13")
	for i, l := range c.lines {
		k := contenders[i]
		if !k.shown(c) {
			continue
		}
		mark := " "
		if slices.Contains(k.promises, c.null) {
			switch days := float64(c.seriesDays()); {
			case c.upper(i) <= k.budget:
				mark = "✓"
			case poissonLower(l.false)/days > k.budget:
				mark = "✗"
			default:
				mark = "?"
			}
		}
		fmt.Printf("%s %-38s %10.4f %8.4f   %s\n", mark, k.name, float64(l.false)/float64(c.seriesDays()), c.upper(i), l.told3())
	}
}

func (c *cell) seriesDays() int      { return max(1, c.days/runDays) * runDays }
func (c *cell) upper(i int) float64  { return poissonUpper(c.lines[i].false) / float64(c.seriesDays()) }
func (c *cell) of(name string) *line { return &c.lines[c.index(name)] }
func (c *cell) index(name string) int {
	return slices.IndexFunc(contenders, func(k contender) bool { return k.name == name })
}

func (l *line) told3() string {
	var parts []string
	for _, delays := range l.delays {
		if len(delays) == 0 {
			continue
		}
		missed := 0
		for _, v := range delays {
			if math.IsInf(v, 1) {
				missed++
			}
		}
		s := minutes(quantile(delays, 0.5)) + "/" + minutes(quantile(delays, 0.9))
		if missed > 0 {
			s += fmt.Sprintf(" %.0f%%", 100*float64(missed)/float64(len(delays)))
		}
		parts = append(parts, fmt.Sprintf("%-14s", s))
	}
	return strings.TrimRight(strings.Join(parts, " · "), " ")
}

func minutes(v float64) string {
	if math.IsInf(v, 1) {
		return "–"
	}
	return fmt.Sprintf("%.0f", v)
}
