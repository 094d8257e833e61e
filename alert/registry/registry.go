// Package registry holds the words that rollback and the clients of prompt registries share. The interface stands with
// its caller, in alert/rollback; the clients are in the folders below, one each, and those that are asked over HTTP stand on a [Peer].
//
// One more is a folder with its client, a file with its subject in internal/conform/registries, its keys in a row of
// internal/config/check_registry.go, and its constructor in a row of cmd/driftd/registry.go.
package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Version is one version of a prompt as a registry has it.
type Version struct {
	ID        string    // what the registry calls it; opaque
	Names     []string  // what it is also known by on spans, such as 3 and v3; may be empty
	CreatedAt time.Time // zero where the registry does not tell
}

// Is says whether name, as it stood on spans, means this version.
func (v Version) Is(name string) bool {
	return name != "" && (v.ID == name || slices.Contains(v.Names, name))
}

// String is the version as people know it.
func (v Version) String() string {
	if len(v.Names) > 0 {
		return v.Names[0]
	}
	return v.ID
}

// Find returns the version that is meant by a name on spans; false where there is none of it.
func Find(all []Version, name string) (Version, bool) {
	for _, v := range all {
		if v.Is(name) {
			return v, true
		}
	}
	return Version{}, false
}

// Move is a wish to point the label at To, which pointed at Seen when it was last read.
type Move struct {
	Prompt        string
	To, Seen      Version
	Alert, Reason string // for the registry's own audit: alert id, and a sentence
	Link          string // to more about it; may be empty
	Key           string // the same for each try of one move
}

// Compare is for registries that cannot compare themselves: done where current is To already, as after a try whose answer was lost,
// a *ConflictError where it is neither To nor Seen.
func (m *Move) Compare(current Version) (done bool, err error) {
	switch current.ID {
	case m.To.ID:
		return true, nil
	case m.Seen.ID:
		return false, nil
	}
	return false, &ConflictError{Current: current}
}

// Cut shortens a text to limit bytes, at most, for a place that takes no more.
func Cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const more = "…"
	return strings.ToValidUTF8(s[:max(limit-len(more), 0)], "") + more
}

// Traits are what a caller must know of a kind of registry.
type Traits struct {
	// Grace is how long clients may keep a version after the label has moved: caches. Default 1 min.
	Grace time.Duration
	// History: the client is a Historian. Switch: it is a Switcher.
	History, Switch bool
	// Replaces: a write replaces all labels of a version, so the client reads them first and writes the union. One that somebody sets in
	// between is lost.
	Replaces bool
}

// Change is one move of the label, as a registry that has a history tells it.
type Change struct {
	To, From string // From may be empty
	At       time.Time
	By       string // may be empty
}

// Event is what a registry told us that someone did: the label of Prompt points at Version now.
type Event struct {
	Prompt, Version string
	Author          string // empty where it does not tell
	At              time.Time
}

// ConflictError is the answer to a move whose Seen is not current any more; nothing was changed.
type ConflictError struct{ Current Version }

func (e *ConflictError) Error() string { return fmt.Sprintf("%q is current", e.Current.String()) }

// Kind says what a failed call means.
type Kind int

const (
	Unavailable Kind = iota // may work later; a move may have been made all the same
	Denied                  // 401 or 403: someone must mend the credentials
	NoPrompt                // the registry has no such prompt
	NoLabel                 // the prompt has no version with the label
	NoVersion               // it has no such version
	Wrong                   // anything else that will not work by itself
)

// Error is any other failed call. Its text holds no secret.
type Error struct {
	Op      string // "read current version of p", …
	Kind    Kind
	Reason  string        // the same each time for the same fault
	Hint    string        // what a person can do about it; may be empty
	After   time.Duration // the registry asked not to be called sooner; 0 where it did not
	Wrapped error         // may be nil
}

func (e *Error) Error() string {
	s := e.Op + ": " + e.Reason
	if e.Wrapped != nil {
		s += ": " + e.Wrapped.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Wrapped }
