package detector

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

const (
	nearOnset   = 30 * time.Minute // what changed within it of the turn is told
	afterwards  = 10 * time.Minute // and may be the cause when it came no later than this: the turn is an estimate
	shortBefore = 3 * time.Hour    // what is compared with, where it holds enough values; else the day that the windows hold
	enoughShort = 300
	quarter     = 15 * time.Minute // length of the panes behind the last hour
	maxVersions = 20               // other versions that are looked at, the first by name
	maxPrompts  = 20               // versions of other prompts that can be judged
	maxOnModel  = 200              // and that are looked at for it, the first by name
	maxReads    = 100_000          // of a cell over a stretch, for all alerts of a minute: about half a second; see illustrateReads
)

// inquiry finds out why an alert fires. It reads the windows and the axes at the tick of the firing step, and keeps nothing.
type inquiry struct {
	*engine
	rule      *rule
	rec       *Record
	direction float64 // of the mean: −1 down, 1 up
	relative  bool    // moves of different sets are compared as shares of where they started
	unit      rules.Rule

	turn          time.Time // when the values began to move, as far as can be told
	before, after sided     // the version's own comparison
	scope, focus  map[string]string
	where         map[string]string // scope, and what the rule matches by a plain value
	rows          []row             // of all its cohorts
	effect        move              // in focus
	found         []portion
	changed       []Changed
	versions      []other // of the prompt, beside the alert's
	prompts       []other // versions of other prompts on the model, as far as they can be judged
	clues         clues
	reads         int
}

// explain fills in why a rule's alert fires, where the rule watches the values of a version: what changed near the onset, which cohorts
// make up the change, whether others moved, and the likely cause. What is compared are means, whatever the rule's statistic.
//
// It costs a few reads of the windows for each tuple of dimension values, and for each other version and prompt; see maxTuples,
// maxVersions and maxPrompts for how many of them. The reads are counted: where the alerts of a minute before this one, in the order of
// their records, have left none, the cause is unclear.
func (e *engine) explain(r *rule, at side, rec *Record, left int) (reads int) {
	if !watchesValues(r) || rec.Version == "" {
		return 0
	}
	if left <= 0 {
		rec.Cause, rec.Because = CauseUnclear, []string{"more alerts began in this minute than are looked into"}
		return 0
	}
	q := inquiry{engine: e, rule: r, rec: rec, direction: 1, scope: maps.Clone(rec.Cohort), unit: rules.Rule{Metric: r.Metric, Rubric: r.Rubric}}
	if at == under && r.Exceed == nil || r.Exceed != nil && r.Exceed.Below {
		q.direction = -1
	}
	q.relative = !r.Rubric && r.Metric != windows.Error && r.Metric != windows.Fallback
	delete(q.scope, "variant")
	q.where = maps.Clone(q.scope)
	for _, name := range e.dims {
		if pattern, ok := r.group.Match[name]; ok && literal(pattern) {
			if q.where == nil {
				q.where = make(map[string]string)
			}
			q.where[name] = pattern
		}
	}
	q.turn = *rec.Onset
	if r.Threshold != nil {
		q.turn = q.turning(r.Threshold.Window)
	}
	q.compare(r.Canary != nil)
	q.locate()
	q.lookAround()
	q.lookElsewhere()
	rec.Model = e.axes.model(rec.Prompt, rec.Version)
	rec.Changed = q.changed
	rec.OtherVersionsMoved = slices.ContainsFunc(q.versions, func(o other) bool { return o.motion == moved })
	for i := range q.found {
		rec.ExplainedBy = append(rec.ExplainedBy, Explained{Cohort: q.found[i].cohort, Share: math.Round(q.found[i].share*1000) / 1000})
	}
	rec.Cause = decide(q.clues)
	rec.Because = q.because()
	return q.reads
}

// watchesValues tells rules about the values of calls from those about how many there are, and from advisory ones.
func watchesValues(r *rule) bool {
	switch {
	case r.Drift != nil, r.Canary != nil, r.Exceed != nil:
		return true
	case r.Threshold == nil || r.Metric == windows.LinkCoverage || r.Metric == windows.ScoreCoverage:
		return false
	}
	kind := r.Threshold.Stat.Kind
	return kind != rules.Sum && kind != rules.Count
}

// turning estimates when the mean of the alert's cohort turned, for a rule that only says when its window had had enough of it: the
// split into two means that fits best by least squares (Hinkley, Inference About the Change-Point in a Sequence of Random Variables,
// Biometrika 57, 1970), among the ends of panes inside the window of the first breach.
func (q *inquiry) turning(window time.Duration) time.Time {
	breach := *q.rec.Onset
	from := breach.Add(-window - max(window, time.Hour))
	minutes := q.now.Add(-time.Hour + quarter - 1).Truncate(quarter) // from here on minutes can be read
	var ends []time.Time
	for t := from.Truncate(quarter); t.Before(q.now); {
		if t.Before(minutes) {
			t = t.Add(quarter)
		} else {
			t = t.Add(time.Minute)
		}
		ends = append(ends, t)
	}
	sums := make([]windows.Moments, len(ends)) // up to each end
	begin, total := from.Truncate(quarter), windows.Moments{}
	for i, end := range ends {
		total = plus(total, q.read(q.rec.Version, span{begin, end}))
		sums[i], begin = total, end
	}
	best, gain := breach.Add(-window), 0.0
	for i, end := range ends {
		if end.Before(breach.Add(-window)) || end.After(breach) {
			continue
		}
		a, b := sums[i], windows.Moments{N: total.N - sums[i].N, Sum: total.Sum - sums[i].Sum}
		if a.N == 0 || b.N == 0 {
			continue
		}
		d := (meanOf(b) - meanOf(a)) * q.direction
		if g := float64(a.N) * float64(b.N) * d * d; d > 0 && g > gain {
			best, gain = end, g
		}
	}
	return best
}

// read reads the alert's cohort of a version of its prompt.
func (q *inquiry) read(version string, s span) windows.Moments {
	q.reads++
	return q.store.Between(windows.Query{Prompt: q.rec.Prompt, Version: version, Cohort: q.where}, q.rec.Metric, s.from, s.to)
}

// until is the stretch before end that a version's values are taken from.
func (q *inquiry) until(version string, end time.Time) sided {
	s := sided{version: version, span: span{end.Add(-shortBefore), end}}
	if q.read(version, s.span).N < enoughShort {
		s.from = end.Add(-day)
	}
	return s
}

func (q *inquiry) since(version string, from time.Time) sided {
	return sided{version: version, span: span{from, q.now}}
}

// compare decides with what the version's values are compared: with the other side of a canary in the same minutes; where the version
// came with the change, with those of the version before; else with its own before the turn. A version that was bad from its first
// minute came with the change however late that was seen; one that was fine at first did not.
func (q *inquiry) compare(canary bool) {
	v := q.rec.Version
	q.before, q.after = q.until(v, q.turn), q.since(v, q.turn)
	if a := q.rec.Against; canary && a != nil && (a.Version != "" || a.Variant != "") {
		q.clues.beside, q.before = true, q.since(a.Version, q.turn)
		if q.before.compared = a.Variant != ""; q.before.compared {
			own := q.store.Between(windows.Query{Prompt: q.rec.Prompt, Version: v, Cohort: map[string]string{"variant": a.Variant}}, q.rec.Metric, q.turn, q.now)
			q.clues.within = own.N >= fewValues
		}
		return
	}
	first, _ := q.store.Span(q.rec.Prompt, v)
	came, prev := first.Truncate(time.Minute), q.rec.Previous
	youth := span{came, q.turn}
	for _, c := range q.axes.changes(q.rec.Prompt, v, q.turn.Add(-nearOnset), q.turn.Add(afterwards)) {
		if at := c.Time; c.Axis == axisVersion && at.After(came) {
			came, prev = at, c.From // it took over, and what it does now it may not have done before
		}
	}
	if prev == "" || came.Before(q.now.Add(-day)) {
		return
	}
	was := q.until(prev, came)
	turn := q.turn
	if turn.Before(came) {
		turn = came
	}
	rows := q.table(q.rec.Prompt, was, q.since(v, turn), nil)
	focus := q.focusOf(rows, portions(q.dims, rows, q.direction, q.scope))
	effect := moveOf(within(q.dims, rows, focus))
	if effect.thin() {
		return // nothing is known of the version before
	}
	near := turn.Sub(came) <= nearOnset
	early := moveOf(q.table(q.rec.Prompt, was, sided{version: v, span: span{youth.from, earlier(youth.from.Add(quarter), youth.to)}}, focus))
	how := early.beside(&effect, q.relative)
	if how == unknown {
		early = moveOf(q.table(q.rec.Prompt, was, sided{version: v, span: youth}, focus))
		how = early.beside(&effect, q.relative)
	}
	switch {
	case early.after.N < fewValues, how == moved, how == unknown && near:
	case near && !effect.real(q.direction) && !q.ownMove().real(q.direction): // it came and is no worse, which is worth saying
	default:
		return
	}
	q.clues.began, q.turn, q.before, q.after = true, came, was, q.since(v, came)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// ownMove is how the version's values in the alert's cohort moved at the turn.
func (q *inquiry) ownMove() *move {
	m := moveOf(q.table(q.rec.Prompt, q.before, q.after, q.scope))
	return &m
}

func within(names []string, rows []row, cohort map[string]string) []row {
	if len(cohort) == 0 {
		return rows
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return !describes(cohort, names, r.dims) })
}

func (q *inquiry) outside(rows []row, cohort map[string]string) []row {
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return describes(cohort, q.dims, r.dims) })
}

// focusOf is where the change is: the cohort that makes up most of it, else that of the alert where the others stood, else everywhere,
// which is nil.
func (q *inquiry) focusOf(rows []row, found []portion) map[string]string {
	if len(found) > 0 && found[0].explains() && overlap(found[0].cohort, q.scope) {
		return found[0].cohort
	}
	if len(q.scope) > 0 {
		own := moveOf(within(q.dims, rows, q.scope))
		if rest := q.outside(rows, q.scope); len(rest) == 0 || tooThin(rest) || still(rest, &own) {
			return q.scope
		}
	}
	return nil
}

// locate finds the cohorts that make up the change, and how great it is where it is.
func (q *inquiry) locate() {
	q.rows = q.table(q.rec.Prompt, q.before, q.after, nil)
	q.found = portions(q.dims, q.rows, q.direction, q.scope)
	q.focus = q.focusOf(q.rows, q.found)
	q.effect = moveOf(within(q.dims, q.rows, q.focus))
	certainty := float64(errorsAway)
	if q.rule.Threshold != nil && !q.clues.began {
		certainty = errorsChosen // the turn was chosen so that the effect is great
	}
	q.clues.real = q.effect.surely(q.direction, certainty)
	q.clues.cohort = len(q.found) > 0 && q.found[0].explains() && overlap(q.found[0].cohort, q.scope) && q.found[0].own.surely(q.direction, errorsFound)
	m := moveOf(within(q.dims, q.rows, q.scope))
	whole := (m.rate + m.mix) * q.direction
	q.clues.mix = !q.clues.cohort && !m.thin() && whole > 0 && m.mix*q.direction >= whole/2 && whole >= errorsAway*m.se
}

// lookAround finds what changed on the axes near the turn.
func (q *inquiry) lookAround() {
	v := q.rec.Version
	q.changed = q.axes.changes(q.rec.Prompt, v, q.turn.Add(-nearOnset), q.turn.Add(nearOnset))
	for _, c := range q.changed {
		if c.Time.After(q.turn.Add(afterwards)) {
			continue
		}
		q.clues.model = q.clues.model || c.Axis == axisModel
		q.clues.edited = q.clues.edited || c.Axis == "template_hash"
		q.clues.fallback = q.clues.fallback || c.Axis == axisFallback
	}
	if q.clues.began && !slices.ContainsFunc(q.changed, func(c Changed) bool { return c.Axis == axisVersion }) {
		q.changed = append(q.changed, Changed{Axis: axisVersion, From: q.rec.Previous, To: v, Time: q.turn})
	}
	away := func(c Changed) time.Duration { return c.Time.Sub(q.turn).Abs() }
	slices.SortStableFunc(q.changed, func(a, b Changed) int {
		return cmp.Or(cmp.Compare(away(a), away(b)), cmp.Compare(a.Axis, b.Axis), cmp.Compare(a.To, b.To))
	})
}
