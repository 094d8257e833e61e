package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
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

// indent is where the text of a line begins.
const indent = 19

// line tells one step: event time, a word, what and numbers. Further lines of text are put below.
func (s *Screen) line(at time.Time, t tone, word, format string, args ...any) {
	text := strings.Split(fmt.Sprintf(format, args...), "\n")
	var b strings.Builder
	clock := "     "
	if !at.IsZero() {
		clock = at.Format("15:04")
	}
	fmt.Fprintf(&b, "  %s  %s  %s\n", s.paint(faint, clock), s.paint(t, fmt.Sprintf("%-8s", word)), text[0])
	for _, more := range text[1:] {
		b.WriteString(strings.TrimRight(strings.Repeat(" ", indent)+more, " ") + "\n")
	}
	s.print(b.String())
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

// whole writes a count with its thousands apart.
func whole(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// some writes a count with its noun.
func some(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return whole(n) + " " + noun + "s"
}
