// Package registry holds the words that rollback and the clients of prompt registries share. The interface stands with
// its caller, in alert/rollback; the clients are in the folders below.
package registry

import (
	"fmt"
	"slices"
	"time"
)

// State is what a registry says about a prompt.
type State struct {
	Current  string    // version that the production label points at
	Versions []Version // newest first; may be empty where the registry does not tell
}

// Version is one version of a prompt.
type Version struct {
	Version   string
	CreatedAt time.Time // zero where the registry does not tell
}

// Has says whether the registry knows the version, or does not tell which ones it knows.
func (s *State) Has(version string) bool {
	return len(s.Versions) == 0 || slices.ContainsFunc(s.Versions, func(v Version) bool { return v.Version == version })
}

// Promotion is a wish to make Version current in place of Expect.
type Promotion struct {
	Prompt, Version, Expect string
	Alert, Reason           string // for the registry's own audit: alert id, and a sentence
	Key                     string // the same for each try of one promotion
}

// ConflictError is the answer to a promotion whose Expect is not current any more; nothing was changed.
type ConflictError struct{ Current string }

func (e *ConflictError) Error() string { return fmt.Sprintf("%q is current", e.Current) }

// Error is any other failed call. Its text holds no secret.
type Error struct {
	Op      string // "read current version of p", …
	Reason  string // the same each time for the same fault
	Retry   bool   // it may work later; a promotion may have been made all the same
	After   time.Duration
	Wrapped error // may be nil
}

func (e *Error) Error() string {
	s := e.Op + ": " + e.Reason
	if e.Wrapped != nil {
		s += ": " + e.Wrapped.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Wrapped }
