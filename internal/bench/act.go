package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/slack"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeslack"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
)

const (
	slackToken   = "xoxb-bench"
	slackChannel = "llm-alerts"
	slackPace    = time.Second // between two messages to a channel: what Slack allows
)

// hook is the path of an incoming webhook.
const hook = "/services/T0/B0/bench"

// unhurried is Slack without the wait between two messages, to see what driftd itself takes.
type unhurried struct{ alert.Receiver }

func (u unhurried) Traits() alert.Traits {
	t := u.Receiver.Traits()
	t.Interval = 0
	return t
}

// told is a Slack that notes when it heard of each prompt for the first time.
type told struct {
	url  string
	stop func()
	mu   sync.Mutex
	at   map[string]time.Time
	n    int
}

var promptName = regexp.MustCompile(`storm_[0-9]+`)

func newTold() (*told, error) {
	t := &told{at: make(map[string]time.Time)}
	s := fakeslack.New(fakeslack.Config{Token: slackToken, Channels: map[string]string{slackChannel: "C0BENCH"}, Webhooks: map[string]string{hook: "C0BENCH"}, Now: time.Now})
	s.Watch(func(m fakeslack.Message) {
		now := time.Now()
		t.mu.Lock()
		defer t.mu.Unlock()
		t.n++
		if p := promptName.FindString(m.Text); p != "" && t.at[p].IsZero() {
			t.at[p] = now
		}
	})
	var err error
	t.url, t.stop, err = s.Start()
	return t, err
}

func (t *told) of(prompt string) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at[prompt]
}

func (t *told) prompts() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.at)
}

// actStage tells Slack of alerts: by a bot, or in a hurry by an incoming webhook, which has no pace of its own.
func actStage(c *kafkalog.Client, url string, hurry bool) *alert.Worker {
	to := slack.New(slack.Config{Token: slackToken, Channel: "#" + slackChannel, APIURL: url + "/api/", Now: time.Now})
	if hurry {
		to = unhurried{slack.New(slack.Config{WebhookURL: url + hook, Now: time.Now})}
	}
	set := metrics.NewSet()
	core := alert.NewOutbox(alert.OutboxConfig{Name: "slack", Receiver: to, Route: &alert.Route{Receiver: "slack"}, Now: time.Now, Metrics: set, Log: quiet()})
	return alert.NewWorker(alert.WorkerConfig{Name: "slack", Prefix: prefix, Partitions: laneCount, Core: core, Client: c, Metrics: set, Log: quiet()})
}

const (
	latencyMinutes = 40
	latencySpeed   = 30      // event time over the clock's
	latencyRate    = 100_000 // events a second, offered
	latencyPrompts = 1000
	disorder       = 10 * time.Second // of ingest
)

const latencyRule = "{alert: Low, rubric: citation_grounding, threshold: {stat: mean, window: 1m, below: 0.5}, min_samples: 20}"

// latency offers events to all three stages at once. In each minute of event time one more prompt goes bad; what counts is the time from
// the write of the events that seal that minute to the call that Slack receives.
func (b *bench) latency() error {
	minutes := max(b.size(latencyMinutes), 5)
	set, err := ruleSet(latencyRule)
	if err != nil {
		return err
	}
	for i := range set.Groups {
		set.Groups[i].SliceBy, set.Groups[i].Total = nil, true
	}
	c, err := b.client(laneCount)
	if err != nil {
		return err
	}
	defer c.Close()
	to, err := newTold()
	if err != nil {
		return err
	}
	defer to.stop()
	in, err := ingestStage(c, "driftd_json", math.MaxInt)
	if err != nil {
		return err
	}
	detect, _ := detectStage(c, set, math.MaxInt)
	act := actStage(c, to.url, false)
	ctx, cancel := context.WithCancel(b.ctx)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for _, run := range []func(context.Context) error{in.run, detect.run, act.Run} {
		wg.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
				cancel()
			}
		})
	}
	sealed, sent, offered, err := b.offer(ctx, c, minutes)
	var took []time.Duration
	for k := range sealed {
		for wait := time.Now().Add(20 * time.Second); err == nil && to.of(stormPrompt(k)).IsZero(); time.Sleep(lookEvery) {
			if time.Now().After(wait) {
				err = fmt.Errorf("%s was never told to Slack", stormPrompt(k))
			}
		}
		took = append(took, to.of(stormPrompt(k)).Sub(sealed[k]))
	}
	cancel()
	wg.Wait()
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	slices.Sort(took)
	at := func(q float64) float64 { return took[int(math.Ceil(q*float64(len(took))))-1].Seconds() }
	note := fmt.Sprintf("%d alerts; %d events offered at %.0f a second, event time at %d ×, all stages on this machine", len(took), sent, offered, latencySpeed)
	b.report(figure{What: "seal of the pane to Slack's call, p50", Value: at(0.5), Unit: "s", Target: 3, AtMost: true, Note: note})
	b.report(figure{What: "  p99", Value: at(0.99), Unit: "s", Target: 3, AtMost: true})
	return nil
}

func stormPrompt(k int) string { return fmt.Sprintf("storm_%05d", k) }

// offer writes events at the wanted rate, or as fast as it can, and returns when the minute in which each bad prompt went bad was sealed.
func (b *bench) offer(ctx context.Context, c *kafkalog.Client, minutes int) (sealed []time.Time, sent int, rate float64, err error) {
	begin := time.Now().Add(-2 * time.Hour).Truncate(time.Minute)
	const step = 20 * time.Millisecond
	var msgs []kafkalog.Message
	buf := make([]byte, 0, 4<<20)
	t := newTraffic(1, 1)
	event := begin
	began := time.Now()
	for len(sealed) < minutes {
		next := begin.Add(time.Duration(latencySpeed * float64(time.Since(began))))
		if next.Sub(event) > latencySpeed*step*2 {
			next = event.Add(latencySpeed * step * 2) // it cannot keep up: event time waits
			began = time.Now().Add(-next.Sub(begin) / latencySpeed)
		}
		n := int(next.Sub(event).Seconds() / latencySpeed * latencyRate)
		if n < sourcePartitions {
			select {
			case <-ctx.Done():
				return sealed, sent, 0, context.Cause(ctx)
			case <-time.After(step):
			}
			continue
		}
		msgs, buf = msgs[:0], buf[:0]
		from := event
		for i := range n {
			event = from.Add(next.Sub(from) * time.Duration(i+1) / time.Duration(n))
			k := t.rng.IntN(latencyPrompts)
			good := float64(8+t.rng.IntN(3)) / 10
			if minute := int(event.Sub(begin) / time.Minute); k <= minute {
				good = 0.1
			}
			call := otlpgen.Call{Prompt: stormPrompt(k), Version: "v22", Tier: "enterprise", Locale: "de", End: event, Start: event.Add(-time.Second),
				InputTokens: 1000, OutputTokens: 150, Cost: 0.002, Scores: []otlpgen.Score{{Rubric: "citation_grounding", Value: good}}}
			at := len(buf)
			buf = otlpgen.AppendNative(buf, &call)
			msgs = append(msgs, kafkalog.Message{Topic: sourceTopic, Partition: i % sourcePartitions, Value: buf[at:len(buf):len(buf)]})
		}
		before := time.Now()
		if _, err := c.Produce(ctx, msgs); err != nil {
			return sealed, sent, 0, fmt.Errorf("offer events: %w", err)
		}
		sent += n
		for len(sealed) < minutes && !event.Add(-disorder).Before(begin.Add(time.Duration(len(sealed)+1)*time.Minute)) {
			sealed = append(sealed, before)
		}
	}
	return sealed, sent, float64(sent) / time.Since(began).Seconds(), nil
}

const stormAlerts = 10_000

// storm lets ten thousand alerts begin at once, of as many prompts.
func (b *bench) storm() error {
	n := b.size(stormAlerts)
	c, err := b.client(laneCount)
	if err != nil {
		return err
	}
	defer c.Close()
	to, err := newTold()
	if err != nil {
		return err
	}
	defer to.stop()
	msgs := make([]kafkalog.Message, n)
	at := time.Now().UTC().Truncate(time.Minute)
	for i := range msgs {
		value, bound := 0.7, 0.85
		r := detector.Record{ID: fmt.Sprintf("%032x", i), Step: 1, Type: detector.Firing, Time: at, Group: "all", Rule: "Low", Prompt: stormPrompt(i), Version: "v23", Previous: "v22",
			Metric: "citation_grounding", Kind: "threshold", Stat: "mean", Window: "1h", Value: &value, Reference: &bound, Bound: &bound, Samples: 400, Onset: &at,
			Cause: detector.CausePromptVersion, Because: []string{"v23 has 0.7 over 400 scores since 12:00, v22 had 0.909 over 4,657 scores before", "v23 began at 12:00, after v22"},
			Labels: map[string]string{"severity": "page", "team": "support-ml"}, Annotations: map[string]string{"summary": "grounding is low"}}
		value2, err := json.Marshal(&r)
		if err != nil {
			return err
		}
		msgs[i] = kafkalog.Message{Topic: prefix + "alerts", Partition: kafkalog.PartitionFor(r.Prompt, laneCount), Key: []byte(r.Prompt), Value: value2}
	}
	for chunk := range slices.Chunk(msgs, 500) {
		if _, err := c.Produce(b.ctx, chunk); err != nil {
			return err
		}
	}
	empty := heap()
	var full uint64
	w := actStage(c, to.url, true)
	work, _, err := b.finish("storm", func() { full = heap() }, stage{w.Run, func() bool { return to.prompts() >= n }})
	if err != nil {
		return err
	}
	drain := time.Duration(n) * slackPace
	b.report(figure{What: fmt.Sprintf("%d alerts at once: told to Slack", n), Value: float64(n) / work.cpu.Seconds(), Unit: "messages/s/core", PerEvent: work.per("message", n),
		Note: fmt.Sprintf("%.1f s by the clock, recorded each; at Slack's one a second %s: of another prompt each. The cohorts of one are one message", work.wall.Seconds(), drain)})
	b.report(figure{What: "  memory of one that fires and was told", Value: float64(full-empty) / float64(n), Unit: "B/alert", Target: 10_000, AtMost: true})
	return nil
}
