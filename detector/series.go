package detector

import (
	"cmp"
	"slices"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/windows"
)

// series is what a sequential rule knows of one prompt version and cohort.
type series struct {
	subject
	name    string // of the cohort, see cohortKey
	facing  string // of the cohort that it is compared with
	release *release
	judged  bool // else it only is what others are compared with
	watched bool // the rule's budget is shared with it
	gone    bool // forgotten

	last    int64             // minute of its newest scores, since the epoch: it is fresh when that is the one at hand
	pane    *evidence.Weights // its scores in the minute at hand, where it is judged in it
	n       int64             // of them
	clamped int64             // values that were outside the range, since it is known

	learner *learner  // nil when it need not learn
	hourly  *hourly   // the same, of a rule against the same hours
	base    *baseline // nil until it is sealed
	source  *series   // that it is compared with; nil while there is none

	proof evidence.Series
	pair  *pairing  // of a canary, instead of proof
	due   []*series // of a total: its fresh cohorts
	dueAt int64     // the minute that they are of

	alert   *alert  // nil while nothing is wrong
	stretch stretch // of scores since, to see it recover
}

// release is a prompt's version as a sequential rule sees it.
type release struct {
	releaseKey
	series   map[string]*series // by cohort
	total    *series            // nil where there is none
	previous string             // as of the minute it was asked for
	asked    int64
}

type releaseKey struct {
	side            int // view: 0 what the rule watches, 1 what that is compared with where it is not among it
	prompt, version string
}

const (
	watchSide   = 0
	compareSide = 1
)

const (
	dormant = 3 * dayMinutes  // without scores, and a series has no more share in the budget; it begins anew when it comes back
	kept    = 30 * dayMinutes // without scores, and it is forgotten, its baseline too
	// maxSubjects is how many series a rule keeps: about 1 KB each.
	maxSubjects = 200_000
)

// register is all series of a rule.
type register struct {
	releases map[releaseKey]*release
	n        int
	watched  int // of them
}

func (r *register) release(key releaseKey) *release {
	rel := r.releases[key]
	if rel == nil {
		rel = &release{releaseKey: key, series: make(map[string]*series), asked: -1}
		r.releases[key] = rel
	}
	return rel
}

// find returns the series of a cohort, nil when there is none.
func (r *register) find(key releaseKey, cohort string) *series {
	if rel := r.releases[key]; rel != nil {
		return rel.series[cohort]
	}
	return nil
}

// ensure is find, but makes the series; made tells that it did.
func (r *register) ensure(key releaseKey, cohort []string) (s *series, made bool) {
	rel, name := r.release(key), cohortKey(cohort)
	if s = rel.series[name]; s != nil {
		return s, false
	}
	s = &series{subject: subject{key.prompt, key.version, cohort}, name: name, release: rel, dueAt: -1}
	rel.series[name] = s
	if len(cohort) == 0 {
		rel.total = s
	}
	r.n++
	return s, true
}

// drop forgets a series.
func (r *register) drop(s *series) {
	r.rest(s)
	s.gone = true
	rel := s.release
	if delete(rel.series, s.name); rel.total == s {
		rel.total = nil
	}
	if len(rel.series) == 0 {
		delete(r.releases, rel.releaseKey)
	}
	r.n--
}

// watch gives a series its share of the budget from this minute on. rest takes it away, and the evidence with it: it begins anew
// anyway when the series is back.
func (r *register) watch(s *series) {
	s.watched = true
	r.watched++
}

func (r *register) rest(s *series) {
	if !s.watched {
		return
	}
	s.watched = false
	r.watched--
	if s.proof = (evidence.Series{}); s.pair != nil {
		s.pair.proof = evidence.Canary{By: s.pair.proof.By}
	}
}

// sweep forgets what has had no scores for long. It is due once an hour.
func (r *register) sweep(minute int64) {
	for _, rel := range r.releases {
		for _, s := range rel.series {
			switch silent := minute - s.last; {
			case s.alert != nil:
			case silent > kept:
				r.drop(s)
			case minute-s.told() > dormant:
				r.rest(s)
			}
		}
	}
	r.limit(maxSubjects)
}

// begun tells whether there is something that the series is judged by.
func (s *series) begun() bool { return s.watched || s.base != nil || s.pair != nil }

// told is the newest minute that there was something to judge.
func (s *series) told() int64 {
	if s.pair != nil {
		return s.pair.paired
	}
	return s.last
}

// limit forgets the series that have been silent for longest, until there are a sixteenth fewer than most; those that an
// alert is about stay.
func (r *register) limit(most int) {
	if r.n <= most {
		return
	}
	all := r.sorted()
	slices.SortStableFunc(all, func(a, b *series) int { return cmp.Compare(a.last, b.last) })
	for _, s := range all {
		if r.n <= most-most/16 {
			return
		}
		if s.alert == nil {
			r.drop(s)
		}
	}
}

// sorted are all series in an order that does not depend on how they came.
func (r *register) sorted() []*series {
	all := make([]*series, 0, r.n)
	for _, rel := range r.releases {
		for _, s := range rel.series {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, compareSeries)
	return all
}

func compareSeries(a, b *series) int {
	return cmp.Or(cmp.Compare(a.release.side, b.release.side), cmp.Compare(a.prompt, b.prompt), cmp.Compare(a.version, b.version),
		cmp.Compare(a.name, b.name))
}

// predecessor is the version before, as the store knows it now.
func (rel *release) predecessor(s *windows.Store, minute int64) string {
	if rel.asked != minute {
		rel.previous, rel.asked = s.Previous(rel.prompt, rel.version), minute
	}
	return rel.previous
}
