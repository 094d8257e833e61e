package detector

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/driftd/driftd/windows"
)

// served returns a partition whose prompts, of two versions each, had calls for some minutes, and its time.
func served(b *testing.B, prompts, minutes, each int, text string) (*Partition, time.Time) {
	b.Helper()
	p := NewPartition(PartitionOptions{Windows: scriptOptions, Rules: parsed(b, text)})
	rng := rand.New(rand.NewPCG(1, 2))
	enc := windows.NewEncoder()
	offset, now := int64(0), scriptStart
	for m := range minutes {
		for i := range prompts * 2 * each {
			s := windows.Sample{Time: now.Add(time.Second).UnixNano(), Mask: windows.MaskCall | 1<<windows.BuiltinLatency | 1<<windows.BuiltinFallback}
			s.Offset = offset
			offset++
			s.Values[windows.BuiltinLatency] = math.Exp(rng.NormFloat64() / 2)
			s.Cell = windows.AppendKey(nil, "prompt-"+strconv.Itoa(i/2%prompts), "v"+strconv.Itoa(i%2), "free", "de")
			s.Axes = windows.AppendKey(nil, "hash"+strconv.Itoa(i%2), "claude-4-7-sonnet-2026030"+strconv.Itoa((i+m)%2), "", "production")
			enc.Add(&s)
		}
		now = now.Add(time.Minute)
		applyRaw(b, p, enc.AppendBatch(nil, &windows.Header{
			Source: windows.Source{Topic: "spans"}, Clock: now.UnixNano(), Watermark: now.UnixNano(), Dimensions: scriptOptions.Dimensions,
		}))
		enc.Reset()
	}
	return p, now
}

// BenchmarkAxes is a minute of 2,000 prompt versions with ten calls each, and what their axes take in a checkpoint.
func BenchmarkAxes(b *testing.B) {
	p, now := served(b, 1000, 10, 10, "groups: [{name: g, rules: [{alert: A, change: model}]}]")
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Minute)
		p.engine.axes.tick(now, p.store)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2000, "ns/version")
	b.ReportMetric(float64(len(p.engine.axes.save(nil)))/2000, "B/version")
}

// BenchmarkShape is the evaluation of 200 groups with 600 values in their hour, each against its day. It is due each fifth
// minute.
func BenchmarkShape(b *testing.B) {
	for _, distance := range []string{"wasserstein", "ks", "psi", "jensen_shannon"} {
		b.Run(distance, func(b *testing.B) {
			p, now := served(b, 100, 120, 10, "groups: [{name: g, rules: [{alert: A, metric: latency, shape: {distance: "+distance+", above: "+
				map[bool]string{true: "10s", false: "0.9"}[distance == "wasserstein"]+", against: 24h}}]}]")
			b.ReportAllocs()
			for b.Loop() {
				p.engine.out = p.engine.out[:0]
				p.engine.tick(now)
			}
			if len(p.engine.out) > 0 {
				b.Fatalf("%d steps, want none", len(p.engine.out))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/200, "ns/group")
		})
	}
}

// BenchmarkTrafficShare is a minute's evaluation of 2,000 prompt versions.
func BenchmarkTrafficShare(b *testing.B) {
	p, now := served(b, 1000, 10, 10, "groups: [{name: g, rules: [{alert: A, traffic_share: {above: 90%, window: 1h}}]}]")
	k := p.engine.rules[0]
	b.ReportAllocs()
	for b.Loop() {
		p.engine.now = now
		k.tick(p.engine)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2000, "ns/version")
}
