package alertmanager

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
)

// postable is the postableAlert of Alertmanager's OpenAPI document. Two with the same labels are the same alert. One that ends
// in the past is resolved; labels must not be empty, and it must not end before it starts.
type postable struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

func (r *Receiver) alerts(n *alert.Notification) []postable {
	now := r.cfg.Now().UTC()
	out := make([]postable, 0, len(n.Firing)+len(n.Resolved))
	for i := range n.Firing {
		for _, p := range r.postable(&n.Firing[i]) {
			out = append(out, p.firing(now))
		}
	}
	for i := range n.Resolved {
		m := &n.Resolved[i]
		for _, p := range r.postable(m) {
			out = append(out, p.resolved(m.Record.Time, now))
		}
	}
	return out
}

func (p postable) firing(now time.Time) postable {
	p.EndsAt = now.Add(ahead)
	if p.StartsAt.After(p.EndsAt) {
		p.EndsAt = p.StartsAt.Add(ahead)
	}
	return p
}

// resolved ends an alert when it ended in event time. That is not left in the future, where a clock that is behind would put
// it: Alertmanager would take it for firing.
func (p postable) resolved(at, now time.Time) postable {
	p.EndsAt = at
	if p.EndsAt.After(now) {
		p.EndsAt = now
	}
	if p.StartsAt.After(p.EndsAt) {
		p.StartsAt = p.EndsAt
	}
	return p
}

// Ineffective is the name of the alert that fires beside one whose rollback has not helped, with its labels, until that is over:
// Alertmanager tells people anew of an alert with other labels, and of nothing else.
const Ineffective = "RollbackIneffective"

// postable is the alert, and the one beside it where a person is needed for its rollback.
func (r *Receiver) postable(m *alert.Member) []postable {
	rec := &m.Record
	n := &alert.Notification{Firing: []alert.Member{*m}, Attempt: m.Attempt}
	if m.Attempt != nil {
		n.Rollback = &m.Attempt.Last
	}
	p := postable{Labels: labels(rec), Annotations: r.annotations(n, rec), StartsAt: m.Since, GeneratorURL: r.generator(rec)}
	if m.Attempt == nil || m.Attempt.State != alert.RollbackIneffective {
		return []postable{p}
	}
	also := p
	also.Labels, also.Annotations, also.StartsAt = maps.Clone(p.Labels), maps.Clone(p.Annotations), m.Attempt.Last.Time
	also.Labels["alertname"], also.Labels["rule"] = Ineffective, p.Labels["alertname"]
	also.Annotations["summary"] = phrase.Title(rec) + ": " + phrase.Rollback(n)
	return []postable{p, also}
}

// generator is where a person finds out more: where driftd shows the alert, else the rule's runbook. Alertmanager refuses what
// is no URI.
func (r *Receiver) generator(rec *detector.Record) string {
	if link := phrase.Link(r.cfg.PublicURL, rec.ID); link != "" {
		return link
	}
	return alert.WebLink(rec.Annotations["runbook_url"])
}

// labels are what the alert is and never how it is: the value is none, or each change would be a new alert. Names that are the
// rule's own win, as in routes, but for alertname.
func labels(rec *detector.Record) map[string]string {
	out := map[string]string{}
	set := func(name, value string) {
		if value = phrase.Visible(value); value != "" { // an empty label is no label
			out[labelName(name)] = value
		}
	}
	for name, value := range rec.Cohort {
		if value == "" {
			value = "none" // without it, the cohort would be taken for the total
		}
		set(name, value)
	}
	set("group", rec.Group)
	set("prompt", rec.Prompt)
	set("version", rec.Version)
	set("variant", rec.Variant)
	set("metric", rec.Metric)
	set("rubric", rec.Rubric)
	set("kind", rec.Kind)
	for name, value := range rec.Labels {
		set(name, value)
	}
	set("alertname", rec.Rule)
	return out
}

// labelName makes a name that every version of Alertmanager takes: letters, digits and _, no digit first.
func labelName(name string) string {
	out := strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
	if out == "" || out[0] >= '0' && out[0] <= '9' {
		out = "_" + out
	}
	return out
}

// maxTraces are linked.
const maxTraces = 3

// annotations are the rule's own, how the alert is now, and what is done about its version.
func (r *Receiver) annotations(n *alert.Notification, rec *detector.Record) map[string]string {
	out := make(map[string]string, len(rec.Annotations)+6)
	for name, value := range rec.Annotations {
		if value = phrase.Lines(value); value != "" {
			out[labelName(name)] = value
		}
	}
	own := map[string]string{}
	if rec.Value != nil {
		own["value"] = strconv.FormatFloat(*rec.Value, 'g', -1, 64)
	}
	if rec.Kind != alert.WatchdogKind {
		own["samples"] = strconv.FormatInt(rec.Samples, 10)
	}
	own["summary"] = phrase.Title(rec) + ": " + phrase.Headline(rec) + " for " + phrase.Cohort(rec)
	own["cause"] = phrase.Visible(string(rec.Cause))
	own["because"] = phrase.Visible(strings.Join(rec.Because, "; "))
	own["against"] = phrase.Was(rec)
	own["rollback"] = phrase.Rollback(n)
	if how := phrase.Decide(n); how != "" {
		own["rollback"] += ". " + how
	}
	for i, id := range rec.Exemplars[:min(len(rec.Exemplars), maxTraces)] {
		own[fmt.Sprintf("trace_%d", i+1)] = alert.WebLink(phrase.Trace(r.cfg.TraceURL, id))
	}
	maps.DeleteFunc(own, func(name, value string) bool { return value == "" || out[name] != "" })
	maps.Copy(out, own)
	return out
}
