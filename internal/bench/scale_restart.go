package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/kafkalog"
)

// restarts kills a daemon that has so many full series and starts it again, and lets others come and go.
func (b *bench) restarts(series int, target float64, kills int, rebalance bool) error {
	if b.quick { // the source that was fed is waited for longer than such a run takes
		kills, rebalance = 1, false
	}
	f, err := b.newFleet("full.")
	if err != nil {
		return err
	}
	defer f.close()
	c, err := kafkalog.Dial(kafkalog.Config{Brokers: b.brokers}, quiet())
	if err != nil {
		return err
	}
	defer c.Close()
	cells := (b.size(series) + scalePartitions*seriesPerCell - 1) / (scalePartitions * seriesPerCell)
	load, size, err := b.fillState(c, f, cells)
	if err != nil {
		return err
	}
	stop := b.live(c, load)
	first, err := f.start("driftd0")
	if err != nil {
		return err
	}
	if err := f.settled(first); err != nil {
		return err
	}
	// The source of what the partitions were fed with is waited for at first: it may come again. A quick run sees no tick.
	if err := f.until("time to go on", func() bool {
		if b.quick {
			return true
		}
		lags := first.figures().byPartition("driftd_detector_watermark_lag_seconds{")
		for _, lag := range lags {
			if lag == 0 || lag > 40 {
				return false
			}
		}
		return len(lags) == scalePartitions
	}); err != nil {
		return err
	}
	ends, since, err := f.ends(c, "state")
	if err != nil {
		return err
	}
	var worst took
	for range kills {
		t, err := f.killed(first)
		if err != nil {
			return err
		}
		if t.ticking > worst.ticking {
			worst = t
		}
	}
	held := first.figures()
	grown, err := f.written(c, "state", ends)
	if err != nil {
		return err
	}
	perMinute := float64(grown) / time.Since(since).Minutes() / (1 << 20)
	b.report(figure{
		What: fmt.Sprintf("kill -9 to ticking, %d full series", cells*seriesPerCell*scalePartitions), Value: worst.ticking.Seconds(), Unit: "s", Target: target, AtMost: true,
		Note: fmt.Sprintf("the worst of %d, started again at once; %.1f CPU-s; %d MB of state in %d partitions, %.1f KB a series; %d MB resident", kills, worst.cpu.Seconds(), size>>20, scalePartitions,
			float64(size)/float64(cells*seriesPerCell*scalePartitions)/1024, int(held.sum("process_resident_memory_bytes"))>>20),
	})
	for _, p := range worst.phases() {
		b.report(p)
	}
	b.report(figure{
		What: "  written to the state topic", Value: perMinute, Unit: "MB/minute",
		Note: fmt.Sprintf("panes and a checkpoint each 30 s, of 1600 calls/s on %d cells", cells),
	})
	if rebalance {
		if err := b.rebalances(c, f); err != nil {
			return err
		}
	}
	return stop()
}

// took is how long after a kill something had happened.
type took struct {
	up, joined, ready, caught, ticking time.Duration
	reading, restoring                 time.Duration // of the partition for which it took longest
	again                              time.Duration // for which the longest partition of the source was read again
	cpu                                time.Duration // of the new process until it ticked
}

func (t *took) phases() []figure {
	line := func(what string, d time.Duration, note string) figure {
		return figure{What: "  " + what, Value: d.Seconds(), Unit: "s", Note: note}
	}
	return []figure{
		line("process up", t.up, "config and rules read"),
		line("groups joined", t.joined-t.up, "topics looked at, ingest and detect"),
		line("partitions restored", t.ready-t.joined, fmt.Sprintf("side by side; the longest took %.2f s: %.2f s of reading, the rest decoding",
			t.restoring.Seconds(), t.reading.Seconds())),
		line("source read again", t.again, "beside the restore: what may still be linked to; of the partition for which it took longest"),
		line("tail of samples read", t.caught-t.ready, ""),
		line("first tick of all partitions", t.ticking-t.caught, "due one second after the kill"),
	}
}

// killed kills an instance one second before a tick is due and starts it again at once.
func (f *fleet) killed(i *instance) (t took, err error) {
	least := float64(scalePartitions) // ticks
	if f.b.quick {
		least = 0
	} else {
		due, err := f.due(i)
		if err != nil {
			return t, err
		}
		wait := time.NewTimer(time.Until(due.Add(-time.Second)))
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-f.b.ctx.Done():
			return t, f.b.ctx.Err()
		}
	}
	began := time.Now()
	i.kill()
	if err := i.start(); err != nil {
		return t, err
	}
	since := func(at []time.Time) time.Duration { return at[len(at)-1].Sub(began) }
	if err := f.until("a tick of all partitions after a kill", func() bool {
		if ready := i.said("partition ready"); len(ready) < scalePartitions {
			return false
		}
		s := i.figures()
		if t.caught == 0 && s.sum("driftd_detector_lag_records") == 0 && len(s.byPartition("driftd_detector_watermark_lag_seconds{")) == scalePartitions {
			t.caught = time.Since(began)
		}
		t.ticking = time.Since(began)
		return s["driftd_detector_ticks_total"] >= least && t.caught > 0
	}); err != nil {
		return t, err
	}
	t.cpu = i.cpu()
	t.up, t.joined, t.ready = since(i.said("driftd starts")), since(i.said("partitions assigned")), since(i.said("partition ready"))
	t.caught = max(min(t.caught, t.ticking), t.ready)
	for _, l := range i.logged("partition ready") {
		if d := l.duration("took"); d > t.restoring {
			t.restoring, t.reading = d, l.duration("reading")
		}
	}
	for _, l := range i.logged("source ready") {
		t.again = max(t.again, l.duration("took"))
	}
	return t, nil
}

// due is when the last of the partitions will tick next, more than a moment ahead: when its watermark, which follows the clock, will
// have come to a whole minute. It waits until all partitions are as far as they can be.
func (f *fleet) due(i *instance) (at time.Time, err error) {
	const level, moment = 500 * time.Millisecond, 3 * time.Second
	err = f.until("partitions that are level", func() bool {
		lags := i.figures().byPartition("driftd_detector_watermark_lag_seconds{")
		now := time.Now()
		first, last := now, now.Add(-time.Hour)
		for _, lag := range lags {
			w := now.Add(-time.Duration(lag * float64(time.Second)))
			if w.Before(first) {
				first = w
			}
			if w.After(last) {
				last = w
			}
		}
		if len(lags) < scalePartitions || last.Sub(first) > level {
			return false
		}
		at = now.Add(first.Truncate(time.Minute).Add(time.Minute).Sub(first))
		return at.Sub(now) > moment && last.Truncate(time.Minute).Equal(first.Truncate(time.Minute))
	})
	return at, err
}

// rebalances lets two more instances come and go beside the first and looks for how long partitions stand still.
func (b *bench) rebalances(c *kafkalog.Client, f *fleet) error {
	w, err := f.watch(c)
	if err != nil {
		return err
	}
	type most struct{ stays, moves [2]time.Duration } // of ingest and of detect
	var calm, dead most
	var restore [2]time.Duration // the longest of each
	ready := [2]string{"source ready", "partition ready"}
	step := func(into *most, what string, act func() error, left func() []*instance) error {
		inBefore, deBefore := f.owners()
		w.reset()
		began := time.Now()
		if err := act(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if err := f.settled(left()...); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if err := f.until("detect to be where the log is", func() bool { return w.level() }); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		in, de := w.gaps()
		inAfter, deAfter := f.owners()
		for n, stage := range []struct {
			gaps          map[int]time.Duration
			before, after map[int]string
		}{{in, inBefore, inAfter}, {de, deBefore, deAfter}} {
			for p, gap := range stage.gaps {
				if stage.before[p] == stage.after[p] {
					into.stays[n] = max(into.stays[n], gap)
				} else {
					into.moves[n] = max(into.moves[n], gap)
				}
			}
		}
		for n, says := range ready {
			for _, i := range left() {
				for _, l := range i.logged(says) {
					if l.at.After(began) && into == &calm {
						restore[n] = max(restore[n], l.duration("took"))
					}
				}
			}
		}
		return nil
	}
	one := f.all[0]
	var two, three *instance
	list := func(of ...**instance) func() []*instance { // when it is known
		return func() (these []*instance) {
			for _, i := range of {
				these = append(these, *i)
			}
			return these
		}
	}
	steps := []func() error{
		func() error {
			return step(&calm, "1 → 2", func() (err error) { two, err = f.start("driftd1"); return err }, list(&one, &two))
		},
		func() error {
			return step(&calm, "2 → 3", func() (err error) { three, err = f.start("driftd2"); return err }, list(&one, &two, &three))
		},
		func() error {
			return step(&calm, "3 → 2", func() error { three.stop(); return nil }, list(&one, &two))
		},
		func() error {
			return step(&dead, "2 → 1 by kill -9", func() error { two.kill(); return nil }, list(&one))
		},
	}
	for _, s := range steps {
		if err = s(); err != nil {
			break
		}
	}
	if end := w.stop(); err == nil {
		err = end
	}
	if err != nil {
		return err
	}
	stages := []string{"ingest", "detect"}
	for n, stage := range stages {
		b.report(figure{What: "rebalance stops a partition that stays, " + stage, Value: calm.stays[n].Seconds(), Unit: "s", Target: 1, AtMost: true, Note: "1 → 2 → 3 → 2 instances under load"})
	}
	what := []string{"reading again of what is linked to", "restore"}
	for n, stage := range stages {
		b.report(figure{
			What: "rebalance stops a partition that moves, " + stage, Value: calm.moves[n].Seconds(), Unit: "s", Target: 2 + restore[n].Seconds(), AtMost: true,
			Note: fmt.Sprintf("the target is 2 s and the %s, of which the longest took %.2f s", what[n], restore[n].Seconds()),
		})
	}
	b.report(figure{What: "kill -9 of one of two stops its partitions", Value: max(dead.moves[0], dead.moves[1]).Seconds(), Unit: "s", Note: "the session timeout of 15 s, and the restore"})
	return nil
}

// logged are the lines with text that the running process has written.
func (i *instance) logged(text string) (found []logLine) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, l := range i.lines {
		if strings.Contains(l.text, text) {
			found = append(found, l)
		}
	}
	return found
}

// duration is the value of a key.
func (l logLine) duration(key string) time.Duration {
	for _, word := range strings.Fields(l.text) {
		if v, ok := strings.CutPrefix(word, key+"="); ok {
			d, _ := time.ParseDuration(v)
			return d
		}
	}
	return 0
}

// ends are where the partitions of a topic end now.
func (f *fleet) ends(c *kafkalog.Client, topic string) (next [scalePartitions]int64, now time.Time, err error) {
	for p := range next {
		if _, next[p], err = c.Bounds(f.b.ctx, f.prefix+topic, p); err != nil {
			return next, now, err
		}
	}
	return next, time.Now(), nil
}

// written is how many bytes of records the partitions of a topic have got since.
func (f *fleet) written(c *kafkalog.Client, topic string, since [scalePartitions]int64) (size int, err error) {
	for p, from := range since {
		err := drain(f.b.ctx, c, f.prefix+topic, p, from, func(value []byte) error { size += len(value); return nil })
		if err != nil {
			return 0, err
		}
	}
	return size, nil
}
