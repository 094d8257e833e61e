package receivers

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/internal/signature"
)

// OnCall is a fake of a Formatted Webhook of Grafana OnCall: alert_uid groups, state is ok or alerting.
type OnCall struct {
	book
	Path string // of the integration; secret

	uids map[string]OnCallAlert
}

// OnCallAlert is the body of a call.
type OnCallAlert struct {
	AlertUID string `json:"alert_uid"`
	Title    string `json:"title"`
	ImageURL string `json:"image_url"`
	State    string `json:"state"`
	Link     string `json:"link_to_upstream_details"`
	Message  string `json:"message"`
}

// NewOnCall returns an integration at this path.
func NewOnCall(path string) *OnCall {
	return &OnCall{book: newBook(), Path: path, uids: map[string]OnCallAlert{}}
}

// ServeHTTP implements http.Handler.
func (o *OnCall) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != o.Path {
		http.Error(w, "Integration not found", http.StatusNotFound)
		return
	}
	body, _ := io.ReadAll(r.Body)
	var a OnCallAlert
	if err := strict(body, &a); err != nil {
		http.Error(w, o.wrong("body: %v", err), http.StatusBadRequest)
		return
	}
	if u, err := url.Parse(a.Link); err != nil || a.AlertUID == "" || a.Title == "" || !slices.Contains([]string{"ok", "alerting"}, a.State) || a.Link != "" && u.Host == "" {
		http.Error(w, o.wrong("%+v", a), http.StatusBadRequest)
		return
	}
	o.mu.Lock()
	o.uids[a.AlertUID] = a
	o.mu.Unlock()
	state := map[string]string{"ok": "resolved", "alerting": "firing"}[a.State]
	rule, _, _ := strings.Cut(strings.TrimPrefix(a.Title, "Resolved: "), " · ")
	o.tell(rule, state)
	io.WriteString(w, "Ok.")
}

// Alerts are the newest states, by alert_uid.
func (o *OnCall) Alerts() map[string]OnCallAlert {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[string]OnCallAlert{}
	for k, v := range o.uids {
		out[k] = v
	}
	return out
}

// Program is somebody's own webhook, which takes only what is signed, and a message that it has had before for a repetition.
type Program struct {
	book
	Key signature.Key

	ids struct {
		sync.Mutex
		seen map[string]bool
	}
}

// NewProgram returns one that has seen nothing.
func NewProgram(key signature.Key) *Program {
	p := &Program{book: newBook(), Key: key}
	p.ids.seen = map[string]bool{}
	return p
}

// ServeHTTP implements http.Handler.
func (p *Program) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if err := p.Key.Verify(r.Header, time.Now(), body); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, p.wrong("%s: %v", r.Method, err), http.StatusUnauthorized)
		return
	}
	rec, err := alert.Decode(body)
	if err != nil {
		http.Error(w, p.wrong("%v", err), http.StatusBadRequest)
		return
	}
	id := r.Header.Get(signature.HeaderID)
	p.ids.Lock()
	again := p.ids.seen[id]
	p.ids.seen[id] = true
	p.ids.Unlock()
	if !again {
		p.tell(rec.Rule, string(rec.Type))
	}
	w.WriteHeader(http.StatusNoContent)
}
