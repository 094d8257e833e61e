package compare_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/chaos/compare"
	"github.com/driftd/driftd/internal/fakeregistry"
	"github.com/driftd/driftd/internal/fakeslack"
)

func step(id string, n int, kind detector.RecordType, minute int, cohort map[string]string) detector.Record {
	return detector.Record{
		ID: id, Step: n, Type: kind, Time: time.Date(2026, 11, 20, 14, minute, 0, 0, time.UTC), Group: "g", Rule: "Low", Prompt: "p", Version: "v2", Cohort: cohort,
	}
}

func deliveries(records ...detector.Record) (all []compare.Delivery) {
	for _, r := range records {
		body, err := json.Marshal(r)
		if err != nil {
			panic(err)
		}
		all = append(all, compare.Delivery{ID: fmt.Sprint(r.ID, "-", r.Step), Body: body})
	}
	return all
}

func TestReceived(t *testing.T) {
	free := map[string]string{"tier": "free"}
	fires, worse, over := step("a", 1, detector.Firing, 1, nil), step("a", 2, detector.Firing, 9, nil), step("a", 3, detector.Resolved, 20, nil)
	cohort := step("b", 1, detector.Firing, 2, free)
	notified := func(r detector.Record, ref string) detector.Record {
		r.Type, r.Receiver, r.Ref = detector.Notified, "slack", ref
		return r
	}
	promoted := fires
	promoted.Type = detector.RollbackPromoted
	message := func(ts, text string) fakeslack.Message { return fakeslack.Message{TS: ts, Text: text} }
	once := fakeregistry.Promotion{Prompt: "p", From: "v2", To: "v1", Alert: "a"}
	f := func(name string, steps []detector.Record, actions []detector.Record, r compare.Received, missing, doubled int, says string) {
		t.Helper()
		r.Receiver = "slack"
		got := (&compare.Got{Steps: steps, Actions: actions}).Receive(&r)
		if got.Missing != missing || got.Doubled != doubled || !strings.Contains(strings.Join(got.Said, "\n"), says) {
			t.Errorf("%s: %d missing and %d doubled, want %d and %d, and %q: %q", name, got.Missing, got.Doubled, missing, doubled, says, got.Said)
		}
	}
	steps := []detector.Record{fires, worse, over}
	told := []detector.Record{notified(over, "C:7.1"), promoted}
	all := compare.Received{
		Hook: deliveries(fires, over), Slack: []fakeslack.Message{message("7.1", "✅ Resolved: Low")}, Promotions: []fakeregistry.Promotion{once}, Due: 1,
	}
	f("all", steps, told, all, 0, 0, "")

	r := all
	r.Hook = append(deliveries(fires), all.Hook...)
	f("a repetition that can be told", steps, told, r, 0, 0, "")
	r.Hook = deliveries(fires, worse)
	f("not told of the end", steps, told, r, 1, 0, "not told of the end")
	r.Hook = deliveries(fires, step("a", 9, detector.Firing, 15, nil), over)
	f("a step that there is not", steps, told, r, 0, 1, "a step that there is not")

	r = all
	r.Slack = append(r.Slack, message("7.2", "Low"))
	f("a message too many", steps, told, r, 0, 1, "does not know of, 7.2")
	line := fakeslack.Message{TS: "8", ThreadTS: "7.1", Text: "worse"}
	r.Slack = append(all.Slack, line, line)
	f("a line twice", steps, told, r, 0, 1, "a line twice")
	r.Slack = []fakeslack.Message{message("7.1", "🔴 Low")}
	f("a message that was not changed", steps, told, r, 1, 0, "how g/Low p v2 stands")
	r.Slack = nil
	f("a message that never came", steps, told, r, 1, 0, "has no message C:7.1")
	f("nothing told in Slack", steps, []detector.Record{promoted}, r, 1, 0, "Slack was not told")

	r = all
	r.Promotions = append(r.Promotions, once)
	f("promoted twice", steps, told, r, 0, 1, "the registry promoted v2 to v1")
	r.Promotions = nil
	f("not promoted", steps, told, r, 2, 0, "the registry promoted for 0 alerts")

	// A cohort is not told to programs while the total fires.
	firing := compare.Received{Hook: deliveries(worse), Slack: []fakeslack.Message{message("7.1", "🔴 Low")}}
	still := []detector.Record{notified(worse, "C:7.1")}
	f("inhibited", []detector.Record{fires, worse, cohort}, still, firing, 0, 0, "")
	firing.Hook = deliveries(fires)
	f("not told that it is worse", []detector.Record{fires, worse}, still, firing, 1, 0, "was not told of g/Low")
	f("not told of a cohort", []detector.Record{cohort}, []detector.Record{notified(cohort, "C:7.1")}, compare.Received{Slack: firing.Slack}, 1, 0, "tier=free")
}
