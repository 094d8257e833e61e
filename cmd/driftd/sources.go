package main

import (
	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/cloudevents"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/consumer/helicone"
	"github.com/driftd/driftd/consumer/otlp"
	"github.com/driftd/driftd/consumer/posthog"
	"github.com/driftd/driftd/internal/config"
)

// formats are the encodings by the names that the config has for them.
var formats = map[string]consumer.Format{
	"otlp_proto":  {New: otlp.New},
	"otlp_json":   {New: otlp.NewJSON},
	"driftd_json": {New: driftdjson.New},
	"posthog":     {New: posthog.New},
	"helicone":    {New: helicone.New, Private: true},
}

// ingestConfig is what the config says of events, without the parts that a running stage needs.
func ingestConfig(c *config.Config) consumer.Config {
	out := consumer.Config{
		Encodings:   formats,
		TopicPrefix: c.Kafka.TopicPrefix,
		Linking:     consumer.Linking{Wait: c.Linking.Wait, Horizon: c.Linking.Horizon, Memory: int64(c.Linking.Memory)},
		Lists:       make(map[string][]string),
	}
	dimension := make(map[string]bool)
	for _, name := range c.Dimensions {
		dimension[name] = true
		out.Dimensions = append(out.Dimensions, consumer.Dimension{Name: name, Attributes: c.Attributes[name]})
	}
	for field, attributes := range c.Attributes {
		if !dimension[field] {
			out.Lists[field] = attributes
		}
	}
	for _, s := range c.Sources {
		topic := consumer.SourceTopic{
			Topic: s.Topic, Encoding: s.Encoding, Preset: s.Attributes, Dedup: s.Dedup,
			Start: consumer.Start{Latest: s.Start.At == config.Latest},
		}
		if s.Envelope == "cloudevents" {
			topic.Unwrap = cloudevents.Unwrap
		}
		if s.Start.At == config.AtTime {
			topic.Start.At = s.Start.Time
		}
		out.Sources = append(out.Sources, topic)
	}
	return out
}
