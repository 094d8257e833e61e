package consumer

import (
	"fmt"

	"github.com/VictoriaMetrics/metrics"
)

// topicMetrics are the figures of one source topic. They are added to once a round.
type topicMetrics struct {
	set   *metrics.Set
	topic string

	records, bytes, tombstones, rounds, batches, unversioned, repeated, duplicates, dedupShort *metrics.Counter
	samples, scores, unlinked, notInferences                                                   *metrics.Counter
	gaps, produceErrors, commitErrors                                                          *metrics.Counter
	batchBytes                                                                                 *metrics.Histogram
	dead                                                                                       [numReasons]*metrics.Counter
	early                                                                                      *metrics.Counter
	calls, judged                                                                              [numLinking]*metrics.Counter
	keys                                                                                       [numKeying]*metrics.Counter
}

func newTopicMetrics(set *metrics.Set, topic string) *topicMetrics {
	counter := func(thing string) *metrics.Counter {
		return set.GetOrCreateCounter(fmt.Sprintf(`driftd_consumer_%s_total{topic=%q}`, thing, topic))
	}
	events := func(result string) *metrics.Counter {
		return set.GetOrCreateCounter(fmt.Sprintf(`driftd_consumer_events_total{topic=%q,result=%q}`, topic, result))
	}
	m := &topicMetrics{
		set: set, topic: topic,
		records: counter("records"), bytes: counter("bytes"), tombstones: counter("tombstones"),
		rounds: counter("rounds"), batches: counter("batches"), unversioned: counter("unversioned"), repeated: counter("repeated"),
		duplicates: counter("duplicates"), dedupShort: counter("dedup_short"),
		samples: events("sample"), scores: events("score"), unlinked: events("unlinked"), notInferences: events("not_inference"),
		early: counter("link_early"), gaps: counter("gap_offsets"), produceErrors: counter("produce_errors"), commitErrors: counter("commit_errors"),
		batchBytes: set.GetOrCreateHistogram(fmt.Sprintf(`driftd_consumer_batch_bytes{topic=%q}`, topic)),
	}
	for r := range numReasons {
		if r != Fine {
			m.dead[r] = set.GetOrCreateCounter(fmt.Sprintf(`driftd_consumer_dead_total{reason=%q,topic=%q}`, r, topic))
		}
	}
	for l := range numLinking {
		m.calls[l] = set.GetOrCreateCounter(fmt.Sprintf(`driftd_consumer_links_total{topic=%q,what="call",result=%q}`, topic, l))
		m.judged[l] = set.GetOrCreateCounter(fmt.Sprintf(`driftd_consumer_links_total{topic=%q,what="score",result=%q}`, topic, l))
	}
	for k, name := range keyingNames {
		m.keys[k] = set.GetOrCreateCounter(fmt.Sprintf(`driftd_consumer_link_keys_total{topic=%q,key=%q}`, topic, name))
	}
	for _, reason := range []string{resetRecreated, resetTruncated, resetForgotten} {
		m.restarts(reason)
	}
	return m
}

// add counts a round that was written.
func (m *topicMetrics) add(r *round) {
	t := &r.counted
	m.records.AddInt64(int64(t.records))
	m.bytes.AddInt64(int64(t.bytes))
	m.tombstones.AddInt64(int64(t.tombstones))
	m.unversioned.AddInt64(int64(t.unversioned))
	m.repeated.AddInt64(int64(t.repeated))
	m.duplicates.AddInt64(int64(t.duplicates))
	m.samples.AddInt64(int64(t.samples))
	m.scores.AddInt64(int64(t.scores))
	m.unlinked.AddInt64(int64(t.unlinked))
	m.notInferences.AddInt64(int64(t.notInferences))
	for i, n := range t.dead {
		if n > 0 {
			m.dead[i].AddInt64(int64(n))
		}
	}
	m.early.AddInt64(int64(t.early))
	for i := range t.calls {
		m.calls[i].AddInt64(int64(t.calls[i]))
		m.judged[i].AddInt64(int64(t.judged[i]))
	}
	for i := range t.keys {
		m.keys[i].AddInt64(int64(t.keys[i]))
	}
	m.rounds.Inc()
	m.batches.AddInt64(int64(r.batches))
	for i := range r.waves {
		for j := range r.waves[i].messages {
			if msg := &r.waves[i].messages[j]; !msg.dead {
				m.batchBytes.Update(float64(len(msg.value)))
			}
		}
	}
}

// restarts counts how often the committed offset meant nothing any more.
func (m *topicMetrics) restarts(reason string) *metrics.Counter {
	return m.set.GetOrCreateCounter(fmt.Sprintf(`driftd_consumer_restarts_total{topic=%q,reason=%q}`, m.topic, reason))
}

// partitionMetrics are the gauges of a partition that this worker reads.
type partitionMetrics struct {
	set      *metrics.Set
	names    []string
	lagGauge *metrics.Gauge
	behind   *metrics.Gauge
	waiting  *metrics.Gauge

	dedupIDs, dedupBytes *metrics.Gauge // nil where each event counts
}

func newPartitionMetrics(set *metrics.Set, topic string, partition int, dedup bool) *partitionMetrics {
	m := &partitionMetrics{set: set}
	gauge := func(thing string) *metrics.Gauge {
		name := fmt.Sprintf(`driftd_consumer_%s{topic=%q,partition="%d"}`, thing, topic, partition)
		m.names = append(m.names, name)
		return set.GetOrCreateGauge(name, nil)
	}
	m.lagGauge, m.behind, m.waiting = gauge("lag_records"), gauge("watermark_lag_seconds"), gauge("link_waiting_events")
	if dedup {
		m.dedupIDs, m.dedupBytes = gauge("dedup_ids"), gauge("dedup_bytes")
	}
	return m
}

// remove takes the gauges away: another worker has the partition now.
func (m *partitionMetrics) remove() {
	for _, name := range m.names {
		m.set.UnregisterMetric(name)
	}
}
