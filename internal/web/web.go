// Package web answers HTTP: metrics, health, readiness and the reload of rules. It reads from what it is given and owns
// nothing but its listener.
package web

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/standing"
)

// Check is one part of the daemon as /-/ready shows it.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // what is wrong and what to do; or how it is
}

// Config is what a server needs.
type Config struct {
	Listen  string         // host:port
	Token   string         // bearer token for what writes; without one only this machine may
	Metrics []*metrics.Set // shown on /metrics beside those of the process
	Ready   func() []Check // called for each /-/ready, concurrently
	Reload  func() error   // called for each POST /-/reload, concurrently; its error is the answer
	Log     *slog.Logger

	// Handlers are for what has its own way to know who asks, by pattern such as "POST /slack/interactions".
	Handlers map[string]http.Handler

	// Rules tells where the rules with a budget stand; called for each GET of them, concurrently.
	Rules func(context.Context) ([]detector.RuleStatus, error)
}

// Server is the HTTP server.
type Server struct {
	cfg      Config
	listener net.Listener
}

// Listen opens the address, so that a port that is taken stops the start.
func Listen(cfg Config) (*Server, error) {
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP on %s: %w", cfg.Listen, err)
	}
	return &Server{cfg, l}, nil
}

// Addr is the address listened on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run serves until ctx ends, then lets requests under way finish for up to five seconds.
func (s *Server) Run(ctx context.Context) error {
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- srv.Shutdown(grace)
	})
	defer stop()
	if err := srv.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP on %s: %w", s.Addr(), err)
	}
	return <-stopped
}

// Handler answers all paths.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /-/ready", s.ready)
	mux.HandleFunc("GET /-/rules", s.rules(func(w http.ResponseWriter, all []detector.RuleStatus) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_ = standing.Write(w, all, seriesTold) // the peer is gone
	}))
	mux.HandleFunc("GET /api/v1/rules", s.rules(func(w http.ResponseWriter, all []detector.RuleStatus) {
		tell(w, http.StatusOK, map[string]any{"rules": append([]detector.RuleStatus{}, all...)})
	}))
	for pattern, h := range s.cfg.Handlers {
		mux.Handle(pattern, h)
	}
	mux.Handle("POST /-/reload", http.NewCrossOriginProtection().Handler(s.writes(http.HandlerFunc(s.reload))))
	return mux
}

func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	for _, set := range s.cfg.Metrics {
		set.WritePrometheus(w)
	}
	metrics.WriteProcessMetrics(w)
}

// ready answers 200 when every part is, else 503, with the parts as JSON.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	answer := struct {
		Ready  bool    `json:"ready"`
		Checks []Check `json:"checks"`
	}{true, s.cfg.Ready()}
	for _, c := range answer.Checks {
		answer.Ready = answer.Ready && c.OK
	}
	code := http.StatusOK
	if !answer.Ready {
		code = http.StatusServiceUnavailable
	}
	tell(w, code, answer)
}

// tell answers with JSON for people and machines.
func tell(w http.ResponseWriter, code int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(answer) // the peer is gone
}

const (
	rulesWithin = 10 * time.Second // that the partitions may take to say where their rules stand: they are asked between two batches
	seriesTold  = 50               // of a rule, to people
)

func (s *Server) rules(show func(http.ResponseWriter, []detector.RuleStatus)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), rulesWithin)
		defer cancel()
		all, err := s.cfg.Rules(ctx)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		show(w, all)
	}
}

func (s *Server) reload(w http.ResponseWriter, _ *http.Request) {
	if err := s.cfg.Reload(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, "rules reloaded")
}

// writes lets through whoever has the token. Without a token it lets through this machine only, and only by its own name, so
// that no web page can be made to ask by way of a browser here.
func (s *Server) writes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.cfg.Token == "" {
			if !local(r.RemoteAddr) || !local(r.Host) {
				http.Error(w, "only from this machine, or with a token: set http.token", http.StatusForbidden)
				return
			}
		} else {
			token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !ok || subtle.ConstantTimeCompare([]byte(token), []byte(s.cfg.Token)) != 1 {
				w.Header().Set("WWW-Authenticate", `Bearer realm="driftd"`)
				http.Error(w, "token missing or wrong", http.StatusUnauthorized)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// local tells whether host, with or without a port, is this machine.
func local(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.Unmap().IsLoopback()
}
