package detector

import (
	"math"
	"time"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// sequential is what drift, canary and exceed have in common: series that come and go, the budget that they share, and what
// becomes of an alarm.
//
// It reads the minute that was sealed last and never anything that came late, each minute once: what the evidence is made of
// does not change any more. A minute goes in this order, so that nothing is decided by scores that it is held against:
//
//	which series have scores · who is watched from now on, its baseline sealed from the minutes before · the budget is paid ·
//	evidence · what the minute teaches for baselines to come
//
// An alarm is told unless the effect since its onset is for certain smaller than the rule asks for; both ways the statistic
// begins anew. So fewer alerts are told than the budget allows, never more. While an alert fires there is no evidence, but
// stretches of scores to see whether the series has recovered; see recovery.go.
type sequential struct {
	*rule
	test
	store *windows.Store
	sides []*windows.View
	register
	purse  evidence.Purse
	budget float64 // of a minute
	unit   unit
	worse  side // what an alarm is

	minute int64 // at hand, since the epoch
	fresh  []*series
	firing []*series
	wait   []*series // of a canary, with scores that wait for the other side
	reads  int       // of the store, for alarms of this minute
}

// test is what a sequential kind does its own way.
type test interface {
	// specs are the views that are read: that of the series watched, and of those that they are compared with where they are
	// not among them.
	specs() []windows.ViewSpec
	// read gives the group's scores of the minute, on a scale where 1 is good. They are good until the next minute.
	read(g *windows.Group) (w *evidence.Weights, clamped int64)
	// ready tells whether a series can be judged from this minute on. It may not look at the minute's scores.
	ready(s *series) bool
	// start says that nothing before this minute is held against the series.
	start(s *series)
	// add takes the minute into account; ok is an alarm.
	add(s *series) (f finding, ok bool)
	// learn is told of the minute's scores of every fresh series.
	learn(s *series)
	// follow adds the minute to the stretch of a series whose alert fires.
	follow(s *series)
	// tell completes what the status says of a series.
	tell(s *series, st *SeriesStatus)
	// saveEvidence appends what a series that has begun is judged by. loadEvidence is its inverse.
	saveEvidence(dst []byte, s *series) []byte
	loadEvidence(r *reader, s *series)
}

// finding is what is known of a series' scores since the onset of an alarm.
type finding struct {
	onset    int64 // minute from which the evidence grew
	since    evidence.Moments
	claim           // what they are compared with
	by       bool   // of a rule that says how great a change must be
	against  string // version
	sealedAt int64  // minute; 0 where nothing is sealed
	learned  int64
}

// unit turns scores into values of the metric.
type unit struct {
	min, max float64
	mirror   bool
}

func (u unit) value(score float64) float64 {
	if u.mirror {
		return u.max - score*(u.max-u.min)
	}
	return u.min + score*(u.max-u.min)
}

func (u unit) score(value float64) float64 {
	x := (value - u.min) / (u.max - u.min)
	if u.mirror {
		return 1 - x
	}
	return x
}

func newSequential(r *rule, s *windows.Store, t func(*sequential) test) *sequential {
	budget, _ := r.Budget()
	k := &sequential{
		rule: r, store: s, register: register{releases: make(map[releaseKey]*release)}, minute: -1,
		budget: budget.PerDay() / dayMinutes / float64(cuts(r)),
	}
	k.test = t(k)
	return k
}

// cuts is in how many parts a rule's budget is cut: the prompts of one that watches several are spread over the partitions,
// none of which knows how many series the others watch.
func cuts(r *rule) int {
	if prompt, ok := r.group.Match["prompt"]; ok && literal(prompt) {
		return 1
	}
	return max(r.partitions, 1)
}

func (k *sequential) views() []windows.ViewSpec { return k.specs() }

func (k *sequential) bind(views []*windows.View) { k.sides = views }

func (k *sequential) adopt(a *alert) bool {
	cohort, ok := k.watches(a)
	if !ok {
		return false
	}
	a.cohort, a.by = cohort, k.group.SliceBy
	s, _ := k.seriesAt(releaseKey{watchSide, a.prompt, a.version}, cohort)
	s.alert = a
	k.firing = append(k.firing, s)
	return true
}

func (k *sequential) tick(e *engine) {
	k.minute, k.reads = e.now.Unix()/60-1, 0
	k.gather(e)
	// Totals first: they are made of what their cohorts have learned, who give it up when they are sealed.
	for _, total := range []bool{true, false} {
		for _, s := range k.fresh {
			if s.judged && !s.watched && (s.release.total == s) == total && k.ready(s) {
				k.watch(s)
				k.start(s)
			}
		}
	}
	k.purse.Pay(k.budget, k.register.watched)
	k.share()
	for _, s := range k.fresh {
		switch {
		case s.alert != nil:
			k.follow(s)
		case s.watched:
			if f, ok := k.add(s); ok {
				k.alarm(e, s, &f)
			}
		}
	}
	for _, s := range k.fresh {
		if s.n > 0 {
			k.learn(s)
		}
	}
	k.recover(e)
	if e.now.Minute() == 0 {
		k.sweep(k.minute)
	}
}

// gather finds the series that are judged in the minute: those that have scores, and those that wait for others that have.
func (k *sequential) gather(e *engine) {
	k.fresh = k.fresh[:0]
	for side, v := range k.sides {
		for _, g := range v.Fresh() {
			w, clamped := k.read(g)
			n := w.N()
			if n == 0 {
				continue
			}
			s, _ := g.Memo.(*series)
			if s == nil || s.gone {
				s, _ = k.seriesAt(releaseKey{side, g.Prompt, g.Version}, g.Cohort)
				g.Memo = s
			}
			s.clamped += clamped
			if len(s.cohort) == 0 || !k.hasTotal() {
				e.clamped += int(clamped)
			}
			s.pane, s.n, s.last = w, n, k.minute
			k.fresh = append(k.fresh, s)
		}
	}
	for _, s := range k.waiting() {
		s.pane, s.n = &noScores, 0
		k.fresh = append(k.fresh, s)
	}
}

var noScores evidence.Weights

// seriesAt finds or makes a series; made tells which.
func (k *sequential) seriesAt(key releaseKey, cohort []string) (s *series, made bool) {
	s, made = k.ensure(key, cohort)
	if made {
		s.judged = key.side == watchSide && k.judges(key.version)
		s.facing = k.facing(cohort)
		s.last = k.minute
	}
	return s, made
}

// judges tells whether series of a version are judged, or only compared with.
func (k *sequential) judges(version string) bool {
	if pattern, ok := k.group.Match["version"]; ok && !rules.Glob(pattern, version) {
		return false
	}
	a := k.Against()
	if a.Kind == rules.AgainstPreviousVersion && version == "" {
		return false // calls without a version are none, and come after none
	}
	return a.Kind != rules.AgainstVersion || a.Name != version
}

func (k *sequential) hasTotal() bool { return k.group.Total || len(k.group.SliceBy) == 0 }

// share gives the totals that have parts the cohorts that are fresh.
func (k *sequential) share() {
	if len(k.group.SliceBy) == 0 {
		return
	}
	for _, s := range k.fresh {
		t := s.release.total
		if t == nil || t == s || t.base == nil || t.base.index == nil {
			continue
		}
		if t.dueAt != k.minute {
			t.due, t.dueAt = t.due[:0], k.minute
		}
		t.due = append(t.due, s)
	}
}

// alarm tells an alarm, or passes it over.
func (k *sequential) alarm(e *engine, s *series, f *finding) {
	effect := evidence.EffectOf(&f.since, f.mean, f.variance)
	if f.by && effect.Low > -k.by(f.mean) {
		e.passed++
		return
	}
	v := verdict{
		side: k.worse, samples: f.since.N, against: f.against, learned: f.learned, sealed: minuteTime(f.sealedAt),
		onset: minuteTime(f.onset), value: k.unit.value(f.since.Mean()), reference: k.unit.value(f.mean), bound: k.unit.value(f.bound),
		low: k.unit.value(f.mean + effect.Low), high: k.unit.value(f.mean + effect.High),
	}
	if v.low > v.high {
		v.low, v.high = v.high, v.low
	}
	s.stretch = stretch{from: k.minute + 1, patience: patienceOf(k.minute+1-f.onset, f.since.N)}
	if s.alert = e.step(k.rule, nil, s.subject, &v, k.exemplars(s)); s.alert != nil {
		k.firing = append(k.firing, s)
	}
}

// maxLooks is how many reads of the store the alarms of a minute may take. There are more when all of many cohorts fail at once, and
// then a reference that is a little off does not matter.
const maxLooks = 500

// mayRead takes n reads, if they are left.
func (k *sequential) mayRead(n int) bool {
	k.reads += n
	return k.reads <= maxLooks
}

// by is how great a change the rule asks for, as a difference of scores.
func (k *sequential) by(reference float64) float64 {
	b := k.bound()
	if b == nil {
		return 0
	}
	by := b.Value
	if b.Percent {
		by = math.Abs(by * k.unit.value(reference))
	}
	return by / (k.unit.max - k.unit.min)
}

// bound is what the rule calls a change; nil where it does not say.
func (k *sequential) bound() *rules.Bound {
	switch {
	case k.Drift != nil:
		return &k.Drift.By
	case k.Canary != nil:
		return &k.Canary.By
	}
	return nil
}

// exemplars are the worst traces of the last hour.
func (k *sequential) exemplars(s *series) func() []string {
	return func() []string {
		if g := k.sides[watchSide].Find(s.prompt, s.version, s.cohort); g != nil {
			return g.Exemplars()
		}
		return nil
	}
}

// minuteTime is when a minute begins; zero for 0.
func minuteTime(minute int64) time.Time {
	if minute == 0 {
		return time.Time{}
	}
	return time.Unix(60*minute, 0).UTC()
}
