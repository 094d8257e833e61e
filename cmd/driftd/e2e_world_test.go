package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/fakeregistry"
	"github.com/driftd/driftd/internal/fakeslack"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/signature"
	"github.com/driftd/driftd/internal/testkit"
)

const (
	slackToken  = "xoxb-end-to-end"
	slackSecret = "signed by the fake Slack"
	slackSocket = "xapp-end-to-end"
	hookSecret  = "a secret of the hook"
	regSecret   = "a secret of the registry"
	channelID   = "C0123456789"
	ownTopics   = 4 // partitions of samples, alerts and state
	srcTopics   = 2 // partitions of each source topic
	patience    = testkit.Patience
	lookEvery   = 20 * time.Millisecond
	spansSource = "spans"  // otlp_proto
	nativeEvent = "events" // driftd_json
)

// world is all that is around a daemon: brokers, producers, Slack, a webhook, a registry and the clock. Each test has its own
// topics and groups, since the real broker is shared.
type world struct {
	t         *testing.T
	prefix    string // of all topics
	brokers   []string
	client    *kafkalog.Client // the producers', and the reader's of what driftd wrote
	dir       string
	slack     *fakeslack.Server
	slackURL  string
	registry  *fakeregistry.Server
	regURL    string
	receivers string // more of them, lines of YAML
	regKeys   string // more of the registry's, each behind a comma
	regOther  string // a registry in place of the fake one
	slackKeys string // more of Slack's
	routeKeys string // more of the top route's
	hook      *hook
	now       atomic.Int64 // the daemons' clock, Unix ns
	log       *logBuffer
}

// newWorld has a broker and everything else but a daemon. The clock stands still unless a test moves it: then event time
// comes from the events alone, whatever the machine does.
func newWorld(t *testing.T, brokers []string, rules string, now time.Time) *world {
	t.Helper()
	w := &world{t: t, prefix: testkit.Name(t) + ".", brokers: brokers, dir: t.TempDir(), hook: newHook(t), log: &logBuffer{}}
	w.now.Store(now.UnixNano())
	w.slack = fakeslack.New(fakeslack.Config{
		Token: slackToken, Channels: map[string]string{"llm-alerts": channelID}, RateLimit: true, Now: time.Now,
		SigningSecret: slackSecret, AppToken: slackSocket, Users: map[string]string{"U012": "jane", "U013": "bob"}, Groups: map[string][]string{"S0ML": {"U012"}},
	})
	var stop func()
	var err error
	if w.slackURL, stop, err = w.slack.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	key, err := signature.ParseKey(regSecret)
	if err != nil {
		t.Fatal(err)
	}
	w.registry = fakeregistry.New(fakeregistry.Config{Key: key, Now: time.Now})
	if w.regURL, stop, err = w.registry.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	w.file("rules.yaml", rules)
	w.dial()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the daemons' log:\n%s\nSlack's calls: %q\nthe registry's calls: %q", w.log.String(), w.slack.Calls(), w.registry.Calls())
			for _, m := range w.slack.Messages() {
				t.Logf("Slack has %s: %s\n%s", m.TS, m.Text, m.Blocks)
			}

		}
	})
	return w
}

// dial connects the producers and the reader, anew where the broker was away.
func (w *world) dial() {
	w.t.Helper()
	c, err := kafkalog.Dial(kafkalog.Config{Brokers: w.brokers, ClientID: "end-to-end"}, slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	w.client = c
}

// makeSources makes the source topics.
func (w *world) makeSources() {
	w.t.Helper()
	var specs []kafkalog.TopicSpec
	for _, name := range []string{spansSource, nativeEvent} {
		specs = append(specs, kafkalog.TopicSpec{Name: w.prefix + name, Partitions: srcTopics, ReplicationFactor: 1})
	}
	if err := w.client.EnsureTopics(w.t.Context(), specs); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) file(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) config() *config.Config {
	w.t.Helper()
	registry := cmp.Or(w.regOther, fmt.Sprintf(`{kind: webhook, url: %s, secret: "${REGISTRY_SECRET}"%s}`, w.regURL, w.regKeys))
	path := w.file("driftd.yaml", fmt.Sprintf(`
kafka: {brokers: [%s], topic_prefix: %s, partitions: %d, replication_factor: 1}
sources:
  - {topic: %s, encoding: otlp_proto}
  - {topic: %s, encoding: driftd_json, dedup: 10m}
rules: [rules.yaml]
receivers:
  - {name: oncall, slack: {token: "${SLACK_TOKEN}", channel: "#llm-alerts"%s}}
  - {name: hook, webhook: {url: %s, secret: "${HOOK_SECRET}"}}
%sroute: {receiver: oncall%s, routes: [{receiver: hook, continue: true}, {receiver: oncall}]}
registry: %s
http: {listen: "127.0.0.1:0"}
`, strings.Join(w.brokers, ", "), w.prefix, ownTopics, w.prefix+spansSource, w.prefix+nativeEvent, w.slackKeys, w.hook.URL, w.receivers, w.routeKeys, registry))
	cfg, _, problems := load(config.Sources{File: path, Environ: []string{
		"SLACK_TOKEN=" + slackToken, "SLACK_SIGNING_SECRET=" + slackSecret, "SLACK_APP_TOKEN=" + slackSocket, "HOOK_SECRET=" + hookSecret, "REGISTRY_SECRET=" + regSecret,
	}})
	if problems.Err() != nil {
		w.t.Fatal(problems.Text())
	}
	return cfg
}

// instance is a running daemon.
type instance struct {
	*daemon
	w      *world
	cancel context.CancelFunc
	ended  chan error
	once   sync.Once
}

// start starts a daemon from the files, with all stages; it ends with the test at the latest.
func (w *world) start() *instance { return w.startWith(func(*daemonOptions) {}) }

// startWith starts one with other options.
func (w *world) startWith(change func(*daemonOptions)) *instance {
	w.t.Helper()
	cfg := w.config()
	set, problems := loadRules(cfg)
	if problems.Err() != nil {
		w.t.Fatal(problems.Text())
	}
	o := daemonOptions{
		Config: cfg, Rules: set, Stages: allStages, Now: func() time.Time { return time.Unix(0, w.now.Load()).UTC() },
		Pace:     pace{Flush: 10 * time.Millisecond, Heartbeat: 100 * time.Millisecond, Checkpoint: 100 * time.Millisecond, Quiet: 50 * time.Millisecond},
		SlackAPI: w.slackURL + "/api/", Log: slog.New(slog.NewTextHandler(w.log, nil)),
	}
	change(&o)
	d, err := newDaemon(o)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	i := &instance{daemon: d, w: w, cancel: cancel, ended: make(chan error, 1)}
	go func() { i.ended <- d.run(ctx) }()
	w.t.Cleanup(i.stop)
	return i
}

// stop ends the daemon as SIGTERM does, and waits for it.
func (i *instance) stop() {
	i.once.Do(func() {
		i.cancel()
		if err := <-i.ended; err != nil {
			i.w.t.Errorf("daemon ended with: %v", err)
		}
	})
}

// counter reads a metric of this instance by its whole name; a name without braces stands for the sum over its labels.
func (i *instance) counter(name string) (total float64) {
	var text bytes.Buffer
	i.metrics.WritePrometheus(&text)
	for line := range strings.Lines(text.String()) {
		var v float64
		at := strings.LastIndexByte(line, ' ')
		full := line[:max(at, 0)]
		if base, _, _ := strings.Cut(full, "{"); full != name && base != name {
			continue
		}
		if _, err := fmt.Sscan(line[at+1:], &v); err == nil {
			total += v
		}
	}
	return total
}

// ready asks for readiness over HTTP.
func (i *instance) ready() (ok bool, body string) {
	i.w.t.Helper()
	code, body := i.fetch("/-/ready")
	return code == http.StatusOK, body
}

// fetch asks for a path and returns the code and the answer as it came.
func (i *instance) fetch(path string) (int, string) {
	i.w.t.Helper()
	resp, err := http.Get("http://" + i.web.Addr() + path)
	if err != nil {
		i.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		i.w.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	testkit.Until(w.t, what, ok)
}

// publish writes messages as producers do, in their order for each partition.
func (w *world) publish(msgs []kafkalog.Message) {
	w.t.Helper()
	const atOnce = 500
	for len(msgs) > 0 {
		n := min(len(msgs), atOnce)
		if _, err := w.client.Produce(w.t.Context(), msgs[:n]); err != nil {
			w.t.Fatal(err)
		}
		msgs = msgs[n:]
	}
}

// read gives all records of one of driftd's own topics.
func (w *world) read(topic string, each func(*kafkalog.Record)) {
	w.t.Helper()
	topics, err := w.client.Topics(w.t.Context(), w.prefix+topic)
	if err != nil {
		w.t.Fatal(err)
	}
	for p := range topics[w.prefix+topic].Partitions {
		f := w.client.NewFetcher(w.prefix+topic, p)
		again := kafkalog.Backoff{}
		for offset := int64(0); ; {
			got, err := f.Fetch(w.t.Context(), offset, 0)
			if err != nil && again.Wait(w.t.Context()) { // this client's picture of the cluster may be old
				continue
			}
			if err != nil {
				w.t.Fatal(err)
			}
			for got.Next() {
				each(got.Record())
			}
			if err := got.Err(); err != nil {
				w.t.Fatal(err)
			}
			if offset = got.NextOffset(); offset >= got.HighWatermark() {
				break
			}
		}
	}
}

// alerts are the records of the alerts topic, each step once: a reader passes over those that it has seen.
func (w *world) alerts(keep func(*detector.Record) bool) (records []detector.Record) {
	w.t.Helper()
	seen := make(map[string]bool)
	w.read("alerts", func(rec *kafkalog.Record) {
		var r detector.Record
		if err := json.Unmarshal(rec.Value, &r); err != nil {
			w.t.Fatalf("alerts topic: %v: %s", err, rec.Value)
		}
		if string(rec.Key) != r.Prompt {
			w.t.Errorf("alert record of prompt %s has key %s", r.Prompt, rec.Key)
		}
		if id := fmt.Sprint(r.ID, r.Step); r.Type.IsStep() {
			if seen[id] {
				return
			}
			seen[id] = true
		}
		if keep(&r) {
			records = append(records, r)
		}
	})
	return records
}

// hook is somebody's webhook: it believes only what is signed.
type hook struct {
	*httptest.Server
	mu   sync.Mutex
	got  []detector.Record
	lies int // deliveries with a wrong signature
}

func newHook(t *testing.T) *hook {
	key, err := signature.ParseKey(hookSecret)
	if err != nil {
		t.Fatal(err)
	}
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var rec detector.Record
		if err == nil {
			err = key.Verify(r.Header, time.Now(), body)
		}
		if err == nil {
			err = json.Unmarshal(body, &rec)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if err != nil {
			h.lies++
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		h.got = append(h.got, rec)
	}))
	t.Cleanup(h.Close)
	return h
}

// records are the deliveries of one rule so far.
func (h *hook) records(rule string) (got []detector.Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.got {
		if r.Rule == rule {
			got = append(got, r)
		}
	}
	return got
}

// logBuffer takes the log of all daemons of a test.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
