package rules

import (
	"reflect"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/strictyaml"
	"github.com/driftd/driftd/windows"
)

var fileType = reflect.TypeFor[file]()

// limit is a number, a percentage or a duration.
type limit struct {
	text    string
	value   float64 // 0.85 for 85%, seconds for a duration
	percent bool
	timed   bool
}

const limitWords = "number, percentage or duration"

// UnmarshalStrict implements strictyaml.Unmarshaler.
func (l *limit) UnmarshalStrict(n strictyaml.Node) {
	text, ok := n.Text()
	if !ok {
		n.Wrong("a number, a percentage or a duration")
		return
	}
	l.text = text
	if digits, ok := strings.CutSuffix(text, "%"); ok {
		v, err := strictyaml.ParseNumber(strings.TrimSpace(digits))
		if err != nil {
			n.Errorf("write a percentage such as 95%", "`%s` is no percentage", text)
			return
		}
		l.value, l.percent = v/100, true
		return
	}
	v, err := strictyaml.ParseNumber(text)
	if err == nil {
		if n.Quoted() {
			n.Errorf("remove the quotes: "+text, "%q is text, not a number", text)
		}
		l.value = v
		return
	}
	if d, err := strictyaml.ParseDuration(text); err == nil {
		l.value, l.timed = d.Seconds(), true
		return
	}
	hint := "write a number such as 0.85, a percentage such as 95%, or for latency and ttft a duration such as 4s"
	if bare := strings.Trim(text, "$ USD"); bare != text {
		hint = "write " + bare + ": cost is in USD"
	}
	n.Errorf(hint, "`%s` is no limit", text)
}

// JSONSchema implements strictyaml.Schemer.
func (limit) JSONSchema() map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"type": "number"},
		map[string]any{"type": "string", "pattern": `^-?[0-9]+(\.[0-9]+)? ?%$`},
		map[string]any{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$`},
	}}
}

// Words implements strictyaml.Worded.
func (limit) Words() string { return limitWords }

// metricWord is a metric as written; whether there is such a metric is told when the rubrics are known.
type metricWord string

// UnmarshalStrict implements strictyaml.Unmarshaler.
func (m *metricWord) UnmarshalStrict(n strictyaml.Node) {
	text, ok := n.Text()
	if !ok {
		n.Wrong("the name of a metric")
		return
	}
	*m = metricWord(text)
}

// JSONSchema implements strictyaml.Schemer.
func (metricWord) JSONSchema() map[string]any {
	return map[string]any{"type": "string", "enum": metricNames}
}

// Words implements strictyaml.Worded.
func (metricWord) Words() string { return strings.Join(metricNames, ", ") }

// metricNames are the metrics that a rule may name. Volume has a kind of its own.
var metricNames = append(windows.BuiltinNames[:len(windows.BuiltinNames):len(windows.BuiltinNames)], windows.CoverageNames[:]...)

// statWord is a Stat as written.
type statWord struct {
	Stat
	ok bool
}

// UnmarshalStrict implements strictyaml.Unmarshaler.
func (s *statWord) UnmarshalStrict(n strictyaml.Node) {
	text, ok := n.Text()
	if !ok {
		n.Wrong("a statistic, such as mean or p95")
		return
	}
	stat, err := ParseStat(text)
	if err != nil {
		n.Errorf(statHint(text), "`%s` is no statistic", text)
		return
	}
	s.Stat, s.ok = stat, true
}

func statHint(text string) string {
	lower := strings.ToLower(text)
	switch {
	case lower == "avg" || lower == "average":
		return "did you mean `mean`?"
	case lower == "median":
		return "did you mean `p50`?"
	case strings.Trim(lower, "0123456789.") == "" && lower != "":
		return "did you mean `p" + lower + "`?"
	case strings.HasPrefix(lower, "p") && lower != text:
		return "did you mean `" + lower + "`?"
	}
	if near := strictyaml.Nearest(text, []string{"mean", "min", "max", "sum", "count", "rate"}); near != "" {
		return "did you mean `" + near + "`?"
	}
	return "write " + StatNames
}

// JSONSchema implements strictyaml.Schemer.
func (statWord) JSONSchema() map[string]any {
	return map[string]any{"type": "string", "pattern": `^(mean|min|max|sum|count|rate|p[0-9]{1,2}(\.[0-9]+)?)$`}
}

// Words implements strictyaml.Worded.
func (statWord) Words() string { return StatNames }

// falseAlarms is a budget such as 1/30d.
type falseAlarms struct {
	count float64
	per   time.Duration
}

// UnmarshalStrict implements strictyaml.Unmarshaler.
func (f *falseAlarms) UnmarshalStrict(n strictyaml.Node) {
	text, ok := n.Text()
	if !ok {
		n.Wrong("a budget, such as 1/30d")
		return
	}
	count, per, found := strings.Cut(text, "/")
	v, err := strictyaml.ParseNumber(count)
	d, derr := strictyaml.ParseDuration(per)
	if !found || err != nil || derr != nil || v <= 0 || d <= 0 {
		n.Errorf("write a number of alarms and the time they are spread over, such as 1/30d", "`%s` is no budget of false alarms", text)
		return
	}
	f.count, f.per = v, d
}

// JSONSchema implements strictyaml.Schemer.
func (falseAlarms) JSONSchema() map[string]any {
	return map[string]any{"type": "string", "pattern": `^[0-9]+(\.[0-9]+)?/[0-9]+(\.[0-9]+)?(s|m|h|d|w)$`}
}

// Words implements strictyaml.Worded.
func (falseAlarms) Words() string { return "such as 1/30d" }
