package detector

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// volume compares the calls in a rolling window with fixed limits or with the usual number.
//
// Calls are counted over all versions of a prompt that the rule's group matches, in all and per cohort: a promotion moves
// calls from one version to the next, which is no fall of the old one's volume and no spike of the new one's. So the alerts
// have no version. One that matches a single version watches that version alone, and does see it rolled off.
//
// The usual number is the mean number of calls in a window of this length over the last 24 h, or over the time since the
// subject's first call where that is shorter; at least usualWindows windows of history are needed. A limit below, as plain
// number, is not judged before the first whole window: the calls before driftd looked, or before the prompt went live, are
// not missing.
//
// Silence is the deepest fall: an empty window breaches a lower limit. After 24 h without a call the subject has ended, and
// its alert with it.
type volume struct {
	*rule
	limits
	store     *windows.Store
	view, day *windows.View // the same where the window is a day
	members   [2]members    // of view and day
	totals    []*total
	byKey     map[string]*total
	now       time.Time
	loaded    map[string]int64 // total.first by key; nil where nothing was saved
}

const usualWindows = 3

// total is the calls of one prompt, or of one cohort of it, over versions.
type total struct {
	subject
	key    string
	alert  *alert
	first  int64 // event time from which calls are known, Unix ns; 0 while there are none in the last 24 h
	calls  int64 // in the window
	daily  int64 // in the last 24 h
	groups int
}

// longKnown is a total's first where that is more than a day ago.
const longKnown = 1

// members says to which total each group of a view belongs.
type members struct {
	seen stamp
	of   []*total
}

func newVolume(r *rule, s *windows.Store) *volume {
	v := r.Volume
	return &volume{rule: r, store: s, limits: limits{below: limitOf(v.Below), above: limitOf(v.Above)}}
}

func (k *volume) views() []windows.ViewSpec {
	short := k.spec(k.Volume.Window)
	short.Metric = windows.Volume
	if k.Volume.Window == day {
		return []windows.ViewSpec{short}
	}
	long := short
	long.Window = day
	return []windows.ViewSpec{short, long}
}

// bind finds out since when the calls are known that the views hold already: as saved, or for a rule that is new, from the
// first call of the versions.
func (k *volume) bind(views []*windows.View) {
	k.view, k.day = views[0], views[len(views)-1]
	k.members = [2]members{}
	k.totals, k.byKey = nil, make(map[string]*total)
	for _, g := range k.day.Groups() {
		if g.Count() == 0 {
			continue
		}
		t := k.total(g.Prompt, g.Cohort)
		if k.loaded == nil {
			if first, _ := k.store.Span(g.Prompt, g.Version); t.first == 0 || first.UnixNano() < t.first {
				t.first = first.UnixNano()
			}
		} else if t.first = k.loaded[t.key]; t.first == 0 {
			t.first = longKnown
		}
	}
	k.loaded = nil
}

func (k *volume) adopt(a *alert) bool {
	cohort, ok := k.watches(a)
	if !ok {
		return false
	}
	a.cohort, a.by = cohort, k.group.SliceBy
	k.total(a.prompt, cohort).alert = a
	return true
}

// total finds or makes the total of a cohort.
func (k *volume) total(prompt string, cohort []string) *total {
	key := string(windows.AppendKey(windows.AppendKey(nil, prompt), cohort...))
	t := k.byKey[key]
	if t == nil {
		t = &total{subject: subject{prompt: prompt, cohort: cohort}, key: key}
		k.byKey[key] = t
		k.totals = append(k.totals, t)
	}
	return t
}

// sort finds the totals of a view's groups anew where those have changed.
func (k *volume) sort(m *members, v *windows.View) {
	if seen := stampOf(v); seen != m.seen {
		m.seen, m.of = seen, m.of[:0]
		for _, g := range v.Groups() {
			m.of = append(m.of, k.total(g.Prompt, g.Cohort))
		}
	}
}

func (k *volume) tick(e *engine) {
	k.now = e.now
	k.sort(&k.members[0], k.view)
	k.sort(&k.members[1], k.day)
	for _, t := range k.totals {
		t.calls, t.daily, t.groups = 0, 0, 0
	}
	for i, g := range k.view.Groups() {
		k.members[0].of[i].calls += g.Count()
	}
	for i, g := range k.day.Groups() {
		t := k.members[1].of[i]
		t.daily += g.Count()
		t.groups++
	}
	gone := false
	for _, t := range k.totals {
		k.age(t, e.now)
		k.judgeTotal(e, t)
		gone = gone || t.groups == 0 && t.alert == nil
	}
	if gone {
		k.totals = slices.DeleteFunc(k.totals, func(t *total) bool {
			if t.groups > 0 || t.alert != nil {
				return false
			}
			delete(k.byKey, t.key)
			return true
		})
	}
}

// age sets since when calls of t are known.
func (k *volume) age(t *total, now time.Time) {
	switch {
	case t.daily == 0:
		t.first = 0
	case t.first == 0:
		t.first = now.Add(-time.Minute).UnixNano()
	}
}

func (k *volume) judgeTotal(e *engine, t *total) {
	v := verdict{samples: t.calls, value: float64(t.calls), reference: math.NaN(), bound: math.NaN()}
	if t.daily == 0 {
		if t.alert != nil {
			v.reason, v.reference, v.bound = reasonNoCalls, t.alert.last.reference, t.alert.last.bound
			t.alert = e.step(k.rule, t.alert, t.subject, &v, nil)
		}
		return
	}
	known := min(e.now.Sub(time.Unix(0, t.first)), day)
	window, was := k.Volume.Window, neither
	if t.alert != nil {
		was = t.alert.side
	}
	if k.Volume.Against.Kind != rules.AgainstNone {
		if known < min(usualWindows*window, day) {
			if t.alert != nil {
				v.reason = reasonNoReference
				t.alert = e.step(k.rule, t.alert, t.subject, &v, nil)
			}
			return
		}
		covered := length(day, e.now)
		if known < day {
			covered = known
		}
		v.reference = float64(t.daily) * float64(length(window, e.now)) / float64(covered)
	}
	v.side, v.bound = k.judge(v.value, v.reference, was)
	if v.side == under && known < window {
		v.side, v.bound = neither, math.NaN()
	}
	if v.side == neither {
		if t.alert == nil {
			return
		}
		v.bound = k.limits.of(t.alert.side, v.reference)
	}
	if k.Volume.Against.Kind == rules.AgainstNone {
		v.reference = v.bound
	}
	t.alert = e.step(k.rule, t.alert, t.subject, &v, nil)
}

// length is what a window really covers at a tick: one of more than an hour loses a quarter of an hour at a time.
func length(window time.Duration, now time.Time) time.Duration {
	if window > time.Hour {
		return window + now.Sub(now.Truncate(15*time.Minute))
	}
	return window
}

// save appends since when calls are known, of the totals for which that is less than a day.
func (k *volume) save(dst []byte) []byte {
	dst = append(dst, 1) // so that an empty list is told from none
	young := k.now.Add(-day).UnixNano()
	for _, t := range k.totals {
		if t.first > young {
			dst = windows.AppendKey(dst, t.key)
			dst = binary.AppendVarint(dst, t.first)
		}
	}
	return dst
}

func (k *volume) load(src []byte) error {
	if len(src) == 0 {
		return nil
	}
	k.loaded = make(map[string]int64)
	r := reader{rest: src[1:]}
	for len(r.rest) > 0 {
		key := r.text()
		k.loaded[key] = r.varint()
		if r.bad {
			return errState
		}
	}
	return nil
}
