package consumer_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/otlpgen"
)

// A producer sends all of its batches again, while ingest runs and after it was restarted. Where the source says so each counts
// once, else as often as it came.
func TestRepeatedEventsCountOnceOverARestart(t *testing.T) {
	for _, linking := range []bool{false, true} {
		t.Run(fmt.Sprintf("linking=%t", linking), func(t *testing.T) {
			s := newStage(t)
			const calls = 100
			var batch [][]byte
			for i := range calls {
				c := liveCall(i)
				c.Trace, c.Span = [16]byte{byte(i), 1}, [8]byte{byte(i), 2}
				batch = append(batch, otlpgen.AppendNative(nil, &c))
			}
			other := liveCall(0)
			last := func(n byte) []byte {
				other.Trace, other.Span = [16]byte{n, 3}, [8]byte{n, 4}
				return otlpgen.AppendNative(nil, &other)
			}
			send := func(values ...[]byte) {
				for p := range sourcePartitions {
					s.produce(s.natives, p, values...)
				}
			}
			config := func(c *consumer.Config) {
				c.Sources[1].Dedup, c.Linking.Memory = 10*time.Minute, 1<<20
				if linking {
					c.Linking = usualLinking
				}
			}
			stop := s.run(config)
			send(batch...)
			send(batch[:40]...)
			send(last(1))
			want := sourcePartitions * (calls + 1)
			s.samples.until("samples", func() bool { return s.samples.counted[s.natives] >= want })
			stop()
			send(batch[30:]...)
			send(last(2))
			stop = s.run(config)
			send(batch...)
			send(last(3))
			want += sourcePartitions * 2
			s.samples.until("samples after a restart", func() bool { return s.samples.counted[s.natives] >= want })
			stop()
			if got := s.samples.counted[s.natives]; got != want {
				t.Errorf("%d calls count, want %d", got, want)
			}
			dropped := fmt.Sprintf(`driftd_consumer_duplicates_total{topic=%q} %d`, s.natives, sourcePartitions*(40+70+calls))
			if !strings.Contains(s.text(), dropped) {
				t.Errorf("metrics without %s:\n%s", dropped, s.text())
			}
			if strings.Contains(s.text(), "driftd_consumer_dedup_bytes") {
				t.Error("a worker that has ended still shows what it remembers")
			}
		})
	}
}

// Where memory ends before the horizon, that is counted, and said once a partition.
func TestDedupTellsOfTooLittleMemory(t *testing.T) {
	s := newStage(t)
	var logs syncBuffer
	s.run(func(c *consumer.Config) {
		c.Sources[1].Dedup, c.Linking.Memory = 10*time.Minute, 4<<10
		c.Log = slog.New(slog.NewTextHandler(&logs, nil))
	})
	var batch [][]byte
	for i := range 2000 {
		c := liveCall(i)
		c.Trace, c.Span = [16]byte{byte(i), byte(i >> 8), 1}, [8]byte{1}
		batch = append(batch, otlpgen.AppendNative(nil, &c))
	}
	s.produce(s.natives, 0, batch...)
	logs.until(t, "memory is too little to know repeated events")
	s.samples.until("samples", func() bool { return s.samples.counted[s.natives] == len(batch) })
	if short := s.set.GetOrCreateCounter(fmt.Sprintf(`driftd_consumer_dedup_short_total{topic=%q}`, s.natives)).Get(); short == 0 {
		t.Error("no id that had no room was counted")
	}
	if !strings.Contains(s.text(), "driftd_consumer_dedup_bytes{") {
		t.Errorf("no gauge of what is remembered:\n%s", s.text())
	}
}
