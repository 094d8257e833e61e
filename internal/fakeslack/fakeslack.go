// Package fakeslack is a Slack for tests and for the demo: messages and threads, files, dialogs, user groups, incoming webhooks
// and what people press, over HTTP and Socket Mode, with Slack's documented limits, scopes and errors, and faults on demand.
// It has one workspace and one app.
package fakeslack

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config says who may do what. Token, Channels and Now are needed.
type Config struct {
	Token    string            // the one valid bot token
	Scopes   []string          // of that token; nil is all that the methods here need
	Channels map[string]string // name without # to id, "llm-alerts": "C012"; the bot is in all of them
	Webhooks map[string]string // path of an incoming webhook, "/services/T0/B0/x", to channel id
	// RateLimit answers 429 to more than one message, or one change of a message, a second and channel, as Slack does.
	RateLimit bool
	Now       func() time.Time

	Users         map[string]string   // id to name: "U1": "jane"
	Groups        map[string][]string // user group's id to its members
	SigningSecret string              // of the app: what is pressed is signed with it
	AppToken      string              // opens sockets
}

// Message is a message as it stands in a channel now.
type Message struct {
	Channel     string // id
	TS          string
	ThreadTS    string // of the message that it is a reply to; empty for one that is none
	Broadcast   bool   // a reply that is shown in the channel too
	Text        string
	Blocks      json.RawMessage
	Attachments json.RawMessage
	Metadata    json.RawMessage
	Edits       int
	Deleted     bool
}

// Fault is an answer that is given instead of the right one.
type Fault struct {
	Method     string        // only to calls of this method; empty to the next call, whatever it is
	Status     int           // HTTP status; 0 is 200
	Error      string        // with status 0: {"ok":false,"error":Error}; else the body
	RetryAfter string        // header, may be empty
	Hang       chan struct{} // wait until it is closed or the caller gives up, then go on
	Drop       bool          // do what was asked, and close the connection without an answer
}

// Server is the fake; an http.Handler for concurrent use.
type Server struct {
	cfg Config

	mu struct {
		sync.Mutex
		base     string // scheme and host by which it was last called
		messages []*Message
		faults   []Fault
		broken   *Fault
		hits     int                  // calls that met it
		last     map[string]time.Time // method and channel to last accepted call
		calls    []string
		serial   int
		watch    func(Message)

		archived map[string]bool
		outside  map[string]bool // channels that the bot is not in
		next     chan struct{}   // closed when something has happened

		files      []*File
		views      []View
		ephemerals []Ephemeral
		responses  map[string]*responseURL // by path
		triggers   map[string]time.Time
		app        app
	}
}

// New returns a server without messages.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg}
	s.mu.base = "https://slack.test"
	s.mu.last, s.mu.triggers = map[string]time.Time{}, map[string]time.Time{}
	s.mu.archived, s.mu.outside = map[string]bool{}, map[string]bool{}
	s.mu.responses = map[string]*responseURL{}
	s.mu.app.sockets, s.mu.next = map[*socket]bool{}, make(chan struct{})
	return s
}

// Start serves on a free port of the loopback address. APIURL of the result and of slack-go is url + "/api/".
func (s *Server) Start() (url string, stop func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("start fake Slack: %w", err)
	}
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(ln) })
	return "http://" + ln.Addr().String(), func() { _ = srv.Close(); s.Disconnect(); wg.Wait() }, nil
}

// Watch calls f with each message that is posted or changed, replies in threads included, from the goroutine of the request.
func (s *Server) Watch(f func(Message)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.watch = f
}

// Fail gives these answers to the next calls, one each.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.faults = append(s.mu.faults, faults...)
}

// Break gives this answer to all calls of its method from now on, behind those of Fail; nil mends that.
func (s *Server) Break(f *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.broken = f
}

// Hits counts the calls that have met what Break said.
func (s *Server) Hits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.hits
}

// Archive makes a channel refuse messages, or take them again.
func (s *Server) Archive(channel string, archived bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.archived[channel] = archived
}

// Kick takes the bot out of a channel, or lets it in again.
func (s *Server) Kick(channel string, out bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.outside[channel] = out
}

// Delete deletes a message as a person would.
func (s *Server) Delete(ts string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.mu.messages {
		if m.TS == ts {
			m.Deleted = true
		}
	}
}

// Messages returns what stands in the channels, oldest first, without replies and what was deleted.
func (s *Server) Messages() []Message {
	return s.find(func(m *Message) bool { return m.ThreadTS == "" })
}

// Replies returns what stands in the thread of a message, oldest first.
func (s *Server) Replies(ts string) []Message {
	return s.find(func(m *Message) bool { return m.ThreadTS == ts && ts != "" })
}

func (s *Server) find(is func(*Message) bool) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Message
	for _, m := range s.mu.messages {
		if !m.Deleted && is(m) {
			out = append(out, *m)
		}
	}
	return out
}

// Calls returns the methods that were called, with the answer: "chat.postMessage ok", "chat.update message_not_found".
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.mu.calls...)
}

// Called waits until a method has been called with that answer, as in Calls.
func (s *Server) Called(ctx context.Context, call string) error {
	return s.await(ctx, "no call "+call, func() bool { return slices.Contains(s.mu.calls, call) })
}

// Opened waits until a dialog has been opened.
func (s *Server) Opened(ctx context.Context) error {
	return s.await(ctx, "no dialog was opened", func() bool { return len(s.mu.views) > 0 })
}

// await waits until ok, which is asked with the lock held after each call.
func (s *Server) await(ctx context.Context, why string, ok func() bool) error {
	for {
		s.mu.Lock()
		done, next := ok(), s.mu.next
		s.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", why, ctx.Err())
		}
	}
}

// request is a message that someone wants to post or change.
type request struct {
	channel, ts, text   string
	thread              string
	broadcast           bool
	blocks, attachments json.RawMessage // nil where nothing is said of them
	metadata            json.RawMessage // nil too
}

// answer is what a caller gets.
type answer struct {
	status     int
	retryAfter string
	code       string // error code, empty when it worked
	detail     string
	message    *Message
	more       map[string]any // further keys of the answer
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == socketPath {
		s.serveSocket(w, r)
		return
	}
	if r.Method != http.MethodPost {
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	method, serve := s.route(r)
	fault := s.fault(method)
	if fault != nil && fault.Hang != nil {
		select {
		case <-fault.Hang:
		case <-r.Context().Done():
			return
		}
	}
	var a answer
	if fault == nil || fault.Hang != nil || fault.Drop {
		a = serve(r)
	}
	if fault != nil && fault.Drop {
		s.note(method+" dropped", a)
		panic(http.ErrAbortHandler)
	}
	isAPI := strings.Contains(method, ".")
	if fault != nil && fault.Hang == nil {
		a = answer{status: fault.Status, code: fault.Error, retryAfter: fault.RetryAfter}
		if a.status == 0 && !isAPI {
			a.status = http.StatusBadRequest
		}
	}
	s.note(method, a)
	if isAPI {
		writeAPI(w, a)
	} else {
		writeIncoming(w, a)
	}
}

// route finds what answers a request, and the name by which it is noted.
func (s *Server) route(r *http.Request) (method string, serve func(*http.Request) answer) {
	if method, ok := strings.CutPrefix(r.URL.Path, "/api/"); ok {
		return method, func(r *http.Request) answer { return s.api(method, r) }
	}
	switch {
	case strings.HasPrefix(r.URL.Path, uploadPath):
		return "upload", s.upload
	case strings.HasPrefix(r.URL.Path, responsePath):
		return "response_url", s.respond
	}
	return "webhook", s.incoming
}

func (s *Server) fault(method string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.mu.faults {
		if f.Method == "" || f.Method == method {
			s.mu.faults = append(s.mu.faults[:i:i], s.mu.faults[i+1:]...)
			return &f
		}
	}
	if f := s.mu.broken; f != nil && (f.Method == "" || f.Method == method) {
		s.mu.hits++
		return f
	}
	return nil
}

// changed wakes who awaits something.
func (s *Server) changed() {
	close(s.mu.next)
	s.mu.next = make(chan struct{})
}

func (s *Server) note(method string, a answer) {
	result := a.code
	if result == "" {
		result = "ok"
	}
	if a.status >= 300 {
		result = fmt.Sprint(a.status)
	}
	s.mu.Lock()
	s.mu.calls = append(s.mu.calls, method+" "+result)
	s.changed()
	watch := s.mu.watch
	s.mu.Unlock()
	if a.message != nil && watch != nil {
		watch(*a.message)
	}
}
