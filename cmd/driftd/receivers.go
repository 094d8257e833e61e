package main

import (
	"cmp"
	"fmt"
	"maps"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/internal/config"
)

// newAct makes one worker for each receiver, and one for the registry: that one runs without a registry too, so that rules
// which allow a rollback are told why there is none.
func (d *daemon) newAct() ([]*alert.Worker, error) {
	var out []*alert.Worker
	quiet := cmp.Or(d.Pace.Quiet, alert.DefaultQuiet)
	worker := func(name string, core alert.Core, whole bool, quiet time.Duration) {
		out = append(out, alert.NewWorker(alert.WorkerConfig{
			Name: name, Group: d.groupID("act-" + name), Prefix: d.Config.Kafka.TopicPrefix, Core: core, Quiet: quiet,
			Partitions: d.Config.Kafka.Partitions, Whole: whole, SessionTimeout: d.Pace.Session, Heartbeat: d.Pace.Beat,
			Client: d.client, Metrics: d.metrics, Log: d.Log.With("part", "act"),
		}))
	}
	root, mutes := d.route(), d.muteTimes()
	for i := range d.Config.Receivers {
		r := &d.Config.Receivers[i]
		to, err := d.receiver(r)
		if err != nil {
			return nil, fmt.Errorf("receiver %s: %w", r.Name, err)
		}
		worker(r.Name, alert.NewOutbox(alert.OutboxConfig{
			Name: r.Name, Receiver: to, Route: root, Mutes: mutes, UntilWorseBy: float64(d.Config.Acknowledge.UntilWorseBy),
			Watchdog: d.watchdog(r.Name), Now: d.Now, Metrics: d.metrics, Log: d.Log.With("part", "act"),
		}), false, quiet)
		if digest := d.newDigest(r); digest != nil {
			worker(r.Name+"-digest", digest, false, quiet)
		}
	}
	// It is quicker than the receivers, so that what they tell of a new alert has its rollback in it.
	worker(registryWorker, d.newRollback(), true, quiet/5)
	return out, nil
}

// route is the config's routing tree; without one every receiver gets everything.
func (d *daemon) route() *alert.Route {
	if d.Config.Route != nil {
		r := convert(d.Config.Route)
		return &r
	}
	root := &alert.Route{}
	for _, r := range d.Config.Receivers {
		root.Routes = append(root.Routes, alert.Route{Receiver: r.Name, Continue: true})
	}
	return root
}

func convert(r *config.Route) alert.Route {
	out := alert.Route{
		Receiver: r.Receiver, Match: maps.Clone(r.Match), Continue: r.Continue, GroupBy: r.GroupBy, Repeat: r.Repeat, Mute: r.Mute,
		Fallback: r.Fallback, Responders: r.Responders, Approvers: r.Approvers,
	}
	for i := range r.Routes {
		out.Routes = append(out.Routes, convert(&r.Routes[i]))
	}
	return out
}
