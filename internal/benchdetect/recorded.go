package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/internal/recorded"
)

// change is what happened to one model when a new snapshot took over.
type change struct {
	from, to string
	early    int       // alarms before, over all shuffles
	delays   []float64 // calls until the first alarm after, one a shuffle; +Inf for none
}

// changed holds the detector to a change that happened: the answers of two models to the same questions, by an old and by a
// new snapshot of each; gpt-4's began to answer in another way, gpt-3.5's did not. The reference is sealed from the first two
// thirds of the old snapshot's answers, and every call is a pane of its own.
func changed(path string, shuffles int) ([]change, error) {
	answers, err := recorded.Read(path)
	if err != nil {
		return nil, err
	}
	scores := recorded.Scores(answers)
	changes := []change{{from: "gpt-4-0314", to: "gpt-4-0613"}, {from: "gpt-3.5-turbo-0301", to: "gpt-3.5-turbo-0613"}}
	for i := range changes {
		c := &changes[i]
		if len(scores[c.from]) < evidence.BaselineN || len(scores[c.to]) == 0 {
			return nil, fmt.Errorf("read %s: %d answers of %s, %d of %s", path, len(scores[c.from]), c.from, len(scores[c.to]), c.to)
		}
		for n := range shuffles {
			early, delay := replay(rand.New(rand.NewPCG(7, uint64(n))), scores[c.from], scores[c.to])
			c.early += early
			c.delays = append(c.delays, delay)
		}
	}
	return changes, nil
}

// replay returns the alarms before the change and the number of calls from it to the first one after.
func replay(r *rand.Rand, before, after []float64) (early int, delay float64) {
	before, after = slices.Clone(before), slices.Clone(after)
	r.Shuffle(len(before), func(i, j int) { before[i], before[j] = before[j], before[i] })
	r.Shuffle(len(after), func(i, j int) { after[i], after[j] = after[j], after[i] })
	learn := max(evidence.BaselineN, len(before)*2/3)
	var b evidence.Weights
	for _, x := range before[:learn] {
		b.Add(x, 1)
	}
	m := evidence.Lower(&b, evidence.BaselineAlpha)
	table := evidence.NewTable(m, evidence.Aim{Mean: b.Mean(), SD: math.Sqrt(b.Variance()), By: asked})
	var s evidence.Series
	for i, x := range slices.Concat(before[learn:], after) {
		var w evidence.Weights
		w.Add(x, 1)
		_, fires := s.Add(int64(i), float64(i+1)*byDefault/day, evidence.Part{Table: table, Weights: &w})
		switch n := i - (len(before) - learn); {
		case fires && n >= 0:
			return early, float64(n + 1)
		case fires:
			early++
		}
	}
	return early, math.Inf(1)
}

func (c *change) String() string {
	seen := 0
	for _, v := range c.delays {
		if !math.IsInf(v, 1) {
			seen++
		}
	}
	return fmt.Sprintf("%s → %s: %d alarms before; after it an alarm in %d of %d, after a median of %s calls, p90 %s", c.from, c.to, c.early, seen, len(c.delays),
		minutes(quantile(c.delays, 0.5)), minutes(quantile(c.delays, 0.9)))
}
