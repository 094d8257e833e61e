// Package receivers holds fakes of whom driftd tells about alerts, which check the schemas and limits that those have documented,
// and a transport in memory that fails in all the ways in which a network and a server can. Its test is the conformance of every
// receiver. Slack's fake is internal/fakeslack.
package receivers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
	"unicode/utf8"
)

// Peer is a fake: a handler that believes what it is sent only when the documentation does.
type Peer interface {
	http.Handler
	// Shown is what people see there at time now: by the name of the rule, "firing", "acknowledged" or "resolved".
	Shown(now time.Time) map[string]string
	// Told is what was accepted of a rule, in order: its states, repetitions among them.
	Told(rule string) []string
	// Problems are what the documentation does not allow and was sent all the same.
	Problems() []string
}

// book is what all fakes write down. Its methods are for concurrent use.
type book struct {
	mu       sync.Mutex
	state    map[string]string // by rule
	told     map[string][]string
	problems []string
}

func newBook() book { return book{state: map[string]string{}, told: map[string][]string{}} }

func (b *book) tell(rule, state string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state[rule] = state
	b.told[rule] = append(b.told[rule], state)
}

func (b *book) wrong(format string, args ...any) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := fmt.Sprintf(format, args...)
	b.problems = append(b.problems, s)
	return s
}

// Shown implements Peer.
func (b *book) Shown(time.Time) map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make(map[string]string, len(b.state))
	for k, v := range b.state {
		out[k] = v
	}
	return out
}

// Told implements Peer.
func (b *book) Told(rule string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.told[rule])
}

// Problems implements Peer.
func (b *book) Problems() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.problems)
}

// strict decodes a body that may hold what v has and nothing else.
func strict(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("more than one value")
	}
	if !utf8.Valid(body) {
		return fmt.Errorf("not UTF-8")
	}
	return nil
}

// answer writes a JSON answer.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// characters is how long a text is where a limit is in characters.
func characters(s string) int { return utf8.RuneCountInString(s) }
