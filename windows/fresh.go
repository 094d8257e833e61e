package windows

// freshPanes are what the minute that was sealed last says to a view. They are filled while that minute is sealed and never
// after: late samples are not in them. The buffers are kept from minute to minute.
type freshPanes struct {
	groups  []*Group
	weights []Weights // of Weigh, by the group's place
	clamped []int64
	over    []exceeded // of Over, by the group's place
	axes    freshAxes
}

// exceeded is how many values there are, and how many of them are greater than a limit.
type exceeded struct{ n, over int64 }

func (f *freshPanes) reset() {
	f.groups, f.weights, f.clamped, f.over = f.groups[:0], f.weights[:0], f.clamped[:0], f.over[:0]
	f.axes.rows, f.axes.sorted = f.axes.rows[:0], false
}

// tell gives the pane that k has just made of the cell to the cell's groups.
func (c *cell) tell(s *Store, k *columns) {
	for i := range c.views {
		v := c.views[i].view
		for _, g := range c.views[i].groups {
			if g != nil {
				v.tell(g, s.sealed)
				v.measure(g, s, k)
			}
		}
	}
}

// tell makes the group one of the fresh.
func (v *View) tell(g *Group, sealed int64) {
	if g.sealed == sealed {
		return
	}
	f := &v.fresh
	g.sealed, g.place = sealed, int32(len(f.groups))
	f.groups = append(f.groups, g)
	if v.weigh != noGauge {
		f.weights, f.clamped = append(f.weights, Weights{}), append(f.clamped, 0)
	}
	if v.over != noGauge {
		f.over = append(f.over, exceeded{})
	}
}

// measure adds what the gauges and the axes of the pane at hand say.
func (v *View) measure(g *Group, s *Store, k *columns) {
	f := &v.fresh
	if v.weigh != noGauge {
		if r := &s.gauges[v.weigh]; r.pane == k.pane {
			w := &f.weights[g.place]
			if v.spec.Weigh.Mirror {
				for j, n := range r.weights {
					w[Steps-j] += n
				}
			} else {
				w.Merge(&r.weights)
			}
			f.clamped[g.place] += r.out
		}
	}
	if v.over != noGauge {
		if r := &s.gauges[v.over]; r.pane == k.pane {
			e := &f.over[g.place]
			e.n, e.over = e.n+r.n, e.over+r.out
		}
	}
	if v.spec.Axes {
		for _, a := range k.axes {
			f.axes.rows = append(f.axes.rows, axisRow{g.place, a})
		}
	}
}

// Fresh are the groups that had calls or values in the minute that was sealed last, each once, in an order that is the same
// after a restart. Late samples are not among them: what is told of that minute never changes any more. Until a minute has been
// sealed since SetViews there are none. The slice is good until the next minute is sealed.
func (v *View) Fresh() []*Group {
	if v.sealed != v.store.sealed {
		return nil
	}
	return v.fresh.groups
}

// isFresh tells whether the group is among the fresh ones.
func (g *Group) isFresh() bool { return g.sealed == g.view.store.sealed && g.view.sealed == g.sealed }

var noWeights Weights

// Pane are the values of the minute that was sealed last, on the scale of the view's spec; clamped of them were outside it.
// The weights are good until the next minute is sealed, and empty where the group has no values. Exact, and the same in whatever
// order the samples came. Values that had been digested in the minute before SetViews first asked for that scale are not in them.
func (g *Group) Pane() (w *Weights, clamped int64) {
	if g.view.weigh == noGauge || !g.isFresh() {
		return &noWeights, 0
	}
	return &g.view.fresh.weights[g.place], g.view.fresh.clamped[g.place]
}

// PaneOver is how many values the minute that was sealed last has, and how many of them were greater than Over, counted exactly.
// Values that had been digested in the minute before SetViews first asked for that limit are in neither.
func (g *Group) PaneOver() (n, over int64) {
	if g.view.over == noGauge || !g.isFresh() {
		return 0, 0
	}
	e := g.view.fresh.over[g.place]
	return e.n, e.over
}
