package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
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
	ends    sync.Once     // closes it

	mu struct {
		sync.Mutex
		story
		messages   []fakeslack.Message // that Slack received and the topic has not told yet
		promotions []fakeregistry.Promotion
		held       []*detector.Record // about the rollback, until Slack's first message is told
		boxes      map[string]string  // Slack's message on each rule as it was drawn last
		fired      map[string]bool    // alerts by id
		steps      int
	}
}

const (
	boxWidth = width - shift - 1
	badName  = badTier + " × " + badLocale // as alert.CohortName writes it
)

var badCohort = map[string]string{"tier": badTier, "locale": badLocale}

func newTeller(screen *Screen, plan Plan, f *figures, slack *fakeslack.Server, registry *fakeregistry.Server) *teller {
	t := &teller{screen: screen, plan: plan, figures: f, over: make(chan struct{})}
	t.mu.fired, t.mu.boxes = make(map[string]bool), make(map[string]string)
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
		r := &detector.Record{}
		err := json.Unmarshal(rec.Value, r)
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
		t.record(r)
	})
}

// record tells a record of the alerts topic.
func (t *teller) record(r *detector.Record) {
	if r.Type == detector.Observed || r.Type == detector.DayFigures {
		return
	}
	cohort := alert.CohortName(r.Cohort)
	if r.Type.IsStep() {
		t.mu.steps++
	}
	if r.Type == detector.Firing {
		t.mu.fired[r.ID] = true
	}
	if r.Prompt != support || r.Version != bad || cohort != badName || r.Rule != floorRule && r.Rule != driftRule {
		t.mu.strayed("%s was %s for %s %s, %s", r.Rule, r.Type, r.Prompt, r.Version, cohort)
		t.say(r.Time, warning, string(r.Type), "%s: %s %s, %s", r.Rule, r.Prompt, r.Version, cohort)
		return
	}
	if r.Rule == driftRule && t.drift(r, cohort) {
		return
	}
	switch r.Type {
	case detector.RollbackProposed, detector.RollbackPromoted, detector.Recovered:
		// It goes on at the same time as the notification, and quicker than anybody can read.
		if t.mu.seen[firing] && !t.mu.seen[told] {
			t.mu.held = append(t.mu.held, r)
			return
		}
	}
	switch r.Type {
	case detector.Pending:
		t.mu.see(pending)
		t.say(r.Time, warning, "pending", "%s: %s on %s has %s, below %s, over %s. It fires if that lasts",
			r.Rule, cohort, r.Version, score(*r.Value), strconv.FormatFloat(*r.Bound, 'g', -1, 64), some(r.Samples, "score"))
	case detector.Firing:
		t.mu.see(firing)
		t.say(r.Time, alarm, "firing", "%s: %s on %s has %s over %s, since %s",
			r.Rule, cohort, r.Version, score(*r.Value), some(r.Samples, "score"), r.Onset.Format("15:04"))
	case detector.Resolved:
		t.mu.see(resolved)
		t.say(r.Time, relief, "resolved", "%s: %s on %s: %s", r.Rule, cohort, r.Version, r.Reason)
	case detector.RollbackProposed:
		t.mu.see(proposed)
		t.say(r.Time, notice, "rollback", "%s: written down before it is done", r.Reason)
	case detector.RollbackPromoting: // promoted follows
	case detector.RollbackPromoted:
		t.promoted(r)
	case detector.Recovered:
		t.mu.see(mended)
		t.finish()
	case detector.Notified:
		t.notified(r)
	default:
		t.mu.strayed("%s: %s", r.Type, r.Reason)
		t.say(r.Time, alarm, string(r.Type), "%s", r.Reason)
	}
}

// drift tells the steps of the drift rule's alert; false for what else is done about it.
func (t *teller) drift(r *detector.Record, cohort string) bool {
	switch r.Type {
	case detector.Firing:
		t.mu.see(alarmed)
		t.say(r.Time, alarm, "firing", "%s: %s on %s has %s over %s since %s, against %s of %s. A drop, with at most one false alarm in 30 days",
			r.Rule, cohort, r.Version, score(*r.Value), some(r.Samples, "score"), r.Onset.Format("15:04"), score(*r.Reference), r.Against.Version)
	case detector.Resolved:
		t.mu.see(calmed)
		t.say(r.Time, relief, "resolved", "%s: %s on %s: %s", r.Rule, cohort, r.Version, r.Reason)
	default:
		return false
	}
	return true
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
	t.say(r.Time, notice, "promoted", "%s %s in place of %s, by driftd: the registry took its signed request", p.Prompt, p.To, p.From)
}

// notified tells a message as Slack received it: whole when it is new and when it is over, else what is new in it.
func (t *teller) notified(r *detector.Record) {
	if len(t.mu.messages) == 0 {
		t.mu.strayed("a notification that Slack did not receive")
		return
	}
	m := t.mu.messages[0]
	t.mu.messages = t.mu.messages[1:]
	decoded, err := slack.Decode(m.Text, m.Blocks)
	if err != nil {
		t.mu.strayed("a Slack message that cannot be read: %v", err)
		return
	}
	was, box := t.mu.boxes[r.Rule], slack.DrawText(decoded, boxWidth)
	t.mu.boxes[r.Rule] = box
	begin, end := told, toldEnd
	if r.Rule == driftRule {
		begin, end = warned, warnedEnd
	}
	ended := strings.HasPrefix(r.Reason, string(detector.Resolved))
	switch {
	case m.Edits == 0:
		t.mu.see(begin)
		show := func() { t.screen.line(r.Time, plain, "Slack", "#"+slackChannel+" receives", box) }
		late := strings.Contains(r.Reason, string(detector.RollbackPromoted)) // the message tells it already
		if !late {
			show()
		}
		held := t.mu.held
		t.mu.held = nil
		for _, h := range held {
			t.record(h)
		}
		if late {
			show()
		}
	case ended && !t.mu.seen[end]:
		t.mu.see(end)
		t.screen.line(r.Time, plain, "Slack", "the same message, changed in place", box)
	default:
		if added := news(was, box); len(added) > 0 {
			t.screen.line(r.Time, plain, "Slack", "the same message now says", "  "+strings.Join(added, "\n  "))
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
		t.ends.Do(func() { close(t.over) })
	}
}

// person tells what a person does in the registry.
func (t *teller) person(now time.Time, prompt, version, was string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if version == bad {
		t.mu.see(promoted)
	}
	t.say(now, notice, "promoted", "%s %s in place of %s, by a person", prompt, version, was)
}

func (t *teller) say(at time.Time, how tone, word, format string, args ...any) {
	t.screen.line(at, how, word, fmt.Sprintf(format, args...), "")
}
