package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/driftd/driftd/rules"
)

// Screen is where the demo is told: a line a step on Out, and on a terminal a line below them that moves. It is for
// concurrent use.
type Screen struct {
	Out   io.Writer
	Color bool      // Out takes colours
	Err   io.Writer // of the moving line and of logs
	Live  bool      // Out and Err are the same terminal, which takes a moving line

	mu     sync.Mutex
	status string // that is shown
}

// tone is how a line is meant.
type tone int

const (
	plain tone = iota
	faint
	notice
	warning
	alarm
	relief
)

// codes are ANSI's.
var codes = [...]string{plain: "1", faint: "2", notice: "1;36", warning: "1;33", alarm: "1;31", relief: "1;32"}

func (s *Screen) paint(t tone, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + codes[t] + "m" + text + "\x1b[0m"
}

const (
	margin = 18 // where the text of a line begins
	width  = 80
	shift  = 4 // where a block begins
)

// line tells one step: event time, a word, and what, which is wrapped. The lines of block, if there is one, are put below as
// they are.
func (s *Screen) line(at time.Time, t tone, word, what, block string) {
	clock := "     "
	if !at.IsZero() {
		clock = s.paint(faint, at.Format("15:04"))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s", clock, s.paint(t, fmt.Sprintf("%-9s", word)))
	for i, text := range wrap(what, width-margin) {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", margin-2))
		}
		b.WriteString("  " + text + "\n")
	}
	for text := range strings.Lines(block) {
		b.WriteString(strings.Repeat(" ", shift) + strings.TrimSuffix(text, "\n") + "\n")
	}
	s.print(b.String())
}

// Ask puts a question to the person who watches.
func (s *Screen) Ask(text string) { s.line(time.Time{}, notice, "you", text, "") }

// wrap breaks text at spaces into lines of at most width columns, longer words excepted.
func wrap(text string, width int) (lines []string) {
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			switch {
			case line == "":
				line = word
			case len([]rune(line))+1+len([]rune(word)) <= width:
				line += " " + word
			default:
				lines, line = append(lines, line), word
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// print writes text as it is.
func (s *Screen) print(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	io.WriteString(s.Out, text)
	s.show()
}

// moving sets the moving line; empty takes it away.
func (s *Screen) moving(text string) {
	if !s.Live {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	s.status = text
	s.show()
}

func (s *Screen) wipe() {
	if s.status != "" {
		io.WriteString(s.Err, "\r\x1b[K")
	}
}

func (s *Screen) show() {
	if s.status != "" {
		io.WriteString(s.Err, s.status)
	}
}

// Write writes a log line to Err without harm to the moving line.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	n, err := s.Err.Write(p)
	s.show()
	return n, err
}

// some writes a count with its noun.
func some(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return rules.Grouped(n) + " " + noun + "s"
}
