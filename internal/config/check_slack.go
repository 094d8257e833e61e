package config

import (
	"cmp"
	"strings"

	"github.com/driftd/driftd/internal/strictyaml"
)

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
	c.slackButtons(s)
	if text := s.Token.text; text != "" && !strings.HasPrefix(text, "xox") {
		token.Warnf("Slack's bot tokens begin with xoxb-", "this does not look like a token of a Slack bot")
	}
	if strings.ContainsAny(s.Channel, " \t,") {
		channel.Errorf("such as \"#llm-alerts\" or C0123456789", "`%s` is no channel", s.Channel)
	}
	if text := s.WebhookURL.text; text != "" {
		if problem, hint := c.peerProblem(text); problem != "" {
			hook.Errorf(cmp.Or(hint, "such as https://hooks.slack.com/services/…"), "`webhook_url` is no address: %s", problem)
		}
	}
}

// slackButtons checks how driftd hears what people press.
func (c *checker) slackButtons(s *Slack) {
	hook, signing, socket, charts := c.doc.At(&s.WebhookURL), c.doc.At(&s.SigningSecret), c.doc.At(&s.AppToken), c.doc.At(&s.Charts)
	const hint = "use `token` and `channel` in place of `webhook_url`"
	switch {
	case hook.Present() && signing.Present():
		signing.KeyErrorf(hint, "an incoming webhook cannot have buttons: `signing_secret` has no effect")
	case hook.Present() && socket.Present():
		socket.KeyErrorf(hint, "an incoming webhook cannot have buttons: `app_token` has no effect")
	case signing.Present() && socket.Present():
		socket.KeyErrorf("keep `signing_secret` where Slack can reach http.listen, else `app_token`", "`signing_secret` and `app_token` are two ways to hear the same buttons")
	}
	if hook.Present() && charts.Present() && s.Charts {
		charts.KeyErrorf(hint, "an incoming webhook cannot upload images: `charts` has no effect")
	}
	if text := s.AppToken.text; text != "" && !strings.HasPrefix(text, "xapp-") {
		socket.Warnf("app-level tokens begin with xapp-; make one with connections:write", "this does not look like an app-level token of Slack")
	}
}

// heard warns of a route that says who may press buttons that nobody has: once. It returns true when there is no more to say.
func (c *checker) heard(r *Route) bool {
	for i := range c.config.Receivers {
		if s := c.config.Receivers[i].Slack; s != nil && (c.doc.At(&s.SigningSecret).Present() || c.doc.At(&s.AppToken).Present() || c.doc.Misspelt(s)) {
			return true
		}
	}
	const hint, problem = "give a Slack receiver `signing_secret` or `app_token`", "`%s` has no effect: no Slack receiver has buttons"
	if at := c.doc.At(&r.Approvers); at.Present() {
		at.Warnf(hint, problem, "approvers")
		return true
	}
	if at := c.doc.At(&r.Responders); at.Present() {
		at.Warnf(hint, problem, "responders")
		return true
	}
	for i := range r.Routes {
		if c.heard(&r.Routes[i]) {
			return true // said once
		}
	}
	return false
}
