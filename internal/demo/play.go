package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/driftd/driftd/rules"
)

// tail is how much longer the clock runs than the traffic, so that the last minute is complete.
const tail = 3 * time.Minute

var errLimit = errors.New("the time is up")

// Person decides on a rollback that driftd proposes. It is called once, while the demo's clock stands still, and says whether to
// approve.
type Person func(ctx context.Context) (approve bool, err error)

// Play lets the traffic flow and tells on screen what happens. driftd must be starting, with the world's config, at url. It
// returns nil when the whole story has happened and nothing else, ctx's cause when that ends first.
func (w *World) Play(ctx context.Context, screen *Screen, set *rules.Set, url string, person Person) error {
	w.slack.Interact(url+"/slack/interactions", nil)
	began := time.Now()
	outer := ctx
	ctx, cancel := context.WithTimeoutCause(ctx, w.plan.Limit, errLimit)
	defer cancel()
	traffic := newTraffic(w.seed, w.plan.Begin, w.registry.Current)
	feed := newFeed(w.client, traffic, w.plan.Begin)
	figures := newFigures(w.client, topicPrefix+"samples", partitions, 2*sourcePartitions)
	t := newTeller(screen, w.plan, figures, w.slack, w.registry)
	w.begin(screen, set)

	reading, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for p := range partitions {
		wg.Go(func() { figures.read(reading, p) })
		wg.Go(func() { t.read(reading, w.client, topicPrefix+"alerts", p) })
	}
	wg.Go(func() { w.watch(reading, screen, &feed.sent) })
	wg.Go(func() { w.clean(reading) })

	flowed, err := w.flow(ctx, feed, t, person)
	var now *counts
	if err == nil {
		now, err = w.settle(ctx, feed, t, url+"/metrics")
	}
	stop()
	wg.Wait()
	screen.moving("")
	if outer.Err() != nil {
		return context.Cause(outer)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if now != nil {
		w.close(screen, t, feed, now, flowed, time.Since(began))
	}
	story := t.mu.verdict()
	if err != nil && !errors.Is(err, errLimit) {
		story = errors.Join(err, story)
	}
	if errors.Is(err, errLimit) {
		story = fmt.Errorf("after %s the story was not over: %w", w.plan.Limit, story)
	}
	return story
}

// begin tells what will happen.
func (w *World) begin(screen *Screen, set *rules.Set) {
	screen.print(fmt.Sprintf("%.3g hours of LLM traffic in about %.0f seconds. Kafka, the traffic, the prompt\n"+
		"registry and Slack are simulated in this process. driftd is not: ingest, detect\nand act run as in production, through Kafka topics.\n\n",
		w.plan.Length.Hours(), w.plan.Length.Seconds()/w.plan.Speed))
	screen.line(w.plan.Begin, plain, "start", fmt.Sprintf("Kafka on %s\n%s (otlp_proto), %s (driftd_json)",
		strings.Join(w.broker.Addrs(), ", "), spansTopic, scoresTopic), "")
	for i := range set.Groups {
		g := &set.Groups[i]
		for j := range g.Rules {
			screen.line(time.Time{}, plain, "rule", fmt.Sprintf("%s\n%s\n%s", g.Rules[j].Alert, g.Scope(), g.Rules[j].Describe()), "")
		}
	}
}

// flow makes the traffic until the end of the plan. The clock never goes on before driftd has caught up. It returns how long
// that took.
func (w *World) flow(ctx context.Context, feed *feed, t *teller, person Person) (time.Duration, error) {
	now := w.plan.Begin
	if err := t.figures.awaitClock(ctx, now); err != nil { // driftd has found its partitions
		return 0, err
	}
	events := []struct {
		at                   time.Duration
		prompt, version, was string
	}{{w.plan.Good, refund, good, goodWas}, {w.plan.Bad, support, bad, previous}, {w.plan.Length, "", "", ""}}
	p := &pacer{begin: now, speed: w.plan.Speed, since: time.Now(), step: time.Second}
	for _, e := range events {
		if err := w.until(ctx, p, feed, t, person, now, w.plan.Begin.Add(e.at)); err != nil {
			return 0, err
		}
		now = w.plan.Begin.Add(e.at)
		if e.prompt != "" {
			w.registry.Set(e.prompt, e.version)
			t.person(now, e.prompt, e.version, e.was)
		}
	}
	return time.Since(p.since), nil
}

// until makes the traffic from now to end.
func (w *World) until(ctx context.Context, p *pacer, feed *feed, t *teller, person Person, now, end time.Time) error {
	for now.Before(end) {
		if t.waiting() {
			stopped := time.Now()
			if err := w.decide(ctx, t, person); err != nil {
				return err
			}
			p.since = p.since.Add(time.Since(stopped))
		}
		next := p.next(now, end, time.Now())
		if next.Equal(now) {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(2 * time.Millisecond):
			}
			continue
		}
		if err := t.figures.awaitClock(ctx, next.Add(-maxLead)); err != nil {
			return err
		}
		if err := feed.write(ctx, next); err != nil {
			return err
		}
		w.clock.set(next)
		now = next
	}
	return nil
}

// decide asks the person and presses the button in Slack, while the clock stands still.
func (w *World) decide(ctx context.Context, t *teller, person Person) error {
	var q question
	select {
	case q = <-t.asks:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	yes, err := person(ctx)
	if err != nil {
		return err
	}
	button := rejectButton
	if yes {
		button = approveButton
	}
	if err := w.slack.Press(ctx, q.ts, button, personID); err != nil {
		return fmt.Errorf("press the button in Slack: %w", err)
	}
	for t.waiting() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}

// settle lets the clock run on without traffic until everything has been told and counted.
func (w *World) settle(ctx context.Context, feed *feed, t *teller, metricsURL string) (*counts, error) {
	now := w.clock.Now()
	p := &pacer{begin: now, speed: w.plan.Speed, since: time.Now(), step: time.Second}
	for end := now.Add(tail); now.Before(end); now = w.clock.Now() {
		if err := t.figures.awaitClock(ctx, now.Add(maxStep-maxLead)); err != nil {
			return nil, err
		}
		w.clock.set(p.next(now, end, time.Now()))
	}
	if err := t.figures.awaitMinute(ctx, w.plan.Begin.Add(w.plan.Length)); err != nil {
		return nil, err
	}
	wait, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	select {
	case <-t.over:
	case <-wait.Done():
	}
	var c *counts
	for {
		var err error
		if c, err = scrape(ctx, metricsURL); err != nil {
			return nil, err
		}
		if c.samples >= feed.sent.events() || wait.Err() != nil {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-wait.Done():
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if problem := c.problem(feed.sent.events()); problem != "" {
		t.mu.strayed("%s", problem)
	} else {
		t.mu.see(counted)
	}
	if n := len(w.registry.Promotions()); n > 1 || n == 1 && t.mu.path == rejected {
		t.mu.strayed("the registry took %s of driftd's", some(int64(n), "promotion"))
	}
	return c, nil
}

// settleWithin is how long, on the wall clock, driftd may take to end what it does when there is no more traffic.
const settleWithin = 10 * time.Second

// clean lets the broker drop what the source topics need not keep, as a real one does by itself.
func (w *World) clean(ctx context.Context) {
	for tick := time.NewTicker(time.Second); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
			w.broker.Cluster().ApplyRetention()
		}
	}
}

// watch keeps the moving line.
func (w *World) watch(ctx context.Context, screen *Screen, sent *sent) {
	if !screen.Live {
		return
	}
	const every = 250 * time.Millisecond
	var last [8]int64 // over two seconds
	for tick, i := time.NewTicker(every), 0; ; i++ {
		n := sent.events()
		rate := float64(n-last[i%len(last)]) / (every * time.Duration(min(max(i, 1), len(last)))).Seconds()
		last[i%len(last)] = n
		screen.moving(screen.paint(faint, fmt.Sprintf("  %s  %s events, %s events/s", w.clock.Now().Format("15:04"), rules.Grouped(n), rules.Grouped(int64(rate)))))
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

// close tells what was processed, and how fast.
func (w *World) close(screen *Screen, t *teller, feed *feed, c *counts, flowed, took time.Duration) {
	events := feed.sent.events()
	how, verdict := relief, "each counted once, none late, none lost"
	if p := c.problem(events); p != "" {
		how, verdict = alarm, p
	}
	var messages, edits, replies int64
	for _, m := range w.slack.Messages() {
		messages++
		replies += int64(len(w.slack.Replies(m.TS)))
		edits += int64(m.Edits)
	}
	screen.line(w.plan.Begin.Add(w.plan.Length), how, "end", fmt.Sprintf("%s: %s;\n%s\n%s\n%s in %.1f s: %s events/s; %.1f s with start and end\n%s in %s, %s with %s and %s, %s",
		some(events, "event"), some(feed.sent.spans.Load(), "span"), some(feed.sent.scores.Load(), "score")+", linked to their calls by span id", verdict,
		span(w.plan.Length), flowed.Seconds(), rules.Grouped(int64(float64(events)/flowed.Seconds())), took.Seconds(),
		some(int64(len(t.mu.fired)), "alert"), some(int64(t.mu.steps), "step"),
		some(messages, "Slack message"), some(edits, "update"), strings.Replace(some(replies, "reply"), "replys", "replies", 1),
		some(int64(len(w.registry.Promotions())), "rollback")), "")
}
