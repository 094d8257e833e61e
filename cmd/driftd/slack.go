package main

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/alert/slack"
	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/web"
)

const slackPath = "POST /slack/interactions"

// slackReceiver tells a Slack channel.
func (d *daemon) slackReceiver(r *config.Receiver) alert.Receiver { return slack.New(d.slackConfig(r)) }

func (d *daemon) slackConfig(r *config.Receiver) slack.Config {
	c := slack.Config{
		Name: r.Name, Token: r.Slack.Token.Reveal(), Channel: r.Slack.Channel, WebhookURL: r.Slack.WebhookURL.Reveal(),
		TraceURL: d.Config.TraceURL, APIURL: d.SlackAPI, Transport: d.outgoing, Now: time.Now, Interval: d.Pace.Slack,
		Buttons: hears(r.Slack), Charts: r.Slack.Charts, ApproveWithin: d.Config.Rollback.ApproveWithin,
		Log: d.Log.With("part", "act", "receiver", r.Name),
	}
	if reg := d.Config.Registry; reg != nil {
		c.Grace = reg.Grace
	}
	return c
}

// newDigest posts the day's table to a Slack channel; nil where none is asked for.
func (d *daemon) newDigest(r *config.Receiver) alert.Core {
	if r.Slack == nil || r.Slack.Digest.Zone == nil {
		return nil
	}
	at := r.Slack.Digest
	return slack.NewDigest(slack.DigestConfig{
		Slack: d.slackConfig(r), Hour: at.Hour, Minute: at.Minute, Zone: at.Zone, Now: d.Now, Log: d.Log.With("part", "act"),
		Partition: func(id string) int { return kafkalog.PartitionFor(id, d.Config.Kafka.Partitions) },
	})
}

// hears says that driftd learns what people press in a receiver's messages.
func hears(s *config.Slack) bool { return !s.SigningSecret.IsZero() || !s.AppToken.IsZero() }

// newInteractions takes what people press in Slack. Receivers of one Slack app share it.
func (d *daemon) newInteractions() *slack.Interactions {
	var apps []slack.App
	for i := range d.Config.Receivers {
		r := &d.Config.Receivers[i]
		s := r.Slack
		if s == nil || !hears(s) {
			continue
		}
		app := slack.App{Token: s.Token.Reveal(), SigningSecret: s.SigningSecret.Reveal(), AppToken: s.AppToken.Reveal()}
		at := slices.IndexFunc(apps, func(a slack.App) bool {
			return a.Token == app.Token && a.SigningSecret == app.SigningSecret && a.AppToken == app.AppToken
		})
		if at < 0 {
			at, apps = len(apps), append(apps, app)
		}
		apps[at].Receivers = append(apps[at].Receivers, r.Name)
	}
	root := d.route()
	return slack.NewInteractions(slack.InteractionsConfig{
		Apps: apps, People: d.desk, APIURL: d.SlackAPI, Transport: d.outgoing, Dial: d.Config.Outgoing.Guard().DialContext, Now: d.Now, Metrics: d.metrics, Log: d.Log.With("part", "slack"),
		Find: func(receiver, alertID string) (desk.Alert, alert.Leg, error) {
			a, err := d.desk.Board().Alert(alertID)
			if err != nil {
				if !d.desk.Board().Ready() {
					err = slack.ErrStarting
				}
				return a, alert.Leg{}, err
			}
			legs := root.Legs(a.Labels)
			for _, told := range []func(alert.Leg) bool{
				func(l alert.Leg) bool { return l.Receiver == receiver },
				func(l alert.Leg) bool { return l.Fallback == receiver },
			} {
				if i := slices.IndexFunc(legs, told); i >= 0 {
					return a, legs[i], nil
				}
			}
			return a, alert.Leg{}, desk.ErrNotFound // the routes have changed
		},
	})
}

// slackHandlers are the paths that Slack calls: none where all apps are heard by Socket Mode.
func (d *daemon) slackHandlers() map[string]http.Handler {
	for i := range d.Config.Receivers {
		if s := d.Config.Receivers[i].Slack; s != nil && !s.SigningSecret.IsZero() {
			return map[string]http.Handler{slackPath: d.slack}
		}
	}
	return nil
}

// slackChecks tell how the sockets are.
func (d *daemon) slackChecks() []web.Check {
	var problems []string
	for _, s := range d.sockets {
		if p := s.Problem(); p != "" {
			problems = append(problems, p)
		}
	}
	if len(d.sockets) == 0 {
		return nil
	}
	return []web.Check{{Name: "slack buttons", OK: true, Trouble: len(problems) > 0, Detail: strings.Join(problems, "; ")}}
}
