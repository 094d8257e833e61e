package detector

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/driftd/driftd/windows"
)

const replayRules = `
rubrics:
  helpful: {min: 1, max: 5, better: higher}
groups:
  - name: sliced
    slice_by: [tier, locale]
    rules:
      - {alert: Mean, metric: latency, min_samples: 10, threshold: {stat: mean, window: 15m, above: 1.2s, recover_below: 1.1s}, for: 2m, keep_firing_for: 3m, rollback: auto, auto_after: 4h}
      - {alert: Tail, metric: latency, min_samples: 10, threshold: {stat: p95, window: 1h, above: 3s}, rollback: dry_run}
      - {alert: DayTail, metric: latency, min_samples: 10, threshold: {stat: p90, window: 2h, above: 105%, against: 24h}}
      - {alert: Stars, rubric: helpful, min_samples: 10, threshold: {stat: p50, window: 10m, below: 3}}
      - {alert: Worse, rubric: helpful, min_samples: 10, threshold: {stat: mean, window: 30m, below: 97%, against: previous_version}}
      - {alert: Errors, metric: error, min_samples: 10, threshold: {stat: rate, window: 5m, above: 30%}}
      - {alert: Linked, metric: link_coverage, min_samples: 10, threshold: {stat: mean, window: 10m, below: 80%, recover_above: 90%}, for: 2m}
      - {alert: LinkedLess, metric: link_coverage, min_samples: 10, threshold: {stat: mean, window: 15m, below: 90%, against: 24h}}
      - {alert: Scored, metric: score_coverage, min_samples: 10, threshold: {stat: mean, window: 15m, below: 45%}}
      - {alert: ScoredLess, metric: score_coverage, rubric: tone, min_samples: 10, threshold: {stat: rate, window: 2h, below: 90%, against: previous_version}}
  - name: totals
    match: {prompt: "p*"}
    rules:
      - {alert: Volume, volume: {below: 70%, above: 140%, window: 15m, against: 24h}}
      - {alert: Edited, change: template_hash}
      - {alert: Swapped, change: model, keep_firing_for: 30m}
      - {alert: FellBack, change: fallback}
      - {alert: Experiment, change: variant}
      - {alert: Shape, metric: latency, min_samples: 10, shape: {above: 300ms, window: 15m, against: 24h}}
      - {alert: ShapeBefore, rubric: helpful, min_samples: 10, shape: {distance: psi, above: 0.5, window: 30m, against: previous_version}, for: 4m}
      - {alert: Lingers, traffic_share: {above: 10%, window: 15m}, min_samples: 10}
      - {alert: Current, traffic_share: {of: current, below: 75%, window: 15m}, min_samples: 10, for: 1m}
      - {alert: Max, metric: latency, min_samples: 5, threshold: {stat: max, window: 5m, above: 7s}, keep_firing_for: 10m}
  - name: budgets
    slice_by: [tier]
    rules:
      - {alert: Fixed, rubric: helpful, drift: {drop: 0.3, against: {fixed: 3.2}, false_alarms: 100/1d}}
      - {alert: Beside, rubric: helpful, canary: {drop: 0.1, against: previous_version, false_alarms: 100/1d}}
      - {alert: Slow, metric: latency, exceed: {above: 2s, share: 10%, false_alarms: 100/1d}, rollback: approve}
`

// traffic makes the batches of a log in which everything happens: several sources with disorder, one of which falls silent
// and comes back, late samples, versions that come and go, cohorts that come and go, calls without a version, scores that come by
// themselves, duplicated batches.
func traffic(seed uint64, minutes int) (batches [][]byte) {
	rng := rand.New(rand.NewPCG(seed, 1))
	enc := windows.NewEncoder()
	type state struct{ offset, watermark int64 }
	sources := make([]state, 3)
	for half := range 2 * minutes {
		now := scriptStart.Add(time.Duration(half) * 30 * time.Second)
		for i := range sources {
			src := &sources[i]
			if i == 2 && half%400 > 250 {
				continue
			}
			busy := 6 + 5*(half/60%3)
			if half%700 > 600 {
				busy = 0
			}
			for range rng.IntN(busy + 1) {
				late := time.Duration(rng.IntN(20)) * time.Second
				if rng.IntN(100) == 0 {
					late = time.Duration(rng.IntN(150)) * time.Minute
				}
				version := half/300 + rng.IntN(2)*rng.IntN(2)
				if src.offset%6 == 0 && half%300 < 200 {
					version = max(version-1, 0) // the one before lingers
				}
				s := windows.Sample{Time: now.Add(-late).UnixNano(), Mask: windows.MaskTrace | windows.MaskCall | 1<<windows.BuiltinLatency | 1<<windows.BuiltinError}
				s.Offset = src.offset
				src.offset++
				rng.Uint64()
				s.TraceID[0], s.TraceID[1], s.TraceID[2] = byte(i), byte(src.offset), byte(src.offset>>8)
				s.Values[windows.BuiltinLatency] = rng.ExpFloat64()
				s.Values[windows.BuiltinError] = float64(rng.IntN(4) / 3)
				if rng.IntN(2) == 0 {
					s.Scores = []windows.Score{{Rubric: []byte("helpful"), Value: float64(1 + rng.IntN(5-version%2))}}
				}
				if rng.IntN(3+half/150%3) == 0 {
					s.Mask = windows.MaskTrace
					s.Scores = append(s.Scores, windows.Score{Rubric: []byte("tone"), Value: 1})
				}
				name := "v" + strconv.Itoa(version)
				if half%200 > 150 && rng.IntN(4) == 0 {
					name = ""
				}
				s.Cell = windows.AppendKey(nil, "p"+strconv.Itoa(rng.IntN(2)), name,
					strconv.Itoa(rng.IntN(2)+half/500), strconv.Itoa(rng.IntN(2)))
				hash, variant := "h"+strconv.Itoa(half/170), ""
				if src.offset%97 == 0 {
					hash = "stray"
				}
				if src.offset%10 < int64(half/240*4) {
					variant = "b"
				}
				s.Axes = windows.AppendKey(nil, hash, "m"+strconv.Itoa(half/400), variant, "")
				if s.Mask&windows.MaskCall != 0 {
					s.Mask |= 1 << windows.BuiltinFallback
					if half%200 > 160 && src.offset%2 == 0 {
						s.Values[windows.BuiltinFallback] = 1
					}
				}
				enc.Add(&s)
			}
			src.watermark = now.Add(-10 * time.Second).UnixNano()
			batches = append(batches, enc.AppendBatch(nil, &windows.Header{
				Source: windows.Source{Topic: "spans", Partition: int32(i)}, Clock: now.UnixNano(), Watermark: src.watermark, Dimensions: scriptOptions.Dimensions,
			}))
			if rng.IntN(20) == 0 {
				batches = append(batches, batches[len(batches)-1])
			}
			enc.Reset()
		}
	}
	return batches
}

// TestReplayIsLive holds that restarts and reloads, wherever they come, change no byte of the records, and none of the state.
func TestReplayIsLive(t *testing.T) {
	set := parsed(t, replayRules)
	seeds, minutes := uint64(2), 600
	if testing.Short() {
		seeds, minutes = 1, 100
	}
	for seed := range seeds {
		batches := traffic(seed, minutes)
		var want []string
		kinds, told := make(map[string]bool), make(map[string]bool)
		live := NewPartition(PartitionOptions{Windows: scriptOptions, Rules: set})
		for _, raw := range batches {
			steps := applyRaw(t, live, raw)
			want = append(want, encoded(t, steps)...)
			for _, r := range steps {
				kinds[r.Rule+" "+string(r.Type)] = true
				told[r.Reason] = true
				told[r.Rollback] = told[r.Rollback] || r.Rule == "Mean"
				told["target"] = told["target"] || r.Target != nil && r.Target.Value != nil
				told["trend"] = told["trend"] || r.Trend != nil && r.Trend.Previous != nil
			}
		}
		fires := []string{"Mean", "Tail", "DayTail", "Stars", "Worse", "Errors", "Linked", "LinkedLess", "Scored", "ScoredLess", "Volume", "Max",
			"Edited", "Swapped", "FellBack", "Experiment", "Shape", "ShapeBefore", "Lingers", "Current", "Fixed", "Beside", "Slow"}
		says, seen := []string{reasonWorse, "approve", "auto", "target", "trend"}, []string{"Mean", "Tail", "Slow"}
		if testing.Short() {
			fires, says, seen = []string{"Volume"}, []string{"target"}, nil
		}
		for _, rule := range fires {
			if !kinds[rule+" firing"] || !kinds[rule+" resolved"] {
				t.Errorf("seed %d: the traffic makes no alert of %s that fires and ends", seed, rule)
			}
		}
		for _, what := range says {
			if !told[what] {
				t.Errorf("seed %d: no record has %s", seed, what)
			}
		}
		for _, rule := range seen {
			if !kinds[rule+" observed"] {
				t.Errorf("seed %d: %s is never observed", seed, rule)
			}
		}
		// Restarts at every batch of a stretch, and here and there.
		var log stateLog
		var got []string
		rng := rand.New(rand.NewPCG(seed, 2))
		stretch := rng.IntN(len(batches))
		p := NewPartition(PartitionOptions{Windows: scriptOptions, Rules: set})
		for i, raw := range batches {
			if i >= stretch && i < stretch+minutes/6 || rng.IntN(20) == 0 {
				p = log.reopen(t, p, set)
			}
			if rng.IntN(20) == 0 { // the same rules, read again
				if err := p.SetRules(set); err != nil {
					t.Fatal(err)
				}
			}
			for _, line := range encoded(t, applyRaw(t, p, raw)) {
				if n := len(got); n >= len(want) || line != want[n] {
					t.Fatalf("seed %d, batch %d of %d: step %d is\n%s\nwant\n%s", seed, i, len(batches), n, line, append(want, "none")[n])
				}
				got = append(got, line)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d steps with restarts, %d without", seed, len(got), len(want))
		}
		if got, want := saved(t, p), saved(t, live); !bytes.Equal(got, want) {
			t.Errorf("seed %d: %d bytes of state with restarts, %d without, or not the same", seed, len(got), len(want))
		}
	}
}

// saved is the state that the engine would write.
func saved(t testing.TB, p *Partition) []byte {
	t.Helper()
	state, err := p.engine.snapshot(nil)
	if err != nil {
		t.Fatal(err)
	}
	return state
}
