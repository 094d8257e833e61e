package detector

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/driftd/driftd/windows"
)

// score is a call with a score, and a latency of as many seconds.
type score struct {
	prompt, version, tier, locale string
	value                         float64
}

// play feeds a partition with the scores of one minute after the other and hands over the records.
type play struct {
	t      testing.TB
	p      *Partition
	enc    *windows.Encoder
	minute int
	offset int64
	batch  windows.Batch
}

func newPlay(t testing.TB, text string) *play {
	return &play{t: t, p: NewPartition(PartitionOptions{Windows: scriptOptions, Rules: parsed(t, text)}), enc: windows.NewEncoder()}
}

// encode makes the batch of the next minute: scores in the order given, bad beside good as its mirror image.
func (y *play) encode(scores []score) []byte {
	for _, c := range scores {
		s := windows.Sample{Time: scriptStart.Add(time.Duration(y.minute) * time.Minute).UnixNano(), Mask: windows.MaskCall | 1<<windows.BuiltinLatency}
		s.Offset = y.offset
		y.offset++
		s.Values[windows.BuiltinLatency] = c.value
		s.Scores = []windows.Score{{Rubric: []byte("bad"), Value: 1 - c.value}, {Rubric: []byte("good"), Value: c.value}}
		s.Cell = windows.AppendKey(nil, c.prompt, c.version, c.tier, c.locale)
		s.Axes = windows.AppendKey(nil, "", "", "", "")
		y.enc.Add(&s)
	}
	y.minute++
	now := scriptStart.Add(time.Duration(y.minute) * time.Minute).UnixNano()
	raw := y.enc.AppendBatch(nil, &windows.Header{Source: windows.Source{Topic: "spans"}, Clock: now, Watermark: now, Dimensions: scriptOptions.Dimensions})
	y.enc.Reset()
	return raw
}

func (y *play) next(scores []score) []Record {
	y.t.Helper()
	if err := y.batch.Decode(y.encode(scores)); err != nil {
		y.t.Fatal(err)
	}
	return slices.DeleteFunc(y.p.Apply(&y.batch), func(r Record) bool { return !r.Type.IsStep() })
}

// wait lets minutes go by without scores.
func (y *play) wait(minutes int) []Record {
	y.t.Helper()
	y.minute += minutes - 1
	return y.next(nil)
}

const sequentialRules = `
rubrics:
  good: {min: 0, max: 1, better: higher}
  bad: {min: 0, max: 1, better: lower}
groups:
  - name: good
    slice_by: [tier]
    rules:
      - {alert: Fixed, rubric: good, drift: {drop: 0.05, against: {fixed: 0.75}}}
      - {alert: Previous, rubric: good, drift: {drop: 0.05, against: previous_version}}
      - {alert: Day, rubric: good, drift: {drop: 0.0375, against: 24h}}
      - {alert: Beside, rubric: good, canary: {drop: 0.05, against: previous_version}}
      - {alert: Tail, rubric: good, exceed: {below: 0.5, share: 20%}}
  - name: bad
    slice_by: [tier]
    rules:
      - {alert: Fixed, rubric: bad, drift: {rise: 0.05, against: {fixed: 0.25}}}
      - {alert: Previous, rubric: bad, drift: {rise: 0.05, against: previous_version}}
      - {alert: Day, rubric: bad, drift: {rise: 0.0375, against: 24h}}
      - {alert: Beside, rubric: bad, canary: {rise: 0.05, against: previous_version}}
      - {alert: Tail, rubric: bad, exceed: {above: 0.5, share: 20%}}
`

// ups and downs: three versions that come one after the other and overlap, two tiers, stretches in which one of them is bad.
func upsAndDowns(rng *rand.Rand, minute int) (scores []score) {
	for v := range 3 {
		if minute < v*900 || minute > v*900+2000 {
			continue
		}
		for tier := range 2 {
			mean := 0.75
			if v > 0 && minute/200%3 == tier {
				mean = 0.4
			}
			for range rng.IntN(6) {
				x := 0.0
				if rng.Float64() < mean {
					x = float64(32+rng.IntN(33)) / 64
				} else {
					x = float64(rng.IntN(32)) / 64
				}
				scores = append(scores, score{"p", "v" + strconv.Itoa(v), strconv.Itoa(tier), strconv.Itoa(rng.IntN(2)), x})
			}
		}
	}
	return scores
}

// TestMirrored: a rubric turned round, with every rule turned round, gives the same alerts at the same times.
func TestMirrored(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 7))
	y := newPlay(t, sequentialRules)
	fired := make(map[string]int)
	minutes, rules := 4000, []string{"Fixed", "Previous", "Day", "Beside", "Tail"}
	if testing.Short() {
		minutes, rules = 500, rules[:1]
	}
	for minute := range minutes {
		steps := y.next(upsAndDowns(rng, minute))
		var good, bad []Record
		for _, r := range steps {
			if r.Group == "good" {
				good = append(good, r)
			} else {
				bad = append(bad, r)
			}
		}
		if len(good) != len(bad) {
			t.Fatalf("minute %d: %d steps, and %d of the mirror image", minute, len(good), len(bad))
		}
		for i := range good {
			g, b := &good[i], &bad[i]
			if g.Type == Firing {
				fired[g.Rule]++
			}
			if g.Rule != b.Rule || g.Type != b.Type || g.Version != b.Version || g.Cohort["tier"] != b.Cohort["tier"] || g.Samples != b.Samples ||
				!g.Onset.Equal(*b.Onset) || g.Reason != b.Reason || !reflects(g, b) {
				t.Fatalf("minute %d:\n%s\nand mirrored\n%s", minute, encoded(t, []Record{*g})[0], encoded(t, []Record{*b})[0])
			}
		}
	}
	for _, rule := range rules {
		if fired[rule] == 0 {
			t.Errorf("%s never fired", rule)
		}
	}
}

// reflects tells whether the figures of two records are mirror images; those of a share are the same.
func reflects(g, b *Record) bool {
	near := func(x, y float64) bool { return x-y < 1e-9 && y-x < 1e-9 }
	other := func(x float64) float64 {
		if g.Kind == "exceed" {
			return x
		}
		return 1 - x
	}
	for _, f := range [][2]*float64{{g.Value, b.Value}, {g.Reference, b.Reference}, {g.Bound, b.Bound}} {
		if (f[0] == nil) != (f[1] == nil) || f[0] != nil && !near(*f[0], other(*f[1])) {
			return false
		}
	}
	if len(g.Interval) != len(b.Interval) {
		return false
	}
	if len(g.Interval) == 0 {
		return true
	}
	low, high := other(b.Interval[1]), other(b.Interval[0])
	return near(g.Interval[0], min(low, high)) && near(g.Interval[1], max(low, high))
}

// TestOrderIsNothing: the order of samples within a minute, of cells as they come, and a restart change no byte.
func TestOrderIsNothing(t *testing.T) {
	set := parsed(t, sequentialRules)
	minutes, least := 4000, 20
	if testing.Short() {
		minutes, least = 500, 3
	}
	var want []string
	for trial := range 3 {
		rng, shuffle := rand.New(rand.NewPCG(1, 7)), rand.New(rand.NewPCG(2, uint64(trial)))
		y := newPlay(t, sequentialRules)
		var log stateLog
		var got []string
		for minute := range minutes {
			scores := upsAndDowns(rng, minute)
			if trial > 0 {
				shuffle.Shuffle(len(scores), func(i, j int) { scores[i], scores[j] = scores[j], scores[i] })
			}
			if trial == 2 && shuffle.IntN(50) == 0 {
				y.p = log.reopen(t, y.p, set)
			}
			got = append(got, encoded(t, y.next(scores))...)
		}
		if trial == 0 {
			want = got
		}
		if len(want) < least || !slices.Equal(got, want) {
			t.Fatalf("trial %d: %d steps, want the %d of the first", trial, len(got), len(want))
		}
	}
}

// TestSequentialMemory: a rule that saved and loaded saves the same bytes, and damaged ones are refused, not believed.
func TestSequentialMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 7))
	y := newPlay(t, sequentialRules)
	for minute := range 1700 {
		y.next(upsAndDowns(rng, minute))
	}
	firing := 0
	for _, r := range y.p.engine.rules {
		k := sequentialOf(r.kind)
		firing += len(k.firing)
		saved := k.save(nil)
		other := sequentialOf(newKind(k.rule, k.store))
		if err := other.load(saved); err != nil {
			t.Fatal(err)
		}
		for _, s := range k.firing { // alerts are saved apart
			other.adopt(s.alert)
		}
		if again := other.save(nil); !bytes.Equal(again, saved) {
			t.Errorf("%s: %d bytes saved, %d after a load, not the same", k.Alert, len(saved), len(again))
		}
		for range 2000 {
			damaged := slices.Clone(saved)
			if rng.IntN(4) == 0 {
				damaged = damaged[:rng.IntN(len(damaged))]
			} else {
				damaged[rng.IntN(len(damaged))] ^= byte(1 + rng.IntN(255))
			}
			one := sequentialOf(newKind(k.rule, k.store))
			_ = one.load(damaged) // must not panic
		}
	}
	if firing == 0 {
		t.Error("nothing fires")
	}
}

// TestBudgetIsKept lets healthy series run through a whole partition, for a budget so great that there is something to count: no more
// alarms than it allows, of all series together, and more than a hundredth of it, or nothing was tried.
func TestBudgetIsKept(t *testing.T) {
	const days, budget = 6, 40
	text := fmt.Sprintf(`
rubrics: {good: {min: 0, max: 1, better: higher}}
groups:
  - name: g
    slice_by: [tier]
    rules:
      - {alert: Fixed, rubric: good, drift: {drop: 0.01, against: {fixed: 0.75}, false_alarms: %[1]d/1d}}
      - {alert: Sealed, rubric: good, drift: {drop: 0.01, against: {version: v0}, false_alarms: %[1]d/1d}}
      - {alert: Beside, rubric: good, canary: {drop: 0.01, against: {version: v0}, false_alarms: %[1]d/1d}}
      - {alert: Tail, rubric: good, exceed: {below: 0.5, share: 25%%, false_alarms: %[1]d/1d}}
`, budget)
	rng := rand.New(rand.NewPCG(3, 4))
	y := newPlay(t, text)
	fired := make(map[string]int)
	for range days * dayMinutes {
		var scores []score
		for tier := range 4 {
			for v := range 2 {
				for range rng.IntN(4) {
					x := 0.0
					if rng.Float64() < 0.75 {
						x = 1
					}
					scores = append(scores, score{"p", "v" + strconv.Itoa(v), strconv.Itoa(tier), "", x})
				}
			}
		}
		for _, r := range y.next(scores) {
			if r.Type == Firing {
				fired[r.Rule]++
			}
		}
	}
	t.Logf("%d days of 10 series, 5 of the canary's, at %d false alarms a day: %v", days, budget, fired)
	for _, rule := range []string{"Fixed", "Sealed", "Beside", "Tail"} {
		// A count whose mean is days·budget is above it by four standard deviations in 1 of 30,000. A sealed bound lies below the
		// mean, and gives next to none.
		if n := fired[rule]; n > days*budget+4*15 || n < days*budget/100 && rule != "Sealed" {
			t.Errorf("%s: %d false alarms, want at most %d, and some", rule, n, days*budget)
		}
	}
}

// TestForgotten: a series that is silent for days has no share in the budget until it comes back, when it begins anew; after a month
// nothing is known of it, and a version promoted again before that finds its baseline.
func TestForgotten(t *testing.T) {
	y := newPlay(t, `
rubrics: {good: {min: 0, max: 1, better: higher}}
groups:
  - name: g
    rules:
      - {alert: A, rubric: good, drift: {drop: 0.1, against: previous_version}}
      - {alert: B, rubric: good, exceed: {below: 0.1, share: 50%}}
`)
	serve := func(version string, minutes int, value float64) (steps int) {
		for range minutes {
			for _, r := range y.next(slices.Repeat([]score{{"p", version, "", "", value}}, 20)) {
				if r.Reason != reasonWorse { // the first minutes of an alarm are of before as well
					steps++
				}
			}
		}
		return steps
	}
	state := func(version string) (s SeriesStatus) {
		st := y.p.Status()[0]
		for _, one := range st.Series {
			if one.Version == version {
				return one
			}
		}
		return SeriesStatus{}
	}
	serve("v1", 60, 0.75)
	serve("v2", 60, 0.74)
	if s := state("v2"); s.State != StateWatching || s.Against.Samples != 1200 || s.Evidence == 0 {
		t.Fatalf("v2 stands at %+v", s)
	}
	was := state("v2").Evidence
	y.wait(dormant + 120)
	if s := state("v2"); s.State != StateResting || y.p.Status()[0].Watched != 0 {
		t.Errorf("after days of silence v2 stands at %+v", s)
	}
	for _, s := range y.p.Status()[1].Series {
		if s.State != StateResting || s.Evidence != 0 {
			t.Errorf("after days of silence, nothing to learn: %+v", s)
		}
	}
	serve("v3", 1, 0.75) // knows nothing of v1 and v2, which the store has forgotten
	if s := state("v3"); s.State != StateAlone {
		t.Errorf("v3 stands at %+v", s)
	}
	serve("v2", 1, 0.74)
	if s := state("v2"); s.State != StateWatching || s.Against.Samples != 1200 || s.Evidence >= was {
		t.Errorf("v2 is back, and stands at %+v with evidence of %g before", s, was)
	}
	if serve("v2", 30, 0.5) != 1 {
		t.Error("v2, promoted again, is not seen to have become worse")
	}
	y.wait(kept + 120)
	if st := y.p.Status()[0]; st.Known != 0 || len(st.Series) != 0 {
		t.Errorf("after a month: %+v", st)
	}
	if b := sequentialOf(y.p.engine.rules[0].kind); len(b.releases) != 0 || b.register.watched != 0 {
		t.Errorf("%d releases, %d watched", len(b.releases), b.register.watched)
	}
}

// TestSubjectsAreLimited: of too many series those that have been silent for longest go, whatever the order in which they came.
func TestSubjectsAreLimited(t *testing.T) {
	r := register{releases: make(map[releaseKey]*release)}
	rng := rand.New(rand.NewPCG(5, 6))
	for _, i := range rng.Perm(1600) {
		s, _ := r.ensure(releaseKey{0, "p", "v" + strconv.Itoa(i%40)}, []string{strconv.Itoa(i / 40)})
		s.last = int64(i % 100)
		if i%3 == 0 {
			r.watch(s)
		}
		if i == 100 {
			s.alert = &alert{}
		}
	}
	r.limit(1600)
	if r.n != 1600 {
		t.Fatalf("%d of 1600 are left although there is room", r.n)
	}
	r.limit(800)
	watched := 0
	for _, s := range r.sorted() {
		if s.last < 53 && s.alert == nil {
			t.Errorf("%s/%s of minute %d is left", s.version, s.name, s.last)
		}
		if s.watched {
			watched++
		}
	}
	if r.n != 750 || r.watched != watched || len(r.sorted()) != 750 {
		t.Errorf("%d left, %d in releases, want 750; %d watched, want %d", r.n, len(r.sorted()), r.watched, watched)
	}
}

// TestSequentialHistory: a partition that starts anew with what the log of alerts says of its past goes on as the one before.
func TestSequentialHistory(t *testing.T) {
	if testing.Short() {
		t.Skip("some days of traffic")
	}
	set := parsed(t, sequentialRules)
	rng := rand.New(rand.NewPCG(1, 7))
	y := newPlay(t, sequentialRules)
	var batches [][]byte
	var steps []Record
	for minute := range 4000 {
		raw := y.encode(upsAndDowns(rng, minute))
		batches = append(batches, raw)
		steps = append(steps, applyRaw(t, y.p, raw)...)
	}
	for _, known := range []int{len(steps) / 4, len(steps) / 2, len(steps) * 3 / 4} {
		h := NewHistory()
		open := 0
		for i := range steps[:known] {
			h.Add(&steps[i])
			if open++; steps[i].Type == Resolved {
				open -= 2
			}
		}
		for known < len(steps) && steps[known].Time.Equal(steps[known-1].Time) { // of one batch
			h.Add(&steps[known])
			known++
		}
		p := NewPartition(PartitionOptions{Windows: scriptOptions, Rules: set, History: h})
		var got []string
		for _, raw := range batches {
			got = append(got, encoded(t, applyRaw(t, p, raw))...)
		}
		if want := encoded(t, steps[known:]); open == 0 || !slices.Equal(got, want) {
			t.Errorf("after %d of %d steps, %d alerts open: %d steps, want %d", known, len(steps), open, len(got), len(want))
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Fatalf("step %d\n%s\nwant\n%s", i, got[i], want[i])
				}
			}
		}
	}
}
