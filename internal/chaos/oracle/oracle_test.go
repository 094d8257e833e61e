package oracle_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/chaos/oracle"
	"github.com/driftd/driftd/internal/chaos/stream"
)

// written is a stream as it stands in its topics.
func written(s *stream.Stream) (records []oracle.Record, sources []oracle.Source) {
	next := make(map[string]int64)
	for _, r := range s.Records {
		at := fmt.Sprint(r.Topic, r.Partition)
		records = append(records, oracle.Record{Topic: r.Topic, Partition: int32(r.Partition), Offset: next[at], Value: r.Value})
		next[at]++
	}
	for _, t := range s.Topics {
		sources = append(sources, oracle.Source{Topic: t.Name, Encoding: t.Encoding})
	}
	return records, sources
}

func compute(t *testing.T, s *stream.Stream) *oracle.Want {
	t.Helper()
	records, sources := written(s)
	want, err := oracle.Compute(records, oracle.Config{Sources: sources, Dimensions: stream.Dimensions, Rules: []byte(s.Rules), Until: s.Until})
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// TestStreamsAreDecided: streams are such that what must come out does not depend on how they are read, and of everything there is some.
func TestStreamsAreDecided(t *testing.T) {
	s := stream.New(stream.Spec{Seed: 11, Length: 13 * time.Minute, Rollback: true})
	want := compute(t, s)
	for _, why := range want.Unsure {
		t.Error(why)
	}
	kinds, reasons := make(map[string]int), make(map[string]int)
	for _, step := range want.Steps {
		kinds[step.Type+" "+step.Reason]++
	}
	for _, d := range want.Dead {
		reasons[d.Reason]++
	}
	t.Logf("%d records, %+v, %d steps %v, %d dead letters %v", len(s.Records), want.Counts, len(want.Steps), kinds, len(want.Dead), reasons)
	for _, kind := range []string{"pending ", "firing ", "firing worse", "resolved recovered", "resolved no data in the window"} {
		if kinds[kind] == 0 {
			t.Errorf("no step is %q", kind)
		}
	}
	for _, reason := range []string{
		"encoding", "malformed", "wrong_type", "duplicate_key", "too_deep", "bad_time", "future", "bad_id", "bad_value", "negative_latency", "prompt_name",
		"label_value", "invalid_utf8", "rubric_name", "no_value", "unknown_label", "out_of_range", "duplicate_rubric", "unlinked",
	} {
		if reasons[reason] == 0 {
			t.Errorf("no dead letter is %s", reason)
		}
	}
}

// at is a native span at so many seconds, with more keys.
func at(seconds int, more string) string {
	when := time.Date(2026, 11, 20, 14, 0, seconds, 0, time.UTC).Format(time.RFC3339)
	return fmt.Sprintf(`{"time":%q,%s}`, when, more)
}

// small computes from a few native events by hand.
func small(t *testing.T, rules string, dedup time.Duration, events ...string) *oracle.Want {
	t.Helper()
	c := oracle.Config{Sources: []oracle.Source{{Topic: "events", Encoding: "driftd_json", Dedup: dedup}}, Dimensions: []string{"tier"}, Rules: []byte(rules)}
	c.Until = time.Date(2026, 11, 20, 14, 20, 0, 0, time.UTC)
	var records []oracle.Record
	for i, e := range events {
		records = append(records, oracle.Record{Topic: "events", Offset: int64(i), Value: []byte(e)})
	}
	want, err := oracle.Compute(records, c)
	if err != nil {
		t.Fatal(err)
	}
	return want
}

const smallRules = `
groups:
  - name: g
    rules:
      - {alert: Slow, metric: latency, threshold: {stat: mean, window: 3m, above: 2s}, min_samples: 2, for: 2m}
`

func TestAlertByHand(t *testing.T) {
	var events []string
	for minute, latency := range []int{1, 1, 5, 5, 5, 9, 1, 1, 1} {
		for second := range 2 {
			events = append(events, at(60*minute+second, fmt.Sprintf(`"type":"span","prompt":"p","version":"v","tier":"free","latency":%d`, latency)))
		}
	}
	var steps []string
	for _, s := range small(t, smallRules, 0, events...).Steps {
		steps = append(steps, fmt.Sprintf("%s %s %s of %d", s.Time.Format(time.TimeOnly), s.Type, s.Reason, s.Samples))
	}
	// Means of three minutes: 1, 1, 2⅓ at 14:03, then 3⅔, 5, 6⅓, 5, 3⅔, 1 at 14:09. It fires two minutes after the first that is too high.
	want := []string{"14:03:00 pending  of 6", "14:05:00 firing  of 6", "14:09:00 resolved recovered of 6"}
	if !slices.Equal(steps, want) {
		t.Errorf("steps are %q, want %q", steps, want)
	}
}

func TestLinksAndRepetitionsByHand(t *testing.T) {
	const trace = `"trace_id":"5b8efff798038103d269b633813fc60c"`
	call := at(10, `"type":"span",`+trace+`,"span_id":"eee19b7ec3c1b174","parent_span_id":"eee19b7ec3c1b175","latency":0.1,"cost":0.1`)
	events := []string{
		at(9, `"type":"score",`+trace+`,"span_id":"eee19b7ec3c1b174","rubric":"r","value":0.3`), // before its call
		call, call,
		at(11, `"type":"span","kind":"other",`+trace+`,"span_id":"eee19b7ec3c1b175","prompt":"p","version":"v","tier":"free"`),
		at(12, `"type":"span",`+trace+`,"span_id":"eee19b7ec3c1b179","parent_span_id":"eee19b7ec3c1b174"`),                           // inside the call
		at(13, `"type":"score","trace_id":"00000000000000000000000000000001","span_id":"eee19b7ec3c1b174","rubric":"r","value":0.3`), // nobody's
	}
	for dedup, calls := range map[time.Duration]int64{0: 2, time.Minute: 1} {
		want := small(t, smallRules, dedup, events...)
		p := want.Panes[oracle.Cell{Prompt: "p", Version: "v", Dims: "free"}][time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC).Unix()/60]
		if p == nil || p.Calls != calls || p.Values["r"].N() != 1 || p.Values["cost"].N() != calls || p.Values["error"].Sum() != 0 {
			t.Errorf("dedup %v: pane is %+v", dedup, p)
		}
		if len(want.Dead) != 1 || want.Dead[0].Reason != "unlinked" || want.Dead[0].Offset != 5 {
			t.Errorf("dedup %v: dead letters %v", dedup, want.Dead)
		}
	}
}

// A score whose span was cut off, of a trace that is there: without a prompt in it there is nothing to link to, with several nobody knows.
func TestScoreOfWhatWasCutOff(t *testing.T) {
	const trace = `"trace_id":"5b8efff798038103d269b633813fc60c"`
	score := at(9, `"type":"score",`+trace+`,"span_id":"eee19b7ec3c1b174","rubric":"r","value":0.3`)
	call := func(id, more string) string {
		return at(10, `"type":"span",`+trace+`,"span_id":"eee19b7ec3c1b17`+id+`","parent_span_id":"eee19b7ec3c1b180","latency":0.1`+more)
	}
	if want := small(t, smallRules, 0, score, call("1", "")); len(want.Unsure) > 0 || len(want.Dead) != 1 || want.Dead[0].Reason != "unlinked" {
		t.Errorf("without a prompt: %v, dead letters %v", want.Unsure, want.Dead)
	}
	if want := small(t, smallRules, 0, score, call("1", `,"prompt":"p"`), call("2", `,"prompt":"q"`)); len(want.Unsure) != 1 {
		t.Errorf("of two prompts: %v, dead letters %v", want.Unsure, want.Dead)
	}
}

func TestValues(t *testing.T) {
	var v oracle.Values
	for range 10 {
		v.Add(0.1)
	}
	if v.Sum() != 1 { // floats added one by one come to 0.9999999999999999
		t.Errorf("sum is %v", v.Sum())
	}
	v.Add(3)
	if !v.Exact() || v.Quantile(50) != (oracle.Range{Low: 0.1, High: 0.1}) || v.Quantile(99) != (oracle.Range{Low: 3, High: 3}) {
		t.Errorf("p50 %v, p99 %v", v.Quantile(50), v.Quantile(99))
	}
	for i := range 1000 {
		v.Add(1 + float64(i)/7000)
	}
	if q := v.Quantile(50); v.Exact() || !q.Has(1+490.0/7000) || q.Has(1.2) {
		t.Errorf("p50 of many values is %v", q)
	}
}
