package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// seriesPerCell: four continuous metrics and two rubrics of ten values and of five.
const seriesPerCell = 6

// full feeds 24 hours of calls to a partition: each cell has 10 to most a minute, and so has each of its series.
type full struct {
	rng    *rand.Rand
	cells  int
	most   int
	names  []string // of prompts; nil: made up
	enc    *windows.Encoder
	offset int64
	first  int64 // Unix ns, a whole minute

	kept   []int // cells whose latencies are kept as they are
	values [][]observation
}

type observation struct {
	at    int64
	value float64
}

const fullMinutes = 24*60 + 15 // until the oldest quarter of an hour has left the window

func newFull(cells int) *full {
	f := &full{rng: rand.New(rand.NewPCG(3, 4)), cells: cells, most: 100, enc: windows.NewEncoder()}
	f.first = time.Now().Add(-fullMinutes * time.Minute).Truncate(15 * time.Minute).UnixNano()
	f.kept = []int{0, cells / 3, cells - 1}
	f.values = make([][]observation, len(f.kept))
	return f
}

func (f *full) rate(cell int) int { return 10 + cell*(f.most-10)/max(f.cells-1, 1) }

func (f *full) labels(cell int) (prompt, tier, locale string) {
	prompt = fmt.Sprintf("prompt_%d", cell/100)
	if f.names != nil {
		prompt = f.names[cell*len(f.names)/f.cells]
	}
	return prompt, fmt.Sprintf("tier%d", cell%5), fmt.Sprintf("loc%d", cell%100/5)
}

// minute is the batch of a minute of all cells.
func (f *full) minute(m int) []byte {
	start := f.first + int64(m)*int64(time.Minute)
	swing := 1 + 0.4*math.Sin(float64(m)/1440*2*math.Pi)
	grounding, helpfulness := []byte("grounding"), []byte("helpfulness")
	for c := range f.cells {
		prompt, tier, locale := f.labels(c)
		s := windows.Sample{
			Cell: windows.AppendKey(nil, prompt, "v22", tier, locale), Axes: windows.AppendKey(nil, "", "", "", ""),
			Mask: windows.MaskCall | windows.MaskTrace | 1<<windows.BuiltinLatency | 1<<windows.BuiltinTTFT | 1<<windows.BuiltinInputTokens | 1<<windows.BuiltinCost,
		}
		keep := slices.Index(f.kept, c)
		for i := range f.rate(c) {
			s.Offset = f.offset
			f.offset++
			s.Time = start + int64(i)*int64(time.Minute)/int64(f.rate(c))
			s.Values[windows.BuiltinLatency] = swing * math.Exp(f.rng.NormFloat64()*0.6)
			s.Values[windows.BuiltinTTFT] = swing * math.Exp(f.rng.NormFloat64()) / 5
			s.Values[windows.BuiltinInputTokens] = math.Round(400 + f.rng.NormFloat64()*80)
			s.Values[windows.BuiltinCost] = math.Exp(f.rng.NormFloat64()) / 1000
			s.Scores = append(s.Scores[:0], windows.Score{Rubric: grounding, Value: float64(f.rng.IntN(10)) / 10},
				windows.Score{Rubric: helpfulness, Value: float64(1 + f.rng.IntN(5))})
			f.enc.Add(&s)
			if keep >= 0 {
				f.values[keep] = append(f.values[keep], observation{s.Time, s.Values[windows.BuiltinLatency]})
			}
		}
	}
	end := start + int64(time.Minute)
	data := f.enc.AppendBatch(nil, &windows.Header{Source: windows.Source{Topic: sourceTopic}, Clock: end, Watermark: end, Dimensions: dimensions})
	f.enc.Reset()
	return data
}

// feed gives all minutes to a partition.
func (f *full) feed(set *rules.Set) (*detector.Partition, error) {
	p := detector.NewPartition(detector.PartitionOptions{Windows: windows.Options{Dimensions: dimensions}, Rules: set})
	var batch windows.Batch
	for m := range fullMinutes {
		if err := batch.Decode(f.minute(m)); err != nil {
			return nil, err
		}
		p.Apply(&batch)
	}
	f.enc = nil
	return p, nil
}

// memory fills series, looks at the heap and at the errors of their quantiles, and restores twenty such partitions from the
// state topic: twenty thousand series.
func (b *bench) memory() error {
	partitions, cells := 20, 167
	if b.quick {
		partitions, cells = 4, 10
	}
	set, err := ruleSet(`{alert: Mean, rubric: grounding, threshold: {stat: mean, window: 1h, below: 0.01}}`)
	if err != nil {
		return err
	}
	f := newFull(cells)
	empty := heap()
	feeding := now()
	p, err := f.feed(set)
	if err != nil {
		return err
	}
	fed := now().since(feeding)
	kept := 0
	for _, v := range f.values {
		kept += cap(v) * 16
	}
	n := cells * seriesPerCell
	perSeries := (float64(heap()) - float64(empty) - float64(kept)) / float64(n) / 1024

	var records [][]byte
	if err := p.Checkpoint(0, func(more [][]byte) (offsets []int64, err error) {
		for _, r := range more {
			offsets = append(offsets, int64(len(records)))
			records = append(records, slices.Clone(r))
		}
		return offsets, nil
	}); err != nil {
		return err
	}
	b.report(figure{
		What: "memory of a full series, fed", Value: perSeries, Unit: "KB/series", Target: 24, AtMost: true,
		Note: fmt.Sprintf("%d series that were fed for 24 h, %.0f s of CPU, on the heap", n, fed.cpu.Seconds()),
	})
	p = nil
	if err := b.quantiles(f, records); err != nil {
		return err
	}
	f = nil
	return b.restore(partitions, n, records, set)
}

// quantiles compares what windows over restored panes say with the values themselves.
func (b *bench) quantiles(f *full, records [][]byte) error {
	finder := windows.NewFinder()
	for _, r := range records {
		finder.Add(r)
	}
	cp, ok := finder.Best()
	if !ok {
		return fmt.Errorf("there is no checkpoint in %d records", len(records))
	}
	s := windows.NewStore(windows.Options{Dimensions: dimensions})
	if _, err := s.Restore(cp, func(offsets []int64, each func([]byte) error) error {
		for _, o := range offsets {
			if err := each(records[o]); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	for _, w := range []struct {
		window  time.Duration
		targets [3]float64 // of p50, p95 and p99, in percent
	}{{time.Hour, [3]float64{1, 1, 4}}, {24 * time.Hour, [3]float64{0.5, 1, 1}}} {
		v := s.SetViews([]windows.ViewSpec{{Metric: windows.Latency, Window: w.window, By: dimensions, Quantiles: true}})[0]
		var worst [3]float64
		for i, cell := range f.kept {
			prompt, tier, locale := f.labels(cell)
			g := v.Find(prompt, "v22", []string{tier, locale})
			if g == nil {
				return fmt.Errorf("cell %d is not in the window of %s", cell, w.window)
			}
			values := f.last(i, int(g.Count()))
			for j, q := range []float64{0.5, 0.95, 0.99} {
				rank := int(math.Ceil(q*float64(len(values)))) - 1
				// between neighbours at that rank any value is right
				lo, hi := values[max(rank-1, 0)], values[min(rank+1, len(values)-1)]
				got := g.Quantile(q)
				worst[j] = max(worst[j], 100*max(0, lo/got-1, got/hi-1))
			}
		}
		for j, name := range []string{"p50", "p95", "p99"} {
			b.report(figure{
				What: fmt.Sprintf("  largest error of %s over %s", name, hours(w.window)), Value: worst[j], Unit: "%", Target: w.targets[j], AtMost: true,
				Note: fmt.Sprintf("lognormal latencies, %d, %d and %d a minute", f.rate(f.kept[0]), f.rate(f.kept[1]), f.rate(f.kept[2])),
			})
		}
	}
	return nil
}

func hours(d time.Duration) string { return fmt.Sprintf("%.0f h", d.Hours()) }

// last are the newest n latencies of a kept cell, sorted.
func (f *full) last(kept, n int) []float64 {
	all := f.values[kept]
	values := make([]float64, 0, n)
	for _, o := range all[len(all)-n:] {
		values = append(values, o.value)
	}
	slices.Sort(values)
	return values
}

// restore writes the records into every partition of the state topic and starts detect.
func (b *bench) restore(partitions, series int, records [][]byte, set *rules.Set) error {
	c, err := b.client(partitions)
	if err != nil {
		return err
	}
	defer c.Close()
	size := 0
	for _, r := range records {
		var msgs []kafkalog.Message
		for p := range partitions {
			msgs = append(msgs, kafkalog.Message{Topic: prefix + "state", Partition: p, Value: r})
			size += len(r)
		}
		if _, err := c.Produce(b.ctx, msgs); err != nil {
			return err
		}
	}
	clear(records)
	s, count := detectStage(c, set, 0)
	s.done = func() bool { return count(`restores_total{result="checkpoint"}`) == partitions }
	var held uint64
	empty := heap()
	work, _, err := b.finish("restore", func() { held = heap() - empty }, s)
	if err != nil {
		return err
	}
	total := series * partitions
	b.report(figure{
		What: fmt.Sprintf("memory of %d full series, restored", total), Value: float64(held) / float64(total) / 1024, Unit: "KB/series", Target: 24, AtMost: true,
		Note: fmt.Sprintf("%d MB on the heap, the worker and its connections included", held>>20),
	})
	b.report(figure{
		What: fmt.Sprintf("restore of %d full series", total), Value: work.cpu.Seconds(), Unit: "CPU-s", Target: 2, AtMost: true,
		PerEvent: work.per("series", total),
		Note:     fmt.Sprintf("%d MB in %d partitions of the state topic; %.1f s by the clock, joining the group included", size>>20, partitions, work.wall.Seconds()),
	})
	return nil
}
