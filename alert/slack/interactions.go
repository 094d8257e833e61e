package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/detector"
)

// People is what people can do: desk.Desk.
type People interface {
	Acknowledge(ctx context.Context, who, alertID, comment string) error
	Silence(ctx context.Context, who string, s detector.Silence) (id string, err error)
	Decide(ctx context.Context, who, attemptID string, approve bool, reason string) error
}

// ErrStarting is what Find answers while the alerts topic has not been read.
var ErrStarting = errors.New("the alerts topic is still being read")

// Find returns an alert and the way by which it comes to a receiver. Errors are ErrStarting and those of desk.Board.
type Find func(receiver, alertID string) (desk.Alert, alert.Leg, error)

// App is a Slack app whose buttons lead here.
type App struct {
	Receivers     []string // in whose messages its buttons are: what it sends counts for them alone
	Token         string   // of its bot; secret
	SigningSecret string   // of requests over HTTP; secret; empty for Socket Mode
	AppToken      string   // opens sockets; secret; empty for HTTP
}

func (a *App) secrets() []string { return []string{a.Token, a.AppToken, a.SigningSecret} }

// InteractionsConfig is what Interactions needs.
type InteractionsConfig struct {
	Apps      []App
	People    People
	Find      Find
	APIURL    string // of the Web API with a slash at its end; empty is Slack's own
	Transport http.RoundTripper
	// Dial opens the connections of sockets, to Slack or to a proxy; nil refuses what outbound.Guard does.
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Now     func() time.Time // the clock of silences
	Metrics *metrics.Set
	Log     *slog.Logger
}

const (
	maxBody = 512 << 10 // of a request: Slack sends the message along
	waiting = 64        // interactions that are not yet dealt with
	workers = 4
	// within is how long one of them may take.
	within = 20 * time.Second
)

// Interactions is what people press in Slack. It answers over HTTP (ServeHTTP) and by sockets (Sockets) at once, and does what
// was asked for in Run.
type Interactions struct {
	cfg  InteractionsConfig
	apps []*app
	seen *seen
	jobs chan job

	mu struct {
		sync.RWMutex
		closed bool // nothing is taken any more
	}
}

// app is an App with its client.
type app struct {
	App
	api    *api.Client
	groups *groups
}

// job is something that was pressed.
type job struct {
	app  *app
	call *api.InteractionCallback
}

// results of interactions, as the metric tells them: done; denied to who may not; stale, of a message that has been overtaken;
// failed; forged, with a wrong signature; replayed; busy, when too much waits.
var results = []string{"done", "denied", "stale", "failed", "forged", "replayed", "busy"}

// NewInteractions returns what takes interactions; Run deals with them.
func NewInteractions(cfg InteractionsConfig) *Interactions {
	in := &Interactions{cfg: cfg, seen: newSeen(), jobs: make(chan job, waiting)}
	for _, a := range cfg.Apps {
		client := newAPI(a.Token, a.AppToken, cfg.APIURL, cfg.Transport)
		in.apps = append(in.apps, &app{a, client, newGroups(client, time.Now, a.secrets()...)})
	}
	for _, r := range results {
		in.counter(r)
	}
	return in
}

func (in *Interactions) counter(result string) *metrics.Counter {
	return in.cfg.Metrics.GetOrCreateCounter(fmt.Sprintf(`driftd_slack_interactions_total{result=%q}`, result))
}

// Run deals with what was pressed until ctx ends, and then with what still waits.
func (in *Interactions) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				select {
				case j := <-in.jobs:
					in.deal(ctx, j)
				case <-ctx.Done():
					in.close()
					select {
					case j := <-in.jobs:
						in.deal(ctx, j)
					default:
						return
					}
				}
			}
		})
	}
	wg.Wait()
	return nil
}

func (in *Interactions) deal(ctx context.Context, j job) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	in.counter(in.handle(ctx, j.app, j.call)).Inc()
}

// find returns the alert that something was pressed for, and the way by which it came there. One app's secret says nothing of
// messages that another has sent; an app that is in two workspaces has one secret, and a token in each.
func (in *Interactions) find(p *press) (desk.Alert, alert.Leg, error) {
	for _, a := range in.apps {
		if a.proves(p.app) && slices.Contains(a.Receivers, p.receiver) {
			p.app = a
			return in.cfg.Find(p.receiver, p.alertID)
		}
	}
	return desk.Alert{}, alert.Leg{}, desk.ErrNotFound
}

// proves says that what b has sent may be of a: they have a secret in common.
func (a *app) proves(b *app) bool {
	return a == b || a.SigningSecret != "" && a.SigningSecret == b.SigningSecret || a.AppToken != "" && a.AppToken == b.AppToken
}

// close has nothing more taken: what comes later would wait for nobody.
func (in *Interactions) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.mu.closed = true
}

// take puts an interaction into the queue; false when that is full, or nobody looks into it any more.
func (in *Interactions) take(a *app, call *api.InteractionCallback) bool {
	in.mu.RLock()
	defer in.mu.RUnlock()
	if !in.mu.closed {
		select {
		case in.jobs <- job{a, call}:
			return true
		default:
		}
	}
	in.counter("busy").Inc()
	return false
}

// ServeHTTP implements http.Handler for POST /slack/interactions: it checks the signature, refuses what it has seen before, and
// answers at once.
func (in *Interactions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	a := in.signed(r.Header, body)
	if a == nil {
		in.counter("forged").Inc()
		http.Error(w, "signature missing, wrong or too old", http.StatusUnauthorized)
		return
	}
	once := strings.ToLower(r.Header.Get("X-Slack-Signature")) // digits of either case are the same signature
	if !in.seen.first(once, time.Now()) {
		in.counter("replayed").Inc()
		http.Error(w, "seen before", http.StatusConflict)
		return
	}
	call, err := parse(body)
	if err != nil {
		http.Error(w, "no interaction", http.StatusBadRequest)
		return
	}
	if !in.take(a, call) {
		in.seen.forget(once) // it may be sent again
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK) // an empty body also closes a dialog
}

// signed returns the app whose secret a request is signed with, nil for none. It is no older than five minutes.
func (in *Interactions) signed(h http.Header, body []byte) *app {
	for _, a := range in.apps {
		if a.SigningSecret == "" {
			continue
		}
		v, err := api.NewSecretsVerifier(h, a.SigningSecret)
		if err != nil {
			return nil // of the headers, whatever the secret
		}
		if _, err := v.Write(body); err == nil && v.Ensure() == nil {
			return a
		}
	}
	return nil
}

// parse reads the form that Slack sends.
func parse(body []byte) (*api.InteractionCallback, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	call := &api.InteractionCallback{}
	if err := json.Unmarshal([]byte(form.Get("payload")), call); err != nil {
		return nil, err
	}
	return call, nil
}
