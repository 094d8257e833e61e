package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/driftd/driftd/internal/chaos/rig"
	"github.com/driftd/driftd/internal/chaos/stream"
	"github.com/driftd/driftd/internal/fault"
)

var processRows = []row{
	{name: "kill", does: "SIGKILL at any moment, all stages in one process", rounds: 8, do: kill},
	{name: "kill-stages", does: "SIGKILL at any moment, a process a stage", rounds: 9, do: killStages},
	{name: "kill-points", does: "SIGKILL at each named point between effects", rounds: 1, do: killPoints},
	{name: "zombie", does: "SIGSTOP, another takes over, SIGCONT", rounds: 3, slot: 10 * time.Minute, do: zombie},
	{name: "rebalance", does: "1 → 3 → 2 → 1 instances", rounds: 2, slot: 12 * time.Minute, do: rebalance},
	{name: "shutdown", does: "SIGTERM: out of the group in 10 s, goes on later", rounds: 4, do: shutdown},
}

var stages = []string{"ingest", "detect", "act"}

// kill ends the only process at any moment, and starts another one.
func kill(r *run) error {
	if err := r.open(stream.Spec{Rollback: true}, nil); err != nil {
		return err
	}
	p, err := r.world.Start("all")
	if err != nil {
		return err
	}
	err = r.each(func(int) error {
		began, at := time.Now(), r.world.Clock.True()
		p.Kill()
		if p, err = r.world.Start("all"); err != nil {
			return err
		}
		return r.recovers(began, at)
	})
	if err != nil {
		return err
	}
	return r.finish()
}

// killStages runs each stage in a process of its own and ends one of them at any moment.
func killStages(r *run) error {
	if err := r.open(stream.Spec{Rollback: true}, nil); err != nil {
		return err
	}
	running := map[string]*rig.Process{}
	var err error
	for _, s := range stages {
		if running[s], err = r.world.Start(s); err != nil {
			return err
		}
	}
	err = r.each(func(round int) error {
		s := stages[round%len(stages)]
		began, at := time.Now(), r.world.Clock.True()
		running[s].Kill()
		if running[s], err = r.world.Start(s); err != nil {
			return err
		}
		return r.recovers(began, at)
	})
	if err != nil {
		return err
	}
	return r.finish()
}

// fewPoints is how many of each stage a short run has.
const fewPoints = 4

// killPoints ends a process at every named point. Each stage has a process of its own that ends at one point after the other, as it
// starts anew, side by side with the other stages. The points of a rollback come whenever there is one. A short run has some points of
// each stage, the seed says which.
func killPoints(r *run) error {
	const rare = "act.promote"
	ways, most := map[string][]string{}, 0 // faults by stage
	var left []string                      // points that a short run leaves out
	for _, p := range fault.Points {
		stage, _, _ := strings.Cut(p, ".")
		if !strings.HasPrefix(p, rare) {
			ways[stage] = append(ways[stage], p)
		}
	}
	for _, s := range stages {
		way := ways[s]
		r.rng.Shuffle(len(way), func(i, j int) { way[i], way[j] = way[j], way[i] })
		times := 3 // some are passed once a partition
		if r.short {
			left = append(left, way[fewPoints:]...)
			way, times = way[:fewPoints], fewLanes
		}
		slices.SortStableFunc(way, func(a, b string) int { return first(a) - first(b) })
		ways[s] = slices.Repeat(way, r.rounds)
		for i, p := range ways[s] {
			nth := 1
			if first(p) > 0 && p+":" != restoring {
				nth += r.rng.IntN(times)
			}
			ways[s][i] = fmt.Sprintf("%s:%d", p, nth)
		}
		most = max(most, len(ways[s]))
	}
	if err := r.open(stream.Spec{Rollback: true, Length: lull + time.Duration(most+2)*slot}, nil); err != nil {
		return err
	}
	w := r.world
	var mu sync.Mutex
	reached, passed := map[string]int{}, map[string]int{}
	advance := func() { // with mu held: the clock goes on as the slowest stage does
		least := most
		for _, s := range stages {
			if passed[s] < len(ways[s]) {
				least = min(least, passed[s])
			}
		}
		w.Feed.Allow(w.Stream.Begin.Add(lull + time.Duration(least+2)*slot))
	}
	advance()
	var wg sync.WaitGroup
	failed := make([]error, len(stages))
	for i, s := range stages {
		wg.Go(func() {
			failed[i] = func() error {
				ahead := []string{}
				if s == "act" {
					ahead = []string{"act.promote:1", "act.promoted:1"}
				}
				for n := 0; ; {
					faults := ahead
					if n < len(ways[s]) {
						faults = append(slices.Clone(ahead), ways[s][n])
					}
					if n < len(ways[s]) && strings.HasPrefix(ways[s][n], restoring) {
						if err := r.saved(s); err != nil {
							return err
						}
					}
					p, err := w.Start(s, faults...)
					if err != nil || len(faults) == 0 {
						return err
					}
					select {
					case <-p.Ended():
					case <-r.ctx.Done():
						return fmt.Errorf("%s does not come to %s: %w", p.Name, strings.Join(faults, " or "), context.Cause(r.ctx))
					case <-r.over(n >= len(ways[s])):
						return nil // there was no rollback
					}
					point, ok := p.Fault()
					if !ok {
						return fmt.Errorf("%s ended by itself", p.Name)
					}
					mu.Lock()
					reached[point]++
					if ahead = slices.DeleteFunc(ahead, func(f string) bool { return f == point+":1" }); !strings.HasPrefix(point, rare) {
						n++
						passed[s] = n
					}
					advance()
					mu.Unlock()
				}
			}()
		})
	}
	wg.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	for _, p := range fault.Points {
		r.result.rounds += reached[p]
		if reached[p] == 0 && !slices.Contains(left, p) {
			r.note("%s was not passed", p)
		}
	}
	if r.short {
		r.note("left out, for it is short: %s", strings.Join(left, ", "))
	}
	return r.finish()
}

// restoring is a point that is passed only where there is a checkpoint.
const restoring = "detect.restore:"

// saved runs a stage until it has saved a checkpoint, and kills it.
func (r *run) saved(stage string) error {
	p, err := r.world.Start(stage)
	if err != nil {
		return err
	}
	defer p.Kill()
	return rig.Until(r.ctx, "a checkpoint", func() bool {
		m, err := p.Metrics(r.ctx)
		return err == nil && m[`driftd_detector_checkpoints_total{result="ok"}`] > 0
	})
}

// first sorts the points that only a first start passes before the others.
func first(point string) int {
	if point == "ingest.begin" || point == "detect.reset" {
		return 0
	}
	return 1
}

// zombie lets a process stand still until another one has its partitions, and then go on.
func zombie(r *run) error {
	if err := r.open(stream.Spec{}, nil); err != nil {
		return err
	}
	w := r.world
	p, err := w.Start("all")
	if err != nil {
		return err
	}
	err = r.each(func(int) error {
		other, err := w.Start("all")
		if err != nil {
			return err
		}
		if err := r.ticks(w.Clock.True()); err != nil {
			return err
		}
		began, at := time.Now(), w.Clock.True()
		p.Pause()
		if err := r.recovers(began, at); err != nil {
			return err
		}
		p.Continue()
		if err := r.ticks(w.Clock.True()); err != nil { // with both
			return err
		}
		if _, err := p.Terminate(r.ctx); err != nil {
			return err
		}
		p = other
		return nil
	})
	if err != nil {
		return err
	}
	return r.finish()
}

// rebalance starts and ends instances under load.
func rebalance(r *run) error {
	if err := r.open(stream.Spec{Partitions: 6}, func(o *rig.Options) { o.Partitions = 6 }); err != nil {
		return err
	}
	w := r.world
	var all []*rig.Process
	grow := func() error {
		p, err := w.Start("all")
		all = append(all, p)
		return err
	}
	shrink := func() error {
		i := r.rng.IntN(len(all))
		p := all[i]
		all = slices.Delete(all, i, i+1)
		_, err := p.Terminate(r.ctx)
		return err
	}
	if err := grow(); err != nil {
		return err
	}
	err := r.each(func(int) error {
		for _, change := range [][]func() error{{grow, grow}, {shrink}, {shrink}} {
			began, at := time.Now(), w.Clock.True()
			for _, c := range change {
				if err := c(); err != nil {
					return err
				}
			}
			if err := r.recovers(began, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.finish()
}

// shutdown ends the only process as an operator does, and starts another one a little later. A group that was left has no member to wait
// for: that is how it shows.
func shutdown(r *run) error {
	if err := r.open(stream.Spec{}, nil); err != nil {
		return err
	}
	w := r.world
	p, err := w.Start("all")
	if err != nil {
		return err
	}
	most := time.Duration(0)
	err = r.each(func(int) error {
		began, at := time.Now(), w.Clock.True()
		took, err := p.Terminate(r.ctx)
		if err != nil {
			return err
		}
		if most = max(most, took); took > 10*time.Second {
			r.differs("it took %.1f s to end", took.Seconds())
		}
		for _, stage := range []string{"ingest", "detect", "act-slack", "act-hook", "act-registry"} {
			members, err := w.Members(r.ctx, w.Group(stage))
			if err != nil {
				return err
			}
			if members > 0 {
				r.differs("group %s has %d members after the end", w.Group(stage), members)
			}
		}
		if p, err = w.Start("all"); err != nil {
			return err
		}
		return r.recovers(began, at)
	})
	if err != nil {
		return err
	}
	r.note("ended in %.1f s at most", most.Seconds())
	return r.finish()
}
