package demo

import (
	"errors"
	"fmt"
	"strings"
)

// step is one thing that must happen in the demo.
type step int

const (
	flowing    step = iota // figures of all prompts
	fine                   // figures of the version that is no worse
	promoted               // the bad version is current in the registry
	dropped                // its figures show in the cohort
	alarmed                // the drift rule's alert
	proposed               // driftd wrote down what it would do, and waits for a person
	warned                 // Slack got the message
	decided                // the person has pressed a button
	promoting              // driftd wrote down that it is about to ask the registry
	rolledBack             // the registry got the promotion
	mended                 // driftd wrote down that the rollback helped
	recovery               // the cohort's figures are those of the version before
	calmed                 // the drift rule's alert is over
	warnedEnd              // Slack's message on the drift says that it is over
	pending                // the threshold rule's alert
	firing                 // the same
	told                   // Slack got the message
	counted                // all events, each once
	numSteps
)

// path says in which endings of the story a step happens.
type path int

const (
	always   path = iota
	approved      // the person lets driftd promote the version before
	rejected      // the person does not: the bad version goes on
)

// script says what each step is and what must have happened before it.
var script = [numSteps]struct {
	what  string
	on    path
	after []step
}{
	flowing:    {"figures of all prompts", always, nil},
	fine:       {"figures of " + good + " of " + refund + " that are no worse", always, []step{flowing}},
	promoted:   {"the promotion of " + bad, always, []step{flowing}},
	dropped:    {"the drop in the figures of " + badTier + " × " + badLocale, always, []step{promoted}},
	alarmed:    {"a firing alert of " + driftRule, always, []step{promoted}},
	proposed:   {"a rollback that waits for a person", always, []step{alarmed}},
	warned:     {"a Slack message on " + driftRule, always, []step{alarmed}},
	decided:    {"what the person decided, written down", always, []step{proposed, warned}},
	promoting:  {"the promotion written down before it is asked for", approved, []step{decided}},
	rolledBack: {"the promotion of " + previous + " in the registry", approved, []step{promoting}},
	mended:     {"the rollback written down as a recovery", approved, []step{rolledBack}},
	recovery:   {"the recovery in the figures of " + badTier + " × " + badLocale, approved, []step{rolledBack}},
	calmed:     {"a resolved alert of " + driftRule, approved, []step{recovery, mended}},
	warnedEnd:  {"a Slack message that says that " + driftRule + " is over", approved, []step{calmed}},
	pending:    {"a pending alert of " + floorRule, rejected, []step{dropped, decided}},
	firing:     {"a firing alert of " + floorRule, rejected, []step{pending}},
	told:       {"a Slack message on " + floorRule, rejected, []step{firing}},
	counted:    {"each event counted once", always, nil},
}

// story checks that what must happen happens, in order and once, and nothing else. The zero value has seen nothing. It is owned
// by whoever holds the teller's lock.
type story struct {
	seen  [numSteps]bool
	path  path // what the person decided; always before
	wrong []string
}

// see takes a step. A step that comes twice, or before one that it must come after, is wrong and does not count.
func (s *story) see(st step) bool {
	if s.seen[st] {
		s.strayed("%s came twice", script[st].what)
		return false
	}
	if on := script[st].on; on != always && on != s.path {
		s.strayed("%s, which nobody asked for", script[st].what)
		return false
	}
	for _, before := range script[st].after {
		if !s.seen[before] {
			s.strayed("%s came before %s", script[st].what, script[before].what)
			return false
		}
	}
	s.seen[st] = true
	return true
}

// strayed notes something that must not happen.
func (s *story) strayed(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// toldAll tells whether all that driftd does has happened; what is left is to count.
func (s *story) toldAll() bool {
	if s.path == rejected {
		return s.seen[told]
	}
	return s.seen[warnedEnd]
}

// maxWrong is how many wrong things are told.
const maxWrong = 10

// verdict is nil when the whole story has happened and nothing else.
func (s *story) verdict() error {
	var lines []string
	for st := range numSteps {
		if on := script[st].on; !s.seen[st] && (on == always || on == s.path || s.path == always && on == approved) {
			lines = append(lines, "missing: "+script[st].what)
		}
	}
	for i, w := range s.wrong {
		if i == maxWrong {
			lines = append(lines, fmt.Sprintf("wrong: and %d more", len(s.wrong)-i))
			break
		}
		lines = append(lines, "wrong: "+w)
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New(strings.Join(lines, "\n"))
}
