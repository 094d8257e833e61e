package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
)

// backtestSpec makes traffic for rules of all kinds: versions that come and go, one of them worse in one cohort, calls that are linked,
// an edit in place, a swapped model, a spike, a silence.
const backtestSpec = `
# prompts whole
0h    3h   7s  prompt=refunds version=v17 tier=free locale=en model=m1 latency=1.2~0.8 cost=0.003~0.002 error=2% score.grounding=0.9~0.1 score.verdict=92%
0h    3h   9s  prompt=refunds version=v17 tier=enterprise locale=de model=m1 latency=1.4~0.8 cost=0.003~0.002 error=2% score.grounding=0.9~0.1 score.verdict=92%
3h    5h   7s  prompt=refunds version=v18 tier=free locale=en model=m1 latency=1.2~0.8 cost=0.003~0.002 error=2% score.grounding=0.9~0.1 score.verdict=92%
3h    5h   9s  prompt=refunds version=v18 tier=enterprise locale=de model=m1 latency=3.4~2 cost=0.003~0.002 error=9% score.grounding=0.7~0.2 score.verdict=70%
3h    5h   12s prompt=refunds version=v17 tier=enterprise locale=de model=m1 latency=1.2~0.8 score.grounding=0.9~0.1
5h    6h   7s  prompt=refunds version=v17 tier=free locale=en model=m1 latency=1.2~0.8 error=2% score.grounding=0.9~0.1 score.verdict=92%
# linked by trace
0h    4h   11s linked=yes prompt=answers version=7 tier=free locale=fr template_hash=a1 latency=2~1 output_tokens=180~60 score.grounding=0.8~0.2
4h    6h   11s linked=yes prompt=answers version=7 tier=free locale=fr template_hash=b2 latency=2~1 output_tokens=280~60 score.grounding=0.74~0.2
# others
0h    2h   13s prompt=triage_b version=v1 tier=pro locale=en model=big-0301 latency=0.4~0.2 score.helpful=3~2
2h    6h   13s prompt=triage_b version=v1 tier=pro locale=en model=big-0613 latency=0.4~0.2 score.helpful=3~2
2h    150m 1s  prompt=triage_c version=v1 tier=pro locale=en model=big-0301 latency=0.4~0.2
0h    6h   17s prompt=triage_c version=v1 tier=pro locale=en variant=control latency=0.4~0.2 score.helpful=3~2
0h    6h   17s prompt=triage_c version=v2 tier=pro locale=en variant=treatment latency=0.5~0.2 score.helpful=2.4~1.4
0h    3h   19s prompt=quiet version=v1 latency=0.4~0.2
`

const backtestRules = `
rubrics:
  grounding: {min: 0, max: 1, better: higher}
  helpful: {min: 1, max: 5, better: higher}
  verdict: {labels: {pass: 1, fail: 0}, better: higher}
groups:
  - name: sliced
    slice_by: [tier, locale]
    labels: {team: support}
    rules:
      - {alert: Low, rubric: grounding, threshold: {stat: mean, window: 20m, below: 0.8, recover_above: 0.82}, min_samples: 20, for: 2m, rollback: dry_run,
         annotations: {summary: "{{ .Prompt }} {{ .Version }}: {{ .Value }}"}}
      - {alert: Slow, metric: latency, threshold: {stat: p95, window: 15m, above: 2.5s}, min_samples: 20}
      - {alert: Failing, metric: error, threshold: {stat: rate, window: 30m, above: 5%}, min_samples: 50, keep_firing_for: 5m}
      - {alert: Worse, rubric: grounding, threshold: {stat: mean, window: 30m, below: 95%, against: previous_version}, min_samples: 20}
      - {alert: Regressed, rubric: grounding, drift: {drop: 0.05, against: previous_version, false_alarms: 1/30d}}
      - {alert: Failed, rubric: verdict, drift: {drop: 0.1, against: {fixed: 0.9}}}
      - {alert: Tail, metric: latency, exceed: {above: 2.1s, share: 5%, false_alarms: 1/30d}, rollback: auto, auto_after: 4h}
      - {alert: CanaryWorse, rubric: grounding, canary: {drop: 0.05, against: previous_version}}
      - {alert: Reshaped, metric: latency, shape: {distance: wasserstein, above: 0.3s, window: 2h, against: previous_version}}
      - {alert: Edited, change: template_hash}
      - {alert: Swapped, change: model}
  - name: totals
    rules:
      - {alert: Traffic, volume: {below: 50%, above: 150%, window: 15m, against: 24h}}
      - {alert: OldLingers, traffic_share: {above: 5%, of: superseded, window: 30m}, for: 20m}
      - {alert: TreatmentWorse, rubric: helpful, canary: {drop: 0.3, against: {variant: control}}}
      - {alert: Unscored, metric: score_coverage, threshold: {stat: mean, window: 15m, below: 90%}, min_samples: 20}
`

// TestBacktestIsTheDaemon publishes events, some of them broken and none more than six seconds out of order, and holds what the daemon
// writes to the alerts topic against what backtest prints for the same events: byte for byte.
func TestBacktestIsTheDaemon(t *testing.T) {
	events, err := specEvents(backtestSpec)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	disorder(rng, events, 6*time.Second)
	for _, broken := range []string{"{", `{"type":"span"}`, `"prompt":"\n",`, `"latency":-1,`, `"scores":{"grounding":7},`} {
		at := rng.IntN(len(events))
		if strings.HasSuffix(broken, ",") {
			_, rest, _ := strings.Cut(string(events[at]), `"time"`)
			broken = `{"type":"span",` + broken + `"time"` + rest[:strings.IndexByte(rest, 'Z')+2] + "}"
		}
		events = slices.Insert(events, at, []byte(broken))
	}
	for _, partitions := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d source partitions", partitions), func(t *testing.T) {
			if partitions == 1 && testing.Short() && !testkit.Real() {
				t.Skip("the same with two, which go on side by side")
			}
			lastTick := specBegins.Add(6 * time.Hour)
			w := newWorld(t, testkit.Broker(t), backtestRules, lastTick)
			cfg := w.backtestConfig()
			if err := w.client.EnsureTopics(t.Context(), []kafkalog.TopicSpec{{Name: w.prefix + nativeEvent, Partitions: partitions, ReplicationFactor: 1}}); err != nil {
				t.Fatal(err)
			}
			want := w.daemonSteps(cfg, events, partitions)

			of := func(flags ...string) (steps []string, summary string) {
				var stdout, stderr bytes.Buffer
				if code := runBacktest(t.Context(), append([]string{"--config", w.dir + "/backtest.yaml", "--json"}, flags...), &stdout, &stderr); code != exitFine {
					t.Fatalf("backtest %v: exit code %d: %s", flags, code, stderr.String())
				}
				return strings.Split(strings.TrimSuffix(stdout.String(), "\n"), "\n"), stderr.String()
			}
			file, summary := of("--events", w.file("events.jsonl", string(bytes.Join(events, []byte("\n")))))
			same(t, "of the file", file, want)
			kept, _ := of("--since", "1h") // of the log's clock
			same(t, "of the samples topic", kept, want)
			seen := map[string]int{}
			for _, line := range want {
				var r detector.Record
				if err := json.Unmarshal([]byte(line), &r); err != nil {
					t.Fatal(err)
				}
				seen[r.Rule+" "+string(r.Type)]++
			}
			set, _ := loadRules(cfg)
			for _, g := range set.Groups {
				for _, r := range g.Rules {
					if seen[r.Alert+" firing"] == 0 {
						t.Errorf("%s never fires", r.Alert)
					}
				}
			}
			t.Logf("%d steps: %v\n%s", len(want), seen, summary)
		})
	}
}

// same holds the steps of a backtest against the daemon's.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("step %d of %d %s is\n%s\nthe daemon's, of %d, is\n%s", i, len(got), what, append(got, "none")[min(i, len(got))],
				len(want), append(want, "none")[min(i, len(want))])
		}
	}
}

// disorder delays events by up to so much.
func disorder(rng *rand.Rand, events [][]byte, most time.Duration) {
	type delayed struct {
		comes time.Time
		line  []byte
	}
	var list []delayed
	for _, e := range events {
		var head struct{ Time time.Time }
		if err := json.Unmarshal(e, &head); err != nil {
			panic(err)
		}
		list = append(list, delayed{head.Time.Add(time.Duration(rng.Int64N(int64(most)))), e})
	}
	slices.SortStableFunc(list, func(a, b delayed) int { return a.comes.Compare(b.comes) })
	for i := range list {
		events[i] = list[i].line
	}
}

// partitionOf puts events of a trace into one partition, and the others by turns.
func partitionOf(event []byte, partitions int) int {
	var head struct {
		Trace string `json:"trace_id"`
	}
	if json.Unmarshal(event, &head); head.Trace == "" {
		head.Trace = string(event)
	}
	return kafkalog.PartitionFor(head.Trace, partitions)
}

// backtestConfig is a config with one source of native events.
func (w *world) backtestConfig() *config.Config {
	w.t.Helper()
	path := w.file("backtest.yaml", fmt.Sprintf(`
kafka: {brokers: [%s], topic_prefix: %s, partitions: %d, replication_factor: 1}
sources: [{topic: %s, encoding: driftd_json}]
dimensions: [tier, locale, variant]
rules: [rules.yaml]
http: {listen: "127.0.0.1:0"}
`, strings.Join(w.brokers, ", "), w.prefix, ownTopics, w.prefix+nativeEvent))
	cfg, _, problems := load(config.Sources{File: path})
	if problems.Err() != nil {
		w.t.Fatal(problems.Text())
	}
	return cfg
}

// daemonSteps lets a daemon read the events, and gives what it writes to the alerts topic, up to the minute of the last event.
func (w *world) daemonSteps(cfg *config.Config, events [][]byte, partitions int) []string {
	w.t.Helper()
	set, problems := loadRules(cfg)
	if problems.Err() != nil {
		w.t.Fatal(problems.Text())
	}
	var msgs []kafkalog.Message
	for _, e := range events {
		msgs = append(msgs, kafkalog.Message{Topic: w.prefix + nativeEvent, Partition: partitionOf(e, partitions), Value: e})
	}
	w.publish(msgs)
	d, err := newDaemon(daemonOptions{
		Config: cfg, Rules: set, Stages: stages{ingest: true, detect: true}, Now: func() time.Time { return time.Unix(0, w.now.Load()).UTC() },
		Pace: pace{Flush: 10 * time.Millisecond, Heartbeat: 50 * time.Millisecond}, Log: slog.New(slog.NewTextHandler(w.log, nil)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	i := &instance{daemon: d, w: w, cancel: cancel, ended: make(chan error, 1)}
	go func() { i.ended <- d.run(ctx) }()
	w.t.Cleanup(i.stop)
	w.until("all is read", func() bool { return int(i.counter("driftd_consumer_records_total")) == len(msgs) })
	// Nothing more comes: ingest's time goes on by the clock, to the end of the last event's minute.
	const behind = 25 * time.Second
	w.now.Add(int64(behind))
	w.until("the last minute is sealed", func() bool {
		return i.counter("driftd_detector_watermark_lag_seconds") == ownTopics*behind.Seconds()
	})
	i.stop()
	type step struct {
		at        time.Time
		partition int
		line      string
	}
	var steps []step
	told := 0 // what a backtest does not print
	w.read("alerts", func(rec *kafkalog.Record) {
		var r detector.Record
		if err := json.Unmarshal(rec.Value, &r); err != nil {
			w.t.Fatal(err)
		}
		if !r.Type.IsStep() {
			told++
			return
		}
		steps = append(steps, step{r.Time, kafkalog.PartitionFor(r.Prompt, ownTopics), string(rec.Value)})
	})
	if told == 0 {
		w.t.Error("no alert that a rollback is allowed of was observed")
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.partition, b.partition)) })
	var lines []string
	for _, s := range steps {
		lines = append(lines, s.line)
	}
	return lines
}
