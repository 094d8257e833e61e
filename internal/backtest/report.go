package backtest

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/rules"
)

// Report is what a replay came to, so far.
type Report struct {
	Events consumer.FeedCounts
	Dead   map[consumer.Reason]*Dead // what is not counted
	Lines  int64
	Lag    consumer.Lag

	Broken int // samples records that cannot be read; the daemon passes over them too

	Oldest, Newest time.Time // event time; zero before the first event
	Detected       detector.Counts
	Rules          []RuleReport // in the order of the set
	Prompts        map[string]bool
	Rubrics        map[string]bool

	place map[[2]string]int // of a rule, by its group and its name
}

// Dead is what is not counted for one reason.
type Dead struct {
	Events uint64
	First  consumer.Refusal // its offset is the line's number less one
}

// RuleReport is what became of a rule.
type RuleReport struct {
	Group                     *rules.Group
	Rule                      *rules.Rule
	Pending, Firing, Resolved int
	open                      map[string]opened // alerts by id that have not ended
	lasted                    time.Duration     // that alerts fired which have ended, together
	standing                  standing          // of one with a budget
}

// opened is an alert that has not ended.
type opened struct {
	step detector.RecordType
	at   time.Time
}

// Open counts the alerts that fire at the end, and those that wait for it.
func (r *RuleReport) Open() (pending, firing int) {
	for _, o := range r.open {
		if o.step == detector.Firing {
			firing++
		} else {
			pending++
		}
	}
	return pending, firing
}

// fired is how long alerts of the rule fired up to a time, all together.
func (r *RuleReport) fired(until time.Time) time.Duration {
	sum := r.lasted
	for _, o := range r.open {
		if o.step == detector.Firing {
			sum += max(until.Sub(o.at), 0)
		}
	}
	return sum
}

func newReport(set *rules.Set) *Report {
	r := &Report{Dead: map[consumer.Reason]*Dead{}, Prompts: map[string]bool{}, Rubrics: map[string]bool{}, place: map[[2]string]int{}}
	for i := range set.Groups {
		g := &set.Groups[i]
		for j := range g.Rules {
			r.place[[2]string{g.Name, g.Rules[j].Alert}] = len(r.Rules)
			r.Rules = append(r.Rules, RuleReport{Group: g, Rule: &g.Rules[j], open: map[string]opened{}})
		}
	}
	return r
}

// round takes what is known behind a round.
func (r *Report) round(j *job) {
	c, n := &r.Events, &j.fed.Counts
	c.Records += n.Records
	c.Samples += n.Samples
	c.Scores += n.Scores
	c.Promptless += n.Promptless
	c.NoCalls += n.NoCalls
	for _, bad := range j.fed.Refused {
		d := r.Dead[bad.Reason]
		if d == nil {
			d = &Dead{First: bad}
			r.Dead[bad.Reason] = d
		}
		d.Events++
	}
	r.Lines, r.Oldest, r.Newest, r.Lag = j.end.line, j.end.oldest, j.end.newest, j.end.lag
}

func (r *Report) steps(steps []detector.Record) {
	for i := range steps {
		s := &steps[i]
		at, ok := r.place[[2]string{s.Group, s.Rule}]
		if !ok {
			continue
		}
		switch rule := &r.Rules[at]; s.Type {
		case detector.Pending:
			rule.Pending++
			rule.open[s.ID] = opened{s.Type, s.Time}
		case detector.Firing:
			if rule.open[s.ID].step != detector.Firing { // else it has become worse
				rule.Firing++
				rule.open[s.ID] = opened{s.Type, s.Time}
			}
		case detector.Resolved:
			rule.Resolved++
			if o := rule.open[s.ID]; o.step == detector.Firing {
				rule.lasted += s.Time.Sub(o.at)
			}
			delete(rule.open, s.ID)
		}
	}
}

// judged takes what the partitions of a worker have counted, when it has ended.
func (r *Report) judged(w *worker) {
	for _, p := range w.partitions {
		n, c := p.Counts(), &r.Detected
		c.Samples += n.Samples
		c.Values += n.Values
		c.Late += n.Late
		c.TooLate += n.TooLate
		c.Other += n.Other
		c.Dropped += n.Dropped
		c.Ticks += n.Ticks
		c.Steps += n.Steps
		for _, st := range p.Status() {
			if at, ok := r.place[[2]string{st.Group, st.Rule}]; ok {
				r.Rules[at].standing.add(&st)
			}
		}
	}
	for name := range w.prompts {
		r.Prompts[name] = true
	}
	for name := range w.rubrics {
		r.Rubrics[name] = true
	}
}

// Refused is the number of events, or whole lines, that are not counted.
func (r *Report) Refused() (n uint64) {
	for _, d := range r.Dead {
		n += d.Events
	}
	return n
}

// Unheard says why a rule cannot have had anything to judge; empty where it may have had.
func (r *Report) Unheard(at int) string {
	rule := &r.Rules[at]
	seen := false
	for prompt := range r.Prompts {
		seen = seen || rules.Glob(rule.Group.Match["prompt"], prompt)
	}
	switch metric := rule.Rule.Metric; {
	case len(r.Prompts) == 0:
		return ""
	case rule.Group.Match["prompt"] != "" && !seen:
		return "no prompt of the events matches " + rule.Group.Match["prompt"]
	case rule.Rule.Rubric && !r.Rubrics[metric]:
		return "no event has a score on " + metric
	case rule.Rule.ScoredOn != "" && !r.Rubrics[rule.Rule.ScoredOn]:
		return "no event has a score on " + rule.Rule.ScoredOn
	}
	return ""
}

// reasons are those of what is not counted, the most frequent first.
func (r *Report) reasons() []consumer.Reason {
	return slices.SortedFunc(maps.Keys(r.Dead), func(a, b consumer.Reason) int {
		return cmp.Or(cmp.Compare(r.Dead[b].Events, r.Dead[a].Events), cmp.Compare(a, b))
	})
}
