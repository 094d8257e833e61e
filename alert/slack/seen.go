package slack

import (
	"sync"
	"time"
)

const (
	// rememberFor is longer than a signature is valid.
	rememberFor = 10 * time.Minute
	maxSeen     = 10000
)

// seen remembers what came, so that it is taken once. It is for concurrent use. What comes to two instances of driftd is told
// apart by the alerts topic, where the first one counts.
type seen struct {
	mu struct {
		sync.Mutex
		at   map[string]time.Time
		next time.Time // when the oldest of them will be old enough to be forgotten
	}
}

func newSeen() *seen {
	s := &seen{}
	s.mu.at = map[string]time.Time{}
	return s
}

// first says that key was not seen within the last minutes. When it remembers as much as it can, nothing is new: better a
// button that does not work for a minute than one that is pressed twice.
func (s *seen) first(key string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.mu.at[key]; ok {
		return false
	}
	if len(s.mu.at) >= maxSeen/2 && now.After(s.mu.next) {
		oldest := now
		for k, at := range s.mu.at {
			if now.Sub(at) > rememberFor {
				delete(s.mu.at, k)
			} else if at.Before(oldest) {
				oldest = at
			}
		}
		s.mu.next = oldest.Add(rememberFor)
	}
	if len(s.mu.at) >= maxSeen {
		return false
	}
	s.mu.at[key] = now
	return true
}

// forget lets key come again: it could not be taken.
func (s *seen) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.at, key)
}
