package windows

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"
)

// Query selects the cells of a prompt version, and of a cohort if it names dimension values.
type Query struct {
	Prompt, Version string
	Cohort          map[string]string // dimension to value; a dimension left out takes all
}

// Figures are what a window says of one metric.
type Figures struct {
	Metric           string
	Count            int64
	Sum, Mean        float64 // of exact sums
	Min, Max         float64
	Median, P95, P99 float64 // exact for few distinct values, else of a t-digest
	Distribution     []Bin   // ascending
}

// Bin is a value and how many there are; in a digest the middle of about that many values.
type Bin struct {
	Value float64
	Count float64
	Exact bool
}

// TotalTokens is the name under which Figures gives input and output tokens together: count, sum and mean of a call.
const TotalTokens = "total_tokens"

// VersionInfo is a version that the store knows.
type VersionInfo struct {
	Version     string
	First, Last time.Time // event time of its samples
	Calls       int64     // in the last 24 hours of sealed panes
	Previous    string    // see Previous
}

// Prompts lists the prompts with data in the longest window, sorted.
func (s *Store) Prompts() []string { return slices.Sorted(maps.Keys(s.prompts)) }

// Versions lists the versions of a prompt in the order in which they first came.
func (s *Store) Versions(prompt string) []VersionInfo {
	p := s.prompts[prompt]
	if p == nil {
		return nil
	}
	var out []VersionInfo
	for _, v := range p.versions {
		info := VersionInfo{Version: v.name, Previous: v.previous}
		info.First, info.Last = s.Span(prompt, v.name)
		s.eachPane(Query{Prompt: prompt, Version: v.name}, 24*hour, func(_ int64, _ *cell, blob []byte) { info.Calls += readBlob(blob).calls })
		out = append(out, info)
	}
	slices.SortFunc(out, func(a, b VersionInfo) int {
		return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.Version, b.Version))
	})
	return out
}

// Figures reads every metric of the selected cells over a window that ends with the newest sealed minute.
func (s *Store) Figures(q Query, window time.Duration) []Figures {
	cells := s.matching(q)
	seen := make(map[uint16]bool)
	for _, c := range cells {
		for b := range NumBuiltin {
			if c.builtins.Has(b) {
				seen[uint16(b)] = true
			}
		}
		for _, r := range c.rubrics {
			seen[r.metric] = true
		}
	}
	var out []Figures
	var tokens Figures
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		g := Group{view: &View{store: s, metric: id, window: int64(window / time.Minute)}, cells: cells}
		f := g.window()
		s.merger.order(&f.dist)
		if f.n == 0 {
			continue
		}
		fig := Figures{
			Metric: s.metrics[id], Count: f.n, Sum: f.sum.Float(), Mean: f.sum.Float() / float64(f.n), Min: f.min, Max: f.max,
			Median: f.dist.quantile(0.5, f.min, f.max), P95: f.dist.quantile(0.95, f.min, f.max), P99: f.dist.quantile(0.99, f.min, f.max),
		}
		for _, p := range f.dist.pts {
			fig.Distribution = append(fig.Distribution, Bin{p.Mean, p.Weight, f.dist.exact})
		}
		out = append(out, fig)
		if fig.Metric == InputTokens || fig.Metric == OutputTokens {
			tokens.Count = max(tokens.Count, fig.Count)
			tokens.Sum += fig.Sum
		}
	}
	if tokens.Count > 0 {
		nan := math.NaN()
		out = append(out, Figures{
			Metric: TotalTokens, Count: tokens.Count, Sum: tokens.Sum, Mean: tokens.Sum / float64(tokens.Count),
			Min: nan, Max: nan, Median: nan, P95: nan, P99: nan,
		})
	}
	return out
}

func (s *Store) matching(q Query) []*cell {
	p := s.prompts[q.Prompt]
	if p == nil {
		return nil
	}
	if key, ok := s.wholeKey(q); ok { // some ask for each cell of a prompt
		if c := s.cells[string(key)]; c != nil {
			return []*cell{c}
		}
		return nil
	}
	var out []*cell
next:
	for _, c := range p.cells {
		if c.ver.name != q.Version {
			continue
		}
		for i, d := range s.opt.Dimensions {
			if v, ok := q.Cohort[d]; ok && v != c.dims[i] {
				continue next
			}
		}
		out = append(out, c)
	}
	return out
}

// wholeKey is the key of the one cell that a query selects; ok is false when it leaves dimensions out.
func (s *Store) wholeKey(q Query) (key []byte, ok bool) {
	key = AppendKey(nil, q.Prompt, q.Version)
	for _, d := range s.opt.Dimensions {
		v, ok := q.Cohort[d]
		if !ok {
			return nil, false
		}
		key = AppendKey(key, v)
	}
	return key, true
}

// eachPane walks the sealed panes of the selected cells over a long window, with the quarter that each belongs to.
func (s *Store) eachPane(q Query, window int64, f func(quarter int64, c *cell, blob []byte)) {
	if !s.started {
		return
	}
	now := s.sealed / quarterMinutes
	for _, c := range s.matching(q) {
		for quarter := (s.sealed - window) / quarterMinutes; quarter < now; quarter++ {
			if blob := s.quarterBlob(c, quarter); blob != nil {
				f(quarter, c, blob)
			}
		}
		for m := now * quarterMinutes; m < s.sealed; m++ {
			if blob := s.minuteBlob(c, m); blob != nil {
				f(now, c, blob)
			}
		}
	}
}

// Moments are count, sum and sum of squares of values.
type Moments struct {
	N            int64
	Sum, Squares float64
}

// Between reads a metric of the selected cells in the panes that begin in [from, to): of a minute in the last hour, of a quarter
// of an hour before it. Of Volume there is the count of calls alone. All are zero where nothing is held.
func (s *Store) Between(q Query, metric string, from, to time.Time) Moments {
	id, ok := s.metricID[metric]
	if !ok && metric != Volume {
		return Moments{}
	}
	var f figures
	f.reset()
	calls := int64(0)
	s.eachBetween(s.matching(q), from, to, func(blob []byte) {
		calls += readBlob(blob).calls
		if payload := findEntry(blob, figuresKey(id)); payload != nil {
			f.addMomentsOf(payload)
		}
	})
	if metric == Volume {
		return Moments{N: calls}
	}
	return Moments{f.n, f.sum.Float(), f.squares}
}

// eachBetween walks the sealed panes of cells that begin in [from, to): of a minute in the last hour, of a quarter of an hour before it.
func (s *Store) eachBetween(cells []*cell, from, to time.Time, f func(blob []byte)) {
	first := func(t time.Time, length int64) int64 { // pane of that many minutes that begins at t or after it
		at := max(t.Unix(), 0)
		if t.Nanosecond() > 0 {
			at++
		}
		return (at + 60*length - 1) / (60 * length)
	}
	// The minutes that are held and do not make whole quarters are read as a part of their quarter.
	minutes := (s.sealed - minutesKept + quarterMinutes - 1) / quarterMinutes * quarterMinutes
	for _, c := range cells {
		for p := max(first(from, quarterMinutes), s.sealed/quarterMinutes-quartersKept); p < min(first(to, quarterMinutes), minutes/quarterMinutes); p++ {
			if blob := s.quarterBlob(c, p); blob != nil {
				f(blob)
			}
		}
		for m := max(first(from, 1), minutes); m < min(first(to, 1), s.sealed); m++ {
			if blob := s.minuteBlob(c, m); blob != nil {
				f(blob)
			}
		}
	}
}

// Cohorts are the tuples of dimension values, in the order of Options, that a version of a prompt has cells of, sorted.
func (s *Store) Cohorts(prompt, version string) [][]string {
	var out [][]string
	for _, c := range s.matching(Query{Prompt: prompt, Version: version}) {
		out = append(out, slices.Clone(c.dims))
	}
	slices.SortFunc(out, slices.Compare)
	return out
}
