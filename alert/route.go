package alert

import (
	"slices"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/rules"
)

// Route is a node of the routing tree. An alert that matches a node goes to the first of its child routes that matches,
// and on to the next ones while those say Continue; where no child matches, to the node's own receiver. The root matches
// everything, so its receiver is the default.
//
// What a route does not say it takes from the one above it; at the top that is what DefaultGroupBy and DefaultRepeat say, and
// nothing for the rest.
type Route struct {
	Receiver string            // name; empty takes the parent's
	Match    map[string]string // label to glob, all of them must hold, a label that is missing is empty; see Labels and rules.Glob
	Continue bool              // go on to the next sibling after this one matched
	Routes   []Route

	// See Leg. Nil takes the parent's; an empty list or 0 is an answer.
	GroupBy    []string
	Repeat     *time.Duration
	Mute       []string
	Fallback   string // empty takes the parent's, unless that is the route's own receiver
	Responders []string
	Approvers  []string
}

// DefaultRepeat is after how long an alert is told again where no route says otherwise.
const DefaultRepeat = 4 * time.Hour

// DefaultGroupBy returns the labels in which the alerts of a message agree where no route says otherwise: the cohorts of one
// prompt version under one rule.
func DefaultGroupBy() []string { return []string{"group", "alert", "prompt", "version"} }

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

// Legs returns the ways by which an alert with these labels goes, in the order of the tree. Where two lead to the same
// receiver, the first counts. The lists in them are shared with the tree.
func (r *Route) Legs(labels map[string]string) []Leg {
	var out []Leg
	r.collect(labels, Leg{GroupBy: DefaultGroupBy(), Repeat: DefaultRepeat}, &out)
	return out
}

func (r *Route) collect(labels map[string]string, above Leg, out *[]Leg) {
	leg := r.leg(above)
	matched := false
	for i := range r.Routes {
		child := &r.Routes[i]
		if !child.matches(labels) {
			continue
		}
		matched = true
		child.collect(labels, leg, out)
		if !child.Continue {
			break
		}
	}
	if matched || leg.Receiver == "" || slices.ContainsFunc(*out, func(l Leg) bool { return l.Receiver == leg.Receiver }) {
		return
	}
	if leg.Fallback == leg.Receiver {
		leg.Fallback = "" // inherited by a route to the fallback itself
	}
	*out = append(*out, leg)
}

// leg is what the route says on top of what those above it say.
func (r *Route) leg(above Leg) Leg {
	leg := above
	if r.Receiver != "" {
		leg.Receiver = r.Receiver
	}
	if r.GroupBy != nil {
		leg.GroupBy = r.GroupBy
	}
	if r.Repeat != nil {
		leg.Repeat = *r.Repeat
	}
	if r.Mute != nil {
		leg.Mute = r.Mute
	}
	if r.Fallback != "" {
		leg.Fallback = r.Fallback
	}
	if r.Responders != nil {
		leg.Responders = r.Responders
	}
	if r.Approvers != nil {
		leg.Approvers = r.Approvers
	}
	return leg
}

func (r *Route) matches(labels map[string]string) bool {
	for k, pattern := range r.Match {
		if !rules.Glob(pattern, labels[k]) {
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
