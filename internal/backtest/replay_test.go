package backtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/consumer/driftdjson"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

const testPartitions = 7

var testDimensions = []string{"tier", "locale"}

func testFeed(t testing.TB) *consumer.Feed {
	return feedOf(t, consumer.Linking{Wait: 10 * time.Second, Horizon: 30 * time.Minute, Memory: 64 << 20}, testPartitions, testDimensions...)
}

func feedOf(t testing.TB, linking consumer.Linking, partitions int, dimensions ...string) *consumer.Feed {
	t.Helper()
	c := consumer.Config{Encodings: map[string]consumer.Format{"driftd_json": {New: driftdjson.New}}, Linking: linking}
	for _, name := range dimensions {
		c.Dimensions = append(c.Dimensions, consumer.Dimension{Name: name})
	}
	f, err := consumer.NewFeed(c, consumer.SourceTopic{Topic: "events", Encoding: "driftd_json"}, partitions,
		func(prompt string) int { return kafkalog.PartitionFor(prompt, partitions) })
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func testRules(t testing.TB) *rules.Set {
	t.Helper()
	set, problems := rules.Parse("rules.yaml", []byte(`
rubrics: {grounding: {min: 0, max: 1, better: higher}}
groups:
  - name: all
    slice_by: [tier, locale]
    rules:
      - {alert: Low, rubric: grounding, threshold: {stat: mean, window: 5m, below: 0.48}, min_samples: 5}
      - {alert: Traffic, volume: {above: 120%, window: 5m, against: 24h}}
`), rules.Options{Dimensions: testDimensions})
	if problems.Err() != nil {
		t.Fatal(problems.Text())
	}
	return set
}

// testEvents are so many calls of 60 cells, so far apart.
func testEvents(n int, apart time.Duration) []byte {
	rng := rand.New(rand.NewPCG(1, 1))
	var out []byte
	for i := range n {
		c := otlpgen.Call{
			Prompt: fmt.Sprintf("prompt_%d", rng.IntN(10)), Version: "v1", Tier: []string{"free", "pro"}[rng.IntN(2)], Locale: []string{"en", "de", "fr"}[rng.IntN(3)],
			End: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC).Add(time.Duration(i) * apart), InputTokens: 900 + rng.IntN(400), OutputTokens: 100 + rng.IntN(90),
			Cost: float64(rng.IntN(9000)) / 1e6, Scores: []otlpgen.Score{{Rubric: "grounding", Value: float64(rng.IntN(11)) / 10}},
		}
		c.Start = c.End.Add(-time.Duration(rng.IntN(3000)) * time.Millisecond)
		out = append(otlpgen.AppendNative(out, &c), '\n')
	}
	return out
}

func testOptions(t testing.TB, steps func([]detector.Record) error) Options {
	return Options{Rules: testRules(t), Windows: windows.Options{Dimensions: testDimensions}, Partitions: testPartitions, Steps: steps}
}

// TestWorkersMakeNoDifference holds that the steps, and their order, are a function of the events alone.
func TestWorkersMakeNoDifference(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 2000
	}
	events := testEvents(n, 6000*time.Second/time.Duration(n))
	var want string
	for _, workers := range []int{1, 2, 5, testPartitions + 1} {
		var out strings.Builder
		o := testOptions(t, JSON(&out))
		o.Workers = workers
		report, err := Events(t.Context(), o, testFeed(t), NewLines(t.Context(), bytes.NewReader(events)))
		if err != nil {
			t.Fatal(err)
		}
		if workers == 1 {
			want = out.String()
			if strings.Count(want, "\n") < 100 {
				t.Fatalf("only %d steps", strings.Count(want, "\n"))
			}
		}
		if out.String() != want {
			t.Errorf("%d workers give other steps than one", workers)
		}
		if report.Detected.Samples != n || report.Detected.Late+report.Detected.Skipped > 0 || report.Refused() > 0 || len(report.Prompts) != 10 {
			t.Errorf("%d workers: %+v", workers, report)
		}
	}
}

// TestHugeLine holds that a line that no event is as long as is refused with its place, and disturbs nothing.
func TestHugeLine(t *testing.T) {
	events := bytes.SplitAfter(testEvents(3, time.Second), []byte("\n"))
	huge := []byte(`{"type":"span","text":"` + strings.Repeat("x", 3*MaxLine) + "\"}\n")
	in := io.MultiReader(bytes.NewReader(events[0]), bytes.NewReader(huge), bytes.NewReader(events[1]), bytes.NewReader(events[2]))
	report, err := Events(t.Context(), testOptions(t, JSON(io.Discard)), testFeed(t), NewLines(t.Context(), in))
	if err != nil {
		t.Fatal(err)
	}
	d := report.Dead[consumer.Malformed]
	if d == nil || d.Events != 1 || d.First.Offset != 1 || d.First.Detail != "the line is longer than 1024 KiB" || report.Detected.Samples != 3 {
		t.Errorf("%+v, %d samples", d, report.Detected.Samples)
	}
}

// TestInterrupted holds that what was done until ctx ends is told.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	steps := 0
	o := testOptions(t, func(s []detector.Record) error {
		for i := range s {
			if s[i].Reason != "worse" { // the report counts alerts, not how often each became worse
				steps++
			}
		}
		cancel()
		return nil
	})
	in, out := io.Pipe() // it does not end
	defer out.Close()
	go out.Write(testEvents(20_000, 300*time.Millisecond))
	report, err := Events(ctx, o, testFeed(t), NewLines(ctx, in))
	told := 0
	for i := range report.Rules {
		r := &report.Rules[i]
		told += r.Pending + r.Firing + r.Resolved
	}
	if !errors.Is(err, context.Canceled) || steps == 0 || told != steps || report.Newest.IsZero() {
		t.Errorf("%v; %d steps, %d in the report", err, steps, told)
	}
}

// TestStepsFail holds that a replay ends when nobody takes its steps.
func TestStepsFail(t *testing.T) {
	full := errors.New("the disk is full")
	report, err := Events(t.Context(), testOptions(t, func([]detector.Record) error { return full }), testFeed(t),
		NewLines(t.Context(), bytes.NewReader(testEvents(20_000, 300*time.Millisecond))))
	if !errors.Is(err, full) || report == nil {
		t.Errorf("%v", err)
	}
}

// TestReadingFails holds that what was read before counts, but is not judged as if it were all.
func TestReadingFails(t *testing.T) {
	broken := errors.New("broken")
	in := io.MultiReader(bytes.NewReader(testEvents(100, time.Second)), failing{broken})
	report, err := Events(t.Context(), testOptions(t, JSON(io.Discard)), testFeed(t), NewLines(t.Context(), in))
	if !errors.Is(err, broken) || report.Detected.Samples == 0 || report.Detected.Ticks > 2*testPartitions {
		t.Errorf("%v, %+v", err, report.Detected)
	}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

func BenchmarkEvents(b *testing.B) {
	events := testEvents(200_000, 10*time.Millisecond)
	b.ReportAllocs()
	b.SetBytes(int64(len(events)))
	for b.Loop() {
		if _, err := Events(b.Context(), testOptions(b, JSON(io.Discard)), testFeed(b), NewLines(b.Context(), bytes.NewReader(events))); err != nil {
			b.Fatal(err)
		}
	}
}
