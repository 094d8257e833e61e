package main

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/alert/registry/hooks"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/web"
)

// registryWorker is the act worker that asks the registry.
const registryWorker = "registry"

// registryEvents hears of promotions that others make.
type registryEvents struct {
	book    *hooks.Book
	handler *hooks.Handler // nil where the registry does not call
	poller  *hooks.Poller  // nil where nobody looks
}

// newRegistryEvents sets up what hears of promotions; nothing where there is no registry.
func (d *daemon) newRegistryEvents() (registryEvents, error) {
	r := d.Config.Registry
	if r == nil {
		return registryEvents{}, nil
	}
	e := registryEvents{book: hooks.NewBook(d.Config.Kafka.Partitions)}
	intake := hooks.New(hooks.Config{
		Book: e.book, Log: d.alertsLog(), Now: d.Now, Metrics: d.metrics, Logger: d.Log.With("part", "registry"),
		Spoken: func(prompt string) []string { return spoken(d.desk.Board(), prompt) },
	})
	if !r.HookSecret.IsZero() {
		var err error
		e.handler, err = hooks.NewHandler(hooks.HandlerConfig{Kind: r.Kind, Label: r.Label, Secret: r.HookSecret.Reveal(), Now: time.Now}, intake)
		if err != nil {
			return e, err
		}
	}
	if r.Poll > 0 {
		e.poller = hooks.NewPoller(hooks.PollerConfig{
			Registry: d.registry, Every: r.Poll, Prompts: func() []string { return lately(d.desk.Board(), d.Now()) },
		}, intake)
	}
	return e, nil
}

// handlers are the paths that Slack and the registry call.
func (d *daemon) handlers() map[string]http.Handler {
	all := map[string]http.Handler{}
	maps.Copy(all, d.slackHandlers())
	if d.events.handler != nil {
		all[hooks.Pattern] = d.events.handler
	}
	return all
}

// pollRegistry looks for promotions while this process has the registry's partitions: of all processes, one.
func (d *daemon) pollRegistry(ctx context.Context) error {
	if d.events.poller == nil {
		return nil
	}
	tick := time.NewTicker(d.Config.Registry.Poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if slices.ContainsFunc(d.act, func(w *alert.Worker) bool { s := w.State(); return s.Name == registryWorker && s.Active }) {
				d.events.poller.Tick(ctx)
			}
		}
	}
}

// registryChecks tell whether promotions by others can be looked for.
func (d *daemon) registryChecks() []web.Check {
	if d.events.poller == nil {
		return nil
	}
	trouble := d.events.poller.Trouble()
	return []web.Check{{Name: "looking at the registry", OK: true, Trouble: trouble != "", Detail: trouble}}
}

// seenWithin is how long a prompt is looked after since it was last heard of.
const seenWithin = 48 * time.Hour

// lately are the prompts of which the alerts topic has told something of late, sorted.
func lately(b *desk.Board, now time.Time) []string {
	since := now.Add(-seenWithin)
	seen := map[string]bool{}
	see := func(prompt string, at time.Time) {
		if prompt != "" && at.After(since) {
			seen[prompt] = true
		}
	}
	for _, a := range b.Alerts() {
		if a.State == detector.Firing {
			see(a.Step.Prompt, now)
		}
		see(a.Step.Prompt, a.Step.Time)
	}
	for _, r := range b.Figures() {
		see(r.Prompt, r.Time)
	}
	for _, a := range b.Attempts() {
		see(a.Prompt, a.Began)
	}
	return slices.Sorted(maps.Keys(seen))
}

// spoken are the versions of a prompt as spans have them.
func spoken(b *desk.Board, prompt string) (names []string) {
	for _, a := range b.Alerts() {
		if a.Step.Prompt == prompt {
			names = append(names, a.Step.Version, a.Step.Previous)
		}
	}
	for _, r := range b.Figures() {
		if r.Prompt == prompt {
			for _, f := range r.Figures {
				names = append(names, f.Version)
			}
		}
	}
	return names
}

// followers learn the alerts topic side by side.
type followers []alert.Follower

var _ alert.Passer = followers(nil) // one of them waits for the end of partitions

func (fs followers) Begin(n int) {
	for _, f := range fs {
		f.Begin(n)
	}
}

func (fs followers) Fold(n int, e alert.Entry) {
	for _, f := range fs {
		f.Fold(n, e)
	}
}

func (fs followers) Passed(n int, next int64) {
	for _, f := range fs {
		if p, ok := f.(alert.Passer); ok {
			p.Passed(n, next)
		}
	}
}

func (fs followers) Live(n int) {
	for _, f := range fs {
		f.Live(n)
	}
}

// alertsLog is the alerts topic as hooks need it.
type alertsLog struct {
	alert.Appender
}

func (d *daemon) alertsLog() *alertsLog {
	k := &d.Config.Kafka
	return &alertsLog{alert.Appender{Client: d.client, Prefix: k.TopicPrefix, Partitions: k.Partitions}}
}

// End implements hooks.Log.
func (l *alertsLog) End(ctx context.Context, prompt string) (partition int, offset int64, err error) {
	partition = kafkalog.PartitionFor(prompt, l.Partitions)
	first, next, err := l.Client.Bounds(ctx, l.Prefix+"alerts", partition)
	if errors.Is(err, kafkalog.ErrUnknownTopic) || first == next {
		next = 0
	}
	return partition, next, err
}
