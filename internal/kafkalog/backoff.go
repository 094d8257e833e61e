package kafkalog

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff spaces attempts: the first Wait returns at once, each later one waits twice as long as the one before, less up to a third
// at random so that a fleet does not move in step. It is not for concurrent use.
//
//	for b := (kafkalog.Backoff{}); b.Wait(ctx); {
//		if err := try(); err == nil {
//			b.Reset()
//		}
//	}
type Backoff struct {
	Min time.Duration // of the first real wait; 100 ms when zero
	Max time.Duration // 10 s when zero

	tries int
}

// Wait pauses as due. It returns false, at once, when ctx has ended.
func (b *Backoff) Wait(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	b.tries++
	if b.tries == 1 {
		return true
	}
	t := time.NewTimer(b.delay())
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Reset makes the next Wait return at once, after a success.
func (b *Backoff) Reset() { b.tries = 0 }

func (b *Backoff) delay() time.Duration {
	d, top := b.Min, b.Max
	if d <= 0 {
		d = 100 * time.Millisecond
	}
	if top <= 0 {
		top = 10 * time.Second
	}
	for i := 2; i < b.tries && d < top; i++ {
		d *= 2
	}
	d = min(d, top)
	return d - rand.N(d/3+1)
}
