package kafkalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// Claim is a partition that is assigned to this member. Its methods are for concurrent use.
type Claim struct {
	Topic     string
	Partition int

	group *Group
	store CommitFunc    // by a cluster; nil for brokers
	lost  chan struct{} // closed when the claim is given up
}

// Committed returns what the group has committed last: the offset to go on from, -1 when there is none, and the metadata.
func (c *Claim) Committed(ctx context.Context) (offset int64, metadata string, err error) {
	return c.group.client.Committed(ctx, c.group.cfg.ID, c.Topic, c.Partition)
}

// Committed returns what a group has committed last of a partition: the offset to go on from, -1 when there is none, and the
// metadata. Whoever asks need not be a member.
func (c *Client) Committed(ctx context.Context, group, topic string, partition int) (offset int64, metadata string, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if c.cluster != nil {
		return c.cluster.Committed(ctx, group, topic, partition)
	}
	res, err := c.admin.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {partition}}})
	if err == nil {
		err = res.Error
	}
	if err == nil {
		err = errors.New("the answer does not mention it")
		for _, p := range res.Topics[topic] {
			if p.Partition == partition {
				offset, metadata, err = p.CommittedOffset, p.Metadata, p.Error
			}
		}
	}
	if errors.Is(err, kafka.GroupIdNotFound) { // nobody has joined it yet
		return -1, "", nil
	}
	c.note(err)
	if err != nil {
		return -1, "", fmt.Errorf("look up what group %s committed of %s[%d]: %w", group, topic, partition, explain(err))
	}
	return offset, metadata, nil
}

// Offset is what a group stores of a partition.
type Offset struct {
	Topic     string
	Partition int
	Offset    int64
	Metadata  string
}

// CommitApart stores offsets for a group that nobody joins. A group that has members refuses them.
func (c *Client) CommitApart(ctx context.Context, group string, offsets []Offset) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if c.cluster != nil {
		return c.cluster.CommitApart(ctx, group, offsets)
	}
	req := &kafka.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: make(map[string][]kafka.OffsetCommit)}
	for _, o := range offsets {
		req.Topics[o.Topic] = append(req.Topics[o.Topic], kafka.OffsetCommit{Partition: o.Partition, Offset: o.Offset, Metadata: o.Metadata})
	}
	res, err := c.admin.OffsetCommit(ctx, req)
	c.note(err)
	if err != nil {
		return fmt.Errorf("commit for group %s: %w", group, explain(err))
	}
	for topic, partitions := range res.Topics {
		for _, p := range partitions {
			if p.Error != nil {
				return fmt.Errorf("commit %s[%d] for group %s: %w", topic, p.Partition, group, explain(p.Error))
			}
		}
	}
	return nil
}

// Begin returns where to begin: what is committed, else the start or the end of the log as the group's Start says.
func (c *Claim) Begin(ctx context.Context) (offset int64, metadata string, err error) {
	offset, metadata, err = c.Committed(ctx)
	if err != nil || offset >= 0 {
		return offset, metadata, err
	}
	first, next, err := c.group.client.Bounds(ctx, c.Topic, c.Partition)
	if s := c.group.cfg.Start; s != nil && s(c.Topic) == StartNewest {
		return next, "", err
	}
	return first, "", err
}

// Commit stores offset, the next to be read, and metadata for the group. While the group rebalances it waits for the outcome: a claim
// that is kept is committed with the new generation, a lost one answers ErrNotOwner, as does every claim once its task has ended.
func (c *Claim) Commit(ctx context.Context, offset int64, metadata string) error {
	g := c.group
	if c.store != nil {
		return c.commitError(offset, c.store(ctx, offset, metadata))
	}
	for {
		g.mu.Lock()
		member, id, changed, closing := g.mu.member, g.mu.id, g.mu.changed, g.mu.closing
		g.mu.Unlock()
		select {
		case <-c.lost:
			return c.commitError(offset, ErrNotOwner)
		default:
		}
		err := c.commit(ctx, member, id, offset, metadata)
		if !fenced(err) {
			return c.commitError(offset, err)
		}
		if closing {
			return c.commitError(offset, ErrNotOwner)
		}
		select {
		case <-changed:
		case <-c.lost:
		case <-ctx.Done():
			return c.commitError(offset, fmt.Errorf("wait for the rebalance to end: %w", ctx.Err()))
		}
	}
}

func (c *Claim) commit(ctx context.Context, member string, generation int32, offset int64, metadata string) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	g := c.group
	res, err := g.client.admin.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: g.cfg.ID, MemberID: member, GenerationID: int(generation),
		Topics: map[string][]kafka.OffsetCommit{c.Topic: {{Partition: c.Partition, Offset: offset, Metadata: metadata}}},
	})
	if err == nil {
		err = errors.New("the answer does not mention it")
		for _, p := range res.Topics[c.Topic] {
			if p.Partition == c.Partition {
				err = p.Error
			}
		}
	}
	g.client.note(err)
	return err
}

func (c *Claim) commitError(offset int64, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("commit %s[%d]@%d for group %s: %w", c.Topic, c.Partition, offset, c.group.cfg.ID, explain(err))
}

// fenced tells whether the coordinator refuses because the member's generation is not, or not any more, the group's.
func fenced(err error) bool {
	return errors.Is(err, kafka.IllegalGeneration) || errors.Is(err, kafka.UnknownMemberId) || errors.Is(err, kafka.RebalanceInProgress) ||
		errors.Is(err, kafka.FencedInstanceID)
}
