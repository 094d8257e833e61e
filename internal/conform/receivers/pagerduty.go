package receivers

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// PagerDuty is a fake of the Events API v2 by "Send an Alert Event" and "Events API v2 Overview": the fields and their limits, 202
// and 400, and what the three actions do to an incident.
type PagerDuty struct {
	book
	RoutingKey string // 32 characters

	pd struct {
		sync.Mutex
		incidents map[string]*Incident // by dedup_key, the newest
	}
}

// Incident is what became of the events of a dedup_key.
type Incident struct {
	Rule  string // payload.class
	State string // firing, acknowledged, resolved
	Pages int    // how often someone was paged: once for each time that it was opened
	Last  PagerDutyEvent
}

// PagerDutyEvent is the body of a call.
type PagerDutyEvent struct {
	RoutingKey  string `json:"routing_key"`
	EventAction string `json:"event_action"`
	DedupKey    string `json:"dedup_key"`
	Client      string `json:"client"`
	ClientURL   string `json:"client_url"`
	Payload     *struct {
		Summary       string         `json:"summary"`
		Source        string         `json:"source"`
		Severity      string         `json:"severity"`
		Timestamp     time.Time      `json:"timestamp"`
		Component     string         `json:"component"`
		Group         string         `json:"group"`
		Class         string         `json:"class"`
		CustomDetails map[string]any `json:"custom_details"`
	} `json:"payload"`
	Images []struct {
		Src  string `json:"src"`
		Href string `json:"href"`
		Alt  string `json:"alt"`
	} `json:"images"`
	Links []struct {
		Href string `json:"href"`
		Text string `json:"text"`
	} `json:"links"`
}

// NewPagerDuty returns a service with this integration key.
func NewPagerDuty(routingKey string) *PagerDuty {
	p := &PagerDuty{book: newBook(), RoutingKey: routingKey}
	p.pd.incidents = map[string]*Incident{}
	return p
}

// maxEvent is the documented size of an event, in bytes.
const maxEvent = 512 << 10

// ServeHTTP implements http.Handler.
func (p *PagerDuty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	invalid := func(errors ...string) {
		answer(w, http.StatusBadRequest, map[string]any{"status": "invalid event", "message": "Event object is invalid", "errors": errors})
	}
	if r.Method != http.MethodPost || r.URL.Path != "/v2/enqueue" || r.Header.Get("Content-Type") != "application/json" {
		p.wrong("%s %s %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
		http.NotFound(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	var e PagerDutyEvent
	if err := strict(body, &e); err != nil {
		invalid(p.wrong("body: %v", err))
		return
	}
	if len(e.RoutingKey) != 32 || e.RoutingKey != p.RoutingKey {
		invalid("Invalid routing key")
		return
	}
	if problem := e.problem(len(body)); problem != "" {
		invalid(p.wrong("%s", problem))
		return
	}
	p.take(&e)
	answer(w, http.StatusAccepted, map[string]any{"status": "success", "message": "Event processed", "dedup_key": e.DedupKey})
}

func (e *PagerDutyEvent) problem(size int) string {
	switch {
	case size > maxEvent:
		return fmt.Sprintf("%d bytes", size)
	case !slices.Contains([]string{"trigger", "acknowledge", "resolve"}, e.EventAction):
		return "'event_action' is invalid"
	case characters(e.DedupKey) > 255 || e.DedupKey == "":
		return "'dedup_key' is missing or longer than 255 characters"
	case e.EventAction != "trigger":
		if e.Payload != nil {
			return "'payload' of an " + e.EventAction
		}
		return ""
	case e.Payload == nil:
		return "'payload' is missing"
	case e.Payload.Summary == "" || characters(e.Payload.Summary) > 1024:
		return "'payload.summary' is missing or longer than 1024 characters"
	case e.Payload.Source == "":
		return "'payload.source' is missing"
	case !slices.Contains([]string{"critical", "error", "warning", "info"}, e.Payload.Severity):
		return "'payload.severity' is invalid"
	case e.Payload.Timestamp.IsZero():
		return "'payload.timestamp' is invalid"
	}
	for _, l := range e.Links {
		if u, err := url.Parse(l.Href); err != nil || u.Host == "" {
			return "'links.href' is invalid"
		}
	}
	for _, i := range e.Images {
		if u, err := url.Parse(i.Src); err != nil || u.Scheme != "https" {
			return "'images.src' is invalid"
		}
	}
	return ""
}

// take does what the documentation says of each action. What finds no open alert is dropped.
func (p *PagerDuty) take(e *PagerDutyEvent) {
	p.pd.Lock()
	i := p.pd.incidents[e.DedupKey]
	open := i != nil && i.State != "resolved"
	switch {
	case e.EventAction == "trigger" && !open:
		if i == nil {
			i = &Incident{}
			p.pd.incidents[e.DedupKey] = i
		}
		i.Rule, i.State, i.Last = e.Payload.Class, "firing", *e
		i.Pages++
	case e.EventAction == "trigger":
		i.Last = *e
	case open && e.EventAction == "acknowledge":
		i.State = "acknowledged"
	case open && e.EventAction == "resolve":
		i.State = "resolved"
	}
	var rule, state string
	if i != nil {
		rule, state = i.Rule, i.State
	}
	p.pd.Unlock()
	if i != nil {
		p.tell(rule, state)
	}
}

// Incidents are all that there were, by dedup_key.
func (p *PagerDuty) Incidents() map[string]Incident {
	p.pd.Lock()
	defer p.pd.Unlock()
	out := map[string]Incident{}
	for k, i := range p.pd.incidents {
		out[k] = *i
	}
	return out
}
