package detector

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

var fuzzOptions = windows.Options{Dimensions: []string{"tier", "variant", "environment"}, MaxCohorts: 20}

// anyRules writes a rule file with rules of the kinds that have a budget.
func anyRules(rng *rand.Rand) string {
	var b strings.Builder
	b.WriteString("rubrics:\n  good: {min: -1, max: 3, better: higher}\n  bad: {min: 0, max: 1, better: lower}\ngroups:\n")
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	for g := range 1 + rng.IntN(3) {
		fmt.Fprintf(&b, "  - name: g%d\n    match: {prompt: %s}\n", g, pick("p", `"*"`, `"p*"`, "p, version: v1", "p, variant: a", "p, environment: production"))
		if by := pick("", "[tier]", "[tier, variant]", "[variant]"); by != "" {
			fmt.Fprintf(&b, "    slice_by: %s\n    total: %s\n", by, pick("true", "false"))
		}
		b.WriteString("    rules:\n")
		for r := range 1 + rng.IntN(3) {
			value := "good, %s: {drop: " + pick("0.5", "1.2", "0.01")
			if rng.IntN(2) == 0 {
				value = "bad, %s: {rise: " + pick("0.1", "0.4", "5%%")
			}
			budget := pick("", ", false_alarms: 1/30d", ", false_alarms: 100/1d")
			end := pick("", ", keep_firing_for: 5m", ", rollback: auto", ", auto_after: 3h, rollback: auto")
			if strings.HasSuffix(end, "auto") {
				budget = ""
			}
			var rule string
			switch rng.IntN(3) {
			case 0:
				rule = "rubric: " + fmt.Sprintf(value, "drift") + ", against: " + pick("24h", "previous_version", "{version: v0}", "{variant: control}", "{environment: eval}", "{fixed: 0.5}")
			case 1:
				rule = "rubric: " + fmt.Sprintf(value, "canary") + ", against: " + pick("previous_version", "{version: v0}", "{variant: control}")
			default:
				rule = "rubric: good, exceed: {" + pick("above: 1.5", "below: 0.5", "above: 2.9") + ", share: " + pick("1%", "50%", "20%")
			}
			fmt.Fprintf(&b, "      - {alert: A%d, %s%s}%s}\n", r, rule, budget, end)
		}
	}
	return b.String()
}

// twins are a partition and one that is restarted now and then, fed with the same samples.
type twins struct {
	t           *testing.T
	rng         *rand.Rand
	rules       func(*rand.Rand) string // writes a rule file
	set         *rules.Set
	live, again *Partition
	log         stateLog
	enc         *windows.Encoder
	minute      int
	offset      int64
}

func newTwins(t *testing.T, rng *rand.Rand, partitions int, write func(*rand.Rand) string) *twins {
	w := &twins{t: t, rng: rng, rules: write, log: stateLog{options: fuzzOptions, partitions: partitions}, enc: windows.NewEncoder()}
	w.read()
	o := PartitionOptions{Windows: fuzzOptions, Rules: w.set, Partitions: partitions}
	w.live, w.again = NewPartition(o), NewPartition(o)
	return w
}

func (w *twins) read() {
	text := w.rules(w.rng)
	set, problems := rules.Parse("rules.yaml", []byte(text), rules.Options{Dimensions: fuzzOptions.Dimensions})
	if err := problems.Err(); err != nil {
		w.t.Fatalf("%v\n%s", err, text)
	}
	w.set = set
}

// chance lets something happen to both now and then: time without calls, at most so many minutes, other rules, a restart of one.
func (w *twins) chance(silence int) {
	switch w.rng.IntN(30) {
	case 0:
		w.minute += w.rng.IntN(silence)
	case 1:
		w.read()
		for _, p := range []*Partition{w.live, w.again} {
			if err := p.SetRules(w.set); err != nil {
				w.t.Fatal(err)
			}
		}
	case 2, 3:
		w.again = w.log.reopen(w.t, w.again, w.set)
	}
}

// add adds a sample of the minute at hand, or of one that is late.
func (w *twins) add(s windows.Sample) {
	s.Time = scriptStart.Add(time.Duration(w.minute-w.rng.IntN(2)*w.rng.IntN(3)) * time.Minute).UnixNano()
	s.Offset = w.offset
	w.offset++
	w.enc.Add(&s)
}

// step ends the minute. Both must tell the same: these records, and as JSON.
func (w *twins) step() (records []Record, lines []string) {
	w.minute++
	now := scriptStart.Add(time.Duration(w.minute) * time.Minute).UnixNano()
	raw := w.enc.AppendBatch(nil, &windows.Header{Source: windows.Source{Topic: "spans"}, Clock: now, Watermark: now, Dimensions: fuzzOptions.Dimensions})
	w.enc.Reset()
	records = applyRaw(w.t, w.live, raw)
	lines = encoded(w.t, records)
	if got := encoded(w.t, applyRaw(w.t, w.again, raw)); !slices.Equal(got, lines) {
		w.t.Fatalf("with restarts\n%s\nwithout\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
	return records, lines
}

// FuzzSequential holds that no valid rules and no samples make the engine panic or tell what is no number, and that restarts
// change nothing.
func FuzzSequential(f *testing.F) {
	seeds := uint64(12)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 11))
		w := newTwins(t, rng, rng.IntN(4), anyRules)
		level := rng.Float64()
		for range 150 {
			w.chance(5 * dayMinutes)
			if rng.IntN(40) == 0 {
				level = rng.Float64()*4 - 2
			}
			for range rng.IntN(8) {
				cell := windows.AppendKey(nil, "p"+strconv.Itoa(rng.IntN(2))[:rng.IntN(2)], "v"+strconv.Itoa(w.minute/60%3+rng.IntN(2)),
					strconv.Itoa(rng.IntN(2)), []string{"control", "a", ""}[rng.IntN(3)], []string{"eval", "production"}[rng.IntN(2)])
				spread := float64(rng.IntN(2))
				for range 1 + rng.IntN(40)*rng.IntN(10) {
					x := level + spread*rng.NormFloat64()
					if rng.IntN(200) == 0 {
						x *= 1e9
					}
					w.add(windows.Sample{
						Mask: windows.MaskCall, Cell: cell, Axes: windows.AppendKey(nil, "", "", "", ""),
						Scores: []windows.Score{{Rubric: []byte("bad"), Value: 1 - x}, {Rubric: []byte("good"), Value: x}},
					})
				}
			}
			w.step()
		}
		stands := w.live.Status()
		if got := w.again.Status(); !reflect.DeepEqual(got, stands) {
			t.Fatalf("with restarts\n%s\nwithout\n%s", showStatus(got), showStatus(stands))
		}
		for _, st := range stands {
			for _, s := range st.Series {
				if !(s.Evidence >= 0 && s.Evidence < 1) {
					t.Fatalf("evidence %g", s.Evidence)
				}
			}
		}
	})
}
