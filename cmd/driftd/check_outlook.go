package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/rules"
)

// fewest is how many values it takes to say anything of a series.
const fewest = 30

// outlook is what a rule can be expected to see in the series that a history holds, if they go on as they were.
type outlook struct {
	*watched
	seen  int   // series in the last day of the history
	thin  int   // of them, without the values that a baseline takes
	views []row // the others, the one with the most values first; where none has a baseline, those that can be judged at all
	ready bool  // views have, or need, no baseline
}

type row struct {
	*series
	stream
	sight
	share float64 // of the budget, alarms a day
}

// outlook is that of one rule behind minute last.
func (w *watched) outlook(last int64, partitions int) outlook {
	o := outlook{watched: w, ready: true}
	cohorts := make(map[[2]string][]stream) // by prompt and version
	learned := make(map[string]bool)        // a baseline could be made of, by prompt and cohort
	key := func(s *series) string { return fmt.Sprintf("%q %q", s.prompt, s.cohort) }
	d := drift(w.rule)
	learns := w.rule.Drift != nil && d.Against.Kind != rules.AgainstFixed
	for _, s := range w.series {
		if s.weights.N() >= evidence.BaselineN {
			learned[key(s)] = true
		}
		if at := [2]string{s.prompt, s.version}; len(s.cohort) > 0 {
			cohorts[at] = append(cohorts[at], s.stream())
		}
	}
	var chosen, thin []*series
	for _, s := range w.series {
		switch {
		case last-s.last >= perDay:
			continue
		case s.weights.N() < fewest:
		case !learns || learned[key(s)] && d.Against.Kind != rules.AgainstLast24h && d.Against.Kind != rules.AgainstSameHours || s.weights.N() >= evidence.BaselineN:
			chosen = append(chosen, s)
		default:
			thin = append(thin, s)
		}
		o.seen++
	}
	o.thin = o.seen - len(chosen)
	if len(chosen) == 0 {
		chosen, o.ready = thin, false
	}
	cut := cuts(w.group, partitions)
	at := func(s *series) int { return kafkalog.PartitionFor(s.prompt, cut) }
	sharing := make(map[int]int) // series by partition
	for _, s := range chosen {
		sharing[at(s)]++
	}
	for _, s := range chosen {
		st := s.stream()
		if len(s.cohort) == 0 {
			st.cohorts = cohorts[[2]string{s.prompt, s.version}]
		}
		if w.rule.Canary != nil {
			st.rate /= 4 // half of its calls on each side: nx·ny/(nx+ny)
		}
		r := row{series: s, stream: s.stream(), share: share(w.rule, cut, sharing[at(s)])}
		r.sight = sightOf(w.rule, st, r.share)
		o.views = append(o.views, r)
	}
	slices.SortFunc(o.views, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.weights.N(), a.weights.N()), cmp.Compare(a.name(w.group.SliceBy), b.name(w.group.SliceBy)))
	})
	return o
}

// totals are the rows of whole prompt versions, and cohorts the others; where there is but one kind it is the totals.
func (o *outlook) split() (totals, cohorts []row) {
	for _, r := range o.views {
		if len(r.cohort) == 0 {
			totals = append(totals, r)
		} else {
			cohorts = append(cohorts, r)
		}
	}
	if len(totals) == 0 {
		return cohorts, nil
	}
	return totals, cohorts
}

// write tells what the rules could have seen.
func (h *history) write(w *strings.Builder) {
	if h.counts.Samples+h.counts.Scores == 0 {
		return
	}
	from, to := time.Unix(h.first*60, 0).UTC(), time.Unix((h.last+1)*60, 0).UTC()
	fmt.Fprintf(w, "%s: %s and %s in %s, %s to %s UTC\n\n", h.file, many(int(h.counts.Samples), "call"), many(int(h.counts.Scores), "score"),
		timeText(to.Sub(from)), from.Format("2006-01-02 15:04"), to.Format("2006-01-02 15:04"))
	cut := false
	for _, o := range h.outlooks {
		o.write(w)
		cut = cut || cuts(o.group, h.partitions) > 1
	}
	if len(h.outlooks) == 0 {
		w.WriteString("No rule states a budget of false alarms: there is nothing to forecast.\n\n")
	}
	if cut {
		w.WriteString(cutText(h.partitions) + "\n")
	}
}

func (o *outlook) write(w *strings.Builder) {
	r := o.rule
	fmt.Fprintf(w, "%s: ", r.Alert)
	if len(o.views) == 0 {
		w.WriteString("nothing to watch\n\n")
		return
	}
	if o.ready {
		least, most := o.views[0].share, o.views[0].share
		for _, v := range o.views {
			least, most = min(least, v.share), max(most, v.share)
		}
		fmt.Fprintf(w, "%s series watched; false alarms of each: %s", rules.Grouped(len(o.views)), rangeText([]string{oncePer(most), oncePer(least)}))
		if o.thin > 0 {
			fmt.Fprintf(w, "; %s too thin", rules.Grouped(o.thin))
		}
	} else {
		fmt.Fprintf(w, "none of %s has the %s values yet that a baseline takes", rules.Grouped(o.seen)+" series", rules.Grouped(evidence.BaselineN))
	}
	if r.Canary != nil {
		w.WriteString("; with half of the calls on each side (with a tenth on one it takes three times as long)")
	}
	w.WriteString("\n")
	totals, cohorts := o.split()
	table := [][]string{o.header(totals[0])}
	by := o.group.SliceBy
	if len(totals) <= 4 {
		for _, t := range totals {
			table = append(table, o.cells(t.name(by), t))
		}
	} else {
		table = append(table, o.cells(totals[0].name(by), totals[0]), o.cells("median of "+rules.Grouped(len(totals)), median(totals)), o.cells("worst: "+worst(totals).name(by), worst(totals)))
	}
	if len(cohorts) > 0 {
		table = append(table, o.cells("median of "+many(len(cohorts), "cohort"), median(cohorts)))
		table = append(table, o.cells("worst: "+worst(cohorts).name(by), worst(cohorts)))
	}
	var b strings.Builder
	writeColumns(&b, table, 1)
	for line := range strings.Lines(b.String()) {
		w.WriteString("  " + line)
	}
	w.WriteString("\n")
}

func (o *outlook) header(first row) []string {
	r := o.rule
	head := []string{"series", "values a minute"}
	if r.Exceed != nil {
		side := "above "
		if r.Exceed.Below {
			side = "below "
		}
		return append(head, side+valueOf(r, r.Exceed.Limit), valueText(r, 2*r.Exceed.Share)+" seen after", "least share in a day")
	}
	d := drift(r)
	head = append(head, "mean", "deviation")
	if first.learns > 0 {
		head = append(head, "baseline after")
	}
	asked := changeText(r, first.by)
	if d.By.Percent && d.Against.Kind != rules.AgainstFixed {
		asked = strings.Fields(asked)[1] + " of " + digits3(d.By.Value*100) + "%"
	}
	return append(head, asked+" seen after", "least in a day")
}

func (o *outlook) cells(name string, t row) []string {
	r := o.rule
	out := []string{name, roughly3(t.stream.rate), valueText(r, unscaled(r, t.weights.Mean()))}
	if r.Exceed == nil {
		out = append(out, amountText(r, math.Sqrt(t.weights.Variance())*width(r)))
		if t.learns > 0 {
			out = append(out, timeText(t.learns))
		}
	}
	if t.beyond {
		return append(out, "beyond it now", "")
	}
	return append(out, timeText(t.delay), smallestText(r, t.mean, t.smallest))
}

// valueOf is a single value of the metric.
func valueOf(r *rules.Rule, v float64) string {
	return (&rules.Rule{Metric: r.Metric, Rubric: r.Rubric}).NumberOf(v).String()
}

// median is the row in the middle by the number of values.
func median(rows []row) row { return rows[len(rows)/2] }

// worst is the row in which the rule sees least.
func worst(rows []row) row {
	return slices.MaxFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.smallest, b.smallest), cmp.Compare(a.delay, b.delay), cmp.Compare(b.weights.N(), a.weights.N()))
	})
}

func roughly3(v float64) string {
	if v < 0.01 {
		return fmt.Sprintf("%.4f", v)
	}
	return digits3(v)
}

// many is plural with commas in the number.
func many(n int, what string) string {
	_, what, _ = strings.Cut(plural(n, what), " ")
	return rules.Grouped(n) + " " + what
}

// oncePer writes alarms a day as a budget.
func oncePer(share float64) string {
	days := 1 / share
	if days < 10 {
		return "1/" + digits2(days) + "d"
	}
	return fmt.Sprintf("1/%.0fd", days)
}
