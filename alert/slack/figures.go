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
	if r.Stat == "count" {
		return number(v, digits)
	}
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
func samples(r *detector.Record) string {
	if coverage(r) {
		return plural(r.Samples, "call", "calls")
	}
	return plural(r.Samples, "sample", "samples")
}

// crossed says on which side of its bound the value lies: ", below 0.85".
func crossed(r *detector.Record) string {
	_, bound := figures(r)
	if bound == "" {
		return ""
	}
	switch {
	case *r.Value < *r.Bound:
		return ", below " + bound
	case *r.Value > *r.Bound:
		return ", above " + bound
	}
	return ", at " + bound
}

// was tells the figure that it is compared with, empty where that is just the number in the rule.
func was(r *detector.Record) string {
	if r.Against == nil || r.Reference == nil {
		return ""
	}
	s := "was " + figure(r, *r.Reference, 3)
	switch {
	case r.Against.Version != "":
		s += " (" + escape(brief(r.Against.Version)) + ")"
	case r.Against.Kind == "24h":
		s += " over 24h"
	}
	return s
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
