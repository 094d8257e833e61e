package detector

import "testing"

// TestAnyShare: a share that no number of values can be told apart from all of them is never exceeded.
func TestAnyShare(t *testing.T) {
	text := `
rubrics:
  good: {min: 0, max: 1, better: higher}
groups:
  - name: g
    rules:
      - {alert: Almost, rubric: good, exceed: {above: 0.5, share: 99%}}
`
	set := parsed(t, text)
	set.Groups[0].Rules[0].Exceed.Share = 0.9999
	y := newPlay(t, text)
	y.p = NewPartition(PartitionOptions{Windows: scriptOptions, Rules: set})
	for range 100 {
		if steps := y.next(calls("v0", "a", 100, 10)); len(steps) > 0 {
			t.Fatal(steps)
		}
	}
	if st := y.p.Status()[0].Series[0]; st.State != StateWatching || st.Evidence != 0 {
		t.Errorf("status %+v", st)
	}
}
