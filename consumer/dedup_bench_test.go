package consumer

import (
	"encoding/binary"
	"syscall"
	"testing"
	"time"
)

// BenchmarkDedup looks up and remembers events for ten minutes at 1,000 a second of event time: what `dedup: 10m` adds to the cost of
// an event, and the bytes that an id takes which is inside the horizon.
func BenchmarkDedup(b *testing.B) {
	const rate, horizon = 1000, 10 * time.Minute
	d := newDedup(horizon, 256<<20)
	e := Event{Kind: Span, Call: true}
	n := uint64(0)
	step := func() {
		n++
		binary.LittleEndian.PutUint64(e.Trace[:], n)
		binary.LittleEndian.PutUint64(e.Span[:], n)
		e.Time = 1_700_000_000e9 + int64(n)*int64(time.Second)/rate
		d.begin()
		if _, repeated := d.take(&e, e.Time); repeated {
			b.Fatal("an id came for the first time and was known")
		}
	}
	for range 2 * rate * int(horizon.Seconds()) {
		step()
	}
	size, looks := 0, 0
	b.ReportAllocs()
	b.ResetTimer()
	began := cpuTime(b)
	for b.Loop() {
		if step(); n%4096 == 0 {
			size += d.size()
			looks++
		}
	}
	b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N), "cpu-ns/event")
	if looks > 0 {
		b.ReportMetric(float64(size)/float64(looks)/(rate*horizon.Seconds()), "B/id")
	}
}

// cpuTime is what this process has taken, in all its threads.
func cpuTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
