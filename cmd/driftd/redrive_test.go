package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/driftd/driftd/internal/embedded"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/otlpgen"
	"github.com/driftd/driftd/internal/testkit"
)

// TestRedriveScripts holds what `driftd redrive` prints, and its exit codes. The scripts have a broker with some dead letters
// and no daemon.
func TestRedriveScripts(t *testing.T) {
	broker := testkit.Embedded(t, embedded.Options{})
	client, err := kafkalog.Dial(kafkalog.Config{Brokers: broker.Addrs()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	for _, prefix := range []string{"full.", "empty.", "hopeless."} {
		var specs []kafkalog.TopicSpec
		for _, topic := range []string{"dead", "samples", "redrive", "spans", "scores"} {
			specs = append(specs, kafkalog.TopicSpec{Name: prefix + topic, Partitions: 1})
		}
		if err := client.EnsureTopics(t.Context(), specs); err != nil {
			t.Fatal(err)
		}
	}
	var msgs []kafkalog.Message
	bury := func(prefix, topic, reason, value string, headers ...string) {
		m := kafkalog.Message{Topic: prefix + "dead", Value: []byte(value)}
		for i, h := 0, append(headers, "driftd-topic", prefix+topic, "driftd-partition", "0", "driftd-offset", fmt.Sprint(len(msgs)), "driftd-reason", reason); i < len(h); i += 2 {
			m.Headers = append(m.Headers, kafkalog.Header{Key: h[i], Value: []byte(h[i+1])})
		}
		msgs = append(msgs, m)
	}
	now := time.Now().UnixNano()
	score := func(rest string) string {
		return fmt.Sprintf(`{"type":"score","time":%d,"rubric":"verdict",%s}`, now, rest)
	}
	bury("full.", "scores", "unknown_label", score(`"prompt":"p","label":"pass"`), "driftd-index", "0")
	bury("full.", "scores", "unknown_label", score(`"prompt":"p","label":"perhaps"`), "driftd-index", "0")
	bury("full.", "scores", "unlinked", score(`"label":"pass","trace_id":"0123456789abcdef0123456789abcdef"`), "driftd-index", "0")
	bury("full.", "spans", "malformed", "", "driftd-truncated", "300000")
	bury("full.", "spans", "malformed", "{", "driftd-truncated", "300000")
	bury("hopeless.", "spans", "malformed", "{")
	if _, err := client.Produce(t.Context(), msgs); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/redrive", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("DRIFTD_KAFKA_BROKERS", strings.Join(broker.Addrs(), ","))
			return nil
		},
	})
}

// redriveOf runs the command on a world's config.
func (w *world) redrive(args ...string) (code int, stdout string) {
	w.t.Helper()
	var out, err bytes.Buffer
	code = runRedrive(w.t.Context(), append([]string{"--config", w.dir + "/driftd.yaml"}, args...), &out, &err)
	if err.Len() > 0 {
		w.t.Errorf("redrive says on stderr: %s", err.String())
	}
	return code, out.String()
}

// TestRedriveEndToEnd is a day in the life of one whose topics have different numbers of partitions: scores are not linked,
// driftd redrive finds their spans all the same, and each counts once.
func TestRedriveEndToEnd(t *testing.T) {
	for k, v := range map[string]string{"SLACK_TOKEN": slackToken, "HOOK_SECRET": hookSecret, "REGISTRY_SECRET": regSecret} {
		t.Setenv(k, v)
	}
	now := time.Now()
	w := newWorld(t, testkit.Broker(t), newStory("").rules(), now)
	err := w.client.EnsureTopics(t.Context(), []kafkalog.TopicSpec{
		{Name: w.prefix + spansSource, Partitions: 2, ReplicationFactor: 1}, {Name: w.prefix + nativeEvent, Partitions: 3, ReplicationFactor: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	const n = 30
	var msgs []kafkalog.Message
	for i := range n {
		c := otlpgen.Call{
			Trace: [16]byte{1, byte(i)}, Span: [8]byte{1, byte(i)}, Prompt: storyPrompt, Version: "v17", Tier: "enterprise", Locale: "de",
			Start: now.Add(-2 * time.Second), End: now.Add(-time.Second),
		}
		msgs = append(msgs, kafkalog.Message{Topic: w.prefix + spansSource, Partition: i % 2, Value: otlpgen.AppendCalls(nil, nil, c)})
		msgs = append(msgs, kafkalog.Message{Topic: w.prefix + nativeEvent, Partition: 2, Value: fmt.Appendf(nil,
			`{"type":"score","time":%d,"trace_id":"%x","span_id":"%x","rubric":%q,"value":0.5}`, now.UnixNano(), c.Trace, c.Span, scoreRubric)})
	}
	d := w.start()
	w.publish(msgs)
	sampled := func(want int) func() bool {
		return func() bool {
			w.now.Add(int64(time.Second)) // what waits is let go by the clock
			return d.counter("driftd_detector_samples_total") == float64(want)
		}
	}
	w.until("the calls are counted", sampled(n))
	w.until("the scores are dead letters", func() bool {
		w.now.Add(int64(time.Second))
		return d.counter("driftd_consumer_dead_total") == n
	})

	w.until("ingest has committed them, and redrive would offer them", func() bool {
		code, out := w.redrive()
		return code == exitFine && strings.Contains(out, fmt.Sprintf("%d events would count: --yes offers them again", n))
	})
	if code, out := w.redrive("--yes", "--reason", "unlinked", "--since", "1h"); code != exitFine || !strings.Contains(out, fmt.Sprintf("%d events offered again", n)) {
		t.Fatalf("exit code %d: %s", code, out)
	}
	w.until("the scores are counted", sampled(2*n))
	code, out := w.redrive("--yes", "--json")
	want := `"offered":0,"private":0,"still_unlinked":0`
	if code != exitFine || !strings.Contains(out, want) || !strings.Contains(out, fmt.Sprintf(`"already_offered":%d`, n)) {
		t.Errorf("exit code %d: %s", code, out)
	}

	// Another daemon finds nothing new in the topic, nor does anyone wait for it.
	d.stop()
	d = w.start()
	marker := otlpgen.Call{Trace: [16]byte{2}, Span: [8]byte{2}, Prompt: storyPrompt, Version: "v17", Start: now, End: now}
	w.publish([]kafkalog.Message{{Topic: w.prefix + spansSource, Value: otlpgen.AppendCalls(nil, nil, marker)}})
	w.until("a call that came after that is counted", sampled(1))
	offered, values := 0, 0
	w.read("redrive", func(rec *kafkalog.Record) {
		offered++
		if strings.Contains(string(rec.Value), fmt.Sprintf(`"prompt":%q,"version":"v17"`, storyPrompt)) && strings.Contains(string(rec.Value), `"tier":"enterprise","locale":"de"`) {
			values++
		}
	})
	if offered != n || values != n {
		t.Errorf("%d events stand in the topic, %d of them with their labels; want %d", offered, values, n)
	}
	for name, want := range map[string]float64{"driftd_consumer_repeated_total": 0, "driftd_consumer_dead_total": 0, "driftd_detector_too_late_samples_total": 0} {
		if got := d.counter(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}
