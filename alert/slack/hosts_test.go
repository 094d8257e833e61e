package slack

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/internal/outbound"
)

// listed notes what is called, and answers with what it finds for the path, or that all is well.
type listed struct {
	mu      sync.Mutex
	answers map[string]string // by the end of the path
	called  []string
}

func (l *listed) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.called = append(l.called, r.URL.Host+r.URL.Path)
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	body := `{"ok":true,"channel":"C012","ts":"1.000001"}`
	for end, text := range l.answers {
		if strings.HasSuffix(r.URL.Path, end) {
			body = text
		}
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (l *listed) hosts() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, c := range l.called {
		host, _, _ := strings.Cut(c, "/")
		out = append(out, host)
	}
	return strings.Join(out, " ")
}

func TestHosts(t *testing.T) {
	for _, c := range []struct {
		api, url string
		ok       bool
	}{
		{"", "https://slack.com/api/chat.postMessage", true},
		{"", "https://hooks.slack.com/actions/T0/1/x", true},
		{"", "https://files.slack.com:443/upload/v1/x", true},
		{"", "https://wss-primary.slack.com/link", true},
		{"", "https://HOOKS.SLACK-GOV.COM/actions/x", true},
		{"", "http://hooks.slack.com/actions/x", false},
		{"", "https://hooks.slack.com:8443/actions/x", false},
		{"", "https://hooks.slack.com.evil.example/actions/x", false},
		{"", "https://notslack.com/", false},
		{"", "https://evil.example/?slack.com", false},
		{"", "https://slack.com@evil.example/", false},
		{"", "https://169.254.169.254/", false},
		{"http://127.0.0.1:8080/api/", "http://127.0.0.1:8080/upload", true},
		{"http://127.0.0.1:8080/api/", "http://127.0.0.1:8081/upload", false},
		{"http://127.0.0.1:8080/api/", "https://slack.com/api/", false},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		if err := newHosts(c.api, &listed{}).check(u); (err == nil) != c.ok {
			t.Errorf("with %q: %s: %v", c.api, c.url, err)
		}
	}
}

// Where a person is answered comes with what was pressed. One that leads elsewhere is not called; the answer goes by Slack's API.
func TestAnswersLeadToSlack(t *testing.T) {
	for response, want := range map[string]string{
		"https://hooks.slack.com/actions/1": "hooks.slack.com", "https://evil.example/actions/1": "slack.com", "http://169.254.169.254/latest": "slack.com",
	} {
		l := &listed{}
		in := NewInteractions(InteractionsConfig{
			Apps: []App{{Receivers: []string{"page"}, Token: token}}, People: &notebook{}, Transport: l, Now: time.Now, Metrics: metrics.NewSet(), Log: slog.New(slog.DiscardHandler),
		})
		p := &press{app: in.apps[0], user: api.User{ID: "U012"}, channel: "C012", response: response}
		in.tell(t.Context(), p, "done", "for you alone")
		if got := l.hosts(); got != want {
			t.Errorf("%s: called %q, want %q", response, got, want)
		}
	}
}

// Where a chart is uploaded to comes in an answer. One that leads elsewhere is not called; the message goes without it.
func TestUploadsLeadToSlack(t *testing.T) {
	l := &listed{answers: map[string]string{"files.getUploadURLExternal": `{"ok":true,"upload_url":"http://169.254.169.254/upload","file_id":"F1"}`}}
	g := grounding()
	g.Trend = fell()
	b := New(Config{Token: token, Channel: "#llm-alerts", Transport: l, Now: time.Now, Charts: true})
	if _, err := b.Deliver(t.Context(), firing(g)); err != nil {
		t.Fatal(err)
	}
	if got := l.hosts(); got != "slack.com slack.com" || !strings.HasSuffix(l.called[1], "chat.postMessage") {
		t.Errorf("called %q", l.called)
	}
}

// Where a socket is opened comes in an answer.
func TestSocketsLeadToSlack(t *testing.T) {
	for address, dialled := range map[string]string{"wss://wss-primary.slack.com/link": "wss-primary.slack.com:443", "wss://evil.example/link": "", "ws://wss-primary.slack.com/link": ""} {
		var got string
		in := NewInteractions(InteractionsConfig{
			Apps: []App{{Receivers: []string{"page"}, Token: token, AppToken: "xapp-very-secret"}}, People: &notebook{}, Now: time.Now, Metrics: metrics.NewSet(), Log: slog.New(slog.DiscardHandler),
			Transport: &listed{}, Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
				got = addr
				return nil, errors.New("nobody is there")
			},
		})
		s := in.Sockets()[0]
		_, _, err := s.dialer().DialContext(t.Context(), address, nil)
		if got != dialled || (dialled == "") != (outbound.Refused(err) != nil) {
			t.Errorf("%s: dialled %q: %v", address, got, err)
		}
	}
	_, _, err := (&Socket{in: NewInteractions(InteractionsConfig{APIURL: "http://169.254.169.254/api/", Metrics: metrics.NewSet()})}).dialer().DialContext(t.Context(), "ws://169.254.169.254/link", nil)
	if outbound.Refused(err) == nil {
		t.Errorf("a link-local socket: %v", err)
	}
}

// A refused address is for a person to mend, and nothing is lost meanwhile.
func TestRefusedAddress(t *testing.T) {
	g := grounding()
	for name, cfg := range map[string]Config{
		"bot":      {Token: token, Channel: "#llm-alerts", APIURL: "http://169.254.169.254/api/", Now: time.Now},
		"incoming": {WebhookURL: "http://169.254.169.254/services/T000/B000/very-secret-path", Now: time.Now},
	} {
		_, err := New(cfg).Deliver(t.Context(), firing(g))
		if f := failure(t, err); f.Kind != alert.Blocked || f.Trouble != alert.TroubleAddress || !strings.Contains(f.Hint, "outgoing.allow") {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
