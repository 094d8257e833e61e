package detector

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// engine evaluates all rules of a set at each tick over the views of one store, and owns the alerts that come of it. What it
// does is a function of the store's ticks alone. It belongs to the goroutine of its partition.
type engine struct {
	store *windows.Store
	dims  []string
	axes  *axes

	partitions int // that the prompts are spread over; 0 counts as 1

	rules  []*rule
	alerts map[ID]*alert // pending and firing
	steps  steps
	lost   []*alert // of rules that are gone; they end at the next tick
	lives  lives
	days   days

	calls *windows.View         // see targets; nil where no rule allows a rollback
	cells map[sideKey]sideCells // that were asked for in this tick

	now     time.Time
	out     []emitted
	passed  int // alarms that were passed over, since the partition counted them last
	clamped int // values outside a rule's range, since the partition counted them last
}

// emitted is a record and what it is sorted by within its tick.
type emitted struct {
	Record
	order  int
	cohort []string
	rule   *rule  // nil when it is gone
	side   side   // of a firing step: where its value lies
	ended  *alert // of a step that ends an alert that has fired
}

func newEngine(s *windows.Store, o *PartitionOptions) *engine {
	return &engine{store: s, dims: o.Windows.Dimensions, axes: newAxes(), partitions: o.Partitions, alerts: make(map[ID]*alert), steps: newSteps(),
		lives: make(lives), cells: make(map[sideKey]sideCells)}
}

// use replaces the rules. Alerts live on in the rules that still watch their subjects, and so does what rules of the same
// make have learned; the other alerts end at the next tick.
func (e *engine) use(set *rules.Set) error {
	memory := e.memory()
	e.compile(set)
	return e.resume(memory)
}

func (e *engine) compile(set *rules.Set) {
	e.rules = e.rules[:0:0]
	for gi := range set.Groups {
		g := &set.Groups[gi]
		for ri := range g.Rules {
			e.rules = append(e.rules, newRule(g, &g.Rules[ri], len(e.rules), e))
		}
	}
}

// memory is what the rules remember beside alerts, by rule.
func (e *engine) memory() map[string][]byte {
	m := make(map[string][]byte)
	for _, r := range e.rules {
		if b := r.save(nil); len(b) > 0 {
			m[r.key] = b
		}
	}
	return m
}

// resume binds the rules to new views of the store and gives them their memory and their alerts.
func (e *engine) resume(memory map[string][]byte) error {
	specs := []windows.ViewSpec{e.axes.spec()}
	calls, counted := e.targets()
	if counted {
		specs = append(specs, calls)
	}
	for _, r := range e.rules {
		specs = append(specs, r.views()...)
	}
	views := e.store.SetViews(specs)
	e.axes.bind(views[0])
	views = views[1:]
	if e.calls = nil; counted {
		e.calls, views = views[0], views[1:]
	}
	for _, r := range e.rules {
		if err := r.load(memory[r.key]); err != nil {
			return fmt.Errorf("restore rule %s of group %s: %w", r.Alert, r.group.Name, err)
		}
		n := len(r.views())
		r.bind(views[:n])
		if n > 0 {
			r.seen = views[0]
		}
		views = views[n:]
	}
	for _, a := range e.lost { // rules may come back before the next tick
		e.alerts[a.id] = a
	}
	e.lost = nil
	byName := make(map[[2]string]*rule, len(e.rules))
	for _, r := range e.rules {
		byName[[2]string{r.head.Group, r.head.Rule}] = r
	}
	for _, id := range slices.SortedFunc(maps.Keys(e.alerts), func(a, b ID) int { return bytes.Compare(a[:], b[:]) }) {
		a := e.alerts[id]
		if r := byName[[2]string{a.head.Group, a.head.Rule}]; r != nil && identity(r.head, &a.subject, a.by) == id && r.adopt(a) {
			a.head, a.order = r.head, r.order
			continue
		}
		a.order = -1
		delete(e.alerts, id)
		e.lost = append(e.lost, a)
	}
	return nil
}

// tick evaluates all rules at event time now and appends the steps to e.out, in an order that does not depend on how the
// views were made.
func (e *engine) tick(now time.Time) {
	e.now = now
	clear(e.cells)
	e.lives.tick(now, e.rules)
	from := len(e.out)
	for _, a := range e.lost {
		a.phase = inactive
		e.emit(a, Resolved, reasonRuleRemoved, nil, nil)
	}
	e.lost = nil
	e.axes.tick(now, e.store)
	for _, r := range e.rules {
		r.tick(e)
	}
	if now.Minute() == 0 {
		e.steps.forget(now, e.alerts)
	}
	if made := e.out[from:]; len(made) > 1 {
		slices.SortStableFunc(made, func(a, b emitted) int {
			return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Rule, b.Rule),
				cmp.Compare(a.Prompt, b.Prompt), cmp.Compare(a.Version, b.Version), slices.Compare(a.cohort, b.cohort))
		})
	}
	e.complete(e.out[from:])
	e.observe(e.out[from:])
	e.days.tick(e)
}

// step moves the alert of a subject, nil when it is inactive, by what rule r found, and returns the alert that is then
// there, nil when it is inactive. worst, which may be nil, is asked for trace ids when a record is made.
func (e *engine) step(r *rule, a *alert, s subject, v *verdict, worst func() []string) *alert {
	if a == nil {
		if v.side == neither {
			return nil
		}
		a = &alert{subject: s, by: r.group.SliceBy, head: r.head, order: r.order}
		a.id = identity(r.head, &s, a.by)
		e.alerts[a.id] = a
	}
	fired := a.phase == firing
	if fired && (r.Threshold != nil || r.Volume != nil) && v.samples >= int64(r.MinSamples) && e.now.Sub(e.steps.of[a.id].at) >= r.patience() {
		v.worse = v.clearlyWorse(&a.last, 0)
	}
	happened, reason := a.move(e.now, v, r.For, r.KeepFiringFor)
	if happened != "" {
		a.last = *v
		made := e.emit(a, happened, reason, r, worst)
		if fired && happened == Resolved {
			made.ended = a
		}
	}
	if a.phase == inactive {
		delete(e.alerts, a.id)
		return nil
	}
	return a
}

// counts of the alerts in each phase.
func (e *engine) counts() (pendings, firings int) {
	for _, a := range e.alerts {
		if a.phase == firing {
			firings++
		} else {
			pendings++
		}
	}
	return pendings, firings
}
