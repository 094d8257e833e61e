package detector

import (
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/internal/recorded"
)

// TestRecordedChange: a change that happened is told after few calls, and one that did not happen is not. The calls of each
// snapshot come in random order, one a minute; the baseline is sealed from two thirds of the old snapshot's.
func TestRecordedChange(t *testing.T) {
	answers, err := recorded.Read("../" + recorded.Path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the recorded answers are not here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	scores := recorded.Scores(answers)
	const rule = `
rubrics: {good: {min: 0, max: 1, better: higher}}
groups: [{name: g, rules: [{alert: Changed, rubric: good, drift: {drop: 0.05, against: {version: old}}}]}]`
	shuffles := 200
	if testing.Short() {
		shuffles = 8
	}
	run := func(seed uint64, before, after []float64) (early int, delay float64) {
		rng := rand.New(rand.NewPCG(7, seed))
		before, after = slices.Clone(before), slices.Clone(after)
		rng.Shuffle(len(before), func(i, j int) { before[i], before[j] = before[j], before[i] })
		rng.Shuffle(len(after), func(i, j int) { after[i], after[j] = after[j], after[i] })
		learn := max(evidence.BaselineN, len(before)*2/3)
		y := newPlay(t, rule)
		var first []score
		for _, x := range before[:learn] {
			first = append(first, score{"p", "old", "", "", x})
		}
		y.next(first)
		for i, x := range slices.Concat(before[learn:], after) {
			n := i - (len(before) - learn) // calls of the new snapshot so far
			for _, r := range y.next([]score{{"p", "live", "", "", x}}) {
				switch {
				case r.Type != Firing:
				case n < 0:
					early++
				default:
					return early, float64(n + 1)
				}
			}
		}
		return early, math.Inf(1)
	}
	for _, c := range []struct {
		from, to string
		changed  bool
	}{{"gpt-4-0314", "gpt-4-0613", true}, {"gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", false}} {
		if len(scores[c.from]) < evidence.BaselineN*5/4 || len(scores[c.to]) == 0 {
			t.Fatalf("%d answers of %s, %d of %s; has the file changed?", len(scores[c.from]), c.from, len(scores[c.to]), c.to)
		}
		early, told := 0, 0
		var delays []float64
		for seed := range uint64(shuffles) {
			e, delay := run(seed, scores[c.from], scores[c.to])
			early += e
			delays = append(delays, delay)
			if !math.IsInf(delay, 1) {
				told++
			}
		}
		slices.Sort(delays)
		median := delays[shuffles/2]
		t.Logf("%s → %s: %d alarms before, told in %d of %d shuffles, after a median of %g calls, at most %g", c.from, c.to, early, told, shuffles, median, delays[shuffles-1])
		switch {
		case early > 0:
			t.Errorf("%s: %d alarms before the change, want none", c.to, early)
		case c.changed && median > 41:
			t.Errorf("%s: told after a median of %g calls, want at most 41", c.to, median)
		case !c.changed && told > 0:
			t.Errorf("%s: told in %d shuffles, want none", c.to, told)
		}
	}
}
