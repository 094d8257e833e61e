package receivers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// world is one receiver with its outbox on an alerts topic in memory, and whom it tells.
type world struct {
	t       *testing.T
	s       subject
	wire    *Wire
	peer    Peer
	topic   *alert.Memory
	metrics *metrics.Set
	log     *buffer
	worker  *alert.MemoryWorker
	steps   map[string]int
	badness float64             // how far beyond its bound a value is, as a share of the bound; 0.08 where it is 0
	want    map[string]string   // what people are to see in the end
	said    map[string]struct{} // problems that the ready page has shown
}

// buffer keeps a log.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

const partitions = 2

func newWorld(t *testing.T, s subject) *world {
	w := &world{
		t: t, s: s, peer: s.peer(), topic: alert.NewMemory(partitions), metrics: metrics.NewSet(), log: &buffer{},
		steps: map[string]int{}, want: map[string]string{}, said: map[string]struct{}{},
	}
	w.wire = &Wire{Peer: w.peer}
	w.start()
	t.Cleanup(func() { w.worker.Stop() })
	return w
}

// start starts a worker as a new process would: it knows what stands in the topic.
func (w *world) start() {
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	box := alert.NewOutbox(alert.OutboxConfig{
		Name: "it", Receiver: w.s.open(w.wire, w.metrics, log), Route: &alert.Route{Receiver: "it"}, UntilWorseBy: 0.2, Now: time.Now, Metrics: w.metrics, Log: log,
	})
	w.worker = w.topic.Start(w.t.Context(), box)
}

// kill ends the worker without a trace and starts another, which reads the topic.
func (w *world) kill() {
	w.worker.Cut()
	w.worker.Stop()
	w.start()
	w.run(time.Second)
}

// step is what detect writes: the next step of the alert of a rule.
func (w *world) step(rule string, typ detector.RecordType) {
	w.t.Helper()
	w.steps[rule]++
	value, bound, reference := 0.78, 0.85, 0.91
	if w.badness != 0 {
		value = bound * (1 - w.badness)
	}
	r := detector.Record{
		ID: fmt.Sprintf("%032x", rule), Step: w.steps[rule], Type: typ, Time: time.Now().UTC().Add(-10 * time.Second), Group: "support", Rule: rule,
		Prompt: "support_intent_classifier", Version: "v23", Cohort: map[string]string{"tier": "enterprise", "locale": ""}, Metric: "citation_grounding",
		Kind: "threshold", Stat: "mean", Value: &value, Bound: &bound, Reference: &reference, Samples: 412, Window: "1h", Previous: "v22",
		Cause: detector.CausePromptVersion, Because: []string{"v23 began at 14:22, after v22"}, Exemplars: []string{"5b8efff798038103d269b633813fc60c"},
		Labels:      map[string]string{"severity": "page", "team": "support-ml"},
		Annotations: map[string]string{"summary": "grounding is down", "runbook_url": "https://runbooks.test/grounding"},
	}
	if typ == detector.Resolved {
		*r.Value = 0.9
		r.Cause, r.Because, r.Exemplars = "", nil, nil
	}
	if err := w.topic.Add(len(rule)%partitions, r); err != nil {
		w.t.Fatal(err)
	}
	w.want[rule] = string(typ)
}

// acknowledge is what a person does.
func (w *world) acknowledge(rule, who string) {
	w.t.Helper()
	part := len(rule) % partitions
	for _, r := range w.topic.Records(part) {
		if r.Rule == rule && r.Step == w.steps[rule] && r.Type.IsStep() {
			a := alert.Action(&r, detector.Acknowledged, time.Now())
			a.Actor, a.Reason = who, "on it"
			if err := w.topic.Add(part, a); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	w.want[rule] = "acknowledged"
}

// run lets time pass, and notes what the ready page says meanwhile.
func (w *world) run(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(time.Second, time.Until(end)))
		synctest.Wait()
		w.note()
	}
}

func (w *world) note() {
	if p := w.worker.State().Problem; p != "" {
		w.said[p] = struct{}{}
	}
}

// until lets time pass until ok, at most for d, and returns how long it took.
func (w *world) until(d time.Duration, what string, ok func() bool) time.Duration {
	w.t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > d {
			w.t.Fatalf("%s: not within %v; shown %v; said %v; log\n%s", what, d, w.peer.Shown(time.Now()), slices.Collect(maps.Keys(w.said)), w.log)
		}
		w.run(time.Second)
	}
	return time.Since(began)
}

// shown says whether people see what they are to see.
func (w *world) shown() bool {
	shown := w.peer.Shown(time.Now())
	for rule, state := range w.want {
		if shown[rule] != state {
			return false
		}
	}
	return true
}

// settled waits until all is told.
func (w *world) settled(d time.Duration) time.Duration {
	w.t.Helper()
	return w.until(d, "all is told", func() bool {
		s := w.worker.State()
		return w.shown() && s.Outstanding == 0 && s.Problem == ""
	})
}

// problem expects that the ready page has said what is wrong.
func (w *world) problem() {
	w.t.Helper()
	if len(w.said) == 0 {
		w.t.Error("the ready page has said nothing")
	}
}

// end checks what holds in every case.
func (w *world) end() {
	w.t.Helper()
	if !w.shown() {
		w.t.Errorf("people see %v, want %v", w.peer.Shown(time.Now()), w.want)
	}
	if p := w.peer.Problems(); len(p) > 0 {
		w.t.Errorf("sent what is not allowed: %q", p)
	}
	w.secrets()
}

// secrets checks that none stands anywhere: log, metrics, ready page, topic.
func (w *world) secrets() {
	w.t.Helper()
	w.note()
	places := map[string]string{"log": w.log.String(), "ready page": strings.Join(slices.Collect(maps.Keys(w.said)), "\n")}
	var m bytes.Buffer
	w.metrics.WritePrometheus(&m)
	places["metrics"] = m.String()
	for p := range partitions {
		b, err := json.Marshal(w.topic.Records(p))
		if err != nil {
			w.t.Fatal(err)
		}
		places["topic"] += string(b)
	}
	for place, text := range places {
		for _, s := range w.s.secrets {
			if strings.Contains(text, s) {
				w.t.Errorf("%q stands in the %s:\n%s", s, place, text)
			}
		}
	}
}

// notified counts the records that say that a rule was told.
func (w *world) notified(rule string) int {
	n := 0
	for _, r := range w.topic.Records(len(rule) % partitions) {
		if r.Rule == rule && r.Type == detector.Notified {
			n++
		}
	}
	return n
}

// collapse leaves out repetitions.
func collapse(told []string) []string { return slices.Compact(slices.Clone(told)) }
