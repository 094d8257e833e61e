package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/internal/recorded"
	"github.com/driftd/driftd/internal/testkit"
)

// answer is one that was recorded, as of a prompt that is made up: one a model, whatever its snapshot.
type answer struct {
	recorded.Answer
	prompt string
}

func readAnswers(t *testing.T) (answers []answer) {
	t.Helper()
	all, err := recorded.Read("../../" + recorded.Path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the real data is not here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		prompt := "opinions_gpt-3.5"
		if strings.HasPrefix(a.Model, "gpt-4-") {
			prompt = "opinions_gpt-4"
		}
		answers = append(answers, answer{a, prompt})
	}
	slices.SortStableFunc(answers, func(a, b answer) int { return a.Time.Compare(b.Time) })
	return answers
}

// TestRealData publishes a change that happened: gpt-4-0613 took the place of gpt-4-0314 and answered most questions in another way,
// while gpt-3.5-turbo-0613 went on as gpt-3.5-turbo-0301 had. The prompt's version is the same throughout, the model is an axis.
// The times are those of the file.
func TestRealData(t *testing.T) {
	answers := readAnswers(t)
	const floor = 0.9
	perPrompt := make(map[string]int)
	var switched time.Time
	for _, a := range answers {
		perPrompt[a.prompt]++
		if switched.IsZero() && a.Model == "gpt-4-0613" {
			switched = a.Time
		}
	}
	if len(perPrompt) != 2 || perPrompt["opinions_gpt-4"] != perPrompt["opinions_gpt-3.5"] {
		t.Fatalf("%s has %v answers; has the file changed?", recorded.Path, perPrompt)
	}
	// All is published at once and long after; the clock stands behind the last event's minute.
	now := answers[len(answers)-1].Time.Truncate(time.Minute).Add(time.Minute)
	w := newWorld(t, testkit.Broker(t), fmt.Sprintf(`
rubrics:
  agreement: {min: 0, max: 1, better: higher}
groups:
  - name: opinions
    match: {prompt: opinions_*}
    rules:
      - alert: AnswersChanged
        rubric: agreement
        threshold: {stat: mean, window: 30m, below: %v}
        min_samples: 100
        for: 2m
        labels: {severity: page}
      - alert: %s
        rubric: agreement
        threshold: {stat: count, window: 24h, above: %d.5}
        min_samples: 1
`, floor, countRule, perPrompt["opinions_gpt-4"]-1), now)
	w.makeSources()
	d := w.start()
	var msgs []kafkalog.Message
	for i, a := range answers {
		c := otlpgen.Call{
			Prompt: a.prompt, Version: "v1", Model: a.Model, Start: a.Time.Add(-time.Duration(a.Latency * float64(time.Second))), End: a.Time,
			OutputTokens: int(a.Tokens), Cost: a.Cost, Scores: []otlpgen.Score{{Rubric: "agreement", Value: a.Score}},
		}
		msgs = append(msgs, kafkalog.Message{Topic: w.prefix + nativeEvent, Partition: i % srcTopics, Value: otlpgen.AppendNative(nil, &c)})
	}
	w.publish(msgs)
	w.until("all is read", func() bool { return int(d.counter("driftd_consumer_records_total")) == len(msgs) })
	// The topic of spans has nothing to say: driftd stops waiting for it when that has been so for some time.
	w.now.Add(int64(50 * time.Second))
	w.until("all is counted", func() bool { return w.steps(countRule, detector.Firing) == len(perPrompt) })

	var fired time.Time
	for _, r := range w.alerts(func(r *detector.Record) bool { return r.Rule == "AnswersChanged" && r.Type.IsStep() }) {
		if r.Prompt != "opinions_gpt-4" {
			t.Errorf("%s is %s at %s: its answers did not change", r.Prompt, r.Type, r.Time)
			continue
		}
		if r.Time.Before(switched) {
			t.Errorf("%s at %s, before the model changed at %s", r.Type, r.Time, switched)
		}
		if r.Type == detector.Firing && fired.IsZero() { // and again, as it becomes worse
			fired = r.Time
		}
		var n int64
		sum := 0.0
		for _, a := range answers {
			if a.prompt == r.Prompt && !a.Time.Before(r.Time.Add(-30*time.Minute)) && a.Time.Before(r.Time) {
				n++
				sum += a.Score
			}
		}
		if r.Samples != n || r.Value == nil || math.Abs(*r.Value-sum/float64(n)) > 1e-9 {
			t.Errorf("%s at %s: mean %v of %d samples, in the file it is %v of %d", r.Type, r.Time, r.Value, r.Samples, sum/float64(n), n)
		}
		t.Logf("%s at %s, %s after the change: mean %.3f of %d samples", r.Type, r.Time.Format(time.TimeOnly), r.Time.Sub(switched), *r.Value, r.Samples)
	}
	if fired.IsZero() || fired.Sub(switched) > 10*time.Minute {
		t.Errorf("fired at %s; the model changed at %s", fired, switched)
	}
	if dead := d.counter("driftd_consumer_dead_total"); dead != 0 {
		t.Errorf("%v dead letters", dead)
	}
}
