package slack

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
)

const (
	maxDigest   = 10000 // characters of a message: Slack refuses blocks that are too long together
	maxVersions = 4     // of a prompt, side by side, the most called
	maxRubrics  = 6     // of a prompt, those with the most scores
	maxListed   = 8     // alerts of a prompt
)

// today is what a digest tells.
type today struct {
	from    time.Time // UTC day
	prompts []*promptDay
}

// promptDay is one prompt.
type promptDay struct {
	name    string
	figures []detector.Figures
	alerts  []*episode
	rolled  []detector.Record
}

func (p *promptDay) calls() (n int64) {
	for i := range p.figures {
		n += p.figures[i].Calls
	}
	return n
}

// day gathers what the partitions know of the last whole UTC day before at. Prompts with alerts come first, then the most called.
func (d *Digest) day(at time.Time) *today {
	t := &today{from: at.UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)}
	number, end := int(t.from.Unix()/86400), t.from.AddDate(0, 0, 1)
	prompts := map[string]*promptDay{}
	of := func(name string) *promptDay {
		if prompts[name] == nil {
			prompts[name] = &promptDay{name: name}
		}
		return prompts[name]
	}
	for _, p := range d.parts {
		for k, r := range p.figures {
			if k.day == number {
				of(k.prompt).figures = r.Figures
			}
		}
		for _, a := range p.alerts {
			if began := a.first.Time; !began.Before(t.from) && began.Before(end) {
				of(a.first.Prompt).alerts = append(of(a.first.Prompt).alerts, a)
			}
		}
		for _, r := range p.rolled {
			if !r.Time.Before(t.from) && r.Time.Before(end) {
				of(r.Prompt).rolled = append(of(r.Prompt).rolled, r)
			}
		}
	}
	for _, p := range prompts {
		slices.SortFunc(p.alerts, func(a, b *episode) int {
			return cmp.Or(a.first.Time.Compare(b.first.Time), strings.Compare(a.first.ID, b.first.ID))
		})
	}
	t.prompts = slices.SortedFunc(maps.Values(prompts), func(a, b *promptDay) int {
		return cmp.Or(cmp.Compare(len(b.alerts), len(a.alerts)), cmp.Compare(b.calls(), a.calls()), strings.Compare(a.name, b.name))
	})
	return t
}

// renderDigest writes a day, in as many messages as it takes; at least one.
func renderDigest(t *today) []Message {
	title := "📋 Prompts on " + t.from.Format("Monday, 2 January 2006") + " (UTC)"
	m := Message{Text: title + ": " + t.summary()}
	emoji := true
	m.add(api.NewHeaderBlock(&api.TextBlockObject{Type: api.PlainTextType, Text: cut(title, maxHeader), Emoji: &emoji}))
	m.say(t.summary())
	var out []Message
	size := 0
	for _, p := range t.prompts {
		text := p.render(t.from)
		if n := len([]rune(text)); len(m.Blocks) == maxBlocks || size+n > maxDigest && len(m.Blocks) > 1 {
			out = append(out, m)
			m, size = Message{Text: title + ", continued"}, 0
		}
		m.say(text)
		size += len([]rune(text))
	}
	return append(out, m)
}

// summary is the day in one line.
func (t *today) summary() string {
	if len(t.prompts) == 0 {
		return "no prompt was called."
	}
	calls, cost, alerts, rolled := int64(0), 0.0, int64(0), int64(0)
	for _, p := range t.prompts {
		calls += p.calls()
		for i := range p.figures {
			if c := p.figures[i].Cost; c != nil {
				cost += *c
			}
		}
		alerts += int64(len(p.alerts))
		rolled += int64(len(p.rolled))
	}
	s := plural(int64(len(t.prompts)), "prompt", "prompts") + ", " + plural(calls, "call", "calls")
	if cost > 0 {
		s += ", $" + number(cost, 3)
	}
	s += "; " + plural(alerts, "alert", "alerts")
	if alerts == 0 {
		s = strings.TrimSuffix(s, "0 alerts") + "no alert"
	}
	if rolled > 0 {
		s += ", " + plural(rolled, "rollback", "rollbacks")
	}
	return s
}

// render is the section of a prompt.
func (p *promptDay) render(day time.Time) string {
	s := "*" + escape(brief(p.name)) + "*"
	if len(p.figures) > maxVersions {
		s += fmt.Sprintf(" · %d of %d versions", maxVersions, len(p.figures))
	}
	if len(p.figures) > 0 {
		s += "\n" + table(p.rows())
	}
	var lines []string
	for i, a := range p.alerts {
		if i == maxListed {
			lines = append(lines, fmt.Sprintf("+%d more", len(p.alerts)-i))
			break
		}
		lines = append(lines, a.line(day))
	}
	for i := range p.rolled {
		if i == maxListed {
			break
		}
		r := &p.rolled[i]
		lines = append(lines, "⏪ "+clock(r.Time, day)+" "+target(r)+" promoted in place of "+subject(r))
	}
	if len(lines) > 0 {
		s += "\n" + strings.Join(lines, "\n")
	}
	return s
}

// line is an alert of the day: what it was, and how long it lasted.
func (a *episode) line(day time.Time) string {
	r := &a.first
	s := "🔴 " + clock(r.Time, day) + " " + escape(brief(r.Rule))
	if r.Version != "" {
		s += " " + escape(brief(r.Version))
	}
	s += ofCohort(r, ", ")
	if a.until.IsZero() {
		return s + ", still firing"
	}
	return s + ", " + lasted(a.until.Sub(r.Time))
}

// rows are the table: a column a version, the most called first.
func (p *promptDay) rows() [][]string {
	all := p.figures[:min(len(p.figures), maxVersions)]
	head := []string{""}
	for i := range all {
		head = append(head, all[i].Version)
	}
	rows := [][]string{head}
	row := func(name string, cell func(f *detector.Figures) string) {
		line, known := []string{name}, false
		for i := range all {
			c := cell(&all[i])
			line, known = append(line, c), known || c != none
		}
		if known {
			rows = append(rows, line)
		}
	}
	unit := func(metric string, v *float64) string {
		if v == nil {
			return none
		}
		return phrase.InUnit(&detector.Record{Metric: metric}, *v, 3)
	}
	row("calls", func(f *detector.Figures) string { return whole(f.Calls) })
	for _, rubric := range rubrics(all) {
		row(rubric, func(f *detector.Figures) string {
			if s, ok := f.Scores[rubric]; ok {
				return unit(rubric, &s.Mean)
			}
			return none
		})
	}
	row("latency p50", func(f *detector.Figures) string { return unit("latency", f.P50) })
	row("latency p95", func(f *detector.Figures) string { return unit("latency", f.P95) })
	row("cost", func(f *detector.Figures) string { return unit("cost", f.Cost) })
	row("errors", func(f *detector.Figures) string { return unit("error", f.Errors) })
	return rows
}

// rubrics are those with the most scores, by name.
func rubrics(all []detector.Figures) []string {
	n := map[string]int64{}
	for i := range all {
		for name, s := range all[i].Scores {
			n[name] += s.N
		}
	}
	names := slices.SortedFunc(maps.Keys(n), func(a, b string) int { return cmp.Or(cmp.Compare(n[b], n[a]), strings.Compare(a, b)) })
	names = names[:min(len(names), maxRubrics)]
	slices.Sort(names)
	return names
}
