package alert

import (
	"slices"
	"time"

	"github.com/driftd/driftd/detector"
)

// Route is a node of the routing tree. An alert that matches a node goes to the first of its child routes that matches,
// and on to the next ones while those say Continue; where no child matches, to the node's own receiver. The root matches
// everything, so its receiver is the default.
type Route struct {
	Receiver string            // name; empty takes the parent's
	Match    map[string]string // label to exact value, all of them must hold; see Labels
	Continue bool              // go on to the next sibling after this one matched
	Routes   []Route
}

// Leg is one way through the tree: what the routes on it say, the innermost first.
type Leg struct {
	Receiver   string
	GroupBy    []string      // labels in which the alerts of a message agree
	Repeat     time.Duration // say it again after so long; 0 is never
	Mute       []string      // names of mute times
	Fallback   string        // receiver; may be empty
	Responders []string      // Slack ids of who may acknowledge and silence; empty is everybody
	Approvers  []string      // of who may approve; empty is nobody
}

// Receivers returns the names of the receivers of an alert with these labels, in the order of the tree, each once.
func (r *Route) Receivers(labels map[string]string) []string {
	var out []string
	r.collect(labels, "", &out)
	return out
}

func (r *Route) collect(labels map[string]string, inherited string, out *[]string) {
	receiver := r.Receiver
	if receiver == "" {
		receiver = inherited
	}
	matched := false
	for i := range r.Routes {
		child := &r.Routes[i]
		if !child.matches(labels) {
			continue
		}
		matched = true
		child.collect(labels, receiver, out)
		if !child.Continue {
			break
		}
	}
	if !matched && receiver != "" && !slices.Contains(*out, receiver) {
		*out = append(*out, receiver)
	}
}

func (r *Route) matches(labels map[string]string) bool {
	for k, v := range r.Match {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// Labels returns what an alert is routed by: the labels of its rule and group, and, where those do not use the name
// themselves, alert (the rule), group, prompt, version, variant and the dimensions of its cohort.
func Labels(r *detector.Record) map[string]string {
	out := make(map[string]string, len(r.Labels)+len(r.Cohort)+5)
	for k, v := range r.Cohort {
		out[k] = v
	}
	out["alert"], out["group"] = r.Rule, r.Group
	out["prompt"], out["version"] = r.Prompt, r.Version
	if r.Variant != "" {
		out["variant"] = r.Variant
	}
	for k, v := range r.Labels {
		out[k] = v
	}
	return out
}
