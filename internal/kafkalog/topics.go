package kafkalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topic is what the cluster says of a topic. ID tells a topic from its namesake that was deleted before; it is zero where the broker
// knows none (before Kafka 2.8).
type Topic struct {
	Name       string
	ID         [16]byte
	Partitions int
}

// TopicSpec is a topic as it must be. ReplicationFactor 0 leaves it to the broker. Config holds Kafka's topic settings; it is used
// when the topic is made, and not compared later.
type TopicSpec struct {
	Name                          string
	Partitions, ReplicationFactor int
	Config                        map[string]string
}

// Topics looks up topics by name, at the brokers, not in a cache. A topic that does not exist is absent from the answer.
// It never makes one, whatever the brokers' auto.create.topics.enable says.
func (c *Client) Topics(ctx context.Context, names ...string) (map[string]Topic, error) {
	if c.cluster != nil {
		return c.cluster.Topics(ctx, names)
	}
	found, err := c.describe(ctx, names)
	if err != nil {
		return nil, err
	}
	topics := make(map[string]Topic, len(found))
	for _, t := range found {
		topics[*t.Topic] = Topic{Name: *t.Topic, ID: t.TopicID, Partitions: len(t.Partitions)}
	}
	return topics, nil
}

// describe asks for the metadata of the topics that exist among names.
func (c *Client) describe(ctx context.Context, names []string) ([]kmsg.MetadataResponseTopic, error) {
	if len(names) == 0 {
		return nil, nil // the protocol would take it for all topics
	}
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		req.Topics = append(req.Topics, t)
	}
	res := kmsg.NewPtrMetadataResponse()
	err := c.send(ctx, requestTimeout, &exchange{key: int16(kmsg.Metadata), talk: func(rw io.ReadWriter) error {
		version, err := c.newest(rw, kmsg.Metadata, 12)
		if err != nil {
			return err
		}
		req.SetVersion(version)
		return c.talk(rw, req, res)
	}})
	if err != nil {
		return nil, fmt.Errorf("look up topics: %w", err)
	}
	var found []kmsg.MetadataResponseTopic
	for _, t := range res.Topics {
		switch err := answer(t.ErrorCode); {
		case errors.Is(err, ErrUnknownTopic):
		case err != nil:
			return nil, fmt.Errorf("look up topic %s: %w", deref(t.Topic), err)
		case t.Topic != nil:
			found = append(found, t)
		}
	}
	return found, nil
}

// newest asks the broker at the other end for the newest version of a request that both sides know. It is asked on each connection
// anew, because brokers of one cluster may differ while it is being upgraded.
func (c *Client) newest(rw io.ReadWriter, key kmsg.Key, ours int16) (int16, error) {
	res := kmsg.NewPtrApiVersionsResponse()
	if err := c.talk(rw, kmsg.NewPtrApiVersionsRequest(), res); err != nil {
		return 0, err
	}
	if err := answer(res.ErrorCode); err != nil {
		return 0, fmt.Errorf("ask for versions: %w", err)
	}
	for _, k := range res.ApiKeys {
		if k.ApiKey != int16(key) {
			continue
		}
		if k.MinVersion > ours {
			break
		}
		return min(ours, k.MaxVersion), nil
	}
	return 0, fmt.Errorf("the broker does not know %s version %d", key.Name(), ours)
}

// EnsureTopics makes the topics that are missing and waits until every partition has a leader that knows it: a broker of Kafka tells
// of a new topic some milliseconds before it takes records for it. It answers with *PartitionCountError when a topic exists with
// another number of partitions. Other instances may do the same at the same time.
func (c *Client) EnsureTopics(ctx context.Context, specs []TopicSpec) error {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.Name
	}
	made := false
	for b := (Backoff{Max: time.Second}); b.Wait(ctx); {
		found, err := c.describe(ctx, names)
		if err != nil {
			return err
		}
		missing, waiting, err := compare(specs, found)
		switch {
		case err != nil:
			return err
		case len(missing) == 0 && !waiting:
			c.stale.Store(true) // the transport's picture may be older than the topics
			if err := c.led(ctx, specs); !misrouted(err) {
				return err
			}
		case len(missing) > 0 && !made:
			made = true
			if err := c.create(ctx, missing); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("wait for topics: %w", context.Cause(ctx))
}

// compare tells which topics do not exist and whether some partition has no leader yet.
func compare(specs []TopicSpec, found []kmsg.MetadataResponseTopic) (missing []TopicSpec, waiting bool, err error) {
	for _, s := range specs {
		i := slices.IndexFunc(found, func(t kmsg.MetadataResponseTopic) bool { return *t.Topic == s.Name })
		if i < 0 {
			missing = append(missing, s)
			continue
		}
		if have := len(found[i].Partitions); have != s.Partitions {
			return nil, false, &PartitionCountError{Topic: s.Name, Want: s.Partitions, Have: have}
		}
		for _, p := range found[i].Partitions {
			waiting = waiting || p.Leader < 0 || p.ErrorCode != 0
		}
	}
	return missing, waiting, nil
}

// led asks the leaders of all partitions of topics for something that only a leader answers.
func (c *Client) led(ctx context.Context, topics []TopicSpec) error {
	for _, t := range topics {
		for p := range t.Partitions {
			if _, err := c.listOffsets(ctx, t.Name, p, kafka.LastOffsetOf(p)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Client) create(ctx context.Context, specs []TopicSpec) error {
	req := &kafka.CreateTopicsRequest{}
	for _, s := range specs {
		t := kafka.TopicConfig{Topic: s.Name, NumPartitions: s.Partitions, ReplicationFactor: cmp.Or(s.ReplicationFactor, -1)}
		for k, v := range s.Config {
			t.ConfigEntries = append(t.ConfigEntries, kafka.ConfigEntry{ConfigName: k, ConfigValue: v})
		}
		slices.SortFunc(t.ConfigEntries, func(a, b kafka.ConfigEntry) int { return cmp.Compare(a.ConfigName, b.ConfigName) })
		req.Topics = append(req.Topics, t)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := c.admin.CreateTopics(ctx, req)
	c.note(err)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	for _, s := range specs {
		switch err := res.Errors[s.Name]; {
		case errors.Is(err, kafka.TopicAlreadyExists): // another instance was quicker
		case err != nil:
			return fmt.Errorf("create topic %s with %d partitions: %w", s.Name, s.Partitions, explain(err))
		default:
			c.log.Info("topic created", "topic", s.Name, "partitions", s.Partitions)
		}
	}
	return nil
}

// Bounds returns the offset of the log's first record and the one that the next record will have. Records of transactions that are
// still open lie above next.
func (c *Client) Bounds(ctx context.Context, topic string, partition int) (first, next int64, err error) {
	if c.cluster != nil {
		return c.cluster.Bounds(ctx, topic, partition)
	}
	p, err := c.listOffsets(ctx, topic, partition, kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition))
	return p.FirstOffset, p.LastOffset, err
}

// OffsetAt returns the offset of the first record whose time is t or later, the log's end when there is none.
func (c *Client) OffsetAt(ctx context.Context, topic string, partition int, t time.Time) (int64, error) {
	if t.UnixMilli() < 0 {
		first, _, err := c.Bounds(ctx, topic, partition) // negative times have a meaning of their own in the protocol
		return first, err
	}
	if c.cluster != nil {
		return c.cluster.OffsetAt(ctx, topic, partition, t.UnixMilli())
	}
	p, err := c.listOffsets(ctx, topic, partition, kafka.TimeOffsetOf(partition, t))
	if err != nil {
		return 0, err
	}
	for offset := range p.Offsets {
		if offset >= 0 {
			return offset, nil
		}
	}
	_, next, err := c.Bounds(ctx, topic, partition)
	return next, err
}

func (c *Client) listOffsets(ctx context.Context, topic string, partition int, want ...kafka.OffsetRequest) (kafka.PartitionOffsets, error) {
	if c.stale.Load() {
		c.refresh(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := c.admin.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics:         map[string][]kafka.OffsetRequest{topic: want},
		IsolationLevel: kafka.ReadCommitted,
	})
	var p kafka.PartitionOffsets
	if err == nil {
		if got := res.Topics[topic]; len(got) == 1 {
			p, err = got[0], got[0].Error
		} else {
			err = ErrUnknownTopic
		}
	}
	c.note(err)
	var code kafka.Error
	if errors.As(err, &code) {
		err = answer(int16(code))
	}
	if err != nil {
		return kafka.PartitionOffsets{}, fmt.Errorf("look up offsets of %s[%d]: %w", topic, partition, err)
	}
	return p, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
