package demo

import (
	"bytes"
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
	asks    chan question // the rollback that waits for a person
	over    chan struct{} // closed when all that driftd does was told
	ends    sync.Once     // closes it

	mu struct {
		sync.Mutex
		story
		waits      bool                         // a rollback waits for a person: the clock stands still
		messages   map[string]fakeslack.Message // by rule: as Slack has it now
		replies    []fakeslack.Message          // in threads, not told yet
		drawn      map[string]string            // by rule: the message as it was drawn last
		promotions []fakeregistry.Promotion
		fired      map[string]bool // alerts by id
		steps      int
	}
}

// question is a rollback that a person decides on.
type question struct{ ts string } // of the message that has the buttons

// The buttons of Slack's message, as alert/slack calls them.
const (
	approveButton = "driftd_approve"
	rejectButton  = "driftd_reject"
)

const (
	boxWidth = width - shift - 1
	badName  = badTier + " × " + badLocale // as alert.CohortName writes it
)

var badCohort = map[string]string{"tier": badTier, "locale": badLocale}

func newTeller(screen *Screen, plan Plan, f *figures, slack *fakeslack.Server, registry *fakeregistry.Server) *teller {
	t := &teller{screen: screen, plan: plan, figures: f, asks: make(chan question, 1), over: make(chan struct{})}
	t.mu.fired, t.mu.messages, t.mu.drawn = make(map[string]bool), make(map[string]fakeslack.Message), make(map[string]string)
	slack.Watch(t.slack)
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

// slack keeps a message that Slack received.
func (t *teller) slack(m fakeslack.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m.ThreadTS != "" {
		t.mu.replies = append(t.mu.replies, m)
		return
	}
	for _, rule := range []string{driftRule, floorRule} {
		if strings.Contains(m.Text, rule) {
			t.mu.messages[rule] = m
			return
		}
	}
	t.mu.strayed("a Slack message about neither rule: %s", m.Text)
}

// record tells a record of the alerts topic.
func (t *teller) record(r *detector.Record) {
	switch r.Type {
	case detector.Observed, detector.DayFigures, detector.RegistryPromoted:
		return // how it goes on shows in Slack; a person's promotions were told when they were made
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
	switch {
	case r.Type == detector.Notified:
		t.notified(r)
	case r.Rule == driftRule:
		t.drift(r, cohort)
	default:
		t.floor(r, cohort)
	}
	t.finish()
}

// drift tells what happens to the drift rule's alert.
func (t *teller) drift(r *detector.Record, cohort string) {
	switch r.Type {
	case detector.Firing:
		if t.mu.path == rejected && t.mu.seen[alarmed] {
			t.say(r.Time, alarm, "worse", "%s: %s on %s has %s now", r.Rule, cohort, r.Version, score(*r.Value))
			return
		}
		t.mu.see(alarmed)
		t.say(r.Time, alarm, "firing", "%s: %s on %s has %s over %s since %s, against %s of %s. A drop, with at most one false alarm in 30 days",
			r.Rule, cohort, r.Version, score(*r.Value), some(r.Samples, "score"), r.Onset.Format("15:04"), score(*r.Reference), r.Against.Version)
	case detector.Resolved:
		t.mu.see(calmed)
		t.say(r.Time, relief, "resolved", "%s: %s on %s: %s", r.Rule, cohort, r.Version, r.Reason)
	case detector.RollbackProposed:
		t.mu.waits = true
		t.mu.see(proposed)
		t.say(r.Time, notice, "proposed", "%s", r.Reason)
		t.ask()
	case detector.RollbackApproved:
		t.decide(r, approved, "approved", "by %s, in Slack", personName)
	case detector.RollbackRejected:
		t.decide(r, rejected, "rejected", "by %s, in Slack: %s goes on", personName, bad)
	case detector.RollbackPromoting:
		t.mu.see(promoting)
		t.say(r.Time, notice, "rollback", "the guards let it pass; written down before the registry is asked")
	case detector.RollbackPromoted:
		t.promoted(r)
	case detector.Recovered:
		t.mu.see(mended)
		t.say(r.Time, relief, "recovered", "%s", r.Reason)
	default:
		t.mu.strayed("%s: %s", r.Type, r.Reason)
		t.say(r.Time, alarm, string(r.Type), "%s", r.Reason)
	}
}

func (t *teller) decide(r *detector.Record, p path, word, format string, args ...any) {
	t.mu.path, t.mu.waits = p, false
	t.mu.see(decided)
	t.say(r.Time, notice, word, format, args...)
}

// floor tells what happens to the threshold rule's alert: it comes when nobody has approved.
func (t *teller) floor(r *detector.Record, cohort string) {
	switch r.Type {
	case detector.Pending:
		t.mu.see(pending)
		t.say(r.Time, warning, "pending", "%s: %s on %s has %s, below %s, over %s. It fires if that lasts",
			r.Rule, cohort, r.Version, score(*r.Value), strconv.FormatFloat(*r.Bound, 'g', -1, 64), some(r.Samples, "score"))
	case detector.Firing:
		t.mu.see(firing)
		t.say(r.Time, alarm, "firing", "%s: %s on %s has %s over %s, since %s",
			r.Rule, cohort, r.Version, score(*r.Value), some(r.Samples, "score"), r.Onset.Format("15:04"))
	default:
		t.mu.strayed("%s: %s", r.Type, r.Reason)
		t.say(r.Time, alarm, string(r.Type), "%s", r.Reason)
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
	t.say(r.Time, notice, "promoted", "%s %s in place of %s, by driftd: the registry took its signed request, and was read back", p.Prompt, p.To, p.From)
}

// notified tells the message on a rule as Slack has it now: whole when it is new, when it asks, and when it is over, else what is
// new in it; and what was said in its thread.
func (t *teller) notified(r *detector.Record) {
	m, ok := t.mu.messages[r.Rule]
	if !ok {
		t.mu.strayed("a notification that Slack did not receive")
		return
	}
	decoded, err := slack.Decode(m.Text, named(m.Blocks), named(m.Attachments))
	if err != nil {
		t.mu.strayed("a Slack message that cannot be read: %v", err)
		return
	}
	was, box := t.mu.drawn[r.Rule], slack.DrawText(decoded, boxWidth)
	t.mu.drawn[r.Rule] = box
	begin, end := warned, warnedEnd
	if r.Rule == floorRule {
		begin, end = told, numSteps
	}
	ended := strings.HasPrefix(r.Reason, string(detector.Resolved))
	switch {
	case !t.mu.seen[begin]:
		t.mu.see(begin)
		t.screen.line(r.Time, plain, "Slack", "#"+slackChannel+" receives", box)
	case ended && end < numSteps && !t.mu.seen[end]:
		t.mu.see(end)
		t.screen.line(r.Time, plain, "Slack", "the same message, changed in place", box)
	default:
		if added := news(was, box); len(added) > 0 {
			t.screen.line(r.Time, plain, "Slack", "the same message now says", "  "+strings.Join(added, "\n  "))
		}
	}
	for _, reply := range t.mu.replies {
		t.screen.line(r.Time, plain, "Slack", "in its thread\n"+people.Replace(reply.Text), "")
	}
	t.mu.replies = nil
	t.ask()
}

// ask asks the person, once, when driftd waits and Slack shows the buttons.
func (t *teller) ask() {
	m := t.mu.messages[driftRule]
	if t.mu.waits && t.mu.seen[warned] && bytes.Contains(m.Blocks, []byte(approveButton)) {
		select {
		case t.asks <- question{m.TS}:
		default:
		}
	}
}

// waiting tells whether a person is to decide.
func (t *teller) waiting() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.waits
}

// named has people by their names, as Slack shows them, in what JSON may have escaped.
func named(blocks []byte) []byte {
	return []byte(people.Replace(string(blocks)))
}

var people = strings.NewReplacer("<@"+personID+">", "@"+personName, `\u003c@`+personID+`\u003e`, "@"+personName)

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
