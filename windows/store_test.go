package windows

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// event is a sample as the brute-force side of the tests keeps it.
type event struct {
	time    int64
	prompt  string
	version string
	dims    [2]string
	latency float64
	score   float64
	scored  bool // on grounding
	toned   bool // on tone, with 1
	alone   bool // no call, but scores that came by themselves
	trace   byte
}

// feed makes batches of events, one encoder a source.
type feed struct {
	enc     map[Source]*Encoder
	offsets map[Source]int64
}

func newFeed() *feed {
	return &feed{enc: make(map[Source]*Encoder), offsets: make(map[Source]int64)}
}

var testDimensions = []string{"tier", "locale"}

func (f *feed) batch(src Source, clock, watermark int64, events ...event) []byte {
	e := f.enc[src]
	if e == nil {
		e = NewEncoder()
		f.enc[src] = e
	}
	for _, ev := range events {
		s := Sample{
			Position: Position{Offset: f.offsets[src]}, Time: ev.time, Cell: AppendKey(nil, ev.prompt, ev.version, ev.dims[0], ev.dims[1]),
			Mask: MaskCall | MaskTrace | 1<<BuiltinLatency, TraceID: [16]byte{ev.trace},
		}
		s.Values[BuiltinLatency] = ev.latency
		if ev.alone {
			s.Mask = MaskTrace
		}
		if ev.scored {
			s.Scores = append(s.Scores, Score{Rubric: []byte("grounding"), Value: ev.score})
		}
		if ev.toned {
			s.Scores = append(s.Scores, Score{Rubric: []byte("tone"), Value: 1})
		}
		f.offsets[src]++
		e.Add(&s)
	}
	out := e.AppendBatch(nil, &Header{Source: src, Clock: clock, Watermark: watermark, Dimensions: testDimensions})
	e.Reset()
	return out
}

func fold(t testing.TB, s *Store, record []byte) Folded {
	t.Helper()
	var b Batch
	if err := b.Decode(record); err != nil {
		t.Fatal(err)
	}
	return s.Fold(&b)
}

var testViews = []ViewSpec{
	{Metric: Latency, Window: time.Hour, By: testDimensions, Total: true, Quantiles: true, Exemplars: true},
	{Metric: "grounding", Window: 5 * time.Minute, By: []string{"locale"}},
	{Metric: "grounding", Window: time.Hour, By: []string{"locale"}, Total: true, Quantiles: true},
	{Metric: Volume, Window: 20 * time.Minute, By: []string{"tier"}, Total: true},
	{Metric: Volume, Window: 2 * time.Hour, Total: true},
	{Metric: Latency, Window: 24 * time.Hour, By: []string{"tier"}, Total: true, Quantiles: true},
	{Metric: "grounding", Window: 6 * time.Hour, Quantiles: true},
	{Metric: LinkCoverage, Window: time.Hour, By: []string{"tier"}, Total: true},
	{Metric: LinkCoverage, Window: 24 * time.Hour},
	{Metric: ScoreCoverage, Window: 15 * time.Minute, By: testDimensions, Total: true},
	{Metric: ScoreCoverage, Window: 6 * time.Hour, By: []string{"locale"}},
	{Metric: Latency, Window: 15 * time.Minute, By: []string{"tier"}, Weigh: &Scale{Min: 0.5, Max: 3, Mirror: true}, Over: limit(2), Axes: true},
	{Metric: "grounding", Window: time.Hour, Total: true, AllVersions: true, Weigh: &Scale{Max: 1}},
	{Metric: ScoreCoverage, Rubric: "tone", Window: time.Hour, By: []string{"locale"}, Total: true},
}

// world is the slow and simple side: every event, and what was sealed when.
type world struct {
	events []event
}

func (w *world) check(t *testing.T, v *View, end int64) {
	t.Helper()
	from := v.from(end) * minuteNanos
	type group struct {
		n      int64
		sum    *big.Float
		values []float64
		// of ScoreCoverage
		grounding, tone int64
	}
	want := make(map[string]*group)
	add := func(ev event, cohort []string) {
		version := ev.version
		if v.spec.Metric == LinkCoverage || v.spec.AllVersions {
			version = ""
		}
		key := groupKey(ev.prompt, version, cohort)
		g := want[key]
		if g == nil {
			g = &group{sum: new(big.Float).SetPrec(300)}
			want[key] = g
		}
		value := 0.0
		switch v.spec.Metric {
		case "grounding":
			if !ev.scored {
				return
			}
			value = ev.score
		case Latency:
			value = ev.latency
		case LinkCoverage:
			if ev.version != "" {
				value = 1
			}
		case ScoreCoverage:
			if ev.scored && v.spec.Rubric == "" {
				g.grounding++
			}
			if ev.toned {
				g.tone++
			}
		}
		if ev.alone && v.spec.Metric != "grounding" {
			return
		}
		g.n++
		g.sum.Add(g.sum, big.NewFloat(value))
		g.values = append(g.values, value)
	}
	for _, ev := range w.events {
		if ev.time < from || ev.time >= end*minuteNanos {
			continue
		}
		if len(v.by) > 0 {
			var cohort []string
			for _, d := range v.by {
				cohort = append(cohort, ev.dims[d])
			}
			add(ev, cohort)
		}
		if v.spec.Total || len(v.by) == 0 {
			add(ev, nil)
		}
	}
	for key, g := range want {
		if g.n > 0 && v.index[key] == nil {
			t.Fatalf("%s over %s: no group %q", v.spec.Metric, v.spec.Window, key)
		}
		if v.spec.Metric == ScoreCoverage {
			g.sum.SetInt64(min(max(g.grounding, g.tone), g.n))
		}
	}
	for _, g := range v.Groups() {
		w := want[g.key]
		if w == nil {
			w = &group{sum: new(big.Float)}
		}
		where := fmt.Sprintf("%s over %s of %q at %d", v.spec.Metric, v.spec.Window, g.key, end)
		if g.Count() != w.n {
			t.Fatalf("%s: count %d, want %d", where, g.Count(), w.n)
		}
		if sum, _ := w.sum.Float64(); math.Abs(g.Sum()-sum) > 1e-12*math.Abs(sum) {
			t.Fatalf("%s: sum %v, want %v", where, g.Sum(), sum)
		}
		if slices.Contains(CoverageNames[:], v.spec.Metric) && w.n > 0 && g.Mean() != g.Sum()/float64(w.n) {
			t.Fatalf("%s: share %v, want %v of %d", where, g.Mean(), g.Sum(), w.n)
		}
		if !v.spec.Quantiles || w.n == 0 {
			continue
		}
		slices.Sort(w.values)
		if g.Min() != w.values[0] || g.Max() != w.values[len(w.values)-1] {
			t.Fatalf("%s: min %v max %v, want %v %v", where, g.Min(), g.Max(), w.values[0], w.values[len(w.values)-1])
		}
		for _, q := range []float64{0.5, 0.95, 0.99} {
			checkQuantile(t, where, w.values, q, g.Quantile(q), v.spec.Metric == "grounding")
		}
	}
}

// checkQuantile wants the nearest rank where values are few, else a value whose rank is near: within 2 % of the weight in the
// middle, less towards the ends as a t-digest promises, and at least within two neighbours.
func checkQuantile(t *testing.T, where string, sorted []float64, q, got float64, exact bool) {
	t.Helper()
	n := float64(len(sorted))
	if exact {
		if want := sorted[max(0, int(math.Ceil(q*n))-1)]; got != want {
			t.Fatalf("%s: q%v = %v, want %v", where, q, got, want)
		}
		return
	}
	slack := 2 + n*0.15*math.Sqrt(q*(1-q))/3
	at := func(rank float64) float64 { return sorted[int(min(max(rank, 0), n-1))] }
	if lo, hi := at(q*n-slack), at(q*n+slack); got < lo*0.999 || got > hi*1.001 {
		t.Fatalf("%s: q%v = %v of %v values, want within %v and %v", where, q, got, n, lo, hi)
	}
}

// scenario drives stores with disorder, lateness, gaps, idle source partitions and doubled batches.
type scenario struct {
	rng     *rand.Rand
	feed    *feed
	sources [3]Source
	now     int64 // event time of the run, Unix ns
	marks   [3]int64
	replay  [][]byte // earlier batches, for doubling
}

func newScenario(seed uint64) *scenario {
	c := &scenario{rng: rand.New(rand.NewPCG(seed, 1)), feed: newFeed(), now: 1_760_000_000 * 1e9}
	for i := range c.sources {
		c.sources[i] = Source{Topic: "spans", Partition: int32(i)}
	}
	return c
}

var scores = []float64{0, 0.25, 0.5, 0.75, 0.78, 0.91, 1}

func (c *scenario) event(at int64) event {
	r := c.rng
	ev := event{
		time: at, prompt: fmt.Sprint("p", r.IntN(2)), version: []string{"", "v1", "v2", "v2"}[r.IntN(4)],
		dims:    [2]string{[]string{"free", "pro"}[r.IntN(2)], []string{"de", "en", ""}[r.IntN(3)]},
		latency: math.Exp(r.NormFloat64()), scored: r.IntN(3) > 0, score: scores[r.IntN(len(scores))], trace: byte(r.IntN(256)),
	}
	// How many calls are scored, and on what, changes by the hour; in some there are more scores than calls.
	switch hour := at / int64(time.Hour) % 4; {
	case hour == 0:
		ev.scored = ev.scored && r.IntN(8) == 0
	case hour == 1:
		ev.toned = r.IntN(2) == 0
	case hour == 2:
		ev.alone = r.IntN(2) == 0
		ev.scored = ev.scored || ev.alone
	}
	return ev
}

// step makes one batch and what is new in it. A step of event time is 5 to 25 seconds, sometimes an hour or more of silence.
func (c *scenario) step() (record []byte, fresh []event) {
	r := c.rng
	if len(c.replay) > 0 && r.IntN(8) == 0 { // a doubled produce
		return c.replay[r.IntN(len(c.replay))], nil
	}
	c.now += int64(5+r.IntN(20)) * int64(time.Second)
	if r.IntN(400) == 0 {
		c.now += int64(r.IntN(200)) * minuteNanos
	}
	i := r.IntN(3)
	if i == 2 && (c.now/int64(time.Hour))%3 == 1 { // one source is idle every third hour
		i = r.IntN(2)
	}
	for range r.IntN(30) {
		at := c.now - int64(r.IntN(10_000))*int64(time.Millisecond)
		switch r.IntN(200) {
		case 0:
			at -= int64(r.IntN(50)) * minuteNanos
		case 1:
			at -= int64(r.IntN(23)) * int64(time.Hour)
		}
		fresh = append(fresh, c.event(at))
	}
	c.marks[i] = c.now - int64(10*time.Second)
	record = c.feed.batch(c.sources[i], c.now, c.marks[i], fresh...)
	if len(c.replay) < 50 {
		c.replay = append(c.replay, record)
	} else {
		c.replay[r.IntN(50)] = record
	}
	return record, fresh
}

func TestWindowsEqualBruteForce(t *testing.T) {
	seeds, steps := uint64(2), 6000
	if testing.Short() {
		seeds, steps = 1, 1000
	}
	for seed := range seeds {
		c, w := newScenario(seed), &world{}
		s := NewStore(Options{Dimensions: testDimensions})
		views := s.SetViews(testViews)
		ticks, late, skipped := 0, 0, 0
		for range steps {
			record, fresh := c.step()
			f := fold(t, s, record)
			if f.Samples+f.TooLate != len(fresh) {
				t.Fatalf("seed %d: %d taken in and %d too late, want %d", seed, f.Samples, f.TooLate, len(fresh))
			}
			late, skipped = late+f.Late, skipped+f.Skipped
			if f.TooLate > 0 {
				for _, ev := range fresh {
					if _, ok := s.place(ev.time); ok {
						w.events = append(w.events, ev)
					}
				}
			} else {
				w.events = append(w.events, fresh...)
			}
			s.Advance(func(now time.Time) {
				ticks++
				if ticks%97 != 0 {
					return
				}
				w.events = slices.DeleteFunc(w.events, func(ev event) bool { return ev.time < now.Add(-26*time.Hour).UnixNano() })
				for _, v := range views {
					w.check(t, v, now.Unix()/60)
				}
			})
		}
		if ticks < steps/5 || late == 0 || skipped == 0 {
			t.Errorf("seed %d: %d ticks, %d late, %d skipped: the scenario does not try what it should", seed, ticks, late, skipped)
		}
	}
}

// memoryLog is a state partition.
type memoryLog struct{ records [][]byte }

func (l *memoryLog) write(records [][]byte) ([]int64, error) {
	var offsets []int64
	for _, r := range records {
		offsets = append(offsets, int64(len(l.records)))
		l.records = append(l.records, slices.Clone(r))
	}
	return offsets, nil
}

func (l *memoryLog) read(offsets []int64, each func([]byte) error) error {
	for _, o := range offsets {
		if err := each(l.records[o]); err != nil {
			return err
		}
	}
	return nil
}

// fingerprint is every figure of every view, to the last bit.
func fingerprint(views []*View) string {
	out := ""
	for i, v := range views {
		for _, g := range v.Groups() {
			if g.Count() == 0 {
				continue
			}
			out += fmt.Sprintf("%d %q %d %v", i, g.key, g.Count(), g.Sum())
			if v.spec.Quantiles {
				out += fmt.Sprint(" ", g.Min(), g.Quantile(0.5), g.Quantile(0.95), g.Max(), g.Exemplars())
			}
			out += "\n"
		}
	}
	return out
}

func TestRestoredStoreGoesOnTheSame(t *testing.T) {
	c, state := newScenario(7), &memoryLog{}
	live := NewStore(Options{Dimensions: testDimensions})
	liveViews := live.SetViews(testViews)
	other, otherViews := live, liveViews
	steps := 5000
	if testing.Short() {
		steps = 850
	}
	for i := range steps {
		record, _ := c.step()
		var want, got []string
		fold(t, live, record)
		live.Advance(func(now time.Time) {
			if now.Minute()%7 == 0 {
				want = append(want, fingerprint(liveViews))
			}
		})
		if other != live {
			fold(t, other, record)
			other.Advance(func(now time.Time) {
				if now.Minute()%7 == 0 {
					got = append(got, fingerprint(otherViews))
				}
			})
			if !slices.Equal(want, got) {
				t.Fatalf("step %d: restored store differs:\n%s\nwant:\n%s", i, got, want)
			}
		}
		if i%50 == 49 {
			if err := other.Checkpoint([]byte{byte(i)}, state.write); err != nil {
				t.Fatal(err)
			}
		}
		if i%400 == 399 {
			f := NewFinder()
			for _, r := range state.records {
				f.Add(r)
			}
			cp, ok := f.Best()
			if !ok {
				t.Fatal("no checkpoint found")
			}
			other = NewStore(Options{Dimensions: testDimensions})
			extra, err := other.Restore(cp, state.read)
			if err != nil || len(extra) != 1 || extra[0] != byte(i) {
				t.Fatalf("restore: extra %v, %v", extra, err)
			}
			otherViews = other.SetViews(testViews)
			if live.Stats() != other.Stats() {
				t.Fatalf("stats %+v, want %+v", other.Stats(), live.Stats())
			}
		}
	}
}

func TestRestoreRefusesDamage(t *testing.T) {
	c, state := newScenario(9), &memoryLog{}
	s := NewStore(Options{Dimensions: testDimensions})
	for range 300 {
		record, _ := c.step()
		fold(t, s, record)
		s.Advance(func(time.Time) {})
	}
	if err := s.Checkpoint(nil, state.write); err != nil {
		t.Fatal(err)
	}
	f := NewFinder()
	for _, r := range state.records {
		f.Add(r)
	}
	cp, _ := f.Best()
	fails := func(what string, o Options, read func([]int64, func([]byte) error) error) {
		t.Helper()
		if _, err := NewStore(o).Restore(cp, read); err == nil {
			t.Errorf("%s: restored without an error", what)
		}
	}
	opt := Options{Dimensions: testDimensions}
	fails("record gone", opt, func(offsets []int64, each func([]byte) error) error { return state.read(offsets[1:], each) })
	fails("bit flipped", opt, func(offsets []int64, each func([]byte) error) error {
		r := slices.Clone(state.records[offsets[0]])
		r[len(r)/2] ^= 1
		return each(r)
	})
	fails("read error", opt, func([]int64, func([]byte) error) error { return errors.New("gone") })
	fails("other dimensions", Options{Dimensions: []string{"tier"}}, state.read)
	bad := NewFinder()
	for _, r := range state.records {
		r = slices.Clone(r)
		r[len(r)-1] ^= 1
		bad.Add(r)
	}
	if _, ok := bad.Best(); ok {
		t.Error("found a checkpoint in damaged records")
	}
}
