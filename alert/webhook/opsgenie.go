package webhook

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/incident"
	"github.com/driftd/driftd/alert/phrase"
)

// opsgenie tells Opsgenie, by its Alert API. Of its documentation it uses: POST /v2/alerts creates, and only counts up where an
// alert of the same alias is open; POST /v2/alerts/{alias}/close, /acknowledge and /notes with identifierType=alias; the key goes
// into Authorization: GenieKey; all answer 202 and are worked off later, what finds no alert among them; 422 is an invalid
// field; 429 is too fast; and the limits below, in characters.
type opsgenie struct {
	sender
	base string // of the API, up to /v2/alerts
}

const (
	maxMessage     = 130
	maxDescription = 15000
	maxEntity      = 512
	maxSource      = 100
	maxTags        = 20
	maxTag         = 50
	maxDetails     = 8000 // all keys and values together
	maxNote        = 25000
)

// opsgenieAlert is the body that creates an alert.
type opsgenieAlert struct {
	Message     string            `json:"message"`
	Alias       string            `json:"alias"`
	Description string            `json:"description"`
	Tags        []string          `json:"tags,omitempty"`
	Details     map[string]string `json:"details,omitempty"`
	Entity      string            `json:"entity,omitempty"`
	Source      string            `json:"source"`
	Priority    string            `json:"priority"`
}

// opsgenieNote is the body of what is done to an alert.
type opsgenieNote struct {
	Source string `json:"source"`
	User   string `json:"user,omitempty"`
	Note   string `json:"note"`
}

func newOpsgenie(s sender) *opsgenie {
	base, _ := strings.CutSuffix(strings.TrimRight(s.cfg.URL, "/"), "/v2/alerts")
	return &opsgenie{s, base + "/v2/alerts"}
}

// Traits implements alert.Receiver.
func (*opsgenie) Traits() alert.Traits { return alert.Traits{Acks: true} }

// Deliver implements alert.Receiver. The reference is what Opsgenie knows then.
func (w *opsgenie) Deliver(ctx context.Context, n *alert.Notification) (ref string, err error) {
	actions, is := incident.Plan(n)
	alias := w.base + "/" + is.Key
	for _, a := range actions {
		var err error
		id := message(n, is.Key, string(a))
		switch a {
		case incident.Trigger:
			if err = w.call(ctx, w.base, id, w.create(n, is.Key)); err == nil && n.Ref != "" && !n.Repeat && len(actions) == 1 {
				// An alert that is open keeps its first message; what has happened since goes into a note.
				err = w.call(ctx, alias+"/notes?identifierType=alias", id+"-note", note(phrase.Summary(n)+"\n"+w.text(n)))
			}
		case incident.Acknowledge:
			by := opsgenieNote{Source: "driftd", User: cut(phrase.Clean(n.Acknowledged.Actor), maxSource), Note: cut(phrase.Clean(n.Acknowledged.Reason), maxNote)}
			err = w.call(ctx, alias+"/acknowledge?identifierType=alias", id, by)
		case incident.Resolve:
			err = w.call(ctx, alias+"/close?identifierType=alias", id, note(phrase.Summary(n)+"\n"+w.text(n)))
		}
		if err != nil {
			return "", err
		}
	}
	return is.String(), nil
}

func note(text string) opsgenieNote { return opsgenieNote{Source: "driftd", Note: cut(text, maxNote)} }

func (w *opsgenie) call(ctx context.Context, url, id string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return &alert.Failure{Kind: alert.Refused, Reason: "alert cannot be encoded", Err: err}
	}
	if a, f := w.post(ctx, url, id, body); f != nil {
		return f.Mendable(a.Status, "token: it is the key of an API integration")
	}
	return nil
}

func (w *opsgenie) create(n *alert.Notification, key string) opsgenieAlert {
	r := &n.Worst().Record
	return opsgenieAlert{
		Message: cut(phrase.Summary(n), maxMessage), Alias: key, Description: cut(w.text(n), maxDescription), Tags: tags(r.Labels),
		Details: w.details(n), Entity: cut(phrase.Visible(r.Prompt), maxEntity), Source: "driftd", Priority: priority(incident.Severity(r.Labels["severity"])),
	}
}

func priority(severity string) string {
	switch severity {
	case "critical":
		return "P1"
	case "error":
		return "P2"
	case "warning":
		return "P3"
	}
	return "P5"
}

// tags are the rule's labels, the first twenty by name.
func tags(labels map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if len(out) < maxTags {
			out = append(out, cut(phrase.Visible(k+":"+labels[k]), maxTag))
		}
	}
	return out
}

// details are the figures, for Opsgenie's own routing rules; as many as may be, the most telling first.
func (w *opsgenie) details(n *alert.Notification) map[string]string {
	r := &n.Worst().Record
	value, bound := phrase.Figures(r)
	left := maxDetails
	out := map[string]string{}
	for _, d := range [][2]string{
		{"alert", r.ID}, {"rule", r.Rule}, {"prompt", r.Prompt}, {"version", r.Version}, {"metric", r.Metric}, {"kind", r.Kind},
		{"value", value}, {"bound", bound}, {"samples", strconv.FormatInt(r.Samples, 10)}, {"cause", string(phrase.Clearest(n).Cause)},
		{"cohort", phrase.Cohort(r)}, {"previous_version", r.Previous}, {"rollback", phrase.Rollback(n)}, {"link", w.page(n)},
	} {
		text := phrase.Visible(d[1])
		if size := utf8.RuneCountInString(d[0] + text); text != "" && size <= left {
			out[d[0]] = text
			left -= size
		}
	}
	return out
}

// cut shortens s to at most n characters.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
