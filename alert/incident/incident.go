// Package incident is what receivers have in common that keep incidents of their own, with a life of triggered, acknowledged and
// resolved, and page people: PagerDuty, Opsgenie, Grafana OnCall. It makes no calls.
package incident

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// Action is what a system of incidents can be told. The set is closed.
type Action string

const (
	Trigger     Action = "trigger"
	Acknowledge Action = "acknowledge"
	Resolve     Action = "resolve"
)

// State is what such a system was told last about a group. It is kept as the reference of the notification.
type State struct {
	Key          string // names the incident there, for as long as the group is known by this reference
	Acknowledged bool
	Ineffective  bool // it was triggered anew when a rollback had not helped
}

// Parse reads a reference; the key is empty for an empty one.
func Parse(ref string) State {
	key, flags, _ := strings.Cut(ref, " ")
	return State{key, strings.Contains(flags, "acknowledged"), strings.Contains(flags, "ineffective")}
}

// String is the reference.
func (s State) String() string {
	out := s.Key
	if s.Acknowledged {
		out += " acknowledged"
	}
	if s.Ineffective {
		out += " ineffective"
	}
	return out
}

// Plan returns what to tell, in order, so that the system knows what n says, and the state that it has then. Telling it again
// changes nothing, so a plan that failed half way is begun anew.
//
// An incident that someone has acknowledged pages nobody any more, whatever comes. So one whose acknowledgement is over because
// it has become worse, and one that a rollback has not helped, is resolved and triggered anew.
func Plan(n *alert.Notification) ([]Action, State) {
	was := Parse(n.Ref)
	is := State{Key: was.Key}
	if is.Key == "" {
		is.Key = Key(n)
	}
	if len(n.Firing) == 0 {
		return []Action{Resolve}, is
	}
	is.Ineffective = n.Rollback != nil && n.Rollback.Type == detector.Ineffective
	is.Acknowledged = n.Acknowledged != nil && !(is.Ineffective && n.Acknowledged.Time.Before(n.Rollback.Time))
	switch {
	case n.Ref == "":
	case was.Acknowledged && !is.Acknowledged, is.Ineffective && !was.Ineffective:
		actions := []Action{Resolve, Trigger}
		if is.Acknowledged {
			actions = append(actions, Acknowledge)
		}
		return actions, is
	case is.Acknowledged && !was.Acknowledged:
		return []Action{Acknowledge}, is
	}
	if is.Acknowledged && !was.Acknowledged {
		return []Action{Trigger, Acknowledge}, is
	}
	return []Action{Trigger}, is
}

// Key names a group outside of driftd, the same each time that it fires and whoever computes it, in 39 letters, digits and -: a
// hash, since the names that it is of may be longer than other systems allow.
func Key(n *alert.Notification) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%q", n.Key))
	return "driftd-" + hex.EncodeToString(h[:16])
}

// Severity maps what rules commonly have under the label severity to one of critical, error, warning and info. A rule that says
// nothing, or something of its own, is critical: who sends it to a pager wants to be paged.
func Severity(label string) string {
	switch strings.ToLower(label) {
	case "info", "information", "informational", "notice", "debug", "none", "low", "p5":
		return "info"
	case "warning", "warn", "ticket", "medium", "minor", "p3", "p4":
		return "warning"
	case "error", "major", "high", "p2":
		return "error"
	}
	return "critical"
}
