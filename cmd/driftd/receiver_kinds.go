package main

import (
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/alertmanager"
	"github.com/driftd/driftd/alert/pagerduty"
	"github.com/driftd/driftd/alert/webhook"
	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/signature"
)

// receiver makes a receiver of the kind that the config says.
func (d *daemon) receiver(r *config.Receiver) (alert.Receiver, error) {
	switch {
	case r.Slack != nil:
		return d.slackReceiver(r), nil
	case r.Alertmanager != nil:
		a := r.Alertmanager
		return alertmanager.New(alertmanager.Config{
			Name: r.Name, URLs: a.URLs, Username: a.Username, Password: a.Password.Reveal(), Token: a.Token.Reveal(),
			PublicURL: d.Config.HTTP.PublicURL, TraceURL: d.Config.TraceURL, Transport: d.outgoing, Now: time.Now, Metrics: d.metrics,
			Log: d.Log.With("part", "act", "receiver", r.Name),
		}), nil
	case r.PagerDuty != nil:
		return pagerduty.New(pagerduty.Config{
			RoutingKey: r.PagerDuty.RoutingKey.Reveal(), URL: r.PagerDuty.URL, PublicURL: d.Config.HTTP.PublicURL,
			TraceURL: d.Config.TraceURL, Transport: d.outgoing, Now: time.Now,
		}), nil
	}
	w := r.Webhook
	cfg := webhook.Config{
		URL: w.URL.Reveal(), Template: w.Template, Token: w.Token.Reveal(), PublicURL: d.Config.HTTP.PublicURL,
		TraceURL: d.Config.TraceURL, Transport: d.outgoing, Now: time.Now,
	}
	if !w.Secret.IsZero() {
		key, err := signature.ParseKey(w.Secret.Reveal())
		if err != nil {
			return nil, err
		}
		cfg.Key = key
	}
	return webhook.New(cfg), nil
}
