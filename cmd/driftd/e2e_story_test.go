package main

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeslack"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
)

// The story of most end-to-end tests: v18 of a prompt takes over at promotedAt and is worse for enterprise × de alone; from
// rolledBackAt on all traffic is v17 again, as clients do once the registry says so.
const (
	promotedAt   = 20 * time.Minute
	rolledBackAt = 40 * time.Minute
	storyEnds    = 62 * time.Minute

	storyPrompt = "refund_handler"
	badRule     = "GroundingLow"
	countRule   = "AllCounted"
	scoreRubric = "citation_grounding"
)

var storyBegins = time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)

// storyNow is the daemons' clock in it: behind all events, as when a backlog is worked off.
var storyNow = storyBegins.Add(2 * time.Hour)

// told is a score that was published, as the test remembers it.
type told struct {
	at           time.Time
	version      string
	tier, locale string
	value        float64
}

// story is the events, in the order in which they are published.
type story struct {
	prefix string
	msgs   []kafkalog.Message
	scores []told
	batch  []otlpgen.Call // spans for the next export request
	n      int
}

// newStory makes the events: half of the calls are OTLP spans with their score as a span event, half are native spans, of
// which every third has its score come as a record of its own.
func newStory(prefix string) *story {
	s := &story{prefix: prefix}
	const every = 5 * time.Second
	for at := time.Duration(0); at < storyEnds; at += every {
		for _, tier := range []string{"free", "enterprise"} {
			for _, locale := range []string{"en", "de"} {
				s.call(storyBegins.Add(at), tier, locale)
			}
		}
	}
	s.export()
	return s
}

func (s *story) call(at time.Time, tier, locale string) {
	since := at.Sub(storyBegins)
	c := otlpgen.Call{
		Prompt: storyPrompt, Version: "v17", Tier: tier, Locale: locale, Model: "claude-4-7-sonnet-20260301",
		Start: at.Add(-1200 * time.Millisecond), End: at, InputTokens: 1200, OutputTokens: 180, Cost: 0.003,
	}
	c.Trace[0], c.Trace[14], c.Trace[15], c.Span[7] = 1, byte(s.n>>8), byte(s.n), 7
	score := 0.9 + float64(s.n%3)/50
	if since >= promotedAt && since < rolledBackAt {
		c.Version = "v18"
		if tier == "enterprise" && locale == "de" {
			score = 0.75 + float64(s.n%5)/50
		}
	}
	c.Scores = []otlpgen.Score{{Rubric: scoreRubric, Value: score}}
	s.n++
	switch {
	case s.n%2 == 0:
		s.batch = append(s.batch, c)
		if len(s.batch) == 6 {
			s.export()
		}
	case s.n%3 == 0:
		plain := c
		plain.Scores = nil
		s.add(nativeEvent, otlpgen.AppendNative(nil, &plain))
		s.add(nativeEvent, otlpgen.AppendNativeScore(nil, &c, c.Scores[0], at))
		s.remember(c)
	default:
		s.add(nativeEvent, otlpgen.AppendNative(nil, &c))
		s.remember(c)
	}
}

// export ends an OTLP request.
func (s *story) export() {
	if len(s.batch) == 0 {
		return
	}
	s.add(spansSource, otlpgen.AppendCalls(nil, []otlpgen.Attribute{{Key: "service.name", Value: "refunds"}}, s.batch...))
	for _, c := range s.batch {
		s.remember(c)
	}
	s.batch = nil
}

// add publishes to the partitions in turn.
func (s *story) add(topic string, value []byte) {
	n := 0
	for i := range s.msgs {
		if s.msgs[i].Topic == s.prefix+topic {
			n++
		}
	}
	s.msgs = append(s.msgs, kafkalog.Message{Topic: s.prefix + topic, Partition: n % srcTopics, Value: value})
}

func (s *story) remember(c otlpgen.Call) {
	s.scores = append(s.scores, told{at: c.End, version: c.Version, tier: c.Tier, locale: c.Locale, value: c.Scores[0].Value})
}

// until is the number of messages that hold the story up to a time.
func (s *story) until(at time.Duration) int {
	return int(float64(len(s.msgs)) * at.Seconds() / storyEnds.Seconds())
}

// rules watch every cohort, and count all scores: the last rule fires when the last one is counted, and not before.
func (s *story) rules() string {
	return fmt.Sprintf(`
rubrics:
  %[1]s: {min: 0, max: 1, better: higher}
groups:
  - name: refunds
    match: {prompt: %[2]s}
    slice_by: [tier, locale]
    total: false
    labels: {team: refunds}
    rules:
      - alert: %[3]s
        rubric: %[1]s
        threshold: {stat: mean, window: 10m, below: 0.85, recover_above: 0.88}
        min_samples: 20
        for: 2m
        rollback: auto
        labels: {severity: page}
        annotations: {summary: "{{ .Prompt }} {{ .Version }}: grounding {{ .Value }}"}
  - name: counted
    match: {prompt: %[2]s, version: v17}
    rules:
      - alert: %[4]s
        rubric: %[1]s
        threshold: {stat: count, window: 24h, above: %[5]d.5}
        min_samples: 1
`, scoreRubric, storyPrompt, badRule, countRule, s.counted()-1)
}

// counted is the number of scores of v17 that lie in minutes which are over when the story ends.
func (s *story) counted() (n int) {
	for _, sc := range s.scores {
		if sc.version == "v17" && sc.at.Before(s.lastTick()) {
			n++
		}
	}
	return n
}

// lastTick is the last minute's end that the watermark reaches: ten seconds of disorder behind the last event.
func (s *story) lastTick() time.Time { return storyBegins.Add(storyEnds - time.Minute) }

// window is what a rule should see at a tick: scores of a version's cohort in [tick − length, tick).
func (s *story) window(r *detector.Record, length time.Duration) (n int64, mean float64) {
	sum := 0.0
	for _, sc := range s.scores {
		if sc.version == r.Version && (r.Cohort == nil || sc.tier == r.Cohort["tier"] && sc.locale == r.Cohort["locale"]) &&
			!sc.at.Before(r.Time.Add(-length)) && sc.at.Before(r.Time) {
			n++
			sum += sc.value
		}
	}
	return n, sum / float64(n)
}

// check holds what the daemons wrote against the events: which steps, and that their figures have each score once.
func (s *story) check(w *world) {
	w.t.Helper()
	steps := w.alerts(func(r *detector.Record) bool { return r.Type.IsStep() })
	var bad, count []string
	for i := range steps {
		r := &steps[i]
		length := 10 * time.Minute
		line := fmt.Sprintf("%s %s %s %s/%s", r.Type, r.Prompt, r.Version, r.Cohort["tier"], r.Cohort["locale"])
		switch r.Rule {
		case badRule:
			bad = append(bad, line)
		case countRule:
			length = 24 * time.Hour
			count = append(count, fmt.Sprintf("%s at %s", r.Type, r.Time.Format(time.TimeOnly)))
		default:
			w.t.Errorf("a step of a rule that nobody wrote: %+v", r)
		}
		n, mean := s.window(r, length)
		if r.Samples != n {
			w.t.Errorf("step %d, %s at %s: %d samples, published were %d", r.Step, line, r.Time.Format(time.TimeOnly), r.Samples, n)
		}
		if r.Rule == badRule && n > 0 && (r.Value == nil || math.Abs(*r.Value-mean) > 1e-9) {
			w.t.Errorf("step %d, %s at %s: value %v, want %v", r.Step, line, r.Time.Format(time.TimeOnly), r.Value, mean)
		}
	}
	where := " refund_handler v18 enterprise/de"
	if got, want := strings.Join(bad, ", "), "pending"+where+", firing"+where+", resolved"+where; got != want {
		w.t.Errorf("steps are\n  %s\nwant\n  %s", got, want)
	}
	if got, want := strings.Join(count, ", "), "firing at "+s.lastTick().Format(time.TimeOnly); got != want {
		w.t.Errorf("all is counted: %s; want %s", got, want)
	}
	promotions := w.registry.Promotions()
	if len(promotions) != 1 || promotions[0].From != "v18" || promotions[0].To != "v17" || promotions[0].Prompt != storyPrompt {
		w.t.Errorf("the registry promoted %+v, want v18 to v17 once", promotions)
	}
}

// messages are Slack's about a rule.
func (w *world) messages(rule string) (found []fakeslack.Message) {
	for _, m := range w.slack.Messages() {
		if strings.Contains(m.Text, rule) {
			found = append(found, m)
		}
	}
	return found
}

// steps counts the steps of a rule.
func (w *world) steps(rule string, typ detector.RecordType) int {
	return len(w.alerts(func(r *detector.Record) bool { return r.Rule == rule && r.Type == typ }))
}

func (w *world) untilStep(rule string, typ detector.RecordType) {
	w.t.Helper()
	w.until(fmt.Sprintf("%s is %s", rule, typ), func() bool { return w.steps(rule, typ) > 0 })
}

// newStoryWorld is a world with the story's rules and registry.
func newStoryWorld(t *testing.T, brokers []string) (*world, *story) {
	t.Helper()
	s := newStory("")
	w := newWorld(t, brokers, s.rules(), storyNow)
	s = newStory(w.prefix)
	w.registry.Set(storyPrompt, "v17")
	w.registry.Set(storyPrompt, "v18")
	return w, s
}
