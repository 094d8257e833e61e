package consumer_test

import (
	"testing"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/windows"
)

// TestWorkerReadsWhatWasMadeWhileNobodyRan: topics that were made, or made again, and partitions that were added, from their start on
// though a source begins at the latest. What stood there before the group was there is not read.
func TestWorkerReadsWhatWasMadeWhileNobodyRan(t *testing.T) {
	s := newStage(t)
	call := liveCall(1)
	one := otlpgen.AppendNative(nil, &call)
	begun := map[windows.Source]bool{}
	s.samples.each = func(b *windows.Batch) { begun[b.Source] = true }
	third := s.natives + "-third"
	run := func() (stop func()) {
		return s.run(func(c *consumer.Config) {
			c.Sources[0].Encoding = "driftd_json"
			c.Sources = append(c.Sources, consumer.SourceTopic{Topic: third, Encoding: "driftd_json"})
			for i := range c.Sources {
				c.Sources[i].Start = consumer.Start{Latest: true}
			}
		})
	}
	s.produce(s.natives, 0, one)
	stop := run()
	s.samples.until("first heartbeats", func() bool { return len(begun) == 2*sourcePartitions })
	stop()
	s.addPartitions(s.natives, sourcePartitions+1)
	s.produce(s.natives, sourcePartitions, one, one)
	s.remake(s.spans)
	s.ensure(kafkalog.TopicSpec{Name: third, Partitions: 1})
	for _, topic := range []string{s.spans, third} {
		s.produce(topic, 0, one, one, one)
	}
	for range 2 { // the second time all goes on
		stop = run()
		s.samples.until("what was written meanwhile", func() bool {
			return s.samples.counted[s.natives] >= 2 && s.samples.counted[s.spans] >= 3 && s.samples.counted[third] >= 3
		})
		stop()
	}
	if n := s.samples.counted; n[s.natives] != 2 || n[s.spans] != 3 || n[third] != 3 {
		t.Errorf("counted %v", n)
	}
}
