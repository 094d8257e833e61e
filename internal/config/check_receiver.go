package config

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/driftd/driftd/internal/strictyaml"
)

// receiverName fits into the name of a consumer group.
var receiverName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,100}$`)

func (c *checker) receivers() []string {
	seen := make(map[string]strictyaml.Place)
	var names []string
	for i := range c.config.Receivers {
		r := &c.config.Receivers[i]
		at := c.doc.At(&r.Name)
		before, twice := seen[r.Name]
		switch {
		case r.Name == "":
		case !receiverName.MatchString(r.Name):
			at.Errorf("use letters, digits, _, - and ., 100 at most", "`%s` is no name of a receiver", r.Name)
		case twice:
			at.Errorf("rename one of them", "there is a receiver `%s` at %s already", r.Name, before)
		default:
			seen[r.Name] = at
		}
		names = append(names, r.Name)
		c.kinds(r)
		if r.Slack != nil {
			c.slack(r.Slack, c.doc.At(&r.Slack))
		}
		if r.Webhook != nil {
			c.webhook(r.Webhook, c.doc.At(&r.Webhook))
		}
		if r.Alertmanager != nil {
			c.alertmanager(r.Alertmanager)
		}
		if r.PagerDuty != nil {
			c.pagerduty(r.PagerDuty)
		}
	}
	return names
}

// kinds finds receivers that are nothing, or two things.
func (c *checker) kinds(r *Receiver) {
	kinds := []struct {
		name string
		at   strictyaml.Place
	}{{"slack", c.doc.At(&r.Slack)}, {"webhook", c.doc.At(&r.Webhook)}, {"alertmanager", c.doc.At(&r.Alertmanager)}, {"pagerduty", c.doc.At(&r.PagerDuty)}}
	is := ""
	for _, k := range kinds {
		switch {
		case !k.at.Present():
		case is != "":
			k.at.KeyErrorf("make two receivers of it, and a route with `continue: true`", "a receiver is one thing, and this one is `%s` already", is)
		default:
			is = k.name
		}
	}
	if is == "" && !c.doc.Misspelt(r) {
		c.doc.At(&r.Name).Errorf("add `slack`, `webhook`, `alertmanager` or `pagerduty`", "receiver `%s` does not say where messages go", r.Name)
	}
}

func (c *checker) webhook(w *Webhook, whole strictyaml.Place) {
	c.address(&w.URL, "webhook")
	c.secret(&w.Secret)
	c.secret(&w.Token)
	if c.doc.Misspelt(w) {
		return
	}
	switch {
	case !c.doc.At(&w.Template).Present() && !c.doc.At(&w.Secret).Present():
		whole.KeyErrorf("add `secret`, such as \"${HOOK_SECRET}\"", "webhooks are signed: `secret` is missing")
	case w.Template == "opsgenie" && !c.doc.At(&w.Token).Present():
		c.doc.At(&w.Template).Errorf("add `token`, such as \"${OPSGENIE_KEY}\"", "Opsgenie wants the key of an API integration: `token` is missing")
	}
}

func (c *checker) alertmanager(a *Alertmanager) {
	c.secret(&a.Password)
	c.secret(&a.Token)
	for i, u := range a.URLs {
		at := c.doc.At(&a.URLs[i])
		if strings.Contains(u, "@") {
			at.Hide()
		}
		switch problem, hint := c.peerProblem(u); {
		case u == "":
		case problem != "":
			at.Errorf(cmp.Or(hint, "such as http://alertmanager.example:9093"), "this is no address of an Alertmanager: %s", problem)
		case strings.Contains(u, "/api/v"):
			at.Errorf("leave out /api/v2 and what follows", "the path of the API is added by driftd")
		case slices.Contains(a.URLs[:i], u):
			at.Errorf("remove it", "this Alertmanager is named twice")
		}
	}
	if c.doc.Misspelt(a) {
		return
	}
	username, password, token := c.doc.At(&a.Username), c.doc.At(&a.Password), c.doc.At(&a.Token)
	switch {
	case token.Present() && (username.Present() || password.Present()):
		token.KeyErrorf("keep one of them", "`token` and `username` with `password` are two ways to say who it is")
	case username.Present() && !password.Present():
		username.KeyErrorf("add `password`, such as \"${ALERTMANAGER_PASSWORD}\"", "`username` without `password`")
	case password.Present() && !username.Present():
		password.KeyErrorf("add `username`", "`password` without `username`")
	}
}

func (c *checker) pagerduty(p *PagerDuty) {
	c.secret(&p.RoutingKey)
	if text := p.RoutingKey.text; text != "" && len(text) != 32 {
		c.doc.At(&p.RoutingKey).Warnf("it is the integration key of an Events API v2 integration, and has 32 characters", "this does not look like a routing key of PagerDuty")
	}
	if problem, hint := c.peerProblem(p.URL); problem != "" && p.URL != "" {
		if strings.Contains(p.URL, "@") {
			c.doc.At(&p.URL).Hide()
		}
		c.doc.At(&p.URL).Errorf(cmp.Or(hint, "such as https://events.eu.pagerduty.com/v2/enqueue"), "`url` is no address of the Events API: %s", problem)
	}
}
