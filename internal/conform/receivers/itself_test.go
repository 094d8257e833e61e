package receivers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/alertmanager"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/testkit"
)

// realPassword has this hash, in the least time that there is.
const (
	realPassword = "very-secret-password"
	realHash     = "$2a$04$El93ehVzpoC1HKbBCvBrBOEWGZWypgW6Mp1jMhZpdfnUonRCS7dWS"
)

// itself is a running Alertmanager, with basic authentication, that tells a webhook of all that it tells anyone.
type itself struct {
	t       *testing.T
	program string
	dir     string
	address string
	told    chan hooked
	process *exec.Cmd
}

// hooked is an alert as Alertmanager tells it.
type hooked struct {
	Status           string
	Labels           map[string]string
	StartsAt, EndsAt time.Time
}

func newItself(t *testing.T, program string) *itself {
	t.Helper()
	a := &itself{t: t, program: program, dir: t.TempDir(), told: make(chan hooked, 1000)}
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct{ Alerts []hooked }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		for _, h := range body.Alerts {
			a.told <- h
		}
	}))
	t.Cleanup(hook.Close)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.address = ln.Addr().String()
	ln.Close()
	for name, text := range map[string]string{
		"alertmanager.yml": fmt.Sprintf(`
route: {receiver: hook, group_by: ["..."], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: %q, send_resolved: true}]}]
`, hook.URL),
		"web.yml": fmt.Sprintf("basic_auth_users: {driftd: %q}\n", realHash),
	} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a.start()
	t.Cleanup(a.stop)
	return a
}

// start starts it and waits until it answers.
func (a *itself) start() {
	a.t.Helper()
	a.process = exec.Command(a.program, "--config.file="+filepath.Join(a.dir, "alertmanager.yml"), "--web.config.file="+filepath.Join(a.dir, "web.yml"),
		"--storage.path="+a.dir, "--web.listen-address="+a.address, "--cluster.listen-address=")
	var log buffer
	a.process.Stdout, a.process.Stderr = &log, &log
	if err := a.process.Start(); err != nil {
		a.t.Fatal(err)
	}
	testkit.Until(a.t, "it answers", func() bool {
		_, err := a.ask("/-/ready")
		if err != nil && a.process.ProcessState != nil {
			a.t.Fatal(log.String())
		}
		return err == nil
	})
}

// stop kills it.
func (a *itself) stop() {
	if a.process != nil {
		_ = a.process.Process.Kill()
		_ = a.process.Wait()
		a.process = nil
	}
}

func (a *itself) ask(path string) ([]byte, error) {
	return a.call(http.MethodGet, path, nil)
}

func (a *itself) call(method, path string, body []byte) ([]byte, error) {
	r, err := http.NewRequest(method, "http://"+a.address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.SetBasicAuth("driftd", realPassword)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return text, err
}

// active are the alerts that it says fire, by name.
func (a *itself) active() map[string]activeAlert {
	a.t.Helper()
	text, err := a.ask("/api/v2/alerts")
	if err != nil {
		a.t.Fatal(err)
	}
	var all []activeAlert
	if err := json.Unmarshal(text, &all); err != nil {
		a.t.Fatal(err)
	}
	out := map[string]activeAlert{}
	for _, got := range all {
		out[got.Labels["alertname"]] = got
	}
	return out
}

type activeAlert struct {
	PostedAlert
	UpdatedAt time.Time
	Status    struct{ State string }
}

// TestAlertmanagerItself runs the receiver through its outbox against two real Alertmanagers; see .ci/test-alertmanager.
func TestAlertmanagerItself(t *testing.T) {
	program := os.Getenv("DRIFTD_TEST_ALERTMANAGER")
	if program == "" {
		t.Skip("DRIFTD_TEST_ALERTMANAGER is not set; make test-alertmanager sets it")
	}
	one, two := newItself(t, program), newItself(t, program)
	var ahead atomic.Int64 // of the outbox's clock, so that nobody waits a minute for a repetition
	log := &buffer{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	open := func(password string, m *metrics.Set) *alertmanager.Receiver {
		return alertmanager.New(alertmanager.Config{
			Name: "it", URLs: []string{"http://" + one.address, "http://" + two.address}, Username: "driftd", Password: password,
			PublicURL: publicURL, TraceURL: traceURL, Now: time.Now, Metrics: m, Log: logger,
		})
	}
	m := metrics.NewSet()
	w := &world{t: t, topic: alert.NewMemory(partitions), metrics: m, log: log, steps: map[string]int{}, want: map[string]string{}, said: map[string]struct{}{},
		s: subject{secrets: []string{realPassword, strings.TrimPrefix(Basic("driftd", realPassword), "Basic ")}}}
	w.worker = w.topic.Start(t.Context(), alert.NewOutbox(alert.OutboxConfig{
		Name: "it", Receiver: open(realPassword, m), Route: &alert.Route{Receiver: "it"}, Metrics: m, Log: logger,
		Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	}))
	defer w.worker.Stop()

	w.step("RuleA", detector.Firing)
	fired := w.topic.Records(1)[0]
	for _, a := range []*itself{one, two} {
		testkit.Until(t, "it fires", func() bool { return a.active()["RuleA"].Status.State == "active" })
		got := a.active()["RuleA"]
		want := map[string]string{
			"alertname": "RuleA", "severity": "page", "team": "support-ml", "group": "support", "prompt": "support_intent_classifier", "version": "v23",
			"tier": "enterprise", "locale": "none", "metric": "citation_grounding", "kind": "threshold",
		}
		if !maps.Equal(got.Labels, want) {
			t.Errorf("labels %v", got.Labels)
		}
		if left := time.Until(got.EndsAt); left < 4*time.Minute || left > 5*time.Minute || !got.StartsAt.Equal(fired.Time.Truncate(time.Millisecond)) {
			t.Errorf("from %v to %v", got.StartsAt, got.EndsAt)
		}
		if got.GeneratorURL != publicURL+"/api/v1/alerts/"+fired.ID || got.Annotations["summary"] != "grounding is down" || got.Annotations["value"] != "0.78" {
			t.Errorf("%+v", got)
		}
		if h := <-a.told; h.Status != "firing" || h.Labels["alertname"] != "RuleA" {
			t.Errorf("it told %+v", h)
		}
	}
	t.Log("firing: both show it with its labels, its start, an end ahead and a link, and tell their receivers")

	two.stop()
	before := one.active()["RuleA"]
	w.step("RuleB", detector.Firing)
	testkit.Until(t, "the other one is told", func() bool { return one.active()["RuleB"].Status.State == "active" })
	testkit.Until(t, "it is recorded", func() bool { return w.notified("RuleB") == 1 })
	if s := w.worker.State(); s.Outstanding != 0 || !strings.HasSuffix(s.Problem, "did not take the last alert, others did: no answer") {
		t.Errorf("with one of two down: %+v", s)
	}
	two.start()
	ahead.Add(int64(61 * time.Second))
	testkit.Until(t, "what it missed comes with the next repetition", func() bool {
		ahead.Add(int64(10 * time.Second))
		return len(two.active()) == 2 && w.worker.State().Problem == ""
	})
	if after := one.active()["RuleA"]; !after.EndsAt.After(before.EndsAt) || !after.UpdatedAt.After(before.UpdatedAt) || !after.StartsAt.Equal(before.StartsAt) {
		t.Errorf("sent again: %+v, was %+v", after, before)
	}
	if !strings.Contains(log.String(), "one of the alertmanagers does not take alerts") {
		t.Errorf("the log does not name the one that was down:\n%s", log)
	}
	t.Log("one of two down: the other one takes the alerts; the one that is back has them with the next repetition, and ends move on")

	w.step("RuleA", detector.Resolved)
	ended := slices.MaxFunc(w.topic.Records(1), func(a, b detector.Record) int { return a.Step - b.Step })
	for _, a := range []*itself{one, two} {
		testkit.Until(t, "it is over", func() bool { _, fires := a.active()["RuleA"]; return !fires })
		for h := range a.told {
			if h.Labels["alertname"] == "RuleA" && h.Status == "resolved" {
				if d := h.EndsAt.Sub(ended.Time); d < -time.Millisecond || d > time.Millisecond {
					t.Errorf("it told the end at %v, it was at %v", h.EndsAt, ended.Time)
				}
				break
			}
		}
		if _, fires := a.active()["RuleB"]; !fires {
			t.Error("the other alert ended too")
		}
	}
	t.Log("resolved: both drop it and tell their receivers that it is resolved, at the event time of its end")

	one.stop()
	two.stop()
	w.step("RuleCC", detector.Firing)
	testkit.Until(t, "the ready page says that nobody answers", func() bool { return w.worker.State().Problem == "no answer" })
	one.start()
	two.start()
	testkit.Until(t, "it is told when they are back", func() bool {
		ahead.Add(int64(time.Second)) // the pause between attempts grows while it is down
		return one.active()["RuleCC"].Status.State == "active"
	})
	t.Log("both down: the ready page says so, and it is told when they are back")

	_, err := open("another", metrics.NewSet()).Deliver(context.Background(), notification("a", "b", "c", "d", 1, 2, 0, false))
	if f, ok := errors.AsType[*alert.Failure](err); !ok || f.Kind != alert.Blocked || f.Reason != "answered 401" {
		t.Errorf("wrong password: %v", err)
	}
	r := open(realPassword, metrics.NewSet())
	for _, hostile := range []string{"", "a\x00b\xff\u202e", strings.Repeat("very long ", 500), "\"\\\n<&{}="} {
		for _, resolved := range []bool{false, true} {
			if _, err := r.Deliver(context.Background(), notification(hostile, hostile, hostile, hostile, 0.5, 1, 20, resolved)); err != nil {
				t.Errorf("%.20q: %v", hostile, err)
			}
		}
	}
	t.Log("a wrong password blocks; whatever stands in a record is taken")
	same(t, one)
	w.secrets()
}

// same holds the fake against the real one: it refuses whatever that one refuses.
func same(t *testing.T, a *itself) {
	now := time.Now().UTC().Format(time.RFC3339)
	for _, body := range []string{
		`{}`, `[`, `[{}]`, `[{"labels":{}}]`, `[{"labels":{"alertname":"X"},"startsAt":"` + now + `","endsAt":"2020-01-01T00:00:00Z"}]`,
		`[{"labels":{"alertname":1}}]`, `[{"labels":{"alertname":"X"},"startsAt":"yesterday"}]`, `[{"labels":{"alertname":"X"},"generatorURL":"no uri"}]`,
		`[{"labels":{"alertname":"X","":"y"}}]`,
	} {
		_, err := a.call(http.MethodPost, "/api/v2/alerts", []byte(body))
		rec := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/api/v2/alerts", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		NewAlertmanager().ServeHTTP(rec, r)
		if err == nil || rec.Code == http.StatusOK {
			t.Errorf("%s: the real one says %v, the fake %d", body, err, rec.Code)
		}
	}
}
