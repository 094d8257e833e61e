package receivers

import (
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Alertmanager is a fake of one by its OpenAPI document and by the checks in its source: labels with the classic names, none of
// them empty, RFC 3339 times, an end that is not before the start, a generatorURL that is a URI. What it does with them it does as
// the real one: an alert whose end has passed is resolved.
type Alertmanager struct {
	book
	Authorization string // to insist on; empty for none

	am struct {
		sync.Mutex
		alerts map[string]*PostedAlert // by labels
	}
}

// PostedAlert is the newest state of an alert.
type PostedAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
}

// NewAlertmanager returns one without alerts.
func NewAlertmanager() *Alertmanager {
	a := &Alertmanager{book: newBook()}
	a.am.alerts = map[string]*PostedAlert{}
	return a
}

// Basic is the header of basic authentication.
func Basic(username, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password))
}

var classicLabel = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// ServeHTTP implements http.Handler.
func (a *Alertmanager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.Authorization != "" && r.Header.Get("Authorization") != a.Authorization {
		w.Header().Set("WWW-Authenticate", "Basic")
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	if r.Method != http.MethodPost || r.URL.Path != "/api/v2/alerts" || r.Header.Get("Content-Type") != "application/json" {
		a.wrong("%s %s %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
		http.NotFound(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	var posted []*PostedAlert
	if err := strict(body, &posted); err != nil {
		answer(w, http.StatusBadRequest, a.wrong("body: %v", err))
		return
	}
	for _, p := range posted {
		if problem := p.problem(); problem != "" {
			answer(w, http.StatusBadRequest, a.wrong("%s", problem))
			return
		}
	}
	for _, p := range posted {
		a.put(p, time.Now())
	}
	w.WriteHeader(http.StatusOK)
}

func (p *PostedAlert) problem() string {
	for _, set := range []map[string]string{p.Labels, p.Annotations} {
		for name, value := range set {
			if !classicLabel.MatchString(name) || value == "" {
				return "invalid label set: " + name + "=" + value
			}
		}
	}
	switch {
	case len(p.Labels) == 0 || p.Labels["alertname"] == "":
		return "at least one label pair required"
	case p.StartsAt.IsZero() || p.EndsAt.IsZero():
		return "time missing"
	case p.EndsAt.Before(p.StartsAt):
		return "start time must be before end time"
	}
	if p.GeneratorURL != "" {
		if u, err := url.ParseRequestURI(p.GeneratorURL); err != nil || u.Host == "" {
			return "generatorURL is no URI"
		}
	}
	return ""
}

func (a *Alertmanager) put(p *PostedAlert, now time.Time) {
	state := "firing"
	if !p.EndsAt.After(now) {
		state = "resolved"
	}
	a.am.Lock()
	a.am.alerts[fingerprint(p.Labels)] = p
	a.am.Unlock()
	a.tell(p.Labels["alertname"], state)
}

func fingerprint(labels map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString(k + "\xff" + labels[k] + "\xff")
	}
	return b.String()
}

// Alerts are all that it has, resolved ones among them, by their labels.
func (a *Alertmanager) Alerts() []PostedAlert {
	a.am.Lock()
	defer a.am.Unlock()
	var out []PostedAlert
	for _, k := range slices.Sorted(maps.Keys(a.am.alerts)) {
		out = append(out, *a.am.alerts[k])
	}
	return out
}

// Shown implements Peer: an alert that is not sent again is over when its end has come.
func (a *Alertmanager) Shown(now time.Time) map[string]string {
	out := map[string]string{}
	for _, p := range a.Alerts() {
		out[p.Labels["alertname"]] = "resolved"
		if p.EndsAt.After(now) {
			out[p.Labels["alertname"]] = "firing"
		}
	}
	return out
}
