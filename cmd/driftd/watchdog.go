package main

import (
	"context"
	"fmt"
	"time"

	"github.com/driftd/driftd/alert"
)

// How often a stage that goes on shows it, and how often it may miss that.
const (
	usualHeartbeat  = 5 * time.Second  // of ingest, into every partition of samples
	usualCheckpoint = 30 * time.Second // of detect, which commits with it
	missedBeats     = 6
	missedPoints    = 3
	leastPatience   = 2 * time.Second
	lookWithin      = 5 * time.Second
)

// pulse tells whether ingest and detect go on, by what they write and commit, wherever they run. It belongs to the outbox that
// asks it.
type pulse struct {
	topic, group string
	partitions   int
	ingest       time.Duration // without a record in any partition of samples
	detect       time.Duration // without a commit in one that has more
	bounds       func(ctx context.Context, topic string, partition int) (first, next int64, err error)
	committed    func(ctx context.Context, group, topic string, partition int) (offset int64, metadata string, err error)
	began, grew  time.Time
	total        int64 // of all ends
	done         []int64
	moved        []time.Time
}

func (d *daemon) newPulse() *pulse {
	beat, point := usualHeartbeat, usualCheckpoint
	if d.Pace.Heartbeat > 0 {
		beat = d.Pace.Heartbeat
	}
	if d.Pace.Checkpoint > 0 {
		point = d.Pace.Checkpoint
	}
	n := d.Config.Kafka.Partitions
	return &pulse{
		topic: d.Config.Kafka.Topic("samples"), group: d.groupID("detect"), partitions: n,
		ingest: max(missedBeats*beat, leastPatience), detect: max(missedPoints*point, leastPatience),
		bounds: d.client.Bounds, committed: d.client.Committed, done: make([]int64, n), moved: make([]time.Time, n),
	}
}

// alive returns what stands still, "" for nothing. The first time it only begins to look.
func (p *pulse) alive(ctx context.Context) (problem string) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	ends, total := make([]int64, p.partitions), int64(0)
	for i := range ends {
		_, end, err := p.bounds(ctx, p.topic, i)
		if err != nil {
			return fmt.Sprintf("cannot see whether ingest goes on: %v", err)
		}
		ends[i] = end
		total += end
	}
	now := time.Now()
	first := p.began.IsZero()
	if first {
		p.began, p.total = now, total
	} else if total != p.total {
		p.total, p.grew = total, now
	}
	stuck := -1
	for i, end := range ends {
		at, _, err := p.committed(ctx, p.group, p.topic, i)
		if err != nil {
			return fmt.Sprintf("cannot see whether detect goes on: %v", err)
		}
		if first || at != p.done[i] || at >= end {
			p.done[i], p.moved[i] = at, now
		}
		if stuck < 0 || p.moved[i].Before(p.moved[stuck]) {
			stuck = i
		}
	}
	switch {
	case p.grew.IsZero() && now.Sub(p.began) < p.ingest:
		return alert.WatchdogBegins
	case now.Sub(p.grew) >= p.ingest:
		return fmt.Sprintf("ingest stands still: nothing was written to %s for %v (see to the processes with the stage ingest)", p.topic, p.ingest)
	case stuck >= 0 && now.Sub(p.moved[stuck]) >= p.detect:
		return fmt.Sprintf("detect stands still: nothing of %s[%d] was committed for %v (see to the processes with the stage detect)", p.topic, stuck, p.detect)
	}
	return ""
}

// watchdog is that of a receiver, nil where it has none.
func (d *daemon) watchdog(receiver string) *alert.WatchdogConfig {
	w := d.Config.Watchdog
	if w == nil || w.Receiver != receiver {
		return nil
	}
	return &alert.WatchdogConfig{Every: w.Every, Alive: d.newPulse().alive}
}

// muteTimes are those of the config, by name.
func (d *daemon) muteTimes() map[string]*alert.MuteTime {
	out := make(map[string]*alert.MuteTime)
	for i := range d.Config.MuteTimes {
		m := &alert.MuteTime{}
		m.Zone, m.Days, m.From, m.To = d.Config.MuteTimes[i].Week()
		out[d.Config.MuteTimes[i].Name] = m
	}
	return out
}
