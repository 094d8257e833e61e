package windows

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// call is an event as the plain side of these tests keeps it.
type call struct {
	at              int64
	prompt, version string
	dims            [2]string
	latency         float64
	grounding       float64
	scored, alone   bool
	axes            Axes
	fallback        bool
}

func limit(v float64) *float64 { return &v }

var freshViews = []ViewSpec{
	{Metric: "grounding", Window: time.Hour, By: testDimensions, Total: true, Weigh: &Scale{Max: 1}},
	{Metric: "grounding", Window: time.Hour, By: []string{"tier"}, Weigh: &Scale{Max: 1, Mirror: true}, Over: limit(0.5)},
	{Metric: "grounding", Window: 5 * time.Minute, Weigh: &Scale{Min: 0.2, Max: 0.8}, AllVersions: true},
	{Metric: Latency, Window: time.Hour, By: []string{"locale"}, Total: true, Weigh: &Scale{Min: 0.5, Max: 3}, Over: limit(2)},
	{Metric: Latency, Window: 24 * time.Hour, Over: limit(0), AllVersions: true, By: []string{"tier"}},
	{Metric: Volume, Window: time.Hour, By: testDimensions, Total: true, Axes: true},
	{Metric: Latency, Window: time.Hour, By: []string{"locale"}, Axes: true, AllVersions: true},
	{Metric: LinkCoverage, Window: time.Hour},
	{Metric: Latency, Window: time.Hour, By: []string{"tier"}},
}

// plain is the slow side: every event of the minutes that are not sealed.
type plain struct {
	calls map[int64][]call // by minute
}

// wanted are the figures of a group.
type wanted struct {
	weights          Weights
	clamped, n, over int64
	axes             map[Axes]AxisCount
}

func (w *wanted) sortedAxes() []AxisCount {
	return slices.SortedFunc(maps.Values(w.axes), func(a, b AxisCount) int { return a.compare(&b.Axes) })
}

func (p *plain) groups(spec *ViewSpec, minute int64) map[string]*wanted {
	out := make(map[string]*wanted)
	of := func(c *call, cohort []string) *wanted {
		version := c.version
		if spec.AllVersions || spec.Metric == LinkCoverage {
			version = ""
		}
		key := groupKey(c.prompt, version, cohort)
		if out[key] == nil {
			out[key] = &wanted{axes: make(map[Axes]AxisCount)}
		}
		return out[key]
	}
	add := func(c *call, w *wanted) {
		if spec.Axes && !c.alone {
			a := w.axes[c.axes]
			a.Axes = c.axes
			a.Calls++
			if c.fallback {
				a.Fallbacks++
			}
			w.axes[c.axes] = a
		}
		v := c.grounding
		switch spec.Metric {
		case "grounding":
			if !c.scored {
				return
			}
		case Latency:
			if v = c.latency; c.alone {
				return
			}
		default:
			return
		}
		if sc := spec.Weigh; sc != nil {
			var one Weights
			if one.Add((v-sc.Min)/(sc.Max-sc.Min), 1) {
				w.clamped++
			}
			if sc.Mirror {
				one = one.Mirror()
			}
			w.weights.Merge(&one)
		}
		if spec.Over != nil {
			w.n++
			if v > *spec.Over {
				w.over++
			}
		}
	}
	for i := range p.calls[minute] {
		c := &p.calls[minute][i]
		if len(spec.By) > 0 {
			var cohort []string
			for _, d := range spec.By {
				cohort = append(cohort, c.dims[slices.Index(testDimensions, d)])
			}
			add(c, of(c, cohort))
		}
		if spec.Total || len(spec.By) == 0 {
			add(c, of(c, nil))
		}
	}
	return out
}

// check compares what the views say of the minute sealed last.
func (p *plain) check(t *testing.T, views []*View, minute int64) (values int64) {
	t.Helper()
	for i, v := range views {
		want := p.groups(&v.spec, minute)
		where := fmt.Sprintf("view %d, minute %d", i, minute)
		fresh := v.Fresh()
		for _, g := range fresh {
			w := want[g.key]
			if w == nil {
				t.Fatalf("%s: %q is not fresh, or is twice", where, g.key)
			}
			delete(want, g.key)
			if weights, clamped := g.Pane(); *weights != w.weights || clamped != w.clamped {
				t.Fatalf("%s, %q: weights %v, %d clamped, want %v, %d", where, g.key, *weights, clamped, w.weights, w.clamped)
			}
			if n, over := g.PaneOver(); n != w.n || over != w.over {
				t.Fatalf("%s, %q: %d of %d over, want %d of %d", where, g.key, over, n, w.over, w.n)
			}
			if axes := g.PaneAxes(); !slices.Equal(axes, w.sortedAxes()) {
				t.Fatalf("%s, %q: axes %v, want %v", where, g.key, axes, w.sortedAxes())
			}
			values += w.weights.N()
		}
		if len(want) > 0 {
			t.Fatalf("%s: %d groups, %v are missing", where, len(fresh), slices.Sorted(maps.Keys(want)))
		}
		for _, g := range v.Groups() {
			if w, _ := g.Pane(); !slices.Contains(fresh, g) && (w.N() != 0 || g.isFresh()) {
				t.Fatalf("%s, %q: %d values in a group that is not fresh", where, g.key, w.N())
			}
		}
	}
	return values
}

// crowd makes batches with late samples, in which some minutes have more samples of a cell than an open pane keeps raw, of few values or of
// many. step returns what is new in it.
type crowd struct {
	rng  *rand.Rand
	enc  *Encoder
	n    int64
	now  int64
	loud int64 // minute with many samples
}

func newCrowd(seed uint64) *crowd {
	return &crowd{rng: rand.New(rand.NewPCG(seed, 5)), enc: NewEncoder(), now: bombStart * minuteNanos}
}

func (w *crowd) step() (record []byte, calls []call) {
	r := w.rng
	w.now += int64(r.IntN(25)) * int64(time.Second)
	if r.IntN(40) == 0 {
		w.loud = w.now / minuteNanos
	}
	n := r.IntN(20)
	if w.loud == w.now/minuteNanos {
		n = 200 + r.IntN(1500)
	}
	few := w.now/minuteNanos%3 == 0
	for range n {
		c := call{
			at: w.now - r.Int64N(20*int64(time.Second)), prompt: fmt.Sprint("p", r.IntN(2)), version: []string{"", "v1", "v2"}[r.IntN(3)],
			dims: [2]string{[]string{"free", "pro"}[r.IntN(2)], "de"}, latency: r.ExpFloat64(), scored: r.IntN(3) > 0,
			grounding: r.Float64()*1.4 - 0.2, alone: r.IntN(9) == 0,
		}
		if n > 20 && r.IntN(4) > 0 { // one cell above all
			c.prompt, c.version, c.dims[0] = "p1", "v2", "pro"
		}
		if r.IntN(9) == 0 {
			c.dims[1] = ""
		}
		if few {
			c.latency, c.grounding = float64(r.IntN(4)), float64(r.IntN(7))/5-0.2
		}
		switch r.IntN(150) {
		case 0:
			c.at -= int64(r.IntN(90)) * minuteNanos
		case 1:
			c.at -= minuteNanos
		}
		s := Sample{Position: Position{Offset: w.n}, Time: c.at, Cell: AppendKey(nil, c.prompt, c.version, c.dims[0], c.dims[1]), Mask: MaskCall | 1<<BuiltinLatency}
		w.n++
		s.Values[BuiltinLatency] = c.latency
		c.axes.Model = fmt.Sprint("m", c.at/minuteNanos/20) // it is swapped
		if r.IntN(200) == 0 {
			c.axes.TemplateHash = fmt.Sprint("h", r.IntN(5))
		}
		switch r.IntN(12) {
		case 0:
			c.fallback = true
			s.Values[BuiltinFallback] = 1
			fallthrough
		case 1:
			s.Mask |= 1 << BuiltinFallback
			c.axes.Variant = "b"
		}
		if s.Axes = AppendKey(nil, c.axes.TemplateHash, c.axes.Model, c.axes.Variant, c.axes.Environment); r.IntN(50) == 0 {
			s.Axes = AppendKey(nil, c.axes.TemplateHash, c.axes.Model, c.axes.Variant)
		}
		if c.alone {
			s.Mask = 0
		}
		if c.scored {
			s.Scores = []Score{{[]byte("grounding"), c.grounding}}
		}
		w.enc.Add(&s)
		calls = append(calls, c)
	}
	record = w.enc.AppendBatch(nil, &Header{Source: Source{Topic: "spans"}, Clock: w.now, Watermark: w.now - 10e9, Dimensions: testDimensions})
	w.enc.Reset()
	return record, calls
}

// restarted is a store made from a checkpoint of s.
func restarted(t testing.TB, s *Store) *Store {
	t.Helper()
	log := &memoryLog{}
	for _, g := range s.segments() { // the log begins here
		g.refs, g.saved = nil, 0
	}
	if err := s.Checkpoint(nil, log.write); err != nil {
		t.Fatal(err)
	}
	f := NewFinder()
	for _, r := range log.records {
		f.Add(r)
	}
	cp, _ := f.Best()
	out := NewStore(s.opt)
	if _, err := out.Restore(cp, log.read); err != nil {
		t.Fatal(err)
	}
	return out
}

// What the views say of the minute sealed last is what follows from its samples, however they came, and whatever was digested, or
// saved and restored, on the way.
func TestFreshPanesEqualRecomputation(t *testing.T) {
	seeds, steps := uint64(2), 1200
	if testing.Short() {
		seeds, steps = 1, 300
	}
	for seed := range seeds {
		w, p := newCrowd(seed), &plain{calls: make(map[int64][]call)}
		s := NewStore(Options{Dimensions: testDimensions})
		views := s.SetViews(freshViews)
		compacted, digested, restarts, late, ticks, values := 0, 0, 0, 0, 0, int64(0)
		for range steps {
			record, calls := w.step()
			for _, c := range calls {
				if m := c.at / minuteNanos; !s.started || m >= s.sealed {
					p.calls[m] = append(p.calls[m], c)
				} else {
					late++
				}
			}
			fold(t, s, record)
			before := compacted
			for _, cells := range s.open {
				for _, c := range cells {
					for _, o := range c.open {
						compacted += min(len(o.partial), 1)
					}
				}
			}
			if w.rng.IntN(20) == 0 {
				s = restarted(t, s)
				digested += compacted - before
				views = s.SetViews(freshViews)
				restarts++
				for i, v := range views {
					if len(v.Fresh()) > 0 {
						t.Fatalf("view %d: %d groups are fresh after a restart", i, len(v.Fresh()))
					}
				}
			}
			s.Advance(func(now time.Time) {
				ticks++
				m := now.Unix()/60 - 1
				values += p.check(t, views, m)
				delete(p.calls, m)
			})
		}
		if least := steps / 240; digested < least || restarts < 6*least || late < 20*least || ticks < 40*least || values < int64(2000*least) {
			t.Errorf("seed %d: %d compacted, %d of them at one of %d restarts, %d late, %d ticks, %d values: too tame", seed, compacted, digested, restarts, late, ticks, values)
		}
	}
}

// The order of fresh groups is a matter of the log, not of how the views were made.
func TestFreshOrderSurvivesRestart(t *testing.T) {
	w := newCrowd(9)
	s := NewStore(Options{Dimensions: testDimensions})
	views := s.SetViews(freshViews)
	keys := func(views []*View) (out []string) {
		for _, v := range views {
			for _, g := range v.Fresh() {
				out = append(out, g.key)
			}
		}
		return out
	}
	compared := 0
	for range 200 {
		record, _ := w.step()
		fold(t, s, record)
		again := restarted(t, s)
		views2 := again.SetViews(freshViews)
		var want, got [][]string
		s.Advance(func(time.Time) { want = append(want, keys(views)) })
		again.Advance(func(time.Time) { got = append(got, keys(views2)) })
		if !slices.EqualFunc(want, got, slices.Equal) {
			t.Fatalf("after a restart %q, want %q", got, want)
		}
		compared += len(want)
	}
	if compared < 20 {
		t.Errorf("%d minutes compared", compared)
	}
}

// Samples that were digested before a scale was asked for are left out of its weights, whatever they are; nothing else is.
func TestScaleAskedForInMidMinute(t *testing.T) {
	s, f := NewStore(Options{Dimensions: testDimensions}), newFeed()
	spec := freshViews[3]
	s.SetViews([]ViewSpec{{Metric: Latency, Window: time.Hour, Over: limit(2)}})
	at := int64(bombStart * minuteNanos)
	put := func(n int) {
		var events []event
		for i := range n {
			events = append(events, event{time: at, prompt: "p", version: "v", latency: float64(i) / 100})
		}
		fold(t, s, f.batch(Source{}, at, at, events...))
	}
	put(compactRows + 10)
	v := s.SetViews([]ViewSpec{spec})[0]
	put(compactRows + 20)
	advance(t, s, f.batch(Source{}, at, at+minuteNanos))
	g := v.Find("p", "v", nil)
	w, _ := g.Pane()
	if n, over := g.PaneOver(); w.N() != compactRows+30 || n != 2*compactRows+30 || over != 2*compactRows+30-2*201 || g.Count() != 2*compactRows+30 {
		t.Errorf("%d weighed, %d of %d over, %d in all", w.N(), over, n, g.Count())
	}
}

func TestBetweenAndCohorts(t *testing.T) {
	w := newCrowd(3)
	s := NewStore(Options{Dimensions: testDimensions})
	s.SetViews(nil)
	var all []call
	for range 900 {
		record, calls := w.step()
		all = append(all, calls...)
		advance(t, s, record)
	}
	end := s.sealed
	r := w.rng
	for range 80 {
		q := Query{Prompt: "p1", Version: []string{"", "v1", "v2"}[r.IntN(3)]}
		if r.IntN(2) == 0 {
			q.Cohort = map[string]string{"tier": "pro"}
		}
		whole := r.IntN(3) == 0
		if whole {
			q.Cohort = map[string]string{"tier": "pro", "locale": "de"}
		}
		metric := []string{Latency, "grounding", Volume, "unknown"}[r.IntN(4)]
		from := time.Unix(60*(end-int64(r.IntN(500))), r.Int64N(2)).UTC()
		to := from.Add(time.Duration(r.IntN(300)) * time.Minute)
		var want Moments
		for _, c := range all {
			at := time.Unix(0, c.at/minuteNanos*minuteNanos)
			if old := (end - minutesKept + quarterMinutes - 1) / quarterMinutes * quarterMinutes; c.at/minuteNanos < old {
				at = at.Truncate(quarterMinutes * time.Minute)
			}
			if at.Before(from) || !at.Before(to) || c.at/minuteNanos >= end || c.prompt != q.Prompt || c.version != q.Version || q.Cohort != nil && c.dims[0] != "pro" || whole && c.dims[1] != "de" {
				continue
			}
			v := c.latency
			switch {
			case metric == "grounding" && c.scored:
				v = c.grounding
			case metric == Latency && !c.alone:
			case metric == Volume && !c.alone:
				v = 0
			default:
				continue
			}
			want.N++
			want.Sum += v
			want.Squares += v * v
		}
		got := s.Between(q, metric, from, to)
		near := func(a, b float64) bool { return a-b < 1e-6*(1+b) && b-a < 1e-6*(1+b) }
		if got.N != want.N || !near(got.Sum, want.Sum) || !near(got.Squares, want.Squares) {
			t.Fatalf("%s of %+v from %v to %v: %+v, want %+v", metric, q, from, to, got, want)
		}
	}
	want := [][]string{{"free", ""}, {"free", "de"}, {"pro", ""}, {"pro", "de"}}
	if got := s.Cohorts("p1", "v2"); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("cohorts %q, want %q", got, want)
	}
	if got := s.Cohorts("p1", "v9"); len(got) > 0 {
		t.Errorf("cohorts %q of a version that is not there", got)
	}
}

// The points of a window are its values while these are few, and else are as many.
func TestDistribution(t *testing.T) {
	w := newCrowd(5)
	s := NewStore(Options{Dimensions: testDimensions})
	views := s.SetViews([]ViewSpec{
		{Metric: "stars", Window: time.Hour, AllVersions: true}, {Metric: Latency, Window: 24 * time.Hour, AllVersions: true}, {Metric: Volume, Window: time.Hour},
	})
	stars := make(map[int64]map[float64]float64)
	e := NewEncoder()
	for i := range int64(1000) {
		record, _ := w.step()
		advance(t, s, record)
		at, v := w.now, float64(1+w.rng.IntN(5))
		m := at / minuteNanos
		if stars[m] == nil {
			stars[m] = make(map[float64]float64)
		}
		stars[m][v]++
		e.Add(&Sample{Position: Position{Offset: i}, Time: at, Cell: AppendKey(nil, "p0", "", "", ""), Scores: []Score{{[]byte("stars"), v}}})
		fold(t, s, e.AppendBatch(nil, &Header{Source: Source{Topic: "scores"}, Clock: at, Watermark: Timeless, Dimensions: testDimensions}))
		e.Reset()
	}
	var want []Bin
	for v := range 5 {
		b := Bin{Value: float64(v + 1), Exact: true}
		for m := s.sealed - 60; m < s.sealed; m++ {
			b.Count += stars[m][b.Value]
		}
		want = append(want, b)
	}
	before := Bin{Value: -1}
	got := views[0].Find("p0", "", nil).Distribution([]Bin{before})
	if !slices.Equal(got, append([]Bin{before}, want...)) {
		t.Errorf("distribution %v, want %v", got, want)
	}
	g := views[1].Find("p1", "", nil)
	points, n := g.Distribution(nil), 0.0
	for _, p := range points {
		n += p.Count
	}
	if int64(n) != g.Count() || points[0].Exact || !slices.IsSortedFunc(points, func(a, b Bin) int { return cmp.Compare(a.Value, b.Value) }) {
		t.Errorf("%v values in %d points, want %d in order", n, len(points), g.Count())
	}
	if got := views[2].Groups()[0].Distribution(nil); got != nil {
		t.Errorf("distribution %v of calls", got)
	}
}
