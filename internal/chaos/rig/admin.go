package rig

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/internal/kafkalog"
)

// What people do to topics and groups by hand.

// admin does a request until brokers let it: a group takes a moment to be empty, and a topic to be gone.
func (w *World) admin(ctx context.Context, what string, do func(*kgo.Client) error) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(w.Brokers.Addrs()...))
	if err != nil {
		return err
	}
	defer c.Close()
	var last error
	if err := Until(ctx, what, func() bool {
		last = do(c)
		return last == nil
	}); err != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return nil
}

// SetOffset sets where a group goes on in a partition, as kafka-consumer-groups --reset-offsets does. Nobody may be in the group.
func (w *World) SetOffset(ctx context.Context, group, topic string, partition int, offset int64) error {
	var last error
	if err := Until(ctx, "set offset", func() bool {
		last = w.Client.CommitApart(ctx, group, []kafkalog.Offset{{Topic: topic, Partition: partition, Offset: offset}})
		return last == nil
	}); err != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return nil
}

// Members is how many are in a group, as the coordinator says.
func (w *World) Members(ctx context.Context, group string) (n int, err error) {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{group}
	err = w.admin(ctx, "describe group "+group, func(c *kgo.Client) error {
		res, err := req.RequestWith(ctx, c)
		if err != nil {
			return err
		}
		n = len(res.Groups[0].Members)
		if err := kerr.ErrorForCode(res.Groups[0].ErrorCode); err != nil && err != kerr.GroupIDNotFound {
			return err
		}
		return nil
	})
	return n, err
}

// DeleteGroup makes brokers forget all that a group has committed. Nobody may be in it.
func (w *World) DeleteGroup(ctx context.Context, group string) error {
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = []string{group}
	return w.admin(ctx, "delete group "+group, func(c *kgo.Client) error {
		res, err := req.RequestWith(ctx, c)
		if err == nil && res.Groups[0].ErrorCode != kerr.GroupIDNotFound.Code {
			err = kerr.ErrorForCode(res.Groups[0].ErrorCode)
		}
		return err
	})
}

// DeleteRecords makes a partition's log begin at an offset, as retention does.
func (w *World) DeleteRecords(ctx context.Context, topic string, partition int, first int64) error {
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = int32(partition), first
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Topics, req.TimeoutMillis = append(req.Topics, t), 10000
	return w.admin(ctx, "delete records of "+topic, func(c *kgo.Client) error {
		all, err := 0, error(nil)
		for _, s := range c.RequestSharded(ctx, req) {
			res, ok := s.Resp.(*kmsg.DeleteRecordsResponse)
			if err = s.Err; err != nil || !ok {
				continue
			}
			for _, t := range res.Topics {
				for _, p := range t.Partitions {
					all++
					err = kerr.ErrorForCode(p.ErrorCode)
				}
			}
		}
		if err == nil && all != 1 {
			err = fmt.Errorf("%d answers", all)
		}
		return err
	})
}

// DeleteTopic deletes a topic and waits until it is gone.
func (w *World) DeleteTopic(ctx context.Context, topic string) error {
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = &topic
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Topics, req.TopicNames, req.TimeoutMillis = append(req.Topics, t), []string{topic}, 10000
	return w.admin(ctx, "delete topic "+topic, func(c *kgo.Client) error {
		res, err := req.RequestWith(ctx, c)
		if err != nil {
			return err
		}
		if err := kerr.ErrorForCode(res.Topics[0].ErrorCode); err != nil && err != kerr.UnknownTopicOrPartition {
			return err
		}
		found, err := w.Client.Topics(ctx, topic)
		if err == nil && len(found) > 0 {
			err = fmt.Errorf("it is still there")
		}
		return err
	})
}

// MakeSources makes the source topics that are missing.
func (w *World) MakeSources(ctx context.Context) error {
	var specs []kafkalog.TopicSpec
	for _, t := range w.Stream.Topics {
		specs = append(specs, kafkalog.TopicSpec{Name: t.Name, Partitions: w.Stream.Partitions, ReplicationFactor: w.ReplicationFactor, Config: w.Options.Topics})
	}
	if err := w.Client.EnsureTopics(ctx, specs); err != nil {
		return fmt.Errorf("make source topics: %w", err)
	}
	return nil
}

// AddPartitions gives a topic more partitions, so many in all.
func (w *World) AddPartitions(ctx context.Context, topic string, count int) error {
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = topic, int32(count)
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.Topics, req.TimeoutMillis = append(req.Topics, t), 10000
	if err := w.admin(ctx, "add partitions to "+topic, func(c *kgo.Client) error {
		res, err := req.RequestWith(ctx, c)
		if err == nil {
			err = kerr.ErrorForCode(res.Topics[0].ErrorCode)
		}
		return err
	}); err != nil {
		return err
	}
	var err error // brokers tell of the new ones a little later
	if wait := Until(ctx, fmt.Sprintf("%d partitions of %s", count, topic), func() bool {
		err = w.Client.EnsureTopics(ctx, []kafkalog.TopicSpec{{Name: topic, Partitions: count}})
		_, few := errors.AsType[*kafkalog.PartitionCountError](err)
		return !few
	}); wait != nil {
		return wait
	}
	return err
}
