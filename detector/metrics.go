package detector

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// meters are the detect stage's metrics.
type meters struct {
	set *metrics.Set
	now func() time.Time

	records, broken, gaps              *metrics.Counter
	samples, values                    *metrics.Counter
	skipped, late, tooLate             *metrics.Counter
	other, dropped, clamped, passed    *metrics.Counter
	ticks                              *metrics.Counter
	steps                              map[RecordType]*metrics.Counter // and what else is told
	checkpoints, checkpointFailures    *metrics.Counter
	checkpointSeconds, restoreSeconds  *metrics.Histogram
	restored, started, restoreFailures *metrics.Counter
	reloads                            *metrics.Counter

	mu struct {
		sync.Mutex
		partitions map[int]*partitionGauges
	}
}

// partitionGauges is what a partition's goroutine says of itself. How far its rules are behind can be told when there is a watermark;
// until then it is told for how long there has been none.
type partitionGauges struct {
	meters                          *meters
	partition                       int
	unready, lag, records           string       // names of metrics
	taken                           time.Time    // when it was taken up, by the meters' clock
	ready                           bool         // there is a watermark, or was
	watermark                       atomic.Int64 // event time, Unix ns; 0 before the first
	behind                          atomic.Int64 // records
	series, cells, panes, paneBytes atomic.Int64
	pending, firing                 atomic.Int64
}

func newMeters(set *metrics.Set, now func() time.Time) *meters {
	c := func(name string) *metrics.Counter { return set.NewCounter("driftd_detector_" + name) }
	m := &meters{
		set: set, now: now,
		records: c("records_total"), broken: c("broken_records_total"), gaps: c("lost_records_total"),
		samples: c("samples_total"), values: c("values_total"),
		skipped: c("skipped_samples_total"), late: c("late_samples_total"), tooLate: c("too_late_samples_total"),
		other: c("limited_samples_total"), dropped: c("dropped_values_total"), clamped: c("clamped_values_total"), passed: c("passed_alarms_total"),
		ticks: c("ticks_total"), steps: make(map[RecordType]*metrics.Counter),
		checkpoints: c(`checkpoints_total{result="ok"}`), checkpointFailures: c(`checkpoints_total{result="failed"}`),
		restored: c(`restores_total{result="checkpoint"}`), started: c(`restores_total{result="anew"}`), restoreFailures: c(`restores_total{result="failed"}`),
		reloads:           c("rules_applied_total"),
		checkpointSeconds: set.NewHistogram("driftd_detector_checkpoint_seconds"), restoreSeconds: set.NewHistogram("driftd_detector_restore_seconds"),
	}
	for _, t := range []RecordType{Pending, Firing, Resolved} {
		m.steps[t] = c(fmt.Sprintf("steps_total{type=%q}", t))
	}
	for _, t := range []RecordType{Observed, DayFigures} {
		m.steps[t] = c(fmt.Sprintf("told_total{type=%q}", t))
	}
	m.mu.partitions = make(map[int]*partitionGauges)
	sum := func(name string, of func(*partitionGauges) *atomic.Int64) {
		set.NewGauge("driftd_detector_"+name, func() (total float64) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, g := range m.mu.partitions {
				total += float64(of(g).Load())
			}
			return total
		})
	}
	sum("series", func(g *partitionGauges) *atomic.Int64 { return &g.series })
	sum("cells", func(g *partitionGauges) *atomic.Int64 { return &g.cells })
	sum("open_panes", func(g *partitionGauges) *atomic.Int64 { return &g.panes })
	sum("pane_bytes", func(g *partitionGauges) *atomic.Int64 { return &g.paneBytes })
	sum(`alerts{state="pending"}`, func(g *partitionGauges) *atomic.Int64 { return &g.pending })
	sum(`alerts{state="firing"}`, func(g *partitionGauges) *atomic.Int64 { return &g.firing })
	set.NewGauge("driftd_detector_partitions", func() float64 {
		m.mu.Lock()
		defer m.mu.Unlock()
		return float64(len(m.mu.partitions))
	})
	return m
}

// own tells of a partition from when it is taken up; the returned function ends that.
func (m *meters) own(partition int) (*partitionGauges, func()) {
	name := func(of string) string { return fmt.Sprintf(`driftd_detector_%s{partition="%d"}`, of, partition) }
	g := &partitionGauges{
		meters: m, partition: partition, taken: m.now(),
		unready: name("unready_seconds"), lag: name("watermark_lag_seconds"), records: name("lag_records"),
	}
	m.set.NewGauge(g.unready, func() float64 { return m.now().Sub(g.taken).Seconds() })
	return g, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.mu.partitions, partition)
		for _, name := range []string{g.unready, g.lag, g.records} {
			m.set.UnregisterMetric(name)
		}
	}
}

// restored tells of what a partition holds, too, from now on.
func (g *partitionGauges) restored(p *Partition) {
	m := g.meters
	m.mu.Lock()
	m.mu.partitions[g.partition] = g
	m.mu.Unlock()
	m.set.NewGauge(g.records, func() float64 { return float64(g.behind.Load()) })
	g.look(p, 0)
}

// count adds what passed through a partition between two looks.
func (m *meters) count(was, is Counts) {
	m.samples.Add(is.Samples - was.Samples)
	m.values.Add(is.Values - was.Values)
	m.skipped.Add(is.Skipped - was.Skipped)
	m.late.Add(is.Late - was.Late)
	m.tooLate.Add(is.TooLate - was.TooLate)
	m.other.Add(is.Other - was.Other)
	m.dropped.Add(is.Dropped - was.Dropped)
	m.clamped.Add(is.Clamped - was.Clamped)
	m.passed.Add(is.Passed - was.Passed)
	m.ticks.Add(is.Ticks - was.Ticks)
}

// look sets the gauges to what p is now.
func (g *partitionGauges) look(p *Partition, behind int64) {
	st := p.Store().Stats()
	g.series.Store(int64(st.Series))
	g.cells.Store(int64(st.Cells))
	g.panes.Store(int64(st.OpenPanes))
	g.paneBytes.Store(int64(st.SealedBytes))
	pending, firing := p.Alerts()
	g.pending.Store(int64(pending))
	g.firing.Store(int64(firing))
	if w := p.Store().Watermark(); !w.IsZero() {
		g.watermark.Store(w.UnixNano())
		if !g.ready {
			g.ready = true
			m := g.meters
			m.set.NewGauge(g.lag, func() float64 { return m.now().Sub(time.Unix(0, g.watermark.Load())).Seconds() })
			m.set.UnregisterMetric(g.unready)
		}
	}
	g.behind.Store(max(behind, 0))
}
