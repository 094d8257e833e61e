package demo

import (
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeregistry"
	"github.com/driftd/driftd/internal/fakeslack"
)

// rig is a teller whose world has come as far as the drop.
func rig(t *testing.T) (*teller, *strings.Builder) {
	t.Helper()
	var out strings.Builder
	tl := newTeller(&Screen{Out: &out, Err: &out}, Day, newFigures(nil, "", 1, 1), fakeslack.New(fakeslack.Config{}), fakeregistry.New(fakeregistry.Config{}))
	for _, s := range []step{flowing, fine, promoted, dropped} {
		if !tl.mu.see(s) {
			t.Fatal(tl.mu.wrong)
		}
	}
	return tl, &out
}

func record(kind detector.RecordType) *detector.Record {
	value, bound, onset := 0.78, 0.85, Day.Begin
	return &detector.Record{
		ID: "a", Step: 1, Type: kind, Time: Day.Begin.Add(time.Hour), Rule: "GroundingBelowFloor", Prompt: support, Version: bad, Previous: previous,
		Cohort: map[string]string{"tier": badTier, "locale": badLocale}, Metric: grounding, Value: &value, Bound: &bound, Samples: 412, Onset: &onset,
	}
}

// play lets the records happen; Slack and the registry got what they say.
func (t *teller) play(kinds ...detector.RecordType) {
	edits := 0
	for _, k := range kinds {
		r := record(k)
		switch k {
		case detector.Notified:
			r.Reason = "firing"
			if t.mu.seen[resolved] {
				r.Reason = "resolved"
			}
			t.mu.messages = append(t.mu.messages, fakeslack.Message{Text: "told", Edits: edits})
			edits++
		case detector.RollbackPromoted:
			t.mu.promotions = append(t.mu.promotions, fakeregistry.Promotion{Prompt: support, From: bad, To: previous})
		case detector.Resolved:
			t.mu.see(recovery)
		}
		t.record(r)
	}
}

var happened = []detector.RecordType{
	detector.Pending, detector.Firing, detector.RollbackProposed, detector.RollbackPromoted, detector.Notified,
	detector.Resolved, detector.Recovered, detector.Notified,
}

func TestTellerTellsTheStory(t *testing.T) {
	tl, out := rig(t)
	tl.play(happened...)
	tl.mu.see(counted)
	if err := tl.mu.verdict(); err != nil {
		t.Errorf("%v", err)
	}
	select {
	case <-tl.over:
	default:
		t.Error("it does not know that the story is over")
	}
	rest := out.String()
	for _, want := range []string{"pending ", "firing ", "Slack     #llm-alerts", "rollback ", "promoted ", "resolved ", "changed in place"} {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("%q is missing, or not where it should be:\n%s", want, out)
		}
		rest = after
	}
}

// TestSlackFirstUnlessItTellsTheRest: what is done about an alert is told behind the message, but for a message that tells it.
func TestSlackFirstUnlessItTellsTheRest(t *testing.T) {
	for reason, slackFirst := range map[string]bool{"firing": true, "firing, rollback_proposed": true, "firing, rollback_promoted": false} {
		tl, out := rig(t)
		tl.play(detector.Pending, detector.Firing, detector.RollbackProposed, detector.RollbackPromoted)
		tl.mu.messages = []fakeslack.Message{{Text: "told"}}
		r := record(detector.Notified)
		r.Reason = reason
		tl.record(r)
		slack, promotion := strings.Index(out.String(), "Slack "), strings.Index(out.String(), "by driftd")
		if slack < 0 || promotion < 0 || (slack < promotion) != slackFirst {
			t.Errorf("%s:\n%s", reason, out)
		}
		if !tl.mu.seen[rolledBack] || !tl.mu.seen[told] || len(tl.mu.wrong) > 0 {
			t.Errorf("%s: seen %v, wrong %v", reason, tl.mu.seen, tl.mu.wrong)
		}
	}
}

func TestTellerIsNotDeceived(t *testing.T) {
	tell := func(change func(tl *teller)) string {
		tl, _ := rig(t)
		change(tl)
		tl.mu.see(counted)
		if err := tl.mu.verdict(); err != nil {
			return err.Error()
		}
		return "all is well"
	}
	other := func(kind detector.RecordType, change func(r *detector.Record)) func(*teller) {
		return func(tl *teller) {
			tl.play(happened...)
			r := record(kind)
			change(r)
			tl.record(r)
		}
	}
	for what, c := range map[string]struct {
		change func(tl *teller)
		want   string
	}{
		"another cohort fires":  {other(detector.Firing, func(r *detector.Record) { r.Cohort["locale"] = "fr" }), "wrong: GroundingBelowFloor was firing for"},
		"the total fires":       {other(detector.Firing, func(r *detector.Record) { r.Cohort = nil }), "wrong: GroundingBelowFloor was firing for"},
		"another prompt fires":  {other(detector.Firing, func(r *detector.Record) { r.Prompt = refund }), "wrong: GroundingBelowFloor was firing for"},
		"another version fires": {other(detector.Firing, func(r *detector.Record) { r.Version = previous }), "wrong: GroundingBelowFloor was firing for"},
		"it fires twice":        {other(detector.Firing, func(*detector.Record) {}), "wrong: a firing alert came twice"},
		"it is promoted twice":  {other(detector.RollbackPromoted, func(*detector.Record) {}), "came twice"},
		"the rollback fails":    {other(detector.RollbackFailed, func(r *detector.Record) { r.Reason = "no answer" }), "wrong: rollback_failed: no answer"},
		"it is not told":        {other(detector.NotifyFailed, func(r *detector.Record) { r.Reason = "firing: 500" }), "wrong: notify_failed"},
		"Slack got nothing": {func(tl *teller) {
			tl.play(happened[:4]...)
			tl.record(record(detector.Notified))
		}, "wrong: a notification that Slack did not receive"},
		"the registry got nothing": {func(tl *teller) {
			tl.play(detector.Pending, detector.Firing, detector.Notified, detector.RollbackProposed)
			tl.record(record(detector.RollbackPromoted))
		}, "wrong: the registry was asked for 0 promotions"},
		"the registry got two": {func(tl *teller) {
			tl.mu.promotions = append(tl.mu.promotions, fakeregistry.Promotion{})
			tl.play(happened...)
		}, "wrong: the registry was asked for 2 promotions"},
		"the registry got another": {func(tl *teller) {
			tl.play(detector.Pending, detector.Firing, detector.Notified, detector.RollbackProposed)
			tl.mu.promotions = []fakeregistry.Promotion{{Prompt: support, From: bad, To: "v21"}}
			tl.record(record(detector.RollbackPromoted))
		}, "wrong: the registry was asked to promote v21"},
		"Slack is not told at all": {func(tl *teller) { tl.play(happened[:4]...) }, "missing: a Slack message"},
		"it never pends":           {func(tl *teller) { tl.play(happened[1:]...) }, "wrong: a firing alert came before a pending alert"},
		"it never ends":            {func(tl *teller) { tl.play(happened[:5]...) }, "missing: a resolved alert"},
	} {
		if got := tell(c.change); !strings.Contains(got, c.want) {
			t.Errorf("%s: want %q in\n%s", what, c.want, got)
		}
	}
}

func TestNews(t *testing.T) {
	got := strings.Join(news("│ old  │\n│ gone │\n", "│ old  │\n│      │\n│ new  │\n"), ",")
	if got != "new" {
		t.Errorf("news are %q", got)
	}
}
