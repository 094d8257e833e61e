package receivers

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Opsgenie is a fake of its Alert API by the documentation of it: the fields of Create Alert and their limits, close, acknowledge
// and notes by alias, the key in the header, 202 for all that is well formed, also where no alert is found.
type Opsgenie struct {
	book
	Key string

	og struct {
		sync.Mutex
		alerts map[string]*OpsgenieAlert // by alias, the newest
	}
}

// OpsgenieAlert is an alert there.
type OpsgenieAlert struct {
	Created OpsgenieCreate
	State   string // firing, acknowledged, resolved
	Count   int    // of creations since it was opened
	Opened  int    // how often it was opened: each notifies someone
	Notes   []string
}

// OpsgenieCreate is the body that creates an alert.
type OpsgenieCreate struct {
	Message     string              `json:"message"`
	Alias       string              `json:"alias"`
	Description string              `json:"description"`
	Responders  []map[string]string `json:"responders"`
	VisibleTo   []map[string]string `json:"visibleTo"`
	Actions     []string            `json:"actions"`
	Tags        []string            `json:"tags"`
	Details     map[string]string   `json:"details"`
	Entity      string              `json:"entity"`
	Source      string              `json:"source"`
	Priority    string              `json:"priority"`
	User        string              `json:"user"`
	Note        string              `json:"note"`
}

// NewOpsgenie returns an account with this key.
func NewOpsgenie(key string) *Opsgenie {
	o := &Opsgenie{book: newBook(), Key: key}
	o.og.alerts = map[string]*OpsgenieAlert{}
	return o
}

// ServeHTTP implements http.Handler.
func (o *Opsgenie) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, message string) {
		answer(w, status, map[string]any{"message": message, "took": 0.001, "requestId": "r"})
	}
	if r.Header.Get("Authorization") != "GenieKey "+o.Key {
		refuse(http.StatusForbidden, "Could not authenticate")
		return
	}
	body, _ := io.ReadAll(r.Body)
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
		o.wrong("%s %s", r.Method, r.Header.Get("Content-Type"))
		refuse(http.StatusMethodNotAllowed, "Method is not allowed")
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/v2/alerts")
	alias, action, acts := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	problem := "Could not find the path"
	switch {
	case !ok:
	case rest == "":
		problem = o.create(body)
	case acts && slices.Contains([]string{"close", "acknowledge", "notes"}, action):
		problem = "identifierType is not alias"
		if r.URL.RawQuery == "identifierType=alias" {
			problem = o.act(alias, action, body)
		}
	}
	if problem != "" {
		refuse(http.StatusUnprocessableEntity, o.wrong("%s", problem))
		return
	}
	answer(w, http.StatusAccepted, map[string]any{"result": "Request will be processed", "took": 0.001, "requestId": "r"})
}

func (o *Opsgenie) create(body []byte) string {
	var c OpsgenieCreate
	if err := strict(body, &c); err != nil {
		return "Request body is not processable: " + err.Error()
	}
	details := 0
	for k, v := range c.Details {
		details += characters(k) + characters(v)
	}
	switch {
	case c.Message == "" || characters(c.Message) > 130:
		return "message is empty or longer than 130 characters"
	case characters(c.Alias) > 512 || characters(c.Entity) > 512:
		return "alias or entity is longer than 512 characters"
	case characters(c.Description) > 15000:
		return "description is longer than 15000 characters"
	case len(c.Tags) > 20 || slices.ContainsFunc(c.Tags, func(t string) bool { return characters(t) > 50 }):
		return "more than 20 tags, or one longer than 50 characters"
	case details > 8000:
		return "details are longer than 8000 characters"
	case characters(c.Source) > 100 || characters(c.User) > 100:
		return "source or user is longer than 100 characters"
	case !slices.Contains([]string{"P1", "P2", "P3", "P4", "P5"}, c.Priority):
		return "priority should be one of [P1, P2, P3, P4, P5]"
	}
	o.og.Lock()
	a := o.og.alerts[c.Alias]
	if a == nil {
		a = &OpsgenieAlert{State: "resolved"}
		o.og.alerts[c.Alias] = a
	}
	if a.State == "resolved" {
		*a = OpsgenieAlert{Created: c, State: "firing", Opened: a.Opened + 1}
	}
	a.Count++
	state := a.State
	o.og.Unlock()
	o.tell(c.Details["rule"], state)
	return ""
}

// act does something to an alert that is open, if there is one.
func (o *Opsgenie) act(alias, action string, body []byte) string {
	var n struct{ User, Source, Note string }
	if err := strict(body, &n); err != nil {
		return "Request body is not processable: " + err.Error()
	}
	if characters(n.Note) > 25000 || characters(n.User) > 100 || characters(n.Source) > 100 || action == "notes" && n.Note == "" {
		return "note is empty or longer than 25000 characters, or user or source longer than 100"
	}
	o.og.Lock()
	a := o.og.alerts[alias]
	if a == nil || a.State == "resolved" {
		o.og.Unlock()
		return ""
	}
	switch action {
	case "close":
		a.State = "resolved"
	case "acknowledge":
		a.State = "acknowledged"
	}
	if n.Note != "" {
		a.Notes = append(a.Notes, n.Note)
	}
	rule, state := a.Created.Details["rule"], a.State
	o.og.Unlock()
	o.tell(rule, state)
	return ""
}

// Alerts are all that there were, by alias.
func (o *Opsgenie) Alerts() map[string]OpsgenieAlert {
	o.og.Lock()
	defer o.og.Unlock()
	out := map[string]OpsgenieAlert{}
	for k, a := range o.og.alerts {
		out[k] = *a
	}
	return out
}
