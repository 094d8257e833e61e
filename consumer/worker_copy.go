package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/driftd/driftd/internal/kafkalog"
)

// copies keeps what the group commits in a second group, which nobody joins. A group's offsets are anybody's to set and to delete,
// kafka-consumer-groups does it without metadata and keeps nothing of what was there; the copy still tells how far each source
// partition was read, and as which log. It is behind by a second or so. Nothing waits for it: where it cannot be written or read,
// offsets that were set by hand are taken as they are.
type copies struct {
	client *kafkalog.Client
	group  string
	log    *slog.Logger

	mu    sync.Mutex
	fresh map[partition]kafkalog.Offset // that are not written yet
}

type partition struct {
	topic  string
	number int
}

const (
	copyEvery  = time.Second
	copyWithin = 2 * time.Second // that it may take to write it
)

// put takes what the group has committed of a partition.
func (c *copies) put(topic string, number int, at committed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fresh == nil {
		c.fresh = make(map[partition]kafkalog.Offset)
	}
	c.fresh[partition{topic, number}] = kafkalog.Offset{Topic: topic, Partition: number, Offset: at.offset, Metadata: at.metadata}
}

// run writes now and then, and a last time when ctx ends.
func (c *copies) run(ctx context.Context) {
	state := changes{log: c.log}
	t := time.NewTicker(copyEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			c.write()
			return
		case <-t.C:
			state.note(ctx, "cannot keep a copy of what is committed, trying on: offsets that are set by hand would go unnoticed", c.write())
		}
	}
}

func (c *copies) write() error {
	c.mu.Lock()
	fresh := c.fresh
	c.fresh = nil
	c.mu.Unlock()
	if len(fresh) == 0 {
		return nil
	}
	var offsets []kafkalog.Offset
	for _, o := range fresh {
		offsets = append(offsets, o)
	}
	ctx, cancel := context.WithTimeout(context.Background(), copyWithin)
	defer cancel()
	err := c.client.CommitApart(ctx, c.group, offsets)
	if err != nil {
		c.mu.Lock()
		for at, o := range c.fresh {
			fresh[at] = o
		}
		c.fresh = fresh
		c.mu.Unlock()
	}
	return err
}

// of reads the copy of a partition: none where it is not ours to read.
func (c *copies) of(ctx context.Context, topic string, number int) (at committed, err error) {
	at.offset, at.metadata, err = c.client.Committed(ctx, c.group, topic, number)
	if errors.Is(err, kafkalog.ErrDenied) {
		return committed{offset: -1}, nil
	}
	return at, err
}
