package rules

import (
	"fmt"
	"strconv"
	"strings"
)

// StatKind is a figure that a window can be asked for.
type StatKind int

const (
	Mean StatKind = iota
	Quantile
	Min
	Max
	Sum
	Count // of values, not of spans
	Rate  // share of ones; of 0/1 metrics only
)

// Stat is a figure of a window.
type Stat struct {
	Kind StatKind
	Q    float64 // of a Quantile, in (0, 1)
}

// StatNames is how ParseStat's words are told to people.
const StatNames = "mean, p50 … p99.9, min, max, sum, count or rate"

var statWords = map[string]StatKind{"mean": Mean, "min": Min, "max": Max, "sum": Sum, "count": Count, "rate": Rate}

// ParseStat reads "mean", "p95", "p99.9", "min", "max", "sum", "count" and "rate".
func ParseStat(s string) (Stat, error) {
	if k, ok := statWords[s]; ok {
		return Stat{Kind: k}, nil
	}
	if digits, ok := strings.CutPrefix(s, "p"); ok && digits != "" && strings.Trim(digits, "0123456789.") == "" {
		p, err := strconv.ParseFloat(digits, 64)
		if err == nil && p > 0 && p < 100 {
			return Stat{Kind: Quantile, Q: p / 100}, nil
		}
		return Stat{}, fmt.Errorf("parse stat %q: a percentile lies between p0 and p100, both excluded", s)
	}
	return Stat{}, fmt.Errorf("parse stat %q: want %s", s, StatNames)
}

// String is the word in the rule file.
func (s Stat) String() string {
	if s.Kind == Quantile {
		return "p" + strconv.FormatFloat(s.Q*100, 'f', -1, 32)
	}
	for w, k := range statWords {
		if k == s.Kind {
			return w
		}
	}
	return fmt.Sprintf("stat(%d)", int(s.Kind))
}
