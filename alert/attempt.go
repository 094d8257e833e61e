package alert

import (
	"fmt"
	"time"

	"github.com/driftd/driftd/detector"
)

// RollbackState is where a rollback is. The set is closed.
//
//	proposed ─ auto ─> checking ─> promoting ─> verifying ─> watching ─> recovered | ineffective
//	   ├─ dry_run: stays                └─ refused, failed at any step
//	   └─ approve ─> waiting ─ a person ─> checking
//	                    └─ a person, or time ─> rejected
//	requested, by hand ─> checking
//
// Refused while it waits is withdrawn: the alert is over, or the version is not current any more. Refused while it is watched is a
// person who has set the label elsewhere: driftd stands down.
type RollbackState string

const (
	RollbackProposed    RollbackState = "proposed" // of a dry run the end
	RollbackWaiting     RollbackState = "waiting"  // for a person
	RollbackChecking    RollbackState = "checking" // the guards
	RollbackPromoting   RollbackState = "promoting"
	RollbackVerifying   RollbackState = "verifying" // the registry answered; it is read back
	RollbackWatching    RollbackState = "watching"
	RollbackRecovered   RollbackState = "recovered"
	RollbackIneffective RollbackState = "ineffective"
	RollbackRefused     RollbackState = "refused"
	RollbackRejected    RollbackState = "rejected"
	RollbackFailed      RollbackState = "failed"
)

// GuardSetBack is the guard of a rollback that a person has undone. It alone refuses what was promoted: any other refusal behind a
// promotion is of a worker that had been replaced, and did not know.
const GuardSetBack = "set_back"

// Over says that nothing more happens.
func (s RollbackState) Over() bool {
	switch s {
	case RollbackProposed, RollbackRecovered, RollbackIneffective, RollbackRefused, RollbackRejected, RollbackFailed:
		return true
	}
	return false
}

// Attempt is one rollback as the alerts topic tells it: a firing step whose rule allows one, or a request by hand, and what
// was done about it. It is the same for whoever reads the topic: the registry's worker, the receivers, the API.
type Attempt struct {
	Step  detector.Record   // that it answers; a rollback_requested of one by hand
	State RollbackState     // "" before the first action
	Last  detector.Record   // newest action; its Type is empty before the first
	Log   []detector.Record // actions, oldest first; of reminders the newest alone
	// Decided is who approved or rejected, nil where nobody did.
	Decided *detector.Record
	// Promoted is when the registry was read back, zero before.
	Promoted time.Time
}

// ID names the attempt for people and buttons: the alert's id and step.
func (a *Attempt) ID() string { return AttemptID(&a.Step) }

// AttemptID is the name of the attempt that a record is of.
func AttemptID(r *detector.Record) string { return fmt.Sprintf("%s-%d", r.ID, r.Step) }

// ByHand says that a person asked for it, and no alert.
func (a *Attempt) ByHand() bool { return a.Step.Type == detector.RollbackRequested }

// Begun is when it was proposed or asked for; zero before the first action.
func (a *Attempt) Begun() time.Time {
	if len(a.Log) == 0 {
		return time.Time{}
	}
	return a.Log[0].Time
}

// Fold takes an action. It returns false for one that changes nothing: a repetition, or what comes too late, such as an
// approval of what was rejected. The first of two decisions in the log counts.
func (a *Attempt) Fold(r *detector.Record) bool {
	next := a.after(r)
	if next == "" {
		return false
	}
	if r.Type == detector.RollbackReminded && a.Last.Type == r.Type {
		a.Log = a.Log[:len(a.Log)-1]
	}
	a.State, a.Last = next, *r
	a.Log = append(a.Log[:len(a.Log):len(a.Log)], *r)
	switch r.Type {
	case detector.RollbackProposed:
		if a.Step.Previous == "" {
			a.Step.Previous = r.Previous // as the registry's history told
		}
	case detector.RollbackPromoting:
		if a.Step.Version == "" {
			a.Step.Version = r.Version // asked for of whatever was current
		}
	case detector.RollbackApproved, detector.RollbackRejected:
		decided := *r
		a.Decided = &decided
	case detector.RollbackPromoted:
		a.Promoted = r.Time
	}
	return true
}

// after is the state that r leads to, empty for none.
func (a *Attempt) after(r *detector.Record) RollbackState {
	s := a.State
	early := !s.Over() && s != RollbackWatching
	switch r.Type {
	case detector.RollbackProposed:
		if s != "" {
			return ""
		}
		switch r.Rollback {
		case "auto":
			return RollbackChecking
		case "approve":
			return RollbackWaiting
		}
		return RollbackProposed
	case detector.RollbackRequested:
		if s == "" {
			return RollbackChecking
		}
	case detector.RollbackReminded:
		if s == RollbackWaiting && r.Time.After(a.Last.Time) {
			return RollbackWaiting
		}
	case detector.RollbackApproved:
		if s == RollbackWaiting {
			return RollbackChecking
		}
	case detector.RollbackRejected:
		if s == RollbackWaiting {
			return RollbackRejected
		}
	case detector.RollbackPromoting:
		if s == RollbackChecking {
			return RollbackPromoting
		}
	case detector.RollbackRefused:
		if early || s == RollbackWatching && r.Guard == GuardSetBack {
			return RollbackRefused
		}
	case detector.RollbackFailed:
		if early {
			return RollbackFailed
		}
	case detector.RollbackPromoted:
		if early {
			return RollbackWatching
		}
	case detector.Recovered:
		if s == RollbackWatching {
			return RollbackRecovered
		}
	case detector.Ineffective:
		if s == RollbackWatching {
			return RollbackIneffective
		}
	}
	return ""
}
