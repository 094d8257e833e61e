package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/rules"
)

// bird begins every canary: text that must not be seen where it was not put.
const bird = "canary7x-"

// canary is the one of a place.
func canary(place string) string { return bird + strings.ToLower(place) + "-0123456789abcdef" }

// sink is everybody outside who is told something: it keeps all that it hears, by the first part of the path, and answers badly in turn, with
// what it was sent in the answer, and canaries in its headers.
type sink struct {
	*httptest.Server
	mu    sync.Mutex
	n     map[string]int
	heard map[string][]string
}

func newSink(t *testing.T) *sink {
	s := &sink{n: map[string]int{}, heard: map[string][]string{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dump, _ := httputil.DumpRequest(r, true)
	peer, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	s.mu.Lock()
	s.heard[peer] = append(s.heard[peer], string(dump))
	n := s.n[peer]
	s.n[peer]++
	s.mu.Unlock()
	// What a peer says is told, so that people can mend it; some say what they were sent, and that must not be.
	said := fmt.Sprintf("not good: %s %s %s", r.Header.Get("Authorization"), r.URL, secret(string(dump)))
	said = strings.NewReplacer("\r", " ", "\n", " ", `"`, "'").Replace(said)
	w.Header().Set("X-Said", canary("answer-header-"+peer))
	w.Header().Set("Set-Cookie", "session="+canary("answer-cookie-"+peer))
	switch (n + len(peer)) % 6 { // each peer begins with another one: who is refused waits for longer each time
	case 0:
		http.Error(w, said, http.StatusInternalServerError)
	case 1:
		w.Header().Set("Retry-After", said)
		http.Error(w, said, http.StatusTooManyRequests)
	case 2:
		w.Header().Set("Location", "https://"+canary("answer-location")+".example/"+r.URL.RawQuery)
		w.WriteHeader(http.StatusTemporaryRedirect)
	case 3:
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 "+said+"\r\n\r\n")
			c.Close()
		}
	case 4:
		_, _ = io.WriteString(w, `{"error":"`+said) // cut off
	default:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"ok":true,"ts":"1.2","status":"success","result":%q}`, said)
	}
}

// secret is the first canary in a request, such as the key in the body that PagerDuty wants.
func secret(dump string) string {
	_, after, ok := strings.Cut(dump, bird)
	if !ok {
		return ""
	}
	return bird + after[:max(strings.IndexFunc(after, func(r rune) bool { return r != '-' && !unicode.IsLower(r) && !unicode.IsDigit(r) }), 0)]
}

// tries is how often a peer was told something.
func (s *sink) tries(peer string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n[peer]
}

// secrets of the config, by place, and the peer of the sink that is to get each; "" is nobody.
var secrets = map[string]string{
	"kafka-password": "", "slack-token": "", "slack-signing": "", "slack-app": "", "slack-hook-url": "slack-hook", "hook-url": "hook", "hook-secret": "",
	"opsgenie-token": "opsgenie", "oncall-url": "oncall", "am-password": "am", "am-token": "am2", "pd-key": "pd", "registry-secret": "", "registry-hook": "",
	"http-token": "", "http-reader": "", "http-old": "",
}

func secretVar(place string) string { return strings.ToUpper(strings.ReplaceAll(place, "-", "_")) }

// canaryConfig is a config with a canary in every secret.
func canaryConfig(w *world, s *sink) (*config.Config, *rules.Set) {
	w.t.Helper()
	w.file("http-token", canary("http-token")+"\n"+canary("http-old")+"\n")
	text := fmt.Sprintf(`
kafka:
  brokers: [%s]
  sasl: {mechanism: scram-sha-256, username: driftd, password: "${KAFKA_PASSWORD}"}
  topic_prefix: %s
  partitions: %d
  replication_factor: 1
sources:
  - {topic: %[2]sproto}
  - {topic: %[2]slogs}
  - {topic: %[2]sjson, encoding: otlp_json}
  - {topic: %[2]snative, encoding: driftd_json}
  - {topic: %[2]scloud, encoding: driftd_json, envelope: cloudevents}
  - {topic: %[2]sposthog, encoding: posthog}
  - {topic: %[2]shelicone, encoding: helicone}
rules: [rules.yaml]
receivers:
  - {name: bot, slack: {token: "${SLACK_TOKEN}", channel: "#llm-alerts", signing_secret: "${SLACK_SIGNING}", app_token: "${SLACK_APP}", digest: "14:30 UTC"}}
  - {name: slackhook, slack: {webhook_url: "${SLACK_HOOK_URL}"}}
  - {name: hook, webhook: {url: "${HOOK_URL}", secret: "${HOOK_SECRET}"}}
  - {name: opsgenie, webhook: {url: "%[4]s/opsgenie", template: opsgenie, token: "${OPSGENIE_TOKEN}"}}
  - {name: oncall, webhook: {url: "${ONCALL_URL}", template: grafana_oncall}}
  - {name: am, alertmanager: {urls: ["%[4]s/am"], username: driftd, password: "${AM_PASSWORD}"}}
  - {name: am2, alertmanager: {urls: ["%[4]s/am2"], token: "${AM_TOKEN}"}}
  - {name: pd, pagerduty: {routing_key: "${PD_KEY}", url: "%[4]s/pd"}}
watchdog: {receiver: am, every: 1m}
route:
  receiver: bot
  routes: [{receiver: slackhook, continue: true}, {receiver: hook, continue: true}, {receiver: opsgenie, continue: true}, {receiver: oncall, continue: true}, {receiver: am, continue: true}, {receiver: am2, continue: true}, {receiver: pd, continue: true}, {receiver: bot}]
registry: {kind: webhook, url: "%[4]s/registry", secret: "${REGISTRY_SECRET}", hook_secret: "${REGISTRY_HOOK}"}
trace_url: "https://traces.example/trace/{trace_id}"
http: {listen: "127.0.0.1:0", token: "file:http-token", tokens: [{name: reader, secret: "${HTTP_READER}", scope: read}]}
`, strings.Join(w.brokers, ", "), w.prefix, ownTopics, s.URL)
	text = strings.Replace(text, `signing_secret: "${SLACK_SIGNING}", app_token: "${SLACK_APP}"`, `app_token: "${SLACK_APP}"`, 1) // one of both
	var environ []string
	for place, peer := range secrets {
		value := canary(place)
		if strings.HasSuffix(place, "-url") {
			value = s.URL + "/" + peer + "/" + value + "?key=" + value
		}
		environ = append(environ, secretVar(place)+"="+value)
	}
	path := w.file("canary.yaml", text)
	cfg, set, problems := load(config.Sources{File: path, Environ: environ})
	if problems.Err() != nil || strings.Contains(problems.Text(), bird) {
		w.t.Fatal(problems.Text())
	}
	return cfg, set
}

// lookout looks for canaries in what has left.
type lookout struct {
	t    *testing.T
	seen int // bytes
}

// clean says that no canary may be in text but those that are allowed, by place.
func (l *lookout) clean(where, text string, allowed ...string) {
	l.t.Helper()
	l.seen += len(text)
	text = strings.ToLower(text)
	for _, place := range allowed {
		text = strings.ReplaceAll(text, canary(place), "")
	}
	for place := range secrets {
		if coded := strings.ToLower(base64.StdEncoding.EncodeToString([]byte("driftd:" + canary(place)))); strings.Contains(text, coded) && len(allowed) == 0 {
			l.t.Errorf("%s: has %s as of basic authentication", where, place)
		}
	}
	if i := strings.Index(text, bird); i >= 0 {
		l.t.Errorf("%s: …%q…", where, text[max(0, i-200):min(len(text), i+100)])
	}
}
