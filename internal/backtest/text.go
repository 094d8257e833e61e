package backtest

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/rules"
)

// JSON returns what writes steps as the records of the alerts topic, byte for byte, one a line.
func JSON(w io.Writer) func([]detector.Record) error {
	out := bufio.NewWriter(w)
	return func(steps []detector.Record) error {
		for i := range steps {
			line, err := json.Marshal(&steps[i])
			if err != nil {
				panic(fmt.Sprintf("BUG: a record is always JSON: %v", err))
			}
			out.Write(line)
			out.WriteByte('\n')
		}
		return out.Flush()
	}
}

// Text returns what writes steps for people, one a line in columns, and below a firing one why, as far as it is known.
func Text(w io.Writer, set *rules.Set, color bool) func([]detector.Record) error {
	t := &text{out: bufio.NewWriter(w), color: color, rules: map[[2]string]*rules.Rule{}}
	for i := range set.Groups {
		g := &set.Groups[i]
		for j := range g.Rules {
			r := &g.Rules[j]
			t.rules[[2]string{g.Name, r.Alert}] = r
			t.rule = min(max(t.rule, utf8.RuneCountInString(r.Alert)), widest)
		}
	}
	return func(steps []detector.Record) error {
		for i := range steps {
			t.step(&steps[i])
		}
		return t.out.Flush()
	}
}

const (
	widest = 40                       // column
	indent = len("2006-01-02 15:04 ") // of what stands below a step
)

type text struct {
	out           *bufio.Writer
	color         bool
	rules         map[[2]string]*rules.Rule
	rule, subject int // widths of columns; that of subjects grows with them
}

var colors = map[detector.RecordType]string{detector.Pending: "33", detector.Firing: "1;31", detector.Resolved: "32"}

func (t *text) step(s *detector.Record) {
	word := fmt.Sprintf("%-8s", s.Type)
	if t.color {
		word = "\x1b[" + colors[s.Type] + "m" + word + "\x1b[0m"
	}
	about := phrase.Visible(subject(s.Prompt, s.Version, s.Cohort))
	t.subject = max(t.subject, min(utf8.RuneCountInString(about), widest))
	fmt.Fprintf(t.out, "%s  %s  %s  %s  %s\n", s.Time.UTC().Format("2006-01-02 15:04"), word, pad(s.Rule, t.rule), pad(about, t.subject), phrase.Visible(t.what(s)))
	if s.Type != detector.Firing {
		return
	}
	if s.Cause != "" {
		t.below("likely cause: " + string(s.Cause))
		for _, fact := range s.Because {
			t.below("  " + fact)
		}
		return
	}
	for i := range s.Changed {
		if s.Kind != "change" || i > 0 {
			t.below(changed(&s.Changed[i], s.Time))
		}
	}
}

// subject is what an alert is about.
func subject(prompt, version string, cohort map[string]string) string {
	s := strings.TrimSpace(prompt + " " + version)
	if len(cohort) > 0 {
		s += ", " + alert.CohortName(cohort)
	}
	return s
}

func (t *text) below(line string) {
	fmt.Fprintf(t.out, "%*s%s\n", indent+1, "", phrase.Visible(line))
}

// what tells the figure, what it is held against, on how much data and since when; of the end of an alert first why.
func (t *text) what(s *detector.Record) string {
	var parts []string
	say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	window := ""
	if s.Window != "" {
		window = " in " + s.Window
	}
	if s.Reason != "" {
		say("%s", s.Reason)
	}
	if s.Value != nil {
		value, bound, side := t.number(s, *s.Value), "", ""
		if s.Bound != nil {
			bound, side = t.number(s, *s.Bound), sideOf(*s.Value, *s.Bound)
		}
		just := value == bound && side != "at " // three digits do not tell them apart
		if just {
			value = "just " + side + bound
		}
		figure := t.name(s) + " " + value
		switch s.Kind {
		case "exceed":
			figure = value + " of " + t.name(s)
		case "traffic_share":
			figure = value + " of calls"
		}
		if len(s.Interval) == 2 {
			figure += fmt.Sprintf(" (%s to %s)", t.number(s, s.Interval[0]), t.number(s, s.Interval[1]))
		}
		if s.Stat == "count" {
			figure += window
		}
		say("%s", figure)
		if s.Bound != nil && !just {
			say("%s", side+bound)
		}
	} else if s.Reason == "" && s.Kind != "change" {
		say("%s", t.name(s))
	}
	if s.Kind == "change" && len(s.Changed) > 0 {
		say("%s", changed(&s.Changed[0], s.Time))
	}
	if s.Value != nil && s.Reference != nil && s.Against != nil && s.Against.Kind != "fixed" {
		say("was %s%s", t.number(s, *s.Reference), against(s.Against))
	}
	if s.Samples > 0 && s.Stat != "count" {
		say("n=%d%s", s.Samples, window)
	}
	if s.Onset != nil && !s.Onset.Equal(s.Time) {
		if s.Type == detector.Resolved {
			say("after %s", lasted(s.Time.Sub(*s.Onset)))
		} else {
			say("since %s", clock(*s.Onset, s.Time))
		}
	}
	if s.FalseAlarms != "" && s.Type == detector.Firing {
		say("budget %s", s.FalseAlarms)
	}
	return strings.Join(parts, ", ")
}

// sideOf says on which side of its bound a value lies.
func sideOf(value, bound float64) string {
	switch {
	case value < bound:
		return "below "
	case value > bound:
		return "above "
	}
	return "at "
}

func (t *text) number(s *detector.Record, v float64) string {
	if r := t.rules[[2]string{s.Group, s.Rule}]; r != nil {
		return r.NumberOf(v).String()
	}
	return rules.Number{Float: v, Known: true}.String()
}

// name is the metric, the statistic unless it goes without saying, and the limit of an exceed.
func (t *text) name(s *detector.Record) string {
	metric := s.Metric
	if s.Rubric != "" && s.Rubric != metric {
		metric += " of " + s.Rubric
	}
	if r := t.rules[[2]string{s.Group, s.Rule}]; r != nil && r.Exceed != nil {
		word, values := " above ", rules.Rule{Metric: r.Metric, Rubric: r.Rubric} // in the unit of the values, not of their share
		if r.Exceed.Below {
			word = " below "
		}
		return metric + word + values.NumberOf(r.Exceed.Limit).String()
	}
	switch s.Stat {
	case "", "mean", "rate":
		return metric
	case "count":
		if s.Metric == "volume" {
			return metric
		}
	}
	return metric + " " + s.Stat
}

// changed tells what an axis changed to, and in which minute.
func changed(c *detector.Changed, at time.Time) string {
	text := fmt.Sprintf("%s changed from %s to %s", c.Axis, cmp.Or(c.From, "none"), cmp.Or(c.To, "none"))
	if c.Time.Add(time.Minute).Equal(at) {
		return text
	}
	return text + " at " + clock(c.Time, at)
}

func against(a *detector.Against) string {
	switch {
	case a.Version != "":
		return " (" + a.Version + ")"
	case a.Variant != "":
		return " (" + a.Variant + ")"
	case a.Environment != "":
		return " (" + a.Environment + ")"
	case a.Kind == "24h":
		return " over 24h"
	case a.Kind == "same_hours":
		return " at these hours"
	}
	return ""
}

// clock writes a time, with its day where that is not the day of ref.
func clock(at, ref time.Time) string {
	at, ref = at.UTC(), ref.UTC()
	if at.Format(time.DateOnly) == ref.Format(time.DateOnly) {
		return at.Format("15:04")
	}
	return at.Format("2006-01-02 15:04")
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-utf8.RuneCountInString(s), 0))
}
