package demo

import (
	"sync/atomic"
	"time"
)

// clock is the event clock of the demo. It stands still until it is set, and is set only to times up to which all events are
// in the log: so no event can come later than the clock allows, however slow the machine is. It is for concurrent use.
type clock struct{ ns atomic.Int64 }

func newClock(at time.Time) *clock {
	c := &clock{}
	c.ns.Store(at.UnixNano())
	return c
}

// Now is the event time.
func (c *clock) Now() time.Time { return time.Unix(0, c.ns.Load()).UTC() }

// set moves the clock forward; an earlier time is a bug.
func (c *clock) set(t time.Time) {
	if was := c.ns.Swap(t.UnixNano()); was > t.UnixNano() {
		panic("BUG: the demo's clock is set back")
	}
}

const (
	// maxStep is how far the clock moves at once. It must not be more than the disorder that ingest allows: all events of a
	// step are written together, in no order.
	maxStep = 10 * time.Second
	// maxLead is how far the clock may be ahead of what driftd has written last into any lane of its samples. Detect gives up
	// waiting for a source that is a minute behind, as it must where one has died; with maxLead and maxStep well below that, a
	// machine that is slow slows the clock and changes nothing else.
	maxLead = 40 * time.Second
)

// pacer says how far the event clock should be.
type pacer struct {
	begin time.Time     // event time
	speed float64       // event seconds a second
	since time.Time     // wall-clock time at begin
	step  time.Duration // the clock moves by whole steps
}

// next is the event time to go to from now, at wall-clock time wall: at most maxStep on, never past end, and now itself while
// it is too early to move.
func (p *pacer) next(now, end, wall time.Time) time.Time {
	due := p.begin.Add(time.Duration(float64(wall.Sub(p.since)) * p.speed)).Truncate(p.step)
	if limit := now.Add(maxStep); due.After(limit) {
		due = limit
	}
	if due.After(end) {
		due = end
	}
	if due.Before(now) {
		return now
	}
	return due
}
