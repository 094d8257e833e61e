package rollback

import (
	"cmp"
	"slices"
	"time"

	"github.com/driftd/driftd/alert"
)

// look is the longest time between two looks at Now, which may run faster than the machine's clock, and at all attempts that are open
// while there is something to do for some.
const look = time.Second

// next returns the attempt that may go on first and when, on the machine's clock; among those that may at once, the one that
// waits the longest. Nil is none.
func (c *Core) next() (*attempt, time.Time) {
	if !c.whole() {
		return nil, time.Time{}
	}
	now, wall := c.cfg.Now(), time.Now()
	if wall.Sub(c.looked) < look {
		for ; len(c.ready) > 0; c.ready = c.ready[1:] {
			if a := c.ready[0]; !c.over(a) && c.due(a, now, wall).IsZero() {
				return a, time.Time{}
			}
		}
	}
	return c.survey(now, wall)
}

// survey looks at all that is open, and lets go of what is over.
func (c *Core) survey(now, wall time.Time) (first *attempt, at time.Time) {
	c.ready, c.looked = nil, wall
	var n gauged
	for a := range c.open {
		if c.over(a) {
			delete(c.open, a)
			a.forget()
			continue
		}
		n.count(a)
		t := c.due(a, now, wall)
		if t.IsZero() {
			c.ready = append(c.ready, a)
		} else if first == nil || t.Before(at) {
			first, at = a, t
		}
	}
	c.gauges.set(n)
	if len(c.ready) == 0 {
		return first, at
	}
	slices.SortFunc(c.ready, func(a, b *attempt) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.part, b.part))
	})
	return c.ready[0], time.Time{}
}

// over says that an attempt needs nothing, and never will again.
func (c *Core) over(a *attempt) bool {
	if a.State == "" {
		return !a.firing() || a.offset < c.books[a.part].committed
	}
	return a.State.Over()
}

// due is when the attempt may go on, on the machine's clock; zero for at once.
func (c *Core) due(a *attempt, now, wall time.Time) time.Time {
	var at time.Time
	switch a.State {
	case alert.RollbackWaiting:
		at = c.patience(a)
	case alert.RollbackWatching:
		_, at = c.watched(a, now)
	}
	out := a.retry.at
	if d := at.Sub(now); d > 0 {
		at = wall.Add(min(d, look))
		if at.After(out) {
			out = at
		}
	}
	if !out.After(wall) {
		return time.Time{}
	}
	return out
}
