package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/chaos/compare"
	"github.com/driftd/driftd/internal/chaos/rig"
	"github.com/driftd/driftd/internal/chaos/stream"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/windows"
)

var offsetRows = []row{
	{name: "offsets-back", does: "group's offsets set back by hand", rounds: 3, do: offsetsBack},
	{name: "offsets-forward", does: "group's offsets set forward by hand", rounds: 3, do: offsetsForward},
	{name: "offsets-deleted", does: "all groups deleted", rounds: 3, do: offsetsDeleted},
	{name: "offsets-retention", does: "retention passes what was committed", rounds: 3, do: offsetsRetention},
}

// behind is the event time that the stream goes on while driftd is stopped. It must be less than the feed's lead.
const behind = 20 * time.Second

// standstill is after how long the clock is taken to wait for driftd.
const standstill = 2 * time.Second

// blackout is the event time that it goes on where all of that will be gone: longer than anything in it is linked to what comes
// later, so that it does not matter what driftd still remembers.
const blackout = 100 * time.Second

// cut is a stream that can be cut off: nothing in it comes once more behind a blackout.
var cut = stream.Spec{Duplicates: -1, Cut: true}

// whileStopped stops driftd in each round, as SIGTERM does, lets the stream go on for a while and does f before it starts driftd
// again; then, when it is not nil, comes when it works.
func (r *run) whileStopped(spec stream.Spec, away time.Duration, f func(round int) error, then func(p *rig.Process) error) error {
	if err := r.open(spec, nil); err != nil {
		return err
	}
	w := r.world
	p, err := w.Start("all")
	if err != nil {
		return err
	}
	err = r.each(func(round int) error {
		if err := r.stop(p, away); err != nil {
			return err
		}
		if err := f(round); err != nil {
			return err
		}
		w.Feed.Freeze(false)
		began, at := time.Now(), w.Clock.True()
		if p, err = w.Start("all"); err != nil {
			return err
		}
		if err := r.recovers(began, at); err != nil || then == nil {
			return err
		}
		return then(p)
	})
	if err != nil {
		return err
	}
	return r.finish()
}

// stop ends a process, lets the stream go on for a while, and freezes it.
func (r *run) stop(p *rig.Process, away time.Duration) error {
	feed := r.world.Feed
	if _, err := p.Terminate(r.ctx); err != nil {
		return err
	}
	r.ends = map[string]int64{}
	if err := r.eachPartition(func(t kafkalog.Topic, p int, _, end int64) error {
		r.ends[fmt.Sprint(t.Name, p)] = end
		return nil
	}); err != nil {
		return err
	}
	feed.Allow(r.world.Clock.True().Add(away + slot))
	feed.Free(away > behind)
	until, stood, since := r.world.Clock.True().Add(away), r.world.Clock.True(), time.Now()
	err := rig.Until(r.ctx, "the stream to go on", func() bool {
		now := r.world.Clock.True()
		if now.After(stood) {
			stood, since = now, time.Now()
		}
		return !now.Before(until) || away <= behind && time.Since(since) > standstill // it is as far ahead of driftd as it may be
	})
	feed.Free(false)
	feed.Freeze(true)
	return err
}

// eachPartition calls f for each source partition with what ingest has committed of it and where its log ends.
func (r *run) eachPartition(f func(t kafkalog.Topic, partition int, committed, end int64) error) error {
	w := r.world
	for _, t := range w.Stream.Topics {
		found, err := w.Client.Topics(r.ctx, t.Name)
		if err != nil {
			return err
		}
		for p := range found[t.Name].Partitions {
			committed, _, err := w.Client.Committed(r.ctx, w.Group("ingest"), t.Name, p)
			if err != nil {
				return err
			}
			if committed < 0 {
				return fmt.Errorf("group %s has committed nothing of %s[%d]", w.Group("ingest"), t.Name, p)
			}
			_, end, err := w.Client.Bounds(r.ctx, t.Name, p)
			if err != nil {
				return err
			}
			if err := f(found[t.Name], p, committed, end); err != nil {
				return err
			}
		}
	}
	return nil
}

// offsetsBack reads again what was counted: from anywhere, the start included.
func offsetsBack(r *run) error {
	return r.whileStopped(stream.Spec{}, behind, func(int) error {
		return r.eachPartition(func(t kafkalog.Topic, p int, committed, _ int64) error {
			return r.world.SetOffset(r.ctx, r.world.Group("ingest"), t.Name, p, r.rng.Int64N(committed+1))
		})
	}, nil)
}

// offsetsForward passes over records. How many is what driftd must say.
func offsetsForward(r *run) error {
	skipped := int64(0)
	return r.whileStopped(stream.Spec{Cut: true}, behind, func(int) error {
		skipped = 0
		return r.eachPartition(func(t kafkalog.Topic, p int, committed, end int64) error {
			to := committed + r.rng.Int64N(end-committed+1)
			skipped += to - committed
			if err := r.pass(t, p, committed, to, to); err != nil {
				return err
			}
			return r.world.SetOffset(r.ctx, r.world.Group("ingest"), t.Name, p, to)
		})
	}, func(p *rig.Process) error { return r.flagged(p, &skipped, "set forward by hand") })
}

// offsetsDeleted makes brokers forget all groups.
func offsetsDeleted(r *run) error {
	return r.whileStopped(stream.Spec{}, behind, func(int) error {
		for _, stage := range []string{"ingest", "detect", "act-slack", "act-hook", "act-registry"} {
			if err := r.world.DeleteGroup(r.ctx, r.world.Group(stage)); err != nil {
				return err
			}
		}
		return nil
	}, nil)
}

// offsetsRetention makes the logs begin where they end, behind what was read.
func offsetsRetention(r *run) error {
	lost := int64(0)
	return r.whileStopped(cut, blackout, func(int) error {
		lost = 0
		if err := r.remember(); err != nil {
			return err
		}
		return r.eachPartition(func(t kafkalog.Topic, p int, committed, end int64) error {
			lost += end - committed
			if err := r.pass(t, p, committed, end, r.ends[fmt.Sprint(t.Name, p)]); err != nil {
				return err
			}
			return r.world.DeleteRecords(r.ctx, t.Name, p, end)
		})
	}, func(p *rig.Process) error { return r.flagged(p, &lost, "retention has removed them") })
}

// pass notes that a stretch of a source partition will not be read, or not again; from gone on it was not read before either. What
// counted of it stands in the samples.
func (r *run) pass(t kafkalog.Topic, partition int, from, to, gone int64) error {
	at, err := r.emitted(windows.Source{Topic: t.Name, Partition: int32(partition), Incarnation: t.ID})
	if err != nil {
		return err
	}
	p := passed{topic: t.Name, partition: partition, incarnation: t.ID, from: max(from, at.Offset), to: to, gone: gone}
	if at.Offset >= from {
		p.counted = int(at.Index)
	}
	if p.from < p.to {
		r.passed = append(r.passed, p)
	}
	return nil
}

// emitted is the position behind the last sample that ingest has made of a source partition.
func (r *run) emitted(of windows.Source) (next windows.Position, err error) {
	var b windows.Batch
	for p := range r.world.Partitions {
		err := compare.Each(r.ctx, r.world.Client, r.world.Prefix()+"samples", p, 0, func(rec *kafkalog.Record) error {
			if err := b.Decode(rec.Value); err != nil {
				return err
			}
			if n := b.Len(); b.Source == of && n > 0 && next.Less(b.Pos[n-1].After()) {
				next = b.Pos[n-1].After()
			}
			return nil
		})
		if err != nil {
			return next, err
		}
	}
	return next, nil
}

// flagged checks that a process counts a gap, and says so to who asks how it is.
func (r *run) flagged(p *rig.Process, want *int64, says string) error {
	if *want == 0 {
		return nil
	}
	counted := int64(0)
	err := rig.Until(r.ctx, fmt.Sprintf("%s counts a gap of %d records", p.Name, *want), func() bool {
		if m, err := p.Metrics(r.ctx); err == nil {
			counted = int64(m.Sum("driftd_consumer_gap_offsets_total"))
		}
		return counted >= *want
	})
	if err != nil || counted != *want {
		return errors.Join(err, fmt.Errorf("%s has counted a gap of %d records, not of %d", p.Name, counted, *want))
	}
	r.gap += *want
	r.result.notes = []string{fmt.Sprintf("%d records in gaps, named and counted", r.gap)}
	return r.says(p, says)
}

// says waits until a process says all of that of how it is.
func (r *run) says(p *rig.Process, want ...string) error {
	last := ""
	err := rig.Until(r.ctx, fmt.Sprintf("%s says %q", p.Name, want), func() bool {
		if ready, err := p.Ready(r.ctx); err == nil {
			last = ready
		}
		return !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(last, w) })
	})
	if err != nil {
		return fmt.Errorf("%w; it said: %s", err, last)
	}
	return nil
}
