package detector

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// anyAdvice writes a rule file with rules on shapes, changes and shares of traffic.
func anyAdvice(rng *rand.Rand) string {
	var b strings.Builder
	b.WriteString("rubrics:\n  good: {min: -1, max: 3, better: higher}\ngroups:\n")
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	for g := range 1 + rng.IntN(3) {
		fmt.Fprintf(&b, "  - name: g%d\n    match: {prompt: %s}\n", g, pick("p", `"*"`, `"p*"`, "p, version: v1"))
		if by := pick("", "[tier]", "[tier, variant]", "[variant]"); by != "" {
			fmt.Fprintf(&b, "    slice_by: %s\n    total: %s\n", by, pick("true", "false"))
		}
		b.WriteString("    rules:\n")
		for r := range 1 + rng.IntN(3) {
			rule := "change: " + pick(rules.Axes...) + pick("", ", keep_firing_for: 5m")
			switch rng.IntN(3) {
			case 0:
				rule = pick("rubric: good", "metric: latency") + ", min_samples: " + pick("1", "10", "100") + ", shape: {distance: " +
					pick("wasserstein, above: 0.1", "ks, above: 0.2", "psi, above: 0.01", "jensen_shannon, above: 0.02") + ", window: " + pick("1m", "30m", "2h") +
					", against: " + pick("24h", "previous_version", "{version: v0}", "{variant: control}", "{environment: eval}") + "}" + pick("", ", for: 7m")
				if strings.HasPrefix(rule, "metric") {
					rule = strings.Replace(rule, "wasserstein, above: 0.1", "wasserstein, above: 100ms", 1)
				}
			case 1:
				rule = "min_samples: " + pick("1", "50") + ", traffic_share: {of: " + pick("superseded", "current", "{version: v1}", "{variant: a}") +
					pick(", above: 5%", ", below: 60%", ", below: 30%, above: 50%") + ", window: " + pick("5m", "1h", "2h") + pick("", ", for: 3m") + "}"
			}
			fmt.Fprintf(&b, "      - {alert: A%d, %s}\n", r, rule)
		}
	}
	return b.String()
}

// FuzzAdvice holds that no valid rules and no samples make the engine panic or tell what is no number, that restarts change
// nothing, and that every alert ends when it must.
func FuzzAdvice(f *testing.F) {
	seeds := uint64(12)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 12))
		w := newTwins(t, rng, 0, anyAdvice)
		phase := make(map[string]RecordType)
		level := 0.0
		step := func() {
			records, lines := w.step()
			for i := range records {
				r := &records[i]
				if !r.Type.IsStep() {
					continue
				}
				was, open := phase[r.ID]
				switch {
				case r.Type == Resolved && !open, r.Type == Pending && open, r.Type == Firing && was == Firing && r.Reason != reasonWorse:
					t.Fatalf("%s after %q: %s", r.Type, was, lines[i])
				case r.Onset == nil || r.Onset.After(r.Time), r.Value != nil && *r.Value < 0, r.Kind == "traffic_share" && r.Value != nil && *r.Value > 1:
					t.Fatalf("record %s", lines[i])
				case r.Type != Resolved && r.Kind == "change" && (len(r.Changed) != 1 || r.Samples < confirmCalls || r.Changed[0].From == r.Changed[0].To):
					t.Fatalf("record %s", lines[i])
				}
				if phase[r.ID] = r.Type; r.Type == Resolved {
					delete(phase, r.ID)
				}
			}
		}
		for range 150 {
			w.chance(2 * dayMinutes)
			if rng.IntN(40) == 0 {
				level = rng.Float64()
			}
			for range rng.IntN(8) {
				turn := func(of ...string) string { return of[(w.minute/40+rng.IntN(8)/7)%len(of)] }
				cell := windows.AppendKey(nil, "p"+strconv.Itoa(rng.IntN(2))[:rng.IntN(2)], turn("v0", "v1", "v2", ""),
					strconv.Itoa(rng.IntN(2)), turn("control", "a", ""), turn("eval", "production"))
				axes := windows.AppendKey(nil, turn("x", "y", "z"), turn("m1", "m2"), turn("a", "", "b"), turn("eu", ""))
				for range 1 + rng.IntN(40)*rng.IntN(10) {
					s := windows.Sample{Mask: windows.MaskCall | 1<<windows.BuiltinLatency | 1<<windows.BuiltinFallback, Cell: cell, Axes: axes}
					s.Values[windows.BuiltinLatency] = math.Exp(rng.NormFloat64() + level)
					s.Values[windows.BuiltinFallback] = math.Floor(rng.Float64() + level/2)
					s.Scores = []windows.Score{{Rubric: []byte("good"), Value: math.Round(3 * rng.Float64() * level)}}
					w.add(s)
				}
			}
			step()
		}
		// A week without calls ends them all.
		w.minute += 7 * dayMinutes
		step()
		for id, typ := range phase {
			t.Errorf("alert %s is %s a week after the last call", id, typ)
		}
	})
}
