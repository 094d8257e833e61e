package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/driftd/driftd/rules"
)

// rates are those that a forecast without history is for, values a minute.
var rates = []float64{1, 10, 100}

// graded is the standard deviation of scores that are not 0 and 1 alone, as a share of the greatest there can be with their mean:
// what judges are often seen to give.
const graded = 0.375

// untold is where a mean is taken to be that nobody has said anything of, on a scale of which higher is better; untoldRate is
// that of errors and fallbacks.
const (
	untold     = 0.8
	untoldRate = 0.02
)

// writeForecasts says what the sequential rules can see, from what the rules say alone.
func writeForecasts(w *strings.Builder, set *rules.Set, partitions int) {
	said, cut := false, false
	for i := range set.Groups {
		g := &set.Groups[i]
		for j := range g.Rules {
			r := &g.Rules[j]
			if _, ok := r.Budget(); !ok {
				continue
			}
			if !said {
				w.WriteString("What the sequential rules can see in one series (a prompt version, or a cohort of it):\n\n")
				said = true
			}
			n := cuts(g, partitions)
			cut = cut || n > 1
			writeForecast(w, r, share(r, n, 1))
		}
	}
	if said {
		w.WriteString("Half of all such changes are seen sooner than said, half later. Where ten series share the budget, each takes about a fifth\n" +
			"longer. With --events FILE the figures are those of your own traffic.\n")
		if cut {
			w.WriteString(cutText(partitions))
		}
		w.WriteString("\n")
	}
}

func cutText(partitions int) string {
	return fmt.Sprintf("The budget of rules on more than one prompt is divided by the %d partitions that prompts are spread over; a group with\n"+
		"`match: {prompt: NAME}` has it whole.\n", partitions)
}

// writeForecast writes the table of one rule, for a series with that share of its budget.
func writeForecast(w *strings.Builder, r *rules.Rule, share float64) {
	mean := assumed(r)
	most := math.Sqrt(mean * (1 - mean))
	deviations := []float64{most}
	d := drift(r)
	if d == nil {
		fmt.Fprintf(w, "  %s: %s of values instead of %s", r.Alert, valueText(r, min(1, 2*r.Exceed.Share)), valueText(r, r.Exceed.Share))
	} else {
		fmt.Fprintf(w, "  %s: %s from %s", r.Alert, changeText(r, sightOf(r, stream{rate: 1, mean: mean, sd: most}, share).by), valueText(r, unscaled(r, mean)))
	}
	if r.Exceed == nil && r.Rubric && len(r.Scale.Labels) != 2 {
		deviations = []float64{graded * most, most}
		fmt.Fprintf(w, "; from graded scores (deviation %s) to ones at the ends of the scale alone (%s)", amountText(r, graded*most*width(r)), amountText(r, most*width(r)))
	}
	w.WriteString("\n")
	table := [][]string{{"values a minute"}}
	if r.Canary != nil {
		table[0][0] = "values a minute on each side"
	}
	learns := d != nil && r.Canary == nil && d.Against.Kind != rules.AgainstFixed
	if learns {
		table[0] = append(table[0], "baseline after")
	}
	table[0] = append(table[0], "seen after", "least in a day")
	for _, rate := range rates {
		n := rate
		if r.Canary != nil {
			n /= 2 // nx·ny/(nx+ny)
		}
		var times, least []string
		var learned time.Duration
		for _, sd := range deviations {
			s := sightOf(r, stream{rate: n, mean: mean, sd: sd}, share)
			learned = s.learns
			times, least = append(times, timeText(s.delay)), append(least, smallestText(r, mean, s.smallest))
		}
		row := []string{fmt.Sprint(rate)}
		if learns {
			row = append(row, timeText(learned))
		}
		table = append(table, append(row, rangeText(times), rangeText(least)))
	}
	var b strings.Builder
	writeColumns(&b, table, 0)
	for line := range strings.Lines(b.String()) {
		w.WriteString("    " + line)
	}
	w.WriteString("\n")
}

// rangeText is from one text to another, or the only one.
func rangeText(texts []string) string {
	if first, last := texts[0], texts[len(texts)-1]; first != last {
		return first + " to " + last
	}
	return texts[0]
}

// assumed is the mean that a rule's values are taken to have, on the scale of streams.
func assumed(r *rules.Rule) float64 {
	d := drift(r)
	if d == nil {
		return 1 - r.Exceed.Share
	}
	if d.Against.Kind == rules.AgainstFixed {
		return scaled(r, d.Against.Value)
	}
	good := untold
	if !r.Rubric {
		good = 1 - untoldRate
	}
	if r.Scale.LowerIsBetter != d.Rise { // good news is looked for
		good = 1 - good
	}
	if !d.By.Percent {
		good = max(good, (1+d.By.Value/width(r))/2)
	}
	return good
}

// valueText is a value, or share, as people read it.
func valueText(r *rules.Rule, v float64) string { return r.NumberOf(v).String() }

// changeText is how far a mean is asked to have moved.
func changeText(r *rules.Rule, by float64) string {
	word := "a drop"
	if drift(r).Rise {
		word = "a rise"
	}
	return word + " of " + amountText(r, by)
}

// amountText is a difference: of shares in points.
func amountText(r *rules.Rule, by float64) string {
	if r.Unit() == rules.Share {
		return digits2(by*100) + " points"
	}
	return digits2(by)
}

// smallestText is the least change that is seen within a day; of an exceed the least share.
func smallestText(r *rules.Rule, mean, by float64) string {
	switch {
	case math.IsInf(by, 1):
		return "none"
	case r.Exceed != nil:
		return digits3(min(1, 1-mean+by)*100) + "%"
	}
	return amountText(r, by)
}

func digits3(v float64) string { return rules.Number{Float: v, Known: true}.String() }

// digits2 is v with two digits: what is forecast is not known better.
func digits2(v float64) string {
	if v == 0 {
		return "0"
	}
	unit := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-1)
	return digits3(math.Round(v/unit) * unit)
}

// timeText is a time that is known roughly.
func timeText(d time.Duration) string {
	switch m := d.Minutes(); {
	case d == never:
		return "never"
	case m < 100:
		return fmt.Sprintf("%.0f min", max(1, m))
	case m < 36*60:
		return roughly(m/60) + " h"
	case m < 100*perDay:
		return roughly(m/perDay) + " days"
	}
	return "over 100 days"
}

func roughly(v float64) string {
	if v < 10 {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	}
	return fmt.Sprintf("%.0f", v)
}
