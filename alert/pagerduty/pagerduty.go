// Package pagerduty tells PagerDuty about alerts, by its Events API v2. Each notification group is one alert there, named by
// one dedup_key for as long as it fires: triggered, acknowledged when somebody has taken it on, resolved.
//
// What of PagerDuty's documentation it rests on (Send an Alert Event, Events API v2 Overview): 202 is accepted; 400 is final;
// 429 and 5xx are tried again; dedup_key has at most 255 characters, payload.summary 1024, the whole 512 KB; severity is
// critical, error, warning or info; a trigger for an open alert adds to it; an acknowledged incident notifies nobody, whatever
// triggers follow; a trigger after a resolve opens a new incident; an acknowledge or resolve without an open alert is dropped.
package pagerduty

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/incident"
	"github.com/driftd/driftd/internal/outbound"
)

// interval keeps to the 120 events a minute that an integration key is good for.
const interval = 500 * time.Millisecond

// Config is what a PagerDuty receiver needs.
type Config struct {
	RoutingKey string // secret
	URL        string // of the Events API
	PublicURL  string // of driftd, for links back to it; may be empty
	TraceURL   string // address of a trace with {trace_id} in it; may be empty
	Transport  http.RoundTripper
	Now        func() time.Time
}

// Receiver is an alert.Receiver.
type Receiver struct {
	cfg    Config
	client *http.Client
}

// New returns a receiver; it makes no call.
func New(cfg Config) *Receiver { return &Receiver{cfg, outbound.NewClient(cfg.Transport)} }

// Traits implements alert.Receiver.
func (*Receiver) Traits() alert.Traits { return alert.Traits{Interval: interval, Acks: true} }

// Deliver implements alert.Receiver: as many calls as it takes, in order. The reference is what PagerDuty knows then.
func (r *Receiver) Deliver(ctx context.Context, n *alert.Notification) (ref string, err error) {
	actions, is := incident.Plan(n)
	for _, a := range actions {
		if err := r.send(ctx, n, is.Key, a); err != nil {
			return "", err
		}
	}
	return is.String(), nil
}

func (r *Receiver) send(ctx context.Context, n *alert.Notification, key string, action incident.Action) error {
	body, err := json.Marshal(r.event(n, key, action))
	if err != nil {
		return &alert.Failure{Kind: alert.Refused, Reason: "event cannot be encoded", Err: err}
	}
	call := alert.Post{URL: r.cfg.URL, Body: body, Secrets: []string{r.cfg.RoutingKey}}
	a, f := call.Send(ctx, r.client, r.cfg.Now())
	switch {
	case f == nil:
		return nil
	case a.Status == http.StatusBadRequest && strings.Contains(strings.ReplaceAll(strings.ToLower(string(a.Body)), " ", "_"), "routing_key"):
		f.Kind, f.Trouble, f.Hint = alert.Blocked, alert.TroubleCredentials, "check routing_key: it is the integration key of an Events API v2 integration"
	case a.Status == http.StatusTooManyRequests && f.After == 0:
		f.After = time.Minute // it asks for minutes
	}
	return f.Mendable(a.Status, "routing_key")
}
