package compare_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/chaos/compare"
	"github.com/driftd/driftd/internal/chaos/stream"
)

// TestSame: what ingest and detect make of a stream is what the oracle computes.
func TestSame(t *testing.T) {
	for seed, dedup := range []time.Duration{0, 10 * time.Minute} {
		t.Run(fmt.Sprint("seed ", seed, ", dedup ", dedup), func(t *testing.T) {
			f := newFixture(t, stream.Spec{Seed: uint64(seed), Length: 28 * time.Minute, Rate: 3}, dedup)
			stop := f.run()
			f.publish(f.s.Records)
			f.settled()
			stop()
			want, got := f.want(), f.got()
			r := compare.Diff(want, got)
			t.Logf("%d records, %+v, %d of %d partitions from checkpoints, %d dead letters\n%v", len(f.s.Records), want.Counts, got.Restored, len(got.Partitions), len(got.Dead), r)
			if !r.Same() {
				t.Error("they differ")
			}
		})
	}
}
