package slack

import (
	"context"
	"errors"
	"io"
	"log"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	api "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/internal/outbound"
)

// Socket hears by Socket Mode what people press: driftd opens the connection, so nobody has to reach it.
type Socket struct {
	in  *Interactions
	app *app

	mu struct {
		sync.Mutex
		problem string
	}
}

// Sockets returns one for each app that has a token for it.
func (in *Interactions) Sockets() []*Socket {
	var out []*Socket
	for _, a := range in.apps {
		if a.AppToken == "" {
			continue
		}
		s := &Socket{in: in, app: a}
		s.mu.problem = "not connected yet"
		out = append(out, s)
	}
	return out
}

// Problem says what keeps it from hearing, and what to do; empty while it hears.
func (s *Socket) Problem() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.problem
}

// set notes a problem, and logs it when it is another one.
func (s *Socket) set(problem string) {
	s.mu.Lock()
	old := s.mu.problem
	s.mu.problem = problem
	s.mu.Unlock()
	switch {
	case problem == old:
	case problem == "":
		s.in.cfg.Log.Info("Slack's socket is open")
	default:
		s.in.cfg.Log.Warn("Slack's socket is closed: buttons do nothing", "problem", problem)
	}
}

// Run keeps a connection open until ctx ends. Connections that end are opened anew; so is one that Slack refuses, each minute,
// until someone has mended what is wrong.
func (s *Socket) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := s.connect(ctx)
		if ctx.Err() != nil {
			return nil
		}
		s.set(s.why(err))
		_ = wait(ctx, alert.SlowRetry) // ctx ends the loop
	}
	return nil
}

const (
	// shortest is for how long a connection is open that was of no use. Slack ends them after hours.
	shortest = 10 * time.Second
	// briefOnes in a row are enough: slack-go opens the next one at once.
	briefOnes = 5
)

// errBrief says that connections end as soon as they are open.
var errBrief = errors.New("each connection is closed at once (Slack allows ten for one app: do more processes use app_token?)")

// connect opens connections for as long as Slack takes them, and keeps them for a while.
func (s *Socket) connect(ctx context.Context) (err error) {
	// slack-go logs what it is sent: that is nobody's business.
	client := socketmode.New(s.app.api, socketmode.OptionLog(log.New(io.Discard, "", 0)), socketmode.OptionDialer(s.dialer()))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	var flaps atomic.Bool
	defer func() {
		if flaps.Load() {
			err = errBrief
		}
	}()
	wg.Go(func() {
		var last time.Time
		brief := 0
		for {
			select {
			case ev := <-client.Events:
				if ev.Type == socketmode.EventTypeConnected {
					if brief++; time.Since(last) > shortest {
						brief = 0
					}
					if last = time.Now(); brief == briefOnes {
						flaps.Store(true)
						cancel()
						return
					}
				}
				s.hear(ctx, client, &ev)
			case <-ctx.Done():
				return
			}
		}
	})
	return client.RunContext(ctx)
}

// dialer leads to Slack alone.
func (s *Socket) dialer() *websocket.Dialer {
	cfg := &s.in.cfg
	dial := cfg.Dial
	if dial == nil {
		dial = outbound.Guard{}.DialContext
	}
	return &websocket.Dialer{Proxy: newHosts(cfg.APIURL, cfg.Transport).proxy, NetDialContext: dial, HandshakeTimeout: outbound.Timeout}
}

// hear takes one event. An interaction is answered at once; one that comes a second time is answered only.
func (s *Socket) hear(ctx context.Context, client *socketmode.Client, ev *socketmode.Event) {
	switch ev.Type {
	case socketmode.EventTypeConnected:
		s.set("")
	case socketmode.EventTypeConnectionError:
		if e, ok := ev.Data.(*api.ConnectionErrorEvent); ok {
			s.set(s.why(e.ErrorObj))
		}
	case socketmode.EventTypeInteractive:
		call, ok := ev.Data.(api.InteractionCallback)
		if !ok || ev.Request == nil {
			return
		}
		taken := true
		if s.in.seen.first(ev.Request.EnvelopeID, time.Now()) {
			if taken = s.in.take(s.app, &call); !taken {
				s.in.seen.forget(ev.Request.EnvelopeID)
			}
		} else {
			s.in.counter("replayed").Inc()
		}
		if taken {
			_ = client.AckCtx(ctx, ev.Request.EnvelopeID, nil) // without it Slack sends it again
		}
	}
}

// why says what is wrong with the connection.
func (s *Socket) why(err error) string {
	switch {
	case err == nil:
		return "Slack closed the connection"
	case errors.Is(err, errBrief):
		return err.Error()
	}
	if e, ok := errors.AsType[api.SlackErrorResponse](err); ok {
		switch e.Err {
		case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive":
			return e.Err + " (set a valid app_token: an app-level token, xapp-…)"
		case "missing_scope", "not_allowed_token_type":
			return e.Err + " (app_token must be an app-level token with connections:write)"
		}
		return explain(err, s.app.secrets()...)
	}
	return apiFailure(err, s.app.secrets()...).Error()
}
