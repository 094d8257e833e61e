package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// The rules with a budget, one series for each cell. The canary's two sides are the two versions that each cohort has.
const (
	driftRule  = "{alert: Drift, rubric: citation_grounding, drift: {drop: 0.05, against: {fixed: 0.5}}}"
	exceedRule = "{alert: Exceed, metric: latency, exceed: {above: 2s, share: 0.5}}"
	canaryRule = "{alert: Canary, rubric: citation_grounding, canary: {drop: 0.05, against: {version: v0}}}"
)

// sequential is what rules with a budget add to a minute in which every series has values, and to a checkpoint.
func (b *bench) sequential() error {
	n := b.size(100_000)
	bare, err := b.minutes(n, &rules.Set{})
	if err != nil {
		return err
	}
	for _, r := range []struct {
		kind, rule string
		series     int
	}{{"drift", driftRule, n}, {"exceed", exceedRule, n}, {"canary", canaryRule, n / 2}} {
		set, err := ruleSet(r.rule)
		if err != nil {
			return err
		}
		with, err := b.minutes(n, set)
		if err != nil {
			return err
		}
		per := func(of float64) float64 { return of * float64(100_000) / float64(r.series) }
		b.report(figure{
			What: fmt.Sprintf("%s rule, 100,000 series", r.kind), Value: per((with.seconds - bare.seconds)), Unit: "CPU-s/minute", Target: 0.3, AtMost: true,
			Note: fmt.Sprintf("%d series with two values each a minute: %.2f s with the rule, %.2f s without", r.series, with.seconds, bare.seconds),
		})
		b.report(figure{
			What: "  its state in a checkpoint", Value: (with.saved - bare.saved) / float64(r.series), Unit: "B/series", Target: 500, AtMost: true,
		})
	}
	return nil
}

// burden is what a partition costs.
type burden struct{ seconds, saved float64 }

// minutes feeds a partition of n cells for some minutes, of which the first do not count.
func (b *bench) minutes(n int, set *rules.Set) (burden, error) {
	const warm, counted = 5, 20
	f := &thin{rng: rand.New(rand.NewPCG(5, 6)), cells: n, enc: windows.NewEncoder(), first: time.Now().Truncate(time.Hour).UnixNano()}
	p := detector.NewPartition(detector.PartitionOptions{Windows: windows.Options{Dimensions: dimensions}, Rules: set})
	var batch windows.Batch
	var spent float64
	for m := range warm + counted {
		if err := batch.Decode(f.minute(m)); err != nil {
			return burden{}, err
		}
		began := now()
		p.Apply(&batch)
		if n := p.Counts().Steps; n > 0 {
			return burden{}, fmt.Errorf("%d steps, want none", n)
		}
		if m >= warm {
			spent += now().since(began).cpu.Seconds()
		}
	}
	saved := 0.0
	err := p.Checkpoint(0, func(records [][]byte) (offsets []int64, err error) {
		for i, r := range records {
			saved += float64(len(r))
			offsets = append(offsets, int64(i))
		}
		return offsets, nil
	})
	return burden{spent / counted, saved}, err
}

// thin makes minutes of two values for each of many cells: a score and a latency.
type thin struct {
	rng    *rand.Rand
	cells  int
	first  int64
	offset int64
	enc    *windows.Encoder
}

func (f *thin) minute(m int) []byte {
	start := f.first + int64(m)*int64(time.Minute)
	rubric, axes := []byte("citation_grounding"), windows.AppendKey(nil, "", "", "", "")
	for c := range f.cells {
		s := windows.Sample{
			Cell: windows.AppendKey(nil, fmt.Sprintf("prompt_%d", c/1000), fmt.Sprintf("v%d", c%2), fmt.Sprintf("tier%d", c/2%5), fmt.Sprintf("loc%d", c%1000/10)),
			Axes: axes, Mask: windows.MaskCall | 1<<windows.BuiltinLatency,
		}
		for i := range 2 {
			s.Offset = f.offset
			f.offset++
			s.Time = start + int64(i)*int64(time.Second)
			s.Values[windows.BuiltinLatency] = 0.5 + f.rng.Float64()
			s.Scores = append(s.Scores[:0], windows.Score{Rubric: rubric, Value: 0.6 + 0.4*f.rng.Float64()})
			f.enc.Add(&s)
		}
	}
	end := start + int64(time.Minute)
	data := f.enc.AppendBatch(nil, &windows.Header{Source: windows.Source{Topic: sourceTopic}, Clock: end, Watermark: end, Dimensions: dimensions})
	f.enc.Reset()
	return data
}
