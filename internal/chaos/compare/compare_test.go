package compare_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/detector"
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
			want, got := f.compute(f.readBack()), f.got()
			r := compare.Diff(want, got)
			t.Logf("%d records, %+v, %d of %d partitions from checkpoints, %d dead letters\n%v", len(f.s.Records), want.Counts, got.Restored, len(got.Partitions), len(got.Dead), r)
			if !r.Same() {
				t.Error("they differ")
			}
		})
	}
}

// TestDifferencesAreNamed tampers with what driftd reads, and with what it told, and finds each in its column.
func TestDifferencesAreNamed(t *testing.T) {
	f := newFixture(t, stream.Spec{Seed: 5, Length: 8 * time.Minute, Rate: 3}, 0)
	stop := f.run()
	written := slices.Clone(f.s.Records)
	calls := calls(t, written)
	written[calls[0]].Value = written[calls[1]].Value // one is lost, and one comes twice
	cost := regexp.MustCompile(`"cost":[0-9.]+`)
	written[calls[2]].Value = cost.ReplaceAll(written[calls[2]].Value, []byte(`"cost":7`))
	dead := slices.IndexFunc(written, func(r stream.Record) bool { return string(r.Value) == "hello, world" })
	written[dead].Value = nil
	f.publish(written)
	f.settled()
	stop()

	want := f.compute(f.records())
	got := f.got()
	r := compare.Diff(want, got)
	expect := func(r *compare.Report, counts compare.Report, said ...string) {
		t.Helper()
		counts.Events, counts.Steps, counts.Said = r.Events, r.Steps, r.Said
		if fmt.Sprint(*r) != fmt.Sprint(counts) {
			t.Errorf("report says\n%v\nwant\n%v", r, &counts)
		}
		for _, s := range said {
			if !strings.Contains(r.String(), s) {
				t.Errorf("report does not say %q:\n%v", s, r)
			}
		}
	}
	if r.WrongWindows == 0 { // its pane, and the windows that it is in
		t.Error("the changed value is in no window")
	}
	expect(r, compare.Report{Lost: 1, Doubled: 1, WrongWindows: r.WrongWindows, Other: 1}, "lost: nightly_digest/", "doubled: nightly_digest/", "of cost", "dead letter missing")

	told := got.Steps
	firing := slices.IndexFunc(told, func(r detector.Record) bool { return r.Type == detector.Firing })
	steps := func(change func(steps []detector.Record) []detector.Record) *compare.Report {
		got.Steps = change(slices.Clone(told))
		s := compare.Diff(want, got)
		s.Lost, s.Doubled, s.WrongWindows, s.Other = 0, 0, 0, 0
		return s
	}
	expect(steps(func(s []detector.Record) []detector.Record { return slices.Delete(s, firing, firing+1) }), compare.Report{AlertsMissing: 1}, "alert missing: ")
	expect(steps(func(s []detector.Record) []detector.Record {
		twice := s[firing]
		twice.Step = 99
		return append(s, twice)
	}), compare.Report{AlertsDoubled: 1}, "alert doubled: ")
	expect(steps(func(s []detector.Record) []detector.Record {
		s[firing].Samples++
		return s
	}), compare.Report{AlertsWrong: 1}, "alert wrong: ")
	expect(steps(func(s []detector.Record) []detector.Record {
		s[firing].Time = s[firing].Time.Add(time.Minute)
		return s
	}), compare.Report{AlertsMissing: 1, AlertsWrong: 1}, "alert that should not be: ")
}

// calls are the places of three native calls of the prompt that no rule watches, the first two of one partition.
func calls(t *testing.T, records []stream.Record) (found []int) {
	t.Helper()
	for i, r := range records {
		if bytes.Contains(r.Value, []byte(`"type":"span"`)) && bytes.Contains(r.Value, []byte(`"prompt":"`+stream.LatePrompt)) && bytes.Contains(r.Value, []byte(`"cost":`)) &&
			!bytes.Contains(r.Value, []byte(`"scores"`)) && (len(found) == 0 || r.Partition == records[found[0]].Partition) && r.Due < 5*time.Minute {
			if found = append(found, i); len(found) == 3 {
				return found
			}
		}
	}
	t.Fatal("the stream has too few such calls")
	return nil
}
