package demo

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/fakeregistry"
	"github.com/driftd/driftd/internal/fakeslack"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/signature"
	"github.com/driftd/driftd/internal/strictyaml"
)

const (
	partitions  = 4 // of samples, alerts and state
	topicPrefix = "driftd."

	// sourceBytes is what a partition of the source topics keeps, in memory: some seconds of the machine's, while driftd is
	// never further behind than maxLead.
	sourceBytes = 8 << 20

	slackToken     = "xoxb-demo"
	slackChannel   = "llm-alerts"
	slackSecret    = "the Slack app of the demo"
	personID       = "U0YOU"
	personName     = "you"
	registrySecret = "the registry of the demo"
)

// World is all that is around driftd. Its parts run from Open to Close.
type World struct {
	plan     Plan
	seed     uint64
	clock    *clock
	broker   *embedded.Broker
	client   *kafkalog.Client
	registry *fakeregistry.Server
	slack    *fakeslack.Server

	registryURL, slackURL string
	stops                 []func()
}

// Open starts the broker with its source topics, the registry and Slack, all on the loopback interface.
func Open(ctx context.Context, plan Plan, seed uint64, log *slog.Logger) (*World, error) {
	w := &World{plan: plan, seed: seed, clock: newClock(plan.Begin)}
	if err := w.open(ctx, log); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (w *World) open(ctx context.Context, log *slog.Logger) (err error) {
	if w.broker, err = embedded.Start(embedded.Options{}); err != nil {
		return err
	}
	w.stops = append(w.stops, w.broker.Close)
	if w.client, err = kafkalog.Dial(kafkalog.Config{Brokers: w.broker.Addrs(), ClientID: "demo"}, log.With("part", "demo")); err != nil {
		return err
	}
	w.stops = append(w.stops, w.client.Close)
	keep := map[string]string{"retention.bytes": fmt.Sprint(sourceBytes), "segment.bytes": fmt.Sprint(sourceBytes / 4)}
	if err := w.client.EnsureTopics(ctx, []kafkalog.TopicSpec{
		{Name: spansTopic, Partitions: sourcePartitions, ReplicationFactor: 1, Config: keep},
		{Name: scoresTopic, Partitions: sourcePartitions, ReplicationFactor: 1, Config: keep},
	}); err != nil {
		return fmt.Errorf("make source topics: %w", err)
	}
	key, err := signature.ParseKey(registrySecret)
	if err != nil {
		return err
	}
	w.registry = fakeregistry.New(fakeregistry.Config{Key: key, Now: time.Now})
	for i := range prompts {
		w.registry.Set(prompts[i].name, prompts[i].first)
	}
	w.slack = fakeslack.New(fakeslack.Config{Token: slackToken, Channels: map[string]string{slackChannel: "C0DEMO"}, RateLimit: true, Now: time.Now,
		SigningSecret: slackSecret, Users: map[string]string{personID: personName}})
	for _, s := range []struct {
		url   *string
		start func() (string, func(), error)
	}{{&w.registryURL, w.registry.Start}, {&w.slackURL, w.slack.Start}} {
		url, stop, err := s.start()
		if err != nil {
			return err
		}
		*s.url = url
		w.stops = append(w.stops, stop)
	}
	return nil
}

// Close ends what Open started.
func (w *World) Close() {
	for i := len(w.stops) - 1; i >= 0; i-- {
		w.stops[i]()
	}
	w.stops = nil
}

// Now is ingest's clock.
func (w *World) Now() time.Time { return w.clock.Now() }

// SlackAPI is the base of Slack's Web API.
func (w *World) SlackAPI() string { return w.slackURL + "/api/" }

// Config is the config that driftd runs with.
func (w *World) Config() *config.Config {
	c := &config.Config{}
	strictyaml.Defaults(c)
	c.Kafka.Brokers, c.Kafka.TopicPrefix = w.broker.Addrs(), topicPrefix
	c.Kafka.Partitions, c.Kafka.ReplicationFactor = partitions, 1
	c.Sources = []config.Source{
		{Topic: spansTopic, Encoding: "otlp_proto", Attributes: "auto"},
		{Topic: scoresTopic, Encoding: "driftd_json", Attributes: "auto"},
	}
	c.Dimensions = dimensions
	c.Receivers = []config.Receiver{{Name: "llm-alerts", Slack: &config.Slack{Token: config.NewSecret(slackToken), Channel: "#" + slackChannel, SigningSecret: config.NewSecret(slackSecret), Charts: true}}}
	c.Route = &config.Route{Receiver: "llm-alerts", Approvers: []string{personID}}
	c.Registry = &config.Registry{Kind: "webhook", URL: w.registryURL, Secret: config.NewSecret(registrySecret), Grace: 3 * time.Minute, Poll: time.Minute}
	c.TraceURL = "https://traces.example/trace/{trace_id}"
	c.HTTP.Listen = "127.0.0.1:0"
	return c
}
