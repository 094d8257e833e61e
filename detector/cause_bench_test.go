package detector

import (
	"fmt"
	"testing"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// The cause of an alert of a prompt with as many versions and cohorts as the default limits allow, and of an ordinary one.
func BenchmarkExplain(b *testing.B) {
	for _, c := range []struct{ versions, cohorts int }{{3, 20}, {20, 500}} {
		b.Run(fmt.Sprintf("versions=%d/cohorts=%d", c.versions, c.cohorts), func(b *testing.B) {
			set, problems := rules.Parse("rules.yaml", []byte(floorRules), rules.Options{Dimensions: scriptOptions.Dimensions})
			if err := problems.Err(); err != nil {
				b.Fatal(err)
			}
			p := NewPartition(PartitionOptions{Windows: scriptOptions, Rules: set})
			const hours = 4
			for m := range hours * 60 {
				e := windows.NewEncoder()
				at := scriptStart.Add(time.Duration(m) * time.Minute)
				for i := range c.versions * c.cohorts {
					if c.versions*c.cohorts > 1000 && (i+m)%10 != 0 {
						continue
					}
					cohort := i / c.versions
					s := windows.Sample{
						Position: windows.Position{Offset: int64(m*c.versions*c.cohorts + i)}, Time: at.UnixNano(), Mask: windows.MaskCall,
						Cell:   windows.AppendKey(nil, "p", fmt.Sprintf("v%02d", i%c.versions), fmt.Sprint(cohort%5), fmt.Sprint(cohort/5)),
						Axes:   windows.AppendKey(nil, "h", "model", "", ""),
						Scores: []windows.Score{{Rubric: []byte("grounding"), Value: 0.9 + float64(m%7)/100}},
					}
					if m > (hours-1)*60 {
						s.Scores[0].Value -= 0.01
						if i%c.versions == 0 {
							s.Scores[0].Value -= 0.1
						}
					}
					e.Add(&s)
				}
				now := at.Add(time.Minute).UnixNano()
				applyRaw(b, p, e.AppendBatch(nil, &windows.Header{Source: windows.Source{Topic: "spans"}, Clock: now, Watermark: now, Dimensions: scriptOptions.Dimensions}))
			}
			e := p.engine
			onset := e.now.Add(-10 * time.Minute)
			var cause Cause
			for b.Loop() {
				rec := Record{Prompt: "p", Version: "v00", Metric: "grounding", Kind: "threshold", Onset: &onset, Previous: "v01"}
				e.explain(e.rules[0], under, &rec, maxReads)
				cause = rec.Cause
			}
			if cause != CausePromptVersion {
				b.Fatalf("cause %q", cause)
			}
		})
	}
}
