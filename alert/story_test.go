package alert_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	registrywebhook "github.com/driftd/driftd/alert/registry/webhook"
	"github.com/driftd/driftd/alert/rollback"
	"github.com/driftd/driftd/alert/slack"
	"github.com/driftd/driftd/alert/webhook"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeregistry"
	"github.com/driftd/driftd/internal/fakeslack"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/signature"
	"github.com/driftd/driftd/internal/testkit"
)

// The whole act stage over the wire: v23 fires for two cohorts, Slack and a webhook are told, v22 is promoted once, the
// same Slack message says so, and at the end it is green.
func TestStory(t *testing.T) {
	s := newStory(t)
	s.step("de", 1, detector.Pending, 0.80)
	s.step("de", 2, detector.Firing, 0.78)
	s.step("fr", 2, detector.Firing, 0.81)
	s.await("promoted", func() bool { return strings.Contains(s.message(), "v22 promoted* in place of v23") })
	if m := s.message(); !strings.Contains(m, "citation_grounding 0.78* for enterprise × de, below 0.85") || !strings.Contains(m, "2 cohorts firing") {
		t.Errorf("message %s", m)
	}
	if got := s.registry.Promotions(); len(got) != 1 || got[0].From != "v23" || got[0].To != "v22" {
		t.Errorf("promotions %+v", got)
	}
	s.step("fr", 3, detector.Resolved, 0.90)
	s.step("de", 3, detector.Resolved, 0.91)
	s.await("recovered", func() bool { return strings.Contains(s.message(), "✅ *Recovered") })
	if m := s.message(); !strings.Contains(m, "🟢 Resolved") || !strings.Contains(m, "Lasted 1m") {
		t.Errorf("message %s", m)
	}
	want := []string{
		"de-2 firing", "de-2-recovered recovered", "de-2-rollback_promoted rollback_promoted", "de-2-rollback_promoting rollback_promoting",
		"de-2-rollback_proposed rollback_proposed", "de-3 resolved", "fr-2 firing", "fr-3 resolved",
	}
	s.await("the webhook has all", func() bool { return len(s.posts()) == len(want) })
	posts := s.posts()
	slices.Sort(posts)
	if !slices.Equal(posts, want) {
		t.Errorf("posts %q", posts)
	}
	s.await("all are at rest", func() bool {
		return !slices.ContainsFunc(s.workers, func(w *alert.Worker) bool { st := w.State(); return st.Outstanding > 0 || st.Problem != "" })
	})
}

type story struct {
	t        *testing.T
	client   *kafkalog.Client
	prefix   string
	began    time.Time // event time before the first step
	slack    *fakeslack.Server
	registry *fakeregistry.Server
	workers  []*alert.Worker
	mu       sync.Mutex
	got      []string
}

func newStory(t *testing.T) *story {
	t.Helper()
	quiet, set := slog.New(slog.DiscardHandler), metrics.NewSet()
	key, err := signature.ParseKey("shared")
	if err != nil {
		t.Fatal(err)
	}
	name := testkit.Name(t)
	s := &story{t: t, prefix: name + ".", began: time.Now().Add(-4 * time.Minute)}
	if s.client, err = kafkalog.Dial(kafkalog.Config{Brokers: testkit.Broker(t)}, quiet); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	if err := s.client.EnsureTopics(t.Context(), []kafkalog.TopicSpec{{Name: s.prefix + "alerts", Partitions: 2, ReplicationFactor: 1}}); err != nil {
		t.Fatal(err)
	}
	s.slack = fakeslack.New(fakeslack.Config{Token: "xoxb-1", Channels: map[string]string{"ops": "C1"}, RateLimit: true, Now: time.Now})
	s.registry = fakeregistry.New(fakeregistry.Config{Key: key, Now: time.Now})
	s.registry.Set("p", "v22")
	s.registry.Set("p", "v23")
	hook := func(w http.ResponseWriter, r *http.Request) {
		var rec detector.Record
		if err := json.NewDecoder(r.Body).Decode(&rec); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.got = append(s.got, r.Header.Get(signature.HeaderID)+" "+string(rec.Type))
	}
	serve := func(h http.Handler) string {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		return srv.URL
	}

	slackName, hookName := name+"-slack", name+"-hook"
	route := &alert.Route{Receiver: slackName, Routes: []alert.Route{{Receiver: hookName, Continue: true}, {Receiver: slackName}}}
	outbox := func(name string, r alert.Receiver) alert.Core {
		return alert.NewOutbox(alert.OutboxConfig{Name: name, Receiver: r, Route: route, Now: time.Now, Metrics: set, Log: quiet})
	}
	for name, core := range map[string]alert.Core{
		slackName: outbox(slackName, slack.New(slack.Config{Token: "xoxb-1", Channel: "#ops", APIURL: serve(s.slack) + "/api/", Now: time.Now})),
		hookName:  outbox(hookName, webhook.New(webhook.Config{URL: serve(http.HandlerFunc(hook)), Key: key, Now: time.Now})),
		name + "-registry": rollback.New(rollback.Config{Enabled: true, Cooldown: time.Hour, Now: time.Now, Metrics: set, Log: quiet,
			Registry: registrywebhook.New(registrywebhook.Config{URL: serve(s.registry), Key: key, Now: time.Now})}),
	} {
		w := alert.NewWorker(alert.WorkerConfig{Name: name, Prefix: s.prefix, Core: core, Quiet: 100 * time.Millisecond, Heartbeat: 100 * time.Millisecond,
			Client: s.client, Metrics: set, Log: quiet})
		s.workers = append(s.workers, w)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, w := range s.workers {
		wg.Go(func() {
			if err := w.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
	return s
}

func (s *story) step(locale string, n int, typ detector.RecordType, value float64) {
	s.t.Helper()
	bound := 0.85
	b, err := json.Marshal(detector.Record{ID: locale, Step: n, Type: typ, Time: s.began.Add(time.Duration(n) * time.Minute), Group: "g", Rule: "R",
		Prompt: "p", Version: "v23", Previous: "v22", Cohort: map[string]string{"tier": "enterprise", "locale": locale}, Metric: "citation_grounding",
		Kind: "threshold", Value: &value, Bound: &bound, Samples: 412, Cause: detector.CausePromptVersion, Rollback: "auto",
		Target: &detector.Target{Version: "v22", Calls: 5000, Templates: 1, Samples: 1200}})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.client.Produce(s.t.Context(), []kafkalog.Message{{Topic: s.prefix + "alerts", Partition: 1, Value: b}}); err != nil {
		s.t.Fatal(err)
	}
}

// message is the one message in Slack.
func (s *story) message() string {
	switch ms := s.slack.Messages(); len(ms) {
	case 0:
		return ""
	case 1:
		return ms[0].Text + string(ms[0].Blocks)
	default:
		s.t.Fatalf("%d messages", len(ms))
		return ""
	}
}

func (s *story) posts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func (s *story) await(what string, ok func() bool) {
	s.t.Helper()
	deadline := time.NewTimer(testkit.Patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			var states []string
			for _, w := range s.workers {
				states = append(states, fmt.Sprintf("%+v", w.State()))
			}
			s.t.Fatalf("in vain: %s\n%s\n%s\n%s\n%s", what, s.message(), s.slack.Calls(), s.posts(), strings.Join(states, "\n"))
		}
	}
}
