package main

import (
	"fmt"

	"github.com/driftd/driftd/rules"
)

// fold runs detect without rules over a samples topic that ingest has filled.
func (b *bench) fold(series int, target float64) error {
	calls, cells := b.size(1_000_000), series/valuesPerCall+1
	c, err := b.client(laneCount)
	if err != nil {
		return err
	}
	defer c.Close()
	t := newTraffic(calls, cells)
	if _, err := fill(b.ctx, c, sourceTopic, sourcePartitions, calls, t.native); err != nil {
		return err
	}
	in, err := ingestStage(c, "driftd_json", calls)
	if err != nil {
		return err
	}
	if _, _, err := b.finish("fold-input", nil, in); err != nil {
		return err
	}
	s, counts := detectStage(c, &rules.Set{}, calls)
	work, _, err := b.finish(fmt.Sprintf("fold-%d", series), nil, s)
	if err != nil {
		return err
	}
	if n := counts("too_late_samples_total"); n > 0 {
		return fmt.Errorf("%d of %d samples came too late", n, calls)
	}
	values := counts("values_total")
	b.report(figure{
		What: fmt.Sprintf("detect fold, %d series", series), Value: work.millions(values), Unit: "M values/s/core", Target: target,
		PerEvent: work.per("call", calls),
		Note:     fmt.Sprintf("%d calls of %.2f values in %d records", calls, float64(values)/float64(calls), counts("records_total")),
	})
	return nil
}
