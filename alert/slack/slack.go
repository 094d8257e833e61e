// Package slack tells alerts to people in Slack: by a bot token, one message for each notification group that is changed
// in place, or by an incoming webhook, a new message for each change. It renders and sends; when, and again after a
// failure, is the outbox's part.
package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/internal/outbound"
)

// interval is what Slack allows: one message a second and channel.
const interval = time.Second

// Config is what a Slack receiver needs. Either Token and Channel, or WebhookURL.
type Config struct {
	Token      string // of a bot with chat:write; secret
	Channel    string // id or #name
	WebhookURL string // of an incoming webhook; secret
	TraceURL   string // address of a trace with {trace_id} in it; may be empty
	APIURL     string // of the Web API with a slash at its end; empty is Slack's own
	Transport  http.RoundTripper
	Now        func() time.Time
}

// New returns the receiver for the configured way.
func New(cfg Config) alert.Receiver {
	client := outbound.NewClient(cfg.Transport)
	if cfg.WebhookURL != "" {
		return &incoming{cfg, client}
	}
	options := []api.Option{api.OptionHTTPClient(client)}
	if cfg.APIURL != "" {
		options = append(options, api.OptionAPIURL(cfg.APIURL))
	}
	return &bot{cfg, api.New(cfg.Token, options...)}
}

// bot posts and updates with a token.
type bot struct {
	cfg Config
	api *api.Client
}

// Traits implements alert.Receiver.
func (*bot) Traits() alert.Traits { return alert.Traits{Interval: interval} }

// Deliver implements alert.Receiver. The reference is channel id and timestamp of the message. Where Slack refuses the
// blocks or the size of a message, its text alone is sent: an alert in plain words is better than none.
func (b *bot) Deliver(ctx context.Context, n *alert.Notification) (ref string, err error) {
	m := Render(n, b.cfg.TraceURL)
	options := []api.MsgOption{api.MsgOptionText(m.Text, false), api.MsgOptionDisableLinkUnfurl(), api.MsgOptionDisableMediaUnfurl()}
	ref, err = b.send(ctx, n.Ref, append(options, api.MsgOptionBlocks(m.Blocks...))...)
	if f, ok := errors.AsType[*alert.Failure](err); ok && f.Kind == alert.Unsendable {
		return b.send(ctx, n.Ref, options...)
	}
	return ref, err
}

// send changes the message that ref names, or posts a new one where there is none any more.
func (b *bot) send(ctx context.Context, ref string, options ...api.MsgOption) (string, error) {
	if channel, ts, ok := strings.Cut(ref, ":"); ok {
		channel, ts, _, err := b.api.UpdateMessageContext(ctx, channel, ts, options...)
		if err == nil {
			return channel + ":" + ts, nil
		}
		if !gone(err) {
			return "", b.failure(err)
		}
	}
	channel, ts, err := b.api.PostMessageContext(ctx, b.cfg.Channel, options...)
	if err != nil {
		return "", b.failure(err)
	}
	return channel + ":" + ts, nil
}

// gone says that a message cannot be changed any more, however often one tries.
func gone(err error) bool {
	e, ok := errors.AsType[api.SlackErrorResponse](err)
	if !ok {
		return false
	}
	switch e.Err {
	case "message_not_found", "cant_update_message", "edit_window_closed":
		return true
	}
	return false
}

func (b *bot) failure(err error) error {
	if e, ok := errors.AsType[api.SlackErrorResponse](err); ok {
		f := codeFailure(e.Err)
		if len(e.ResponseMetadata.Messages) > 0 {
			f.Err = errors.New(b.redact(strings.Join(e.ResponseMetadata.Messages, "; ")))
		}
		if e.Err == "channel_not_found" || e.Err == "not_in_channel" {
			f.Hint = "invite the bot to " + b.cfg.Channel
		}
		return f
	}
	if e, ok := errors.AsType[*api.RateLimitedError](err); ok {
		return &alert.Failure{Kind: alert.Unavailable, Reason: "ratelimited", After: e.RetryAfter}
	}
	if e, ok := errors.AsType[api.StatusCodeError](err); ok {
		return &alert.Failure{Kind: alert.Unavailable, Reason: fmt.Sprintf("Slack answered %d", e.Code)}
	}
	return &alert.Failure{Kind: alert.Unavailable, Reason: "no answer from Slack", Err: errors.New(b.redact(outbound.Hide(err).Error()))}
}

func (b *bot) redact(s string) string { return outbound.Redact(s, b.cfg.Token) }

// codeFailure says what an error code of Slack means for the next try.
func codeFailure(code string) *alert.Failure {
	f := &alert.Failure{Kind: alert.Blocked, Reason: outbound.Excerpt([]byte(code))}
	switch code {
	case "ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout",
		"team_added_to_org", "external_channel_migrating", "rollup_error", "timeout_error":
		f.Kind = alert.Unavailable
	case "msg_too_long", "msg_blocks_too_long", "invalid_blocks", "invalid_blocks_format", "invalid_attachments",
		"too_many_attachments", "no_text", "markdown_text_conflict", "invalid_payload":
		f.Kind = alert.Unsendable
	case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive":
		f.Hint = "set a valid bot token"
	case "missing_scope", "not_allowed_token_type", "no_permission":
		f.Hint = "give the bot the scope chat:write"
	case "is_archived", "channel_is_archived":
		f.Hint = "unarchive the channel or name another"
	case "no_service", "no_active_hooks", "no_team", "invalid_token", "action_prohibited", "user_not_found":
		f.Hint = "make a new incoming webhook"
	}
	return f
}

// incoming posts to an incoming webhook.
type incoming struct {
	cfg    Config
	client *http.Client
}

// Traits implements alert.Receiver.
func (*incoming) Traits() alert.Traits { return alert.Traits{Interval: interval} }

// Deliver implements alert.Receiver. There is no reference: Slack gives none back.
func (w *incoming) Deliver(ctx context.Context, n *alert.Notification) (ref string, err error) {
	m := Render(n, w.cfg.TraceURL)
	err = w.post(ctx, &api.WebhookMessage{Text: m.Text, Blocks: &api.Blocks{BlockSet: m.Blocks}})
	if f, ok := errors.AsType[*alert.Failure](err); ok && f.Kind == alert.Unsendable {
		err = w.post(ctx, &api.WebhookMessage{Text: m.Text})
	}
	return "", err
}

// post does what slack-go's PostWebhook does, but reads the code that Slack sends along with a 4xx.
func (w *incoming) post(ctx context.Context, m *api.WebhookMessage) error {
	body, err := json.Marshal(m)
	if err != nil {
		return &alert.Failure{Kind: alert.Unsendable, Reason: "message cannot be encoded", Err: err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cfg.WebhookURL, bytes.NewReader(body))
	if err != nil {
		return &alert.Failure{Kind: alert.Blocked, Reason: "webhook_url is not an address"} // the cause would show it
	}
	r.Header.Set("Content-Type", "application/json")
	a, err := outbound.Do(w.client, r)
	if err != nil {
		cause := outbound.Redact(err.Error(), w.cfg.WebhookURL, r.URL.Path)
		return &alert.Failure{Kind: alert.Unavailable, Reason: "no answer from Slack", Err: errors.New(cause)}
	}
	code := outbound.Redact(outbound.Excerpt(a.Body), w.cfg.WebhookURL, r.URL.Path)
	switch {
	case a.Status == http.StatusOK:
		return nil
	case outbound.Transient(a.Status):
		return &alert.Failure{Kind: alert.Unavailable, Reason: fmt.Sprintf("Slack answered %d", a.Status), After: outbound.RetryAfter(a.Header, w.cfg.Now())}
	case a.Status == http.StatusBadRequest && code == "":
		return &alert.Failure{Kind: alert.Unsendable, Reason: "Slack answered 400"}
	}
	f := codeFailure(code)
	f.Reason = strings.TrimSpace(fmt.Sprintf("Slack answered %d %s", a.Status, code))
	return f
}
