package rollback

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

const (
	// silent is the share of the calls below which a version counts as gone.
	silent = 0.05
	// enough samples of the target in ten minutes make a figure to judge by.
	enough = 30
	// fresh is how far an observation may lie behind the newest of its group for the next to be on its way. Detect leaves out cohorts
	// where there are very many.
	fresh = 2 * time.Minute
)

// verdict is how a promotion ended.
type verdict struct {
	typ    detector.RecordType
	reason string
}

// grace is for how long clients may keep the version before: the longer of what the config and the registry's kind say.
func (c *Core) grace() time.Duration {
	if c.cfg.Registry == nil {
		return c.cfg.Grace
	}
	return max(c.cfg.Grace, c.cfg.Registry.Traits().Grace)
}

// watched returns what a promotion has come to, nil while that is open, and when it needs something next, on Now's clock.
func (c *Core) watched(a *attempt, now time.Time) (*verdict, time.Time) {
	calm, end := a.Promoted.Add(c.grace()), a.Promoted.Add(c.cfg.Watch)
	if a.look {
		return nil, time.Time{}
	}
	if a.ByHand() {
		if now.Before(calm) {
			return nil, calm
		}
		return &verdict{detector.Recovered, fmt.Sprintf("%s was promoted and held", a.Step.Previous)}, time.Time{}
	}
	v := c.view(a)
	switch {
	case !a.firing():
		if v.newest != nil && v.share >= silent {
			return &verdict{detector.Recovered, fmt.Sprintf("the alert is over; %s", v.calls(a))}, time.Time{}
		}
		return &verdict{detector.Recovered, "the alert is over"}, time.Time{}
	case v.newest == nil:
		end = end.Add(c.cfg.Watch) // detect may lie behind
	case v.share < silent && v.bad == nil && v.good != nil && !v.missing:
		return &verdict{detector.Recovered, fmt.Sprintf("%s; %s", v.good, v.calls(a))}, time.Time{}
	}
	if !now.Before(end) {
		return v.last(a, now.Sub(a.Promoted)), time.Time{}
	}
	switch {
	case !a.held:
		return nil, calm
	case v.newest != nil && a.lingers != (v.share >= silent):
		return nil, a.Promoted.Add(2 * c.grace())
	}
	return nil, end
}

// view is what was observed of a promotion since clients should know of it.
type view struct {
	newest    *detector.Record // nil for nothing
	share     float64          // of the bad version in the prompt's calls
	good, bad *standing        // a cohort in which the target is well, and one in which it is not
	few       *standing        // one in which it has too few samples
	missing   bool             // a cohort was observed up to now, and its newest observation is still to come
}

// standing is the target's figure in a cohort.
type standing struct {
	metric, version string
	value, bound    float64
	samples         int64
}

func (s *standing) String() string {
	return fmt.Sprintf("%s of %s is %s over %s", s.metric, s.version, figure(s.value), count(s.samples, "sample"))
}

func (c *Core) view(a *attempt) (v view) {
	if a.group == nil {
		return v
	}
	since := a.Promoted.Add(c.grace())
	for _, s := range a.group.members {
		if s.observed == nil || s.observed.Time.Before(since) {
			continue
		}
		if v.newest == nil || s.observed.Time.After(v.newest.Time) {
			v.newest = s.observed
		}
	}
	if v.newest == nil {
		return v
	}
	if v.newest.Share != nil {
		v.share = *v.newest.Share
	}
	for _, s := range a.group.members {
		if !s.firing || s.observed == nil {
			continue
		}
		if lag := v.newest.Time.Sub(s.observed.Time); lag > 0 {
			v.missing = v.missing || lag <= fresh
			continue
		}
		st, beyond, ok := stands(s.last, s.observed.Target)
		switch {
		case !ok:
		case st.samples < enough:
			v.few = weightier(v.few, st)
		case beyond:
			v.bad = weightier(v.bad, st)
		default:
			v.good = weightier(v.good, st)
		}
	}
	return v
}

// weightier returns the one with more samples.
func weightier(a, b *standing) *standing {
	if a == nil || b.samples > a.samples {
		return b
	}
	return a
}

// stands says how the target is in the cohort of an alert: beyond its bound, on the side on which the alert's version is, or not.
// False where that cannot be told.
func stands(r *detector.Record, t *detector.Target) (s *standing, beyond, ok bool) {
	if t == nil || t.Value == nil || r.Value == nil || r.Bound == nil || *r.Value == *r.Bound {
		return nil, false, false
	}
	s = &standing{r.Metric, t.Version, *t.Value, *r.Bound, t.Samples}
	if *r.Value < *r.Bound {
		return s, s.value < s.bound, true
	}
	return s, s.value > s.bound, true
}

// calls says how much the version is still called.
func (v *view) calls(a *attempt) string {
	return fmt.Sprintf("%s has %s of the calls", a.Step.Version, percent(v.share))
}

// last is the verdict when the time to watch is over.
func (v *view) last(a *attempt, watch time.Duration) *verdict {
	bad, target := a.Step.Version, a.Step.Previous
	switch {
	case v.newest == nil:
		return &verdict{detector.Ineffective, fmt.Sprintf("nothing was seen of %s for %s, and the alert goes on: look whether events still come in", a.Step.Prompt, span(watch))}
	case v.share >= silent:
		return &verdict{detector.Ineffective, fmt.Sprintf("%s %s after %s was promoted: clients keep it; restart them, or empty their caches", v.calls(a), span(watch), target)}
	case v.bad != nil:
		return &verdict{detector.Ineffective, fmt.Sprintf("%s, beyond %s as %s was: the version is not the cause, or not alone; look at the model, and at what else changed", v.bad, figure(v.bad.bound), bad)}
	}
	few := fmt.Sprintf("%s has too few samples to tell its %s", target, a.Step.Metric)
	if v.few != nil {
		few = fmt.Sprintf("%s: too few to tell", v.few)
	}
	return &verdict{detector.Recovered, v.calls(a) + "; " + few}
}

// watch reads the registry a second time, in case a person has set it back, and writes down what the promotion has come to.
func (c *Core) watch(ctx context.Context, j alert.Journal, a *attempt) {
	now := c.cfg.Now()
	v, _ := c.watched(a, now)
	calm := !now.Before(a.Promoted.Add(c.grace()))
	if a.look || !a.held && (calm || v != nil) {
		if !c.hold(ctx, j, a) {
			return
		}
		if v, _ = c.watched(a, now); v == nil {
			return
		}
	}
	if v != nil {
		c.conclude(ctx, j, a, v)
		return
	}
	seen := c.view(a)
	if seen.newest == nil || now.Before(a.Promoted.Add(2*c.grace())) {
		return
	}
	was := a.lingers
	if a.lingers = seen.share >= silent; a.lingers && !was {
		c.cfg.Log.Info("a version that was rolled back goes on being called", "prompt", a.Step.Prompt, "version", a.Step.Version, "target", a.Step.Previous, "share", seen.share)
	}
}

// hold reads back once more. It returns false when the attempt is over, or the registry is to be asked again.
func (c *Core) hold(ctx context.Context, j alert.Journal, a *attempt) bool {
	if c.cfg.Registry == nil {
		a.held, a.look = true, false
		return true
	}
	current, err := c.cfg.Registry.Current(ctx, a.Step.Prompt)
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		reason, later := unavailable(err)
		if later && c.cfg.Now().Before(a.Promoted.Add(c.cfg.Watch)) {
			c.retry(a, reason, after(err), err)
			return false
		}
		c.cfg.Log.Warn("could not read a promotion back a second time", "prompt", a.Step.Prompt, "target", a.Step.Previous, "error", err)
	case !current.Is(a.Step.Previous):
		c.standDown(ctx, j, a, current)
		return false
	}
	a.held, a.look = true, false
	a.retry.failures, a.retry.at, a.retry.problem = 0, time.Time{}, ""
	return true
}

func (c *Core) conclude(ctx context.Context, j alert.Journal, a *attempt, v *verdict) {
	r := c.record(a, v.typ, v.reason)
	if last := c.books[a.part].alerts[r.ID]; last != nil {
		r.Value, r.Samples = last.value, last.samples
	}
	if seen := c.view(a).newest; seen != nil {
		r.Share, r.Target = seen.Share, seen.Target
	}
	if c.write(ctx, j, a, r) {
		c.annotate(ctx, a, fmt.Sprintf("%s: %s", v.typ, v.reason))
	}
}

func percent(share float64) string {
	if share > 0 && share < 0.01 {
		return "less than 1 %"
	}
	return fmt.Sprintf("%.0f %%", 100*share)
}

// figure writes a number with three digits that count.
func figure(v float64) string {
	if math.Abs(v) >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
