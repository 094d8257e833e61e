// Package fakeslack is a Slack for tests and for the demo: chat.postMessage, chat.update, auth.test and incoming webhooks
// over HTTP, with Slack's documented limits and errors, and faults on demand. It knows nothing of the real one's
// workspaces, users or files.
package fakeslack

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Config says who may post what.
type Config struct {
	Token    string            // the one valid bot token
	Channels map[string]string // name without # to id, "llm-alerts": "C012"; the bot is in all of them
	Webhooks map[string]string // path of an incoming webhook, "/services/T0/B0/x", to channel id
	// RateLimit answers 429 to more than one message a second and channel, as Slack does.
	RateLimit bool
	Now       func() time.Time
}

// Message is a message as it stands in a channel now.
type Message struct {
	Channel     string // id
	TS          string
	Text        string
	Blocks      json.RawMessage
	Attachments json.RawMessage
	Edits       int
	Deleted     bool
}

// Fault is an answer that is given instead of the right one.
type Fault struct {
	Status     int           // HTTP status; 0 is 200
	Error      string        // with status 0: {"ok":false,"error":Error}; else the body
	RetryAfter string        // header, may be empty
	Hang       chan struct{} // wait until it is closed or the caller gives up, then go on
	Late       bool          // do what was asked before answering with the fault
}

// Server is the fake; an http.Handler for concurrent use.
type Server struct {
	cfg Config

	mu struct {
		sync.Mutex
		messages []*Message
		faults   []Fault
		last     map[string]time.Time // channel to last accepted message
		calls    []string
		serial   int
		watch    func(Message)
		archived map[string]bool
	}
}

// New returns a server without messages.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg}
	s.mu.last = map[string]time.Time{}
	s.mu.archived = map[string]bool{}
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
	return "http://" + ln.Addr().String(), func() { _ = srv.Close(); wg.Wait() }, nil
}

// Watch calls f with each message that is posted or changed, from the goroutine of the request.
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

// Archive makes a channel refuse messages, or take them again.
func (s *Server) Archive(channel string, archived bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.archived[channel] = archived
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

// Messages returns what stands in the channels, oldest first, without what was deleted.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Message
	for _, m := range s.mu.messages {
		if !m.Deleted {
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

// request is a message that someone wants to post or change.
type request struct {
	channel, ts, text   string
	blocks, attachments json.RawMessage
}

// answer is what a caller gets.
type answer struct {
	status     int
	retryAfter string
	code       string // error code, empty when it worked
	detail     string
	message    *Message
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	fault := s.fault()
	if fault != nil && fault.Hang != nil {
		select {
		case <-fault.Hang:
		case <-r.Context().Done():
			return
		}
	}
	method, isAPI := strings.CutPrefix(r.URL.Path, "/api/")
	var a answer
	if fault == nil || fault.Late || fault.Hang != nil {
		if isAPI {
			a = s.api(method, r)
		} else {
			method = "webhook"
			a = s.incoming(r)
		}
	}
	if !isAPI {
		method = "webhook"
	}
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

func (s *Server) fault() *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.faults) == 0 {
		return nil
	}
	f := s.mu.faults[0]
	s.mu.faults = s.mu.faults[1:]
	return &f
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
	watch := s.mu.watch
	s.mu.Unlock()
	if a.message != nil && watch != nil {
		watch(*a.message)
	}
}

// post keeps or changes a message. Empty ts posts a new one.
func (s *Server) post(q request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.archived[q.channel] {
		return answer{code: "is_archived"}
	}
	if code, detail := checkMessage(q.text, q.blocks, q.attachments); code != "" {
		return answer{code: code, detail: detail}
	}
	now := s.cfg.Now()
	if s.cfg.RateLimit {
		if last, ok := s.mu.last[q.channel]; ok && now.Sub(last) < time.Second {
			return answer{status: http.StatusTooManyRequests, retryAfter: "1", code: "ratelimited"}
		}
	}
	var m *Message
	if q.ts == "" {
		s.mu.serial++
		m = &Message{Channel: q.channel, TS: fmt.Sprintf("%d.%06d", now.Unix(), s.mu.serial)}
		s.mu.messages = append(s.mu.messages, m)
	} else {
		for _, old := range s.mu.messages {
			if old.Channel == q.channel && old.TS == q.ts && !old.Deleted {
				m = old
			}
		}
		if m == nil {
			return answer{code: "message_not_found"}
		}
		m.Edits++
	}
	s.mu.last[q.channel] = now
	m.Text, m.Blocks, m.Attachments = q.text, q.blocks, q.attachments
	out := *m
	return answer{message: &out}
}
