package config

import (
	"fmt"
	"regexp"
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
		slack, webhook := c.doc.At(&r.Slack), c.doc.At(&r.Webhook)
		switch {
		case slack.Present() && webhook.Present():
			webhook.KeyErrorf("make two receivers of it, and a route with `continue: true`", "a receiver is one thing, and this one is `slack` already")
		case !slack.Present() && !webhook.Present() && !c.doc.Misspelt(r):
			at.Errorf("add `slack` or `webhook`", "receiver `%s` does not say where messages go", r.Name)
		}
		if r.Slack != nil {
			c.slack(r.Slack, c.doc.At(&r.Slack))
		}
		if r.Webhook != nil {
			c.url(&r.Webhook.URL, "webhook")
			c.secret(&r.Webhook.Secret)
			c.secret(&r.Webhook.Token)
			if r.Webhook.Template == "" && !c.doc.At(&r.Webhook.Secret).Present() && !c.doc.Misspelt(r.Webhook) {
				webhook.KeyErrorf("add `secret`, such as \"${HOOK_SECRET}\"", "webhooks are signed: `secret` is missing")
			}
		}
	}
	return names
}

func (c *checker) slack(s *Slack, whole strictyaml.Place) {
	c.secret(&s.Token)
	c.secret(&s.WebhookURL)
	c.secret(&s.SigningSecret)
	c.secret(&s.AppToken)
	if c.doc.Misspelt(s) {
		return
	}
	token, channel, hook := c.doc.At(&s.Token), c.doc.At(&s.Channel), c.doc.At(&s.WebhookURL)
	switch {
	case hook.Present() && token.Present():
		hook.KeyErrorf("keep one of them", "`webhook_url` and `token` are two ways to the same channel")
	case hook.Present() && channel.Present():
		channel.KeyErrorf("remove it", "an incoming webhook has its own channel")
	case token.Present() && !channel.Present():
		token.KeyErrorf("add `channel`, such as \"#llm-alerts\"", "`token` without `channel`")
	case channel.Present() && !token.Present() && !hook.Present():
		channel.KeyErrorf("add `token`, such as \"${SLACK_TOKEN}\"", "`channel` without `token`")
	case !hook.Present() && !token.Present():
		whole.KeyErrorf("add `token` and `channel`, or `webhook_url`", "`slack` does not say how to get there")
	}
	if text := s.Token.text; text != "" && !strings.HasPrefix(text, "xox") {
		token.Warnf("Slack's bot tokens begin with xoxb-", "this does not look like a token of a Slack bot")
	}
	if strings.ContainsAny(s.Channel, " \t,") {
		channel.Errorf("such as \"#llm-alerts\" or C0123456789", "`%s` is no channel", s.Channel)
	}
	if text := s.WebhookURL.text; text != "" {
		if problem := urlProblem(text); problem != "" {
			hook.Errorf("such as https://hooks.slack.com/services/…", "`webhook_url` is no address: %s", problem)
		}
	}
}

func (c *checker) routes(names []string) {
	r := c.config.Route
	if r == nil {
		if len(c.config.Receivers) > 0 && !c.doc.Misspelt(c.config) {
			c.doc.At(&c.config.Receivers).KeyErrorf(fmt.Sprintf("add route: {receiver: %s}", names[0]), "there are receivers, but no `route` leads to them")
		}
		return
	}
	if at := c.doc.At(&r.Match); at.Present() {
		at.KeyErrorf("put it into a route under `routes`", "the top route takes every alert: it has no `match`")
	}
	if at := c.doc.At(&r.Continue); at.Present() {
		at.KeyErrorf("remove it", "there is no route after the top one")
	}
	c.route(r, names)
}

func (c *checker) route(r *Route, names []string) {
	if at := c.doc.At(&r.Receiver); r.Receiver != "" {
		known := false
		for _, n := range names {
			known = known || n == r.Receiver
		}
		if !known {
			hint := "add it to `receivers`"
			if near := strictyaml.Nearest(r.Receiver, names); near != "" {
				hint = fmt.Sprintf("did you mean `%s`?", near)
			} else if len(names) > 0 {
				hint = "there is " + strictyaml.List(names, "and")
			}
			at.Errorf(hint, "there is no receiver `%s`", r.Receiver)
		}
	}
	for name := range r.Match {
		if !dimensionName.MatchString(name) {
			c.doc.Entry(&r.Match, name).KeyErrorf("use letters, digits and _, such as team", "`%s` is no name of a label", name)
		}
	}
	for i := range r.Routes {
		inner := &r.Routes[i]
		if len(inner.Match) == 0 && i < len(r.Routes)-1 && !inner.Continue && !c.doc.Misspelt(inner) {
			c.doc.At(&inner.Receiver).Warnf("add `match`, `continue: true`, or make it the last one", "this route takes every alert: those after it get none")
		}
		c.route(inner, names)
	}
}
