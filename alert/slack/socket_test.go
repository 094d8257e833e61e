package slack

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/gorilla/websocket"
	api "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeslack"
	"github.com/driftd/driftd/internal/testkit"
)

// told is People that hands on what it is asked for.
type told chan string

func (c told) Acknowledge(_ context.Context, who, id, _ string) error {
	c <- who + " " + id
	return nil
}

func (c told) Silence(_ context.Context, who string, s detector.Silence) (string, error) {
	c <- who + " " + s.Comment
	return "s1", nil
}

func (c told) Decide(context.Context, string, string, bool, string) error { return nil }

// socketWorld is an Interactions that hears by Socket Mode over the loopback address.
func socketWorld(t *testing.T, appToken string) (*fakeslack.Server, *Socket, told) {
	s := fakeslack.New(fakeslack.Config{
		Token: token, Channels: map[string]string{"llm-alerts": "C012"}, AppToken: "xapp-very-secret", Users: map[string]string{"U012": "jane"}, Now: time.Now,
	})
	url, stop, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	asked := make(told, 10)
	g := grounding()
	in := NewInteractions(InteractionsConfig{
		Apps: []App{{Receivers: []string{""}, Token: token, AppToken: appToken}}, People: asked, APIURL: url + "/api/", Now: time.Now, Metrics: metrics.NewSet(), Log: slog.New(slog.DiscardHandler),
		Find: func(string, string) (desk.Alert, alert.Leg, error) {
			return desk.Alert{State: detector.Firing, Labels: alert.Labels(&g), Step: g}, alert.Leg{}, nil
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	sockets := in.Sockets()
	done := make(chan struct{}, 2)
	go func() { _ = in.Run(ctx); done <- struct{}{} }()
	go func() { _ = sockets[0].Run(ctx); done <- struct{}{} }()
	t.Cleanup(func() { cancel(); <-done; <-done; stop() })
	b := New(Config{Token: token, Channel: "#llm-alerts", APIURL: url + "/api/", Now: time.Now, Buttons: true, Transport: http.DefaultTransport})
	if _, err := b.Deliver(t.Context(), firing(g)); err != nil {
		t.Fatal(err)
	}
	return s, sockets[0], asked
}

// A daemon that nobody can reach hears what is pressed, and connects anew when the connection ends, for whatever reason.
func TestSocketMode(t *testing.T) {
	s, socket, asked := socketWorld(t, "xapp-very-secret")
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	ts := s.Messages()[0].TS
	for _, end := range []func(){func() {}, s.Disconnect, func() {
		if err := s.Refresh(); err != nil {
			t.Error(err)
		}
	}} {
		if err := s.Connected(ctx); err != nil {
			t.Fatal(err)
		}
		end()
		if err := s.Connected(ctx); err != nil {
			t.Fatal(err)
		}
		if err := s.Press(ctx, ts, actAcknowledge, "U012"); err != nil {
			t.Fatal(err)
		}
		if got := <-asked; got != "slack:U012 (jane) 9f3c" {
			t.Errorf("asked for %q", got)
		}
	}
	if err := s.Press(ctx, ts, actSilenceDialog, "U012"); err != nil {
		t.Fatal(err)
	}
	if err := s.Opened(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Submit(ctx, "U012", map[string]any{dialogFor: "4h", dialogText: "deploying"}); err != nil {
		t.Fatal(err)
	}
	if got := <-asked; got != "slack:U012 (jane) deploying" {
		t.Errorf("asked for %q", got)
	}
	if p := socket.Problem(); p != "" {
		t.Errorf("problem %q", p)
	}
}

// A token that Slack does not take is said, with what to do, and nothing stops.
func TestSocketToken(t *testing.T) {
	s, socket, _ := socketWorld(t, "xapp-very-secret-wrong")
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	if err := s.Called(ctx, "apps.connections.open invalid_auth"); err != nil {
		t.Fatal(err)
	}
	socket.said(ctx, func(p string) bool { return strings.HasPrefix(p, "invalid_auth") })
	if p := socket.Problem(); p != "invalid_auth (set a valid app_token: an app-level token, xapp-…)" {
		t.Errorf("problem %q", p)
	}
}

// said waits until the problem is such.
func (s *Socket) said(ctx context.Context, is func(string) bool) {
	for t := time.NewTicker(time.Millisecond); !is(s.Problem()); {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// What was not taken since too much waited is not done; when Slack sends it again, it is new.
func TestSocketBusy(t *testing.T) {
	in := NewInteractions(InteractionsConfig{Apps: []App{{Token: token, AppToken: "xapp-very-secret"}}, Now: time.Now, Metrics: metrics.NewSet(), Log: slog.New(slog.DiscardHandler)})
	socket := in.Sockets()[0]
	for range waiting {
		in.jobs <- job{}
	}
	ev := &socketmode.Event{Type: socketmode.EventTypeInteractive, Data: api.InteractionCallback{}, Request: &socketmode.Request{EnvelopeID: "e1"}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody hears the answer
	client := socketmode.New(in.apps[0].api)
	socket.hear(ctx, client, ev)
	if got := in.counter("busy").Get(); got != 1 {
		t.Fatalf("busy counted %d times", got)
	}
	for range waiting {
		<-in.jobs
	}
	socket.hear(ctx, client, ev)
	if len(in.jobs) != 1 || in.counter("replayed").Get() != 0 {
		t.Errorf("%d wait, %d replayed: it was lost", len(in.jobs), in.counter("replayed").Get())
	}
	socket.hear(ctx, client, ev)
	if len(in.jobs) != 1 || in.counter("replayed").Get() != 1 {
		t.Errorf("%d wait, %d replayed: it is done twice", len(in.jobs), in.counter("replayed").Get())
	}
}

// Connections that end as soon as they are open are not opened anew without end.
func TestSocketFlaps(t *testing.T) {
	opens := make(chan struct{}, 1000)
	var srv *httptest.Server
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/link" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"ok":true,"url":"`+strings.Replace(srv.URL, "http", "ws", 1)+`/link"}`)
			return
		}
		select {
		case opens <- struct{}{}:
		default:
		}
		if conn, err := (&websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}).Upgrade(w, r, nil); err == nil {
			conn.Close()
		}
	}))
	defer srv.Close()
	in := NewInteractions(InteractionsConfig{
		Apps: []App{{Token: token, AppToken: "xapp-very-secret"}}, APIURL: srv.URL + "/api/", Now: time.Now, Metrics: metrics.NewSet(), Log: slog.New(slog.DiscardHandler),
	})
	socket := in.Sockets()[0]
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); _ = socket.Run(ctx) }()
	socket.said(ctx, func(p string) bool { return strings.HasPrefix(p, "each connection is closed") })
	if p := socket.Problem(); !strings.HasPrefix(p, "each connection is closed") || len(opens) > 2*briefOnes {
		t.Errorf("problem %q after %d connections", p, len(opens))
	}
	cancel()
	<-done
}
