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
	alarmed                // the drift rule's alert
	warned                 // Slack got the message
	dropped                // its figures show in the cohort
	pending                // the threshold rule's alert
	firing                 // the same
	told                   // Slack got the message
	proposed               // driftd wrote down what it is about to do
	rolledBack             // the registry got the promotion
	recovery               // the cohort's figures are those of the version before
	calmed                 // the drift rule's alert is over
	resolved               // the threshold rule's
	mended                 // driftd wrote down that the rollback helped
	warnedEnd              // Slack's message on the drift says that it is over
	toldEnd                // and that on the threshold
	counted                // all events, each once
	numSteps
)

// script says what each step is and what must have happened before it.
var script = [numSteps]struct {
	what  string
	after []step
}{
	flowing:    {"figures of all prompts", nil},
	fine:       {"figures of " + good + " of " + refund + " that are no worse", []step{flowing}},
	promoted:   {"the promotion of " + bad, []step{flowing}},
	dropped:    {"the drop in the figures of " + badTier + " × " + badLocale, []step{promoted}},
	alarmed:    {"a firing alert of " + driftRule, []step{promoted}},
	warned:     {"a Slack message on " + driftRule, []step{alarmed}},
	pending:    {"a pending alert of " + floorRule, []step{dropped, alarmed}},
	firing:     {"a firing alert of " + floorRule, []step{pending}},
	told:       {"a Slack message on " + floorRule, []step{firing}},
	proposed:   {"the rollback written down before it is made", []step{firing}},
	rolledBack: {"the promotion of " + previous + " in the registry", []step{proposed}},
	recovery:   {"the recovery in the figures of " + badTier + " × " + badLocale, []step{rolledBack}},
	calmed:     {"a resolved alert of " + driftRule, []step{recovery, warned}},
	resolved:   {"a resolved alert of " + floorRule, []step{recovery, told}},
	mended:     {"the rollback written down as a recovery", []step{rolledBack}},
	warnedEnd:  {"a Slack message that says that " + driftRule + " is over", []step{calmed}},
	toldEnd:    {"a Slack message that says that " + floorRule + " is over", []step{resolved}},
	counted:    {"each event counted once", nil},
}

// story checks that what must happen happens, in order and once, and nothing else. The zero value has seen nothing. It is owned
// by whoever holds the teller's lock.
type story struct {
	seen  [numSteps]bool
	wrong []string
}

// see takes a step. A step that comes twice, or before one that it must come after, is wrong and does not count.
func (s *story) see(st step) bool {
	if s.seen[st] {
		s.strayed("%s came twice", script[st].what)
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
func (s *story) toldAll() bool { return s.seen[mended] && s.seen[warnedEnd] && s.seen[toldEnd] }

// maxWrong is how many wrong things are told.
const maxWrong = 10

// verdict is nil when the whole story has happened and nothing else.
func (s *story) verdict() error {
	var lines []string
	for st := range numSteps {
		if !s.seen[st] {
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
