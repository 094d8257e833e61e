package consumer

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/driftd/driftd/internal/kafkalog"
)

// What a group saw first of its sources is kept with the copies of its commits, as the metadata of an offset in the samples topic, which
// stays when sources are deleted: so a topic that is made, or made again, and partitions that are added while nobody runs are known to
// be new, and are read from their start on, wherever a source begins.

// meet finds out what this group saw first of its sources: what it has kept of them, or else what is there now.
func (w *Worker) meet(ctx context.Context) error {
	_, metadata, err := w.cfg.Client.Committed(ctx, w.copies.group, w.cfg.TopicPrefix+"samples", 0)
	if err != nil && !errors.Is(err, kafkalog.ErrDenied) {
		return fmt.Errorf("look up what was seen of the sources: %w", err)
	}
	kept, now := parseSeen(metadata), w.topics.Load()
	first := &layout{ids: map[string][16]byte{}, partitions: map[string]int{}}
	for _, s := range w.cfg.Sources {
		seen, ok := kept[s.Topic]
		if !ok {
			seen = seenTopic{now.ids[s.Topic], now.partitions[s.Topic]}
		}
		first.ids[s.Topic], first.partitions[s.Topic] = seen.id, seen.partitions
	}
	w.first = first
	return nil
}

// keep writes what was seen first, and again now and then, since brokers forget offsets that are not. Where that may not be, the topics
// of when this process began are all that is known.
func (w *Worker) keep(ctx context.Context) {
	at := kafkalog.Offset{Topic: w.cfg.TopicPrefix + "samples", Offset: 1, Metadata: w.first.seen(w.cfg.Sources)}
	ctx, cancel := context.WithTimeout(ctx, copyWithin)
	defer cancel()
	if err := w.cfg.Client.CommitApart(ctx, w.copies.group, []kafkalog.Offset{at}); err != nil {
		w.cfg.Log.Debug("cannot keep what was seen of the sources", "error", err)
	}
}

// seenTopic is what was seen of a topic: the zero value when it was not there.
type seenTopic struct {
	id         [16]byte
	partitions int
}

// maxSeen bounds the metadata, which brokers allow 4096 bytes: sources beyond it are as if they were seen for the first time.
const maxSeen = 4000

// seen is what parseSeen reads.
func (l *layout) seen(sources []SourceTopic) string {
	b := []byte("driftd1")
	for _, s := range sources {
		id := l.ids[s.Topic]
		n := len(b)
		b = append(append(append(b, ' '), s.Topic...), ' ')
		b = append(base64.RawStdEncoding.AppendEncode(b, id[:]), ' ')
		if b = strconv.AppendInt(b, int64(l.partitions[s.Topic]), 10); len(b) > maxSeen {
			b = b[:n]
		}
	}
	return string(b)
}

// parseSeen reads what was seen of topics; nothing of what is not ours.
func parseSeen(metadata string) map[string]seenTopic {
	seen := make(map[string]seenTopic)
	f := strings.Fields(metadata)
	if len(f) == 0 || f[0] != "driftd1" {
		return seen
	}
	for f = f[1:]; len(f) >= 3; f = f[3:] {
		var at seenTopic
		id, err := base64.RawStdEncoding.DecodeString(f[1])
		n, err2 := strconv.Atoi(f[2])
		if err != nil || err2 != nil || len(id) != len(at.id) {
			continue
		}
		at.id, at.partitions = [16]byte(id), n
		seen[f[0]] = at
	}
	return seen
}
