package detector

import (
	"math"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// threshold compares a statistic of a rolling window with fixed limits, or with a share of the same statistic of the
// group's own last day, of the version before, or of another version or variant.
//
// A group below MinSamples is not judged, unless it fires: then it goes on for as long as its values breach. A window
// without values is no breach, whatever the statistic: that is what volume rules are for.
//
// Scores come minutes after their calls, so that at first hardly any call of a new version is scored. So a score_coverage does
// not breach a lower limit in a group's first window and the scoreDelay before it. Where calls come back after hours of silence
// it may: that is what `for` is for.
type threshold struct {
	*rule
	limits
	view      *windows.View
	reference reference
}

const day = 24 * time.Hour

func newThreshold(r *rule, s *windows.Store) *threshold {
	t := r.Threshold
	k := &threshold{rule: r, limits: limits{
		below: limitOf(t.Below), above: limitOf(t.Above), recoverAbove: limitOf(t.RecoverAbove), recoverBelow: limitOf(t.RecoverBelow),
	}}
	k.reference = reference{rule: r, kind: t.Against.Kind, store: s, stat: k.statistic}
	return k
}

func (k *threshold) views() []windows.ViewSpec {
	v := k.spec(k.Threshold.Window)
	switch k.Threshold.Stat.Kind {
	case rules.Quantile, rules.Min, rules.Max:
		v.Quantiles = true
	}
	compared := v
	compared.Window = day
	specs := k.compareSpecs(compared)
	if len(specs) > 1 {
		v.Match = specs[0].Match
	}
	v.Exemplars, v.LowIsWorse = true, k.below.set && (!k.above.set || !k.LowerIsBetter)
	if k.reference.kind == rules.AgainstNone {
		return []windows.ViewSpec{v}
	}
	return []windows.ViewSpec{v, specs[len(specs)-1]}
}

func (k *threshold) bind(views []*windows.View) {
	k.view = views[0]
	if len(views) > 1 {
		k.reference.bind(k.view, views[1])
	}
}

func (k *threshold) adopt(a *alert) bool { return k.adoptInto(k.view, a) }

func (k *threshold) tick(e *engine) {
	k.reference.tick(e.now)
	least, compares := int64(k.MinSamples), k.reference.kind != rules.AgainstNone
	for i, g := range k.view.Groups() {
		n := g.Count()
		if g.State == nil && (n < least || n == 0) {
			continue
		}
		a, _ := g.State.(*alert)
		if n == 0 || n < least && a.phase == pending {
			k.idle(e, g, a, n)
			continue
		}
		v := verdict{samples: n, value: k.statistic(g), reference: math.NaN()}
		if compares {
			ref := k.reference.of(i)
			if ref.samples < max(least, 1) {
				if a != nil {
					v.reason, v.bound = reasonNoReference, math.NaN()
					k.move(e, g, a, &v)
				}
				continue
			}
			v.reference, v.against = ref.value, ref.version
		}
		was := neither
		if a != nil && a.phase == firing {
			was = a.side
		}
		v.side, v.bound = k.judge(v.value, v.reference, was)
		if a == nil && (v.side == neither || v.side == under && k.young(g, e.now)) {
			continue
		}
		if a != nil && v.side == neither {
			v.bound = k.limits.of(a.side, v.reference)
		}
		if !compares {
			v.reference = v.bound
		}
		k.move(e, g, a, &v)
	}
}

// scoreDelay is how long after its call a score is taken to come at the latest, so that a window behind it is scored as ever.
const scoreDelay = 15 * time.Minute

// young tells whether the window may hold calls that are scored as late as any, but no scores yet on such before it.
func (k *threshold) young(g *windows.Group, now time.Time) bool {
	return k.Metric == windows.ScoreCoverage && now.Sub(g.Since()) < k.Threshold.Window+scoreDelay
}

// idle moves an alert whose window does not say anything.
func (k *threshold) idle(e *engine, g *windows.Group, a *alert, n int64) {
	v := verdict{samples: n, value: math.NaN(), reference: a.last.reference, bound: a.last.bound, against: a.last.against, reason: reasonNoData}
	if n > 0 {
		v.value, v.reason = k.statistic(g), reasonFewSamples
	}
	k.move(e, g, a, &v)
}

func (k *threshold) move(e *engine, g *windows.Group, a *alert, v *verdict) {
	if next := e.step(k.rule, a, subject{g.Prompt, g.Version, g.Cohort}, v, g.Exemplars); next != nil {
		g.State = next
	} else {
		g.State = nil // a nil *alert would keep the group
	}
}

// statistic is the watched figure of a group that has values.
func (k *threshold) statistic(g *windows.Group) float64 {
	switch s := k.Threshold.Stat; s.Kind {
	case rules.Quantile:
		return g.Quantile(s.Q)
	case rules.Min:
		return g.Min()
	case rules.Max:
		return g.Max()
	case rules.Sum:
		return g.Sum()
	case rules.Count:
		return float64(g.Count())
	}
	return g.Mean() // the rate of a 0/1 metric is its mean
}

func (k *threshold) save(dst []byte) []byte { return k.reference.save(dst) }
func (k *threshold) load(src []byte) error  { return k.reference.load(src) }
