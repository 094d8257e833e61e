package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/slack"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeregistry"
	"github.com/driftd/driftd/internal/fakeslack"
	"github.com/driftd/driftd/internal/kafkalog"
)

// teller tells what it sees and holds it against the story. It learns of alerts, notifications and rollbacks from the alerts
// topic, where everything that happens to an alert stands in one order; what Slack and the registry received is looked up
// there when the topic says that they were reached.
type teller struct {
	screen  *Screen
	plan    Plan
	figures *figures
	over    chan struct{} // closed when all that driftd does was told

	mu struct {
		sync.Mutex
		story
		messages   []fakeslack.Message // that Slack received and the topic has not told yet
		promotions []fakeregistry.Promotion
		box        string // Slack's message as it was drawn last
		rolledBack time.Time
		steps      int
		deliveries int
	}
}

const boxWidth = 72

var badCohort = map[string]string{"tier": badTier, "locale": badLocale}

func newTeller(screen *Screen, plan Plan, f *figures, slack *fakeslack.Server, registry *fakeregistry.Server) *teller {
	t := &teller{screen: screen, plan: plan, figures: f, over: make(chan struct{})}
	slack.Watch(func(m fakeslack.Message) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.mu.messages = append(t.mu.messages, m)
	})
	registry.Watch(func(p fakeregistry.Promotion) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.mu.promotions = append(t.mu.promotions, p)
	})
	f.onMinute = t.minute
	return t
}

// read follows one partition of the alerts topic until ctx ends.
func (t *teller) read(ctx context.Context, client *kafkalog.Client, topic string, partition int) {
	follow(ctx, client, topic, partition, func(rec *kafkalog.Record) {
		var r detector.Record
		err := json.Unmarshal(rec.Value, &r)
		if err == nil && r.Type.IsStep() {
			// Detect may be ahead of our own reading of the figures: they come first.
			if t.figures.awaitMinute(ctx, r.Time) != nil {
				return
			}
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if err != nil {
			t.mu.strayed("an alert record that cannot be read: %v", err)
			return
		}
		t.record(&r)
	})
}

// record tells a record of the alerts topic.
func (t *teller) record(r *detector.Record) {
	cohort := alert.CohortName(r.Cohort)
	if r.Type.IsStep() {
		t.mu.steps++
	}
	if r.Prompt != support || r.Version != bad || cohort != badTier+" × "+badLocale {
		t.mu.strayed("%s was %s for %s %s, %s", r.Rule, r.Type, r.Prompt, r.Version, cohort)
		t.screen.line(r.Time, warning, string(r.Type), "%s %s %s, %s", r.Rule, r.Prompt, r.Version, cohort)
		return
	}
	switch r.Type {
	case detector.Pending:
		t.mu.see(pending)
		t.screen.line(r.Time, warning, "pending", "%s: %s %s in %s over %s\nbelow %s; it fires if that lasts",
			r.Rule, r.Version, figure(*r.Value), cohort, some(r.Samples, "score"), figure(*r.Bound))
	case detector.Firing:
		t.mu.see(firing)
		t.screen.line(r.Time, alarm, "firing", "%s: %s %s in %s over %s, since %s",
			r.Rule, r.Version, figure(*r.Value), cohort, some(r.Samples, "score"), r.Onset.Format("15:04"))
	case detector.Resolved:
		t.mu.see(resolved)
		t.screen.line(r.Time, relief, "resolved", "%s: %s in %s: %s", r.Rule, r.Version, cohort, r.Reason)
	case detector.RollbackProposed:
		t.mu.see(proposed)
		t.screen.line(r.Time, notice, "rollback", "written down first, then made: %s", r.Reason)
	case detector.RollbackPromoted:
		t.promoted(r)
	case detector.Recovered:
		t.mu.see(mended)
		t.finish()
	case detector.Notified:
		t.notified(r)
	default:
		t.mu.strayed("%s: %s", r.Type, r.Reason)
		t.screen.line(r.Time, alarm, string(r.Type), "%s", r.Reason)
	}
}

// promoted tells a promotion as the registry received it.
func (t *teller) promoted(r *detector.Record) {
	if len(t.mu.promotions) != 1 {
		t.mu.strayed("the registry was asked for %s, not one", some(int64(len(t.mu.promotions)), "promotion"))
		return
	}
	p := t.mu.promotions[0]
	if p.Prompt != support || p.From != bad || p.To != previous {
		t.mu.strayed("the registry was asked to promote %s of %s in place of %s", p.To, p.Prompt, p.From)
		return
	}
	t.mu.see(rolledBack)
	t.mu.rolledBack = r.Time
	t.screen.line(r.Time, notice, "promoted", "%s in place of %s: the registry took driftd's signed request\n%q", p.To, p.From, p.Reason)
}

// notified tells a message as Slack received it: whole when it is new and when it is over, else what is new in it.
func (t *teller) notified(r *detector.Record) {
	if len(t.mu.messages) == 0 {
		t.mu.strayed("a notification that Slack did not receive")
		return
	}
	m := t.mu.messages[0]
	t.mu.messages = t.mu.messages[1:]
	t.mu.deliveries++
	decoded, err := slack.Decode(m.Text, m.Blocks)
	if err != nil {
		t.mu.strayed("a Slack message that cannot be read: %v", err)
		return
	}
	was, box := t.mu.box, slack.DrawText(decoded, boxWidth)
	t.mu.box = box
	ended := strings.HasPrefix(r.Reason, string(detector.Resolved))
	switch {
	case m.Edits == 0:
		t.mu.see(told)
		t.screen.line(r.Time, plain, "Slack", "#%s\n%s", slackChannel, strings.TrimSuffix(box, "\n"))
	case ended && !t.mu.seen[toldEnd]:
		t.mu.see(toldEnd)
		t.screen.line(r.Time, plain, "Slack", "the same message, changed in place\n%s", strings.TrimSuffix(box, "\n"))
	default:
		if added := news(was, box); len(added) > 0 {
			t.screen.line(r.Time, plain, "Slack", "the same message now says\n%s", strings.Join(added, "\n"))
		}
	}
	t.finish()
}

// news are the lines of box that was has not got, without their frame.
func news(was, box string) (added []string) {
	old := make(map[string]bool)
	for line := range strings.Lines(was) {
		old[line] = true
	}
	for line := range strings.Lines(box) {
		if text := strings.TrimSpace(strings.Trim(strings.TrimSpace(line), "│")); text != "" && !old[line] {
			added = append(added, text)
		}
	}
	return added
}

func (t *teller) finish() {
	if t.mu.toldAll() {
		close(t.over)
	}
}

// minute is called by figures, which are locked, when a minute is complete.
func (t *teller) minute(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	elapsed := now.Sub(t.plan.Begin)
	switch {
	case !t.mu.seen[flowing]:
		if elapsed >= t.plan.Figures {
			t.flow(now)
		}
	case t.mu.seen[promoted] && !t.mu.seen[dropped]:
		t.drop(now)
	case t.mu.seen[rolledBack] && !t.mu.seen[recovery]:
		t.recover(now)
	}
}

// flow tells the figures of all prompt versions.
func (t *teller) flow(now time.Time) {
	window := min(t.plan.Figures, time.Hour)
	rows := [][]string{{"prompt", "version", "calls", "p95", "cost", "score", ""}}
	for i := range prompts {
		p := &prompts[i]
		name := p.name
		for _, v := range t.figures.store(p.name).Versions(p.name) {
			latency := t.figures.of("latency", p.name, v.Version, nil, window)
			if latency.Count == 0 {
				continue
			}
			score := t.figures.of(p.rubric, p.name, v.Version, nil, window)
			cost := t.figures.of("cost", p.name, v.Version, nil, window)
			rows = append(rows, []string{
				name, v.Version, whole(latency.Count), fmt.Sprintf("%.2f s", latency.P95), fmt.Sprintf("$%.2f", cost.Sum), figure(score.Mean), p.rubric,
			})
			name = ""
		}
	}
	if len(rows) == 1 {
		return // not all is there yet
	}
	t.mu.see(flowing)
	t.screen.line(now, plain, "traffic", "the last %s, by version\n%s", span(window), table(rows, "llrrrrl"))
}

// The drop is told from so many scores in the cohort on: fewer than the rule waits for.
const dropScores = 40

// drop tells when the cohort's figures have fallen, beside those of all.
func (t *teller) drop(now time.Time) {
	fell := t.figures.of(grounding, support, bad, badCohort, time.Hour)
	if fell.Count < dropScores || fell.Mean > (badQuality+prompts[0].quality[bad])/2 {
		return
	}
	t.mu.see(dropped)
	t.screen.line(now, warning, "drop", "%s\n%s", "the mean hides it, the cohort does not", t.compare(time.Hour, time.Hour))
}

// compare is a table of both versions, for all traffic and for the cohort.
func (t *teller) compare(was, is time.Duration) string {
	rows := [][]string{{grounding, previous, bad, ""}}
	for _, c := range []struct {
		name   string
		cohort map[string]string
	}{{"all traffic", nil}, {badTier + " × " + badLocale, badCohort}} {
		a := t.figures.of(grounding, support, previous, c.cohort, was)
		b := t.figures.of(grounding, support, bad, c.cohort, is)
		rows = append(rows, []string{c.name, figure(a.Mean), figure(b.Mean), "of " + some(b.Count, "score")})
	}
	return table(rows, "lrrl")
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
	t.screen.line(now, relief, "recovery", "%s × %s is at %s again: %s, over %s of %s\nthe last call of %s was at %s",
		badTier, badLocale, figure(is.Mean), previous, some(is.Count, "score"), span(recoveryWindow), bad, last.Format("15:04"))
}

// person tells what a person does in the registry.
func (t *teller) person(now time.Time, prompt, version, was string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if version == bad {
		t.mu.see(promoted)
	}
	t.screen.line(now, notice, "promoted", "%s of %s in place of %s, by a person", version, prompt, was)
}

// figure writes a score.
func figure(v float64) string {
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
