package backtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/windows"
)

// Log is the samples topic, from a time of its arrival on. It is read without a group: nobody else notices.
type Log struct {
	Client *kafkalog.Client
	Topic  string
	Since  time.Time

	done, all atomic.Int64 // records
}

// Done is how many of how many records have been read; all is 0 while nobody knows. For concurrent use.
func (l *Log) Done() (done, all int64) { return l.done.Load(), l.all.Load() }

// stretch is what is read of a partition.
type stretch struct {
	partition int
	from, to  int64           // offsets
	steps     chan []numbered // in the order of event time
	judge     *worker
	oldest    time.Time // event time of samples
	watermark time.Time
	broken    int // records that cannot be read
	err       error
}

// Samples replays a samples topic, all partitions up to their ends as they are now. The windows are empty at first, as where a
// daemon is new: what compares with the last day has something to compare with a day later. What it gives is good as far as it came
// when there is an error. The topic says how many partitions there are, whatever o says.
func Samples(ctx context.Context, o Options, l *Log) (*Report, error) {
	topics, err := l.Client.Topics(ctx, l.Topic)
	if err != nil {
		return nil, fmt.Errorf("look up topic %s: %w", l.Topic, err)
	}
	o.Partitions = topics[l.Topic].Partitions
	if o.Partitions == 0 {
		return nil, fmt.Errorf("look up topic %s: there is no such topic", l.Topic)
	}
	var parts []*stretch
	all := int64(0)
	for p := range o.Partitions {
		_, next, err := l.Client.Bounds(ctx, l.Topic, p)
		s := &stretch{partition: p, to: next, steps: make(chan []numbered, 16), judge: newWorker(&o, p, o.Partitions)}
		if err == nil {
			s.from, err = l.Client.OffsetAt(ctx, l.Topic, p, l.Since)
		}
		if err != nil {
			return nil, fmt.Errorf("look up %s[%d]: %w", l.Topic, p, err)
		}
		all += max(s.to-s.from, 0)
		parts = append(parts, s)
	}
	l.all.Store(all)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, s := range parts {
		wg.Go(func() {
			defer close(s.steps)
			if s.err = l.read(ctx, s); s.err != nil {
				cancel(s.err)
			}
		})
	}
	report := newReport(o.Rules)
	err = merge(parts, report, &o, cancel)
	wg.Wait()
	for _, s := range parts {
		report.judged(s.judge)
		report.Broken += s.broken
		if !s.oldest.IsZero() && (report.Oldest.IsZero() || s.oldest.Before(report.Oldest)) {
			report.Oldest = s.oldest
		}
		if s.watermark.After(report.Newest) {
			report.Newest = s.watermark
		}
		err = cmp.Or(err, s.err)
	}
	report.Events.Records = uint64(report.Detected.Samples)
	return report, err
}

// read judges one partition.
func (l *Log) read(ctx context.Context, s *stretch) error {
	f := l.Client.NewFetcher(l.Topic, s.partition)
	w := s.judge
	defer w.look()
	again := kafkalog.Backoff{}
	for at, tries := s.from, 0; at < s.to; {
		got, err := f.Fetch(ctx, at, time.Second)
		if gone, ok := errors.AsType[*kafkalog.OutOfRangeError](err); ok && at < gone.First {
			at = gone.First // retention went on meanwhile
			continue
		}
		if err != nil {
			if tries++; tries < maxTries && again.Wait(ctx) {
				continue
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("read %s[%d]@%d: %w", l.Topic, s.partition, at, err)
		}
		tries = 0
		again.Reset()
		for got.Next() && got.Record().Offset < s.to {
			l.done.Add(1)
			if err := w.batch.Decode(got.Record().Value); err != nil {
				s.broken++ // the daemon passes over it too
				continue
			}
			steps := w.judge(s.partition, nil)
			s.times(&w.batch)
			if len(steps) > 0 {
				select {
				case s.steps <- steps:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
		}
		if got.Err() != nil {
			s.broken++
		}
		at = max(at, got.NextOffset())
	}
	return nil
}

// maxTries is how often brokers are asked for the same records.
const maxTries = 20

func (s *stretch) times(b *windows.Batch) {
	for _, at := range b.Time {
		if t := time.Unix(0, at).UTC(); s.oldest.IsZero() || t.Before(s.oldest) {
			s.oldest = t
		}
	}
	if t := s.judge.partitions[0].Store().Watermark(); t.After(s.watermark) {
		s.watermark = t
	}
}

// merge tells the steps of all partitions in one order: of event time, then of partitions.
func merge(parts []*stretch, report *Report, o *Options, cancel context.CancelCauseFunc) (err error) {
	heads := make([][]numbered, len(parts))
	next := func(i int) {
		for {
			select {
			case <-o.Tick:
				o.Look(report)
				continue
			case heads[i] = <-parts[i].steps:
			}
			return
		}
	}
	for i := range parts {
		next(i)
	}
	one := make([]detector.Record, 1)
	for {
		first := -1
		for i, h := range heads {
			if len(h) > 0 && (first < 0 || h[0].Time.Before(heads[first][0].Time)) {
				first = i
			}
		}
		if first < 0 {
			return err
		}
		one[0] = heads[first][0].Record
		if err == nil {
			report.steps(one)
			if err = o.Steps(one); err != nil {
				cancel(err)
			}
		}
		if heads[first] = heads[first][1:]; len(heads[first]) == 0 {
			next(first)
		}
	}
}
