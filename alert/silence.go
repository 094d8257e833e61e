package alert

import (
	"cmp"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/detector"
)

// maxExpression bounds the regular expression of a matcher, in bytes.
const maxExpression = 1 << 10

// Silences are all that the alerts topic says about silences. Records of all partitions go in, in the order of each; what comes
// out depends on nothing but the newest record of each silence and each alert, so that whoever reads the topic comes to the same
// however the partitions are read. They belong to one goroutine.
type Silences struct {
	byID map[string]*silence
	live []*silence // that were not over when last looked at, by id
	open int        // of live: until resolved
	// alerts are those that have fired, for silences that hold until resolved.
	alerts map[string]*episodes
	bad    int
}

// silence is one of them.
type silence struct {
	rec     *detector.Record
	tests   []test // nil where a matcher cannot be read: it matches nothing
	bad     bool
	matched map[string]*episodes // until resolved: alerts that it matches
	over    time.Time            // until resolved: when none of them fired any more; zero while one does
	stale   bool                 // over has to be found anew
}

// test is a matcher that was read.
type test struct {
	label, value string
	re           *regexp.Regexp // whole value; nil compares with value
	not          bool
}

func (t *test) holds(labels map[string]string) bool {
	v := labels[t.label]
	if t.re != nil {
		return t.re.MatchString(v) != t.not
	}
	return (v == t.value) != t.not
}

// episodes are the last two times that an alert fired, in event time.
type episodes struct {
	step       int
	rec        *detector.Record
	since, end time.Time // end is zero while it fires
	before     span
}

type span struct{ since, end time.Time }

// NewSilences returns none.
func NewSilences() *Silences {
	return &Silences{byID: map[string]*silence{}, alerts: map[string]*episodes{}}
}

// Fold takes a record; only silenced records and steps count. It returns true when a silence has changed; what matches has to
// be asked anew then. The record is kept and must not be changed. A matcher that cannot be read makes its silence match
// nothing: see Bad.
func (s *Silences) Fold(r *detector.Record) (changed bool) {
	switch r.Type {
	case detector.Silenced:
		return s.put(r)
	case detector.Firing, detector.Resolved:
		s.step(r)
	}
	return false
}

func (s *Silences) put(r *detector.Record) bool {
	if r.Silence == nil {
		return false
	}
	old := s.byID[r.ID]
	if old != nil && r.Step < old.rec.Step {
		return false
	}
	n := &silence{rec: r}
	n.tests, n.bad = readMatchers(r.Silence.Matchers)
	if old != nil {
		s.drop(old)
		if old.bad {
			s.bad--
		}
	}
	s.byID[r.ID] = n
	if n.bad {
		s.bad++
		return old != nil
	}
	s.live = append(s.live, n)
	if r.Silence.UntilResolved {
		s.open++
		n.matched, n.stale = map[string]*episodes{}, true
		for id, e := range s.alerts {
			if n.matches(Labels(e.rec)) {
				n.matched[id] = e
			}
		}
	}
	return true
}

// drop takes a silence out of those that may match.
func (s *Silences) drop(n *silence) {
	if i := slices.Index(s.live, n); i >= 0 {
		s.live = slices.Delete(s.live, i, i+1)
		if n.matched != nil {
			s.open--
		}
	}
}

func readMatchers(ms []detector.Matcher) (out []test, bad bool) {
	for _, m := range ms {
		t := test{label: m.Label, value: m.Value, not: strings.HasPrefix(m.Op, "!")}
		switch m.Op {
		case "=", "!=":
		case "=~", "!~":
			if len(m.Value) > maxExpression {
				return nil, true
			}
			re, err := regexp.Compile(`^(?:` + m.Value + `)$`)
			if err != nil {
				return nil, true
			}
			t.re = re
		default:
			return nil, true
		}
		out = append(out, t)
	}
	return out, len(out) == 0 // without matchers it would match everything
}

// step keeps when alerts fired.
func (s *Silences) step(r *detector.Record) {
	e := s.alerts[r.ID]
	if e == nil {
		if r.Type == detector.Resolved {
			return
		}
		e = &episodes{}
		s.alerts[r.ID] = e
	}
	if r.Step <= e.step {
		return
	}
	firing := e.rec != nil && e.end.IsZero()
	e.step = r.Step
	switch {
	case r.Type == detector.Resolved && firing:
		e.end = r.Time
	case r.Type == detector.Firing && !firing:
		if e.rec != nil {
			e.before = span{e.since, e.end}
		}
		e.since, e.end = r.Time, time.Time{}
	}
	e.rec = r
	if s.open == 0 {
		return
	}
	labels := Labels(r)
	for _, n := range s.live {
		if n.matched != nil && n.matches(labels) {
			n.matched[r.ID], n.stale = e, true
		}
	}
}

// Forget drops what is known of an alert.
func (s *Silences) Forget(id string) {
	if s.alerts[id] == nil {
		return
	}
	delete(s.alerts, id)
	for _, n := range s.live {
		delete(n.matched, id)
	}
}

func (n *silence) matches(labels map[string]string) bool {
	for i := range n.tests {
		if !n.tests[i].holds(labels) {
			return false
		}
	}
	return !n.bad
}

// ends returns when the silence ends, as far as is known now.
func (n *silence) ends() time.Time {
	if n.stale {
		n.over, n.stale = n.settle(), false
	}
	if !n.over.IsZero() && n.over.Before(n.rec.Silence.Ends) {
		return n.over
	}
	return n.rec.Silence.Ends
}

// settle finds when none of the alerts that it matched fired any more: the first gap in the times at which they fired that
// begins after the silence did. A gap that was found stays, unless one turns out to have fired in it.
func (n *silence) settle() time.Time {
	spans := make([]span, 0, len(n.matched))
	for _, e := range n.matched {
		spans = append(spans, span{e.since, e.end})
		if !e.before.since.IsZero() {
			spans = append(spans, e.before)
		}
	}
	covered := func(t time.Time) bool {
		return slices.ContainsFunc(spans, func(s span) bool { return !s.since.After(t) && (s.end.IsZero() || s.end.After(t)) })
	}
	if !n.over.IsZero() && !covered(n.over) {
		return n.over
	}
	slices.SortFunc(spans, func(a, b span) int { return a.since.Compare(b.since) })
	var until time.Time
	for _, s := range spans {
		if until.After(n.rec.Silence.Starts) && s.since.After(until) {
			return until
		}
		if s.end.IsZero() {
			return time.Time{}
		}
		if s.end.After(until) {
			until = s.end
		}
	}
	if until.After(n.rec.Silence.Starts) {
		return until
	}
	return time.Time{}
}

// active says whether the silence is in force.
func (n *silence) active(now time.Time) bool {
	return !n.bad && !now.Before(n.rec.Silence.Starts) && now.Before(n.rec.Silence.Ends) && n.ends().Equal(n.rec.Silence.Ends)
}

// Match returns the newest record of the silence that is in force at now and matches the labels; of several the one that ends
// last; nil for none.
func (s *Silences) Match(labels map[string]string, now time.Time) *detector.Record {
	var best *detector.Record
	for _, n := range s.live {
		if !n.active(now) || !n.matches(labels) {
			continue
		}
		if best == nil || cmp.Or(n.rec.Silence.Ends.Compare(best.Silence.Ends), strings.Compare(best.ID, n.rec.ID)) > 0 {
			best = n.rec
		}
	}
	return best
}

// All returns the newest record of each silence, in no order.
func (s *Silences) All() iter.Seq[*detector.Record] {
	return func(yield func(*detector.Record) bool) {
		for _, n := range s.byID {
			if !yield(n.rec) {
				return
			}
		}
	}
}

// Ends returns when a silence ends or has ended, as far as is known: for one that holds until resolved, when the last of the
// alerts that it matched resolved, and its own end before that. False where there is no such silence.
func (s *Silences) Ends(id string) (time.Time, bool) {
	n := s.byID[id]
	if n == nil {
		return time.Time{}, false
	}
	if n.bad {
		return n.rec.Silence.Ends, true
	}
	return n.ends(), true
}

// Next returns when a silence begins or ends by the clock after now, false for never. Those that are long over match nothing from here on.
func (s *Silences) Next(now time.Time) (at time.Time, ok bool) {
	for _, n := range slices.Clone(s.live) {
		for _, t := range []time.Time{n.rec.Silence.Starts, n.rec.Silence.Ends} {
			if t.After(now) && (!ok || t.Before(at)) {
				at, ok = t, true
			}
		}
		if n.rec.Silence.Ends.Before(now.Add(-stale)) {
			s.drop(n)
		}
	}
	return at, ok
}

// Bad returns how many silences have a matcher that cannot be read, so that they match nothing.
func (s *Silences) Bad() int { return s.bad }

// Any says whether there is a silence that may match something.
func (s *Silences) Any() bool { return len(s.live) > 0 }

// covered says whether labels were silenced at event time t, the end of the alert included.
func (s *Silences) covered(labels map[string]string, t time.Time) bool {
	return slices.ContainsFunc(s.live, func(n *silence) bool {
		w := n.rec.Silence
		return !t.Before(w.Starts) && t.Before(w.Ends) && !t.After(n.ends()) && n.matches(labels)
	})
}

// Remove drops a silence.
func (s *Silences) Remove(id string) {
	if n := s.byID[id]; n != nil {
		s.drop(n)
		delete(s.byID, id)
		if n.bad {
			s.bad--
		}
	}
}

// settle looks whether steps have ended silences that hold until resolved, or have shown that they go on.
func (s *Silences) settle() (changed bool) {
	for _, n := range s.live {
		if n.stale {
			before := n.over
			n.ends()
			changed = changed || !n.over.Equal(before)
		}
	}
	return changed
}
