package alert

import (
	"context"
	"sync"
)

// Progress is how far a Follower has come in each partition, for those who wait until it knows a record. It is for concurrent use.
// A Follower with a lock of its own tells it under that lock: who is woken then sees what was folded.
type Progress struct {
	mu struct {
		sync.Mutex
		parts   []reached
		changed chan struct{} // closed with the next record; nil while nobody waits
	}
}

// reached is that of one partition.
type reached struct {
	next int64 // behind what was folded, or passed over
	live bool
}

// NewProgress returns that of a Follower that has seen nothing of so many partitions.
func NewProgress(partitions int) *Progress {
	p := &Progress{}
	p.mu.parts = make([]reached, partitions)
	return p
}

// Begin is told of Follower.Begin. It returns true when records of the partition had been folded, which are to be forgotten.
func (p *Progress) Begin(n int) (again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	again = p.mu.parts[n].next > 0
	p.mu.parts[n] = reached{}
	return again
}

// Fold is told of Follower.Fold, by the record's offset. It returns false for one that was folded before.
func (p *Progress) Fold(n int, offset int64) (news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if offset < p.mu.parts[n].next {
		return false
	}
	p.reach(n, offset+1)
	return true
}

// Passed is told of Passer.Passed.
func (p *Progress) Passed(n int, next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reach(n, max(next, p.mu.parts[n].next))
}

// reach wakes who waits. It needs the lock.
func (p *Progress) reach(n int, next int64) {
	p.mu.parts[n].next = next
	if p.mu.changed != nil {
		close(p.mu.changed)
		p.mu.changed = nil
	}
}

// Live is told of Follower.Live.
func (p *Progress) Live(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.parts[n].live = true
}

// Ready says that every partition has been read to where it ended when it was begun: before, what is known is not all there is.
func (p *Progress) Ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.mu.parts {
		if !r.live {
			return false
		}
	}
	return true
}

// Wait returns when all of partition n below offset end has been folded, or with ctx's error.
func (p *Progress) Wait(ctx context.Context, n int, end int64) error {
	for {
		p.mu.Lock()
		if p.mu.parts[n].next >= end {
			p.mu.Unlock()
			return nil
		}
		if p.mu.changed == nil {
			p.mu.changed = make(chan struct{})
		}
		changed := p.mu.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
