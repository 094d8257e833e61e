package demo

import (
	"context"
	"sync"
	"time"

	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/windows"
)

// figures reads what ingest writes, the samples topic, a second time beside detect, and folds it into windows as detect does.
// So the demo can tell the figures of versions that no alert is about, and how far driftd has come.
type figures struct {
	client *kafkalog.Client
	topic  string
	lanes  int // source partitions: each writes into each samples partition

	mu struct {
		sync.Mutex
		stores []*windows.Store
		clocks []map[windows.Source]int64 // newest ingest clock, by samples partition
		minute time.Time                  // end of the newest minute that all stores have sealed
		calls  int64                      // samples folded
		broken int64                      // records that could not be decoded
	}
	moved *sync.Cond // on mu
	// onMinute is called, with mu held, when minute has moved. It may read figures by of, span and nothing else.
	onMinute func(minute time.Time)
}

func newFigures(client *kafkalog.Client, topic string, partitions, lanes int) *figures {
	f := &figures{client: client, topic: topic, lanes: lanes, onMinute: func(time.Time) {}}
	f.moved = sync.NewCond(&f.mu)
	for range partitions {
		f.mu.stores = append(f.mu.stores, windows.NewStore(windows.Options{Dimensions: dimensions}))
		f.mu.clocks = append(f.mu.clocks, make(map[windows.Source]int64))
	}
	return f
}

// read follows one samples partition until ctx ends.
func (f *figures) read(ctx context.Context, partition int) {
	follow(ctx, f.client, f.topic, partition, func() func(*kafkalog.Record) {
		var batch windows.Batch
		return func(r *kafkalog.Record) { f.fold(partition, &batch, r.Value) }
	}())
	f.moved.Broadcast()
}

// follow reads a partition from its beginning until ctx ends.
func follow(ctx context.Context, client *kafkalog.Client, topic string, partition int, each func(*kafkalog.Record)) {
	fetcher, offset := client.NewFetcher(topic, partition), int64(0)
	for b := (kafkalog.Backoff{Max: time.Second}); b.Wait(ctx); {
		got, err := fetcher.Fetch(ctx, offset, time.Second)
		if err != nil {
			continue // the broker is in this process: it is there, or the demo ends
		}
		b.Reset()
		for got.Next() {
			each(got.Record())
		}
		offset = got.NextOffset()
	}
}

func (f *figures) fold(partition int, batch *windows.Batch, value []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.moved.Broadcast()
	if err := batch.Decode(value); err != nil {
		f.mu.broken++
		return
	}
	f.mu.calls += int64(f.mu.stores[partition].Fold(batch).Samples)
	clocks := f.mu.clocks[partition]
	clocks[batch.Source] = max(clocks[batch.Source], batch.Clock)
	f.mu.stores[partition].Advance(func(time.Time) {})
	least := f.mu.stores[0].Watermark()
	for _, s := range f.mu.stores[1:] {
		if w := s.Watermark(); w.Before(least) {
			least = w
		}
	}
	if least = least.Truncate(time.Minute); least.After(f.mu.minute) {
		f.mu.minute = least
		f.onMinute(least)
	}
}

// awaitClock waits until every source partition has told every samples partition of an ingest clock of at least t.
func (f *figures) awaitClock(ctx context.Context, t time.Time) error {
	return f.await(ctx, func() bool {
		for _, clocks := range f.mu.clocks {
			if len(clocks) < f.lanes {
				return false
			}
			for _, c := range clocks {
				if c < t.UnixNano() {
					return false
				}
			}
		}
		return true
	})
}

// awaitMinute waits until all minutes before t are sealed.
func (f *figures) awaitMinute(ctx context.Context, t time.Time) error {
	return f.await(ctx, func() bool { return !f.mu.minute.Before(t) })
}

func (f *figures) await(ctx context.Context, until func() bool) error {
	stop := context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.moved.Broadcast()
	})
	defer stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	for !until() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f.moved.Wait()
	}
	return nil
}

// of gives one metric of a prompt version, or of a cohort of it, over a window that ends now; zero when there is none. mu must
// be held.
func (f *figures) of(metric, prompt, version string, cohort map[string]string, window time.Duration) windows.Figures {
	for _, fig := range f.store(prompt).Figures(windows.Query{Prompt: prompt, Version: version, Cohort: cohort}, window) {
		if fig.Metric == metric {
			return fig
		}
	}
	return windows.Figures{Metric: metric}
}

// store is that of the prompt's partition.
func (f *figures) store(prompt string) *windows.Store {
	return f.mu.stores[kafkalog.PartitionFor(prompt, len(f.mu.stores))]
}
