package main

import (
	"fmt"
	"strings"
)

// job runs both stages at once, from native events to rules that are evaluated for every cell each minute.
func (b *bench) job(cells int, what, rule string, target float64) error {
	calls := b.size(1_000_000)
	set, err := ruleSet(rule)
	if err != nil {
		return err
	}
	c, err := b.client(laneCount)
	if err != nil {
		return err
	}
	defer c.Close()
	t := newTraffic(calls, cells)
	size, err := fill(b.ctx, c, sourceTopic, sourcePartitions, calls, t.native)
	if err != nil {
		return err
	}
	in, err := ingestStage(c, "driftd_json", calls)
	if err != nil {
		return err
	}
	detect, counts := detectStage(c, set, calls)
	work, end, err := b.finish(fmt.Sprintf("job-%d-%s", cells, strings.ReplaceAll(what, " ", "-")), nil, in, detect)
	if err != nil {
		return err
	}
	if n := counts("too_late_samples_total"); n > 0 {
		return fmt.Errorf("%d of %d samples came too late", n, calls)
	}
	million := float64(calls) / 1e6
	b.report(figure{
		What: fmt.Sprintf("whole job, %s of %d cells", what, cells), Value: work.cpu.Seconds() / million, Unit: "CPU-s/M events",
		Target: target, AtMost: true, PerEvent: work.per("event", calls),
		Note: fmt.Sprintf("%d events of %d B, %d ticks, %d late, %.1f s by the clock", calls, size/calls, counts("ticks_total"), counts("late_samples_total"), work.wall.Seconds()),
	})
	b.report(figure{What: "  with a checkpoint at the end", Value: (work.cpu + end.cpu).Seconds() / million, Unit: "CPU-s/M events"})
	return nil
}
