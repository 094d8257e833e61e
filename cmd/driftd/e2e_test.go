package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/testkit"
)

// TestEndToEnd is the main job: spans and scores in over Kafka, an alert out to Slack and a webhook, a promotion asked for,
// recovery, and the message in Slack says so.
func TestEndToEnd(t *testing.T) {
	w, s := newStoryWorld(t, testkit.Broker(t))
	w.makeSources()
	d := w.start()
	w.publish(s.msgs[:s.until(rolledBackAt)])

	w.until("Slack is told", func() bool { return len(w.messages(badRule)) > 0 })
	w.until("the registry has promoted", func() bool { return w.registry.Current(storyPrompt) == "v17" })
	w.until("the webhook is told", func() bool { return len(w.hook.records(badRule)) > 0 })
	firing := w.messages(badRule)[0]
	for _, want := range []string{storyPrompt, "v18", "enterprise", "de", "0.7"} {
		if !strings.Contains(firing.Text+string(firing.Blocks), want) {
			t.Errorf("Slack's message does not say %s:\n%s\n%s", want, firing.Text, firing.Blocks)
		}
	}
	w.until("it is ready", func() bool { ok, _ := d.ready(); return ok })

	w.publish(s.msgs[s.until(rolledBackAt):])
	w.untilStep(countRule, detector.Firing)
	w.untilStep(badRule, detector.Resolved)
	w.until("Slack's message says that it is over", func() bool {
		m := w.messages(badRule)
		return len(m) > 0 && strings.Contains(m[0].Text+string(m[0].Blocks), "Resolved")
	})
	w.until("recovery is recorded", func() bool {
		return len(w.alerts(func(r *detector.Record) bool { return r.Type == detector.Recovered })) == 1
	})
	w.until("the webhook is told of the end, and of the rollback", func() bool {
		is := func(typ detector.RecordType) bool {
			return slices.ContainsFunc(w.hook.records(badRule), func(r detector.Record) bool { return r.Type == typ })
		}
		return is(detector.Resolved) && is(detector.RollbackPromoted) && is(detector.Recovered)
	})
	s.check(w)
	if m := w.messages(badRule); len(m) != 1 || m[0].TS != firing.TS || m[0].Channel != channelID {
		t.Errorf("Slack has %d messages about %s, want the first one, changed in place: %+v", len(m), badRule, m)
	}
	if w.hook.lies != 0 {
		t.Errorf("%d deliveries to the webhook had a wrong signature", w.hook.lies)
	}
	for name, want := range map[string]float64{
		"driftd_consumer_records_total":         float64(len(s.msgs)),
		"driftd_consumer_dead_total":            0,
		"driftd_detector_late_samples_total":    0,
		"driftd_detector_skipped_samples_total": 0,
	} {
		if got := d.counter(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}
