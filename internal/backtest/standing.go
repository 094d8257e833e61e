package backtest

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
	words "github.com/driftd/driftd/internal/standing"
	"github.com/driftd/driftd/rules"
)

// standing is where a rule with a false-alarm budget is at the end, all partitions together.
type standing struct {
	known, watched, learning, alone int       // series
	learned, needed                 int64     // of the series that has learned most
	notBefore                       time.Time // when the first is done at the earliest; zero where that is a matter of scores alone
	low, high                       float64   // smallest changes that series would show within a day; 0 where there is no telling
	pairs                           []detector.SeriesStatus
}

// add takes what a partition says.
func (s *standing) add(st *detector.RuleStatus) {
	s.known += st.Known
	s.watched += st.Watched
	s.learning += st.Learning
	for i := range st.Series {
		one := &st.Series[i]
		switch {
		case one.State == detector.StateAlone:
			s.alone++
		case one.State == detector.StateLearning && one.Learned >= s.learned:
			s.learned, s.needed = one.Learned, one.Needed
		}
		if at := one.NotBefore; at != nil && (s.notBefore.IsZero() || at.Before(s.notBefore)) {
			s.notBefore = *at
		}
		if d := one.Detectable; d != nil {
			if s.low == 0 || *d < s.low {
				s.low = *d
			}
			s.high = max(s.high, *d)
		}
		if one.Difference != nil && one.Difference.Samples > 0 && one.Difference.Others > 0 {
			s.pairs = append(s.pairs, *one)
		}
	}
}

// say tells it in a few words, empty where there is nothing to tell.
func (s *standing) say(rule *RuleReport) string {
	if s.known == 0 {
		return ""
	}
	var parts []string
	say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if s.watched > 0 {
		say("%d series watched", s.watched)
	}
	number := func(v float64) string { return rule.Rule.NumberOf(v).String() }
	switch {
	case s.low > 0 && number(s.low) == number(s.high):
		say("would see a change of %s within a day", number(s.low))
	case s.low > 0:
		say("would see changes of %s to %s within a day", number(s.low), number(s.high))
	}
	switch {
	case s.learning > 0 && s.learned >= s.needed && !s.notBefore.IsZero():
		say("%d still learning, the first until %s", s.learning, s.notBefore.Format("2006-01-02 15:04"))
	case s.learning > 0 && s.needed > 0:
		say("%d still learning, the furthest has %s of %s scores", s.learning, rules.Grouped(s.learned), rules.Grouped(s.needed))
	case s.learning > 0:
		say("%d still learning", s.learning)
	}
	if s.watched+s.learning == 0 && s.alone > 0 {
		say("%s with nothing to compare with", plural(s.alone, "series", "series"))
	}
	return strings.Join(parts, ", ")
}

// maxPairs is how many comparisons of a canary are told.
const maxPairs = 5

// compare tells how the two sides of a canary differ, cohort by cohort.
func (s *standing) compare(w io.Writer, rule *RuleReport) {
	slices.SortStableFunc(s.pairs, func(a, b detector.SeriesStatus) int {
		return cmp.Or(cmp.Compare(a.Prompt, b.Prompt), cmp.Compare(a.Version, b.Version), cmp.Compare(alert.CohortName(a.Cohort), alert.CohortName(b.Cohort)))
	})
	for i := range s.pairs {
		if i == maxPairs {
			fmt.Fprintf(w, "           and %d more\n", len(s.pairs)-i)
			return
		}
		p := &s.pairs[i]
		d := p.Difference
		number := func(v float64) string {
			text := rule.Rule.NumberOf(v).String()
			if v > 0 {
				text = "+" + text
			}
			return text
		}
		fmt.Fprintf(w, "           %s%s: %s to %s, n=%s and %s: %s\n", subject(p.Prompt, p.Version, p.Cohort), opposite(p.Against),
			number(d.Low), number(d.High), rules.Grouped(d.Samples), rules.Grouped(d.Others), words.Verdict(d))
	}
}

// opposite names what a side is compared with.
func opposite(a *detector.Against) string {
	if a == nil {
		return ""
	}
	return " against " + cmp.Or(a.Version, a.Variant, a.Environment, "the other")
}
