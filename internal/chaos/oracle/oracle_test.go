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

func TestStreamsAreDecided(t *testing.T) {
	for seed := range uint64(2) {
		s := stream.New(stream.Spec{Seed: seed, Length: 25 * time.Minute, Rollback: true})
		records, sources := written(s)
		want, err := oracle.Compute(records, oracle.Config{Sources: sources, Dimensions: stream.Dimensions, Rules: []byte(s.Rules), Until: s.Until})
		if err != nil {
			t.Fatal(err)
		}
		for _, why := range want.Unsure {
			t.Errorf("seed %d: %s", seed, why)
		}
		by := make(map[string]int)
		for _, step := range want.Steps {
			by[step.Rule+" "+step.Type+" "+step.Reason]++
		}
		reasons := make(map[string]int)
		for _, d := range want.Dead {
			reasons[d.Reason]++
		}
		t.Logf("seed %d: %d records, %+v, %d steps %v, %d dead %v", seed, len(s.Records), want.Counts, len(want.Steps), by, len(want.Dead), reasons)
		if !slices.ContainsFunc(want.Steps, func(s oracle.Step) bool { return s.Type == "resolved" }) {
			t.Error("no alert is over at the end")
		}
	}
}
