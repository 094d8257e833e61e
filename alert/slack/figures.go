package slack

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/driftd/driftd/detector"
)

// figure writes a value in its metric's unit with that many significant digits.
func figure(r *detector.Record, v float64, digits int) string {
	switch {
	case r.Kind == "traffic_share", r.Kind == "exceed":
		return number(v*100, digits) + " %"
	case r.Stat == "count", r.Kind == "shape" && r.Stat != "wasserstein" && r.Stat != "mean":
		return number(v, digits)
	}
	return inUnit(r, v, digits)
}

// inUnit writes a value of the metric itself.
func inUnit(r *detector.Record, v float64, digits int) string {
	switch r.Metric {
	case "latency", "ttft":
		if math.Abs(v) < 1 {
			return number(v*1000, digits) + " ms"
		}
		return number(v, digits) + " s"
	case "cost":
		if v < 0 {
			return "-$" + number(-v, digits)
		}
		return "$" + number(v, digits)
	case "error", "fallback", "link_coverage", "score_coverage":
		if r.Stat != "sum" {
			return number(v*100, digits) + " %"
		}
	case "volume":
		return number(v, digits) + " spans"
	}
	s := number(v, digits)
	if whole, frac, ok := strings.Cut(s, "."); ok && len(frac) == 1 && len(whole) <= 2 {
		s += "0" // 0.80 beside 0.78
	}
	return s
}

// number writes v with that many significant digits, but all digits before the point, thousands apart.
func number(v float64, digits int) string {
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

// figures writes value and bound with as many digits as it takes to tell them apart: three, at most six.
func figures(r *detector.Record) (value, bound string) {
	if r.Value == nil {
		return "no data", ""
	}
	if r.Bound == nil {
		return figure(r, *r.Value, 3), ""
	}
	for digits := 3; ; digits++ {
		value, bound = figure(r, *r.Value, digits), figure(r, *r.Bound, digits)
		if value != bound || digits == 6 {
			return value, bound
		}
	}
}

// measure names what is watched: the metric, and the statistic unless it is the mean.
func measure(r *detector.Record) string {
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
		return "share of " + name + " over " + inUnit(r, *r.Above, 6)
	case r.Kind == "exceed" && r.Below != nil:
		return "share of " + name + " under " + inUnit(r, *r.Below, 6)
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

// samples says of how much data the figure is.
func samples(r *detector.Record) string { return samplesOf(r, r.Samples) }

func samplesOf(r *detector.Record, n int64) string {
	if coverage(r) || r.Kind == "traffic_share" || r.Kind == "change" {
		return plural(n, "call", "calls")
	}
	return plural(n, "sample", "samples")
}

// crossed says on which side of its bound the value lies: ", below 0.85"; of kinds that gather evidence where it surely lies.
func crossed(r *detector.Record) string {
	_, bound := figures(r)
	switch {
	case bound == "":
		return ""
	case r.Kind == "exceed":
		return between(r) + ", allowed " + bound
	case sequential(r):
		return between(r)
	case *r.Value < *r.Bound:
		return ", below " + bound
	case *r.Value > *r.Bound:
		return ", above " + bound
	}
	return ", at " + bound
}

// sequential tells the kinds that gather evidence from those that look at a window.
func sequential(r *detector.Record) bool {
	return r.Kind == "drift" || r.Kind == "canary" || r.Kind == "exceed"
}

// between is where the value surely lies: " (0.75–0.81)".
func between(r *detector.Record) string {
	if len(r.Interval) != 2 {
		return ""
	}
	low, high := figure(r, r.Interval[0], 3), figure(r, r.Interval[1], 3)
	if unit := strings.LastIndexByte(low, ' '); unit >= 0 && strings.HasSuffix(high, low[unit:]) {
		low = low[:unit]
	}
	return " (" + low + "–" + high + ")"
}

// was tells the figure that it is compared with, empty where that is just the number in the rule.
func was(r *detector.Record) string {
	if r.Against == nil || r.Reference == nil || r.Kind == "shape" {
		return ""
	}
	a, ref := r.Against, figure(r, *r.Reference, 3)
	name := escape(brief(a.Version + a.Variant + a.Environment)) // one of them
	if r.Kind == "canary" {
		return ref + " for " + name + " beside it"
	}
	var of []string
	switch {
	case name != "":
		of = append(of, name)
	case a.Kind == "24h" && a.Sealed == nil:
		return "was " + ref + " over 24h"
	case a.Kind == "same_hours":
		of = append(of, "same hours")
	}
	if a.Sealed != nil {
		sealed := "sealed"
		if a.Samples > 0 {
			sealed += " over " + samplesOf(r, a.Samples)
		}
		of = append(of, sealed)
	}
	if a.Kind == "fixed" {
		return "should be " + ref
	}
	if len(of) == 0 {
		return "was " + ref
	}
	return "was " + ref + " (" + strings.Join(of, ", ") + ")"
}

// lasted writes a duration as people say it: 45s, 12m, 1h 12m, 3d 4h.
func lasted(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(max(d, 0).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 24*time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60), " 0m")
	}
	return strings.TrimSuffix(fmt.Sprintf("%dd %dh", int(d.Hours())/24, int(d.Hours())%24), " 0h")
}

// clock writes a time in UTC, with its day where that is not the day of ref.
func clock(t, ref time.Time) string {
	t, ref = t.UTC(), ref.UTC()
	if t.Year() == ref.Year() && t.YearDay() == ref.YearDay() {
		return t.Format("15:04")
	}
	return t.Format("2 Jan 15:04")
}

// brief keeps a name from outside to a length that leaves room for the rest.
func brief(s string) string { return cut(clean(s), 80) }

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(float64(n), 15) + " " + many
}
