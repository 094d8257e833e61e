package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/kafkalog"
)

// scaleShare is what each instance gets of one CPU where only so much can be given: three of them, the broker and what feeds it
// fit on two CPUs.
const scaleShare = 0.2

const perRecord = 50 // spans

// taken is how a fleet took its load.
type taken struct {
	rate   float64       // spans/s from the moment at which all was shared out
	cpu    time.Duration // of all instances, for all spans
	used   float64       // CPUs that each had, on average, while the rate was measured
	idle   float64       // of the machine meanwhile
	spread string        // partitions of each instance
	size   float64       // bytes of samples
}

// scaleOut lets one instance, then three, work off the same backlog.
func (b *bench) scaleOut() error {
	records := b.size(40_000)
	spans := records * perRecord
	limits, err := newShare(scaleShare)
	says := fmt.Sprintf("each instance limited to %.2f CPU by a control group (quota over %v); broker and load outside of it", scaleShare, sharePeriod)
	if err != nil {
		limits = nil
		says = fmt.Sprintf("CPU cannot be limited here (%v): compared by CPU time", err)
	}
	c, err := kafkalog.Dial(kafkalog.Config{Brokers: b.brokers}, quiet())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.EnsureTopics(b.ctx, []kafkalog.TopicSpec{{Name: scaleSource, Partitions: scalePartitions, ReplicationFactor: 1}}); err != nil {
		return err
	}
	var results []taken
	size := 0 // of the source
	for _, n := range []int{1, 3} {
		got, err := b.takeLoad(n, records, limits, func() error {
			if n > 1 {
				return nil // it is there
			}
			t := newTraffic(spans, 800)
			for i, name := range evenPrompts(16) {
				for j := range 50 {
					t.cells[i*50+j].Prompt = name
				}
			}
			size, err = fill(b.ctx, c, scaleSource, scalePartitions, records, func() []byte { return t.otlp(perRecord) })
			return err
		})
		if err != nil {
			return fmt.Errorf("%d instances: %w", n, err)
		}
		results = append(results, got)
	}
	one, three := results[0], results[1]
	note := func(t taken) string {
		return fmt.Sprintf("%d partitions: %s; %.2f CPU each, the machine was %.0f %% idle", scalePartitions, t.spread, t.used, 100*t.idle)
	}
	b.report(figure{What: "load taken by one instance", Value: one.rate / 1000, Unit: "k spans/s", Note: note(one)})
	b.report(figure{What: "load taken by three", Value: three.rate / 1000, Unit: "k spans/s", Note: note(three)})
	times := three.rate / one.rate
	if limits == nil || b.quick {
		times = 3 * one.cpu.Seconds() / three.cpu.Seconds()
	}
	b.report(figure{What: "  three over one", Value: times, Unit: "×", Target: 2.5, Note: says})
	b.report(figure{What: "  samples written for a span", Value: one.size / float64(spans), Unit: "bytes", Note: fmt.Sprintf("%d bytes of source a span", size/spans)})
	b.report(figure{
		What: "  CPU time of a span, three over one", Value: three.cpu.Seconds() / one.cpu.Seconds(), Unit: "×",
		Note: fmt.Sprintf("%d spans, %.2f and %.2f µs, start and groups included", spans, one.cpu.Seconds()*1e6/float64(spans), three.cpu.Seconds()*1e6/float64(spans)),
	})
	return nil
}

// takeLoad starts n instances on a backlog and measures from the moment at which the partitions are shared out evenly to the
// end: so what an uneven share costs is in it.
func (b *bench) takeLoad(n, records int, limits *share, load func() error) (got taken, err error) {
	f, err := b.newFleet(fmt.Sprintf("scale%d.", n))
	if err != nil {
		return got, err
	}
	defer limits.close()
	defer f.close()
	f.share = limits
	if err := load(); err != nil {
		return got, err
	}
	for i := range n {
		if _, err := f.start(fmt.Sprintf("driftd%d", i)); err != nil {
			return got, err
		}
	}
	if err := f.settled(f.all...); err != nil {
		return got, err
	}
	left := func() (events, samples float64) { // records that are still to be read
		for _, i := range f.all {
			s := i.figures()
			events, samples = events+s.sum("driftd_consumer_lag_records"), samples+s.sum("driftd_detector_lag_records")
		}
		return events, samples
	}
	used := func() (total time.Duration) {
		for _, i := range f.all {
			total += i.cpu()
		}
		return total
	}
	var spread []string
	for _, i := range f.all {
		ingest, detect := i.figures().owned()
		spread = append(spread, fmt.Sprintf("%d+%d", ingest, detect))
	}
	var events float64
	if err := f.until("a first look at every partition", func() bool {
		behind, read := 0, 0.0
		for _, i := range f.all {
			for _, n := range i.figures().byPartition(`driftd_consumer_lag_records{topic="` + scaleSource + `"`) {
				if n > 0 {
					behind++
				}
			}
			read += i.figures().sum("driftd_consumer_records_total")
		}
		events, _ = left()
		return behind == scalePartitions || int(read) >= records // a small load is gone by then
	}); err != nil {
		return got, err
	}
	began, cpu, idle := time.Now(), used(), idleTime()
	still := 0
	if err := f.until("all spans", func() bool {
		time.Sleep(200 * time.Millisecond) // looking costs the instances CPU
		events, samples := left()
		if still++; events+samples > 0 {
			still = 0
		}
		return still > 1
	}); err != nil {
		return got, err
	}
	took := time.Since(began).Seconds()
	for _, i := range f.all {
		got.size += i.figures().sum("driftd_consumer_batch_bytes_sum")
	}
	return taken{
		size: got.size, rate: events * perRecord / took, cpu: used(), used: (used() - cpu).Seconds() / took / float64(n),
		idle: (idleTime() - idle).Seconds() / took / float64(runtime.NumCPU()), spread: strings.Join(spread, ", "),
	}, nil
}

// evenPrompts are n names that fall on the partitions evenly.
func evenPrompts(n int) []string {
	names := make([]string, 0, n)
	for i := 0; len(names) < n; i++ {
		name := fmt.Sprintf("intent_classifier_%d", i)
		if kafkalog.PartitionFor(name, scalePartitions) == len(names)%scalePartitions {
			names = append(names, name)
		}
	}
	return names
}

// idleTime is how long the machine's CPUs have had nothing to do, all together.
func idleTime() time.Duration {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	fields := strings.Fields(line)
	if len(fields) < 5 {
		return 0
	}
	n, _ := strconv.ParseInt(fields[4], 10, 64)
	return time.Duration(n) * 10 * time.Millisecond
}
