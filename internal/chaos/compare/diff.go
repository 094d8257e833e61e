package compare

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/driftd/driftd/internal/chaos/oracle"
	"github.com/driftd/driftd/windows"
)

// Diff names the differences between what must be and what is.
func Diff(want *oracle.Want, got *Got) *Report {
	d := &differ{want: want, got: got}
	d.r.Events, d.r.Steps = want.Counts.Calls+want.Counts.Scores, len(want.Steps)
	for _, why := range want.Unsure {
		d.r.note(&d.r.Other, 1, "undecided: %s", why)
	}
	d.home()
	for _, c := range d.cells() {
		d.cell(c)
	}
	d.windows()
	d.steps()
	d.dead()
	return &d.r
}

type differ struct {
	want  *oracle.Want
	got   *Got
	r     Report
	homes map[oracle.Cell]int // the partition that has a cell
}

// home finds where each cell is, and whether all partitions have come far enough.
func (d *differ) home() {
	d.homes = make(map[oracle.Cell]int)
	for n, p := range d.got.Partitions {
		s := p.Store()
		if s.Watermark().Before(d.want.Until) {
			d.r.note(&d.r.Other, 1, "partition %d has come to %s, not to %s", n, clock(s.Watermark()), clock(d.want.Until))
		}
		for _, prompt := range s.Prompts() {
			for _, v := range s.Versions(prompt) {
				for _, dims := range s.Cohorts(prompt, v.Version) {
					c := cellOf(prompt, v.Version, dims)
					if d.got.Hidden != nil && d.got.Hidden(c) {
						continue
					}
					if other, twice := d.homes[c]; twice {
						d.r.note(&d.r.Other, 1, "cell %v is in partition %d and in partition %d", c, other, n)
					}
					d.homes[c] = n
				}
			}
		}
	}
}

// sealed is the first minute that is not sealed.
func sealed(s *windows.Store) int64 { return s.Watermark().Unix() / 60 }

func clock(t time.Time) string { return t.UTC().Format(time.DateTime) }

func cellOf(prompt, version string, dims []string) oracle.Cell {
	c := oracle.Cell{Prompt: prompt, Version: version}
	for i, v := range dims {
		if i > 0 {
			c.Dims += "\x00"
		}
		c.Dims += v
	}
	return c
}

// cells are all that are wanted or there, sorted.
func (d *differ) cells() []oracle.Cell {
	all := maps.Clone(d.homes)
	for c := range d.want.Panes {
		if _, ok := all[c]; !ok {
			all[c] = -1
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b oracle.Cell) int { return cmp.Compare(a.String(), b.String()) })
}

// minutes in a quarter of an hour, which the long ring is made of, and minutes that the short one holds.
const (
	quarter = 15
	minutes = 60
)

// cell compares all panes of a cell that end before comparisons do: the minutes that are held, and the quarters of an hour before them.
func (d *differ) cell(c oracle.Cell) {
	home, ok := d.homes[c]
	if !ok {
		n := d.want.Between(0, 0, func(oracle.Cell) bool { return false })
		for _, p := range d.want.Panes[c] {
			n.Calls += p.Calls
			for metric, v := range p.Values {
				if !builtin(metric) {
					n.Calls += v.N()
				}
			}
		}
		d.r.note(&d.r.Lost, int(n.Calls), "lost: cell %v is not there, with %d calls and scores", c, n.Calls)
		return
	}
	s := d.got.Partitions[home].Store()
	until, sealed := d.want.Until.Unix()/60, sealed(s)
	metrics := d.metrics(s, c)
	first := sealed - minutes
	for at := range d.want.Panes[c] {
		first = min(first, at)
	}
	held := (sealed - minutes + quarter - 1) / quarter * quarter // quarters from here on are read minute by minute
	for at := first - first%quarter; at < held && at+quarter <= min(until, sealed); at += quarter {
		d.pane(s, c, metrics, at, quarter)
	}
	for at := max(held, sealed-minutes, first); at < min(until, sealed); at++ {
		d.pane(s, c, metrics, at, 1)
	}
}

func builtin(metric string) bool { return slices.Contains(windows.BuiltinNames[:], metric) }

// pane compares a pane of so many minutes.
func (d *differ) pane(s *windows.Store, c oracle.Cell, metrics []string, at, length int64) {
	from, to := time.Unix(60*at, 0).UTC(), time.Unix(60*(at+length), 0).UTC()
	want := d.want.Between(at, at+length, func(o oracle.Cell) bool { return o == c })
	place := fmt.Sprintf("%v at %s, %d min", c, clock(from), length)
	calls := s.Between(windows.Query{Prompt: c.Prompt, Version: c.Version, Cohort: d.cohort(c)}, windows.Volume, from, to).N
	d.count(place+": calls", want.Calls, calls)

	cells := s.CellsOf(c.Prompt, c.Version).Only(func(dims []string) bool { return slices.Equal(dims, c.Values()) })
	for _, metric := range metrics {
		st := cells.Between(metric, from, to, true)
		v := want.Values[metric]
		if v.N() != st.N() {
			if builtin(metric) { // with its call, unless it is the metric alone
				if want.Calls == calls {
					d.r.note(&d.r.WrongWindows, 1, "wrong window: %s: %s has %d values, want %d", place, metric, st.N(), v.N())
				}
				continue
			}
			d.count(place+": scores on "+metric, v.N(), st.N())
			continue
		}
		if v.N() == 0 {
			continue
		}
		if what := unlike(v, st.Sum(), st.Min(), st.Max(), st.Distribution(nil), st.Quantile); what != "" {
			d.r.note(&d.r.WrongWindows, 1, "wrong window: %s: %s of %s", place, what, metric)
		}
	}
}

func (d *differ) cohort(c oracle.Cell) map[string]string {
	cohort := make(map[string]string)
	for i, v := range c.Values() {
		cohort[d.want.Dimensions[i]] = v
	}
	return cohort
}

// metrics are those that are wanted of a cell, or there.
func (d *differ) metrics(s *windows.Store, c oracle.Cell) []string {
	all := make(map[string]bool)
	for _, name := range windows.BuiltinNames {
		all[name] = true
	}
	for _, p := range d.want.Panes[c] {
		for metric := range p.Values {
			all[metric] = true
		}
	}
	for _, f := range s.Figures(windows.Query{Prompt: c.Prompt, Version: c.Version, Cohort: d.cohort(c)}, 24*time.Hour) {
		all[f.Metric] = true
	}
	delete(all, windows.TotalTokens)
	return slices.Sorted(maps.Keys(all))
}

// count compares how many events there are.
func (d *differ) count(place string, want, got int64) {
	switch {
	case got < want:
		d.r.note(&d.r.Lost, int(want-got), "lost: %s: %d, want %d", place, got, want)
	case got > want:
		d.r.note(&d.r.Doubled, int(got-want), "doubled: %s: %d, want %d", place, got, want)
	}
}

// unlike tells what differs between figures over as many values; "" is nothing.
func unlike(v *oracle.Values, sum, least, most float64, table []windows.Bin, quantile func(float64) float64) string {
	all := v.Sorted()
	switch {
	case sum != v.Sum():
		return fmt.Sprintf("sum %v, want %v", sum, v.Sum())
	case least != all[0]:
		return fmt.Sprintf("least value %v, want %v", least, all[0])
	case most != all[len(all)-1]:
		return fmt.Sprintf("greatest value %v, want %v", most, all[len(all)-1])
	}
	exact := len(table) > 0 && table[0].Exact
	if v.Exact() && !exact {
		return "values that are not kept apart"
	}
	if exact {
		want := v.Table()
		for _, b := range table {
			if float64(want[b.Value]) != b.Count {
				return fmt.Sprintf("value %v %v times, want %d", b.Value, b.Count, want[b.Value])
			}
		}
		if len(table) != len(want) {
			return fmt.Sprintf("%d distinct values, want %d", len(table), len(want))
		}
		return ""
	}
	for _, percent := range []float64{50, 95, 99} {
		if q, want := quantile(percent/100), v.Quantile(percent); !want.Has(q) {
			return fmt.Sprintf("p%v %v, want %v to %v", percent, q, want.Low, want.High)
		}
	}
	return ""
}

// windows compares whole windows of prompt versions, as far as nothing came behind the end of comparisons.
func (d *differ) windows() {
	type version struct{ prompt, name string }
	seen := make(map[version]bool)
	for _, c := range d.cells() {
		v := version{c.Prompt, c.Version}
		home, ok := d.homes[c]
		if seen[v] || !ok || d.want.Beyond[c.Prompt] {
			continue
		}
		seen[v] = true
		s := d.got.Partitions[home].Store()
		end := sealed(s)
		for _, length := range []int64{5, 60, 75, 24 * 60} {
			from := end - length
			if length > 60 {
				from -= from % quarter
			}
			want := d.want.Between(from, end, func(o oracle.Cell) bool { return o.Prompt == v.prompt && o.Version == v.name })
			for _, f := range s.Figures(windows.Query{Prompt: v.prompt, Version: v.name}, time.Duration(length)*time.Minute) {
				values := want.Values[f.Metric]
				if f.Metric == windows.TotalTokens || values.N() != f.Count { // counts are compared by panes
					continue
				}
				read := map[float64]float64{0.5: f.Median, 0.95: f.P95, 0.99: f.P99}
				if what := unlike(values, f.Sum, f.Min, f.Max, f.Distribution, func(q float64) float64 { return read[q] }); what != "" {
					d.r.note(&d.r.WrongWindows, 1, "wrong window: %s of %s/%s, %d min to %s: %s", f.Metric, v.prompt, v.name, length, clock(s.Watermark()), what)
				}
			}
		}
	}
}

// dead compares the dead letters, but for those of detect, which are no events.
func (d *differ) dead() {
	want, got := make(map[oracle.Dead]bool), make(map[oracle.Dead]bool)
	for _, letter := range d.want.Dead {
		want[letter] = true
	}
	for _, letter := range d.got.Dead {
		if got[letter] = true; !want[letter] {
			d.r.note(&d.r.Other, 1, "dead letter that should not be: %v", letter)
		}
	}
	for _, letter := range d.want.Dead {
		if !got[letter] {
			d.r.note(&d.r.Other, 1, "dead letter missing: %v", letter)
		}
	}
}
