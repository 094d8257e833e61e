package registry

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, kind, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body))}
}

func TestRequest(t *testing.T) {
	var got *http.Request
	p := NewPeer(PeerConfig{URL: "https://registry.test/base/?key=a%26b", Username: "driftd", Password: "pass-word", Now: time.Now, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		got = r
		return answer(200, "application/json; charset=utf-8", `{"a":1}`), nil
	})})
	q := Request{Op: "read", Method: "GET", Path: "/v1/prompts/a%2Fb", Query: url.Values{"filter": {"name = 'o&p'"}}}
	a, err := p.Call(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if want := "https://registry.test/base/v1/prompts/a%2Fb?key=a%26b&filter=name+%3D+%27o%26p%27"; got.URL.String() != want {
		t.Errorf("%s, want %s", got.URL, want)
	}
	user, password, _ := got.BasicAuth()
	if user != "driftd" || password != "pass-word" || got.Header.Get("Content-Type") != "" || got.Header.Get("Origin") != "" {
		t.Errorf("%v", got.Header)
	}
	var out struct{ A int }
	if err := a.JSON(&out); err != nil || out.A != 1 {
		t.Errorf("%+v %v", out, err)
	}
}

// TestBodyStays holds that a secret that is an ordinary word does not change what is read.
func TestBodyStays(t *testing.T) {
	p := NewPeer(PeerConfig{URL: "https://registry.test", Username: "u", Password: "production", Now: time.Now, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return answer(200, "application/json", `{"label":"production"}`), nil
	})})
	a, err := p.Call(t.Context(), Request{Op: "read", Method: "GET"})
	if err != nil {
		t.Fatal(err)
	}
	var out struct{ Label string }
	if err := a.JSON(&out); err != nil || out.Label != "production" {
		t.Errorf("%+v %v", out, err)
	}
	if strings.Contains(a.text(), "production") {
		t.Errorf("shown: %s", a.text())
	}
}

func TestSegment(t *testing.T) {
	for name, want := range map[string]string{"a": "a", "a/b": "a%2Fb", "a?b#c": "a%3Fb%23c", "%2e": "%252e", "ü": "%C3%BC", "...": "..."} {
		if got, ok := Segment(name); !ok || got != want {
			t.Errorf("%q: %q %v", name, got, ok)
		}
	}
	for _, name := range []string{"", ".", ".."} {
		if got, ok := Segment(name); ok {
			t.Errorf("%q: %q", name, got)
		}
	}
}

func TestUntrustedCertificate(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = nil
	s.StartTLS()
	defer s.Close()
	_, err := NewPeer(PeerConfig{URL: s.URL, Now: time.Now}).Call(t.Context(), Request{Op: "read", Method: "GET"})
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Unavailable || e.Reason != "no answer by TLS" || e.Hint == "" {
		t.Errorf("%+v", err)
	}
}

func TestNoAddress(t *testing.T) {
	_, err := NewPeer(PeerConfig{URL: "://very-secret", Now: time.Now}).Call(t.Context(), Request{Op: "read", Method: "GET"})
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Wrong || strings.Contains(err.Error(), "very-secret") {
		t.Errorf("%v", err)
	}
}

// TestHeadersOfAnyName holds that credentials are no more shown where a client sends them under a name of their own.
func TestHeadersOfAnyName(t *testing.T) {
	p := NewPeer(PeerConfig{URL: "https://registry.test", Now: time.Now, Sign: func(r *http.Request, _ []byte) { r.Header.Set("X-Api-Key", "very-secret") },
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			return answer(500, "text/plain", "wrong header: "+r.Header.Get("X-Api-Key")), nil
		})})
	a, err := p.Call(t.Context(), Request{Op: "read", Method: "GET"})
	if err != nil {
		t.Fatal(err)
	}
	if e := a.Refused(); e.Kind != Unavailable || strings.Contains(e.Error(), "very-secret") {
		t.Errorf("%v", e)
	}
}
