package alert

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/detector"
)

// Key names a notification group: the alerts that agree in the labels of their route's group_by, by default the cohorts of one
// prompt version under one rule, are told together.
type Key struct {
	Group, Rule, Prompt, Version string // each empty where alerts are not grouped by it
	Labels                       string // the other labels that they are grouped by, as in team="ml", tier="free"; mostly empty
	ID                           string // of the alert, for receivers that want each alert by itself; else empty
	For                          string // the receiver in whose place this one is told; mostly empty
}

// Notification is what a receiver is told about one group: its state now, not the steps that led to it.
type Notification struct {
	Key      Key
	Firing   []Member // worst first
	Resolved []Member // fired since the group began to fire and are over; worst first
	// Rollback is the newest thing that was done about the version since then: proposed, refused, promoted, failed or
	// recovered. Nil where nothing was.
	Rollback *detector.Record
	// Attempt is the whole rollback that Rollback is of, nil with it.
	Attempt *Attempt
	// Observed is the newest observation of a promotion that is being watched; nil where none is.
	Observed *detector.Record
	// Acknowledged is who has taken it on, nil while nobody has, or when it has become worse since.
	Acknowledged *detector.Record
	// Silenced is the silence that ends last of those that match all of Firing; nil where not all are silenced.
	Silenced *detector.Record
	// Introduced tells who promoted the version, where the registry told; may be nil.
	Introduced *detector.Record
	// News is what has happened since the receiver was last told, oldest first: steps and actions, the newest twenty at most. With
	// Traits.Actions it is no more and no less than what it was not told: the newest step, and all that was done.
	News []detector.Record
	// Repeat says that nothing has happened: it is only said again because it has fired for so long.
	Repeat bool
	// Doubt says, where it is not zero, that it may have been told before then: what it is about was in the log when this worker began,
	// and the one before may have ended between telling it and writing that down.
	Doubt time.Time
	// StandIn is the receiver that could not be told, and in whose place this one is; empty where it is told for itself.
	StandIn string
	// Leg is the way by which the group comes to this receiver.
	Leg Leg
	// Ref is what the receiver returned when it was last told about this group, where that message is to be replaced; empty
	// for a new one.
	Ref string
}

// Member is one alert of a group.
type Member struct {
	Record  detector.Record // the newest firing or resolved step
	Since   time.Time       // event time of the step with which it began to fire
	Attempt *Attempt        // its rollback, with Traits.Actions; nil where there is none
}

// Receiver is someone to tell. Calls come one at a time.
type Receiver interface {
	// Deliver tells n and returns a reference to find the message again, empty where there is none. Failures are a
	// *Failure; any other error counts as Unavailable. It must return soon after ctx ends.
	Deliver(ctx context.Context, n *Notification) (ref string, err error)
	Traits() Traits
}

// Traits are what the outbox must know of a kind of receiver.
type Traits struct {
	PerAlert bool          // each alert is a group of its own, and rollbacks are not told unless Actions says so
	Interval time.Duration // least time between two deliveries
	// Actions, with PerAlert: each thing that is done about the alert's rollback is told as well, but for requests by hand, which are
	// of no alert.
	Actions bool
	// Updates: what was told can be changed in place, so acknowledgements, silences and observations are told too.
	Updates bool
	// Acks: acknowledgements are told although nothing can be changed in place.
	Acks bool
	// Resend is how often a firing group is sent again, changed or not, for receivers that forget; 0 is never.
	Resend time.Duration
	// Batch is how many groups may be sent again in one notification, the alerts of all of them in Firing; 0 is one.
	Batch int
}

// FailureKind says what a failed delivery means for the next.
type FailureKind int

const (
	// Unavailable receivers are tried again with growing waits, up to a minute.
	Unavailable FailureKind = iota
	// Blocked receivers need someone to mend them (token, channel); they are tried again each SlowRetry.
	Blocked
	// Unsendable is about this notification alone; it is tried again each SlowRetry while the others go on.
	Unsendable
	// Refused is final: it is recorded as notify_failed and not tried again.
	Refused
)

// Failure is why a delivery failed. Its text and its cause must not hold secrets.
type Failure struct {
	Kind    FailureKind
	Trouble Trouble       // for the metric; empty follows from the rest
	Reason  string        // short, the same each time, so that a repeated failure is seen as one
	Hint    string        // what a person can do about it; may be empty
	After   time.Duration // the receiver asked not to be called sooner; 0 where it did not
	Unsent  bool          // nothing can have come there; else it may have been told, and its answer lost
	Err     error         // cause, may be nil
}

func (f *Failure) Error() string {
	if f.Err != nil {
		return f.Reason + ": " + f.Err.Error()
	}
	return f.Reason
}

func (f *Failure) Unwrap() error { return f.Err }

// Worst returns the alert that stands for the group: the worst firing one, else the worst resolved one.
func (n *Notification) Worst() *Member {
	if len(n.Firing) > 0 {
		return &n.Firing[0]
	}
	return &n.Resolved[0]
}

// Since returns when the group began to fire: the earliest of its alerts, in event time.
func (n *Notification) Since() time.Time {
	t := n.Worst().Since
	for _, ms := range [][]Member{n.Firing, n.Resolved} {
		for i := range ms {
			if ms[i].Since.Before(t) {
				t = ms[i].Since
			}
		}
	}
	return t
}

// Until returns when the last alert of the group resolved, in event time; zero while one is firing.
func (n *Notification) Until() time.Time {
	var t time.Time
	if len(n.Firing) > 0 {
		return t
	}
	for i := range n.Resolved {
		if r := &n.Resolved[i].Record; r.Time.After(t) {
			t = r.Time
		}
	}
	return t
}

// CohortName writes a cohort for people: its values in the order of the dimensions' names, "all" for the total.
func CohortName(cohort map[string]string) string {
	if len(cohort) == 0 {
		return "all"
	}
	keys := make([]string, 0, len(cohort))
	for k := range cohort {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	// tier × locale reads better than locale × tier.
	if i := slices.Index(keys, "tier"); i > 0 {
		keys = slices.Insert(slices.Delete(keys, i, i+1), 0, "tier")
	}
	values := make([]string, len(keys))
	for i, k := range keys {
		values[i] = cohort[k]
		if values[i] == "" {
			values[i] = fmt.Sprintf("no %s", k)
		}
	}
	return strings.Join(values, " × ")
}

// sortMembers puts the worst first; among equals those with more samples, then by cohort and identity, so that the order
// is the same each time.
func sortMembers(ms []Member) {
	slices.SortFunc(ms, func(a, b Member) int {
		return cmp.Or(
			cmp.Compare(badness(&b.Record), badness(&a.Record)),
			cmp.Compare(b.Record.Samples, a.Record.Samples),
			strings.Compare(CohortName(a.Record.Cohort), CohortName(b.Record.Cohort)),
			strings.Compare(a.Record.ID, b.Record.ID),
		)
	})
}
