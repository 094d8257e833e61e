package main

import (
	"context"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/alert/rollback"
	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/web"
)

// newDesk is where people act, by Slack's buttons, the API and the command line.
func (d *daemon) newDesk() *desk.Desk {
	k := &d.Config.Kafka
	board := desk.NewBoard(desk.BoardConfig{Partitions: k.Partitions, Now: d.Now, UntilWorseBy: float64(d.Config.Acknowledge.UntilWorseBy)})
	return desk.New(desk.Config{
		Board: board, Log: &alert.Appender{Client: d.client, Prefix: k.TopicPrefix, Partitions: k.Partitions}, Now: d.Now,
		Guards: forced(),
	})
}

// forced are the guards that a rollback by hand may override.
func forced() (names []string) {
	for _, g := range rollback.Guards() {
		if g.Forced {
			names = append(names, g.Name)
		}
	}
	return names
}

// follow keeps the desk's board up to date, and what is known of labels in the registry.
func (d *daemon) follow(ctx context.Context) error {
	k := &d.Config.Kafka
	to := followers{d.desk.Board()}
	if d.events.book != nil {
		to = append(to, d.events.book)
	}
	return alert.Follow(ctx, alert.FollowConfig{
		Prefix: k.TopicPrefix, Partitions: k.Partitions, Client: d.client, Metrics: d.metrics, Log: d.Log.With("part", "desk"),
	}, to)
}

// deskCheck tells whether people can be answered.
func (d *daemon) deskCheck() web.Check {
	c := web.Check{Name: "desk", OK: d.desk.Board().Ready()}
	if !c.OK {
		c.Detail = "the alerts topic is still being read"
	}
	return c
}

// keys are what lets people and programs in, as the files have it now.
func keys(h *config.HTTP) (k web.Keys, err error) {
	access, security, err := h.Keys()
	for _, a := range access {
		k.Tokens = append(k.Tokens, web.Token{Name: a.Name, Secret: a.Token, Write: a.Write})
	}
	k.TLS = security
	return k, err
}

// keysCheck tells whether what lets people in is what stands in the files.
func (d *daemon) keysCheck() web.Check {
	c := web.Check{Name: "http", OK: true}
	if problem := d.web.Trouble(); problem != "" {
		c.Trouble, c.Detail = true, "the tokens and certificates of before are in force: "+problem
	}
	return c
}
