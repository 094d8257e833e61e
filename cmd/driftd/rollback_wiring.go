package main

import (
	"fmt"
	"time"

	registrywebhook "github.com/driftd/driftd/alert/registry/webhook"
	"github.com/driftd/driftd/alert/rollback"
	"github.com/driftd/driftd/internal/signature"
)

// newRollback makes the core of the registry's worker.
func (d *daemon) newRollback() (*rollback.Core, error) {
	r := &d.Config.Rollback
	c := rollback.Config{
		Enabled: r.Enabled, Cooldown: r.Cooldown, PromptPerDay: r.PromptPerDay, FleetPerDay: r.FleetPerDay, MinSamples: r.MinSamples,
		Horizon: r.Horizon, ApproveWithin: r.ApproveWithin, RemindAfter: r.RemindAfter, Watch: r.Watch, Grace: time.Minute,
		Now: d.Now, Metrics: d.metrics, Log: d.Log.With("part", "rollback"),
	}
	if reg := d.Config.Registry; reg != nil {
		key, err := signature.ParseKey(reg.Secret.Reveal())
		if err != nil {
			return nil, fmt.Errorf("registry: %w", err)
		}
		c.Registry = registrywebhook.New(registrywebhook.Config{URL: reg.URL, Key: key, Now: time.Now})
		c.Grace = reg.Grace
	}
	return rollback.New(c), nil
}
