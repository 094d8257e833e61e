package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/incident"
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
)

// onCall tells Grafana OnCall, and Grafana Cloud IRM, by an integration of the kind Formatted Webhook. Of its documentation it
// uses: the fields below are recognised and none is required; alert_uid groups; state is ok or alerting and resolves by itself.
// It has no word for an acknowledgement.
type onCall struct{ sender }

type onCallBody struct {
	AlertUID string `json:"alert_uid"`
	Title    string `json:"title"`
	State    string `json:"state"`
	Link     string `json:"link_to_upstream_details,omitempty"`
	Message  string `json:"message"`
}

// Traits implements alert.Receiver.
func (*onCall) Traits() alert.Traits { return alert.Traits{} }

// Deliver implements alert.Receiver. The reference is the alert_uid. What comes to a group that is open pages nobody, so one that a
// rollback has not helped is ended and begun anew.
func (w *onCall) Deliver(ctx context.Context, n *alert.Notification) (ref string, err error) {
	was := incident.Parse(n.Ref)
	is := incident.State{Key: was.Key, Ineffective: len(n.Firing) > 0 && n.Rollback != nil && n.Rollback.Type == detector.Ineffective}
	if is.Key == "" {
		is.Key = incident.Key(n)
	}
	states := []string{"alerting"}
	switch {
	case len(n.Firing) == 0:
		states = []string{"ok"}
	case n.Ref != "" && is.Ineffective && !was.Ineffective:
		states = []string{"ok", "alerting"}
	}
	for _, state := range states {
		b := onCallBody{AlertUID: is.Key, Title: phrase.Summary(n), State: state, Link: w.page(n), Message: w.text(n)}
		body, err := json.Marshal(b)
		if err != nil {
			return "", &alert.Failure{Kind: alert.Refused, Reason: "alert cannot be encoded", Err: err}
		}
		if a, f := w.post(ctx, w.cfg.URL, message(n, is.Key, state), body); f != nil {
			return "", f.Mendable(a.Status, "token")
		}
	}
	return is.String(), nil
}

// message names a message of a group: the same each time that it is sent, so that a program can tell a repetition.
func message(n *alert.Notification, key, what string) string {
	return fmt.Sprintf("%s-%d-%s", key, n.Worst().Record.Step, what)
}

// page is where a person finds out more: where driftd shows the worst alert, else the rule's runbook.
func (s *sender) page(n *alert.Notification) string {
	r := &n.Worst().Record
	if link := phrase.Link(s.cfg.PublicURL, r.ID); link != "" {
		return link
	}
	return alert.WebLink(r.Annotations["runbook_url"])
}

// maxTraces are linked.
const maxTraces = 3

// text is all that is known, with links to traces and runbook.
func (s *sender) text(n *alert.Notification) string {
	lines := phrase.Details(n)
	r := &n.Worst().Record
	for _, id := range r.Exemplars[:min(len(r.Exemplars), maxTraces)] {
		if link := alert.WebLink(phrase.Trace(s.cfg.TraceURL, id)); link != "" {
			lines = append(lines, "Trace: "+link)
		}
	}
	if link := alert.WebLink(r.Annotations["runbook_url"]); link != "" {
		lines = append(lines, "Runbook: "+link)
	}
	return strings.Join(lines, "\n")
}
