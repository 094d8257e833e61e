package demo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// minute is called by figures, which are locked, when a minute is complete.
func (t *teller) minute(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	elapsed := now.Sub(t.plan.Begin)
	seen := &t.mu.seen
	if !seen[flowing] && elapsed >= t.plan.Figures {
		t.flow(now)
	}
	if seen[flowing] && !seen[fine] && elapsed >= t.plan.Fine {
		t.noWorse(now)
	}
	if seen[promoted] && !seen[dropped] {
		t.drop(now)
	}
	if seen[rolledBack] && !seen[recovery] {
		t.recover(now)
	}
}

// flow tells the figures of all prompt versions.
func (t *teller) flow(now time.Time) {
	window := min(t.plan.Figures, time.Hour)
	rows := [][]string{{"prompt", "", "calls", "p95", "score", ""}}
	for i := range prompts {
		p := &prompts[i]
		name := p.name
		versions := t.figures.store(p.name).Versions(p.name)
		slices.SortStableFunc(versions, func(a, b windows.VersionInfo) int { return cmp.Compare(b.Calls, a.Calls) })
		for _, v := range versions {
			latency := t.figures.of("latency", p.name, v.Version, nil, window)
			if latency.Count == 0 {
				continue
			}
			given := t.figures.of(p.rubric, p.name, v.Version, nil, window)
			rows = append(rows, []string{name, v.Version, rules.Grouped(latency.Count), fmt.Sprintf("%.2f s", latency.P95), score(given.Mean), p.rubric})
			name = ""
		}
	}
	if len(rows) == 1 {
		return // not all is there yet
	}
	t.mu.see(flowing)
	t.screen.line(now, plain, "traffic", "by prompt version, over "+span(window), table(rows, "llrrrl"))
}

// noWorse tells the figures of the version that is fine beside those of the one before.
func (t *teller) noWorse(now time.Time) {
	is := t.figures.of("helpfulness", refund, good, nil, time.Hour)
	was := t.figures.of("helpfulness", refund, goodWas, nil, time.Hour)
	if is.Count == 0 || was.Count == 0 || len(t.mu.fired) > 0 {
		return
	}
	t.mu.see(fine)
	t.say(now, plain, "fine", "%s %s has helpfulness %s, %s had %s: no alert", refund, good, score(is.Mean), goodWas, score(was.Mean))
}

// The drop is told from so many scores in the cohort on: fewer than the rules take to fire.
const dropScores = 50

// drop tells when the cohort's figures have fallen, beside those of all.
func (t *teller) drop(now time.Time) {
	fell := t.figures.of(grounding, support, bad, badCohort, time.Hour)
	if fell.Count < dropScores || fell.Mean > (badQuality+prompts[0].quality[bad])/2 {
		return
	}
	t.mu.see(dropped)
	rows := [][]string{{grounding, previous, bad, ""}}
	for _, c := range []struct {
		name   string
		cohort map[string]string
	}{{"all traffic", nil}, {badName, badCohort}} {
		a := t.figures.of(grounding, support, previous, c.cohort, time.Hour)
		b := t.figures.of(grounding, support, bad, c.cohort, time.Hour)
		rows = append(rows, []string{c.name, score(a.Mean), score(b.Mean), "over " + some(b.Count, "score")})
	}
	t.screen.line(now, warning, "drop", "the average hides it, one cohort does not", table(rows, "lrrl"))
}

// Recovery is judged on a window that begins when the bad version had been silent.
const recoveryWindow = 15 * time.Minute

func (t *teller) recover(now time.Time) {
	_, last := t.figures.store(support).Span(support, bad)
	is := t.figures.of(grounding, support, previous, badCohort, recoveryWindow)
	if now.Sub(last) < recoveryWindow || is.Count < dropScores || is.Mean < (badQuality+prompts[0].quality[previous])/2 {
		return
	}
	t.mu.see(recovery)
	t.say(now, relief, "recovery", "%s has %s again, on %s over %s in %s. The last call of %s was at %s",
		badName, score(is.Mean), previous, some(is.Count, "score"), span(recoveryWindow), bad, last.Format("15:04"))
}

// score writes a score.
func score(v float64) string {
	if v >= 1 {
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// span writes a whole number of hours or minutes.
func span(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}

// table aligns rows; align has l or r for each column.
func table(rows [][]string, align string) string {
	widths := make([]int, len(align))
	for _, r := range rows {
		for i, cell := range r {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var lines []string
	for _, r := range rows {
		var b strings.Builder
		for i, cell := range r {
			gap := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if align[i] == 'r' {
				b.WriteString(gap + cell)
			} else {
				b.WriteString(cell + gap)
			}
			b.WriteString("  ")
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return strings.Join(lines, "\n")
}
