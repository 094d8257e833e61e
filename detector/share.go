package detector

import (
	"math"
	"slices"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// trafficShare watches the share of a prompt's calls in a rolling window that some of its versions hold, or a variant. The
// group's match on versions says whose shares are watched, and not of what: all the prompt's calls in the cohort are the whole.
// Of a variant the whole are the calls of all versions that the group matches, and its alerts have no version.
//
// Which version is current, and which ones it has superseded, is known to the engine's axes, over all cohorts. A version that
// has lost its calls is watched for a day more. A record's samples are the calls of the whole, which min_samples is about.
//
// A window that reaches back to before there was something to see says nothing of it yet: a version or variant that has just
// come, or has just taken over, has too small a share of it, and one that has just been superseded too great a one. So a
// breach begins a whole window later at the earliest, and not while another version seems to take over: then the roles are about
// to change.
//
// Records of a superseded version say by which one it was replaced, and when, as what changed.
type trafficShare struct {
	*rule
	limits
	store *windows.Store

	whole, part *windows.View // the same for versions
	wholes      map[string]*whole
}

// whole is the calls of a prompt, or of one cohort of it.
type whole struct {
	calls  int64
	groups int // that it is made up of
	gone   bool
}

func newTrafficShare(r *rule, s *windows.Store) *trafficShare {
	t := r.TrafficShare
	if t.Of == rules.OfVariant {
		r.head.Variant = t.Name
	}
	return &trafficShare{rule: r, store: s, limits: limits{below: limitOf(t.Below), above: limitOf(t.Above)}}
}

func (k *trafficShare) views() []windows.ViewSpec {
	v := k.spec(k.TrafficShare.Window)
	v.Metric = windows.Volume
	if k.TrafficShare.Of != rules.OfVariant {
		v.Match = func(prompt, version string, dims []string) bool { return k.matches(prompt, version, dims, "version") }
		return []windows.ViewSpec{v}
	}
	v.AllVersions = true
	v.Match = func(prompt, version string, dims []string) bool { return k.matches(prompt, version, dims, axisVariant) }
	part, variant := v, slices.Index(k.dims, axisVariant)
	part.Match = func(prompt, version string, dims []string) bool {
		return variant >= 0 && variant < len(dims) && dims[variant] == k.TrafficShare.Name && v.Match(prompt, version, dims)
	}
	return []windows.ViewSpec{v, part}
}

func (k *trafficShare) bind(views []*windows.View) {
	k.whole, k.part = views[0], views[len(views)-1]
	k.wholes = make(map[string]*whole)
}

func (k *trafficShare) adopt(a *alert) bool {
	cohort, ok := k.watches(a)
	if !ok || a.head.Variant != k.head.Variant || k.TrafficShare.Of == rules.OfVersion && a.version != k.TrafficShare.Name {
		return false
	}
	a.cohort, a.by = cohort, k.group.SliceBy
	k.part.Ensure(a.prompt, a.version, cohort).State = a
	return true
}

func (k *trafficShare) tick(e *engine) {
	for key, w := range k.wholes {
		if w.groups == 0 {
			delete(k.wholes, key)
			w.gone = true
		}
		w.calls, w.groups = 0, 0
	}
	for _, g := range k.whole.Groups() {
		w := k.wholeOf(g)
		w.calls += g.Count()
		w.groups++
	}
	least := int64(max(k.MinSamples, 1))
	for _, g := range k.part.Groups() {
		a, _ := g.State.(*alert)
		since, contested, ok := k.watched(e, g)
		if a == nil && (!ok || g.Since().IsZero()) {
			continue
		}
		w := k.wholeOf(g)
		v := verdict{samples: w.calls, value: math.NaN(), reference: math.NaN(), bound: math.NaN()}
		if a != nil {
			v.reference, v.bound, v.changed = a.last.reference, a.last.bound, a.last.changed
		}
		if w.calls > 0 {
			v.value = share(g.Count(), w.calls)
		}
		switch few := w.calls < least && (a == nil || a.phase == pending); {
		case !ok:
			if v.reason = reasonCurrentAgain; k.TrafficShare.Of == rules.OfCurrent {
				v.reason = reasonSuperseded
			}
		case g.Since().IsZero():
			v.reason = reasonNoCalls
		case w.calls == 0:
			v.reason = reasonNoData
		case few:
			v.reason = reasonFewSamples
		default:
			side, bound := k.judge(v.value, math.NaN(), neither)
			if side != neither && (a != nil || !contested && e.now.Sub(since) >= k.TrafficShare.Window) {
				v.side, v.bound, v.reference = side, bound, bound
				if k.TrafficShare.Of == rules.OfSuperseded && !since.IsZero() {
					v.changed = &Changed{Axis: axisVersion, From: g.Version, To: e.axes.holder(g.Prompt), Time: since.Add(-time.Minute)}
				}
			}
		}
		if a == nil && v.side == neither {
			continue
		}
		if next := e.step(k.rule, a, subject{g.Prompt, g.Version, g.Cohort}, &v, nil); next != nil {
			g.State = next
		} else {
			g.State = nil // a nil *alert would keep the group
		}
	}
}

// wholeOf finds or makes what the group is a part of.
func (k *trafficShare) wholeOf(g *windows.Group) *whole {
	if w, ok := g.Memo.(*whole); ok && !w.gone {
		return w
	}
	key := string(windows.AppendKey(windows.AppendKey(nil, g.Prompt), g.Cohort...))
	w := k.wholes[key]
	if w == nil {
		w = &whole{}
		k.wholes[key] = w
	}
	g.Memo = w
	return w
}

// watched tells whether the share of the group is, and since when there has been something to see. contested: a version that may
// be about to change its role.
func (k *trafficShare) watched(e *engine, g *windows.Group) (since time.Time, contested, ok bool) {
	first := g.Since()
	if k.TrafficShare.Of == rules.OfVariant {
		return first, false, true
	}
	if pattern, has := k.group.Match["version"]; has && !rules.Glob(pattern, g.Version) {
		return first, false, false
	}
	switch k.TrafficShare.Of {
	case rules.OfVersion:
		return first, false, g.Version == k.TrafficShare.Name
	case rules.OfCurrent:
		if since, contested, ok = e.axes.current(g.Prompt, g.Version); first.After(since) {
			since = first
		}
		return since, contested, ok
	}
	return e.axes.superseded(k.store, g.Prompt, g.Version)
}

func (k *trafficShare) save(dst []byte) []byte { return dst }
func (k *trafficShare) load([]byte) error      { return nil }
