package detector

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// axes knows of every prompt version which values its axes have, and which of them changed lately. There is one per engine,
// whatever the rules; what it knows is a function of the sealed minutes alone.
//
// Calls without a template hash, model or environment say nothing of that axis: that an attribute is sent at last, or no more,
// is no change. Calls without a variant are calls of no experiment, which is a value, "". Calls without a version are watched
// as a version "" is, for theirs is the template that nothing but its hash tells apart; what a limit has folded into one is not.
type axes struct {
	view     *windows.View
	now      time.Time
	versions map[[2]string]*traced
	prompts  map[string]*race // which version of a prompt holds most calls
	fresh    []changed        // confirmed at this tick, sorted by prompt and version

	calls  []versionCalls // scratch
	counts []count        // scratch
}

// traced is what is known of the axes of one prompt version.
type traced struct {
	prompt, version string
	born, seen      time.Time // end of its first minute and of its newest
	axes            []axis    // in the order of valued
	fallback        rate
	changed         []changed // the oldest first
}

// changed is a confirmed change of a prompt version.
type changed struct {
	prompt, version string
	Changed
	confirmed time.Time
	calls     int64 // with the new value until then
}

type versionCalls struct {
	*traced
	calls int64
}

const (
	changesKept   = 48 * time.Hour     // after they were confirmed
	maxChanges    = 16                 // of a prompt version, the newest
	versionsKept  = 7 * 24 * time.Hour // after their newest call: one that comes back later is a new one
	axisVersion   = "version"
	axisTemplate  = "template_hash"
	axisVariant   = "variant"
	axisFallback  = "fallback"
	axisModel     = "model"
	recently      = time.Hour // models of versions that were called since are of interest
	soonAfterBorn = time.Hour // a version that takes over so soon has come, and no more
)

// valued are the axes with values. That of fallback is a rate.
var valued = slices.DeleteFunc(slices.Clone(rules.Axes), func(axis string) bool { return axis == axisFallback })

func newAxes() *axes {
	return &axes{versions: make(map[[2]string]*traced), prompts: make(map[string]*race)}
}

// spec is the view that the axes are read from.
func (t *axes) spec() windows.ViewSpec {
	return windows.ViewSpec{Metric: windows.Volume, Window: time.Minute, Axes: true}
}

func (t *axes) bind(v *windows.View) { t.view = v }

// tick takes in the minute that was sealed last.
func (t *axes) tick(now time.Time, s *windows.Store) {
	t.now = now
	t.fresh, t.calls = t.fresh[:0], t.calls[:0]
	for _, g := range t.view.Fresh() {
		if g.Prompt != windows.Other && g.Version != windows.Other {
			t.take(g, s)
		}
	}
	t.compare()
	if now.Minute() == 0 {
		t.endHour()
	}
	slices.SortStableFunc(t.fresh, func(a, b changed) int {
		return cmp.Or(cmp.Compare(a.prompt, b.prompt), cmp.Compare(a.version, b.version))
	})
}

// take counts the minute's calls of one version by the values of each axis.
func (t *axes) take(g *windows.Group, s *windows.Store) {
	pane := g.PaneAxes()
	calls, fallbacks := int64(0), int64(0)
	for i := range pane {
		calls, fallbacks = calls+pane[i].Calls, fallbacks+pane[i].Fallbacks
	}
	if calls == 0 {
		return
	}
	v := t.versions[[2]string{g.Prompt, g.Version}]
	if v == nil {
		v = &traced{prompt: g.Prompt, version: g.Version, born: t.now, axes: make([]axis, len(valued))}
		t.versions[[2]string{g.Prompt, g.Version}] = v
		if from := s.Previous(g.Prompt, g.Version); from != "" && g.Version != "" {
			t.note(v, Changed{Axis: axisVersion, From: from, To: g.Version, Time: t.firstMinute(s, v)}, calls)
		}
	}
	v.seen = t.now
	t.calls = append(t.calls, versionCalls{v, calls})
	for i, name := range valued {
		a, counts := &v.axes[i], t.split(name, pane)
		turns := a.add(t.now, counts)
		if name == axisVariant {
			a.countHour(counts)
		}
		for _, turn := range turns {
			if name == axisVariant {
				a.restartSplit()
			}
			t.note(v, Changed{Axis: name, From: turn.from, To: turn.to, Time: turn.first}, turn.calls)
		}
	}
	if turn, risen := v.fallback.add(t.now, fallbacks, calls); risen {
		t.note(v, Changed{Axis: axisFallback, From: percent(turn.was), To: percent(turn.is), Time: turn.first}, turn.calls)
	}
}

// firstMinute is the end of the first minute of a version that is seen for the first time, which may be long ago when the
// engine has not kept axes before.
func (t *axes) firstMinute(s *windows.Store, v *traced) time.Time {
	first, _ := s.Span(v.prompt, v.version)
	if end := first.Truncate(time.Minute).Add(time.Minute); !first.IsZero() && end.Before(t.now) {
		return end
	}
	return t.now
}

// split are the calls of a minute by the values of one axis, sorted.
func (t *axes) split(axis string, pane []windows.AxisCount) []count {
	t.counts = t.counts[:0]
	add := func(name string, calls int64) {
		if n := len(t.counts); n > 0 && t.counts[n-1].name == name {
			t.counts[n-1].calls += calls
		} else if calls > 0 {
			t.counts = append(t.counts, count{name, calls})
		}
	}
	for i := range pane {
		c := &pane[i]
		name := ""
		switch axis {
		case "template_hash":
			name = c.TemplateHash
		case axisModel:
			name = c.Model
		case "environment":
			name = c.Environment
		case axisVariant:
			if c.Variant != windows.Other {
				add(c.Variant, c.Calls)
			}
			continue
		}
		if name != "" && name != windows.Other {
			add(name, c.Calls)
		}
	}
	slices.SortStableFunc(t.counts, func(a, b count) int { return cmp.Compare(a.name, b.name) })
	merged := t.counts[:0]
	for _, c := range t.counts {
		if n := len(merged); n > 0 && merged[n-1].name == c.name {
			merged[n-1].calls += c.calls
		} else {
			merged = append(merged, c)
		}
	}
	return merged
}

// note keeps a change.
func (t *axes) note(v *traced, c Changed, calls int64) {
	c.Time = c.Time.Add(-time.Minute) // minutes are known by their ends here, and told by their beginnings
	if len(v.changed) == maxChanges {
		v.changed = slices.Delete(v.changed, 0, 1)
	}
	made := changed{v.prompt, v.version, c, t.now, calls}
	v.changed = append(v.changed, made)
	t.fresh = append(t.fresh, made)
}

// compare finds the versions that have taken over from others.
func (t *axes) compare() {
	slices.SortFunc(t.calls, func(a, b versionCalls) int {
		return cmp.Or(cmp.Compare(a.prompt, b.prompt), cmp.Compare(a.version, b.version))
	})
	for rest := t.calls; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].prompt == rest[0].prompt {
			n++
		}
		t.compareOf(rest[0].prompt, rest[:n])
		rest = rest[n:]
	}
}

func (t *axes) compareOf(prompt string, calls []versionCalls) {
	r := t.prompts[prompt]
	if r == nil {
		r = &race{}
		t.prompts[prompt] = r
	}
	t.counts = t.counts[:0]
	most := -1
	for i, c := range calls {
		if c.version == "" {
			continue
		}
		t.counts = append(t.counts, count{c.version, c.calls})
		if most < 0 || c.calls > calls[most].calls {
			most = i
		}
	}
	if most < 0 {
		return
	}
	r.enter(calls[most].version)
	for _, c := range t.counts {
		r.enter(c.name)
	}
	over, ok := r.run(t.now, t.counts)
	if v := t.versions[[2]string{prompt, over.to}]; ok && over.proven && v != nil && over.first.Sub(v.born) >= soonAfterBorn {
		t.note(v, Changed{Axis: axisVersion, From: over.from, To: over.to, Time: over.first}, over.calls)
	}
}

// endHour compares the shares of variants in the hour that is over with those before, and forgets what is old.
func (t *axes) endHour() {
	variant := slices.Index(valued, axisVariant)
	for key, v := range t.versions {
		if from, to, calls, ok := v.axes[variant].endHour(t.now); ok {
			t.note(v, Changed{Axis: axisVariant, From: from, To: to, Time: t.now.Add(time.Minute - time.Hour)}, calls)
		}
		v.changed = slices.DeleteFunc(v.changed, func(c changed) bool { return t.now.Sub(c.confirmed) > changesKept })
		if t.now.Sub(v.seen) > versionsKept {
			delete(t.versions, key)
			if r := t.prompts[v.prompt]; r != nil {
				r.leave(v.version)
			}
		}
	}
	maps.DeleteFunc(t.prompts, func(prompt string, r *race) bool {
		return t.versions[[2]string{prompt, r.main}] == nil && len(r.runners) == 0
	})
}

// changes are those of a prompt version in (from, to], the oldest first: axes that took a new value, and the version's own
// coming or taking over, which is one of the axis "version". They are known for 48 h.
func (t *axes) changes(prompt, version string, from, to time.Time) (out []Changed) {
	v := t.versions[[2]string{prompt, version}]
	if v == nil {
		return nil
	}
	for _, c := range v.changed {
		if c.Time.After(from) && !c.Time.After(to) {
			out = append(out, c.Changed)
		}
	}
	slices.SortStableFunc(out, func(a, b Changed) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Axis, b.Axis)) })
	return out
}

// model is the one that answers most calls of a prompt version lately; "" where none is known.
func (t *axes) model(prompt, version string) string {
	if v := t.versions[[2]string{prompt, version}]; v != nil {
		return v.axes[slices.Index(valued, axisModel)].race.main
	}
	return ""
}

// onModel are the prompt versions of the partition that have had calls in the last hour and that the model answers most of,
// sorted.
func (t *axes) onModel(model string) (out [][2]string) {
	for key, v := range t.versions {
		if t.now.Sub(v.seen) < recently && t.model(v.prompt, v.version) == model {
			out = append(out, key)
		}
	}
	slices.SortFunc(out, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	return out
}

// holder is the version that came last to hold most of a prompt's calls; "" where none is known.
func (t *axes) holder(prompt string) string {
	if r := t.prompts[prompt]; r != nil {
		return r.main
	}
	return ""
}

// current tells whether the version is the one that came last to hold most of a prompt's calls, and since when it has been;
// zero: from the beginning. contested: another has had more calls of late, and may be about to take over.
func (t *axes) current(prompt, version string) (since time.Time, contested, ok bool) {
	r := t.prompts[prompt]
	if r == nil || !r.begun || r.main != version {
		return time.Time{}, false, false
	}
	return r.since, slices.ContainsFunc(r.runners, func(x runner) bool { return x.lead > 0 }), true
}

// superseded tells whether another version has taken over from this one, and when; zero where that is not known. contested: it
// has had more calls of late than that.
func (t *axes) superseded(s *windows.Store, prompt, version string) (at time.Time, contested, ok bool) {
	r := t.prompts[prompt]
	if r == nil || !r.begun || version == "" || version == r.main {
		return time.Time{}, false, false
	}
	if i, found := r.find(version); found {
		at, contested = r.runners[i].held, r.runners[i].lead > 0
	}
	return at, contested, !at.IsZero() || s.Previous(prompt, r.main) == version
}

// percent is a share in whole percent, or in tenths where it is small.
func percent(share float64) string {
	decimals := 0
	if share >= 0.0005 && share < 0.095 {
		decimals = 1
	}
	return strconv.FormatFloat(100*share, 'f', decimals, 64) + "%"
}
