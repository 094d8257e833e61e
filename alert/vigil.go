package alert

import (
	"context"
	"sync"
	"time"
)

// vigil notices that this process stood still: it was stopped, or starved of CPU. Others may have taken over what it had, which it learns
// some moments after it goes on, and what it was about to send then has been sent by them. It is for concurrent use.
type vigil struct {
	limit time.Duration // to stand still for longer is to be unsure
	mu    struct {
		sync.Mutex
		awake  time.Time // when it was so last; compared by the clock that nobody sets
		unsure bool
	}
}

// newVigil returns one of a member of a group whose partitions are given to others when it is silent for session.
func newVigil(session time.Duration) *vigil {
	v := &vigil{limit: session / 2} // it may have been silent for a while before
	v.mu.awake = time.Now()
	return v
}

// keep watches until ctx ends.
func (v *vigil) keep(ctx context.Context) {
	t := time.NewTicker(v.limit / 4)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			v.sure()
		case <-ctx.Done():
			return
		}
	}
}

// sure says that the process has not stood still since believe was called last.
func (v *vigil) sure() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	v.mu.unsure = v.mu.unsure || now.Sub(v.mu.awake) > v.limit
	v.mu.awake = now
	return !v.mu.unsure
}

// believe is called when the coordinator has answered that the partitions are still this process's: it was asked at that time.
func (v *vigil) believe(asked time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now := time.Now(); now.Sub(asked) <= v.limit { // or it may have stood still again
		v.mu.awake, v.mu.unsure = now, false
	}
}
