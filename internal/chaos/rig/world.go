// Package rig is the world around driftd in a chaos run: brokers, source topics and who writes them at the pace of an event clock,
// Slack, a webhook and a prompt registry over HTTP, and driftd itself as processes that can be killed. It says nothing about what is
// right.
package rig

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/driftd/driftd/internal/chaos/clock"
	"github.com/driftd/driftd/internal/chaos/stream"
	"github.com/driftd/driftd/internal/fakeregistry"
	"github.com/driftd/driftd/internal/fakeslack"
	"github.com/driftd/driftd/internal/fault"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/signature"
)

const (
	slackToken     = "xoxb-chaos"
	slackChannel   = "llm-alerts"
	hookSecret     = "the webhook of the chaos run"
	registrySecret = "the registry of the chaos run"

	minSession = 500 * time.Millisecond
	// Session is how long a member of a group may be silent before others take over its partitions.
	Session = 1500 * time.Millisecond
)

// Options of a world.
type Options struct {
	Dir     string // for logs, the config and the clock
	Program string // driftd, built with the tag chaos
	Brokers Brokers
	Stream  *stream.Stream
	Speed   float64 // event seconds a second

	Partitions        int               // of driftd's own topics; default 4
	ReplicationFactor int               // of all topics; default 1
	Sources           string            // more keys of each source in the config, such as ", dedup: 10m"
	Keys              string            // more lines of the config
	Topics            map[string]string // settings of the source topics
	NoRegistry        bool
}

// World is everything but driftd.
type World struct {
	Options
	Clock    *clock.Clock
	Client   *kafkalog.Client
	Slack    *fakeslack.Server
	Hook     *Hook
	Registry *fakeregistry.Server
	Feed     *Feed
	Log      *slog.Logger // into rig.log

	slackURL, registryURL string
	stops                 []func()
	mu                    struct {
		sync.Mutex
		processes []*Process
		names     map[string]int
	}
}

// Open makes the world: it starts what is around driftd, and makes the source topics. Nothing is written to them yet.
func Open(ctx context.Context, o Options) (*World, error) {
	if o.Partitions == 0 {
		o.Partitions = 4
	}
	if o.ReplicationFactor == 0 {
		o.ReplicationFactor = 1
	}
	w := &World{Options: o}
	w.mu.names = map[string]int{}
	if err := w.open(ctx); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (w *World) open(ctx context.Context) (err error) {
	if w.Clock, err = clock.Make(filepath.Join(w.Dir, "clock"), w.Stream.Begin); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(w.Dir, "rig.log"))
	if err != nil {
		return err
	}
	w.stops = append(w.stops, func() { log.Close() })
	w.Log = slog.New(slog.NewTextHandler(log, nil))
	w.Client, err = kafkalog.Dial(kafkalog.Config{Brokers: w.Brokers.Addrs(), ClientID: "chaos"}, w.Log)
	if err != nil {
		return err
	}
	w.stops = append(w.stops, w.Client.Close)
	if err := w.MakeSources(ctx); err != nil {
		return err
	}
	w.Slack = fakeslack.New(fakeslack.Config{Token: slackToken, Channels: map[string]string{slackChannel: "C0CHAOS"}, Now: time.Now})
	key, err := signature.ParseKey(registrySecret)
	if err != nil {
		return err
	}
	w.Registry = fakeregistry.New(fakeregistry.Config{Key: key, Now: time.Now})
	for _, s := range []struct {
		url   *string
		start func() (string, func(), error)
	}{{&w.registryURL, w.Registry.Start}, {&w.slackURL, w.Slack.Start}} {
		var stop func()
		if *s.url, stop, err = s.start(); err != nil {
			return err
		}
		w.stops = append(w.stops, stop)
	}
	if w.Hook, err = newHook(); err != nil {
		return err
	}
	w.stops = append(w.stops, w.Hook.Close)
	w.Feed = newFeed(w)
	return w.configure()
}

// configure writes the config and the rules.
func (w *World) configure() error {
	registry := ""
	if !w.NoRegistry {
		registry = fmt.Sprintf("registry: {kind: webhook, url: %q, secret: %q, grace: 1m, poll: 0s}\n", w.registryURL, registrySecret)
	}
	text := fmt.Sprintf(`kafka: {brokers: [%s], topic_prefix: %q, partitions: %d, replication_factor: %d}
%sdimensions: [%s]
rules: [rules.yaml]
receivers:
  - {name: slack, slack: {token: %s, channel: "#%s", charts: false}}
  - {name: hook, webhook: {url: %q, secret: %q}}
route: {receiver: slack, routes: [{receiver: hook, continue: true}, {receiver: slack}]}
%shttp: {listen: "127.0.0.1:0"}
%s`, strings.Join(w.Brokers.Addrs(), ", "), w.Prefix(), w.Partitions, w.ReplicationFactor, w.Stream.Sources(w.Sources), strings.Join(stream.Dimensions, ", "),
		slackToken, slackChannel, w.Hook.URL, hookSecret, registry, w.Keys)
	if err := os.WriteFile(filepath.Join(w.Dir, "rules.yaml"), []byte(w.Stream.Rules), 0o644); err != nil {
		return err
	}
	return os.WriteFile(w.config(), []byte(text), 0o644)
}

func (w *World) config() string { return filepath.Join(w.Dir, "driftd.yaml") }

// Prefix is before the names of driftd's own topics.
func (w *World) Prefix() string { return w.Stream.Prefix + "driftd." }

// Group is the consumer group of a stage: ingest, detect, act-slack, act-hook or act-registry.
func (w *World) Group(stage string) string { return strings.TrimRight(w.Prefix(), ".") + "-" + stage }

// pace is that of driftd's stages: what it does now and then it does at once, for event time runs fast.
const pace = "flush=20ms,heartbeat=100ms,checkpoint=500ms,quiet=50ms,slack=20ms,beat=200ms"

// Start starts a driftd. Its stages are all, or a list as --stages takes it; faults are those of package fault.
func (w *World) Start(stages string, faults ...string) (*Process, error) {
	name := stages
	if stages == "all" {
		stages, name = "ingest,detect,act", "driftd"
	}
	w.mu.Lock()
	w.mu.names[name]++
	name = fmt.Sprintf("%s-%d", strings.ReplaceAll(name, ",", "-"), w.mu.names[name])
	w.mu.Unlock()
	p, err := start(name, w.Dir, w.Program, []string{"run", "--config", w.config(), "--stages", stages}, []string{
		"DRIFTD_CLOCK=" + filepath.Join(w.Dir, "clock"), "DRIFTD_SLACK_API=" + w.slackURL + "/api/",
		fmt.Sprintf("DRIFTD_PACE=%s,session=%s", pace, Session), fault.Env + "=" + strings.Join(faults, ","),
	})
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.mu.processes = append(w.mu.processes, p)
	w.mu.Unlock()
	return p, nil
}

// Processes are those that have not ended.
func (w *World) Processes() []*Process {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.processes = slices.DeleteFunc(w.mu.processes, func(p *Process) bool { return !p.Alive() })
	return slices.Clone(w.mu.processes)
}

// Ticked is the event time up to which the rules were evaluated in all partitions, as the processes say that own them; zero while one
// has no owner.
func (w *World) Ticked(ctx context.Context) time.Time {
	behind := map[string]float64{}
	for _, p := range w.Processes() {
		m, err := p.Metrics(ctx)
		if err != nil {
			continue
		}
		m.Each("driftd_detector_watermark_lag_seconds", func(partition string, lag float64) {
			if other, ok := behind[partition]; lag != 0 && (!ok || lag < other) { // 0 is not known yet; of two owners one is a zombie
				behind[partition] = lag
			}
		})
	}
	if len(behind) < w.Partitions {
		return time.Time{}
	}
	most := slices.Max(slices.Collect(maps.Values(behind)))
	return w.Clock.Now().Add(-time.Duration(most * float64(time.Second)))
}

// AwaitTick waits until the rules were evaluated up to event time t in all partitions.
func (w *World) AwaitTick(ctx context.Context, t time.Time) error {
	return Until(ctx, fmt.Sprintf("rules evaluated up to %s", t.Format(time.TimeOnly)), func() bool { return !w.Ticked(ctx).Before(t) })
}

// AwaitTold waits until no receiver has anything outstanding: twice, for what was made last is only then on its way.
func (w *World) AwaitTold(ctx context.Context) error {
	quiet := 0
	return Until(ctx, "all receivers told", func() bool {
		outstanding, acts := 0.0, 0
		for _, p := range w.Processes() {
			m, err := p.Metrics(ctx)
			if err != nil {
				return false
			}
			m.Each("driftd_alert_outstanding", func(_ string, v float64) { outstanding += v; acts++ })
		}
		if quiet++; outstanding > 0 || acts == 0 {
			quiet = 0
		}
		return quiet >= 10
	})
}

// Until looks twenty times a second until ok, or ctx ends.
func Until(ctx context.Context, what string, ok func() bool) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		}
	}
	return nil
}

// Stop ends all processes that live as SIGTERM does.
func (w *World) Stop(ctx context.Context) error {
	var all error
	for _, p := range w.Processes() {
		p.Signal(syscall.SIGCONT)
		_, err := p.Terminate(ctx)
		all = errors.Join(all, err)
	}
	return all
}

// Close ends what is left of driftd, and the world but for its brokers.
func (w *World) Close() {
	for _, p := range w.Processes() {
		p.Kill()
	}
	for _, stop := range slices.Backward(w.stops) {
		stop()
	}
	w.stops = nil
}
