// Package webhook tells alerts to programs: each firing and resolved record as the body of a signed POST, as the Standard
// Webhooks specification says. It sends once; trying again is the outbox's part.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/internal/outbound"
	"github.com/driftd/driftd/internal/signature"
)

// Config is what a webhook receiver needs.
type Config struct {
	URL       string // may hold secrets and is not shown in errors
	Key       signature.Key
	Transport http.RoundTripper // nil for one of its own
	Now       func() time.Time  // of the signature
}

// Receiver is an alert.Receiver.
type Receiver struct {
	cfg    Config
	client *http.Client
}

// New returns a receiver; it makes no call.
func New(cfg Config) *Receiver { return &Receiver{cfg, outbound.NewClient(cfg.Transport)} }

// Traits implements alert.Receiver.
func (*Receiver) Traits() alert.Traits { return alert.Traits{PerAlert: true} }

// Deliver implements alert.Receiver: one POST of the alert's newest step. The message's id is the same each time it is
// sent, so that a program can tell a repetition.
func (w *Receiver) Deliver(ctx context.Context, n *alert.Notification) (ref string, err error) {
	r := &n.Worst().Record
	body, err := json.Marshal(r)
	if err != nil {
		return "", &alert.Failure{Kind: alert.Refused, Reason: "record cannot be encoded", Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return "", &alert.Failure{Kind: alert.Blocked, Reason: "url is not an address"} // the cause would show it
	}
	now := w.cfg.Now()
	req.Header.Set("Content-Type", "application/json")
	w.cfg.Key.Sign(req.Header, fmt.Sprintf("%s-%d", r.ID, r.Step), now, body)
	sig := req.Header.Get(signature.HeaderSignature)
	hide := func(s string) string {
		return outbound.Redact(s, w.cfg.URL, req.URL.RequestURI(), req.URL.User.String(), sig)
	}

	a, err := outbound.Do(w.client, req)
	if err != nil {
		return "", &alert.Failure{Kind: alert.Unavailable, Reason: "no answer", Err: errors.New(hide(err.Error()))}
	}
	if a.Status >= 200 && a.Status < 300 {
		return "", nil
	}
	f := &alert.Failure{Kind: alert.Refused, Reason: fmt.Sprintf("answered %d", a.Status)}
	if text := outbound.Excerpt(a.Body); text != "" {
		f.Err = errors.New(hide(text))
	}
	if outbound.Transient(a.Status) {
		f.Kind, f.After = alert.Unavailable, outbound.RetryAfter(a.Header, now)
	}
	return "", f
}
