package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/detector"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// topic is the alerts topic in memory; it feeds a board at once.
type topic struct {
	t     *testing.T
	board *desk.Board
	n     int64
	deaf  bool // the board learns nothing
}

func (l *topic) Append(_ context.Context, r detector.Record) (int, int64, error) {
	if _, err := alert.Decode(mustJSON(l.t, &r)); err != nil {
		l.t.Errorf("written: %v", err)
	}
	at := l.n
	l.n++
	if !l.deaf {
		l.board.Fold(0, alert.Entry{Offset: at, Record: r})
	}
	return 0, at, nil
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	alertID = "9f3c1a2b00000000000000000000000a"
	twinID  = "9f3c1a2c00000000000000000000000b"
)

// office is a server with alerts and a rollback that waits.
type office struct {
	*Server
	t     *testing.T
	log   *topic
	token string
}

func newOffice(t *testing.T, tokens ...Token) *office {
	t.Helper()
	board := desk.NewBoard(desk.BoardConfig{Partitions: 1, Now: func() time.Time { return noon }, UntilWorseBy: 0.2})
	log := &topic{t: t, board: board}
	value, bound := 0.72, 0.8
	for _, id := range []string{alertID, twinID} {
		r := detector.Record{
			ID: id, Step: 3, Type: detector.Firing, Time: noon.Add(-time.Hour), Group: "support", Rule: "GroundingLow", Prompt: "intent", Version: "v23",
			Previous: "v22", Cohort: map[string]string{"tier": id[7:8]}, Metric: "grounding", Kind: "threshold", Value: &value, Bound: &bound, Samples: 412,
			Rollback: "approve", Labels: map[string]string{"severity": "page"}, Interval: []float64{0.7, 0.74},
			Trend: &detector.Trend{From: noon, Every: "1m", Values: []*float64{&value, nil}}, Target: &detector.Target{Version: "v22", Last: &noon},
			Changed: []detector.Changed{{Axis: "version", From: "v22", To: "v23", Time: noon}}, Against: &detector.Against{Kind: "24h", Sealed: &noon},
		}
		log.Append(t.Context(), r)
		if id == alertID {
			log.Append(t.Context(), alert.Action(&r, detector.RollbackProposed, noon))
		}
	}
	board.Live(0)
	s := &Server{cfg: Config{
		Ready: func() []Check {
			return []Check{{Name: "kafka", OK: true}, {Name: "act oncall", OK: true, Trouble: true, Detail: "token_revoked: make a new token"}}
		},
		Rules: func(context.Context) ([]detector.RuleStatus, error) {
			return []detector.RuleStatus{{Rule: "GroundingLow"}}, nil
		},
		Desk: desk.New(desk.Config{Board: board, Log: log, Now: func() time.Time { return noon }, Guards: []string{"cooldown"}}),
		Now:  func() time.Time { return noon }, Version: "v1", Log: slog.New(slog.DiscardHandler),
	}}
	s.use(Keys{Tokens: tokens})
	return &office{s, t, log, ""}
}

// ask asks from this machine.
func (o *office) ask(method, path, body string) (int, map[string]any) {
	o.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, "/api/v1"+path, in)
	r.RemoteAddr, r.Host = "127.0.0.1:5", "localhost:8430"
	if o.token != "" {
		r.Header.Set("Authorization", "Bearer "+o.token)
	}
	w := httptest.NewRecorder()
	o.Handler().ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Header().Get("Content-Type") != "application/json" {
		o.t.Fatalf("%s %s: %d %v %s", method, path, w.Code, err, w.Body)
	}
	return w.Code, out
}

// TestAPI asks for everything once, and holds each answer against the document.
func TestAPI(t *testing.T) {
	o := newOffice(t)
	_, doc := o.ask("GET", "/openapi.json", "")
	asked := make(map[string]bool)
	silence := ""
	f := func(method, pattern, path, body string, want int, says string) map[string]any {
		t.Helper()
		asked[method+" "+pattern] = true
		code, out := o.ask(method, path, body)
		text := string(mustJSON(t, out))
		if code != want || !strings.Contains(text, says) {
			t.Errorf("%s %s: %d %s, want %d and %s", method, path, code, text, want, says)
		}
		op := dig(doc, "paths", "/api/v1"+pattern, strings.ToLower(method))
		schema, ok := dig(op, "responses", fmt.Sprint(code), "content", "application/json", "schema").(map[string]any)
		if !ok {
			t.Errorf("%s %s: %d is not in the document", method, pattern, code)
		} else if problem := conforms(doc, schema, out); problem != "" {
			t.Errorf("%s %s: %d: %s", method, pattern, code, problem)
		}
		if body != "" && code < 300 {
			var in any
			if err := json.Unmarshal([]byte(body), &in); err != nil {
				t.Fatal(err)
			}
			schema, _ := dig(op, "requestBody", "content", "application/json", "schema").(map[string]any)
			if problem := conforms(doc, schema, in); problem != "" {
				t.Errorf("%s %s: body: %s", method, pattern, problem)
			}
		}
		return out
	}
	f("GET", "/status", "/status", "", 200, `"waiting":1`)
	f("GET", "/status", "/status?x=1", "", 400, `there is no parameter \"x\"`)
	f("GET", "/rules", "/rules", "", 200, "GroundingLow")
	f("GET", "/alerts", "/alerts", "", 200, `"total":2`)
	f("GET", "/alerts", "/alerts?state=open&prompt=intent&rule=GroundingLow&limit=1", "", 200, `"total":2`)
	f("GET", "/alerts", "/alerts?state=resolved", "", 200, `"alerts":[]`)
	f("GET", "/alerts", "/alerts?state=loud", "", 400, "one of firing")
	f("GET", "/alerts", "/alerts?limit=0", "", 400, "limit cannot be")
	f("GET", "/alerts/{id}", "/alerts/9f3c1a2b", "", 200, alertID)
	f("GET", "/alerts/{id}", "/alerts/9f3c", "", 400, "2 alerts begin with 9f3c")
	f("GET", "/alerts/{id}", "/alerts/9f3d1a2b", "", 404, "did you mean "+alertID)
	f("GET", "/alerts/{id}", "/alerts/GroundingLow", "", 404, "did you mean ")
	f("POST", "/alerts/{id}/acknowledge", "/alerts/9f3c1a2b/acknowledge", `{"comment":"on it","author":"jane"}`, 200, `"actor":"local for jane"`)
	f("POST", "/alerts/{id}/acknowledge", "/alerts/9f3c1a2c/acknowledge", "", 409, "already acknowledged by local for jane")
	f("POST", "/alerts/{id}/acknowledge", "/alerts/9f3c1a2b/acknowledge", `{"coment":"on it"}`, 400, `unknown field \"coment\"`)
	f("POST", "/alerts/{id}/acknowledge", "/alerts/9f3c1a2b/acknowledge", `{"comment":1}`, 400, "comment cannot be a number")
	f("POST", "/alerts/{id}/acknowledge", "/alerts/9f3c1a2b/acknowledge", `{} {}`, 400, "more than one value")
	f("POST", "/alerts/{id}/acknowledge", "/alerts/9f3c1a2b/acknowledge", `{"author":"a\nb"}`, 400, "no author")
	f("POST", "/alerts/{id}/acknowledge", "/alerts/9f3c1a2b/acknowledge", `{"comment":"`+strings.Repeat("x", maxBody)+`"}`, 400, "more than 65536 bytes")
	made := f("POST", "/silences", "/silences", `{"matchers":[{"label":"prompt","op":"=","value":"intent"}],"for":"2h","comment":"release"}`, 201, `"alerts":2`)
	silence, _ = made["id"].(string)
	f("POST", "/silences", "/silences", `{"matchers":[],"for":"2h","comment":"release"}`, 400, "no matchers")
	f("POST", "/silences", "/silences", `{"matchers":[],"for":"2","comment":"release"}`, 400, "such as 90m")
	f("POST", "/silences", "/silences", `{"for":"2h","ends":"2026-11-20T13:00:00Z"}`, 400, "leave one out")
	f("GET", "/silences", "/silences", "", 200, `"state":"active"`)
	f("GET", "/alerts/{id}", "/alerts/9f3c1a2b", "", 200, `"silenced":"`+silence)
	f("DELETE", "/silences/{id}", "/silences/"+silence[:6], `{"author":"bob"}`, 200, `"ended":"local for bob"`)
	f("DELETE", "/silences/{id}", "/silences/"+silence, "", 409, "already ended by local for bob")
	f("DELETE", "/silences/{id}", "/silences/nothing", "", 404, "there is no silence nothing")
	f("GET", "/rollbacks", "/rollbacks?state=waiting&prompt=intent", "", 200, alertID+"-3")
	f("GET", "/rollbacks", "/rollbacks?state=failed", "", 200, `"rollbacks":[]`)
	f("GET", "/rollbacks/{id}", "/rollbacks/9f3c1a2b-3", "", 200, `"state":"waiting"`)
	f("GET", "/rollbacks/{id}", "/rollbacks/9f3c1a2b-4", "", 404, "there is no rollback")
	f("POST", "/rollbacks", "/rollbacks", `{"prompt":"intent","reason":"bad"}`, 400, "is under way")
	f("POST", "/rollbacks/{id}/reject", "/rollbacks/9f3c1a2b/reject", `{}`, 400, "no reason")
	f("POST", "/rollbacks/{id}/approve", "/rollbacks/9f3c1a2b/approve", `{"reason":"yes"}`, 200, `"state":"checking"`)
	f("POST", "/rollbacks/{id}/reject", "/rollbacks/9f3c1a2b/reject", `{"reason":"no"}`, 409, "already approved by local")
	f("POST", "/rollbacks", "/rollbacks", `{"prompt":"plain","to":"v7","reason":"bad","force":"cooldown"}`, 201, `"mode":"by_hand"`)
	f("POST", "/rollbacks/stop", "/rollbacks/stop", `{"reason":"fire"}`, 200, `"reason":"fire"`)
	f("GET", "/rollbacks", "/rollbacks", "", 200, `"stops":[{`)
	f("POST", "/rollbacks/resume", "/rollbacks/resume", `{"prompt":" "}`, 400, "no name of a prompt")
	f("POST", "/rollbacks/resume", "/rollbacks/resume", "", 200, `"stops":[]`)
	f("POST", "/rollbacks/resume", "/rollbacks/resume", "", 400, "are not stopped")
	f("GET", "/audit", "/audit?actor=local+for+jane", "", 200, `"reason":"on it"`)
	f("GET", "/audit", "/audit?prompt=plain&limit=1", "", 200, `"rollback_requested"`)
	for _, rt := range routes {
		if !asked[rt.method+" "+rt.path] {
			t.Errorf("%s %s was not tried", rt.method, rt.path)
		}
	}

	if code, out := o.ask("GET", "/alert", ""); code != 404 || out["hint"] != "GET /api/v1/openapi.json lists what there is" {
		t.Errorf("%d %v", code, out)
	}
	if code, out := o.ask("PUT", "/silences", ""); code != 405 || out["hint"] != "GET, POST is" {
		t.Errorf("%d %v", code, out)
	}
}

// TestWrittenButNotSeen: what was written is answered with 202 and its id.
func TestWrittenButNotSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.log.deaf = true
		code, out := o.ask("POST", "/rollbacks", `{"prompt":"late","to":"v7","reason":"bad"}`)
		if id, _ := out["id"].(string); code != 202 || len(id) != 34 {
			t.Errorf("%d %v", code, out)
		}
	})
}

// TestNotYet: what is not known is not answered.
func TestNotYet(t *testing.T) {
	o := newOffice(t)
	o.log.board.Begin(0)
	if code, out := o.ask("GET", "/alerts", ""); code != 503 || out["error"] != "the alerts topic is still being read" {
		t.Errorf("%d %v", code, out)
	}
	if code, out := o.ask("GET", "/status", ""); code != 200 || out["board"] != false {
		t.Errorf("%d %v", code, out)
	}
	o.cfg.Desk = nil
	if code, out := o.ask("POST", "/rollbacks/stop", `{"reason":"x"}`); code != 503 || out["hint"] != "ask one in which it does" {
		t.Errorf("%d %v", code, out)
	}
}

// TestWhoMay is the table of tokens.
func TestWhoMay(t *testing.T) {
	read, write := Token{"grafana", "read-secret", false}, Token{"ci", "write-secret", true}
	for _, c := range []struct {
		name        string
		tokens      []Token
		given       string
		remote      string
		read, write int
	}{
		{"no tokens, here", nil, "", "127.0.0.1:5", 200, 200},
		{"no tokens, elsewhere", nil, "", "10.0.0.9:5", 403, 403},
		{"write token, here without", []Token{write}, "", "127.0.0.1:5", 200, 401},
		{"write token, elsewhere without", []Token{write}, "", "10.0.0.9:5", 401, 401},
		{"write token, elsewhere with", []Token{write}, "write-secret", "10.0.0.9:5", 200, 200},
		{"both, here without", []Token{read, write}, "", "127.0.0.1:5", 401, 401},
		{"both, with the reader's", []Token{read, write}, "read-secret", "10.0.0.9:5", 200, 403},
		{"both, with the writer's", []Token{read, write}, "write-secret", "10.0.0.9:5", 200, 200},
		{"read token alone, here without", []Token{read}, "", "127.0.0.1:5", 401, 200},
		{"a wrong token, here", nil, "guess", "127.0.0.1:5", 401, 401},
		{"a wrong token, elsewhere", []Token{read, write}, "write-secre", "10.0.0.9:5", 401, 401},
	} {
		o := newOffice(t, c.tokens...)
		f := func(method, path, body string, want int) {
			t.Helper()
			r := httptest.NewRequest(method, "/api/v1"+path, strings.NewReader(body))
			r.RemoteAddr, r.Host = c.remote, "localhost:8430"
			if c.given != "" {
				r.Header.Set("Authorization", "Bearer "+c.given)
			}
			w := httptest.NewRecorder()
			o.Handler().ServeHTTP(w, r)
			if w.Code != want || (w.Code == 401) != (w.Header().Get("WWW-Authenticate") != "") {
				t.Errorf("%s: %s: %d %s, want %d", c.name, method, w.Code, w.Body, want)
			}
			for _, token := range c.tokens {
				if strings.Contains(w.Body.String(), token.Secret) {
					t.Errorf("%s: the secret is shown: %s", c.name, w.Body)
				}
			}
		}
		f("GET", "/alerts", "", c.read)
		f("POST", "/rollbacks/stop", `{"reason":"x"}`, c.write)
	}
	o := newOffice(t, write)
	o.token = "write-secret"
	if _, out := o.ask("POST", "/rollbacks/stop", `{"reason":"x","author":"jane"}`); !strings.Contains(fmt.Sprint(out), "token:ci for jane") {
		t.Errorf("%v", out)
	}
}

// TestOtherSitesMayNot: a page of another site cannot use a browser on this machine.
func TestOtherSitesMayNot(t *testing.T) {
	o := newOffice(t)
	r := httptest.NewRequest("POST", "/api/v1/rollbacks/stop", strings.NewReader(`{"reason":"x"}`))
	r.RemoteAddr, r.Host = "127.0.0.1:5", "localhost:8430"
	r.Header.Set("Origin", "https://evil.example")
	w := httptest.NewRecorder()
	o.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || len(o.log.board.Stops()) != 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestPathsAreDocumented holds the table of paths in METRICS.md against what is served.
func TestPathsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../configs/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:GET|POST|DELETE) /api/v1/[^`]+)`").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, m[1])
	}
	served := []string{"GET /api/v1/openapi.json"}
	for _, rt := range routes {
		served = append(served, rt.method+" "+prefix+rt.path)
	}
	for _, p := range served {
		if !slices.Contains(documented, p) {
			t.Errorf("%s is served but not in configs/METRICS.md", p)
		}
	}
	for _, p := range documented {
		if !slices.Contains(served, p) {
			t.Errorf("%s is in configs/METRICS.md but not served", p)
		}
	}
}

// FuzzBody: whatever a body holds, the answer is JSON with a reason, or something was made of it.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		`{"matchers":[{"label":"prompt","op":"=~","value":"a.*"}],"for":"2h","comment":"c"}`, `{"prompt":"p","to":"v1","force":"cooldown","reason":"r"}`,
		`{"for":"99999999999h"}`, `{"ends":"2026-11-20T13:00:00+25:00"}`, `[]`, `null`, `{"author":"\u0000"}`, `{"starts":"0001-01-01T00:00:00Z","ends":"9999-01-01T00:00:00Z"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		o := newOffice(t)
		for _, path := range []string{"/silences", "/rollbacks", "/rollbacks/stop", "/alerts/9f3c1a2b/acknowledge"} {
			switch code, out := o.ask("POST", path, body); {
			case code == 200 || code == 201:
			case (code == 400 || code == 409) && out["error"] != "":
			default:
				t.Errorf("%s: %d %v", path, code, out)
			}
		}
	})
}
