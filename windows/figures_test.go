package windows

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/influxdata/tdigest"
)

func TestSumIsExactAndGoesBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var sum Sum
	want := new(big.Float).SetPrec(400)
	var values []float64
	for range 10_000 {
		v := math.Ldexp(rng.NormFloat64(), rng.IntN(50)-10)
		values = append(values, v)
		sum = sum.Add(SumOf(v))
		want.Add(want, big.NewFloat(v))
	}
	if w, _ := want.Float64(); math.Abs(sum.Float()-w) > 1e-15*math.Abs(w) {
		t.Errorf("sum %v, want %v", sum.Float(), w)
	}
	rng.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	for _, v := range values {
		sum = sum.Sub(SumOf(v))
	}
	if sum != (Sum{}) {
		t.Errorf("after taking all away: %+v", sum)
	}
	if got, want := SumOf(-0.28).Times(1_000_000).Float(), -280000.0; math.Abs(got-want) > 1e-9 {
		t.Errorf("a million times −0.28 = %v", got)
	}
	for _, v := range []float64{0, 1, -1, 0.91, -1e-19, MaxValue, -MaxValue, 1e-30} {
		if got := SumOf(v).Float(); math.Abs(got-v) > 1e-19 {
			t.Errorf("SumOf(%v) = %v", v, got)
		}
	}
}

func TestPaneKeepsWhatItIsGiven(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	lognormal := func(n int) (v []float64) {
		for range n {
			v = append(v, math.Exp(rng.NormFloat64()))
		}
		return v
	}
	grid := func(n, distinct int, step float64) (v []float64) {
		for range n {
			v = append(v, float64(rng.IntN(distinct))/(1/step))
		}
		return v
	}
	for name, c := range map[string]struct {
		values []float64
		exact  bool
	}{
		"zero":            {[]float64{0, 0, 0}, true},
		"one":             {[]float64{0.3333333333333333}, true},
		"pass or fail":    {grid(500, 2, 1), true},
		"one to five":     {grid(500, 5, 1), true},
		"hundredths":      {grid(500, 60, 0.01), true},
		"thirds":          {grid(500, 8, 1.0/3), true},
		"negative":        {[]float64{-1, -0.5, 0, 0.5, -1}, true},
		"minus zero":      {[]float64{math.Copysign(0, -1), 1}, true},
		"huge":            {[]float64{MaxValue, -MaxValue, 1}, true},
		"latencies":       {lognormal(300), false},
		"a few latencies": {lognormal(20), false},
		"many hundredths": {grid(5000, 101, 0.01), false},
	} {
		var m merger
		var scratch, back figures
		payload := m.appendValues(nil, &scratch, slices.Clone(c.values))
		f := figures{n: int64(len(c.values)), min: slices.Min(c.values), max: slices.Max(c.values)}
		for _, v := range c.values {
			f.sum = f.sum.Add(SumOf(v))
			f.squares += v * v
		}
		back.reset()
		back.add(payload)
		if n, sum := payloadTotals(payload); n != f.n || sum != f.sum || back.n != f.n || back.sum != f.sum || back.min != f.min || back.max != f.max {
			t.Errorf("%s: read back %+v, want %+v", name, back, f)
		}
		if sum := scratch.total(); sum != f.sum {
			t.Errorf("%s: total %+v, want %+v", name, sum, f.sum)
		}
		if back.dist.exact != c.exact {
			t.Errorf("%s: exact %v, want %v", name, back.dist.exact, c.exact)
		}
		if math.Abs(back.squares-f.squares) > 1e-12*f.squares {
			t.Errorf("%s: squares %v, want %v", name, back.squares, f.squares)
		}
		sorted := slices.Sorted(slices.Values(c.values))
		for _, q := range []float64{0, 0.25, 0.5, 0.95, 0.99, 1} {
			checkQuantile(t, name, sorted, q, back.dist.quantile(q, back.min, back.max), c.exact)
		}
	}
}

// The errors that the documentation states, on lognormal latencies with a daily swing.
func TestQuantileErrors(t *testing.T) {
	for _, perMinute := range []int{10, 100} {
		rng := rand.New(rand.NewPCG(11, uint64(perMinute)))
		s := NewStore(Options{Dimensions: testDimensions})
		views := s.SetViews([]ViewSpec{
			{Metric: Latency, Window: time.Hour, Quantiles: true},
			{Metric: Latency, Window: 24 * time.Hour, Quantiles: true},
		})
		f := newFeed()
		start := int64(1_760_000_400) * 1e9 / minuteNanos
		var all []event
		for m := start; m <= start+24*60; m++ {
			var events []event
			for i := range perMinute {
				v := (1 + 0.4*math.Sin(float64(m-start)/1440*2*math.Pi)) * math.Exp(rng.NormFloat64()*0.6)
				events = append(events, event{time: m*minuteNanos + int64(i), prompt: "p", version: "v", latency: v})
			}
			all = append(all, events...)
			fold(t, s, f.batch(Source{}, m*minuteNanos, m*minuteNanos, events...))
			s.Advance(func(time.Time) {})
		}
		for i, limits := range [][3]float64{{0.01, 0.01, 0.04}, {0.005, 0.01, 0.01}} {
			v := views[i]
			from := v.from(s.sealed) * minuteNanos
			var values []float64
			for _, ev := range all {
				if ev.time >= from && ev.time < s.sealed*minuteNanos {
					values = append(values, ev.latency)
				}
			}
			slices.Sort(values)
			for j, q := range []float64{0.5, 0.95, 0.99} {
				// between neighbours at that rank any value is right
				lo, hi := values[int(q*float64(len(values)))-1], values[min(int(q*float64(len(values)))+1, len(values)-1)]
				got := v.Groups()[0].Quantile(q)
				err := max(0, lo/got-1, got/hi-1)
				if err > limits[j] {
					t.Errorf("%d a minute over %s: p%v is off by %.2f %%", perMinute, v.spec.Window, q*100, err*100)
				}
			}
		}
	}
}

func TestLimitsFoldIntoOther(t *testing.T) {
	at := int64(1_760_000_000) * 1e9
	s := NewStore(Options{Dimensions: testDimensions, MaxCohorts: 2, MaxVersions: 2, MaxSeries: 40})
	views := s.SetViews([]ViewSpec{
		{Metric: Volume, Window: time.Hour, By: testDimensions, Total: true},
		{Metric: LinkCoverage, Window: time.Hour},
	})
	v := views[0]
	f := newFeed()
	var events []event
	add := func(prompt, version, tier string) {
		events = append(events, event{time: at, prompt: prompt, version: version, dims: [2]string{tier, "de"}, latency: 1})
	}
	for i := range 5 {
		add("a", "v1", fmt.Sprint("tier", i))
		add("a", fmt.Sprint("v", 1+i), "tier0")
	}
	add("a", "", "tier0") // no version is none too many
	for i := range 1000 { // a bomb
		add(fmt.Sprint("bomb", i), "v1", "x")
	}
	add("a", "v1", "tier0") // an honest series goes on
	add("next", "", "x")
	got := fold(t, s, f.batch(Source{}, at, at+int64(2*time.Minute), events...))
	s.Advance(func(time.Time) {})
	count := func(prompt, version string, cohort ...string) int64 {
		if g := v.Find(prompt, version, cohort); g != nil {
			return g.Count()
		}
		return -1
	}
	for name, c := range map[string][2]int64{
		"known cohort":   {count("a", "v1", "tier0", "de"), 3},
		"second cohort":  {count("a", "v1", "tier1", "de"), 1},
		"other cohorts":  {count("a", "v1", Other, Other), 3},
		"second version": {count("a", "v2"), 1},
		"other versions": {count("a", Other), 3},
		"total of v1":    {count("a", "v1"), 7},
		"other prompts":  {count(Other, Other), int64(got.Other) - 7},
		"no version":     {count("a", ""), 1},
		"nor of others":  {count(Other, ""), 1},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %d calls, want %d", name, c[0], c[1])
		}
	}
	for prompt, want := range map[string]float64{"a": 11. / 12, Other: 1 - 1/float64(got.Other-6)} {
		if got := views[1].Find(prompt, "", nil).Mean(); got != want {
			t.Errorf("of the calls of %s %v have a version, want %v", prompt, got, want)
		}
	}
	if st := s.Stats(); st.Series > 46 || got.Samples != len(events) || got.Other < 900 {
		t.Errorf("%d series, %d samples, %d folded", st.Series, got.Samples, got.Other)
	}
}

func TestCellsWithoutDataAreForgotten(t *testing.T) {
	at := int64(1_760_000_000) * 1e9
	s := NewStore(Options{Dimensions: testDimensions})
	views := s.SetViews(testViews)
	f := newFeed()
	fold(t, s, f.batch(Source{}, at, at, event{time: at, prompt: "p", version: "v1", dims: [2]string{"pro", "de"}, latency: 1}))
	s.Advance(func(time.Time) {})
	for h := range int64(27) {
		at += int64(time.Hour)
		fold(t, s, f.batch(Source{}, at, at))
		s.Advance(func(time.Time) {})
		known := s.Stats().Cells == 1
		if want := h < 24; known != want && h != 24 {
			t.Errorf("after %d hours: known %v", h+1, known)
		}
	}
	if st := s.Stats(); st.Prompts+st.Cells+st.Series+st.OpenPanes != 0 || len(views[0].Groups()) != 0 {
		t.Errorf("left over: %+v, %d groups", st, len(views[0].Groups()))
	}
}

// It does not matter whether the samples come minute by minute, or all at once out of a backlog.
func TestPreviousVersionHeldMostTraffic(t *testing.T) {
	t.Run("live", func(t *testing.T) { testPrevious(t, 1) })
	t.Run("backlog", func(t *testing.T) { testPrevious(t, 1000) })
	t.Run("late", func(t *testing.T) { testPrevious(t, 0) })
}

// testPrevious seals every so many minutes; 0 is a past that comes when all of it has been sealed for another prompt's sake.
func testPrevious(t *testing.T, every int64) {
	s := NewStore(Options{Dimensions: testDimensions})
	s.SetViews(nil)
	f := newFeed()
	m := int64(1_760_000_400) * 1e9 / minuteNanos
	begin := m
	if every == 0 {
		now := (m + 240) * minuteNanos
		fold(t, s, f.batch(Source{}, now, now, event{time: m * minuteNanos, prompt: "q", version: "v1", latency: 1}))
		s.Advance(func(time.Time) {})
	}
	run := func(minutes int, share map[string]int) {
		for range minutes {
			var events []event
			for _, version := range slices.Sorted(func(yield func(string) bool) {
				for v := range share {
					if !yield(v) {
						return
					}
				}
			}) {
				for range share[version] {
					events = append(events, event{time: m * minuteNanos, prompt: "p", version: version, latency: 1})
				}
			}
			fold(t, s, f.batch(Source{}, m*minuteNanos, m*minuteNanos, events...))
			if m++; every > 0 && m%every == 0 {
				s.Advance(func(time.Time) {})
			}
		}
	}
	run(30, map[string]int{"v3": 5})
	run(90, map[string]int{"v7": 5})
	run(20, map[string]int{"v7": 5, "v8": 1}) // a canary
	run(90, map[string]int{"v5": 5})
	if every == 0 {
		m = begin + 250
	}
	run(1, nil)
	s.Advance(func(time.Time) {})
	if got, want := s.Sealed("p", "v8"), time.Unix((begin+30+90+20)*60, 0).UTC(); every > 0 && !got.Equal(want) {
		t.Errorf("v8 sealed at %v, want %v", got, want)
	}
	for version, want := range map[string]string{"v3": "", "v7": "v3", "v8": "v7", "v5": "v7", "v9": ""} {
		if got := s.Previous("p", version); got != want {
			t.Errorf("previous of %s: %q, want %q", version, got, want)
		}
	}
}

func TestFigures(t *testing.T) {
	s := NewStore(Options{Dimensions: testDimensions})
	e := NewEncoder()
	start := int64(1_760_000_400) * 1e9 / minuteNanos * minuteNanos
	var latencies []float64
	for i := range 400 { // four hours and a bit, one a minute and its half
		smp := Sample{
			Position: Position{Offset: int64(i)}, Time: start + int64(i)*40e9, Cell: AppendKey(nil, "p", "v1", []string{"free", "pro"}[i%2], "de"),
			Mask: MaskCall | 1<<BuiltinLatency | 1<<BuiltinInputTokens | 1<<BuiltinOutputTokens | 1<<BuiltinCost,
		}
		smp.Values = [NumBuiltin]float64{BuiltinLatency: float64(i), BuiltinInputTokens: 1000, BuiltinOutputTokens: 200, BuiltinCost: 0.0028}
		latencies = append(latencies, float64(i))
		e.Add(&smp)
	}
	end := start + 400*40e9
	var b Batch
	if err := b.Decode(e.AppendBatch(nil, &Header{Clock: end, Watermark: end + minuteNanos, Dimensions: testDimensions})); err != nil {
		t.Fatal(err)
	}
	s.Fold(&b)
	s.Advance(func(time.Time) {})
	byName := make(map[string]Figures)
	for _, f := range s.Figures(Query{Prompt: "p", Version: "v1"}, 24*time.Hour) {
		byName[f.Metric] = f
	}
	lat := byName[Latency]
	if lat.Count != 400 || lat.Sum != 79800 || lat.Mean != 199.5 || lat.Min != 0 || lat.Max != 399 || len(lat.Distribution) < 30 {
		t.Errorf("latency %+v", lat)
	}
	checkQuantile(t, "median", latencies, 0.5, lat.Median, false)
	checkQuantile(t, "p95", latencies, 0.95, lat.P95, false)
	checkQuantile(t, "p99", latencies, 0.99, lat.P99, false)
	if f := byName[TotalTokens]; f.Count != 400 || f.Sum != 480_000 || f.Mean != 1200 {
		t.Errorf("tokens together %+v", f)
	}
	if f := byName[Cost]; math.Abs(f.Sum-1.12) > 1e-12 || f.Median != 0.0028 || !f.Distribution[0].Exact {
		t.Errorf("cost %+v", f)
	}
	pro := s.Figures(Query{Prompt: "p", Version: "v1", Cohort: map[string]string{"tier": "pro"}}, 24*time.Hour)
	if pro[0].Count != 200 || pro[0].Min != 1 {
		t.Errorf("pro alone: %+v", pro[0])
	}
	v := s.Versions("p")
	if len(v) != 1 || v[0].Calls != 400 || v[0].First.UnixNano() != start || v[0].Last.UnixNano() != end-40e9 {
		t.Errorf("versions %+v", v)
	}
}

func TestWatermark(t *testing.T) {
	a, b, c := Source{Topic: "a"}, Source{Topic: "b"}, Source{Topic: "c"}
	const sec = int64(time.Second)
	w := clockwork{sources: make(map[Source]*source)}
	step := func(what string, src Source, clock, mark, want int64, announced ...Source) {
		t.Helper()
		w.see(&Batch{Header: Header{Source: src, Clock: clock * sec, Watermark: mark * sec, Announced: announced}})
		if w.watermark != want*sec {
			t.Fatalf("%s: watermark %d s, want %d s", what, w.watermark/sec, want)
		}
	}
	step("the only source", a, 1000, 990, 990)
	step("another is announced", a, 1001, 995, 990, a, b)
	step("it is waited for", a, 1030, 1020, 990)
	step("it comes and is behind", b, 1031, 992, 992)
	step("it catches up", b, 1032, 1025, 1020)
	step("never back", b, 1033, 900, 1020)
	step("the first goes on", a, 1050, 1040, 1025)
	step("the second is silent, not yet idle", a, 1092, 1080, 1025)
	step("now it is idle", a, 1095, 1085, 1085)
	step("it comes again, late, and nothing moves back", b, 1096, 1030, 1085)
	step("and is waited for", a, 1100, 1095, 1085)
	step("one that is announced and never comes", a, 1101, 1096, 1085, c)
	step("it counts as live for a minute", b, 1150, 1140, 1085)
	step("and then not", a, 1162, 1150, 1140)
	step("both are there", b, 1163, 1151, 1150)
	step("after an outage of ingest the first to be back waits for the other", a, 1500, 1490, 1151)
	step("and goes on waiting", a, 1559, 1549, 1151)
	step("for a minute", a, 1561, 1551, 1551)
	step("an outage wakes nobody who was idle before it", a, 1700, 1690, 1690)
	const day = 24 * 3600
	step("one that is behind is waited for", b, 1701, 1800, 1690)
	step("while that is no more than a day", a, 1702, 1800+day, 1800)
	step("and not when it is", a, 1703, 1801+day, 1801+day)
	step("until it has come nearer", b, 1704, 1900, 1801+day)
	step("", a, 1705, 1900+day, 1801+day)
	step("one that has nothing to say yet is waited for", c, 1706, 0, 1801+day)
	step("however far the others are", a, 1707, 2000+day, 1801+day)
}

// What is late by nature neither holds the others back nor drags them along, alone or among them.
func TestTimelessSourcesSayNothingAboutTime(t *testing.T) {
	a, late := Source{Topic: "a"}, Source{Topic: "late"}
	const sec = int64(time.Second)
	w := clockwork{sources: make(map[Source]*source)}
	step := func(what string, src Source, clock, mark, want int64) {
		t.Helper()
		w.see(&Batch{Header: Header{Source: src, Clock: clock * sec, Watermark: mark}})
		if w.watermark != want*sec {
			t.Fatalf("%s: watermark %d s, want %d s", what, w.watermark/sec, want)
		}
	}
	step("it comes first", late, 1000, Timeless, 0)
	step("it is not waited for", a, 1001, 10*sec, 10)
	step("nor does it move time", late, 1002, Timeless, 10)
	step("a backlog is worked off", a, 1003, 20*sec, 20)
	step("it is the only one that is live", late, 1090, Timeless, 20)
	step("the other comes back", a, 1091, 30*sec, 30)
}

func TestExemplarsComeFromTheWorseEnd(t *testing.T) {
	s := NewStore(Options{Dimensions: testDimensions})
	views := s.SetViews([]ViewSpec{
		{Metric: Latency, Window: time.Hour, Exemplars: true},
		{Metric: Latency, Window: time.Hour, Exemplars: true, LowIsWorse: true},
		{Metric: "grounding", Window: time.Hour},
	})
	f := newFeed()
	start := int64(1_760_000_400) * 1e9 / minuteNanos * minuteNanos
	for m := range int64(30) {
		at := start + m*minuteNanos
		fold(t, s, f.batch(Source{}, at, at, event{time: at, prompt: "p", version: "v", latency: float64(m), trace: byte(m), scored: true}))
		s.Advance(func(time.Time) {})
	}
	id := func(b byte) string { return fmt.Sprintf("%02x%030d", b, 0) }
	for i, want := range [][]string{{id(28), id(27), id(26)}, {id(0), id(1), id(2)}, nil} {
		if got := views[i].Groups()[0].Exemplars(); !slices.Equal(got, want) {
			t.Errorf("view %d: %v, want %v", i, got, want)
		}
	}
}

// From the top or in order, the quantile is the same.
func TestQuantileOfRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for range 2000 {
		var g digester
		d := dist{exact: rng.IntN(2) == 0}
		lo, hi := math.Inf(1), math.Inf(-1)
		for range 1 + rng.IntN(fewRuns+3) {
			run := make([]float64, 1+rng.IntN(8))
			for i := range run {
				run[i] = float64(rng.IntN(1000)) // distinct mostly: equal centroids fold in order
				if !d.exact {
					run[i] = rng.Float64()
				}
			}
			slices.Sort(run)
			for _, v := range run {
				d.pts = append(d.pts, tdigest.Centroid{Mean: v, Weight: float64(1 + rng.IntN(9))})
				lo, hi = min(lo, v), max(hi, v)
			}
		}
		ordered := dist{exact: d.exact, pts: slices.Clone(d.pts)}
		g.order(&ordered)
		for _, q := range []float64{0, 0.3, 0.5, 0.77, 0.95, 0.99, 1} {
			runs := dist{exact: d.exact, pts: slices.Clone(d.pts)}
			got, want := g.quantile(&runs, q, lo, hi), ordered.quantile(q, lo, hi)
			if math.Abs(got-want) > 1e-9*math.Abs(want) {
				t.Fatalf("q%v of %+v: %v, want %v", q, d, got, want)
			}
		}
	}
}
