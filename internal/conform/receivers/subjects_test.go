package receivers

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/alertmanager"
	"github.com/driftd/driftd/alert/pagerduty"
	"github.com/driftd/driftd/alert/slack"
	"github.com/driftd/driftd/alert/webhook"
	"github.com/driftd/driftd/internal/fakeslack"
	"github.com/driftd/driftd/internal/signature"
)

// subject is a receiver and whom it tells.
type subject struct {
	name    string
	peer    func() Peer
	open    func(rt http.RoundTripper, m *metrics.Set, log *slog.Logger) alert.Receiver
	secrets []string
	keyless bool // whom it tells cannot know a repetition by anything, so that one may be seen
	acks    bool // it tells acknowledgements
	pages   bool // and whom it tells pages someone for each incident
	resends bool // whom it tells forgets
}

const (
	publicURL = "https://driftd.test"
	traceURL  = "https://traces.test/{trace_id}"

	slackToken = "xoxb-very-secret-token"
	slackPath  = "/services/T0/B0/very-secret-hook"
	routingKey = "very0secret0routing0key0of320chr"
	genieKey   = "very-secret-genie-key"
	bearer     = "very-secret-bearer"
	onCallPath = "/integrations/v1/formatted_webhook/very-secret-integration/"
	hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	amPassword = "very-secret-password"
)

func subjects() []subject {
	key, err := signature.ParseKey(hookSecret)
	if err != nil {
		panic(err)
	}
	channels := map[string]string{"llm-alerts": "C01"}
	slackPeer := func() Peer {
		p := &slackChannel{book: newBook()}
		p.Server = fakeslack.New(fakeslack.Config{
			Token: slackToken, Channels: channels, Webhooks: map[string]string{slackPath: "C01"}, RateLimit: true, Now: time.Now,
		})
		p.Watch(p.watch)
		return p
	}
	return []subject{
		{
			name: "slack bot", peer: slackPeer, secrets: []string{slackToken}, acks: true,
			open: func(rt http.RoundTripper, _ *metrics.Set, _ *slog.Logger) alert.Receiver {
				return slack.New(slack.Config{Token: slackToken, Channel: "#llm-alerts", APIURL: "https://slack.test/api/", TraceURL: traceURL, Transport: rt, Now: time.Now})
			},
		},
		{
			name: "slack incoming webhook", peer: slackPeer, secrets: []string{slackPath}, keyless: true,
			open: func(rt http.RoundTripper, _ *metrics.Set, _ *slog.Logger) alert.Receiver {
				return slack.New(slack.Config{WebhookURL: "https://hooks.slack.test" + slackPath, TraceURL: traceURL, Transport: rt, Now: time.Now})
			},
		},
		{
			name: "webhook", peer: func() Peer { return NewProgram(key) }, secrets: []string{hookSecret, "very-secret", "v1,", bearer},
			open: func(rt http.RoundTripper, _ *metrics.Set, _ *slog.Logger) alert.Receiver {
				return webhook.New(webhook.Config{URL: "https://hook.test/in?token=very-secret", Key: key, Token: bearer, Transport: rt, Now: time.Now})
			},
		},
		{
			name: "webhook grafana_oncall", peer: func() Peer { return NewOnCall(onCallPath) }, secrets: []string{onCallPath, bearer},
			open: func(rt http.RoundTripper, _ *metrics.Set, _ *slog.Logger) alert.Receiver {
				return webhook.New(webhook.Config{
					URL: "https://oncall.test" + onCallPath, Template: webhook.GrafanaOnCall, Token: bearer, PublicURL: publicURL, TraceURL: traceURL, Transport: rt, Now: time.Now,
				})
			},
		},
		{
			name: "webhook opsgenie", peer: func() Peer { return NewOpsgenie(genieKey) }, secrets: []string{genieKey}, acks: true, pages: true,
			open: func(rt http.RoundTripper, _ *metrics.Set, _ *slog.Logger) alert.Receiver {
				return webhook.New(webhook.Config{
					URL: "https://api.opsgenie.test", Template: webhook.Opsgenie, Token: genieKey, PublicURL: publicURL, TraceURL: traceURL, Transport: rt, Now: time.Now,
				})
			},
		},
		{
			name: "alertmanager",
			peer: func() Peer {
				p := NewAlertmanager()
				p.Authorization = Basic("driftd", amPassword)
				return p
			},
			secrets: []string{amPassword, strings.TrimPrefix(Basic("driftd", amPassword), "Basic ")}, resends: true,
			open: func(rt http.RoundTripper, m *metrics.Set, log *slog.Logger) alert.Receiver {
				return alertmanager.New(alertmanager.Config{
					Name: "it", URLs: []string{"https://am.test"}, Username: "driftd", Password: amPassword, PublicURL: publicURL, TraceURL: traceURL,
					Transport: rt, Now: time.Now, Metrics: m, Log: log,
				})
			},
		},
		{
			name: "pagerduty", peer: func() Peer { return NewPagerDuty(routingKey) }, secrets: []string{routingKey}, acks: true, pages: true,
			open: func(rt http.RoundTripper, _ *metrics.Set, _ *slog.Logger) alert.Receiver {
				return pagerduty.New(pagerduty.Config{
					RoutingKey: routingKey, URL: "https://events.pagerduty.test/v2/enqueue", PublicURL: publicURL, TraceURL: traceURL, Transport: rt, Now: time.Now,
				})
			},
		},
	}
}

// slackChannel is a Slack with one channel; what it shows is read from the texts of the messages.
type slackChannel struct {
	*fakeslack.Server
	book
}

func (c *slackChannel) watch(m fakeslack.Message) {
	if rule := ruleOf(m.Text); rule != "" {
		c.tell(rule, stateOf(m.Text))
	}
}

// ruleOf finds the rule's name, which all rules here begin with Rule.
func ruleOf(text string) string {
	i := strings.Index(text, "Rule")
	if i < 0 {
		return ""
	}
	name, _, _ := strings.Cut(text[i:], " ")
	return strings.Trim(name, "*·:,")
}

func stateOf(text string) string {
	if strings.Contains(text, "Resolved") {
		return "resolved"
	}
	return "firing"
}

// Shown implements Peer: of each rule the newest message says how it is.
func (c *slackChannel) Shown(time.Time) map[string]string {
	out := map[string]string{}
	for _, m := range c.Messages() {
		rule := ruleOf(m.Text)
		switch {
		case rule == "":
		case stateOf(m.Text) == "firing" && strings.Contains(string(m.Blocks)+string(m.Attachments), "cknowledged by"):
			out[rule] = "acknowledged"
		default:
			out[rule] = stateOf(m.Text)
		}
	}
	return out
}

// Problems implements Peer: what Slack has refused that was not refused on purpose.
func (c *slackChannel) Problems() []string {
	return slices.DeleteFunc(c.Calls(), func(call string) bool {
		return strings.HasSuffix(call, " ok") || strings.HasSuffix(call, "ratelimited") || strings.HasSuffix(call, " 429")
	})
}
