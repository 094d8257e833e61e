// Package alertmanager tells Prometheus Alertmanagers about alerts, by their API v2, as Prometheus itself does: each alert by
// itself with all of its labels, again and again while it fires, to every Alertmanager of a cluster. Grouping, silences and
// inhibition among what they are sent are theirs.
//
// An alert is delivered when one Alertmanager has taken it. The others are not waited for, since a cluster goes on without one
// of its members: a firing alert is sent to them with the next repetition, a minute later, and the end of one that they missed
// comes about by itself, when the time up to which they were told that it fires has passed.
package alertmanager

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/internal/outbound"
)

const (
	// resend is how often firing alerts are sent again; Prometheus does it each minute too.
	resend = time.Minute
	// ahead is how far the end of a firing alert lies ahead of the time at which it is sent, when nothing more comes: three
	// repetitions may be lost, and driftd may be away for as long as a restart takes.
	ahead = max(3*resend, 5*time.Minute)
	// batch is how many are sent again in one call: some hundred kilobytes.
	batch = 200
)

// Config is what a receiver for Alertmanagers needs.
type Config struct {
	Name      string   // of the receiver, for metrics
	URLs      []string // without /api/v2/alerts; at least one; may hold secrets
	Username  string   // of basic authentication, with Password; may be empty
	Password  string
	Token     string // bearer, in place of them; may be empty
	PublicURL string // of driftd, for links back to it; may be empty
	TraceURL  string // address of a trace with {trace_id} in it; may be empty
	Transport http.RoundTripper
	Now       func() time.Time
	Metrics   *metrics.Set
	Log       *slog.Logger
}

// Receiver is an alert.Receiver for the one goroutine of its outbox.
type Receiver struct {
	cfg     Config
	client  *http.Client
	header  http.Header
	secrets []string
	peers   []*peer
}

// peer is one Alertmanager.
type peer struct {
	url, host string
	problem   string    // of the last call; empty when it took what it was sent
	failures  int       // in a row
	rest      time.Time // not called before, where another one takes alerts
	failed    *metrics.Counter
}

// New returns a receiver; it makes no call.
func New(cfg Config) *Receiver {
	r := &Receiver{cfg: cfg, client: outbound.NewClient(cfg.Transport), header: http.Header{}}
	switch {
	case cfg.Token != "":
		r.header.Set("Authorization", "Bearer "+cfg.Token)
		r.secrets = append(r.secrets, cfg.Token)
	case cfg.Username != "":
		basic := base64.StdEncoding.EncodeToString([]byte(cfg.Username + ":" + cfg.Password))
		r.header.Set("Authorization", "Basic "+basic)
		r.secrets = append(r.secrets, basic, cfg.Password)
	}
	for i, address := range cfg.URLs {
		p := &peer{url: strings.TrimRight(address, "/") + "/api/v2/alerts", host: fmt.Sprintf("%d of %d", i+1, len(cfg.URLs))}
		if u, err := url.Parse(address); err == nil && u.Host != "" {
			p.host = u.Host
		}
		p.failed = cfg.Metrics.GetOrCreateCounter(fmt.Sprintf(`driftd_alertmanager_failed_total{receiver=%q,alertmanager=%q}`, cfg.Name, p.host))
		r.peers = append(r.peers, p)
	}
	return r
}

// Traits implements alert.Receiver.
func (*Receiver) Traits() alert.Traits {
	return alert.Traits{PerAlert: true, Actions: true, Resend: resend, Batch: batch}
}

// Deliver implements alert.Receiver: one POST to each Alertmanager, all at the same time. It fails when none of them took it:
// then it is worth another try where it is with one of them. One that failed before is left alone for up to a minute, so that
// the alerts of the others do not wait for it each time.
func (r *Receiver) Deliver(ctx context.Context, n *alert.Notification) (ref string, err error) {
	body, err := json.Marshal(r.alerts(n))
	if err != nil {
		return "", &alert.Failure{Kind: alert.Refused, Reason: "alert cannot be encoded", Err: err}
	}
	peers := r.due(time.Now())
	failures := make([]*alert.Failure, len(peers))
	var wg sync.WaitGroup
	for i, p := range peers {
		wg.Go(func() {
			call := alert.Post{URL: p.url, Header: r.header, Body: body, Secrets: r.secrets}
			a, f := call.Send(ctx, r.client, r.cfg.Now())
			if f != nil {
				f = f.Mendable(a.Status, "username and password, or token")
			}
			failures[i] = f
		})
	}
	wg.Wait()
	taken := slices.Contains(failures, nil)
	if ctx.Err() != nil && !taken {
		return "", context.Cause(ctx)
	}
	for i, p := range peers {
		p.note(failures[i], taken, r.cfg.Log)
	}
	if taken {
		return "", nil
	}
	return "", likeliest(failures)
}

// due are the Alertmanagers to call: those that work or have rested, else all.
func (r *Receiver) due(now time.Time) []*peer {
	var out []*peer
	for _, p := range r.peers {
		if !p.rest.After(now) {
			out = append(out, p)
		}
	}
	if out == nil {
		return r.peers
	}
	return out
}

// note keeps how a call went, and logs a failure when another Alertmanager has taken the alert, since the outbox does not learn
// of it then.
func (p *peer) note(f *alert.Failure, taken bool, log *slog.Logger) {
	if f == nil {
		if p.problem != "" {
			log.Info("alertmanager takes alerts again", "alertmanager", p.host)
		}
		p.problem, p.failures, p.rest = "", 0, time.Time{}
		return
	}
	p.failed.Inc()
	p.failures++
	p.rest = time.Now().Add(max(f.After, outbound.Delay(p.failures)))
	if taken && p.problem != f.Reason {
		p.problem = f.Reason
		log.Warn("one of the alertmanagers does not take alerts, the others do", "alertmanager", p.host, "reason", f.Reason, "hint", f.Hint, "error", f.Err)
	}
}

// Complaint implements alert.Complainer: one of several does not take alerts.
func (r *Receiver) Complaint() (alert.Trouble, string) {
	for _, p := range r.peers {
		if p.problem != "" {
			return alert.TroublePart, "the Alertmanager " + p.host + " did not take the last alert, others did: " + p.problem
		}
	}
	return "", ""
}

// likeliest is the failure of the Alertmanager that may take it the soonest.
func likeliest(failures []*alert.Failure) *alert.Failure {
	return slices.MinFunc(failures, func(a, b *alert.Failure) int {
		if a.Kind != b.Kind {
			return int(a.Kind) - int(b.Kind)
		}
		return int(a.After - b.After)
	})
}
