package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/driftd/driftd/internal/fault"
	"github.com/driftd/driftd/internal/kafkalog"
)

// begin finds out where to go on, and commits that when it is not what is committed: so an incarnation never depends on which
// worker came first.
func (w *Worker) begin(ctx context.Context, claim *kafkalog.Claim, src *sourceTopic, link *part, log *slog.Logger) (b beginning, ok bool) {
	state := changes{log: log}
	truncated := 0
	for again := (kafkalog.Backoff{}); again.Wait(ctx); {
		offset, metadata, err := claim.Committed(ctx)
		if err == nil {
			b, err = w.resume(ctx, claim, src, committed{offset, metadata})
		}
		// A leader that has just been elected may not know its log's end yet.
		if err == nil && b.reset == resetTruncated && truncated < 5 {
			truncated++
			continue
		}
		if l := w.topics.Load(); err == nil && (l.ids[claim.Topic] != b.topic || !src.Again && l.partitions[claim.Topic] <= claim.Partition) {
			err = w.refresh(ctx) // or the task would take its own topic for the old one, and nobody would hear of a new partition
		}
		if err == nil && (b.offset != offset || b.metadata() != metadata) {
			fault.Point("ingest.begin")
			err = claim.Commit(ctx, b.offset, b.metadata())
		}
		if errors.Is(err, kafkalog.ErrNotOwner) {
			<-ctx.Done()
			return b, false
		}
		state.note(ctx, "cannot find where to begin, trying on", err)
		w.trouble.Note(partName(claim), "find where to begin", err)
		link.fails(err != nil)
		if err != nil {
			continue
		}
		w.copies.put(claim.Topic, claim.Partition, committed{b.offset, b.metadata()})
		if b.reset != "" {
			log.Warn("committed offset is not of this log", "reason", b.reset, "committed", offset, "goes on", b.offset)
			src.metrics.restarts(b.reset).Inc()
		}
		if b.gap > 0 {
			w.lose(claim, log, b.offset-b.gap, b.gap, b.why)
		}
		return b, true
	}
	return b, false
}

func (w *Worker) resume(ctx context.Context, claim *kafkalog.Claim, src *sourceTopic, at committed) (b beginning, err error) {
	c := w.cfg.Client
	topics, err := c.Topics(ctx, claim.Topic)
	if err != nil {
		return b, err
	}
	topic, ok := topics[claim.Topic]
	if !ok {
		return b, fmt.Errorf("look up topic %s: %w", claim.Topic, kafkalog.ErrUnknownTopic)
	}
	first, next, err := c.Bounds(ctx, claim.Topic, claim.Partition)
	if err != nil {
		return b, err
	}
	copied := committed{offset: -1}
	if _, _, ours := parseMetadata(at.metadata); at.offset < 0 || !ours {
		if copied, err = w.copies.of(ctx, claim.Topic, claim.Partition); err != nil {
			return b, err
		}
	}
	b = resume(topic.ID, at, copied, first, next)
	if src.Start == (Start{}) {
		return b, nil
	}
	switch {
	case b.reset == resetForgotten: // everything up to there was read
		b.offset = max(b.offset, b.read)
	case !b.fresh || w.cameLater(claim.Topic, claim.Partition, topic.ID): // there is nothing in it from before driftd
	case src.Start.Latest:
		b.offset = next
	default:
		b.offset, err = c.OffsetAt(ctx, claim.Topic, claim.Partition, src.Start.At)
	}
	return b, err
}

// cameLater tells a partition that was made after this group saw its sources first: of a topic that was made or made again, or by
// addition.
func (w *Worker) cameLater(topic string, partition int, id [16]byte) bool {
	return w.first.ids[topic] != id || w.first.partitions[topic] <= partition
}
