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

// tokens are those that let people and programs in.
func tokens(h *config.HTTP) (out []web.Token) {
	if !h.Token.IsZero() {
		out = append(out, web.Token{Name: config.DefaultTokenName, Secret: h.Token.Reveal(), Write: true})
	}
	for i := range h.Tokens {
		t := &h.Tokens[i]
		out = append(out, web.Token{Name: t.Name, Secret: t.Secret.Reveal(), Write: t.Scope == "write"})
	}
	return out
}
