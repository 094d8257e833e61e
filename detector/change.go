package detector

import (
	"math"
	"time"

	"github.com/driftd/driftd/windows"
)

// change tells that an axis of a prompt version took a new value: once, when it is confirmed (see axis). Its alerts are those of
// whole versions, whatever slice_by says.
//
// A change does not recover. Its alert stays for keep_firing_for, or changeSeen where the rule has none, and ends as seen. A
// change of the same axis before that ends it too: when it leads back to what was, that is all there is to tell; else the
// new one is told by an alert that fires anew at the same tick.
type change struct {
	*rule
	open map[[2]string]*alert // by prompt and version
}

// changeSeen is how long a change is shown.
const changeSeen = time.Hour

func newChange(r *rule) *change {
	r.head.Stat = ""
	k := *r
	its := *r.Rule
	if its.KeepFiringFor == 0 {
		its.KeepFiringFor = changeSeen
	}
	k.Rule = &its
	return &change{rule: &k}
}

func (k *change) views() []windows.ViewSpec { return nil }

func (k *change) bind([]*windows.View) { k.open = make(map[[2]string]*alert) }

func (k *change) adopt(a *alert) bool {
	if len(a.cohort) > 0 || a.last.changed == nil || a.last.changed.Axis != k.Change || !k.match(a.prompt, a.version, nil) {
		return false
	}
	k.open[[2]string{a.prompt, a.version}] = a
	return true
}

func (k *change) tick(e *engine) {
	for i := range e.axes.fresh {
		if c := &e.axes.fresh[i]; c.Axis == k.Change && k.match(c.prompt, c.version, nil) {
			k.tell(e, c)
		}
	}
	for key, a := range k.open {
		k.end(e, key, a, reasonSeen)
	}
}

// tell fires, after it has ended what an earlier change began.
func (k *change) tell(e *engine, c *changed) {
	key := [2]string{c.prompt, c.version}
	if a := k.open[key]; a != nil {
		back := c.From == a.last.changed.To && c.To == a.last.changed.From
		reason := reasonChangedAgain
		if back {
			reason = reasonChangedBack
		}
		a.clear = e.now.Add(-k.KeepFiringFor)
		k.end(e, key, a, reason)
		if back {
			return
		}
	}
	told := c.Changed
	v := verdict{
		side: over, samples: c.calls, value: math.NaN(), reference: math.NaN(), bound: math.NaN(),
		onset: c.Time, changed: &told,
	}
	a := e.step(k.rule, nil, subject{prompt: c.prompt, version: c.version}, &v, nil)
	a.clear = e.now
	k.open[key] = a
}

// end ends an alert that has been there for long enough. The record says what that of its beginning said.
func (k *change) end(e *engine, key [2]string, a *alert, reason string) {
	v := a.last
	v.side, v.reason = neither, reason
	if e.step(k.rule, a, a.subject, &v, nil) == nil {
		delete(k.open, key)
	}
}

func (k *change) save(dst []byte) []byte { return dst }
func (k *change) load([]byte) error      { return nil }
