package alert

import (
	"fmt"
	"time"

	"github.com/driftd/driftd/detector"
)

// RollbackState is where a rollback is. The set is closed.
//
//	proposed ─ auto ─> checking ─> promoting ─> verifying ─> watching ─> recovered | ineffective
//	   ├─ dry_run: stays                └─ refused, failed at any step before watching
//	   └─ approve ─> waiting ─ a person ─> checking
//	                    └─ a person, or time ─> rejected
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

// Over says that nothing more happens.
func (s RollbackState) Over() bool {
	switch s {
	case RollbackRecovered, RollbackIneffective, RollbackRefused, RollbackRejected, RollbackFailed:
		return true
	}
	return false
}

// Attempt is one rollback as the alerts topic tells it: a firing step whose rule allows one, or a request by hand, and what
// was done about it. It is the same for whoever reads the topic: the registry's worker, the receivers, the API.
type Attempt struct {
	Step  detector.Record   // that it answers
	State RollbackState     // "" before the first action
	Last  detector.Record   // newest action; its Type is empty before the first
	Log   []detector.Record // actions, oldest first; reminders and what may repeat once
	// Decided is who approved or rejected, nil where nobody did.
	Decided *detector.Record
	// Promoted is when the registry was read back, zero before.
	Promoted time.Time
}

// ID names the attempt for people and buttons: the alert's id and step.
func (a *Attempt) ID() string { return AttemptID(&a.Step) }

// AttemptID is the name of the attempt that a record is of.
func AttemptID(r *detector.Record) string { return fmt.Sprintf("%s-%d", r.ID, r.Step) }

// Fold takes an action. It returns false for one that changes nothing: a repetition, or what comes too late, such as an
// approval of what was rejected. The first of two decisions in the log counts.
func (a *Attempt) Fold(r *detector.Record) bool {
	next := a.after(r)
	if next == "" {
		return false
	}
	a.State, a.Last = next, *r
	a.Log = append(a.Log, *r)
	switch r.Type {
	case detector.RollbackApproved, detector.RollbackRejected:
		a.Decided = r
	case detector.RollbackPromoted:
		a.Promoted = r.Time
	}
	return true
}

// after is the state that r leads to, empty for none.
func (a *Attempt) after(r *detector.Record) RollbackState {
	s := a.State
	early := s == "" || s == RollbackProposed || s == RollbackWaiting || s == RollbackChecking || s == RollbackPromoting || s == RollbackVerifying
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
		if s == RollbackWaiting {
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
		if early {
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
