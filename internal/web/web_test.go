package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/detector"
)

func newServer(t *testing.T, token string, checks *[]Check, reload func() error) *Server {
	t.Helper()
	var tokens []Token
	if token != "" {
		tokens = []Token{{Name: "token", Secret: token, Write: true}}
	}
	set := metrics.NewSet()
	set.NewCounter("driftd_web_test_total").Set(7)
	s, err := Listen(Config{
		Listen: "127.0.0.1:0", Keys: func() (Keys, error) { return Keys{Tokens: tokens}, nil }, Metrics: []*metrics.Set{set}, Ready: func() []Check { return *checks },
		Reload: reload, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestServesAndStops(t *testing.T) {
	checks := []Check{{Name: "kafka", OK: true}}
	s := newServer(t, "", &checks, func() error { return errors.New("rules/a.yaml:3:7: unknown key \"belw\"") })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	get := func(method, path string) (int, string) {
		t.Helper()
		req, _ := http.NewRequest(method, "http://"+s.Addr()+path, nil)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	if code, body := get("GET", "/-/healthy"); code != 200 || body != "ok\n" {
		t.Errorf("healthy: %d %q", code, body)
	}
	if code, body := get("GET", "/metrics"); code != 200 || !strings.Contains(body, "driftd_web_test_total 7\n") || !strings.Contains(body, "process_cpu_seconds_total") {
		t.Errorf("metrics: %d %.200q", code, body)
	}
	if code, _ := get("GET", "/-/ready"); code != 200 {
		t.Errorf("ready: %d", code)
	}
	if code, body := get("POST", "/-/reload"); code != 500 || !strings.Contains(body, "rules/a.yaml:3:7") {
		t.Errorf("reload of bad rules: %d %q", code, body)
	}
	if code, _ := get("GET", "/-/reload"); code != 405 {
		t.Errorf("reload by GET: %d", code)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	if _, err := Listen(Config{Listen: "127.0.0.1:-1"}); err == nil {
		t.Error("listened on a bad address")
	}
}

// Whether driftd is ready anybody may know, such as what runs it; what is the matter only who may read.
func TestReadySaysWhatIsNot(t *testing.T) {
	checks := []Check{{Name: "kafka", OK: false, Detail: "dial tcp 127.0.0.1:9092: connection refused"}, {Name: "rules", OK: true}}
	s := newServer(t, "", &checks, nil)
	defer s.listener.Close()
	for remote, want := range map[string]Check{"127.0.0.1:5": checks[0], "10.0.0.9:5": {Name: "kafka"}} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/-/ready", nil)
		r.RemoteAddr, r.Host = remote, "localhost:8430"
		s.Handler().ServeHTTP(w, r)
		var got struct {
			Ready  bool
			Checks []Check
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 503 || got.Ready || len(got.Checks) != 2 || got.Checks[0] != want {
			t.Errorf("%s: %d %s %v", remote, w.Code, w.Body, err)
		}
	}
	if checks[0].Detail == "" {
		t.Error("what the checks say was taken away for all")
	}
}

func TestRulesAreTold(t *testing.T) {
	var checks []Check
	s := newServer(t, "", &checks, nil)
	defer s.listener.Close()
	var failure error
	s.cfg.Rules = func(ctx context.Context) ([]detector.RuleStatus, error) {
		if _, limited := ctx.Deadline(); !limited {
			t.Error("asked without an end")
		}
		return []detector.RuleStatus{{Rule: "GroundingRegressed", Watched: 7}}, failure
	}
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", path, nil)
		r.RemoteAddr, r.Host = "127.0.0.1:5", "localhost:8430"
		s.Handler().ServeHTTP(w, r)
		return w
	}
	var got struct{ Rules []detector.RuleStatus }
	if w := ask("/api/v1/rules"); w.Code != 200 || w.Header().Get("Content-Type") != "application/json" ||
		json.Unmarshal(w.Body.Bytes(), &got) != nil || len(got.Rules) != 1 || got.Rules[0].Watched != 7 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask("/-/rules"); w.Code != 200 || !strings.Contains(w.Body.String(), "/GroundingRegressed") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	failure = errors.New("the detect stage does not run in this process")
	if w := ask("/api/v1/rules"); w.Code != 503 || !strings.Contains(w.Body.String(), "detect stage") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestReloadNeedsTheRight(t *testing.T) {
	var checks []Check
	for name, c := range map[string]struct {
		token, remote, host, auth, origin string
		want                              int
	}{
		"this machine":             {remote: "127.0.0.1:5", host: "localhost:8430", want: 200},
		"this machine by IPv6":     {remote: "[::1]:5", host: "[::1]:8430", want: 200},
		"another machine":          {remote: "10.0.0.9:5", host: "driftd:8430", want: 403},
		"a rebound name":           {remote: "127.0.0.1:5", host: "evil.example", want: 403},
		"a page of another site":   {remote: "127.0.0.1:5", host: "localhost:8430", origin: "https://evil.example", want: 403},
		"with the token":           {token: "s3cret", remote: "10.0.0.9:5", host: "driftd", auth: "Bearer s3cret", want: 200},
		"with a wrong token":       {token: "s3cret", remote: "127.0.0.1:5", host: "localhost", auth: "Bearer s3cres", want: 401},
		"without where one is due": {token: "s3cret", remote: "127.0.0.1:5", host: "localhost", want: 401},
	} {
		called := false
		s := newServer(t, c.token, &checks, func() error { called = true; return nil })
		defer s.listener.Close()
		r := httptest.NewRequest("POST", "/-/reload", nil)
		r.RemoteAddr, r.Host = c.remote, c.host
		if c.auth != "" {
			r.Header.Set("Authorization", c.auth)
		}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != c.want || called != (c.want == 200) {
			t.Errorf("%s: %d %q, called %v, want %d", name, w.Code, w.Body, called, c.want)
		}
	}
}

// A proxy on this machine asks from here, and often by this machine's name, for whoever asks it.
func TestProxyIsNotThisMachine(t *testing.T) {
	for _, header := range []string{"Forwarded", "Via", "X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "X-Real-IP"} {
		for _, write := range []bool{false, true} {
			r := httptest.NewRequest("GET", "/api/v1/alerts", nil)
			r.RemoteAddr, r.Host = "127.0.0.1:5", "127.0.0.1:8430"
			what := reads
			if write {
				what = writes
			}
			if who, no := newGuard(Keys{}).enter(r, what); no != nil || who != "local" {
				t.Fatalf("this machine itself: %q %v", who, no)
			}
			r.Header.Set(header, "203.0.113.9")
			if who, no := newGuard(Keys{}).enter(r, what); no == nil || no.code != http.StatusForbidden {
				t.Errorf("%s, write %v: let in as %q", header, write, who)
			}
			r.Header.Set("Authorization", "Bearer s3cret")
			if who, no := newGuard(Keys{Tokens: []Token{{Name: "ci", Secret: "s3cret", Write: true}}}).enter(r, what); no != nil || who != "token:ci" {
				t.Errorf("%s with a token: %q %v", header, who, no)
			}
		}
	}
}
