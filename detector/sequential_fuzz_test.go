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
			end := pick("", ", keep_firing_for: 5m", ", rollback: auto")
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

// FuzzSequential holds that no valid rules and no samples make the engine panic or tell what is no number, and that restarts
// change nothing.
func FuzzSequential(f *testing.F) {
	for seed := range uint64(12) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 11))
		read := func() *rules.Set {
			text := anyRules(rng)
			set, problems := rules.Parse("rules.yaml", []byte(text), rules.Options{Dimensions: fuzzOptions.Dimensions})
			if err := problems.Err(); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			return set
		}
		set := read()
		o := PartitionOptions{Windows: fuzzOptions, Rules: set, Partitions: rng.IntN(4)}
		live, again := NewPartition(o), NewPartition(o)
		log := stateLog{options: fuzzOptions, partitions: o.Partitions}
		enc, minute, offset := windows.NewEncoder(), 0, int64(0)
		level := rng.Float64()
		for range 150 {
			switch rng.IntN(40) {
			case 0:
				minute += rng.IntN(5 * dayMinutes)
			case 1:
				set = read()
				for _, p := range []*Partition{live, again} {
					if err := p.SetRules(set); err != nil {
						t.Fatal(err)
					}
				}
			case 2, 3:
				again = log.reopen(t, again, set)
			case 4:
				level = rng.Float64()*4 - 2
			}
			for range rng.IntN(8) {
				cell := windows.AppendKey(nil, "p"+strconv.Itoa(rng.IntN(2))[:rng.IntN(2)], "v"+strconv.Itoa(minute/60%3+rng.IntN(2)),
					strconv.Itoa(rng.IntN(2)), []string{"control", "a", ""}[rng.IntN(3)], []string{"eval", "production"}[rng.IntN(2)])
				spread := float64(rng.IntN(2))
				for range 1 + rng.IntN(40)*rng.IntN(10) {
					s := windows.Sample{Mask: windows.MaskCall, Cell: cell, Axes: windows.AppendKey(nil, "", "", "", "")}
					s.Time = scriptStart.Add(time.Duration(minute-rng.IntN(2)*rng.IntN(3)) * time.Minute).UnixNano()
					s.Offset = offset
					offset++
					x := level + spread*rng.NormFloat64()
					if rng.IntN(200) == 0 {
						x *= 1e9
					}
					s.Scores = []windows.Score{{Rubric: []byte("bad"), Value: 1 - x}, {Rubric: []byte("good"), Value: x}}
					enc.Add(&s)
				}
			}
			minute++
			now := scriptStart.Add(time.Duration(minute) * time.Minute).UnixNano()
			raw := enc.AppendBatch(nil, &windows.Header{Source: windows.Source{Topic: "spans"}, Clock: now, Watermark: now, Dimensions: fuzzOptions.Dimensions})
			enc.Reset()
			want, got := encoded(t, applyRaw(t, live, raw)), encoded(t, applyRaw(t, again, raw))
			if !slices.Equal(got, want) {
				t.Fatalf("with restarts\n%s\nwithout\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		stands := live.Status()
		if got := again.Status(); !reflect.DeepEqual(got, stands) {
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
