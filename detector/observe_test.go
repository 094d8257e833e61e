package detector

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestObservationsAreBounded holds that of many alerts that fire the worst of each version are observed first, and always the same ones.
func TestObservationsAreBounded(t *testing.T) {
	set := parsed(t, `groups: [{name: g, slice_by: [tier, locale], rules: [{alert: A, min_samples: 5, metric: latency, threshold: {stat: mean, window: 5m, above: 1s}, rollback: approve}]}]`)
	observations := func() (told []Record) {
		s := &script{t: t, p: NewPartition(PartitionOptions{Windows: scriptOptions, Rules: set})}
		for i := range 300 {
			prompt := "p"
			if i%30 == 0 {
				prompt = "q"
			}
			s.run(block{input: fmt.Sprintf("add for=4m series=%s/v2/t%d/l latency=%d n=5\n", prompt, i, 10+i)})
		}
		s.now = time.Minute
		for _, r := range applyRaw(t, s.p, s.batch()) {
			if r.Type == Observed {
				told = append(told, r)
			}
		}
		return told
	}
	want := observations()
	if !slices.Equal(encoded(t, want), encoded(t, observations())) {
		t.Error("others are observed when it is done again")
	}
	if len(want) != maxObserved {
		t.Fatalf("%d alerts observed, want %d", len(want), maxObserved)
	}
	count := map[string]int{}
	worst := map[string]float64{}
	for i := range want {
		r := &want[i]
		count[r.Prompt]++
		if r.Value == nil {
			t.Fatalf("%s is observed without a value", r.ID)
		}
		if before, ok := worst[r.Prompt]; ok && *r.Value > before {
			t.Errorf("%s: %v behind %v", r.Prompt, *r.Value, before)
		}
		worst[r.Prompt] = *r.Value
	}
	if count["q"] != 11 { // ten cohorts and the total
		t.Errorf("%d of 11 alerts of the small prompt are observed", count["q"])
	}
}
