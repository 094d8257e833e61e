package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/windows"
)

// liveEvery is how often the live load writes a record of five calls to each partition of the source: 1600 calls a second.
const liveEvery = 50 * time.Millisecond

// live writes a small steady load of calls that end now, until stopped.
func (b *bench) live(c *kafkalog.Client, f *full) (stop func() error) {
	ctx, cancel := context.WithCancel(b.ctx)
	ended := make(chan error, 1)
	go func() {
		rng := rand.New(rand.NewPCG(5, 6))
		tick := time.NewTicker(liveEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				ended <- nil
				return
			case <-tick.C:
			}
			var msgs []kafkalog.Message
			for p := range scalePartitions {
				calls := make([]otlpgen.Call, 5)
				for i := range calls {
					k := &calls[i]
					k.Prompt, k.Tier, k.Locale = f.labels(rng.IntN(f.cells))
					k.Version, k.Model, k.End = "v22", "claude-4-7-sonnet-20260301", time.Now()
					k.Start = k.End.Add(-time.Duration(rng.ExpFloat64() * float64(time.Second)))
					k.InputTokens, k.OutputTokens, k.Cost = 900, 120, 0.001
					for j := range k.Trace {
						k.Trace[j] = byte(rng.Uint32())
					}
					copy(k.Span[:], k.Trace[:])
					k.Scores = []otlpgen.Score{{Rubric: "grounding", Value: float64(rng.IntN(10)) / 10}}
				}
				msgs = append(msgs, kafkalog.Message{Topic: scaleSource, Partition: p, Value: otlpgen.AppendCalls(nil, nil, calls...)})
			}
			if _, err := c.Produce(ctx, msgs); err != nil && ctx.Err() == nil {
				ended <- fmt.Errorf("write the live load: %w", err)
				return
			}
		}
	}()
	return func() error { cancel(); return <-ended }
}

// fillState writes full partitions into the state topic, by the code that writes checkpoints: one is fed, and written to all. Of
// its prompts one falls on each partition, so that the live load reaches some series of each.
func (b *bench) fillState(c *kafkalog.Client, f *fleet, cells int) (load *full, size int, err error) {
	var specs []kafkalog.TopicSpec
	for _, name := range []string{f.prefix + "samples", f.prefix + "state", f.prefix + "alerts", scaleSource} {
		specs = append(specs, kafkalog.TopicSpec{Name: name, Partitions: scalePartitions, ReplicationFactor: 1})
	}
	if err := c.EnsureTopics(b.ctx, specs); err != nil {
		return nil, 0, err
	}
	set, err := ruleSet(meanRule)
	if err != nil {
		return nil, 0, err
	}
	load = newFull(cells)
	load.most, load.kept, load.names = 20, nil, evenPrompts(scalePartitions)
	p, err := load.feed(set)
	if err != nil {
		return nil, 0, err
	}
	err = p.Checkpoint(0, func(records [][]byte) (offsets []int64, err error) {
		for _, r := range records {
			var msgs []kafkalog.Message
			for n := range scalePartitions {
				msgs = append(msgs, kafkalog.Message{Topic: f.prefix + "state", Partition: n, Value: r})
				size += len(r)
			}
			at, err := c.Produce(b.ctx, msgs)
			if err != nil {
				return nil, err
			}
			offsets = append(offsets, at[0])
		}
		return offsets, nil
	})
	return load, size, err
}

// progress watches the samples topic, and the daemons' metrics, for partitions that stand still.
type progress struct {
	f    *fleet
	stop func() error

	mu      sync.Mutex
	ingest  map[int]*pace  // by partition of the source
	detect  map[int]*stall // by partition of samples
	marks   [scalePartitions]map[windows.Source]int64
	problem error
}

// pace is how a partition of the source appears in the samples.
type pace struct {
	last time.Time
	gap  time.Duration // longest since the last reset
}

// stall is how far detect is behind the watermark that the log gives it.
type stall struct {
	log     []mark // what the log has said, ascending, from where detect was
	reached int64
	gap     time.Duration // longest for which something had been in the log, since the last reset
}

type mark struct {
	at        time.Time
	watermark int64
}

func (f *fleet) watch(c *kafkalog.Client) (*progress, error) {
	ctx, cancel := context.WithCancel(f.b.ctx)
	w := &progress{f: f, ingest: map[int]*pace{}, detect: map[int]*stall{}}
	var wg sync.WaitGroup
	w.stop = func() error { cancel(); wg.Wait(); return w.problem }
	for p := range scalePartitions {
		w.detect[p], w.marks[p] = &stall{}, map[windows.Source]int64{}
		_, next, err := c.Bounds(ctx, f.prefix+"samples", p)
		if err != nil {
			w.stop()
			return nil, err
		}
		wg.Go(func() { w.follow(ctx, c, p, next) })
	}
	wg.Go(func() {
		for tick := time.NewTicker(scaleLook); ctx.Err() == nil; <-tick.C {
			w.look()
		}
	})
	return w, nil
}

// follow reads a partition of samples as it grows.
func (w *progress) follow(ctx context.Context, c *kafkalog.Client, p int, offset int64) {
	f := c.NewFetcher(w.f.prefix+"samples", p)
	var batch windows.Batch
	for ctx.Err() == nil {
		got, err := f.Fetch(ctx, offset, 200*time.Millisecond)
		if err != nil {
			continue
		}
		for now := time.Now(); got.Next(); {
			if err := batch.Decode(got.Record().Value); err == nil && batch.Source.Topic == scaleSource {
				w.see(p, &batch, now)
			}
		}
		offset = got.NextOffset()
	}
}

func (w *progress) see(p int, b *windows.Batch, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b.Len() > 0 {
		in := w.ingest[int(b.Source.Partition)]
		if in == nil {
			in = &pace{last: now}
			w.ingest[int(b.Source.Partition)] = in
		}
		in.gap = max(in.gap, now.Sub(in.last))
		in.last = now
	}
	marks := w.marks[p]
	marks[b.Source] = max(marks[b.Source], b.Watermark)
	if len(marks) < scalePartitions {
		return
	}
	least := b.Watermark
	for _, m := range marks {
		least = min(least, m)
	}
	s := w.detect[p]
	if len(s.log) == 0 || least > s.log[len(s.log)-1].watermark {
		s.log = append(s.log, mark{now, least})
	}
}

// look asks the daemons where detect is.
func (w *progress) look() {
	const slack = int64(100 * time.Millisecond) // the metric is told against the clock
	for _, i := range w.f.all {
		found := i.figures()
		now := time.Now()
		w.mu.Lock()
		for p, lag := range found.byPartition("driftd_detector_watermark_lag_seconds{") {
			if lag != 0 {
				w.detect[p].reached = max(w.detect[p].reached, now.UnixNano()-int64(lag*1e9)+slack)
			}
		}
		w.mu.Unlock()
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.detect {
		for len(s.log) > 0 && s.log[0].watermark <= s.reached {
			s.log = s.log[1:]
		}
		if len(s.log) > 0 && s.reached > 0 {
			s.gap = max(s.gap, now.Sub(s.log[0].at))
		}
	}
}

// level tells whether detect is nowhere behind the log by more than a moment.
func (w *progress) level() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.detect {
		if len(s.log) > 0 && time.Since(s.log[0].at) > 300*time.Millisecond {
			return false
		}
	}
	for _, p := range w.ingest {
		if time.Since(p.last) > time.Second {
			return false
		}
	}
	return true
}

// owners tells which instance has which partition.
func (f *fleet) owners() (ingest, detect map[int]string) {
	ingest, detect = map[int]string{}, map[int]string{}
	for _, i := range f.all {
		found := i.figures()
		for p := range found.byPartition(`driftd_consumer_lag_records{topic="` + scaleSource + `"`) {
			ingest[p] = i.name
		}
		for p := range found.byPartition("driftd_detector_lag_records{") {
			detect[p] = i.name
		}
	}
	return ingest, detect
}

// reset begins a new measurement.
func (w *progress) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.ingest {
		p.gap = 0
	}
	for _, s := range w.detect {
		s.gap = 0
	}
}

// gaps are the longest times, since the reset, for which a partition stood still.
func (w *progress) gaps() (ingest, detect map[int]time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ingest, detect = map[int]time.Duration{}, map[int]time.Duration{}
	for n, p := range w.ingest {
		ingest[n] = max(p.gap, time.Since(p.last))
	}
	for n, s := range w.detect {
		detect[n] = s.gap
	}
	return ingest, detect
}
