package demo

import (
	"slices"
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

// happening is a record of a rule's alert.
type happening struct {
	rule string
	kind detector.RecordType
}

func record(kind detector.RecordType) *detector.Record { return happening{floorRule, kind}.record() }

func (h happening) record() *detector.Record {
	value, bound, reference, onset := 0.78, 0.85, 0.91, Day.Begin
	return &detector.Record{
		ID: h.rule, Step: 1, Type: h.kind, Time: Day.Begin.Add(time.Hour), Rule: h.rule, Prompt: support, Version: bad, Previous: previous,
		Cohort: map[string]string{"tier": badTier, "locale": badLocale}, Metric: grounding, Value: &value, Bound: &bound, Reference: &reference, Samples: 412, Onset: &onset,
		Against: &detector.Against{Kind: "previous_version", Version: previous},
	}
}

// play lets the records happen; Slack and the registry got what they say.
func (t *teller) play(what ...happening) {
	edits := make(map[string]int)
	for _, h := range what {
		r := h.record()
		switch h.kind {
		case detector.Notified:
			r.Reason = "firing"
			if t.mu.seen[resolved] && h.rule == floorRule || t.mu.seen[calmed] && h.rule == driftRule {
				r.Reason = "resolved"
			}
			t.mu.messages = append(t.mu.messages, fakeslack.Message{Text: "told", Edits: edits[h.rule]})
			edits[h.rule]++
		case detector.RollbackPromoted:
			t.mu.promotions = append(t.mu.promotions, fakeregistry.Promotion{Prompt: support, From: bad, To: previous})
		case detector.Resolved:
			if !t.mu.seen[recovery] {
				t.mu.see(recovery)
			}
		}
		t.record(r)
	}
}

var (
	alarms = []happening{
		{driftRule, detector.Firing}, {driftRule, detector.Notified},
	}
	fires = []happening{
		{floorRule, detector.Pending}, {floorRule, detector.Firing}, {floorRule, detector.RollbackProposed},
		{floorRule, detector.RollbackPromoted}, {floorRule, detector.Notified},
	}
	ends = []happening{
		{driftRule, detector.Resolved}, {driftRule, detector.Notified},
		{floorRule, detector.Resolved}, {floorRule, detector.Recovered}, {floorRule, detector.Notified},
	}
	happened = slices.Concat(alarms, fires, ends)
)

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
	for _, want := range []string{"firing ", "Slack     #llm-alerts", "pending ", "firing ", "Slack     #llm-alerts", "rollback ", "promoted ", "resolved ", "changed in place", "resolved ", "changed in place"} {
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
		tl.play(slices.Concat(alarms, fires[:4])...)
		tl.mu.messages = []fakeslack.Message{{Text: "told"}}
		r := record(detector.Notified)
		r.Reason = reason
		tl.record(r)
		slack, promotion := strings.LastIndex(out.String(), "Slack "), strings.Index(out.String(), "by driftd")
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
		"it fires twice":        {other(detector.Firing, func(*detector.Record) {}), "wrong: a firing alert of GroundingBelowFloor came twice"},
		"the drift fires twice": {other(detector.Firing, func(r *detector.Record) { r.Rule = driftRule }), "wrong: a firing alert of GroundingRegressed came twice"},
		"another rule fires":    {other(detector.Firing, func(r *detector.Record) { r.Rule = "Latency" }), "wrong: Latency was firing for"},
		"it is promoted twice":  {other(detector.RollbackPromoted, func(*detector.Record) {}), "came twice"},
		"the rollback fails":    {other(detector.RollbackFailed, func(r *detector.Record) { r.Reason = "no answer" }), "wrong: rollback_failed: no answer"},
		"it is not told":        {other(detector.NotifyFailed, func(r *detector.Record) { r.Reason = "firing: 500" }), "wrong: notify_failed"},
		"Slack got nothing": {func(tl *teller) {
			tl.play(slices.Concat(alarms, fires[:4])...)
			tl.record(record(detector.Notified))
		}, "wrong: a notification that Slack did not receive"},
		"the registry got nothing": {func(tl *teller) {
			tl.play(slices.Concat(alarms, []happening{fires[0], fires[1], fires[4], fires[2]})...)
			tl.record(record(detector.RollbackPromoted))
		}, "wrong: the registry was asked for 0 promotions"},
		"the registry got two": {func(tl *teller) {
			tl.mu.promotions = append(tl.mu.promotions, fakeregistry.Promotion{})
			tl.play(happened...)
		}, "wrong: the registry was asked for 2 promotions"},
		"the registry got another": {func(tl *teller) {
			tl.play(slices.Concat(alarms, []happening{fires[0], fires[1], fires[4], fires[2]})...)
			tl.mu.promotions = []fakeregistry.Promotion{{Prompt: support, From: bad, To: "v21"}}
			tl.record(record(detector.RollbackPromoted))
		}, "wrong: the registry was asked to promote v21"},
		"Slack is not told at all": {func(tl *teller) { tl.play(slices.Concat(alarms, fires[:4])...) }, "missing: a Slack message on GroundingBelowFloor"},
		"the drift is not told":    {func(tl *teller) { tl.play(slices.Concat(alarms[:1], fires)...) }, "missing: a Slack message on GroundingRegressed"},
		"it never pends":           {func(tl *teller) { tl.play(slices.Concat(alarms, fires[1:])...) }, "came before a pending alert"},
		"the drift is not seen":    {func(tl *teller) { tl.play(fires...) }, "missing: a firing alert of GroundingRegressed"},
		"it never ends":            {func(tl *teller) { tl.play(slices.Concat(alarms, fires)...) }, "missing: a resolved alert of GroundingBelowFloor"},
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
