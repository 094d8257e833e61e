// Package backtest runs the live engine over events or samples that were kept, and tells which steps of alerts come of it: ingest's
// mapping and linking by consumer.Feed, windows and rules by detector.Partition. There is no second implementation of anything, so
// that what it prints is what the daemon would have written to the alerts topic.
package backtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// Options say what is replayed, and to whom it is told.
type Options struct {
	Rules      *rules.Set
	Windows    windows.Options
	Partitions int // of the samples
	Workers    int // goroutines that own partitions; 0: one a CPU

	// Steps takes steps in the order of event time, then of partitions; they are its own until it returns. An error ends the replay.
	Steps func([]detector.Record) error
	// Look is called at each Tick, if there is one, by the goroutine that calls Steps.
	Look func(*Report)
	Tick <-chan time.Time
}

// inFlight bounds the rounds that are read but not yet judged, and so the memory.
const inFlight = 6

// job is a round on its way through the workers.
type job struct {
	fed   *consumer.Fed
	done  sync.WaitGroup // of all workers
	steps [][]numbered   // by worker
	end   end
}

// end is where the feed is behind a round.
type end struct {
	line           int64
	oldest, newest time.Time
	lag            consumer.Lag
}

// numbered is a step and where it is from.
type numbered struct {
	detector.Record
	partition int
}

// replay is a file under way: one goroutine reads and decodes, each worker owns some of the partitions, and who called puts what
// they make into one order.
type replay struct {
	Options
	feed    *consumer.Feed
	in      *Lines
	workers []*worker
	rounds  chan *job
	free    chan *job
	failed  error // of reading; good when rounds is closed
}

// Events replays a file of events through a feed for as many partitions as o says. What it gives is good as far as it came when there is
// an error: of reading, of Steps, or why ctx ended.
func Events(ctx context.Context, o Options, feed *consumer.Feed, in *Lines) (*Report, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &replay{Options: o, feed: feed, in: in, rounds: make(chan *job, inFlight), free: make(chan *job, inFlight)}
	if r.Workers <= 0 {
		r.Workers = runtime.GOMAXPROCS(0)
	}
	r.Workers = min(r.Workers, o.Partitions)
	for range inFlight {
		r.free <- &job{steps: make([][]numbered, r.Workers)}
	}
	var wg sync.WaitGroup
	for i := range r.Workers {
		w := newWorker(&o, i, r.Workers)
		r.workers = append(r.workers, w)
		wg.Go(w.work)
	}
	wg.Go(func() {
		r.failed = r.read(ctx)
		close(r.rounds)
		for _, w := range r.workers {
			close(w.jobs)
		}
	})
	report := newReport(o.Rules)
	err := r.collect(report, cancel)
	wg.Wait()
	for _, w := range r.workers {
		report.judged(w)
		err = cmp.Or(err, w.failed)
	}
	return report, cmp.Or(err, r.failed)
}

// read feeds line after line, until all are or ctx ends.
func (r *replay) read(ctx context.Context) error {
	var rec consumer.Record
	for {
		line, number, err := r.in.Next()
		switch {
		case err == nil:
			rec = consumer.Record{Offset: number - 1, Value: line}
			r.feed.Add(&rec)
		case errors.Is(err, ErrLong):
			r.feed.Refuse(number-1, consumer.Malformed, "the line is "+ErrLong.Error())
		case err == io.EOF:
			r.feed.End()
			return r.send(ctx, number)
		default:
			return err
		}
		if err := r.send(ctx, number); err != nil {
			return err
		}
	}
}

// send gives what the feed has ready to all workers.
func (r *replay) send(ctx context.Context, line int64) error {
	for fed := r.feed.Next(); fed != nil; fed = r.feed.Next() {
		var j *job
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case j = <-r.free:
		}
		if j.fed != nil {
			r.feed.Recycle(j.fed)
		}
		j.fed = fed
		j.end = end{line: line, lag: r.feed.Lag()}
		j.end.oldest, j.end.newest = r.feed.Times()
		j.done.Add(len(r.workers))
		for _, w := range r.workers {
			w.jobs <- j
		}
		r.rounds <- j // has room for all that there are
	}
	return nil
}

// collect tells the steps of round after round.
func (r *replay) collect(report *Report, cancel context.CancelCauseFunc) (err error) {
	var steps []numbered
	var told []detector.Record
	for {
		select {
		case <-r.Tick:
			r.Look(report)
			continue
		case j, ok := <-r.rounds:
			if !ok {
				return err
			}
			j.done.Wait()
			steps = steps[:0]
			for i := range j.steps {
				steps = append(steps, j.steps[i]...)
			}
			slices.SortStableFunc(steps, func(a, b numbered) int {
				return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.partition, b.partition))
			})
			told = told[:0]
			for i := range steps {
				told = append(told, steps[i].Record)
			}
			report.round(j)
			if err == nil && len(told) > 0 {
				report.steps(told)
				if err = r.Steps(told); err != nil {
					cancel(err)
				}
			}
			r.free <- j
		}
	}
}

// worker owns the partitions whose number leaves the same rest.
type worker struct {
	number, of int
	partitions []*detector.Partition
	jobs       chan *job
	batch      windows.Batch
	prompts    map[string]bool
	rubrics    map[string]bool
	looked     time.Time // event time when prompts were last asked for
	failed     error
}

func newWorker(o *Options, number, of int) *worker {
	w := &worker{number: number, of: of, jobs: make(chan *job, inFlight), prompts: map[string]bool{}, rubrics: map[string]bool{}}
	for p := number; p < o.Partitions; p += of {
		w.partitions = append(w.partitions, detector.NewPartition(detector.PartitionOptions{Windows: o.Windows, Rules: o.Rules, Partitions: o.Partitions}))
	}
	return w
}

func (w *worker) work() {
	for j := range w.jobs {
		steps := j.steps[w.number][:0]
		for _, b := range j.fed.Batches {
			if b.Partition%w.of == w.number && w.failed == nil {
				steps = w.apply(b, steps)
			}
		}
		if at := j.fed.Watermark; at.Sub(w.looked) >= time.Hour {
			w.look()
			w.looked = at
		}
		j.steps[w.number] = steps
		j.done.Done()
	}
	w.look()
}

func (w *worker) apply(b consumer.FedBatch, steps []numbered) []numbered {
	if err := w.batch.Decode(b.Data); err != nil {
		w.failed = fmt.Errorf("BUG: the feed's samples cannot be read: %w", err)
		return steps
	}
	return w.judge(b.Partition, steps)
}

// judge applies the batch at hand to its partition.
func (w *worker) judge(partition int, steps []numbered) []numbered {
	for i := range w.batch.Shapes {
		for _, name := range w.batch.Shapes[i].Rubrics {
			if !w.rubrics[string(name)] {
				w.rubrics[string(name)] = true
			}
		}
	}
	for _, rec := range w.partitions[partition/w.of].Apply(&w.batch) {
		if rec.Type.IsStep() { // the rest is for those who act on them
			steps = append(steps, numbered{rec, partition})
		}
	}
	return steps
}

// look asks the windows for the prompts that they have, which they forget in a day.
func (w *worker) look() {
	for _, p := range w.partitions {
		for _, name := range p.Store().Prompts() {
			w.prompts[name] = true
		}
	}
}
