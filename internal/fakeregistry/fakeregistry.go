// Package fakeregistry is a prompt registry for tests and for the demo: the generic protocol over HTTP, with signatures
// checked, promotions compared with what is current and remembered by their Idempotency-Key, and faults on demand. It
// keeps everything in memory.
package fakeregistry

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/driftd/driftd/internal/signature"
)

// Config is what the registry needs.
type Config struct {
	Key signature.Key
	Now func() time.Time // must be near the clock that signs
}

// Prompt is one prompt as the registry has it.
type Prompt struct {
	Current  string
	Versions []string // oldest first
}

// Promotion is one that was made.
type Promotion struct {
	Prompt, From, To string
	Alert, Reason    string // empty when a person made it
	Key              string
}

// Fault is an answer that is given instead of the right one, to the next call of that method.
type Fault struct {
	Method string // GET or POST
	Status int    // 0 is an empty answer
	Late   bool   // do what was asked first
	Hang   bool   // then answer nothing until the caller gives up
}

// Server is the fake; an http.Handler for concurrent use.
type Server struct {
	cfg Config
	mux *http.ServeMux

	mu struct {
		sync.Mutex
		prompts    map[string]*Prompt
		done       map[string]answer // by Idempotency-Key
		promotions []Promotion
		faults     []Fault
		watch      func(Promotion)
		calls      []string
	}
}

type answer struct {
	Status  int
	Current string
}

// New returns a registry without prompts.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, mux: http.NewServeMux()}
	s.mu.prompts = map[string]*Prompt{}
	s.mu.done = map[string]answer{}
	s.mux.HandleFunc("GET /prompts/{prompt}", s.current)
	s.mux.HandleFunc("POST /prompts/{prompt}/promote", s.promote)
	return s
}

// Start serves on a free port of the loopback address.
func (s *Server) Start() (url string, stop func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("start fake registry: %w", err)
	}
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(ln) })
	return "http://" + ln.Addr().String(), func() { _ = srv.Close(); wg.Wait() }, nil
}

// Watch calls f with each promotion that driftd asked for, from the goroutine of the request.
func (s *Server) Watch(f func(Promotion)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.watch = f
}

// Add makes version known, and does not make it current.
func (s *Server) Add(prompt, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(prompt, version)
}

// Set makes version current as a person would, and known where it was not.
func (s *Server) Set(prompt, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(prompt, version).Current = version
}

func (s *Server) add(prompt, version string) *Prompt {
	p := s.mu.prompts[prompt]
	if p == nil {
		p = &Prompt{}
		s.mu.prompts[prompt] = p
	}
	if !slices.Contains(p.Versions, version) {
		p.Versions = append(p.Versions, version)
	}
	return p
}

// Current returns the current version of a prompt, empty for an unknown one.
func (s *Server) Current(prompt string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.mu.prompts[prompt]; p != nil {
		return p.Current
	}
	return ""
}

// Promotions returns what driftd promoted, oldest first.
func (s *Server) Promotions() []Promotion {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mu.promotions)
}

// Calls returns the calls with their answers: "GET 200", "POST 409".
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mu.calls)
}

// Fail gives these answers to the next calls of their methods, one each.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.faults = append(s.mu.faults, faults...)
}

func (s *Server) fault(method string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.mu.faults, func(f Fault) bool { return f.Method == method })
	if i < 0 {
		return nil
	}
	f := s.mu.faults[i]
	s.mu.faults = slices.Delete(s.mu.faults, i, i+1)
	return &f
}

// reply is an answer.
type reply struct {
	status int
	body   any
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := s.fault(r.Method)
	if f == nil {
		s.mux.ServeHTTP(w, r)
		return
	}
	if f.Late {
		s.mux.ServeHTTP(discard{http.Header{}}, r)
	}
	if f.Hang {
		<-r.Context().Done()
	}
	s.note(r.Method, f.Status)
	if f.Status != 0 {
		http.Error(w, "fault", f.Status)
	}
}

// discard is where the answer goes that nobody gets.
type discard struct{ h http.Header }

func (d discard) Header() http.Header       { return d.h }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

func (s *Server) note(method string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.calls = append(s.mu.calls, fmt.Sprintf("%s %d", method, status))
}

// body reads a request and checks its signature.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err == nil {
		err = s.cfg.Key.Verify(r.Header, s.cfg.Now(), body)
	}
	if err != nil {
		s.reply(w, r, reply{http.StatusUnauthorized, map[string]string{"error": "bad signature"}})
		return nil, false
	}
	return body, true
}

func (s *Server) reply(w http.ResponseWriter, r *http.Request, a reply) {
	s.note(r.Method, a.status)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body)
}

func (s *Server) current(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.body(w, r); ok {
		s.reply(w, r, s.look(r.PathValue("prompt")))
	}
}

func (s *Server) look(prompt string) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mu.prompts[prompt]
	if p == nil {
		return reply{http.StatusNotFound, map[string]string{"error": "unknown prompt"}}
	}
	var versions []map[string]string
	for _, v := range slices.Backward(p.Versions) {
		versions = append(versions, map[string]string{"version": v})
	}
	return reply{http.StatusOK, map[string]any{"current": p.Current, "versions": versions}}
}

func (s *Server) promote(w http.ResponseWriter, r *http.Request) {
	raw, ok := s.body(w, r)
	if !ok {
		return
	}
	var q struct{ Version, Expect, Alert, Reason string }
	if json.Unmarshal(raw, &q) != nil || q.Version == "" || q.Expect == "" {
		s.reply(w, r, reply{http.StatusBadRequest, map[string]string{"error": "version and expect are needed"}})
		return
	}
	made := Promotion{Prompt: r.PathValue("prompt"), From: q.Expect, To: q.Version, Alert: q.Alert, Reason: q.Reason, Key: r.Header.Get("Idempotency-Key")}
	a, isNew, watch := s.apply(made)
	if isNew && watch != nil {
		watch(made)
	}
	body := map[string]string{"current": a.Current}
	if a.Current == "" {
		body = map[string]string{"error": "unknown prompt or version"}
	}
	s.reply(w, r, reply{a.Status, body})
}

func (s *Server) apply(q Promotion) (a answer, made bool, watch func(Promotion)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.mu.done[q.Key]; ok && q.Key != "" {
		return a, false, nil
	}
	p := s.mu.prompts[q.Prompt]
	switch {
	case p == nil || !slices.Contains(p.Versions, q.To):
		return answer{Status: http.StatusNotFound}, false, nil
	case p.Current != q.From:
		return answer{http.StatusConflict, p.Current}, false, nil
	}
	p.Current = q.To
	s.mu.promotions = append(s.mu.promotions, q)
	a = answer{http.StatusOK, q.To}
	s.mu.done[q.Key] = a
	return a, true, s.mu.watch
}
