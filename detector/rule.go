package detector

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// kind is one way to find a breach. A rule kind is one file that implements it, and a line in newKind.
//
// A kind gets the views that it asked for and walks their groups at each tick. It hands what it finds to engine.step, and
// keeps the alert that step returns with the group that it is about: in Group.State, so that the group stays, or in a
// structure of its own.
type kind interface {
	// views says what the kind reads.
	views() []windows.ViewSpec
	// bind gives the views, in the same order. Nothing of views bound before may be used any more.
	bind(views []*windows.View)
	// adopt takes over an alert of this rule's identity, after a restore or from the rule's former version; false when the
	// rule no longer watches that subject.
	adopt(a *alert) bool
	// tick judges every subject.
	tick(e *engine)
	// save appends what the kind must remember beside alerts. load is its inverse, called before bind; nil is nothing to
	// remember. What the kind knew before, it forgets.
	save(dst []byte) []byte
	load(src []byte) error
}

func newKind(r *rule, s *windows.Store) kind {
	switch {
	case r.Volume != nil:
		return newVolume(r, s)
	case r.Drift != nil:
		return newDrift(r, s)
	case r.Canary != nil:
		return newCanary(r, s)
	case r.Exceed != nil:
		return newExceed(r, s)
	case r.Shape != nil:
		return newShape(r, s)
	case r.TrafficShare != nil:
		return newTrafficShare(r, s)
	case r.Change != "":
		return newChange(r)
	}
	return newThreshold(r, s)
}

// rule is a rule of a set, made ready for one store.
type rule struct {
	*rules.Rule
	kind
	group *rules.Group
	order int           // place in the set
	dims  []string      // names of the store's dimensions
	head  *Record       // what all its records have in common
	key   string        // names the rule and all that its memory depends on
	seen  *windows.View // what it watches

	partitions int // that the prompts are spread over
}

func newRule(g *rules.Group, r *rules.Rule, order int, e *engine) *rule {
	c := &rule{Rule: r, group: g, order: order, dims: e.dims, head: headOf(g, r), partitions: e.partitions}
	key := windows.AppendKey(nil, g.Name, r.Alert, c.head.Kind, c.head.Metric, c.head.Stat, c.head.Window, r.Against().String(), fmt.Sprint(g.Total))
	key = windows.AppendKey(key, g.SliceBy...)
	for _, d := range slices.Sorted(maps.Keys(g.Match)) {
		key = windows.AppendKey(key, d, g.Match[d])
	}
	if r.ScoredOn != "" {
		key = windows.AppendKey(key, "", r.ScoredOn) // no dimension has that name
	}
	key = appendTested(key, r)
	sum := sha256.Sum256(key)
	c.key = string(sum[:16])
	c.kind = newKind(c, e.store)
	return c
}

// appendTested appends what the evidence and the baselines of a sequential rule depend on. How great a change must be to be told, and
// the budget, may change, and what was learned is kept.
func appendTested(key []byte, r *rules.Rule) []byte {
	if _, ok := r.Budget(); !ok {
		return key
	}
	tested := []any{r.Scale.Min, r.Scale.Max}
	if d := cmp.Or(r.Drift, r.Canary); d != nil {
		tested = append(tested, d.Rise)
	}
	if x := r.Exceed; x != nil {
		tested = append(tested, x.Limit, x.Below, x.Share)
	}
	return windows.AppendKey(key, fmt.Sprint(tested...))
}

func headOf(g *rules.Group, r *rules.Rule) *Record {
	h := &Record{
		Group: g.Name, Rule: r.Alert, Metric: r.Metric, Rubric: r.ScoredOn, Kind: r.Kind(), Stat: r.Stat().String(),
		Labels: r.Labels,
	}
	if w := r.Window(); w > 0 {
		h.Window = rules.Duration(w).String()
	}
	if x := r.Exceed; x != nil && x.Below {
		h.Below = &x.Limit
	} else if x != nil {
		h.Above = &x.Limit
	}
	if a := r.Against(); a.Kind != rules.AgainstNone {
		h.Against = &Against{Kind: a.Word()}
		switch a.Kind {
		case rules.AgainstVersion:
			h.Against.Version = a.Name
		case rules.AgainstVariant:
			h.Against.Variant = a.Name
		case rules.AgainstEnvironment:
			h.Against.Environment = a.Name
		}
	}
	if b, ok := r.Budget(); ok {
		h.FalseAlarms = b.String()
	}
	if r.Rollback != rules.RollbackOff {
		h.Rollback = r.Rollback.String()
	}
	return h
}

// spec is the view of one window over the rule's groups.
func (r *rule) spec(window time.Duration) windows.ViewSpec {
	return windows.ViewSpec{
		Metric: r.Metric, Rubric: r.ScoredOn, Window: window, By: r.group.SliceBy, Total: r.group.Total || len(r.group.SliceBy) == 0,
		Match: r.match,
	}
}

func (r *rule) match(prompt, version string, dims []string) bool {
	return r.group.Matches(func(d string) string {
		switch d {
		case "prompt":
			return prompt
		case "version":
			return version
		}
		if i := slices.Index(r.dims, d); i >= 0 && i < len(dims) {
			return dims[i]
		}
		return ""
	})
}

// watches tells whether the rule may still make an alert of this subject, and gives its cohort in the order of the rule's
// own dimensions. Dimensions that the cohort does not name are taken to match.
func (r *rule) watches(a *alert) (cohort []string, ok bool) {
	if len(a.cohort) == 0 {
		if len(r.group.SliceBy) > 0 && !r.group.Total {
			return nil, false
		}
	} else if len(a.by) != len(r.group.SliceBy) {
		return nil, false
	}
	values := map[string]string{"prompt": a.prompt, "version": a.version}
	if r.AllVersions() {
		if a.version != "" {
			return nil, false
		}
		delete(values, "version")
	}
	for i, v := range a.cohort {
		values[a.by[i]] = v
	}
	if len(a.cohort) > 0 {
		for _, d := range r.group.SliceBy {
			v, found := values[d]
			if !found {
				return nil, false
			}
			cohort = append(cohort, v)
		}
	}
	for d, pattern := range r.group.Match {
		if v, found := values[d]; found && !rules.Glob(pattern, v) {
			return nil, false
		}
	}
	return cohort, true
}

// adoptInto is adopt for kinds that keep an alert with its group.
func (r *rule) adoptInto(v *windows.View, a *alert) bool {
	cohort, ok := r.watches(a)
	if !ok {
		return false
	}
	a.cohort, a.by = cohort, r.group.SliceBy
	v.Ensure(a.prompt, a.version, cohort).State = a
	return true
}
