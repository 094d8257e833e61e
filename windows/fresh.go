package windows

import "time"

// Fresh are the groups that had calls or values in the minute that was sealed last, each once. Late samples are not among them:
// what is told of that minute never changes any more.
func (v *View) Fresh() []*Group { return nil }

// Pane are the values of the minute that was sealed last, on the scale of the view's spec; clamped of them were outside it.
// The weights are good until the next minute is sealed, and empty where the group has no values.
func (g *Group) Pane() (w *Weights, clamped int64) { return &Weights{}, 0 }

// PaneOver is how many values the minute that was sealed last has, and how many of them were greater than Over, counted exactly.
func (g *Group) PaneOver() (n, over int64) { return 0, 0 }

// Axes are what a call says beside its dimensions.
type Axes struct{ TemplateHash, Model, Variant, Environment string }

// AxisCount is how many calls of a minute had these axes.
type AxisCount struct {
	Axes
	Calls     int64
	Fallbacks int64 // of them, with the fallback prompt
}

// PaneAxes are the axes of the calls in the minute that was sealed last, sorted.
func (g *Group) PaneAxes() []AxisCount { return nil }

// Moments are count, sum and sum of squares of values.
type Moments struct {
	N            int64
	Sum, Squares float64
}

// Between reads a metric of the selected cells in the panes that begin in [from, to): of a minute in the last hour, of a quarter
// of an hour before it. Both are zero where nothing is held.
func (s *Store) Between(q Query, metric string, from, to time.Time) Moments { return Moments{} }

// Cohorts are the tuples of dimension values, in the order of Options, that a version of a prompt has cells of, sorted.
func (s *Store) Cohorts(prompt, version string) [][]string { return nil }

// Distribution is the group's window as points in ascending order, appended to dst.
func (g *Group) Distribution(dst []Bin) []Bin { return dst }
