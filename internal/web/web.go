// Package web answers HTTP: metrics, health, readiness, the reload of rules, and the API by which people and programs see alerts
// and act on them. It reads from what it is given and owns nothing but its listener.
package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/standing"
)

// Check is one part of the daemon as /-/ready shows it.
type Check struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Trouble bool   `json:"trouble,omitempty" doc:"A person has to mend something, though driftd goes on without it."`
	Detail  string `json:"detail,omitempty" doc:"What is wrong and what to do; or how it is."`
}

// Config is what a server needs.
type Config struct {
	Listen  string               // host:port; one that others can reach needs keys by which they are known
	Keys    func() (Keys, error) // read at the start, by Refresh, and each ten seconds; nil: there are none
	Metrics []*metrics.Set       // shown on /metrics beside those of the process
	Ready   func() []Check       // called for each /-/ready, concurrently
	Reload  func() error         // called for each POST /-/reload, concurrently; its error is the answer
	Log     *slog.Logger

	// Handlers are for what has its own way to know who asks, by pattern such as "POST /slack/interactions": by a signature, from wherever.
	Handlers map[string]http.Handler

	// Rules tells where the rules with a budget stand; called for each GET of them, concurrently.
	Rules func(context.Context) ([]detector.RuleStatus, error)

	Desk    *desk.Desk // where people act; nil where the act stage does not run
	Now     func() time.Time
	Version string // of driftd
}

// Server is the HTTP server.
type Server struct {
	cfg      Config
	listener net.Listener
	held     atomic.Pointer[held]
	fresh    fresh
}

// Listen reads the keys and opens the address, so that a port that is taken stops the start.
func Listen(cfg Config) (*Server, error) {
	if cfg.Keys == nil {
		cfg.Keys = func() (Keys, error) { return Keys{}, nil }
	}
	s := &Server{cfg: cfg}
	keys, err := cfg.Keys()
	if err != nil {
		return nil, err
	}
	s.use(keys)
	if s.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
		return nil, fmt.Errorf("listen for HTTP on %s: %w", cfg.Listen, err)
	}
	// A name may stand for any address.
	if !local(s.Addr()) && !s.held.Load().guard.known() {
		s.listener.Close()
		return nil, fmt.Errorf("listen for HTTP on %s, which is %s: others can reach that, and there is neither a token nor an authority of clients", cfg.Listen, s.Addr())
	}
	return s, nil
}

// Addr is the address listened on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// server has the bounds of what a client may take up.
func (s *Server) server() *http.Server {
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second, // also of the TLS handshake
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ConnState:         newConns(maxConns, s.cfg.Log).state,
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
		Protocols:         &http.Protocols{},

		DisableGeneralOptionsHandler: true,
	}
	srv.Protocols.SetHTTP1(true)
	return srv
}

// Run serves until ctx ends, then lets requests under way finish for up to five seconds.
func (s *Server) Run(ctx context.Context) error {
	srv, l := s.server(), s.listener
	if s.held.Load().keys.TLS != nil {
		l = tls.NewListener(l, &tls.Config{
			MinVersion:         tls.VersionTLS12,
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.held.Load().keys.TLS, nil },
		})
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { s.follow(ctx) })
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- srv.Shutdown(grace)
	})
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP on %s: %w", s.Addr(), err)
	}
	return <-stopped
}

// Handler answers all paths.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.behind(reads, s.metrics))
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /-/ready", s.ready)
	mux.HandleFunc("GET /-/rules", s.behind(reads, s.rules))
	mux.HandleFunc("POST /-/reload", s.behind(writes, s.reload))
	mux.Handle(prefix+"/", s.api())
	all := http.NewServeMux()
	all.Handle("/", ours(mux))
	for pattern, h := range s.cfg.Handlers {
		all.Handle(pattern, h)
	}
	return s.safe(all)
}

func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	for _, set := range s.cfg.Metrics {
		set.WritePrometheus(w)
	}
	metrics.WriteProcessMetrics(w)
}

// ready answers 200 when every part is, else 503, with the parts as JSON. What is the matter is for those alone who may read: it names
// brokers, prompts, and lines of files.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	answer := struct {
		Ready  bool    `json:"ready"`
		Checks []Check `json:"checks"`
	}{true, slices.Clone(s.cfg.Ready())}
	_, no := s.enter(r, reads)
	for i, c := range answer.Checks {
		answer.Ready = answer.Ready && c.OK
		if no != nil {
			answer.Checks[i].Detail = ""
		}
	}
	code := http.StatusOK
	if !answer.Ready {
		code = http.StatusServiceUnavailable
	}
	tell(w, code, answer)
}

// tell answers with JSON for people and machines.
func tell(w http.ResponseWriter, code int, answer any) {
	data, err := phrase.JSON(answer)
	if err != nil {
		panic(fmt.Sprintf("BUG: an answer is always JSON: %v", err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(data) // the peer is gone
}

const (
	rulesWithin = 10 * time.Second // that the partitions may take to say where their rules stand: they are asked between two batches
	seriesTold  = 50               // of a rule, to people
)

func (s *Server) rules(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), rulesWithin)
	defer cancel()
	all, err := s.cfg.Rules(ctx)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_ = standing.Write(w, all, seriesTold) // the peer is gone
}

func (s *Server) reload(w http.ResponseWriter, _ *http.Request) {
	if err := s.cfg.Reload(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, "rules reloaded")
}
