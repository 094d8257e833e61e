package standing

import (
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/detector"
)

func TestWrite(t *testing.T) {
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	f := func(v float64) *float64 { return &v }
	v22 := &detector.Against{Kind: "previous_version", Version: "v22"}
	sealed := &detector.Against{Kind: "previous_version", Version: "v22", Sealed: &at, Samples: 3888}
	all := []detector.RuleStatus{
		{Group: "quality", Rule: "Regressed", Kind: "drift", Metric: "grounding", FalseAlarms: "1/30d", Known: 1204, Watched: 31, Learning: 1, Firing: 1, More: 1100,
			Series: []detector.SeriesStatus{
				{Prompt: "support", Version: "v23", Cohort: map[string]string{"tier": "enterprise", "locale": "de"}, State: detector.StateFiring, Against: sealed, Reference: f(0.909), Bound: f(0.904)},
				{Prompt: "support", Version: "v23", State: detector.StateWatching, Against: sealed, Reference: f(0.91), Bound: f(0.9), Evidence: 0.021, Detectable: f(0.0042), Clamped: 3},
				{Prompt: "refund", Version: "v18", State: detector.StateLearning, Learned: 412, Needed: 1000, Against: v22},
				{Prompt: "refund", Version: "v17", State: detector.StateAlone},
			}},
		{Group: "quality", Rule: "Canary", Kind: "canary", Metric: "grounding", FalseAlarms: "2/300d", Known: 2, Watched: 2,
			Series: []detector.SeriesStatus{
				{Prompt: "support", Version: "v24", State: detector.StateWatching, Against: v22, Evidence: 0.5,
					Difference: &detector.Difference{Low: -0.0123, High: 0.018, Verdict: "undecided", More: 2300, Samples: 512, Others: 4100}},
				{Prompt: "support", Version: "v25", State: detector.StateFiring, Against: v22,
					Difference: &detector.Difference{Low: -0.05, High: -0.01, Verdict: "worse", Samples: 512, Others: 4100}},
			}},
		{Group: "calls", Rule: "Slow", Kind: "exceed", Metric: "latency", FalseAlarms: "1/30d", Known: 1, Watched: 1,
			Series: []detector.SeriesStatus{{Prompt: "support", Version: "v24", State: detector.StateWatching, Reference: f(0.05), Bound: f(0.05), Detectable: f(0.0123)}}},
	}
	var b strings.Builder
	if err := Write(&b, all, 3); err != nil {
		t.Fatal(err)
	}
	const want = `quality/Regressed: drift of grounding, at most 1 false alarm in 30d over all its series
  31 watched, 1 firing, 1 learning, of 1,204 series
  firing    support v23, enterprise × de  was 0.909 (held against 0.904) of v22, 3,888 values up to 2026-11-20 12:00
  watching  support v23                   evidence 2%; was 0.91 (held against 0.9) of v22, 3,888 values up to 2026-11-20 12:00; sees a change of 0.0042 within a day; 3 values outside the range
  learning  refund v18                    412 of 1,000 values of v22
  and 1,100 more
  1 with nothing to compare them with yet; they learn for what comes after them

quality/Canary: canary of grounding, at most 2 false alarms in 300d over all its series
  2 watched, of 2 series
  watching  support v24  not decided yet, about 2,300 more scores: -0.0123 to 0.018 against v22, over 512 and 4,100 values; evidence 50%
  firing    support v25  worse: -0.05 to -0.01 against v22, over 512 and 4,100 values

calls/Slow: exceed of latency, at most 1 false alarm in 30d over all its series
  1 watched, of 1 series
  watching  support v24  evidence 0%; allowed 5%; sees a change of 1.23% within a day
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	b.Reset()
	if err := Write(&b, nil, 3); err != nil || !strings.Contains(b.String(), "no rule") {
		t.Errorf("of no rules: %q, %v", b.String(), err)
	}
}
