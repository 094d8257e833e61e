package consumer_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/internal/testkit"
	"github.com/driftd/driftd/windows"
)

func TestWorkerCountsEachEventOnceOverRestarts(t *testing.T) {
	s := newStage(t)
	s.fill(0, 300)
	const each = 300 * sourcePartitions
	counted := func(n int) func() bool {
		return func() bool { return s.samples.counted[s.spans] >= 2*n && s.samples.counted[s.natives] >= n }
	}
	stop := s.run(nil)
	s.samples.until("first samples", counted(each))
	stop()
	s.fill(300, 300)
	stop = s.run(nil)
	s.fill(600, 300) // while it reads
	s.samples.until("later samples", counted(3*each))
	s.samples.until("announcement of every source partition", func() bool { return len(s.samples.announced) == 2*sourcePartitions })
	s.samples.until("watermark", func() bool { return s.samples.watermark > time.Now().Add(-time.Minute).UnixNano() })
	stop()
	if got := s.samples.counted; got[s.spans] != 6*each || got[s.natives] != 3*each {
		t.Errorf("counted %v, want %d and %d", got, 6*each, 3*each)
	}
	for _, want := range []string{
		fmt.Sprintf(`driftd_consumer_events_total{topic=%q,result="sample"} %d`, s.spans, 6*each),
		fmt.Sprintf(`driftd_consumer_records_total{topic=%q} %d`, s.natives, 3*each),
		fmt.Sprintf(`driftd_consumer_dead_total{reason="malformed",topic=%q} 0`, s.natives),
	} {
		if !strings.Contains(s.text(), want) {
			t.Errorf("metrics without %s:\n%s", want, s.text())
		}
	}
	if strings.Contains(s.text(), "driftd_consumer_lag_records") {
		t.Error("a worker that has ended still shows the lag of its partitions")
	}
}

func TestWorkerBuriesBadRecords(t *testing.T) {
	s := newStage(t)
	good := liveCall(1)
	s.produce(s.natives, 0, otlpgen.AppendNative(nil, &good), []byte("{"), nil, []byte(`{"type":"score","time":"2026-11-20T14:00:00Z","rubric":"a","value":1}`), otlpgen.AppendNative(nil, &good))
	s.produce(s.spans, 1, otlpgen.AppendNative(nil, &good)) // the wrong encoding
	s.run(nil)
	s.samples.until("samples", func() bool { return s.samples.counted[s.natives] >= 2 })
	dead := map[string]string{}
	f := s.client.NewFetcher(s.prefix+"dead", 0)
	for end, next := time.Now().Add(patience), int64(0); len(dead) < 3 && time.Now().Before(end); {
		got, err := f.Fetch(t.Context(), next, 100*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		for got.Next() {
			h := map[string]string{}
			for _, x := range got.Record().Headers {
				h[x.Key] = string(x.Value)
			}
			dead[h["driftd-reason"]+" "+h["driftd-topic"]+" "+h["driftd-offset"]] = string(got.Record().Value)
		}
		next = got.NextOffset()
	}
	if dead["malformed "+s.natives+" 1"] != "{" || !strings.Contains(dead["unlinked "+s.natives+" 3"], `"rubric":"a"`) || dead["encoding "+s.spans+" 0"] == "" {
		t.Errorf("dead letters %v", dead)
	}
}

func TestWorkerReadsATopicThatWasMadeAgain(t *testing.T) {
	s := newStage(t)
	call := liveCall(1)
	one := otlpgen.AppendNative(nil, &call)
	s.produce(s.natives, 0, one, one, one)
	stop := s.run(nil)
	s.samples.until("samples", func() bool { return s.samples.counted[s.natives] == 3 })
	stop()
	s.remake(s.natives)
	s.produce(s.natives, 0, one, one)
	s.run(nil)
	s.samples.until("samples of the new topic", func() bool { return s.samples.counted[s.natives] == 5 })
}

// TestWorkerTellsALongerTopicFromTheOneBefore makes a topic again while a worker cannot read it, and longer than it was, so that
// the offset that comes next is in the new log too. What came after driftd is read whole, also where a source begins at its end.
func TestWorkerTellsALongerTopicFromTheOneBefore(t *testing.T) {
	for name, start := range map[string]consumer.Start{"oldest": {}, "latest": {Latest: true}} {
		t.Run(name, func(t *testing.T) {
			cut := func(bool) {}
			addrs := testkit.Broker
			if !testkit.Real() {
				broker := testkit.Embedded(t, embedded.Options{})
				addrs = func(testing.TB) []string { return broker.Addrs() }
				var no atomic.Bool
				cut = no.Store
				broker.Control(kmsg.Fetch, func(kmsg.Request) (kmsg.Response, error, bool) {
					broker.Keep()
					return nil, errors.New("cut"), no.Load()
				})
			}
			s := dialStage(t, addrs(t))
			s.makeTopics()
			call := liveCall(1)
			one := otlpgen.AppendNative(nil, &call)
			begun := map[windows.Source]bool{}
			s.samples.each = func(b *windows.Batch) { begun[b.Source] = true }
			stop := s.run(func(c *consumer.Config) { c.Sources[1].Start = start })
			s.samples.until("first heartbeats", func() bool { return len(begun) == 2*sourcePartitions })
			s.produce(s.natives, 0, one, one, one)
			s.samples.until("samples", func() bool { return s.samples.counted[s.natives] >= 3 })
			cut(true)
			s.remake(s.natives)
			s.produce(s.natives, 0, one, one, one, one, one)
			cut(false)
			s.samples.until("samples of the new topic", func() bool { return s.samples.counted[s.natives] >= 8 })
			stop()
			s.produce(s.natives, 0, one)
			s.run(func(c *consumer.Config) { c.Sources[1].Start = start })
			s.samples.until("what comes next", func() bool { return s.samples.counted[s.natives] >= 9 })
			if n := s.samples.counted[s.natives]; n != 9 {
				t.Errorf("counted %d records of 9, those of the old and of the new topic", n)
			}
		})
	}
}

func TestWorkerBeginsWhereItIsTold(t *testing.T) {
	s := newStage(t)
	call := liveCall(1)
	one, scored := otlpgen.AppendNative(nil, &call), otlpgen.AppendCalls(nil, nil, call)
	s.produce(s.natives, 0, one, one, one)
	s.produce(s.spans, 0, scored)
	future := time.Now().Add(time.Hour)
	s.run(func(c *consumer.Config) {
		c.Sources[0].Start = consumer.Start{At: future}
		c.Sources[1].Start = consumer.Start{Latest: true}
	})
	begun := map[windows.Source]bool{}
	s.samples.each = func(b *windows.Batch) { begun[b.Source] = true }
	s.samples.until("first heartbeats", func() bool { return len(begun) == 2*sourcePartitions })
	s.produce(s.natives, 0, one, one)
	s.produce(s.spans, 0, scored, scored, scored)
	s.samples.until("samples", func() bool { return s.samples.counted[s.natives] >= 2 && s.samples.counted[s.spans] >= 3 })
	if got := s.samples.counted; got[s.natives] != 2 || got[s.spans] != 3 {
		t.Errorf("counted %v of what came after the start", got)
	}
}

func TestWorkerOutlivesTheBroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	o := embedded.Options{Ports: []int{port}, DataDir: t.TempDir()}
	s := dialStage(t, []string{fmt.Sprintf("127.0.0.1:%d", port)})
	var logs syncBuffer
	stop := s.run(func(c *consumer.Config) { c.Log = slog.New(slog.NewTextHandler(&logs, nil)) })
	logs.until(t, "cannot look up topics")

	broker := testkit.Embedded(t, o)
	s.makeTopics()
	s.fill(0, 50)
	const each = 50 * sourcePartitions
	counted := func(n int) func() bool {
		return func() bool { return s.samples.counted[s.spans] >= 2*n && s.samples.counted[s.natives] >= n }
	}
	s.samples.until("samples after a start without broker", counted(each))
	broker.Close()
	logs.until(t, "cannot read source partition")
	testkit.Embedded(t, o)
	s.fill(50, 50)
	s.samples.until("samples after an outage", counted(2*each))
	stop()
	if got := s.samples.counted; got[s.spans] != 4*each || got[s.natives] != 2*each {
		t.Errorf("counted %v, want %d and %d", got, 4*each, 2*each)
	}
}
