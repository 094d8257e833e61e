package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/driftd/driftd/internal/kafkalog"
)

// linkers are those of the partition numbers that a worker reads.
type linkers struct {
	mu   sync.Mutex
	by   map[int]*linker
	said string // what was last said of what cannot be linked
}

// join gives a source partition the linker of its number.
func (w *Worker) join(claim *kafkalog.Claim) *part {
	w.linkers.mu.Lock()
	defer w.linkers.mu.Unlock()
	n := claim.Partition
	l := w.linkers.by[n]
	if l == nil {
		most, topics := 1, w.topics.Load().partitions
		for _, partitions := range topics {
			most = max(most, partitions)
		}
		l = newLinker(w.cfg.Linking, w.cfg.Disorder, most, len(topics), func() []string {
			if numbered := w.topics.Load().numbered; n < len(numbered) {
				return numbered[n]
			}
			return nil
		})
		if w.linkers.by == nil {
			w.linkers.by = make(map[int]*linker)
		}
		w.linkers.by[n] = l
		l.folded = w.cfg.Metrics.GetOrCreateCounter("driftd_consumer_link_folded_total")
		gauge := func(thing string, read func(linkStats) int) {
			w.cfg.Metrics.GetOrCreateGauge(linkGauge(thing, n), func() float64 { return float64(read(l.stats())) })
		}
		gauge("spans", func(s linkStats) int { return s.spans })
		gauge("bytes", func(s linkStats) int { return s.bytes })
	}
	return l.join(claim.Topic)
}

func (w *Worker) leave(claim *kafkalog.Claim, p *part) {
	if p == nil {
		return
	}
	w.linkers.mu.Lock()
	defer w.linkers.mu.Unlock()
	if p.leave(); p.alone() && w.linkers.by[claim.Partition] == p.linker {
		delete(w.linkers.by, claim.Partition)
		w.cfg.Metrics.UnregisterMetric(linkGauge("spans", claim.Partition))
		w.cfg.Metrics.UnregisterMetric(linkGauge("bytes", claim.Partition))
	}
}

func linkGauge(thing string, partition int) string {
	return fmt.Sprintf(`driftd_consumer_link_%s{partition="%d"}`, thing, partition)
}

// home tells whether Kafka's default partitioner puts a record of this key into the partition; nil when there is only one.
func (w *Worker) home(claim *kafkalog.Claim) func(key []byte) bool {
	n := w.topics.Load().partitions[claim.Topic]
	if n < 2 {
		return nil
	}
	return func(key []byte) bool { return kafkalog.PartitionFor(string(key), n) == claim.Partition }
}

// back is how long before the beginning one begins to read, to remember what may still be linked to, and what may come again.
func (w *Worker) back(src *sourceTopic, link *part) (back time.Duration) {
	if link != nil {
		back = w.cfg.Linking.Horizon/generations*kept + w.cfg.Linking.Wait + w.cfg.Disorder
	}
	if src.Dedup > 0 { // events may have been ahead of the time at which they came
		back = max(back, src.Dedup+ahead+w.cfg.Disorder)
	}
	return back
}

// dedup makes the memory of one partition of a source; nil where all events count. All such partitions may be this worker's.
func (w *Worker) dedup(src *sourceTopic) *dedup {
	if src.Dedup <= 0 {
		return nil
	}
	partitions := 0
	for topic, n := range w.topics.Load().partitions {
		if w.sources[topic].Dedup > 0 {
			partitions += n
		}
	}
	return newDedup(src.Dedup, w.cfg.Linking.Memory/int64(max(partitions, 1)))
}

// rewind finds where to begin to read: so long before the beginning, by the time that the log shows. It is false when ctx has
// ended or the partition has gone.
func (w *Worker) rewind(ctx context.Context, claim *kafkalog.Claim, b beginning, back time.Duration, link *part, log *slog.Logger) (start int64, ok bool) {
	state := changes{log: log}
	for again := (kafkalog.Backoff{}); again.Wait(ctx); {
		start, err := w.before(ctx, claim, b, back)
		if _, moved := errors.AsType[*kafkalog.OutOfRangeError](err); moved {
			return b.offset, true // the task finds out
		}
		state.note(ctx, "cannot find where what is remembered begins, trying on", err)
		link.fails(err != nil)
		if err == nil {
			return start, true
		}
	}
	return 0, false
}

// blindly is how many records are read again where the log knows no times, or holds nothing but markers just before the beginning.
const blindly = 100_000

func (w *Worker) before(ctx context.Context, claim *kafkalog.Claim, b beginning, back time.Duration) (start int64, err error) {
	if b.offset <= b.first {
		return b.offset, nil
	}
	got, err := w.cfg.Client.NewFetcher(claim.Topic, claim.Partition).Fetch(ctx, max(b.first, b.offset-10), time.Second)
	if err != nil {
		return 0, err
	}
	var times []int64
	for got.Next() && (len(times) == 0 || got.Record().Offset < b.offset) {
		times = append(times, got.Record().Time)
	}
	at := middle(times)
	if at <= 0 {
		return max(b.first, b.offset-blindly), nil
	}
	start, err = w.cfg.Client.OffsetAt(ctx, claim.Topic, claim.Partition, time.UnixMilli(at).Add(-back))
	return min(max(start, b.first), b.offset), err
}

// middle is the median of a few records' times, which one producer's wrong clock does not move; 0 of none.
func middle(times []int64) int64 {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[(len(times)-1)/2]
}

// Unlinkable says what keeps records from being linked, and what to do about it; nothing when all is well. For concurrent use.
func (w *Worker) Unlinkable() []string {
	l := w.topics.Load()
	if l == nil || w.cfg.Linking.Horizon <= 0 {
		return nil
	}
	var topics []string
	counts := make(map[string][numKeying]uint64)
	for name, s := range w.sources {
		topics = append(topics, name)
		var n [numKeying]uint64
		for k := range n {
			n[k] = s.metrics.keys[k].Get()
		}
		counts[name] = n
	}
	slices.Sort(topics)
	return append(countTrouble(topics, l.partitions), keyingTrouble(topics, counts)...)
}

// complain logs what keeps records from being linked when that has changed.
func (w *Worker) complain() {
	now := strings.Join(w.Unlinkable(), "; ")
	w.linkers.mu.Lock()
	defer w.linkers.mu.Unlock()
	if now != w.linkers.said && now != "" {
		w.cfg.Log.Warn("records cannot be linked", "problem", now)
	}
	w.linkers.said = now
}
