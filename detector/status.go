package detector

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/rules"
)

// RuleStatus is where a rule with a false-alarm budget stands.
type RuleStatus struct {
	Group       string         `json:"group"`
	Rule        string         `json:"rule"`
	Kind        string         `json:"kind"` // drift, canary or exceed
	Metric      string         `json:"metric"`
	FalseAlarms string         `json:"false_alarms"`   // the budget, such as 1/30d
	Known       int            `json:"known"`          // series that the rule keeps
	Watched     int            `json:"watched"`        // series that the budget is shared by in this partition
	Learning    int            `json:"learning"`       // series that have no baseline yet
	Firing      int            `json:"firing"`         // series whose alert fires
	Series      []SeriesStatus `json:"series"`         // the worst first: those that fire, then by evidence, then those that learn
	More        int            `json:"more,omitempty"` // series that are left out

	order int // the rule's place in the set
}

// SeriesStatus is where one series of a rule stands. Values are in the metric's unit.
type SeriesStatus struct {
	Prompt  string            `json:"prompt"`
	Version string            `json:"version,omitempty"`
	Cohort  map[string]string `json:"cohort,omitempty"`
	State   SeriesState       `json:"state"`
	Last    time.Time         `json:"last"` // end of the newest minute with scores

	// While it learns: scores that its baseline could be sealed from, how many it takes, and the time that it takes at least. Of a
	// series that is alone they are its own, for the version after it.
	Learned   int64      `json:"learned,omitempty"`
	Needed    int64      `json:"needed,omitempty"`
	NotBefore *time.Time `json:"not_before,omitempty"`

	// What it is compared with: mean and bound are those of the baseline, of a total its cohorts' together.
	Against   *Against `json:"against,omitempty"`
	Reference *float64 `json:"reference,omitempty"`
	Bound     *float64 `json:"bound,omitempty"` // the mean may be this before anything counts as evidence

	Evidence   float64     `json:"evidence"`             // from 0, nothing, to 1, an alarm
	Detectable *float64    `json:"detectable,omitempty"` // the smallest change of the mean that would be seen within a day at the last hour's rate, about
	Clamped    int64       `json:"clamped,omitempty"`    // values outside the range, counted as its end
	Difference *Difference `json:"difference,omitempty"` // of a canary

	series *series
}

// SeriesState is a closed set.
type SeriesState string

const (
	StateLearning SeriesState = "learning" // what it is compared with is known, but not well enough yet
	StateAlone    SeriesState = "alone"    // there is nothing to compare it with: no version before it, or no scores there
	StateWatching SeriesState = "watching"
	StateResting  SeriesState = "resting" // it has had no scores for days, and has no share in the budget
	StateFiring   SeriesState = "firing"
)

// Difference compares two sides that serve at the same time. Its interval is right at any time that one looks, at 95 %.
type Difference struct {
	Low     float64 `json:"low"` // of this side's mean less the other's
	High    float64 `json:"high"`
	Verdict string  `json:"verdict"`        // better, worse or undecided
	More    int64   `json:"more,omitempty"` // scores of both sides that it takes to decide, about; 0 when there is no telling
	Samples int64   `json:"samples"`        // of this side
	Others  int64   `json:"others"`         // of the other side
}

// maxStatus is how many series of a rule are told.
const maxStatus = 200

// Status is where every rule with a budget stands after the newest tick. It is for the partition's goroutine; see Worker.Status.
func (p *Partition) Status() []RuleStatus {
	var out []RuleStatus
	for _, r := range p.engine.rules {
		if k := sequentialOf(r.kind); k != nil {
			out = append(out, k.status())
		}
	}
	return out
}

func sequentialOf(k kind) *sequential {
	s, _ := k.(*sequential)
	return s
}

func (k *sequential) status() RuleStatus {
	budget, _ := k.Budget()
	st := RuleStatus{
		Group: k.group.Name, Rule: k.Alert, Kind: k.Kind(), Metric: k.Metric, FalseAlarms: budget.String(),
		Known: k.register.n, Watched: k.register.watched, Firing: len(k.firing), order: k.order, Series: []SeriesStatus{},
	}
	var worst []standing
	for _, rel := range k.releases {
		for _, s := range rel.series {
			if !s.judged {
				continue
			}
			one := standing{series: s, state: k.stateOf(s)}
			switch {
			case one.state == StateLearning:
				st.Learning++
			case one.state == StateAlone:
			case s.pair != nil:
				one.evidence = s.pair.proof.M()
			default:
				one.evidence = s.proof.M()
			}
			if worst = append(worst, one); len(worst) == 8*maxStatus { // most of 100,000 need never be put in order
				worst = cutStandings(worst, &st.More)
			}
		}
	}
	for _, one := range cutStandings(worst, &st.More) {
		st.Series = append(st.Series, SeriesStatus{
			Prompt: one.prompt, Version: one.version, State: one.state, Evidence: one.evidence, Last: minuteTime(one.last + 1),
			Clamped: one.clamped, series: one.series,
		})
	}
	for i := range st.Series {
		one := &st.Series[i]
		k.tell(one.series, one)
		for i, v := range one.series.cohort {
			if one.Cohort == nil {
				one.Cohort = make(map[string]string)
			}
			one.Cohort[k.group.SliceBy[i]] = v
		}
		one.series = nil
	}
	return st
}

// standing is how a series compares with others.
type standing struct {
	*series
	state    SeriesState
	evidence float64
}

// cutStandings puts the worst first and leaves out what is too much.
func cutStandings(all []standing, more *int) []standing {
	slices.SortFunc(all, func(a, b standing) int {
		return cmp.Or(cmp.Compare(stateRank[a.state], stateRank[b.state]), cmp.Compare(b.evidence, a.evidence),
			cmp.Compare(a.prompt, b.prompt), cmp.Compare(a.version, b.version), cmp.Compare(a.name, b.name))
	})
	if n := len(all); n > maxStatus {
		all, *more = all[:maxStatus], *more+n-maxStatus
	}
	return all
}

func (k *sequential) stateOf(s *series) SeriesState {
	switch {
	case s.alert != nil:
		return StateFiring
	case s.watched:
		return StateWatching
	case s.begun() || k.Exceed != nil:
		return StateResting
	case k.own() || k.sourceOf(s) != nil:
		return StateLearning
	}
	return StateAlone
}

// own says that a series is compared with what it was itself.
func (k *sequential) own() bool {
	a := k.Against().Kind
	return a == rules.AgainstLast24h || a == rules.AgainstSameHours
}

var stateRank = map[SeriesState]int{StateFiring: 0, StateWatching: 1, StateLearning: 2, StateAlone: 3, StateResting: 4}

// rank puts the worst series first, and leaves out what is too much.
func (st *RuleStatus) rank() {
	slices.SortStableFunc(st.Series, func(a, b SeriesStatus) int {
		return cmp.Or(cmp.Compare(stateRank[a.State], stateRank[b.State]), cmp.Compare(b.Evidence, a.Evidence))
	})
	if n := len(st.Series); n > maxStatus {
		st.Series, st.More = st.Series[:maxStatus], st.More+n-maxStatus
	}
}

// merge adds what another partition says of the same rule.
func (st *RuleStatus) merge(o *RuleStatus) {
	st.Known, st.Watched, st.Learning, st.Firing = st.Known+o.Known, st.Watched+o.Watched, st.Learning+o.Learning, st.Firing+o.Firing
	st.Series, st.More = append(st.Series, o.Series...), st.More+o.More
	st.rank()
}

// against is what s is compared with, and the baseline where there is one.
func (k *sequential) against(version string, b *baseline) *Against {
	if k.head.Against == nil {
		return nil
	}
	a := *k.head.Against
	a.Version = cmp.Or(version, a.Version)
	if b != nil && b.at != 0 {
		sealed := minuteTime(b.at)
		a.Sealed, a.Samples = &sealed, b.n
	}
	return &a
}

// detectable is the smallest change that is seen within a day at the last hour's rate; nil where there is none, or no scores.
func (k *sequential) detectable(s *series, p evidence.Power) *float64 {
	g := k.sides[watchSide].Find(s.prompt, s.version, s.cohort)
	if g == nil || g.Count() == 0 || k.register.watched == 0 {
		return nil
	}
	p.N, p.B = float64(g.Count())/60, k.budget/float64(k.register.watched)
	return known(p.Smallest(dayMinutes) * (k.unit.max - k.unit.min))
}

func (d *drift) tell(s *series, st *SeriesStatus) {
	b := s.base
	if b == nil {
		d.tellLearning(s, st)
		return
	}
	c := b.mixed(nil)
	mean, bound := d.unit.value(c.mean), d.unit.value(c.bound)
	st.Against, st.Reference, st.Bound = d.against(b.against, b), &mean, &bound
	sd := math.Sqrt(c.mean * (1 - c.mean))
	if n := b.n; n > 0 {
		sd = min(sd, math.Sqrt(c.variance*float64(n)))
	}
	if st.State == StateWatching {
		power := evidence.Power{M: c.bound, Mean: c.mean, SD: sd}
		if d.fixed == nil { // else the bets are not aimed
			power.By = d.by(c.mean)
		}
		st.Detectable = d.detectable(s, power)
	}
}

// tellLearning says how far the baseline of a series is.
func (d *drift) tellLearning(s *series, st *SeriesStatus) {
	src, version := s, ""
	if st.State == StateLearning && !d.own() {
		if src = d.sourceOf(s); d.Drift.Against.Kind == rules.AgainstPreviousVersion {
			version = src.version
		}
	}
	st.Against = d.against(version, nil)
	if h := src.hourly; h != nil {
		at := minuteTime(h.began + (h.tried+1)*dayMinutes)
		st.Learned, st.Needed, st.NotBefore = h.seen.N(), evidence.BaselineN*evidence.Hours/4, &at
	}
	if l := src.learner; l != nil {
		st.Learned, st.Needed = l.n(), evidence.BaselineN
		if d.Drift.Against.Kind == rules.AgainstLast24h {
			at := minuteTime(l.began + dayMinutes)
			st.NotBefore = &at
		}
	}
}

func (x *exceed) tell(s *series, st *SeriesStatus) {
	allowed, bound := x.Exceed.Share, 1-x.table.M()
	st.Reference, st.Bound = &allowed, &bound
	if st.State == StateWatching {
		st.Detectable = x.detectable(s, evidence.Power{M: x.table.M(), Mean: 1 - allowed, SD: math.Sqrt(allowed * (1 - allowed)), By: min(allowed, 1-allowed)})
	}
}

// lookAlpha is the chance that the interval of a difference is ever wrong.
const lookAlpha = 0.05

func (c *canary) tell(s *series, st *SeriesStatus) {
	p := s.pair
	if p == nil {
		st.Against = c.against("", nil)
		return
	}
	st.Against = c.against(p.against, nil)
	if p.look.NY > 0 {
		mean := c.unit.value(p.look.SumY / float64(p.look.NY))
		st.Reference = &mean
	}
	span := c.unit.max - c.unit.min
	low, high := p.look.Interval(lookAlpha)
	if c.unit.mirror {
		low, high = -high, -low
	}
	d := &Difference{Low: low * span, High: high * span, Samples: p.look.NX, Others: p.look.NY}
	v, more := p.look.Decide(lookAlpha)
	d.More = more
	switch d.Verdict = "undecided"; {
	case v == evidence.Undecided:
	case (v == evidence.Better) == (c.LowerIsBetter == c.Canary.Rise):
		d.Verdict = "better"
	default:
		d.Verdict = "worse"
	}
	st.Difference = d
}
