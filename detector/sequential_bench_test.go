package detector

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/windows"
)

// healthy is a partition with n cohorts of one prompt version, of which nothing is wrong: minute makes one of n cells with two
// scores each.
func healthy(b *testing.B, n int, text string) (p *Partition, minute func()) {
	b.Helper()
	p = NewPartition(PartitionOptions{Windows: scriptOptions, Rules: parsed(b, text)})
	enc := windows.NewEncoder()
	var batch windows.Batch
	at, offset := 0, int64(0)
	minute = func() {
		for i := range n {
			for v := range 2 { // so that a canary has two sides
				s := windows.Sample{Time: scriptStart.Add(time.Duration(at)*time.Minute + time.Second).UnixNano(), Mask: windows.MaskCall | 1<<windows.BuiltinLatency}
				s.Offset = offset
				offset++
				s.Values[windows.BuiltinLatency] = 0.5
				s.Scores = []windows.Score{{Rubric: []byte("good"), Value: float64(7+i%3) / 10}}
				s.Cell = windows.AppendKey(nil, "p", "v"+strconv.Itoa(v), strconv.Itoa(i/1000), strconv.Itoa(i%1000))
				s.Axes = windows.AppendKey(nil, "", "", "", "")
				enc.Add(&s)
			}
		}
		at++
		now := scriptStart.Add(time.Duration(at) * time.Minute).UnixNano()
		raw := enc.AppendBatch(nil, &windows.Header{Source: windows.Source{Topic: "spans"}, Clock: now, Watermark: now, Dimensions: scriptOptions.Dimensions})
		enc.Reset()
		if err := batch.Decode(raw); err != nil {
			b.Fatal(err)
		}
		if steps := p.Apply(&batch); len(steps) > 0 {
			b.Fatalf("%d steps, want none", len(steps))
		}
	}
	return p, minute
}

// BenchmarkSequentialTick is the evaluation of one rule with a budget at a tick at which each series has scores.
func BenchmarkSequentialTick(b *testing.B) {
	const rules = "rubrics: {good: {min: 0, max: 1, better: higher}}\ngroups: [{name: g, slice_by: [tier, locale], total: false, rules: [{alert: A, %s}]}]"
	for _, c := range []struct{ name, rule string }{
		{"drift", "rubric: good, drift: {drop: 0.1, against: {fixed: 0.6}}"},
		{"drift-sealed", "rubric: good, drift: {drop: 0.1, against: {version: v0}}"},
		{"drift-learning", "rubric: good, drift: {drop: 0.1, against: previous_version}"},
		{"exceed", "metric: latency, exceed: {above: 0.9s, share: 20%}"},
		{"canary", "rubric: good, canary: {drop: 0.1, against: {version: v0}}"},
	} {
		b.Run(c.name, func(b *testing.B) {
			const n = 10_000
			p, minute := healthy(b, n, fmt.Sprintf(rules, c.rule))
			for range 5 {
				minute()
			}
			e := p.engine
			k := sequentialOf(e.rules[0].kind)
			if c.name == "drift-sealed" {
				for i, s := range k.sorted() {
					if s.judged { // each has a baseline of its own
						var w evidence.Weights
						w.Add(0.6+float64(i%997)/10_000, 1000)
						s.base = sealBaseline(&w, nil, k.minute, "", k.by)
					}
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				e.now = e.now.Add(time.Minute) // in which the same is said again
				k.tick(e)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(k.register.n), "ns/series")
			saved := k.save(nil)
			b.ReportMetric(float64(len(saved))/float64(k.register.n), "B-saved/series")
			b.ReportMetric(float64(held(b, k, saved))/float64(k.register.n), "B-held/series")
			if len(e.out) > 0 {
				b.Fatalf("%d steps, want none", len(e.out))
			}
		})
	}
}

// held is how much memory a rule's series take.
func held(b *testing.B, k *sequential, saved []byte) uint64 {
	b.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	other := sequentialOf(newKind(k.rule, k.store))
	if err := other.load(saved); err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(other)
	return after.HeapAlloc - before.HeapAlloc
}
