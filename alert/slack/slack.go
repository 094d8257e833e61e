// Package slack tells alerts to people in Slack, and takes what they answer. With a bot token there is one message for each
// notification group that is changed in place, what happens to it goes into its thread, and buttons lead back to driftd; with
// an incoming webhook there is a new message for each change. A receiver renders and sends; when, and again after a failure,
// is the outbox's part.
package slack

import (
	"log/slog"
	"net/http"
	"time"

	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/internal/outbound"
)

// interval is what Slack allows: one message a second and channel.
const interval = time.Second

// Config is what a Slack receiver needs. Either Token and Channel, or WebhookURL.
type Config struct {
	Name       string // of the receiver
	Token      string // of a bot with chat:write; secret
	Channel    string // id or #name
	WebhookURL string // of an incoming webhook; secret
	TraceURL   string // address of a trace with {trace_id} in it; may be empty
	APIURL     string // of the Web API with a slash at its end; empty is Slack's own
	Transport  http.RoundTripper
	Now        func() time.Time
	Interval   time.Duration // between two messages; default 1 s, as Slack allows

	Buttons bool // somebody hears when they are pressed; with a token alone
	Charts  bool // upload images of the trend; with a token that has files:write, else a line of text
	// ApproveWithin and Grace are those of rollbacks, for what messages say about them; 0 says nothing.
	ApproveWithin, Grace time.Duration
	Log                  *slog.Logger // may be nil
}

// New returns the receiver for the configured way.
func New(cfg Config) alert.Receiver {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Interval <= 0 {
		cfg.Interval = interval
	}
	if cfg.WebhookURL != "" {
		return &incoming{cfg: cfg, client: outbound.NewClient(cfg.Transport)}
	}
	return &bot{cfg: cfg, api: newAPI(cfg.Token, "", cfg.APIURL, cfg.Transport), moved: map[alert.Key]moved{}}
}

// newAPI returns a client of the Web API. AppToken is for Socket Mode and may be empty.
func newAPI(token, appToken, url string, rt http.RoundTripper) *api.Client {
	options := []api.Option{api.OptionHTTPClient(outbound.NewClient(newHosts(url, rt)))}
	if url != "" {
		options = append(options, api.OptionAPIURL(url))
	}
	if appToken != "" {
		options = append(options, api.OptionAppLevelToken(appToken))
	}
	return api.New(token, options...)
}

// view is what messages of this receiver need.
func (c *Config) view() View {
	return View{Receiver: c.Name, TraceURL: c.TraceURL, Buttons: c.Buttons, ApproveWithin: c.ApproveWithin, Grace: c.Grace}
}
