package web

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// request is one from another machine, whose path is taken as it is.
func request(method, path string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	r.RequestURI = path
	r.URL = &url.URL{Path: path}
	if u, err := url.ParseRequestURI(path); err == nil {
		r.URL = u
	}
	r.RemoteAddr, r.Host = "10.0.0.9:5", "driftd.example"
	return r
}

// guarded are the paths of which strangers get nothing but that they may not.
func guarded() (all []string) {
	all = []string{"GET /metrics", "HEAD /metrics", "GET /-/rules", "POST /-/reload"}
	for _, rt := range routes {
		all = append(all, rt.method+" "+prefix+strings.NewReplacer("{id}", alertID[:8]).Replace(rt.path))
	}
	return all
}

// TestStrangersGetNothing asks for everything that there is, without a token, with a wrong one, and with one that may only read.
func TestStrangersGetNothing(t *testing.T) {
	o := newOffice(t, Token{Name: "ci", Secret: "a token that writes", Write: true}, Token{Name: "grafana", Secret: "a token that reads"})
	o.cfg.Reload = func() error { t.Error("reloaded"); return nil }
	h := o.Handler()
	before := o.log.n
	for _, what := range guarded() {
		method, path, _ := strings.Cut(what, " ")
		for auth, want := range map[string]int{
			"": 401, "Bearer wrong": 401, "Basic YTpi": 401, "Bearer": 401, "Bearer ": 401, "a token that writes": 401, "bearer a token that writes ": 401,
			"Bearer a token that reads": 403, // where it is a write
		} {
			if want == 403 && method != "POST" && method != "DELETE" {
				continue
			}
			r := request(method, path)
			if auth != "" {
				r.Header.Set("Authorization", auth)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != want || w.Body.Len() > 300 || strings.Contains(w.Body.String(), "driftd_web_test_total") {
				t.Errorf("%s with %q: %d %s", what, auth, w.Code, w.Body)
			}
			if strings.Contains(w.Body.String(), "a token that") {
				t.Errorf("%s: a token is shown: %s", what, w.Body)
			}
		}
		// Two of them: proxies and servers may not agree on which counts.
		r := request(method, path)
		r.Header["Authorization"] = []string{"Bearer a token that writes", "Bearer wrong"}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 401 {
			t.Errorf("%s with two tokens: %d", what, w.Code)
		}
	}
	if o.log.n != before {
		t.Error("something was written")
	}
	for _, path := range []string{"/-/healthy", "/-/ready"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request("GET", path))
		if w.Code != 200 || strings.Contains(w.Body.String(), "token_revoked") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// TestOtherSites: no page of another site changes anything by way of a browser, whatever the path; signed calls come from anywhere.
func TestOtherSites(t *testing.T) {
	o := newOffice(t)
	o.cfg.Reload = func() error { t.Error("reloaded"); return nil }
	signed := 0
	o.cfg.Handlers = map[string]http.Handler{"POST /slack/interactions": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { signed++ })}
	h := o.Handler()
	before := o.log.n
	for _, what := range append(guarded(), "POST /nowhere", "PUT /metrics") {
		method, path, _ := strings.Cut(what, " ")
		if method == "GET" || method == "HEAD" {
			continue
		}
		for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
			r := request(method, path)
			r.RemoteAddr, r.Host = "127.0.0.1:5", "localhost:8430"
			r.Header.Set(name, value)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != 403 || !strings.Contains(w.Body.String(), "another site") {
				t.Errorf("%s with %s: %d %s", what, name, w.Code, w.Body)
			}
		}
	}
	if o.log.n != before {
		t.Error("something was written")
	}
	r := request("POST", "/slack/interactions")
	r.Header.Set("Origin", "https://slack.example")
	if h.ServeHTTP(httptest.NewRecorder(), r); signed != 1 {
		t.Error("a signed call did not get through")
	}
}

// TestPathTricks: whatever is done to a path, it leads to no guarded answer, to no other host, and to no line break in a header.
func TestPathTricks(t *testing.T) {
	o := newOffice(t)
	h := o.Handler()
	for _, path := range []string{
		"//metrics", "/./metrics", "/-/healthy/../../metrics", "/-/healthy/..%2f..%2fmetrics", "/%6detrics", "/metrics/", "/METRICS", "/metrics%00", "/metrics?x=/-/healthy",
		"/-/healthy%2f..%2freload", "/-//rules", "/-/ready/../rules", "/%2d/rules", "/-/%72ules", `/-\rules`, "/-/rules%20", "/-/rules;.css", "/-/rules/x.js",
		"//api/v1/alerts", "/api//v1/alerts", "/api/v1/../v1/alerts", "/api/v1/alerts/", "/api/v1/%61lerts", "/api/v1/alerts/..%2f..%2fmetrics", "/api/v1/alerts/%2e%2e",
		"/api/v1/openapi.json/../alerts", "/api/v1/openapi.json%2f..%2falerts", "/slack/interactions/../../metrics", "//evil.example/..", "//evil.example/%2e%2e/metrics",
		`/\evil.example/../metrics`, "/%5cevil.example/../metrics", "/x%0d%0aSet-Cookie:%20a=b/../metrics", "/api/v1/alerts/%0d%0aX:%20y", "http://evil.example/metrics", "*",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request(method, path))
			if w.Code == 200 {
				t.Errorf("%s %s: %d %.200s", method, path, w.Code, w.Body)
			}
			to, err := url.Parse(w.Header().Get("Location"))
			if err != nil || to.Host != "" || to.Scheme != "" || strings.HasPrefix(to.Path, "//") || strings.HasPrefix(to.Path, `/\`) {
				t.Errorf("%s %s: leads to %q", method, path, w.Header().Get("Location"))
			}
			for name, values := range w.Header() {
				if strings.ContainsAny(strings.Join(values, "")+name, "\r\n") {
					t.Errorf("%s %s: a line break in %s: %q", method, path, name, values)
				}
			}
		}
	}
}

// TestMethods: what may be read may be asked for by HEAD too; nothing is said to OPTIONS and TRACE but what would be right.
func TestMethods(t *testing.T) {
	o := newOffice(t)
	o.cfg.Reload = func() error { return nil }
	l := httptest.NewServer(o.Handler())
	defer l.Close()
	for what, want := range map[string]int{
		"HEAD /metrics": 200, "HEAD /-/healthy": 200, "HEAD /api/v1/alerts": 200, "OPTIONS /metrics": 405, "OPTIONS /api/v1/silences": 405, "OPTIONS /nowhere": 404,
		"TRACE /metrics": 405, "TRACE /api/v1/alerts": 405, "PUT /-/reload": 405, "GET /-/reload": 405, "HEAD /-/reload": 405, "PATCH /api/v1/silences/x": 405, "GET /debug/pprof/": 404,
	} {
		method, path, _ := strings.Cut(what, " ")
		req, _ := http.NewRequest(method, l.URL+path, nil)
		req.Header.Set("X-Echo", "mirror mirror")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want || want == 405 && resp.Header.Get("Allow") == "" || bytes.Contains(body, []byte("mirror")) || method == "HEAD" && len(body) > 0 {
			t.Errorf("%s: %d %q %.100q", what, resp.StatusCode, resp.Header.Get("Allow"), body)
		}
		h := resp.Header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" || h.Get("Cache-Control") != "no-store" || h.Get("Access-Control-Allow-Origin") != "" ||
			!strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", what, h)
		}
	}
}

// TestBodiesAreBounded: also of those handlers that know no bound.
func TestBodiesAreBounded(t *testing.T) {
	o := newOffice(t)
	got := errors.New("not asked")
	o.cfg.Handlers = map[string]http.Handler{"POST /hooks/x": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, got = io.ReadAll(r.Body) })}
	r := request("POST", "/hooks/x")
	r.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", maxRequest+1)))
	o.Handler().ServeHTTP(httptest.NewRecorder(), r)
	if _, ok := errors.AsType[*http.MaxBytesError](got); !ok {
		t.Errorf("a body of any size: %v", got)
	}
	if code, out := o.ask("POST", "/silences", `{"comment":"`+strings.Repeat("x", maxBody)+`"}`); code != 400 || !strings.Contains(out["error"].(string), "bytes") {
		t.Errorf("%d %v", code, out)
	}
}

// TestPanicIsSaid: and ends the connection without what it panicked with.
func TestPanicIsSaid(t *testing.T) {
	var said bytes.Buffer
	o := newOffice(t)
	o.cfg.Log = slog.New(slog.NewTextHandler(&said, nil))
	for _, with := range []any{errors.New("canary"), "canary", io.EOF} {
		said.Reset()
		o.cfg.Ready = func() []Check { panic(with) }
		l := httptest.NewServer(o.Handler())
		if _, err := http.Get(l.URL + "/-/ready"); err == nil {
			t.Error("there is an answer")
		}
		l.Close()
		if text := said.String(); !strings.Contains(text, "BUG: a request panicked") || !strings.Contains(text, "doors_test.go") || strings.Contains(text, "canary") {
			t.Errorf("said %s", text)
		}
	}
}

// TestOthersNeedKeys: an address that others can reach is not listened on without anything that tells them apart, however it is written.
func TestOthersNeedKeys(t *testing.T) {
	cfg := Config{Listen: "0.0.0.0:0", Log: slog.New(slog.DiscardHandler)}
	if s, err := Listen(cfg); err == nil || !strings.Contains(err.Error(), "neither a token") {
		t.Errorf("listens on %v: %v", s, err)
	}
	cfg.Keys = func() (Keys, error) { return Keys{Tokens: []Token{{Name: "a", Secret: "b"}}}, nil }
	s, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.listener.Close()
	cfg.Keys = func() (Keys, error) { return Keys{}, errors.New("read secret /x: it is empty") }
	if _, err := Listen(cfg); err == nil || !strings.Contains(err.Error(), "it is empty") {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", s.Addr()); err == nil {
		t.Error("still listening")
	}
}
