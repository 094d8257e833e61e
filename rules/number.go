package rules

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/strictyaml"
	"github.com/driftd/driftd/windows"
)

// Unit is what a figure is given in.
type Unit int

const (
	Plain   Unit = iota // a rubric's score
	Seconds             // latency, ttft
	USD                 // cost
	Share               // 0..1, shown as percent
	Whole               // tokens, counts
)

// Number is a figure that reads well: 0.78, 4.2 s, 5.1%, $0.0028, 1240. The zero Number is no data.
type Number struct {
	Float float64 // in the metric's unit: seconds, USD, 0..1, tokens
	Unit  Unit
	Known bool
}

// NumberOf is a value of the rule's statistic.
func (r *Rule) NumberOf(v float64) Number { return Number{Float: v, Unit: r.Unit(), Known: true} }

// Unit is that of the watched statistic and of plain limits on it: of a Drift's mean, an Exceed's and a TrafficShare's share, a
// Shape's distance.
func (r *Rule) Unit() Unit {
	switch kind := r.Stat().Kind; {
	case r.Shape != nil && r.Shape.Distance != Wasserstein:
		return Plain
	case kind == Count:
		return Whole
	case kind == Rate:
		return Share
	case r.Rubric:
		return Plain
	case kind == Sum && binary(r.Metric):
		return Whole
	}
	switch r.Metric {
	case windows.Latency, windows.TTFT:
		return Seconds
	case windows.Cost:
		return USD
	case windows.Error, windows.Fallback, windows.LinkCoverage, windows.ScoreCoverage:
		return Share
	case windows.InputTokens, windows.OutputTokens:
		return Whole
	}
	return Plain
}

func binary(metric string) bool { return metric == windows.Error || metric == windows.Fallback }

// coverage is true of the metrics that are shares of calls, and not made of values.
func coverage(metric string) bool { return slices.Contains(windows.CoverageNames[:], metric) }

// String is how people read the figure.
func (n Number) String() string {
	v := n.Float
	if !n.Known || math.IsNaN(v) {
		return "no data"
	}
	switch n.Unit {
	case Seconds:
		switch a := math.Abs(v); {
		case a >= 120:
			return strictyaml.FormatDuration(time.Duration(math.Round(v)) * time.Second)
		case a >= 0.9995:
			return digits(v, 3) + " s"
		case a == 0:
			return "0 s"
		default:
			return digits(v*1000, 3) + " ms"
		}
	case USD:
		if v < 0 {
			return "-$" + dollars(-v)
		}
		return "$" + dollars(v)
	case Share:
		return digits(v*100, 3) + "%"
	case Whole:
		if math.Abs(v) < 100 {
			return digits(v, 3)
		}
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	}
	return digits(v, 3)
}

// Format lets templates say printf "%.3f" .Value.
func (n Number) Format(s fmt.State, verb rune) {
	if verb == 's' || verb == 'v' {
		fmt.Fprintf(s, fmt.FormatString(s, 's'), n.String())
		return
	}
	if !n.Known {
		fmt.Fprint(s, n.String())
		return
	}
	fmt.Fprintf(s, fmt.FormatString(s, verb), n.Float)
}

// digits writes v with that many significant digits, all of them where the whole part has more, and no trailing zeros.
func digits(v float64, significant int) string {
	a := math.Abs(v)
	if a >= 1e15 || a != 0 && a < 1e-6 {
		return strconv.FormatFloat(v, 'g', significant, 64)
	}
	places := significant - 1
	if a > 0 {
		places = significant - 1 - int(math.Floor(math.Log10(a)))
	}
	s := strconv.FormatFloat(v, 'f', max(0, places), 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// dollars has cents at least.
func dollars(v float64) string {
	if v >= 1 || v == 0 {
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return digits(v, 2)
}

// Interval is where a value lies with 95 % confidence. The zero Interval is no data.
type Interval struct{ Low, High Number }

// String is "0.75 to 0.81".
func (i Interval) String() string {
	if !i.Low.Known || !i.High.Known {
		return "no data"
	}
	return i.Low.String() + " to " + i.High.String()
}

// Time is a moment that reads well; the methods of time.Time are there too, such as .Onset.Format "15:04".
type Time struct{ time.Time }

// String is "2026-11-20 14:22 UTC", "" for none.
func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// Duration is a length of time that reads well: 1h, 5m, 1h30m.
type Duration time.Duration

// String is how rule files write it.
func (d Duration) String() string { return strictyaml.FormatDuration(time.Duration(d)) }

// Cohort is the values of the dimensions that a group is sliced by; empty for the total.
type Cohort map[string]string

// String is "tier=enterprise, locale=de" in the order of names, "all" for the total.
func (c Cohort) String() string {
	if len(c) == 0 {
		return "all"
	}
	names := make([]string, 0, len(c))
	for name := range c {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = name + "=" + c[name]
	}
	return strings.Join(names, ", ")
}

// Grouped writes a whole number with its thousands apart: 1,240.
func Grouped[N int | int64 | uint64](n N) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
