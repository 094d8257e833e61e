package main

import (
	"github.com/driftd/driftd/internal/chaos/compare"
	"github.com/driftd/driftd/internal/chaos/stream"
)

// compare fills the result in.
func (r *run) compare() error {
	w, res := r.world, r.result
	want, err := r.want()
	if err != nil {
		return err
	}
	got, err := compare.Read(r.ctx, w.Client, compare.Options{Prefix: w.Prefix(), Dimensions: stream.Dimensions, Rules: w.Stream.Rules})
	if err != nil {
		return err
	}
	rep := compare.Diff(want, got)
	res.events = w.Feed.Written()
	res.lost, res.doubled, res.windows = rep.Lost, rep.Doubled, rep.WrongWindows
	res.missing, res.repeated = rep.AlertsMissing+rep.AlertsWrong, rep.AlertsDoubled
	if !rep.Same() {
		res.differences = append(append(res.differences, rep.String()), rep.Said...)
	}
	return nil
}
