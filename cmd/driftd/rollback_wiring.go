package main

import (
	"time"

	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/alert/rollback"
)

// newRollback makes the core of the registry's worker.
func (d *daemon) newRollback() *rollback.Core {
	r := &d.Config.Rollback
	c := rollback.Config{
		Enabled: r.Enabled, Cooldown: r.Cooldown, PromptPerDay: r.PromptPerDay, FleetPerDay: r.FleetPerDay, MinSamples: r.MinSamples,
		Horizon: r.Horizon, ApproveWithin: r.ApproveWithin, RemindAfter: r.RemindAfter, Watch: r.Watch, Grace: time.Minute,
		Link:     func(alert string) string { return phrase.Link(d.Config.HTTP.PublicURL, alert) },
		Registry: d.registry, Now: d.Now, Metrics: d.metrics, Log: d.Log.With("part", "rollback"),
	}
	if d.Config.Registry != nil {
		c.Grace = d.Config.Registry.Grace
	}
	return rollback.New(c)
}
