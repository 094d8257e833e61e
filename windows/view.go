package windows

import (
	"slices"
	"time"
)

// ViewSpec asks for the windows of one metric over cohorts.
type ViewSpec struct {
	Metric     string                                           // built-in, a rubric, Volume (Count is calls), LinkCoverage or ScoreCoverage
	Rubric     string                                           // of ScoreCoverage: whose scores count; "" is the rubric with the most of them
	Window     time.Duration                                    // whole minutes up to 1 h, quarters of an hour up to 24 h
	By         []string                                         // dimensions that make groups; empty: only the total
	Total      bool                                             // also one group for the whole prompt version
	Match      func(prompt, version string, dims []string) bool // dims in the order of Options; nil takes all
	Quantiles  bool                                             // Quantile, Min or Max will be read; of values alone
	Exemplars  bool                                             // worst traces will be asked for; of values alone
	LowIsWorse bool                                             // which end they come from

	AllVersions bool     // a group has the cells of all versions of the prompt that match, and Version is empty
	Weigh       *Scale   // Pane will be read; of values alone
	Over        *float64 // PaneOver will be read; of values alone
	Axes        bool     // PaneAxes will be read
}

// Scale maps values to [0,1].
type Scale struct {
	Min, Max float64 // Min < Max
	Mirror   bool    // Max is 0 and Min is 1
}

// View keeps the windows of one metric for every group of cells that its spec makes. Counts and sums are kept running, a
// pane at a time; quantiles are merged when read.
type View struct {
	spec   ViewSpec
	store  *Store
	of     measure
	metric uint16 // of ofScores: the rubric, 0 for any
	window int64  // minutes
	by     []int  // positions of spec.By in Options.Dimensions
	groups []*Group
	index  map[string]*Group

	weigh, over int        // of Store.gauges, or noGauge
	sealed      int64      // end of the minute that fresh is of
	fresh       freshPanes // of the minute sealed last
}

// Group is one window of a view: the cells of a prompt version that share the values of the view's dimensions; of LinkCoverage
// and with AllVersions those of all versions of the prompt, and Version is empty.
type Group struct {
	Prompt, Version string
	Cohort          []string // values in the order of the spec's By; nil is the total
	State           any      // the caller's; a group with State is never dropped
	Memo            any      // the caller's too; it does not keep the group

	view   *View
	key    string
	cells  []*cell // by id
	n      int64
	sum    Sum
	scores []tally // of ofScores
	agg    aggregate
	sealed int64 // end of the last minute with a pane that was sealed in its time
	place  int32 // in view.fresh, if that is of this minute
}

// SetViews replaces all views by one for each spec, filled from the panes held.
func (s *Store) SetViews(specs []ViewSpec) []*View {
	s.views = nil
	s.watched = make([]watch, len(s.metrics))
	s.gauges = nil
	s.keepTraces, s.axes.wanted = false, false
	for _, c := range s.cells {
		c.views = nil
	}
	for _, spec := range specs {
		v := &View{spec: spec, store: s, of: measureOf(spec.Metric), window: int64(spec.Window / time.Minute), index: make(map[string]*Group), weigh: noGauge, over: noGauge}
		s.axes.wanted = s.axes.wanted || spec.Axes
		switch {
		case v.of == ofValues:
			v.metric = s.wanted(spec.Metric)
			if spec.Exemplars && v.metric != noMetricID {
				w := &s.watched[v.metric]
				w.least = w.least || spec.LowIsWorse
				w.greatest = w.greatest || !spec.LowIsWorse
				s.keepTraces = true
			}
			if v.metric != noMetricID {
				s.watched[v.metric].summed = true
			}
			if spec.Weigh != nil && v.metric != noMetricID {
				v.weigh = s.gauge(question{metric: v.metric, lo: spec.Weigh.Min, hi: spec.Weigh.Max})
			}
			if spec.Over != nil && v.metric != noMetricID {
				v.over = s.gauge(question{metric: v.metric, over: true, lo: *spec.Over})
			}
		case v.of == ofScores && spec.Rubric != "":
			v.metric = s.wanted(spec.Rubric)
		}
		for _, d := range spec.By {
			v.by = append(v.by, slices.Index(s.opt.Dimensions, d))
		}
		s.views = append(s.views, v)
	}
	for _, c := range s.byID {
		if c != nil {
			for _, v := range s.views {
				v.attach(c)
			}
		}
	}
	if s.started {
		for m := s.sealed - minutesKept; m < s.sealed; m++ {
			s.eachMinute(m, func(c *cell, blob []byte) { c.refill(m, 1, blob, s.sealed) })
		}
		for q := s.sealed/quarterMinutes - quartersKept; q < s.sealed/quarterMinutes; q++ {
			s.eachQuarter(q, func(c *cell, blob []byte) { c.refill(q*quarterMinutes, quarterMinutes, blob, s.sealed) })
		}
	}
	return s.views
}

// wanted numbers a metric that a view reads: what samples have filled up with names must not blind a rule. noMetricID when there
// is no number left.
func (s *Store) wanted(name string) uint16 {
	if id, ok := s.metricID[name]; ok {
		return id
	}
	if len(s.metrics) < noMetricID {
		return s.addMetric(name)
	}
	return noMetricID
}

const noMetricID = 1<<16 - 1

// Groups are the view's groups. Those that appear are added at the end; where others are depends on how the view was made.
func (v *View) Groups() []*Group { return v.groups }

// Find returns the group of a cohort, or of the total when cohort is empty; nil when there is none.
func (v *View) Find(prompt, version string, cohort []string) *Group {
	return v.index[groupKey(prompt, version, cohort)]
}

// Ensure is Find, but makes the group.
func (v *View) Ensure(prompt, version string, cohort []string) *Group {
	key := groupKey(prompt, version, cohort)
	g := v.index[key]
	if g == nil {
		g = &Group{Prompt: prompt, Version: version, Cohort: cohort, view: v, key: key}
		v.index[key] = g
		v.groups = append(v.groups, g)
	}
	return g
}

func groupKey(prompt, version string, cohort []string) string {
	return string(AppendKey(AppendKey(nil, prompt, version), cohort...))
}

// attach gives a cell to the groups it belongs to.
func (v *View) attach(c *cell) {
	if v.spec.Match != nil && !v.spec.Match(c.prompt.name, c.ver.name, c.dims) {
		return
	}
	cv := cellView{view: v}
	version := c.ver.name
	if v.of == ofLinks || v.spec.AllVersions {
		version = ""
	}
	if len(v.by) > 0 {
		cohort := make([]string, len(v.by))
		for i, d := range v.by {
			if d >= 0 {
				cohort[i] = c.dims[d]
			}
		}
		cv.groups[0] = v.Ensure(c.prompt.name, version, cohort)
	}
	if v.spec.Total || len(v.by) == 0 {
		cv.groups[1] = v.Ensure(c.prompt.name, version, nil)
	}
	for _, g := range cv.groups {
		if g != nil {
			g.cells = withCell(g.cells, c)
		}
	}
	c.views = append(c.views, cv)
}

// sweep takes cells that are gone out of the groups, and drops the groups that have neither cells nor State.
func (v *View) sweep(gone func(*cell) bool) {
	v.groups = slices.DeleteFunc(v.groups, func(g *Group) bool {
		had := len(g.cells)
		if g.cells = slices.DeleteFunc(g.cells, gone); len(g.cells) < had {
			g.agg = aggregate{}
		}
		if len(g.cells) > 0 || g.State != nil {
			return false
		}
		delete(v.index, g.key)
		return true
	})
}

// long tells windows made of quarters of an hour from those of minutes.
func (v *View) long() bool { return v.window > hour }

// from is the first minute of the window that ends at minute end.
func (v *View) from(end int64) int64 {
	if v.long() {
		return (end - v.window) / quarterMinutes * quarterMinutes
	}
	return end - v.window
}

// enter adds a pane that starts at minute m to the windows that cover it.
func (c *cell) enter(m int64, blob []byte, end int64) {
	for i := range c.views {
		if v := c.views[i].view; m >= v.from(end) {
			c.views[i].move(c, blob, 1)
		}
	}
}

// enterNew adds the pane of the minute sealed last, which k has just made, to the windows, each of which covers it.
func (c *cell) enterNew(blob []byte, k *columns) {
	for i := range c.views {
		cv := &c.views[i]
		if cv.view.of != ofValues || !k.whole {
			cv.move(c, blob, 1)
		} else if m := int(cv.view.metric); m < len(k.totals) && k.totals[m].pane == k.pane {
			cv.shift(k.totals[m].n, k.totals[m].sum, 1)
		}
	}
}

// refill adds a pane of the given length to the windows that are read from panes of that length.
func (c *cell) refill(m, length int64, blob []byte, end int64) {
	for i := range c.views {
		v := c.views[i].view
		if m < v.from(end) {
			continue
		}
		short := length == 1
		if v.long() && short && m < end/quarterMinutes*quarterMinutes || !v.long() && !short {
			continue
		}
		c.views[i].move(c, blob, 1)
	}
}

// move adds the pane's count and sum to the groups, or takes them away.
func (cv *cellView) move(c *cell, blob []byte, sign int64) {
	var n int64
	var sum Sum
	switch cv.view.of {
	case ofScores:
		cv.moveScores(blob, sign)
		return
	case ofCalls:
		n = readBlob(blob).calls
	case ofLinks:
		n = readBlob(blob).calls
		if c.ver.name != "" {
			sum = SumOf(float64(n))
		}
	default:
		payload := findEntry(blob, figuresKey(cv.view.metric))
		if payload == nil {
			return
		}
		n, sum = payloadTotals(payload)
	}
	cv.shift(n, sum, sign)
}

// shift adds a count and a sum to the groups, or takes them away.
func (cv *cellView) shift(n int64, sum Sum, sign int64) {
	for _, g := range cv.groups {
		switch {
		case g == nil:
		case sign > 0:
			g.n, g.sum = g.n+n, g.sum.Add(sum)
		default:
			g.n, g.sum = g.n-n, g.sum.Sub(sum)
		}
	}
}

// leave takes out of every window what it no longer covers when it ends at s.sealed.
func (s *Store) leave() {
	end := s.sealed
	done := make(map[int64]bool, 4)
	for _, v := range s.views {
		if done[v.window] {
			continue
		}
		done[v.window] = true
		out := func(c *cell, blob []byte) {
			for i := range c.views {
				if c.views[i].view.window == v.window {
					c.views[i].move(c, blob, -1)
				}
			}
		}
		if !v.long() {
			s.eachMinute(end-v.window-1, out)
		} else if end%quarterMinutes == 0 {
			s.eachQuarter((end-v.window)/quarterMinutes-1, out)
		}
	}
}

// disturb makes the aggregates of the cell's groups be built anew: a pane below them has changed.
func (c *cell) disturb() {
	for i := range c.views {
		for _, g := range c.views[i].groups {
			if g != nil {
				g.agg = aggregate{}
			}
		}
	}
}

// Count is the number of values in the window; of calls for Volume, LinkCoverage and ScoreCoverage.
func (g *Group) Count() int64 { return g.n }

// Sum is the exact sum of the values, rounded once; the number of covered calls for LinkCoverage and ScoreCoverage.
func (g *Group) Sum() float64 {
	if g.view.of == ofScores {
		return float64(g.scored())
	}
	return g.sum.Float()
}

// Mean is Sum over Count; NaN when empty.
func (g *Group) Mean() float64 { return g.Sum() / float64(g.n) }
