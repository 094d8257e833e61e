package main

import (
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// stepAt is by how much the machine's clock must move against the time that goes by to have been set: less is how clocks are kept
	// right.
	stepAt = 5 * time.Second
	// stepHolds is how long a clock that was set must stand to it before it is believed.
	stepHolds = 15 * time.Minute
)

// steady is a clock that follows the machine's, but not at once where that is set to another time: for 15 minutes it goes on as if it
// had not been. Ingest goes by it, because it decides there which events are from the future and how far time has come in a partition
// without any: a machine's clock that jumps ten minutes back would send all events to the dead letters, and one that jumps ahead would
// leave them behind. A suspended machine's clock does not jump. It is for concurrent use.
type steady struct {
	wall   func() time.Time
	passed func() time.Duration // since some moment; nobody can set it
	log    *slog.Logger

	mu struct {
		sync.Mutex
		begun  bool
		offset time.Duration // from passed to Unix time, as believed
		step   time.Duration // by which the machine's clock differs from that; 0 is not at all
		since  time.Duration // since when, by passed
	}
}

// Now is the time as believed.
func (s *steady) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	passed := s.passed()
	offset := time.Duration(s.wall().UnixNano()) - passed
	m := &s.mu
	if !m.begun {
		m.begun, m.offset = true, offset
	}
	step := offset - m.offset
	switch {
	case step.Abs() < stepAt:
		if m.step != 0 {
			s.log.Info("the machine's clock is right again")
		}
		m.offset, m.step = offset, 0
	case (step - m.step).Abs() >= stepAt:
		m.step, m.since = step, passed
		s.log.Warn("the machine's clock was set; ingest goes on by the time before, unless it stays", "by", step.Round(time.Second), "believed_after", stepHolds)
	case passed-m.since >= stepHolds:
		m.offset, m.step = offset, 0
		s.log.Warn("the machine's clock was set and has stayed, ingest goes by it now", "by", step.Round(time.Second))
	}
	return time.Unix(0, int64(passed+m.offset)).UTC()
}

// uptime is the time since the machine was started, also while it was suspended where the system tells that.
func uptime() func() time.Duration {
	began, before := time.Now(), bootTime()
	var mu sync.Mutex
	var looked, slept time.Duration
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		awake := time.Since(began)
		if awake-looked >= time.Second {
			looked = awake
			if now := bootTime(); now > 0 && before > 0 {
				slept = max(slept, (now - before - awake).Truncate(time.Second)) // what it says is rounded
			}
		}
		return awake + slept
	}
}

// bootTime is what Linux says; 0 where there is no such file.
func bootTime() time.Duration {
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	seconds, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}
