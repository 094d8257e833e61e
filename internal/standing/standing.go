// Package standing writes for people where the rules with a false-alarm budget stand: what they learn, watch and compare.
package standing

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/rules"
)

// Write tells of each rule the first series, at most so many; those are the worst.
func Write(w io.Writer, all []detector.RuleStatus, most int) error {
	var b strings.Builder
	if len(all) == 0 {
		b.WriteString("There is no rule with a false-alarm budget: drift, canary or exceed.\n")
	}
	for i := range all {
		if i > 0 {
			b.WriteByte('\n')
		}
		rule(&b, &all[i], most)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func rule(b *strings.Builder, st *detector.RuleStatus, most int) {
	head := fmt.Sprintf("%s/%s: %s of %s, at most %s over all its series", st.Group, st.Rule, st.Kind, st.Metric, budget(st.FalseAlarms))
	b.WriteString(phrase.Visible(head) + "\n")
	counts := []string{fmt.Sprintf("%s watched", rules.Grouped(st.Watched))}
	for _, c := range []struct {
		n    int
		what string
	}{{st.Firing, "firing"}, {st.Learning, "learning"}} {
		if c.n > 0 {
			counts = append(counts, fmt.Sprintf("%s %s", rules.Grouped(c.n), c.what))
		}
	}
	fmt.Fprintf(b, "  %s, of %s series\n", strings.Join(counts, ", "), rules.Grouped(st.Known))
	told := slices.DeleteFunc(slices.Clone(st.Series), func(s detector.SeriesStatus) bool { return s.State == detector.StateAlone })
	alone := len(st.Series) - len(told)
	shown := told[:min(most, len(told))]
	names, width := make([]string, len(shown)), 0
	for i := range shown {
		names[i] = phrase.Visible(name(&shown[i]))
		width = max(width, utf8.RuneCountInString(names[i]))
	}
	for i := range shown {
		line := fmt.Sprintf("  %-8s  %s%s  %s", shown[i].State, names[i], strings.Repeat(" ", width-utf8.RuneCountInString(names[i])), phrase.Visible(series(st, &shown[i])))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if hidden := len(told) - len(shown) + st.More; hidden > 0 {
		fmt.Fprintf(b, "  and %s more\n", rules.Grouped(hidden))
	}
	if alone > 0 {
		fmt.Fprintf(b, "  %s with nothing to compare them with yet; they learn for what comes after them\n", rules.Grouped(alone))
	}
}

// budget is "1 false alarm in 30d" for 1/30d.
func budget(s string) string {
	count, per, _ := strings.Cut(s, "/")
	if count == "1" {
		return "1 false alarm in " + per
	}
	return count + " false alarms in " + per
}

func name(s *detector.SeriesStatus) string {
	n := strings.TrimSpace(s.Prompt + " " + s.Version)
	if len(s.Cohort) > 0 {
		n += ", " + alert.CohortName(s.Cohort)
	}
	return n
}

func series(st *detector.RuleStatus, s *detector.SeriesStatus) string {
	if s.Difference != nil {
		return difference(st, s)
	}
	var facts []string
	switch s.State {
	case detector.StateLearning:
		text := fmt.Sprintf("%s of %s values%s", rules.Grouped(s.Learned), rules.Grouped(s.Needed), of(s.Against))
		if s.NotBefore != nil {
			text += ", until " + clock(*s.NotBefore) + " at least"
		}
		return text
	case detector.StateWatching:
		facts = append(facts, fmt.Sprintf("evidence %.0f%%", 100*s.Evidence))
	}
	if s.Reference != nil {
		facts = append(facts, against(st, s))
	}
	if s.Detectable != nil {
		facts = append(facts, fmt.Sprintf("sees a change of %s within a day", number(st, *s.Detectable)))
	}
	if s.Clamped > 0 {
		facts = append(facts, fmt.Sprintf("%s values outside the range", rules.Grouped(s.Clamped)))
	}
	return strings.Join(facts, "; ")
}

// against says what a series is held against, and where that is from.
func against(st *detector.RuleStatus, s *detector.SeriesStatus) string {
	if st.Kind == "exceed" {
		return "allowed " + number(st, *s.Reference)
	}
	text := fmt.Sprintf("was %s", number(st, *s.Reference))
	if s.Bound != nil {
		text += fmt.Sprintf(" (held against %s)", number(st, *s.Bound))
	}
	text += of(s.Against)
	if a := s.Against; a != nil && a.Sealed != nil {
		text += fmt.Sprintf(", %s values up to %s", rules.Grouped(a.Samples), clock(*a.Sealed))
	}
	return text
}

// of names what is compared with.
func of(a *detector.Against) string {
	switch {
	case a == nil:
	case a.Version != "":
		return " of " + a.Version
	case a.Variant != "":
		return " of variant " + a.Variant
	case a.Environment != "":
		return " of environment " + a.Environment
	case a.Kind == "same_hours":
		return " at these hours of its first day"
	}
	return ""
}

// Verdict is what a difference says of its first side.
func Verdict(d *detector.Difference) string {
	switch {
	case d.Verdict != "undecided":
		return d.Verdict
	case d.More > 0:
		return fmt.Sprintf("not decided yet, about %s more scores", rules.Grouped(d.More))
	}
	return "not decided yet"
}

// difference is the answer to who only wants to look.
func difference(st *detector.RuleStatus, s *detector.SeriesStatus) string {
	d := s.Difference
	text := fmt.Sprintf("%s: %s to %s against", Verdict(d), number(st, d.Low), number(st, d.High))
	if o := of(s.Against); o != "" {
		text += strings.TrimPrefix(o, " of")
	} else {
		text += " the other side"
	}
	text += fmt.Sprintf(", over %s and %s values", rules.Grouped(d.Samples), rules.Grouped(d.Others))
	if s.State == detector.StateWatching {
		text += fmt.Sprintf("; evidence %.0f%%", 100*s.Evidence)
	}
	return text
}

func number(st *detector.RuleStatus, v float64) string {
	n := rules.Number{Float: v, Known: true}
	if st.Kind == "exceed" || st.Metric == "error" || st.Metric == "fallback" {
		n.Unit = rules.Share
	}
	return n.String()
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }
