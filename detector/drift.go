package detector

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// drift tests whether a mean is still what it was: at least the lower confidence bound of a sealed baseline. What the rule
// calls a change enters neither bound nor evidence, only which alarms are told.
//
//	previous_version, version   sealed from what the same cohort of that version has given in its last one to two days, at the
//	                            first minute of the version, or as soon as there is enough
//	24h                         from the series' own first day at least
//	same_hours                  the same, but each minute is held against the same hours of that day
//	variant, environment        as version, from the cells that have that value
//	fixed                       the number itself
type drift struct {
	*sequential
	fixed  *baseline
	parts  []evidence.Part // scratch
	sums   []evidence.Weights
	counts []int64
}

func newDrift(r *rule, s *windows.Store) kind {
	return newSequential(r, s, func(k *sequential) test {
		k.unit = unit{r.Scale.Min, r.Scale.Max, r.Drift.Rise}
		if k.worse = under; r.Drift.Rise {
			k.worse = over
		}
		d := &drift{sequential: k}
		if r.Drift.Against.Kind == rules.AgainstFixed {
			d.fixed = fixedBaseline(k.unit.score(r.Drift.Against.Value))
		}
		return d
	})
}

func (d *drift) specs() []windows.ViewSpec { return d.compareSpecs(d.weighed(d.unit.mirror)) }

// weighed is the view of scores on the rule's scale. Its window is that of the worst traces.
func (k *sequential) weighed(mirror bool) windows.ViewSpec {
	v := k.spec(time.Hour)
	v.Weigh = &windows.Scale{Min: k.Scale.Min, Max: k.Scale.Max, Mirror: mirror}
	v.Exemplars, v.LowIsWorse = true, !mirror
	return v
}

func (d *drift) read(g *windows.Group) (*evidence.Weights, int64) { return g.Pane() }

func (d *drift) ready(s *series) bool {
	if s.base != nil {
		return true
	}
	switch d.Drift.Against.Kind {
	case rules.AgainstFixed:
		s.base = d.fixed
	case rules.AgainstLast24h:
		if l := s.learner; l != nil && d.minute-l.began >= dayMinutes && l.n() >= evidence.BaselineN {
			d.seal(s, s, "")
		}
	case rules.AgainstSameHours:
		if h := s.hourly; h != nil {
			s.base = h.seal(d.minute, d.by)
		}
	default:
		if src := d.sourceOf(s); src != nil && src.learner != nil && src.learner.n() >= evidence.BaselineN {
			against := ""
			if d.Drift.Against.Kind == rules.AgainstPreviousVersion {
				against = src.version
			}
			d.seal(s, src, against)
		}
	}
	return s.base != nil
}

// seal makes the baseline of s from what src has learned, and for a total from what the cohorts of src have.
func (d *drift) seal(s, src *series, against string) {
	var cohorts []learned
	if len(s.cohort) == 0 && len(d.group.SliceBy) > 0 {
		for _, name := range slices.Sorted(maps.Keys(src.release.series)) {
			if c := src.release.series[name]; c != src && c.learner != nil {
				cohorts = append(cohorts, learned{name, c.learner.weights(), c.learner.n()})
			}
		}
	}
	whole := src.learner.weights()
	s.base = sealBaseline(&whole, cohorts, d.minute, against, d.by)
	s.source = nil
}

func (d *drift) start(s *series) { s.proof.Start(d.purse.Paid()) }

// learn keeps what baselines to come are sealed from.
func (d *drift) learn(s *series) {
	switch a := d.Drift.Against; a.Kind {
	case rules.AgainstFixed:
		return
	case rules.AgainstLast24h:
		if s.base != nil {
			s.learner = nil
			return
		}
	case rules.AgainstSameHours:
		if s.base != nil {
			s.hourly = nil
			return
		}
		if s.hourly == nil {
			s.hourly = &hourly{}
		}
		s.hourly.add(d.minute, s.pane)
		return
	case rules.AgainstVersion:
		if s.version != a.Name {
			return
		}
	case rules.AgainstVariant, rules.AgainstEnvironment:
		if s.release.side != compareSide {
			return
		}
	}
	if s.learner == nil {
		s.learner = &learner{}
	}
	s.learner.add(d.minute, s.pane)
}

// mix sorts the minute's scores of a series into the parts of its baseline.
func (d *drift) mix(s *series) {
	b := s.base
	d.parts, d.counts = d.parts[:0], append(d.counts[:0], make([]int64, len(b.parts))...)
	if b.index == nil {
		i := 0
		if b.hours > 0 {
			i = b.part(d.minute)
		}
		d.parts = append(d.parts, evidence.Part{Table: b.parts[i].table, Weights: s.pane})
		d.counts[i] = s.n
		return
	}
	d.sums = append(d.sums[:0], make([]evidence.Weights, len(b.parts))...)
	if s.dueAt == d.minute {
		for _, c := range s.due {
			if i := b.of(c.facing); i >= 0 {
				d.sums[i].Merge(c.pane)
			}
		}
	}
	for i := range d.sums {
		if d.counts[i] = d.sums[i].N(); d.counts[i] > 0 {
			d.parts = append(d.parts, evidence.Part{Table: b.parts[i].table, Weights: &d.sums[i]})
		}
	}
}

func (d *drift) add(s *series) (f finding, ok bool) {
	d.mix(s)
	if len(d.parts) == 0 {
		return f, false
	}
	a, ok := s.proof.Add(d.minute, d.purse.Paid(), d.parts...)
	if !ok {
		return f, false
	}
	b := s.base
	return finding{
		onset: a.Onset, since: a.Since, claim: d.claim(s, a.Onset), by: true, against: b.against, sealedAt: b.at, learned: b.n,
	}, true
}

// claim is what the scores since the onset are compared with: of a total by cohorts, or of hours, mixed as their numbers have been
// since.
func (d *drift) claim(s *series, onset int64) claim {
	b := s.base
	if b.hours > 0 {
		return b.mixed(d.hourlyCounts(s, onset))
	}
	if b.index == nil || !d.mayRead(len(b.cohorts)+1) {
		return b.mixed(nil)
	}
	counts := make([]int64, len(b.parts))
	count := func(c *series) int64 {
		return d.store.Between(d.query(c), d.Metric, minuteTime(onset), minuteTime(d.minute+1)).N
	}
	named := int64(0)
	for _, c := range s.release.series {
		if i, ok := b.index[c.facing]; ok && c != s && c.last >= onset {
			n := count(c)
			counts[i] += n
			named += n
		}
	}
	if b.rest >= 0 {
		counts[b.rest] = max(count(s)-named, 0)
	}
	return b.mixed(counts)
}

func (d *drift) follow(s *series) {
	if s.base == nil { // known from the records of its alert alone
		reference := d.unit.score(s.alert.last.reference)
		if math.IsNaN(reference) {
			return
		}
		s.stretch.add(d.minute, s.pane, s.n, float64(s.n)*reference)
		return
	}
	d.mix(s)
	for i := range s.base.parts {
		p := &s.base.parts[i]
		if n := d.counts[i]; n > 0 {
			w := s.pane
			if s.base.index != nil {
				w = &d.sums[i]
			}
			s.stretch.add(d.minute, w, n, float64(n)*p.mean)
		}
	}
}

func (d *drift) saveEvidence(dst []byte, s *series) []byte {
	if d.fixed == nil {
		dst = s.base.save(dst)
	}
	return s.proof.Save(dst)
}

func (d *drift) loadEvidence(r *reader, s *series) {
	s.base = d.fixed
	if d.fixed == nil {
		s.base = &baseline{}
		s.base.load(r, d.by)
	}
	r.evidence(s.proof.Load)
}
