package kafkalog

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Cluster is Kafka as a Client of Over sees it: logs of record batches, and groups. Tests play one, with all that can happen to it.
// Its methods are called concurrently and keep nothing of their arguments.
type Cluster interface {
	// Topics tells of those that exist.
	Topics(ctx context.Context, names []string) (map[string]Topic, error)
	// Bounds are the offsets of the first record and of the one that will be written next.
	Bounds(ctx context.Context, topic string, partition int) (first, next int64, err error)
	// OffsetAt is that of the first record of this time or later, Unix ms; the log's end when there is none.
	OffsetAt(ctx context.Context, topic string, partition int, at int64) (int64, error)
	// Write appends one record batch to each of the parcels' partitions and leaves the outcome in them.
	Write(ctx context.Context, parcels []Parcel)
	// Read returns whole record batches, the first of which holds offset, and the bounds. When nothing is there it waits. It answers
	// *OutOfRangeError for an offset outside the log, and ErrUnknownTopic where the topic of this name has another id, unless that is zero.
	Read(ctx context.Context, topic string, id [16]byte, partition int, offset int64, wait time.Duration) (batches []byte, first, next int64, err error)
	// Committed is what a group has committed last, -1 for nothing.
	Committed(ctx context.Context, group, topic string, partition int) (offset int64, metadata string, err error)
	// CommitApart stores offsets for a group without members.
	CommitApart(ctx context.Context, group string, offsets []Offset) error
	// Join takes part in a group until ctx ends, and calls task for each partition that is assigned; see Group.Run. commit answers
	// ErrNotOwner when the partition has gone to another member.
	Join(ctx context.Context, cfg GroupConfig, task func(ctx context.Context, topic string, partition int, commit CommitFunc) error) error
}

// CommitFunc stores where to go on, for a group.
type CommitFunc func(ctx context.Context, offset int64, metadata string) error

// Parcel is a record batch of format 2, without its base offset, on its way to a partition.
type Parcel struct {
	Topic     string
	Partition int
	Records   int
	Batch     []byte

	Base int64 // where its first record is
	Err  error // why it is not known to be there
}

// Over returns a client of a cluster that is not reached over a network.
func Over(cluster Cluster, log *slog.Logger) *Client { return &Client{log: log, cluster: cluster} }

// hand leaves the outcome of a produce in the parcels.
func (c *Client) hand(ctx context.Context, parcels []*parcel) {
	out := make([]Parcel, len(parcels))
	for i, p := range parcels {
		out[i] = Parcel{Topic: p.topic, Partition: int(p.partition), Records: len(p.at), Batch: p.batch, Base: -1}
	}
	c.cluster.Write(ctx, out)
	for i, p := range parcels {
		p.base, p.err = out[i].Base, out[i].Err
	}
}

// take fetches from the cluster.
func (f *Fetcher) take(ctx context.Context, offset int64, wait time.Duration) (*Fetched, error) {
	batches, first, next, err := f.client.cluster.Read(ctx, f.topic, f.id, f.partition, offset, wait)
	if err != nil {
		return nil, fmt.Errorf("fetch %s[%d]@%d: %w", f.topic, f.partition, offset, err)
	}
	f.in = append(f.in[:0], batches...)
	f.fetched.reset(f.topic, f.partition, f.in, offset, next, first)
	return &f.fetched, nil
}

// join runs a group's tasks by the cluster.
func (g *Group) join(ctx context.Context, task func(context.Context, *Claim) error) error {
	return g.client.cluster.Join(ctx, g.cfg, func(ctx context.Context, topic string, partition int, commit CommitFunc) error {
		return task(ctx, &Claim{Topic: topic, Partition: partition, group: g, store: commit})
	})
}
