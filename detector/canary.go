package detector

import (
	"math"
	"slices"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// canary tests whether a version or variant is worse than one that serves at the same time. A bad day moves both, and is no
// evidence; so there is no baseline, and nothing to learn.
//
// Scores count by the minutes that both sides have some of. What one of the new side has alone waits for the other, as long and
// as many as pairWait and pairScores say; what the other has alone is passed over. That is decided by numbers and never by scores, as the budget
// asks. The total of a sliced rule is one pair like any other: two sides that get their calls at random have the same mixture of
// cohorts.
//
// Beside the test there is the comparison itself, for those who only want to look: an interval of the difference that may be
// read at any time, also while an alert fires.
type canary struct {
	*sequential
	asked struct { // the versions of a prompt, asked for in a minute
		prompt   string
		minute   int64
		versions []string
	}
}

// pairing is a series and the one beside it.
type pairing struct {
	proof   evidence.Canary
	look    evidence.Difference
	against string           // version of the other side
	wait    evidence.Weights // scores without counterpart
	since   int64            // minute of the first of them; 0 where none waits
	paired  int64            // newest minute that both sides have had a part in
}

// pairWait is how many minutes scores wait for the other side, and pairScores how many do, the oldest given up for the newest. What is
// far apart in time is not compared, and a bad time in which the other side has no scores is no evidence when it is back:
// of few scores it is not enough for an alarm, and who has many in a minute need not wait.
const (
	pairWait   = 60
	pairScores = 30
)

func newCanary(r *rule, s *windows.Store) kind {
	return newSequential(r, s, func(k *sequential) test {
		k.unit = unit{r.Scale.Min, r.Scale.Max, r.Canary.Rise}
		if k.worse = under; r.Canary.Rise {
			k.worse = over
		}
		return &canary{sequential: k}
	})
}

func (c *canary) specs() []windows.ViewSpec { return c.compareSpecs(c.weighed(c.unit.mirror)) }

func (c *canary) read(g *windows.Group) (*evidence.Weights, int64) { return g.Pane() }

// ready tells whether the other side has served within a day: only then there is a budget to spend.
func (c *canary) ready(s *series) bool {
	src := c.sourceOf(s)
	return src != nil && c.minute-src.last < dayMinutes
}

func (c *canary) start(s *series) {
	src := c.sourceOf(s)
	if src == nil {
		return
	}
	if s.pair == nil || s.pair.against != src.version {
		s.pair = &pairing{against: src.version}
	}
	s.pair.proof.By = c.aim()
	s.pair.proof.Start(c.purse.Paid())
	s.pair.paired = c.minute
}

// aim is the change that half of the money is on; 0 where the rule counts it in shares of a mean that is not known before.
func (c *canary) aim() float64 {
	if c.Canary.By.Percent {
		return 0
	}
	return c.by(0)
}

// waiting are the series without scores in this minute of which earlier ones wait, in an order that a restart does not change.
func (k *sequential) waiting() (more []*series) {
	if !slices.IsSortedFunc(k.wait, compareSeries) {
		slices.SortFunc(k.wait, compareSeries)
	}
	k.wait = slices.Compact(k.wait) // one may have been paired anew
	left := k.wait[:0]
	for _, s := range k.wait {
		switch {
		case s.gone || s.pair == nil || s.pair.since == 0: // no longer
		case k.minute-s.pair.since >= pairWait: // also of one that has new scores each minute
			s.pair.wait, s.pair.since = evidence.Weights{}, 0
		case s.last == k.minute:
			left = append(left, s)
		default:
			left = append(left, s)
			more = append(more, s)
		}
	}
	k.wait = left
	return more
}

// pairUp gives the scores of both sides that are compared in this minute; ok is false while one has none.
func (c *canary) pairUp(s *series) (x, y *evidence.Weights, ok bool) {
	src, p := c.sourceOf(s), s.pair
	if src == nil || p == nil {
		return nil, nil, false
	}
	if src.version != p.against { // the rule compares with another version now
		c.start(s)
		p = s.pair
	}
	if src.last != c.minute {
		c.keep(s)
		return nil, nil, false
	}
	if x = s.pane; p.since != 0 {
		waited := p.wait
		waited.Merge(x)
		x, p.wait, p.since = &waited, evidence.Weights{}, 0
	}
	if x.N() == 0 {
		return nil, nil, false
	}
	p.paired = c.minute
	p.look.Add(x, src.pane)
	return x, src.pane, true
}

// keep lets the minute's scores of a series wait, if there are some and not too many.
func (c *canary) keep(s *series) {
	p := s.pair
	waits := p.since != 0
	if p.wait.N()+s.n > pairScores {
		p.wait, p.since = evidence.Weights{}, 0
	}
	if s.n == 0 || s.n > pairScores {
		return
	}
	if p.since == 0 {
		p.since = c.minute
		if !waits {
			c.wait = append(c.wait, s)
		}
	}
	p.wait.Merge(s.pane)
}

func (c *canary) add(s *series) (f finding, ok bool) {
	x, y, ok := c.pairUp(s)
	if !ok {
		return f, false
	}
	a, ok := s.pair.proof.Add(0, c.minute, x, y, c.purse.Paid())
	if !ok {
		return f, false
	}
	f = finding{onset: a.Onset, since: a.Since, claim: c.beside(s, a.Onset), by: true}
	if c.Canary.Against.Kind == rules.AgainstPreviousVersion {
		f.against = s.pair.against
	}
	return f, true
}

// beside is what the other side gave since the onset: of minutes in the last hour, of quarters of an hour before. Where too many
// alarms come in one minute it is all that was compared so far.
func (c *canary) beside(s *series, onset int64) claim {
	src := c.sourceOf(s)
	var m windows.Moments
	for _, version := range c.versions(src) {
		if !c.mayRead(1) {
			m = windows.Moments{}
			break
		}
		q := c.query(src)
		q.Version = version
		one := c.store.Between(q, c.Metric, minuteTime(onset), minuteTime(c.minute+1))
		m.N, m.Sum, m.Squares = m.N+one.N, m.Sum+one.Sum, m.Squares+one.Squares
	}
	look := &s.pair.look
	if m.N == 0 {
		mean := look.SumY / float64(look.NY)
		return claim{mean: mean, bound: mean, variance: mean * (1 - mean) / float64(look.NY)}
	}
	n, span := float64(m.N), c.unit.max-c.unit.min
	mean := m.Sum / n
	variance := max(0, m.Squares/n-mean*mean) / (span * span)
	mean = min(max(c.unit.score(mean), 0), 1)
	return claim{mean: mean, bound: mean, variance: min(variance, 0.25) / n}
}

// versions are those that src has the scores of.
func (c *canary) versions(src *series) []string {
	if c.Canary.Against.Kind != rules.AgainstVariant {
		return []string{src.version}
	}
	if c.asked.prompt != src.prompt || c.asked.minute != c.minute { // it is not cheap, and many ask at once
		c.asked.prompt, c.asked.minute, c.asked.versions = src.prompt, c.minute, nil
		for _, v := range c.store.Versions(src.prompt) {
			c.asked.versions = append(c.asked.versions, v.Version)
		}
	}
	return c.asked.versions
}

func (c *canary) learn(*series) {}

func (c *canary) follow(s *series) {
	x, y, ok := c.pairUp(s)
	if ok {
		s.stretch.add(c.minute, x, y.N(), y.Sum())
		return
	}
	if s.pair != nil || math.IsNaN(s.alert.last.reference) {
		return
	}
	// Known from the records of its alert alone.
	s.stretch.add(c.minute, s.pane, s.n, float64(s.n)*c.unit.score(s.alert.last.reference))
}

func (c *canary) saveEvidence(dst []byte, s *series) []byte {
	p := s.pair
	dst = windows.AppendKey(p.look.Save(p.proof.Save(dst)), p.against)
	return p.wait.Append(appendInts(dst, p.since, p.paired))
}

func (c *canary) loadEvidence(r *reader, s *series) {
	p := &pairing{}
	p.proof.By = c.aim()
	r.evidence(p.proof.Load)
	r.evidence(p.look.Load)
	p.against, p.since, p.paired = r.text(), r.varint(), r.varint()
	r.weights(&p.wait)
	s.pair = p
	if p.since != 0 {
		c.wait = append(c.wait, s)
	}
}
