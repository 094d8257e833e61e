package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/alert/slack"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
)

const digestRules = `
rubrics: {grounding: {min: 0, max: 1, better: higher}}
groups: [{name: g, rules: [{alert: Low, rubric: grounding, threshold: {stat: mean, window: 1h, below: 0.1}}]}]
`

// TestDigest is the day's table from the events of a day to Slack, at nine in the morning in Berlin: once, whatever is restarted.
func TestDigest(t *testing.T) {
	day := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
	midnight := day.Add(2 * time.Hour)
	w := newWorld(t, testkit.Broker(t), digestRules, midnight.Add(30*time.Minute))
	w.slackKeys = `, digest: "9:00 Europe/Berlin"`
	w.makeSources()
	d := w.start()
	var msgs []kafkalog.Message
	for i := range 880 { // until a quarter past midnight, and on
		at := day.Add(time.Duration(i) * 10 * time.Second)
		version := "v17"
		if i%4 == 0 {
			version = "v18"
		}
		msgs = append(msgs, kafkalog.Message{Topic: w.prefix + nativeEvent, Partition: i % srcTopics, Value: []byte(fmt.Sprintf(
			`{"type":"span","time":%q,"prompt":"triage","version":%q,"latency":1.5,"cost":0.002,"error":%t,"scores":{"grounding":0.9}}`,
			at.Format(time.RFC3339), version, i%10 == 0))})
	}
	w.publish(msgs)
	w.until("all is read", func() bool { return d.counter("driftd_detector_samples_total") == float64(len(msgs)) })
	w.now.Add(int64(2 * time.Minute)) // the spans' topic has nothing, and is no longer waited for
	var told []detector.Record
	w.until("the figures of the day are told", func() bool {
		told = w.alerts(func(r *detector.Record) bool { return r.Type == detector.DayFigures })
		return len(told) == 1
	})
	if f := told[0].Figures; len(f) != 2 || f[0].Version != "v17" || f[0].Calls+f[1].Calls != 720 {
		t.Errorf("figures of the day: %+v", f)
	}
	if n := len(w.slack.Messages()); n > 0 {
		t.Errorf("%d messages before nine", n)
	}
	w.now.Store(midnight.Add(8*time.Hour + time.Second).UnixNano())
	w.until("Slack has the table", func() bool { return len(w.slack.Messages()) == 1 })
	m := w.slack.Messages()[0]
	drawn, err := slack.Decode(m.Text, m.Blocks, m.Attachments)
	if err != nil {
		t.Fatal(err)
	}
	table := slack.DrawText(drawn, 100)
	for _, want := range []string{"triage", "v17", "540", "v18", "180", "0.9", "1.5"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table does not have %s:\n%s", want, table)
		}
	}
	t.Log("\n" + table)
	d.stop()
	again := w.start()
	w.until("the second daemon has read all", func() bool {
		ok, _ := again.ready()
		return ok && again.counter("driftd_detector_partitions") == ownTopics
	})
	w.now.Store(midnight.Add(9 * time.Hour).UnixNano())
	w.publish(msgs[len(msgs)-1:]) // which is late: the day's second look at the clock
	w.until("it is counted", func() bool { return again.counter("driftd_detector_samples_total") > 0 })
	if n := len(w.slack.Messages()); n != 1 {
		t.Errorf("%d messages after a restart, want the one", n)
	}
}
