package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/chaos/rig"
	"github.com/driftd/driftd/internal/chaos/stream"
	"github.com/driftd/driftd/internal/kafkalog"
)

var topicRows = []row{
	{name: "topics-recreated", does: "source topics deleted and made again", rounds: 3, do: topicsRecreated},
	{name: "topics-partitions", does: "partitions added to source topics", once: true, do: topicsPartitions},
	{name: "topics-count", does: "samples with a wrong partition count", once: true, do: topicsCount},
	{name: "topics-state", does: "driftd.state emptied, or deleted", rounds: 4, do: topicsState},
}

// topicsRecreated deletes all source topics and makes them again, before driftd comes back or after. What was not read of the old ones
// is gone.
func topicsRecreated(r *run) error {
	if err := r.open(cut, nil); err != nil {
		return err
	}
	w := r.world
	p, err := w.Start("all")
	if err != nil {
		return err
	}
	err = r.each(func(round int) error {
		err := r.stop(p, blackout)
		if err == nil {
			err = r.remember()
		}
		if err == nil {
			err = r.eachPartition(func(t kafkalog.Topic, p int, committed, end int64) error {
				return r.pass(t, p, committed, end, r.ends[fmt.Sprint(t.Name, p)])
			})
		}
		for _, t := range w.Stream.Topics {
			if err == nil {
				err = w.DeleteTopic(r.ctx, t.Name)
			}
		}
		if err != nil {
			return err
		}
		began, at := time.Now(), w.Clock.True()
		if round%2 == 1 {
			if p, err = w.Start("all"); err == nil {
				err = r.says(p, "does not exist, waiting for it")
			}
		}
		if err == nil {
			err = w.MakeSources(r.ctx)
		}
		if round%2 == 0 && err == nil {
			p, err = w.Start("all")
		}
		if err != nil {
			return err
		}
		w.Feed.Freeze(false)
		return r.recovers(began, at)
	})
	if err != nil {
		return err
	}
	return r.finish()
}

// topicsPartitions adds partitions to all source topics under load.
func topicsPartitions(r *run) error {
	const from, to = 4, 6
	if err := r.open(stream.Spec{Partitions: from, GrowTo: to, GrowAt: lull + slot/2}, nil); err != nil {
		return err
	}
	w := r.world
	if _, err := w.Start("all"); err != nil {
		return err
	}
	at := w.Stream.Begin.Add(lull + slot/2 - time.Second) // no record of the new ones is due
	w.Feed.Allow(at)
	if err := w.Feed.Await(r.ctx, at); err != nil {
		return err
	}
	began := time.Now()
	for _, t := range w.Stream.Topics {
		if err := w.AddPartitions(r.ctx, t.Name, to); err != nil {
			return err
		}
	}
	w.Feed.Grown(to)
	w.Feed.Allow(w.Feed.End())
	if err := r.recovers(began, at); err != nil {
		return err
	}
	r.result.rounds++
	return r.finish()
}

// topicsCount has a topic of samples that is not as the config says: driftd must not start. Later it gets partitions under way: driftd
// goes on with those that it began with, and says so.
func topicsCount(r *run) error {
	if err := r.open(stream.Spec{}, nil); err != nil {
		return err
	}
	w := r.world
	samples := w.Prefix() + "samples"
	if err := w.Client.EnsureTopics(r.ctx, []kafkalog.TopicSpec{{Name: samples, Partitions: w.Partitions + 3, ReplicationFactor: w.ReplicationFactor}}); err != nil {
		return err
	}
	p, err := w.Start("all")
	if err != nil {
		return err
	}
	if err := p.Await(r.ctx); err != nil {
		return err
	}
	log, err := os.ReadFile(p.Log)
	if err != nil {
		return err
	}
	for _, want := range []string{
		fmt.Sprintf("topic %s has %d partitions, want %d", samples, w.Partitions+3, w.Partitions), fmt.Sprintf("set kafka.partitions to %d", w.Partitions+3),
	} {
		if !strings.Contains(string(log), want) {
			r.result.differences = append(r.result.differences, fmt.Sprintf("%s does not say why it ended: %s", p.Name, want))
		}
	}
	if err := w.DeleteTopic(r.ctx, samples); err != nil {
		return err
	}
	if p, err = w.Start("all"); err != nil {
		return err
	}
	err = r.each(func(int) error {
		began, at := time.Now(), w.Clock.True()
		if err := w.AddPartitions(r.ctx, samples, w.Partitions+3); err != nil {
			return err
		}
		if err := r.says(p, "it has changed under way"); err != nil {
			return err
		}
		return r.recovers(began, at)
	})
	if err != nil {
		return err
	}
	return r.finish()
}

// topicsState takes detect's memory away while nobody looks. It is rebuilt from the samples, and comes out the same.
func topicsState(r *run) error {
	return r.whileStopped(stream.Spec{}, behind, func(round int) error {
		w := r.world
		state := w.Prefix() + "state"
		if round%2 == 1 {
			return w.DeleteTopic(r.ctx, state)
		}
		for p := range w.Partitions {
			_, end, err := w.Client.Bounds(r.ctx, state, p)
			if err == nil {
				err = w.DeleteRecords(r.ctx, state, p, end)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}, func(p *rig.Process) error {
		m, err := p.Metrics(r.ctx)
		if err != nil {
			return err
		}
		if got := m[`driftd_detector_restores_total{result="anew"}`]; got != float64(r.world.Partitions) {
			r.result.differences = append(r.result.differences, fmt.Sprintf("%s has rebuilt %v partitions of %d", p.Name, got, r.world.Partitions))
		}
		return nil
	})
}
