package detector

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestHistoryIsLive: a partition that has lost its state and replays its samples, with what the log of alerts says of its past, goes on
// as if nothing had happened, wherever it is taken: also with alerts that are about to end.
func TestHistoryIsLive(t *testing.T) {
	set := parsed(t, replayRules)
	batches := traffic(3, 120)
	p := NewPartition(PartitionOptions{Windows: scriptOptions, Rules: set})
	steps := make([][]Record, len(batches)) // by batch
	for i, raw := range batches {
		steps[i] = onlySteps(applyRaw(t, p, raw))
	}
	rng := rand.New(rand.NewPCG(3, 9))
	for range 4 {
		cut := len(batches)/8 + rng.IntN(len(batches)*3/4)
		h := NewHistory()
		for _, of := range steps[:cut] {
			for i := range of {
				h.Add(&of[i])
			}
		}
		open := len(h.open)
		p := NewPartition(PartitionOptions{Windows: scriptOptions, Rules: set, History: h})
		var got []string
		for _, raw := range batches {
			got = append(got, encoded(t, onlySteps(applyRaw(t, p, raw)))...)
		}
		want := encoded(t, slices.Concat(steps[cut:]...))
		if open == 0 || len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("after batch %d of %d, %d alerts open: %d steps, want %d", cut, len(batches), open, len(got), len(want))
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Fatalf("step %d\n%s\nwant\n%s", i, got[i], want[i])
				}
			}
		}
	}
}

func onlySteps(records []Record) []Record {
	return slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return !r.Type.IsStep() })
}
