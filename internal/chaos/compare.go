package main

import (
	"slices"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/chaos/compare"
	"github.com/driftd/driftd/internal/chaos/oracle"
	"github.com/driftd/driftd/internal/chaos/stream"
	"github.com/driftd/driftd/windows"
)

// compare fills the result in.
func (r *run) compare() error {
	w, res := r.world, r.result
	want, err := r.want()
	if err != nil {
		return err
	}
	got, err := compare.Read(r.ctx, w.Client, compare.Options{
		Prefix: w.Prefix(), Dimensions: stream.Dimensions, Rules: w.Stream.Rules, Partitions: w.Partitions,
		Windows: windows.Options{MaxSeries: 200_000 / w.Partitions, MaxCohorts: 500, MaxVersions: 20}, // as the config has it
	})
	if err != nil {
		return err
	}
	want.Dead, got.Dead = r.unread(want.Dead), r.unread(got.Dead)
	if r.apart != nil {
		got.Hidden = r.apart.hides
	}
	rep := compare.Diff(want, got)
	res.events, res.steps = rep.Events, rep.Steps
	res.lost, res.doubled, res.windows = rep.Lost, rep.Doubled, rep.WrongWindows
	res.missing, res.repeated = rep.AlertsMissing+rep.AlertsWrong, rep.AlertsDoubled
	if !rep.Same() {
		res.differences = append(append(res.differences, rep.String()), rep.Said...)
	}
	if rep.Events == 0 || rep.Steps == 0 {
		res.differences = append(res.differences, "there is nothing to compare")
	}
	told := got.Receive(r.received(want, got))
	res.unreceived, res.receivedMore = told.Missing, told.Doubled
	res.differences = append(res.differences, told.Said...)
	if r.apart != nil {
		r.apart.look(got)
	}
	return nil
}

// received is what the fakes have. A promotion is due where the alert fires that asks for it: where much of a stream is gone it may not,
// or what is left of it may not show the cause, which is for driftd to say.
func (r *run) received(want *oracle.Want, got *compare.Got) *compare.Received {
	w := r.world
	rec := &compare.Received{Receiver: "slack", Slack: w.Slack.Messages(), Promotions: w.Registry.Promotions(), Hushed: r.hush}
	if slices.ContainsFunc(want.Steps, func(s oracle.Step) bool {
		return s.Prompt == stream.RollbackPrompt && s.Type == string(detector.Firing)
	}) && !(len(r.passed) > 0 && slices.ContainsFunc(got.Actions, func(a detector.Record) bool {
		return a.Type == detector.RollbackRefused && a.Guard == "cause_unclear"
	})) {
		rec.Due = 1
	}
	for _, m := range w.Slack.Messages() {
		rec.Slack = append(rec.Slack, w.Slack.Replies(m.TS)...)
	}
	for _, d := range w.Hook.Got() {
		rec.Hook = append(rec.Hook, compare.Delivery{ID: d.ID, Body: d.Body})
	}
	return rec
}
