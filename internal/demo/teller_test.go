package demo

import (
	"encoding/json"
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

func (h happening) record() *detector.Record {
	value, bound, reference, onset := 0.78, 0.85, 0.91, Day.Begin
	return &detector.Record{
		ID: h.rule, Step: 1, Type: h.kind, Time: Day.Begin.Add(time.Hour), Rule: h.rule, Prompt: support, Version: bad, Previous: previous,
		Cohort: map[string]string{"tier": badTier, "locale": badLocale}, Metric: grounding, Value: &value, Bound: &bound, Reference: &reference, Samples: 412, Onset: &onset,
		Against: &detector.Against{Kind: "previous_version", Version: previous}, Actor: "slack:U0YOU (you)",
	}
}

// play lets the records happen; Slack and the registry got what they say.
func (t *teller) play(what ...happening) {
	for _, h := range what {
		r := h.record()
		switch h.kind {
		case detector.Notified:
			r.Reason = "firing"
			if t.mu.seen[calmed] {
				r.Reason = "resolved"
			}
			t.slack(fakeslack.Message{TS: "1." + h.rule, Text: "🔴 " + h.rule, Blocks: json.RawMessage(`[{"type":"actions","elements":[{"type":"button","action_id":"` + approveButton + `","text":{"type":"plain_text","text":"Approve"}}]}]`)})
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
	alarms = []happening{{driftRule, detector.Firing}, {driftRule, detector.RollbackProposed}, {driftRule, detector.Notified}}
	rolls  = []happening{
		{driftRule, detector.RollbackApproved}, {driftRule, detector.RollbackPromoting}, {driftRule, detector.RollbackPromoted},
		{driftRule, detector.Notified}, {driftRule, detector.Observed}, {driftRule, detector.Recovered},
	}
	ends     = []happening{{driftRule, detector.Resolved}, {driftRule, detector.Notified}}
	happened = slices.Concat(alarms, rolls, ends)
	rejects  = slices.Concat(alarms, []happening{
		{driftRule, detector.RollbackRejected}, {floorRule, detector.Pending}, {floorRule, detector.Firing}, {driftRule, detector.Firing}, {floorRule, detector.Notified},
	})
)

func TestTellerTellsTheStory(t *testing.T) {
	for name, c := range map[string]struct {
		what []happening
		want []string
	}{
		"approved": {happened, []string{"firing ", "proposed ", "Slack      #llm-alerts", "approved ", "rollback ", "promoted ", "recovered ", "resolved ", "changed in place"}},
		"rejected": {rejects, []string{"firing ", "proposed ", "Slack      #llm-alerts", "rejected ", "pending ", "firing ", "worse ", "Slack      #llm-alerts"}},
	} {
		tl, out := rig(t)
		tl.play(c.what...)
		tl.mu.see(counted)
		if err := tl.mu.verdict(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		select {
		case <-tl.over:
		default:
			t.Errorf("%s: it does not know that the story is over", name)
		}
		select {
		case q := <-tl.asks:
			if q.ts != "1."+driftRule {
				t.Errorf("%s: it asks about %s", name, q.ts)
			}
		default:
			t.Errorf("%s: nobody is asked", name)
		}
		rest := out.String()
		for _, want := range c.want {
			_, after, ok := strings.Cut(rest, want)
			if !ok {
				t.Fatalf("%s: %q is missing, or not where it should be:\n%s", name, want, out)
			}
			rest = after
		}
	}
}

// TestTheClockStandsStill: from the proposal until the decision stands in the log.
func TestTheClockStandsStill(t *testing.T) {
	tl, _ := rig(t)
	tl.play(alarms[0])
	if tl.waiting() {
		t.Error("before anybody is asked")
	}
	tl.play(alarms[1:]...)
	if !tl.waiting() {
		t.Error("it goes on while a person is asked")
	}
	tl.play(rolls[0])
	if tl.waiting() {
		t.Error("it stands still when all is decided")
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
			r := happening{driftRule, kind}.record()
			change(r)
			tl.record(r)
		}
	}
	without := func(all []happening, i int) func(*teller) {
		return func(tl *teller) { tl.play(slices.Delete(slices.Clone(all), i, i+1)...) }
	}
	for what, c := range map[string]struct {
		change func(tl *teller)
		want   string
	}{
		"another cohort fires":  {other(detector.Firing, func(r *detector.Record) { r.Cohort["locale"] = "fr" }), "wrong: GroundingRegressed was firing for"},
		"the total fires":       {other(detector.Firing, func(r *detector.Record) { r.Cohort = nil }), "wrong: GroundingRegressed was firing for"},
		"another prompt fires":  {other(detector.Firing, func(r *detector.Record) { r.Prompt = refund }), "wrong: GroundingRegressed was firing for"},
		"another version fires": {other(detector.Firing, func(r *detector.Record) { r.Version = previous }), "wrong: GroundingRegressed was firing for"},
		"it fires twice":        {other(detector.Firing, func(*detector.Record) {}), "wrong: a firing alert of GroundingRegressed came twice"},
		"the floor fires":       {other(detector.Firing, func(r *detector.Record) { r.Rule = floorRule }), "wrong: a firing alert of GroundingBelowFloor, which nobody asked for"},
		"another rule fires":    {other(detector.Firing, func(r *detector.Record) { r.Rule = "Latency" }), "wrong: Latency was firing for"},
		"it is promoted twice":  {other(detector.RollbackPromoted, func(*detector.Record) {}), "wrong: the promotion of v22 in the registry came twice"},
		"the rollback fails":    {other(detector.RollbackFailed, func(r *detector.Record) { r.Reason = "no answer" }), "wrong: rollback_failed: no answer"},
		"it is no help":         {other(detector.Ineffective, func(r *detector.Record) { r.Reason = "still bad" }), "wrong: ineffective: still bad"},
		"it is not told":        {other(detector.NotifyFailed, func(r *detector.Record) { r.Reason = "firing: 500" }), "wrong: notify_failed"},
		"Slack got nothing": {func(tl *teller) {
			tl.play(alarms[:2]...)
			tl.record(happening{driftRule, detector.Notified}.record())
		}, "wrong: a notification that Slack did not receive"},
		"the registry got nothing": {func(tl *teller) {
			tl.play(slices.Concat(alarms, rolls[:2])...)
			tl.record(happening{driftRule, detector.RollbackPromoted}.record())
		}, "wrong: the registry was asked for 0 promotions"},
		"the registry got two": {func(tl *teller) {
			tl.mu.promotions = append(tl.mu.promotions, fakeregistry.Promotion{})
			tl.play(happened...)
		}, "wrong: the registry was asked for 2 promotions"},
		"the registry got another": {func(tl *teller) {
			tl.play(slices.Concat(alarms, rolls[:2])...)
			tl.mu.promotions = []fakeregistry.Promotion{{Prompt: support, From: bad, To: "v21"}}
			tl.record(happening{driftRule, detector.RollbackPromoted}.record())
		}, "wrong: the registry was asked to promote v21"},
		"nobody is asked":          {without(happened, 1), "came before a rollback that waits"},
		"Slack is not told":        {without(happened, 2), "came before a Slack message"},
		"nobody decides":           {without(happened, 3), "which nobody asked for"},
		"it is not written before": {without(happened, 4), "came before the promotion written down"},
		"it does not help":         {without(happened, 8), "came before the rollback written down as a recovery"},
		"it never ends":            {func(tl *teller) { tl.play(slices.Concat(alarms, rolls)...) }, "missing: a resolved alert of GroundingRegressed"},
		"rejected, and done":       {func(tl *teller) { tl.play(append(slices.Clone(rejects), rolls[1])...) }, "wrong: the promotion written down before it is asked for, which nobody asked for"},
		"rejected, and the floor":  {without(rejects, 5), "missing: a firing alert of GroundingBelowFloor"},
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
