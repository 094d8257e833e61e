// Package webhook tells alerts to programs: each firing and resolved record, and each of a rollback, as the body of a signed POST,
// as the Standard Webhooks specification says, or notification groups in the shape that Grafana OnCall or Opsgenie take. It sends once; trying
// again is the outbox's part.
package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/outbound"
	"github.com/driftd/driftd/internal/signature"
)

// The templates.
const (
	GrafanaOnCall = "grafana_oncall"
	Opsgenie      = "opsgenie"
)

// Config is what a webhook receiver needs.
type Config struct {
	URL       string        // may hold secrets and is not shown in errors; of opsgenie the API, with or without /v2/alerts
	Key       signature.Key // of the signature; without one, which a template allows, nothing is signed
	Template  string        // empty for the record itself
	Token     string        // bearer, or Opsgenie's key; may be empty
	PublicURL string        // of driftd, for links back to it; may be empty; templates alone
	TraceURL  string        // address of a trace with {trace_id} in it; may be empty; templates alone
	Transport http.RoundTripper
	Now       func() time.Time // of the signature
}

// New returns the receiver for the configured template; it makes no call.
func New(cfg Config) alert.Receiver {
	s := sender{cfg, outbound.NewClient(cfg.Transport)}
	switch cfg.Template {
	case GrafanaOnCall:
		return &onCall{s}
	case Opsgenie:
		return newOpsgenie(s)
	}
	return &plain{s}
}

// sender posts JSON with what proves who sent it.
type sender struct {
	cfg    Config
	client *http.Client
}

// post sends body. A program can tell by id that it has it already.
func (s *sender) post(ctx context.Context, url, id string, body []byte) (outbound.Answer, *alert.Failure) {
	call := alert.Post{URL: url, Header: http.Header{}, Body: body, Secrets: []string{s.cfg.URL}}
	now := s.cfg.Now()
	if !s.cfg.Key.Empty() {
		s.cfg.Key.Sign(call.Header, id, now, body)
		call.Secrets = append(call.Secrets, call.Header.Get(signature.HeaderSignature))
	}
	if s.cfg.Token != "" {
		scheme := "Bearer "
		if s.cfg.Template == Opsgenie {
			scheme = "GenieKey "
		}
		call.Header.Set("Authorization", scheme+s.cfg.Token)
		call.Secrets = append(call.Secrets, s.cfg.Token)
	}
	return call.Send(ctx, s.client, now)
}

// plain sends the record as it is.
type plain struct{ sender }

// Traits implements alert.Receiver.
func (*plain) Traits() alert.Traits { return alert.Traits{PerAlert: true, Actions: true} }

// Deliver implements alert.Receiver: one POST of the alert's newest step, and one of each thing that was done about its rollback
// since it was last told. What is refused keeps nothing else from being told.
func (w *plain) Deliver(ctx context.Context, n *alert.Notification) (ref string, err error) {
	records := n.News
	if len(records) == 0 { // a repetition
		records = []detector.Record{n.Worst().Record}
	}
	var refused *alert.Failure
	for i := range records {
		f := w.tell(ctx, &records[i])
		if f != nil && f.Kind != alert.Refused {
			return "", f
		}
		if refused == nil {
			refused = f
		}
	}
	if refused != nil {
		return "", refused
	}
	return "", nil
}

func (w *plain) tell(ctx context.Context, r *detector.Record) *alert.Failure {
	body, err := json.Marshal(r)
	if err != nil {
		return &alert.Failure{Kind: alert.Refused, Reason: "record cannot be encoded", Err: err}
	}
	_, f := w.post(ctx, w.cfg.URL, messageID(r), body)
	return f
}

// messageID is the same each time that a record is sent, so that a program can tell a repetition: 9f3c-3 of a step,
// 9f3c-3-rollback_promoted of what was done about it.
func messageID(r *detector.Record) string {
	switch {
	case r.ID == alert.WatchdogID:
		return fmt.Sprintf("%s-%d", r.ID, r.Time.Unix()) // it has one step, and each time that it comes is news
	case r.Type == detector.RollbackReminded: // comes several times
		return fmt.Sprintf("%s-%d-%s-%d", r.ID, r.Step, r.Type, r.Time.Unix())
	case !r.Type.IsStep():
		return fmt.Sprintf("%s-%d-%s", r.ID, r.Step, r.Type)
	}
	return fmt.Sprintf("%s-%d", r.ID, r.Step)
}
