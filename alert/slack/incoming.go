package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/internal/outbound"
)

// incoming posts to an incoming webhook.
type incoming struct {
	cfg    Config
	client *http.Client
	plain  plainly
}

// Complaint implements alert.Complainer.
func (w *incoming) Complaint() (alert.Trouble, string) { return w.plain.complaint() }

// Traits implements alert.Receiver.
func (w *incoming) Traits() alert.Traits { return alert.Traits{Interval: w.cfg.Interval} }

// Deliver implements alert.Receiver. There is no reference: Slack gives none back.
func (w *incoming) Deliver(ctx context.Context, n *alert.Notification) (ref string, err error) {
	v := w.cfg.view()
	v.Buttons = false
	m := Render(n, v)
	if n.Repeat {
		m.Text = "Still firing: " + m.Text
	}
	return "", w.send(ctx, m)
}

// send posts a message, or its text alone where Slack takes no more.
func (w *incoming) send(ctx context.Context, m Message) error {
	err := w.post(ctx, &api.WebhookMessage{Text: m.Text, Blocks: &api.Blocks{BlockSet: m.Blocks}, Attachments: m.attachments()})
	if unsendable(err) {
		why := err
		if err = w.post(ctx, &api.WebhookMessage{Text: m.Text}); err == nil {
			w.plain.noted(w.cfg.Log, why)
		}
		return err
	}
	if err == nil {
		w.plain = plainly{}
	}
	return err
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
	hide := func(s string) string {
		return outbound.Redact(s, append([]string{w.cfg.WebhookURL, r.URL.Path}, outbound.Pieces(r.URL)...)...)
	}
	a, err := outbound.Do(w.client, r)
	if err != nil {
		cause := hide(err.Error())
		return alert.Unanswered("no answer from Slack", err, errors.New(cause))
	}
	code := outbound.Excerpt([]byte(hide(string(a.Body))))
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
