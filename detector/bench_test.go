package detector

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/driftd/driftd/windows"
)

// cells returns a partition with n cells of one prompt that had data for an hour, and batches of a minute each to go on with.
func cells(b *testing.B, n int, text string) (p *Partition, next func() []byte) {
	b.Helper()
	p = NewPartition(PartitionOptions{Windows: scriptOptions, Rules: parsed(b, text)})
	minute, offset := 0, int64(0)
	enc := windows.NewEncoder()
	next = func() []byte {
		for i := range n {
			if i%2 == 1 && minute == 0 { // the second version comes later
				continue
			}
			s := windows.Sample{Time: scriptStart.Add(time.Duration(minute)*time.Minute + time.Second).UnixNano(), Mask: windows.MaskCall | 1<<windows.BuiltinLatency}
			s.Offset = offset
			offset++
			s.Values[windows.BuiltinLatency] = 1 + float64((i*7+minute*13)%101)/100
			s.Cell = windows.AppendKey(nil, "p", "v"+strconv.Itoa(i%2), strconv.Itoa(i/2/100), strconv.Itoa(i/2%100))
			s.Axes = windows.AppendKey(nil, "", "", "", "")
			enc.Add(&s)
		}
		minute++
		now := scriptStart.Add(time.Duration(minute) * time.Minute).UnixNano()
		raw := enc.AppendBatch(nil, &windows.Header{Source: windows.Source{Topic: "spans"}, Clock: now, Watermark: now, Dimensions: scriptOptions.Dimensions})
		enc.Reset()
		return raw
	}
	for range 62 {
		applyRaw(b, p, next())
	}
	return p, next
}

// BenchmarkTick is the evaluation of all groups at one tick, none of which breaches.
func BenchmarkTick(b *testing.B) {
	const rule = "groups: [{name: g, slice_by: [tier, locale], total: false, rules: [{alert: A, min_samples: 10, metric: latency, threshold: {stat: %s}}]}]"
	for _, c := range []struct{ name, rule string }{
		{"mean", fmt.Sprintf(rule, "mean, window: 1h, above: 100s")},
		{"mean-against-24h", fmt.Sprintf(rule, "mean, window: 1h, above: 500%, against: 24h")},
		{"mean-against-previous", fmt.Sprintf(rule, "mean, window: 1h, above: 500%, against: previous_version")},
		{"volume-against-24h", "groups: [{name: g, slice_by: [tier, locale], total: false, rules: [{alert: A, volume: {below: 10%, window: 15m, against: 24h}}]}]"},
	} {
		b.Run(c.name, func(b *testing.B) {
			const n = 20000
			p, _ := cells(b, n, c.rule)
			e := p.engine
			e.tick(scriptStart.Add(62 * time.Minute)) // pairs what is new
			b.ReportAllocs()
			for b.Loop() {
				e.out = e.out[:0]
				e.tick(scriptStart.Add(62 * time.Minute))
			}
			if len(e.out) > 0 {
				b.Fatalf("%d steps, want none", len(e.out))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/group")
		})
	}
}

// BenchmarkApply is a minute of 20,000 cells with a value each: fold, seal and tick.
func BenchmarkApply(b *testing.B) {
	p, next := cells(b, 20000, "groups: [{name: g, slice_by: [tier, locale], rules: [{alert: A, metric: latency, threshold: {stat: mean, window: 1h, above: 100s}}]}]")
	var batch windows.Batch
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		raw := next()
		b.StartTimer()
		if err := batch.Decode(raw); err != nil {
			b.Fatal(err)
		}
		p.Apply(&batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20000, "ns/cell")
}

// BenchmarkSnapshot is the engine's part of a checkpoint with 1,000 firing alerts that have been counted.
func BenchmarkSnapshot(b *testing.B) {
	p, _ := cells(b, 1000, "groups: [{name: g, slice_by: [tier, locale], rules: [{alert: A, min_samples: 10, metric: latency, threshold: {stat: mean, window: 1h, above: 100ms}}]}]")
	var state []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if state, err = p.engine.snapshot(state[:0]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(state))/1000, "B/alert")
}
