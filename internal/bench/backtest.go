package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/backtest"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/windows"
)

// backtestLanes is the partitions that a backtest has unless a config says otherwise.
const backtestLanes = 16

// backtest replays a file of native events, an hour of 1,000 cells, through the rule of job.
func (b *bench) backtest() error {
	events := b.size(2_000_000)
	set, err := ruleSet(meanRule)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "driftd-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "events.jsonl")
	size, err := writeEvents(file, newTraffic(events, 1_000), events)
	if err != nil {
		return err
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	feed, err := consumer.NewFeed(consumer.Config{
		Encodings: map[string]consumer.Format{"driftd_json": {New: driftdjson.New}}, Dimensions: []consumer.Dimension{{Name: "tier"}, {Name: "locale"}},
		Linking: consumer.Linking{Wait: 10 * time.Second, Horizon: 30 * time.Minute, Memory: 256 << 20},
	}, consumer.SourceTopic{Topic: file, Encoding: "driftd_json"}, backtestLanes, func(prompt string) int { return kafkalog.PartitionFor(prompt, backtestLanes) })
	if err != nil {
		return err
	}
	o := backtest.Options{
		Rules: set, Windows: windows.Options{Dimensions: dimensions}, Partitions: backtestLanes, Steps: func([]detector.Record) error { return nil },
	}
	before := now()
	var report *backtest.Report
	if err := b.profiled("backtest", func() (err error) {
		report, err = backtest.Events(b.ctx, o, feed, backtest.NewLines(b.ctx, in))
		return err
	}); err != nil {
		return err
	}
	work := now().since(before)
	if n := report.Detected.Samples; n != events || report.Refused() > 0 || report.Lag.Events > 0 {
		return fmt.Errorf("%d of %d events counted, %d refused, %d late", n, events, report.Refused(), report.Lag.Events)
	}
	b.report(figure{
		What: "backtest, 1 h mean of 1000 cells", Value: float64(events) / 1e6 / work.wall.Seconds(), Unit: "M events/s", Target: 0.5,
		PerEvent: work.per("event", events),
		Note:     fmt.Sprintf("by the clock; %d events of %d B, %.1f CPU-s in %.1f s", events, size/events, work.cpu.Seconds(), work.wall.Seconds()),
	})
	return nil
}

// writeEvents writes so many calls of traffic, one a line.
func writeEvents(file string, t *traffic, events int) (size int, err error) {
	f, err := os.Create(file)
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriterSize(f, 1<<20)
	for range events {
		n, _ := out.Write(append(t.native(), '\n'))
		size += n
	}
	if err := out.Flush(); err != nil {
		f.Close()
		return 0, err
	}
	return size, f.Close()
}
