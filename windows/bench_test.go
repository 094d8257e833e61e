package windows

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

// benchBatches makes batches of about 500 events of six values each, spread over cells, an hour of event time.
func benchBatches(cells, events int) (batches [][]byte) {
	rng := rand.New(rand.NewPCG(1, 2))
	e := NewEncoder()
	keys := make([][]byte, cells)
	for i := range keys {
		keys[i] = AppendKey(nil, fmt.Sprintf("prompt_%d", i/100), "v22", fmt.Sprintf("tier%d", i%5), fmt.Sprintf("loc%d", i%100/5))
	}
	start := int64(1_760_000_400) * 1e9 / minuteNanos * minuteNanos
	step := int64(time.Hour) / int64(events)
	src := Source{Topic: "spans"}
	for i := range events {
		s := Sample{
			Position: Position{Offset: int64(i)}, Time: start + int64(i)*step, Cell: keys[rng.IntN(cells)], Axes: []byte{0},
			Mask: MaskCall | MaskTrace | 1<<BuiltinLatency | 1<<BuiltinInputTokens | 1<<BuiltinOutputTokens | 1<<BuiltinCost | 1<<BuiltinError,
		}
		s.TraceID[0] = byte(i)
		s.Values = [NumBuiltin]float64{math.Exp(rng.NormFloat64() / 2), 0, float64(rng.IntN(2000)), float64(rng.IntN(400)), rng.Float64() / 100, float64(rng.IntN(50) / 49)}
		s.Scores = []Score{{[]byte("grounding"), float64(rng.IntN(11)) / 10}}
		e.Add(&s)
		if e.Len() == 500 {
			batches = append(batches, e.AppendBatch(nil, &Header{Source: src, Clock: s.Time, Watermark: s.Time - 10e9, Dimensions: testDimensions}))
			e.Reset()
		}
	}
	return batches
}

// BenchmarkFold decodes and folds an hour of events and reads a window of every cell each minute.
func BenchmarkFold(b *testing.B) {
	for _, bench := range []struct {
		name  string
		cells int
		views []ViewSpec
	}{
		{"cells=167/no_rule", 167, nil},
		{"cells=3333/no_rule", 3333, nil},
		{"cells=1000/mean_1h", 1000, []ViewSpec{{Metric: "grounding", Window: time.Hour, By: testDimensions}}},
		{"cells=20000/mean_1h", 20000, []ViewSpec{{Metric: "grounding", Window: time.Hour, By: testDimensions}}},
		{"cells=1000/weigh", 1000, []ViewSpec{{Metric: "grounding", Window: time.Hour, By: testDimensions, Weigh: &Scale{Max: 1}}}},
		{"cells=20000/weigh", 20000, []ViewSpec{{Metric: "grounding", Window: time.Hour, By: testDimensions, Weigh: &Scale{Max: 1}}}},
		{"cells=1000/over", 1000, []ViewSpec{{Metric: Latency, Window: time.Hour, By: testDimensions, Over: limit(2)}}},
		{"cells=1000/axes", 1000, []ViewSpec{{Metric: Volume, Window: time.Hour, By: testDimensions, Axes: true}}},
		{"cells=20000/axes", 20000, []ViewSpec{{Metric: Volume, Window: time.Hour, By: testDimensions, Axes: true}}},
		{"cells=1000/p95_1h", 1000, []ViewSpec{{Metric: Latency, Window: time.Hour, By: testDimensions, Quantiles: true}}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			const events = 500_000
			batches := benchBatches(bench.cells, events)
			b.ReportAllocs()
			reads := 0
			for b.Loop() {
				s := NewStore(Options{Dimensions: testDimensions})
				views := s.SetViews(bench.views)
				var batch Batch
				for _, data := range batches {
					if err := batch.Decode(data); err != nil {
						b.Fatal(err)
					}
					s.Fold(&batch)
					s.Advance(func(time.Time) {
						for _, v := range views {
							for _, g := range v.Groups() {
								reads++
								if v.spec.Quantiles {
									g.Quantile(0.95)
								} else {
									g.Mean()
								}
							}
						}
					})
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/events, "ns/event")
			b.ReportMetric(float64(b.N)*events*6/b.Elapsed().Seconds()/1e6, "Mvalues/s")
			b.ReportMetric(float64(reads)/float64(b.N), "reads")
		})
	}
}

// BenchmarkFresh seals a minute of many series, each of which has a few values, and reads what the minute says of each. It
// tells what folding takes a value and what sealing and reading take a series.
func BenchmarkFresh(b *testing.B) {
	for _, bench := range []struct {
		name          string
		cells, values int
		view          *ViewSpec
	}{
		{"no_view", 100_000, 1, nil},
		{"mean", 100_000, 1, &ViewSpec{}},
		{"weigh", 100_000, 1, &ViewSpec{Weigh: &Scale{Max: 1}}},
		{"weigh_total", 100_000, 1, &ViewSpec{Weigh: &Scale{Max: 1}, Total: true}},
		{"over", 100_000, 1, &ViewSpec{Over: limit(0.9)}},
		{"axes", 100_000, 1, &ViewSpec{Axes: true}},
		{"ten/mean", 20_000, 10, &ViewSpec{}},
		{"ten/weigh", 20_000, 10, &ViewSpec{Weigh: &Scale{Max: 1}}},
		{"hundred_distinct/mean", 2_000, 100, &ViewSpec{}},
		{"hundred_distinct/weigh", 2_000, 100, &ViewSpec{Weigh: &Scale{Max: 1}}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s := NewStore(Options{Dimensions: testDimensions})
			var specs []ViewSpec
			if bench.view != nil {
				spec := *bench.view
				spec.Metric, spec.Window, spec.By = "grounding", time.Hour, testDimensions
				specs = append(specs, spec)
			}
			views := s.SetViews(specs)
			e, rng := NewEncoder(), rand.New(rand.NewPCG(1, 3))
			var batches []Batch
			for i := range bench.cells * bench.values {
				cell := i % bench.cells
				smp := Sample{
					Position: Position{Offset: int64(i)}, Time: int64(i) * minuteNanos / int64(bench.cells*bench.values), Mask: MaskCall,
					Cell: AppendKey(nil, fmt.Sprint("prompt_", cell/1000), "v22", fmt.Sprint("tier", cell%10), fmt.Sprint("loc", cell%1000/10)),
					Axes: AppendKey(nil, fmt.Sprint("hash_", cell/1000), "model", "", ""),
				}
				value := float64(rng.IntN(11)) / 10
				if bench.values == 100 {
					value = rng.Float64()
				}
				smp.Scores = []Score{{[]byte("grounding"), value}}
				if e.Add(&smp); e.Len() == 500 {
					batches = append(batches, Batch{})
					if err := batches[len(batches)-1].Decode(e.AppendBatch(nil, &Header{Dimensions: testDimensions})); err != nil {
						b.Fatal(err)
					}
					e.Reset()
				}
			}
			var folding, sealing, reading time.Duration
			minutes, read := 0, int64(0)
			clock := time.Now()
			lap := func(into *time.Duration) {
				now := time.Now()
				*into += now.Sub(clock)
				clock = now
			}
			round := func() {
				step := (bombStart + int64(minutes)) * minuteNanos
				lap(new(time.Duration))
				for i := range batches {
					batch := &batches[i]
					batch.Source.Partition = int32(minutes) // all are new
					for j := range batch.Time {
						batch.Time[j] = batch.Time[j]%minuteNanos + step
					}
					s.Fold(batch)
				}
				lap(&folding)
				s.Fold(&Batch{Header: Header{Source: Source{Topic: "time"}, Clock: step, Watermark: step + minuteNanos}})
				s.Advance(func(time.Time) {
					lap(&sealing)
					for _, v := range views {
						for _, g := range v.Fresh() {
							w, _ := g.Pane()
							n, _ := g.PaneOver()
							read += w[0] + n + int64(len(g.PaneAxes()))
						}
					}
					lap(&reading)
				})
				minutes++
			}
			for range 17 { // buffers, a quarter and the first window
				round()
			}
			folding, sealing, reading = 0, 0, 0
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				round()
				n++
			}
			series := float64(n * bench.cells)
			b.ReportMetric(float64(folding)/series/float64(bench.values), "fold-ns/value")
			b.ReportMetric(float64(sealing)/series, "seal-ns/series")
			b.ReportMetric(float64(reading)/series, "read-ns/series")
			runtime.KeepAlive(read)
		})
	}
}

// fullStore holds so many minutes of series at 10 to most values a minute: two thirds continuous, one third rubrics of ten values.
func fullStore(cells, most, minutes int) *Store {
	rng := rand.New(rand.NewPCG(3, 4))
	s := NewStore(Options{Dimensions: testDimensions})
	e := NewEncoder()
	src := Source{Topic: "spans"}
	start := int64(1_760_000_400) * 1e9 / minuteNanos * minuteNanos
	var batch Batch
	offset := int64(0)
	for m := range int64(minutes + 1) {
		for c := range cells {
			key := AppendKey(nil, fmt.Sprintf("prompt_%d", c/100), "v22", fmt.Sprintf("tier%d", c%5), fmt.Sprintf("loc%d", c%100/5))
			n := 10 + c*(most-10)/cells
			for i := range n {
				swing := 1 + 0.3*math.Sin(float64(m)/1440*2*math.Pi)
				smp := Sample{
					Position: Position{Offset: offset}, Time: start + m*minuteNanos + int64(i)*minuteNanos/int64(n), Cell: key, Axes: []byte{0},
					Mask: MaskCall | MaskTrace | 1<<BuiltinLatency | 1<<BuiltinTTFT | 1<<BuiltinInputTokens | 1<<BuiltinCost,
				}
				offset++
				smp.Values = [NumBuiltin]float64{swing * math.Exp(rng.NormFloat64()/2), swing * math.Exp(rng.NormFloat64()) / 5, 200 + rng.NormFloat64()*50, 0, math.Exp(rng.NormFloat64()) / 1000}
				smp.Scores = []Score{{[]byte("grounding"), float64(rng.IntN(10)) / 10}, {[]byte("helpfulness"), float64(1 + rng.IntN(5))}}
				e.Add(&smp)
			}
		}
		data := e.AppendBatch(nil, &Header{Source: src, Clock: start + m*minuteNanos, Watermark: start + m*minuteNanos, Dimensions: testDimensions})
		e.Reset()
		if err := batch.Decode(data); err != nil {
			panic(err)
		}
		s.Fold(&batch)
		s.Advance(func(time.Time) {})
	}
	return s
}

// BenchmarkMemory reports what a full series takes, as the growth of the heap over its number.
func BenchmarkMemory(b *testing.B) {
	const cells = 334 // 334 × 6 = 2,004 series
	for b.Loop() {
		before := heap()
		s := fullStore(cells, 100, 24*60)
		after := heap()
		b.ReportMetric(float64(after-before)/float64(cells*6)/1024, "KiB/series")
		b.ReportMetric(float64(s.Stats().SealedBytes)/float64(cells*6)/1024, "sealed_KiB/series")
		runtime.KeepAlive(s)
	}
}

// BenchmarkRestore restores a partition of 9,000 series, whose quarters of an hour take more than one record each. What is allocated
// for a byte of state tells how often it is copied into fresh memory.
func BenchmarkRestore(b *testing.B) {
	log := &memoryLog{}
	if err := fullStore(1500, 20, 3*60).Checkpoint(nil, log.write); err != nil {
		b.Fatal(err)
	}
	f, size := NewFinder(), 0
	for _, r := range log.records {
		f.Add(r)
		size += len(r)
	}
	cp, _ := f.Best()
	b.SetBytes(int64(size))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := 0
	for b.Loop() {
		if _, err := NewStore(Options{Dimensions: testDimensions}).Restore(cp, log.read); err != nil {
			b.Fatal(err)
		}
		n++
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(n)/float64(size), "allocated/byte")
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
