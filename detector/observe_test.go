package detector

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/scripts"
)

// TestObservationsAreBounded holds that of many alerts that fire the worst of each version are observed, and always the same ones.
func TestObservationsAreBounded(t *testing.T) {
	const prompts, cohorts = 15, 30
	set := parsed(t, `groups: [{name: g, slice_by: [tier, locale], rules: [{alert: A, min_samples: 5, metric: latency, threshold: {stat: mean, window: 5m, above: 1s}, rollback: approve}]}]`)
	observations := func(prompts int) (told []Record) {
		s := &script{t: t, p: NewPartition(PartitionOptions{Windows: scriptOptions, Rules: set})}
		for i := range prompts * cohorts {
			s.run(scripts.Block{Input: fmt.Sprintf("add for=4m series=p%d/v2/t%d/l latency=%d n=5\n", i%prompts, i, 10+i/prompts)})
		}
		for i := range 10 {
			s.run(scripts.Block{Input: fmt.Sprintf("add for=4m series=q/v2/t%d/l latency=2 n=5\n", i)})
		}
		s.now = time.Minute
		for _, r := range applyRaw(t, s.p, s.batch()) {
			if r.Type == Observed {
				told = append(told, r)
			}
		}
		return told
	}
	want := observations(prompts)
	if !slices.Equal(encoded(t, want), encoded(t, observations(prompts))) {
		t.Error("others are observed when it is done again")
	}
	if len(want) != maxObserved {
		t.Fatalf("%d alerts observed, want %d", len(want), maxObserved)
	}
	count, least := make(map[string]int), make(map[string]float64)
	for i := range want {
		r := &want[i]
		if r.Value == nil {
			t.Fatalf("%s is observed without a value", r.ID)
		}
		if before, ok := least[r.Prompt]; !ok || *r.Value < before {
			least[r.Prompt] = *r.Value
		}
		count[r.Prompt]++
	}
	for prompt, n := range count {
		switch {
		case prompt == "q" && n != 11: // ten cohorts and the total
			t.Errorf("%d of 11 alerts of the small prompt are observed", n)
		case prompt != "q" && (n < 12 || n > 13 || least[prompt] < 10+cohorts-float64(n)):
			t.Errorf("of %s %d are observed, down to %v", prompt, n, least[prompt])
		}
	}
	if n := len(observations(1)); n != maxOfVersion+11 {
		t.Errorf("%d alerts observed of one prompt and a small one, want %d", n, maxOfVersion+11)
	}
}
