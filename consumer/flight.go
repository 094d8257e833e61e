package consumer

import (
	"context"
	"sync"
	"time"
)

// grace is how long the round in flight is waited for when a task ends.
const grace = 3 * time.Second

// flight writes rounds, one at a time, while its owner builds the next. It is owned by one goroutine and has one of its own.
type flight struct {
	// write sends messages, at most one for each samples partition, and returns those that were not acknowledged.
	write func(ctx context.Context, msgs []message) (left []message, err error)
	// pause is called before each attempt; false gives up.
	pause func(ctx context.Context, attempt int, err error) bool

	cancel context.CancelFunc
	rounds chan *round
	landed chan *round // nil after a failure
	wg     sync.WaitGroup
	busy   bool
}

// start begins the flight's goroutine. Its writes outlive ctx until end.
func (f *flight) start(ctx context.Context) {
	ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	f.rounds, f.landed = make(chan *round), make(chan *round, 1)
	f.wg.Go(func() {
		for r := range f.rounds {
			if !f.deliver(ctx, r) {
				r = nil
			}
			f.landed <- r
		}
	})
}

// deliver writes one wave after the other, each as often as it takes. What is sent again is the same bytes, and nothing that
// comes later is sent before: a samples partition holds each batch, perhaps more than once, before the next.
func (f *flight) deliver(ctx context.Context, r *round) bool {
	for i := range r.waves {
		left := r.waves[i].messages
		var err error
		for attempt := 0; len(left) > 0; attempt++ {
			if !f.pause(ctx, attempt, err) {
				return false
			}
			left, err = f.write(ctx, left)
		}
	}
	return true
}

// launch sends a round off; none may be in flight.
func (f *flight) launch(r *round) {
	f.busy = true
	f.rounds <- r
}

// land returns the round that was in flight, once it is written. It returns nil when it is not yet, unless wait is set, when
// none is in flight, and when ctx has ended.
func (f *flight) land(ctx context.Context, wait bool) *round {
	if !f.busy {
		return nil
	}
	if !wait {
		select {
		case r := <-f.landed:
			f.busy = false
			return r
		default:
			return nil
		}
	}
	select {
	case r := <-f.landed:
		f.busy = false
		return r
	case <-ctx.Done():
		return nil
	}
}

// end waits a little for the round in flight, returns it if it was written, and ends the goroutine.
func (f *flight) end() (last *round) {
	if f.busy {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		last = f.land(ctx, true)
		cancel()
	}
	f.cancel()
	close(f.rounds)
	f.wg.Wait()
	return last
}
