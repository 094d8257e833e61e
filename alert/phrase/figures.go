package phrase

import (
	"math"
	"strconv"
	"strings"

	"github.com/driftd/driftd/detector"
)

// Figure writes a value in its metric's unit with that many significant digits.
func Figure(r *detector.Record, v float64, digits int) string {
	switch {
	case r.Kind == "traffic_share", r.Kind == "exceed":
		return Number(v*100, digits) + " %"
	case r.Stat == "count", r.Kind == "shape" && r.Stat != "wasserstein" && r.Stat != "mean":
		return Number(v, digits)
	}
	return InUnit(r, v, digits)
}

// InUnit writes a value of the metric itself.
func InUnit(r *detector.Record, v float64, digits int) string {
	switch r.Metric {
	case "latency", "ttft":
		if math.Abs(v) < 1 {
			return Number(v*1000, digits) + " ms"
		}
		return Number(v, digits) + " s"
	case "cost":
		if v < 0 {
			return "-$" + Number(-v, digits)
		}
		return "$" + Number(v, digits)
	case "error", "fallback", "link_coverage", "score_coverage":
		if r.Stat != "sum" {
			return Number(v*100, digits) + " %"
		}
	case "volume":
		return Number(v, digits) + " spans"
	}
	s := Number(v, digits)
	if whole, frac, ok := strings.Cut(s, "."); ok && len(frac) == 1 && len(whole) <= 2 {
		s += "0" // 0.80 beside 0.78
	}
	return s
}

// Number writes v with that many significant digits, but all digits before the point, thousands apart.
func Number(v float64, digits int) string {
	switch {
	case math.IsNaN(v), math.IsInf(v, 0), math.Abs(v) >= 1e15, v != 0 && math.Abs(v) < 1e-6:
		return strconv.FormatFloat(v, 'g', digits, 64)
	case v == 0:
		return "0"
	}
	decimals := max(digits-1-int(math.Floor(math.Log10(math.Abs(v)))), 0)
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	whole, frac, point := strings.Cut(s, ".")
	if point {
		frac = strings.TrimRight(frac, "0")
	}
	sign := strings.HasPrefix(whole, "-")
	whole = strings.TrimPrefix(whole, "-")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if sign {
		whole = "-" + whole
	}
	if frac == "" {
		return whole
	}
	return whole + "." + frac
}

// Figures writes value and bound with as many digits as it takes to tell them apart: three, at most six.
func Figures(r *detector.Record) (value, bound string) {
	if r.Value == nil {
		return "no data", ""
	}
	if r.Bound == nil {
		return Figure(r, *r.Value, 3), ""
	}
	for digits := 3; ; digits++ {
		value, bound = Figure(r, *r.Value, digits), Figure(r, *r.Bound, digits)
		if value != bound || digits == 6 {
			return value, bound
		}
	}
}

// Measure names what is watched: the metric, and the statistic unless it is the mean.
func Measure(r *detector.Record) string {
	name := r.Metric
	switch {
	case r.Kind == "change":
		return strings.ReplaceAll(name, "_", " ")
	case r.Kind == "traffic_share":
		return "share of the calls"
	case r.Kind == "shape":
		return "shape of " + name
	case r.Kind == "exceed" && r.Above != nil && (name == "error" || name == "fallback"):
		return name + " rate"
	case r.Kind == "exceed" && r.Above != nil:
		return "share of " + name + " over " + InUnit(r, *r.Above, 6)
	case r.Kind == "exceed" && r.Below != nil:
		return "share of " + name + " under " + InUnit(r, *r.Below, 6)
	case name == "error" || name == "fallback":
		if r.Stat != "sum" && r.Stat != "count" {
			return name + " rate"
		}
	case coverage(r) && r.Rubric != "":
		return name + " of " + r.Rubric
	case r.Stat == "" || r.Stat == "mean" || name == "volume" || coverage(r):
		return name
	}
	return name + " " + r.Stat
}

// coverage tells a share of calls from what is made of values.
func coverage(r *detector.Record) bool {
	return r.Metric == "link_coverage" || r.Metric == "score_coverage"
}

// Samples says of how much data the figure is.
func Samples(r *detector.Record) string { return SamplesOf(r, r.Samples) }

// SamplesOf is Samples of another number of them.
func SamplesOf(r *detector.Record, n int64) string {
	one, many := Counted(r)
	return Plural(n, one, many)
}

// Counted names what the figure is made of: scores of a rubric, else calls.
func Counted(r *detector.Record) (one, many string) {
	if coverage(r) || r.Kind == "traffic_share" || r.Kind == "change" {
		return "call", "calls"
	}
	switch r.Metric {
	case "latency", "ttft", "input_tokens", "output_tokens", "cost", "error", "fallback", "volume":
		return "call", "calls"
	}
	return "score", "scores"
}

// Crossed says on which side of its bound the value lies: ", below 0.85"; of kinds that gather evidence where it surely lies.
func Crossed(r *detector.Record) string {
	_, bound := Figures(r)
	switch {
	case bound == "":
		return ""
	case r.Kind == "exceed":
		return Between(r) + ", allowed " + bound
	case Sequential(r):
		return Between(r)
	case *r.Value < *r.Bound:
		return ", below " + bound
	case *r.Value > *r.Bound:
		return ", above " + bound
	}
	return ", at " + bound
}

// Sequential tells the kinds that gather evidence from those that look at a window.
func Sequential(r *detector.Record) bool {
	return r.Kind == "drift" || r.Kind == "canary" || r.Kind == "exceed"
}

// Between is where the value surely lies: " (0.75–0.81)".
func Between(r *detector.Record) string {
	if len(r.Interval) != 2 {
		return ""
	}
	low, high := Figure(r, r.Interval[0], 3), Figure(r, r.Interval[1], 3)
	if unit := strings.LastIndexByte(low, ' '); unit >= 0 && strings.HasSuffix(high, low[unit:]) {
		low = low[:unit]
	}
	return " (" + low + "–" + high + ")"
}

// Was tells the figure that it is compared with, empty where that is just the number in the rule.
func Was(r *detector.Record) string {
	if r.Against == nil || r.Reference == nil || r.Kind == "shape" {
		return ""
	}
	a, ref := r.Against, Figure(r, *r.Reference, 3)
	name := Brief(a.Version + a.Variant + a.Environment) // one of them
	if r.Kind == "canary" {
		return ref + " for " + name + " beside it"
	}
	switch {
	case a.Kind == "fixed":
		return "should be " + ref
	case name != "":
		return "was " + ref + " (" + name + ")"
	case a.Kind == "24h" && a.Sealed == nil:
		return "was " + ref + " over 24h"
	case a.Kind == "same_hours":
		return "was " + ref + " (same hours)"
	case a.Sealed != nil && a.Samples > 0:
		return "was " + ref + " (over " + SamplesOf(r, a.Samples) + ")"
	}
	return "was " + ref
}
