package rollback

import (
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// book is what one partition of the alerts topic says about rollbacks. All of a prompt is in one partition.
type book struct {
	committed int64 // steps below were dealt with before this worker began
	live      bool
	alerts    map[string]*alertState
	groups    map[alert.Key]*group
	prompts   map[string]*prompt
	attempts  map[attemptKey]*attempt
}

func newBook(committed int64) *book {
	return &book{committed: committed, alerts: map[string]*alertState{}, groups: map[alert.Key]*group{},
		prompts: map[string]*prompt{}, attempts: map[attemptKey]*attempt{}}
}

type alertState struct {
	seen   int // newest step; older ones are repetitions
	firing bool
	last   detector.Record
}

// group is all cohorts of a prompt version under one rule: they make one attempt from when the first fires until none does.
type group struct {
	firing  int
	attempt *attempt // of now, nil where the rule allows none
}

type prompt struct {
	firing   map[string]*alertState // by alert id, of any rule and version
	promoted *detector.Record       // newest promotion of ours
}

type attemptKey struct {
	id   string
	step int
}

// attempt is one rollback: a firing step whose rule allows it, and what was done about it.
type attempt struct {
	part   int
	offset int64 // of the step; the newest record where the step has left the log
	step   detector.Record
	group  *group
	state  detector.RecordType // newest action, empty before the first

	proposedHere bool // by this worker; otherwise another may have asked the registry already
	asked        bool // the registry was asked to promote, with what outcome is not known
	retry        struct {
		failures int
		at       time.Time
		problem  string
	}
}

// firing says whether what led to the attempt is still so.
func (a *attempt) firing() bool { return a.group.attempt == a && a.group.firing > 0 }

// open says whether the attempt needs something now.
func (a *attempt) open(committed int64) bool {
	switch a.state {
	case "":
		return a.firing() && a.offset >= committed
	case detector.RollbackProposed:
		return a.step.Rollback == "auto"
	case detector.RollbackPromoted:
		return !a.firing()
	}
	return false
}

func (b *book) prompt(name string) *prompt {
	p := b.prompts[name]
	if p == nil {
		p = &prompt{firing: map[string]*alertState{}}
		b.prompts[name] = p
	}
	return p
}

func (b *book) group(r *detector.Record) *group {
	k := alert.Key{Group: r.Group, Rule: r.Rule, Prompt: r.Prompt, Version: r.Version}
	g := b.groups[k]
	if g == nil {
		g = &group{}
		b.groups[k] = g
	}
	return g
}

// step folds a step of an alert.
func (b *book) step(part int, e alert.Entry) {
	r := e.Record
	a := b.alerts[r.ID]
	if a == nil {
		a = &alertState{}
		b.alerts[r.ID] = a
	}
	if r.Step <= a.seen {
		return
	}
	a.seen, a.last = r.Step, r
	g, p := b.group(&r), b.prompt(r.Prompt)
	switch {
	case r.Type == detector.Firing && !a.firing:
		a.firing = true
		p.firing[r.ID] = a
		if g.firing++; g.firing == 1 {
			g.attempt = nil
		}
		// A cohort for which no rollback is possible does not stand in the way of one for which it is.
		if r.Rollback != "" && (g.attempt == nil || barred(&g.attempt.step) != nil && barred(&r) == nil) {
			g.attempt = &attempt{part: part, offset: e.Offset, step: r, group: g}
			b.attempts[attemptKey{r.ID, r.Step}] = g.attempt
		}
	case r.Type == detector.Resolved && a.firing:
		a.firing = false
		delete(p.firing, r.ID)
		g.firing--
	}
}

// acted folds what was done about a step.
func (b *book) acted(part int, e alert.Entry) {
	r := e.Record
	if r.Type == detector.RollbackPromoted {
		if p := b.prompt(r.Prompt); p.promoted == nil || !r.Time.Before(p.promoted.Time) {
			p.promoted = &r
		}
	}
	k := attemptKey{r.ID, r.Step}
	a := b.attempts[k]
	if a == nil { // its step has left the log
		a = &attempt{part: part, offset: e.Offset, step: r, group: b.group(&r)}
		b.attempts[k] = a
	}
	if order(r.Type) > order(a.state) {
		a.state = r.Type
	}
}

// order tells a repetition from news.
func order(t detector.RecordType) int {
	switch t {
	case detector.RollbackProposed:
		return 1
	case detector.RollbackRefused, detector.RollbackFailed, detector.RollbackPromoted:
		return 2
	case detector.Recovered:
		return 3
	}
	return 0
}
