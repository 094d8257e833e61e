package detector

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/rules"
)

// TestDivide: a total's baseline has a part for each cohort with enough scores, and the rest is never too small for a bound.
func TestDivide(t *testing.T) {
	cohorts := func(ns ...int64) (out []learned) {
		for i, n := range ns {
			var w evidence.Weights
			w.Add(0.5, n)
			out = append(out, learned{strconv.Itoa(i), w, n})
		}
		return out
	}
	many := make([]int64, 3*maxParts)
	for i := range many {
		many[i] = 2000
	}
	for _, c := range []struct {
		name  string
		ns    []int64
		parts int
		rest  int64
	}{
		{"none", nil, 0, 0},
		{"all have enough", []int64{1000, 5000, 1200}, 3, 0},
		{"the thin ones are the rest", []int64{5000, 900, 600, 3000}, 2, 1500},
		{"a rest that is too thin takes the smallest", []int64{5000, 400, 3000}, 1, 3400},
		{"in the end all", []int64{1500, 400}, 0, 1900},
		{"no more than maxParts", many, maxParts, 2000 * 2 * maxParts},
	} {
		parts, rest := divide(cohorts(c.ns...))
		if len(parts) != c.parts || rest.N() != c.rest {
			t.Errorf("%s: %d parts and a rest of %d, want %d and %d", c.name, len(parts), rest.N(), c.parts, c.rest)
		}
		for i := 1; i < len(parts); i++ {
			if parts[i].n > parts[i-1].n {
				t.Errorf("%s: the smaller part first", c.name)
			}
		}
	}
}

// TestBaselineOfCohorts: scores find their part, the parts make up the whole as they are mixed, and a load gives the same.
func TestBaselineOfCohorts(t *testing.T) {
	by := func(float64) float64 { return 0.05 }
	var good, bad, few, whole evidence.Weights
	good.Add(0.9, 3000)
	bad.Add(0.5, 2000)
	few.Add(0.25, 1000)
	for _, w := range []*evidence.Weights{&good, &bad, &few} {
		whole.Merge(w)
	}
	half := few
	for j := range half {
		half[j] /= 2
	}
	b := sealBaseline(&whole, []learned{{"good", good, 3000}, {"bad", bad, 2000}, {"a", half, 500}, {"b", half, 500}}, 77, "v1", by)
	if len(b.parts) != 3 || b.of("good") != 0 || b.of("bad") != 1 || b.of("a") != 2 || b.of("never heard of") != 2 {
		t.Fatalf("%d parts; good is in %d, bad in %d, a in %d", len(b.parts), b.of("good"), b.of("bad"), b.of("a"))
	}
	for _, c := range []struct {
		counts []int64
		mean   float64
	}{{nil, (2700 + 1000 + 250) / 6000.}, {[]int64{1, 0, 0}, 0.9}, {[]int64{1, 3, 0}, 0.6}} {
		if got := b.mixed(c.counts); math.Abs(got.mean-c.mean) > 1e-6 || !(got.bound < got.mean && got.bound > got.mean-0.05) {
			t.Errorf("mixed %v: mean %g, bound %g, want mean %g", c.counts, got.mean, got.bound, c.mean)
		}
	}
	plain := sealBaseline(&whole, nil, 77, "v1", by)
	if p := b.parts[0].bound; len(plain.parts) != 1 || plain.parts[0].bound != evidence.Lower(&whole, evidence.BaselineAlpha) || p != evidence.Lower(&good, evidence.BaselineAlpha/3) {
		t.Errorf("the parts of a total share its risk: bounds %g and %g", plain.parts[0].bound, p)
	}
	for _, one := range []*baseline{b, plain} {
		saved := one.save(nil)
		var again baseline
		r := reader{rest: saved}
		if again.load(&r, by); r.bad || len(r.rest) > 0 || !bytes.Equal(again.save(nil), saved) || again.of("bad") != one.of("bad") {
			t.Errorf("%d bytes saved, not the same after a load", len(saved))
		}
	}
}

// TestMixtureIsNoEvidence: traffic that shifts to the worse of two cohorts moves the mean of all, and is no drift of the total where
// the rule slices by what makes the cohorts; a drop in both is, and both are named with what they used to be.
func TestMixtureIsNoEvidence(t *testing.T) {
	text := func(group string) string {
		return "rubrics: {good: {min: 0, max: 1, better: higher}}\ngroups: [{name: g, " + group + "rules: [{alert: A, rubric: good, drift: {drop: 0.02, against: previous_version}}]}]"
	}
	sliced, plain := newPlay(t, text("slice_by: [tier], ")), newPlay(t, text(""))
	rng := rand.New(rand.NewPCG(8, 9))
	total := func(steps []Record) (alerts []Record) {
		for _, r := range steps {
			if len(r.Cohort) == 0 && r.Type == Firing {
				alerts = append(alerts, r)
			}
		}
		return alerts
	}
	var inSliced, inPlain []Record
	serve := func(minutes int, version string, worse, drop float64) {
		for range minutes {
			var scores []score
			for range 20 {
				tier, mean := "free", 0.5
				if rng.Float64() > worse {
					tier, mean = "paid", 0.9
				}
				x := 0.0
				if rng.Float64() < mean-drop {
					x = 1
				}
				scores = append(scores, score{"p", version, tier, "", x})
			}
			inSliced = append(inSliced, total(sliced.next(scores))...)
			inPlain = append(inPlain, total(plain.next(scores))...)
		}
	}
	serve(600, "v1", 0.3, 0)
	serve(600, "v2", 0.7, 0)
	if len(inSliced) > 0 || len(inPlain) == 0 {
		t.Fatalf("the mixture shifts: %d alerts of a total by cohorts, %d of a plain one", len(inSliced), len(inPlain))
	}
	serve(120, "v2", 0.7, 0.1)
	if len(inSliced) != 1 {
		t.Fatalf("both cohorts drop: %d alerts of the total, want one", len(inSliced))
	}
	if r := inSliced[0]; math.Abs(*r.Reference-(0.7*0.5+0.3*0.9)) > 0.05 || math.Abs(*r.Value-*r.Reference+0.1) > 0.08 {
		t.Errorf("the total fell from %g to %g, want about from 0.62 to 0.52", *r.Reference, *r.Value)
	}
}

// TestCuts: a rule's budget is cut by the partitions that its prompts may be in.
func TestCuts(t *testing.T) {
	for prompt, want := range map[string]int{"": 4, "p": 1, "p*": 4, "p?": 4, `p\*`: 4} {
		g := &rules.Group{Match: map[string]string{"version": "v1"}}
		if prompt != "" {
			g.Match["prompt"] = prompt
		}
		if got := cuts(&rule{group: g, partitions: 4}); got != want {
			t.Errorf("prompt %q: cut by %d, want %d", prompt, got, want)
		}
	}
	if got := cuts(&rule{group: &rules.Group{}}); got != 1 {
		t.Errorf("nobody says how many partitions there are: cut by %d", got)
	}
}
