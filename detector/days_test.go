package detector

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/scripts"
	"github.com/driftd/driftd/windows"
)

// TestFiguresAreSpread holds that the figures of many prompts are told within the quarter of an hour for which their day is held, each
// once and whole, and that a restart changes nothing.
func TestFiguresAreSpread(t *testing.T) {
	const prompts = 2000
	set := parsed(t, `groups: [{name: g, rules: [{alert: A, metric: latency, threshold: {stat: mean, above: 1000s}}]}]`)
	log := stateLog{options: scriptOptions}
	p := NewPartition(PartitionOptions{Windows: scriptOptions, Rules: set})
	enc, offset := windows.NewEncoder(), int64(0)
	midnight := scriptStart.Add(12 * time.Hour)
	apply := func(now time.Time) []Record {
		raw := enc.AppendBatch(nil, &windows.Header{Source: windows.Source{Topic: "spans"}, Clock: now.UnixNano(), Watermark: now.UnixNano(), Dimensions: scriptOptions.Dimensions})
		enc.Reset()
		return slices.Clone(applyRaw(t, p, raw))
	}
	call := func(at time.Time) {
		for i := range prompts {
			s := windows.Sample{Time: at.UnixNano(), Mask: windows.MaskCall | 1<<windows.BuiltinLatency, Cell: windows.AppendKey(nil, fmt.Sprintf("p%04d", i), "v1", "", ""), Axes: windows.AppendKey(nil, "", "", "", "")}
			s.Values[windows.BuiltinLatency] = 1
			s.Offset = offset
			offset++
			enc.Add(&s)
		}
	}
	call(midnight) // the first minute of the day, and the last one
	apply(midnight.Add(time.Minute))
	call(midnight.Add(day - time.Minute))
	told := make(map[string]int)
	for m := range 20 {
		if m == 7 {
			p = log.reopen(t, p, set)
		}
		n := 0
		for _, r := range apply(midnight.Add(day + time.Duration(m)*time.Minute)) {
			if r.Type != DayFigures || r.Step != int(midnight.Unix()/86400) || len(r.Figures) != 1 || r.Figures[0].Calls != 2 || *r.Figures[0].P95 != 1 {
				t.Fatalf("record %+v", r)
			}
			told[r.Prompt]++
			n++
		}
		if n > prompts/15+1 {
			t.Errorf("%d prompts are told in minute %d", n, m)
		}
	}
	if len(told) != prompts || slices.Max(slices.Collect(maps.Values(told))) != 1 {
		t.Errorf("%d prompts are told, %d times at most; want %d, once", len(told), slices.Max(slices.Collect(maps.Values(told))), prompts)
	}
}

// A prompt's figures are bounded: the most called versions, and of each the rubrics with the most scores.
func TestFiguresAreBounded(t *testing.T) {
	s := &script{t: t, p: NewPartition(PartitionOptions{Windows: scriptOptions, Rules: parsed(t, fixtureRules)})}
	for i := range 30 {
		s.run(scripts.Block{Input: fmt.Sprintf("add series=p/v%02d r1=1 n=%d\n", i, 1+i)})
	}
	for i := range 60 {
		s.run(scripts.Block{Input: fmt.Sprintf("add series=p/v29 call=no r%02d=1 n=%d\n", i+1, 1+i)})
	}
	s.now = 12 * time.Hour
	for _, r := range applyRaw(t, s.p, s.batch()) {
		if r.Type != DayFigures {
			continue
		}
		if n := len(r.Figures); n != figuresVersions || r.Figures[0].Version != "v29" || r.Figures[n-1].Version != "v10" {
			t.Errorf("%d versions from %s to %s", n, r.Figures[0].Version, r.Figures[n-1].Version)
		}
		if scores := r.Figures[0].Scores; len(scores) != figuresRubrics || scores["r60"].N != 60 || scores["r02"].N != 0 {
			t.Errorf("%d rubrics: %v", len(scores), scores)
		}
		if r.Samples != 30*31/2 {
			t.Errorf("%d calls, want those of all versions", r.Samples)
		}
		return
	}
	t.Error("no figures")
}
