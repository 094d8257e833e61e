package pagerduty

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/incident"
	"github.com/driftd/driftd/alert/phrase"
)

const (
	maxSummary = 1024   // characters, also of each other text
	maxText    = 50_000 // characters of all that is known
	maxTraces  = 3
	maxCohorts = 50 // in custom_details, the worst ones; keeps an event far below 512 KB
)

// event is the body of a call. Acknowledge and resolve have the first three fields alone.
type event struct {
	RoutingKey  string          `json:"routing_key"`
	EventAction incident.Action `json:"event_action"`
	DedupKey    string          `json:"dedup_key"`
	Client      string          `json:"client,omitempty"`
	ClientURL   string          `json:"client_url,omitempty"`
	Links       []link          `json:"links,omitempty"`
	Payload     *payload        `json:"payload,omitempty"`
}

type link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

type payload struct {
	Summary       string         `json:"summary"`
	Source        string         `json:"source"`
	Severity      string         `json:"severity"`
	Timestamp     time.Time      `json:"timestamp"` // of the worst alert's newest step
	Component     string         `json:"component,omitempty"`
	Group         string         `json:"group,omitempty"`
	Class         string         `json:"class,omitempty"`
	CustomDetails map[string]any `json:"custom_details"`
}

// event makes the body of one action.
func (r *Receiver) event(n *alert.Notification, key string, action incident.Action) *event {
	e := &event{RoutingKey: r.cfg.RoutingKey, EventAction: action, DedupKey: key}
	if action != incident.Trigger {
		return e
	}
	rec := &n.Worst().Record
	e.Client, e.ClientURL = "driftd", alert.WebLink(r.cfg.PublicURL)
	add := func(href, text string) {
		if href = alert.WebLink(href); href != "" {
			e.Links = append(e.Links, link{href, text})
		}
	}
	add(phrase.Link(r.cfg.PublicURL, rec.ID), "driftd")
	add(rec.Annotations["runbook_url"], "Runbook")
	for i, id := range rec.Exemplars[:min(len(rec.Exemplars), maxTraces)] {
		add(phrase.Trace(r.cfg.TraceURL, id), fmt.Sprintf("Trace %d", i+1))
	}
	summary := phrase.Summary(n)
	if s := phrase.Rollback(n); s != "" {
		summary += ". " + s
	}
	e.Payload = &payload{
		Summary: cut(summary, maxSummary), Source: shown(rec.Prompt), Severity: incident.Severity(rec.Labels["severity"]), Timestamp: rec.Time,
		Component: shown(rec.Version), Group: shown(rec.Group), Class: shown(rec.Rule), CustomDetails: details(n),
	}
	if e.Payload.Source == "" {
		e.Payload.Source = "driftd" // it is required
	}
	return e
}

// shown is a text of an event as people see it in a list.
func shown(s string) string { return cut(phrase.Visible(s), maxSummary) }

// cut shortens s to at most n characters.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// details are the figures and the likely cause, under names that rules of PagerDuty's event orchestration can use.
func details(n *alert.Notification) map[string]any {
	rec := &n.Worst().Record
	d := map[string]any{
		"alert": rec.ID, "rule": shown(rec.Rule), "kind": rec.Kind, "metric": shown(rec.Metric), "prompt": shown(rec.Prompt), "samples": rec.Samples,
		"since": n.Since().UTC(), "text": cut(strings.Join(phrase.Details(n), "\n"), maxText),
	}
	value, bound := phrase.Figures(rec)
	for k, v := range map[string]string{
		"version": rec.Version, "previous_version": rec.Previous, "variant": rec.Variant, "value": value, "bound": bound,
		"compared": phrase.Was(rec), "cause": string(phrase.Clearest(n).Cause), "rollback": phrase.Rollback(n),
	} {
		if v != "" {
			d[k] = shown(v)
		}
	}
	var because []string
	for _, b := range phrase.Clearest(n).Because {
		because = append(because, shown(b))
	}
	if len(because) > 0 {
		d["because"] = because
	}
	cohorts := map[string]string{}
	for i := range n.Firing[:min(len(n.Firing), maxCohorts)] {
		m := &n.Firing[i].Record
		v, _ := phrase.Figures(m)
		cohorts[phrase.Cohort(m)] = v
	}
	d["cohorts"] = cohorts
	if len(rec.Labels) > 0 {
		labels := make(map[string]string, len(rec.Labels))
		for k, v := range rec.Labels {
			labels[shown(k)] = shown(v)
		}
		d["labels"] = labels
	}
	return d
}
