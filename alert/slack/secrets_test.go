package slack

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"
	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/detector"
)

// leaky is a Slack, or something in between, that answers each call with all that it was told. It keeps what people are told.
type leaky struct {
	answer func(said string) (*http.Response, error)
	texts  []string
}

func (l *leaky) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	if text := form.Get("text"); text != "" {
		l.texts = append(l.texts, text)
	} else if strings.Contains(string(body), `"text"`) {
		l.texts = append(l.texts, strings.ReplaceAll(string(body), token, "")) // which it may carry
	}
	return l.answer(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") + " " + form.Get("token"))
}

func says(code int, kind, body string) (*http.Response, error) {
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// However Slack's answers to what was pressed fail, and whatever they repeat, no token is logged, counted, shown or told to people.
func TestSecretsOfButtons(t *testing.T) {
	const appToken = "xapp-very-secret"
	ways := map[string]func(said string) (*http.Response, error){
		"no answer": func(s string) (*http.Response, error) { return nil, errors.New("proxy refuses " + s) },
		"an error": func(s string) (*http.Response, error) {
			return says(200, "application/json", `{"ok":false,"error":"no `+s+`","needed":"`+s+`","response_metadata":{"messages":["`+s+`"]}}`)
		},
		"a scope": func(s string) (*http.Response, error) {
			return says(200, "application/json", `{"ok":false,"error":"missing_scope","needed":"`+s+`"}`)
		},
		"a page":     func(s string) (*http.Response, error) { return says(200, "text/html", "<p>"+s) },
		"a fault":    func(s string) (*http.Response, error) { return says(500, "text/plain", s) },
		"a redirect": func(s string) (*http.Response, error) { return says(302, "text/plain", s) },
	}
	for name, answer := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var logs strings.Builder
				l, set, g := &leaky{answer: answer}, metrics.NewSet(), grounding()
				in := NewInteractions(InteractionsConfig{
					Apps: []App{{Receivers: []string{"page"}, Token: token, AppToken: appToken}}, People: &notebook{}, APIURL: "https://slack.test/api/", Transport: l,
					Now: time.Now, Metrics: set, Log: slog.New(slog.NewTextHandler(&logs, nil)),
					Find: func(string, string) (desk.Alert, alert.Leg, error) {
						return desk.Alert{ID: g.ID, State: detector.Firing, Labels: alert.Labels(&g), Step: g}, alert.Leg{Approvers: []string{"S0ML"}}, nil
					},
				})
				for _, action := range []string{actApprove, actSilenceDialog, actReject} {
					in.handle(t.Context(), in.apps[0], &api.InteractionCallback{
						Type: api.InteractionTypeBlockActions, User: api.User{ID: "U012", Name: "jane"}, Channel: api.Channel{GroupConversation: api.GroupConversation{Conversation: api.Conversation{ID: "C012"}}},
						ResponseURL: "https://slack.test/response/1", TriggerID: "1",
						ActionCallback: api.ActionCallbacks{BlockActions: []*api.BlockAction{{ActionID: action, Value: "page/" + g.ID + "-2"}}},
					})
				}
				socket := in.Sockets()[0]
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				_ = socket.Run(ctx)
				set.WritePrometheus(&logs)
				shown := logs.String() + socket.Problem() + strings.Join(l.texts, "\n")
				if strings.Contains(shown, "very-secret") {
					t.Errorf("%s", shown)
				}
				if len(l.texts) == 0 || socket.Problem() == "" {
					t.Errorf("nothing was tried: %q, %q", l.texts, socket.Problem())
				}
			})
		})
	}
}
