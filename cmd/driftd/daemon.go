package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/alert/rollback"
	"github.com/driftd/driftd/alert/slack"
	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/outbound"
	"github.com/driftd/driftd/internal/web"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// stages are those that a process runs.
type stages struct{ ingest, detect, act bool }

var allStages = stages{true, true, true}

// daemonOptions are what a daemon is made of. Config, Rules, Now and Log must be set.
type daemonOptions struct {
	Config *config.Config
	Rules  *rules.Set
	Reload func() (*rules.Set, rules.Problems) // reads the rules anew; nil: there is nothing to read
	Stages stages
	Now    func() time.Time // ingest's clock and that of what act writes; signatures have the machine's
	// Passed is the time that goes by on Now's clock, whatever that is set to; nil where nobody sets it.
	Passed   func() time.Duration
	Pace     pace
	SlackAPI string // base of Slack's Web API; empty is Slack's own
	Log      *slog.Logger
}

// pace holds the cadences that an accelerated clock changes. Zero values are the defaults of the stages.
type pace struct {
	Disorder, Idle   time.Duration // of ingest, in event time
	Flush, Heartbeat time.Duration // of ingest, in real time
	Checkpoint       time.Duration // of detect, in real time
	Quiet            time.Duration // of act, in real time
	Slack            time.Duration // of act: between two messages, in real time
	Session, Beat    time.Duration // of all groups' members, in real time: kafkalog's session timeout and heartbeat
}

// daemon is driftd as `run` starts it, demo tries it and the end-to-end tests test it.
type daemon struct {
	daemonOptions
	client   *kafkalog.Client
	metrics  *metrics.Set
	outgoing http.RoundTripper // by which receivers and the registry are called
	web      *web.Server
	rules    atomic.Pointer[rules.Set]
	topics   atomic.Pointer[string] // what is wrong with driftd's own topics; nil until they were looked at, "" is nothing
	reloaded struct {
		sync.Mutex
		detail string // what was wrong with the last reload
	}
	ingest atomic.Pointer[consumer.Worker] // nil where that stage does not run
	detect *detector.Worker                // nil where that stage does not run
	act    []*alert.Worker
	desk   *desk.Desk // nil where that stage does not run

	registry rollback.Registry // nil where there is none, or where that stage does not run
	events   registryEvents

	slack   *slack.Interactions // nil where that stage does not run
	sockets []*slack.Socket
}

// newDaemon checks what can be checked without a broker and listens for HTTP; run does the rest.
func newDaemon(o daemonOptions) (*daemon, error) {
	d := &daemon{daemonOptions: o, metrics: metrics.NewSet(), outgoing: outbound.NewTransport(o.Config.Outgoing.Guard())}
	d.rules.Store(o.Rules)
	var err error
	if d.client, err = dial(&o.Config.Kafka, o.Log.With("part", "kafka")); err != nil {
		return nil, err
	}
	d.describe()
	if o.Stages.act {
		d.desk = d.newDesk()
		if d.registry, err = newRegistry(o.Config.Registry, d.outgoing); err == nil {
			d.events, err = d.newRegistryEvents()
		}
		if err != nil {
			d.client.Close()
			return nil, err
		}
		d.slack = d.newInteractions()
		d.sockets = d.slack.Sockets()
	}
	d.web, err = web.Listen(web.Config{
		Listen: o.Config.HTTP.Listen, Keys: func() (web.Keys, error) { return keys(&o.Config.HTTP) }, Metrics: []*metrics.Set{d.metrics},
		Ready: d.ready, Reload: d.reload, Rules: d.standing, Desk: d.desk, Handlers: d.handlers(), Now: o.Now, Version: version(), Log: o.Log.With("part", "http"),
	})
	if err != nil {
		d.client.Close()
		return d, err
	}
	d.client.Instance(instanceName(d.web.Addr()))
	return d, nil
}

// instanceName names this process by its machine and the address that it listens on, which no other one can have while it lives.
func instanceName(listens string) string {
	host, err := os.Hostname()
	if err != nil {
		return "" // no name rather than one that others may have
	}
	return host + "/" + listens
}

// dial returns a client of the brokers that the config names.
func dial(k *config.Kafka, log *slog.Logger) (*kafkalog.Client, error) {
	security, err := k.TLS.Config()
	if err != nil {
		return nil, err
	}
	c := kafkalog.Config{Brokers: k.Brokers, ClientID: k.ClientID, TLS: security}
	if k.SASL != nil {
		c.SASL = &kafkalog.SASL{Mechanism: k.SASL.Mechanism, Username: k.SASL.Username, Password: k.SASL.Password.Reveal()}
	}
	return kafkalog.Dial(c, log)
}

// run runs all parts until ctx ends or one of them fails.
func (d *daemon) run(ctx context.Context) error {
	defer d.client.Close()
	parts := map[string]func(context.Context) error{"serve HTTP": d.web.Run}
	if d.Stages.ingest {
		w, err := d.newIngest()
		if err != nil {
			return fmt.Errorf("set up ingest: %w", err)
		}
		d.ingest.Store(w)
		parts["ingest"] = d.behindTopics(w.Run)
	}
	if d.Stages.detect {
		d.detect = d.newDetect()
		parts["detect"] = d.behindTopics(d.detect.Run)
	}
	if d.Stages.act {
		var err error
		if d.act, err = d.newAct(); err != nil {
			return fmt.Errorf("set up act: %w", err)
		}
		for _, r := range d.act {
			parts["act "+r.State().Name] = d.behindTopics(r.Run)
		}
		parts["follow alerts"] = d.behindTopics(d.follow)
		parts["look at the registry"] = d.pollRegistry
		parts["hear Slack"] = d.slack.Run
		for i, s := range d.sockets {
			parts[fmt.Sprintf("Slack's socket %d", i+1)] = s.Run
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	parts["make topics"] = func(ctx context.Context) error { return d.makeTopics(ctx) }
	var wg sync.WaitGroup
	for name, run := range parts {
		wg.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// behindTopics makes a stage wait for driftd's own topics.
func (d *daemon) behindTopics(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for b := (kafkalog.Backoff{Max: time.Second}); b.Wait(ctx); {
			if problem := d.topics.Load(); problem != nil && *problem == "" {
				return run(ctx)
			}
		}
		return nil
	}
}

// lookAtTopics is how often driftd's own topics are looked at again.
const lookAtTopics = 20 * time.Second

// makeTopics makes what is missing of driftd's own topics and checks the rest, and does so again now and then until ctx ends: one
// may be deleted under way. At the start a wrong number of partitions is an error. Later it is only told: what runs goes on with
// the number that it began with, but could not be started again.
func (d *daemon) makeTopics(ctx context.Context) error {
	said, ready := "", false
	for b := (kafkalog.Backoff{Max: 5 * time.Second}); b.Wait(ctx); {
		err := d.ensureTopics(ctx)
		if ctx.Err() != nil {
			return nil
		}
		wrong, counted := errors.AsType[*kafkalog.PartitionCountError](err)
		switch {
		case counted && !ready:
			return fmt.Errorf("%w; %s", wrong, countHint(&d.Config.Kafka, wrong))
		case counted:
			err = fmt.Errorf("%w; it has changed under way: driftd goes on with the number that it began with, but cannot be started again", wrong)
		}
		problem := ""
		if err != nil {
			problem = err.Error()
		}
		d.topics.Store(&problem)
		switch {
		case problem == said:
		case err == nil:
			d.Log.Info("topics are as they must be again")
		case counted:
			d.Log.Error("topics are not as they must be", "error", err)
		default:
			d.Log.Warn("cannot make or check driftd's topics, trying on", "error", err)
		}
		said = problem
		if err == nil && !ready {
			ready = true
			d.Log.Info("topics are there", "prefix", d.Config.Kafka.TopicPrefix, "partitions", d.Config.Kafka.Partitions)
		}
		if ready {
			pause(ctx, lookAtTopics)
			b.Reset()
		}
	}
	return nil
}

// ensureTopics looks at driftd's topics once, and makes those that are missing.
func (d *daemon) ensureTopics(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookAtTopics)
	defer cancel()
	return d.client.EnsureTopics(ctx, topicSpecs(&d.Config.Kafka))
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// countHint says what to do about a topic of driftd's with another number of partitions.
func countHint(k *config.Kafka, wrong *kafkalog.PartitionCountError) string {
	if wrong.Topic == k.Topic("dead") || wrong.Topic == k.Topic(redriveTopic) {
		return "delete the topic, or choose another kafka.topic_prefix"
	}
	return fmt.Sprintf("set kafka.partitions to %d, or, where partitions were added to it later, begin anew under another kafka.topic_prefix", wrong.Have)
}

// topicSpecs are driftd's own topics. Samples and state are kept for the longest window, a day, and an outage of two; their
// age is that of their arrival, since event time may lie far back in a backlog. The alerts topic is the audit log. What was
// offered again is remembered for longer than dead letters are kept, so that none is counted twice.
func topicSpecs(k *config.Kafka) []kafkalog.TopicSpec {
	day := 24 * time.Hour
	spec := func(name string, partitions int, keep time.Duration) kafkalog.TopicSpec {
		c := map[string]string{
			"cleanup.policy":         "delete",
			"retention.ms":           fmt.Sprint(keep.Milliseconds()),
			"retention.bytes":        "-1",
			"message.timestamp.type": "LogAppendTime",
		}
		if k.ReplicationFactor >= 3 {
			c["min.insync.replicas"] = "2"
		}
		return kafkalog.TopicSpec{Name: k.Topic(name), Partitions: partitions, ReplicationFactor: k.ReplicationFactor, Config: c}
	}
	return []kafkalog.TopicSpec{
		spec("samples", k.Partitions, 3*day),
		spec("state", k.Partitions, 3*day),
		spec("alerts", k.Partitions, 365*day),
		spec("dead", 1, 7*day),
		spec(redriveTopic, 1, 14*day),
	}
}

// groupID names a consumer group: installations with prefixes of their own do not share groups.
func (d *daemon) groupID(stage string) string { return groupID(&d.Config.Kafka, stage) }

func groupID(k *config.Kafka, stage string) string {
	return strings.TrimRight(k.TopicPrefix, ".-_") + "-" + stage
}

func (d *daemon) newIngest() (*consumer.Worker, error) {
	c := ingestConfig(d.Config)
	c.Sources = append(c.Sources, redriveSource(d.Config))
	c.Client, c.Log, c.Metrics, c.Now = d.client, d.Log.With("part", "ingest"), d.metrics, d.Now
	c.Scales, c.Group = (*scales)(&d.rules), d.groupID("ingest")
	c.Disorder, c.Idle, c.Flush, c.Heartbeat = d.Pace.Disorder, d.Pace.Idle, d.Pace.Flush, d.Pace.Heartbeat
	c.SessionTimeout, c.GroupHeartbeat = d.Pace.Session, d.Pace.Beat
	if d.Passed != nil {
		c.Now = (&steady{wall: d.Now, passed: d.Passed, log: c.Log}).Now
	}
	return consumer.New(c)
}

func (d *daemon) newDetect() *detector.Worker {
	return detector.NewWorker(detector.WorkerOptions{
		Prefix: d.Config.Kafka.TopicPrefix, Group: d.groupID("detect"), CheckpointEvery: d.Pace.Checkpoint, Now: d.Now,
		Partitions: d.Config.Kafka.Partitions, Windows: windowsOptions(d.Config),
		SessionTimeout: d.Pace.Session, Heartbeat: d.Pace.Beat,
	}, d.rules.Load(), d.client, d.metrics, d.Log.With("part", "detect"))
}

// windowsOptions are those of each partition.
func windowsOptions(c *config.Config) windows.Options {
	l := &c.Limits
	return windows.Options{
		Dimensions: c.Dimensions,
		// Each partition has its share, so that what it does depends on nothing but its log.
		MaxSeries:  (l.Series + c.Kafka.Partitions - 1) / c.Kafka.Partitions,
		MaxCohorts: l.CohortsPerPrompt, MaxVersions: l.VersionsPerPrompt,
	}
}

// scales gives ingest the scales of the rules in force.
type scales atomic.Pointer[rules.Set]

// Scale implements consumer.Scales.
func (s *scales) Scale(rubric string) (consumer.Scale, bool) {
	r, ok := (*atomic.Pointer[rules.Set])(s).Load().Rubrics[rubric]
	return consumer.Scale{Min: r.Min, Max: r.Max, HasRange: r.HasRange, Labels: r.Labels}, ok
}
