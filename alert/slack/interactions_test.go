package slack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeslack"
)

const interactURL = "https://driftd.test/slack/interactions"

// notebook is People that writes down what it is asked for.
type notebook struct {
	mu    sync.Mutex
	lines []string
	err   error
}

func (n *notebook) write(format string, args ...any) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
	return n.err
}

func (n *notebook) read() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := strings.Join(n.lines, "\n")
	n.lines = nil
	return s
}

func (n *notebook) Acknowledge(_ context.Context, who, id, comment string) error {
	return n.write("%s acknowledges %s%s", who, id, comment)
}

func (n *notebook) Silence(_ context.Context, who string, s detector.Silence) (string, error) {
	var ms []string
	for _, m := range s.Matchers {
		ms = append(ms, m.Label+m.Op+m.Value)
	}
	d := "resolved"
	if !s.UntilResolved {
		d = time.Until(s.Ends).Round(time.Minute).String()
	}
	return "s1", n.write("%s silences %s until %s: %s", who, strings.Join(ms, " "), d, s.Comment)
}

func (n *notebook) Decide(_ context.Context, who, id string, approve bool, reason string) error {
	return n.write("%s decides %s %v %s", who, id, approve, reason)
}

// desktop is an Interactions with a Slack that has one message with all buttons.
type desktop struct {
	*testing.T
	slack  *fakeslack.Server
	in     *Interactions
	people *notebook
	alert  desk.Alert
	leg    alert.Leg
	ts     string
}

func newDesktop(t *testing.T, change ...func(*fakeslack.Config)) *desktop {
	cfg := fakeslack.Config{
		Token: token, Channels: map[string]string{"llm-alerts": "C012"}, SigningSecret: "very-secret-signing", Now: time.Now,
		Users: map[string]string{"U012": "jane", "U013": "bob"}, Groups: map[string][]string{"S0ML": {"U012"}},
	}
	for _, f := range change {
		f(&cfg)
	}
	d := &desktop{T: t, slack: fakeslack.New(cfg), people: &notebook{}}
	g := grounding()
	d.alert = desk.Alert{ID: g.ID, State: detector.Firing, Labels: alert.Labels(&g), Step: g}
	d.in = NewInteractions(InteractionsConfig{
		Apps: []App{{Receivers: []string{"page"}, Token: token, SigningSecret: cfg.SigningSecret, AppToken: cfg.AppToken}}, People: d.people, APIURL: "https://slack.test/api/", Transport: direct{d.slack}, Now: time.Now,
		Find: func(receiver, id string) (desk.Alert, alert.Leg, error) {
			if receiver != "page" || id != g.ID {
				return desk.Alert{}, alert.Leg{}, desk.ErrNotFound
			}
			return d.alert, d.leg, nil
		},
		Metrics: metrics.NewSet(), Log: slog.New(slog.DiscardHandler),
	})
	d.slack.Interact(interactURL, &http.Client{Transport: direct{d.in}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = d.in.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })

	n := rolling(firing(g), act(detector.RollbackProposed, 0, mode("approve", "")))
	if _, err := newBot(d.slack, func(c *Config) { c.Name = "page" }).Deliver(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	d.ts = d.slack.Messages()[0].TS
	return d
}

// press returns what was asked for, and what the person was told.
func (d *desktop) press(action, user string) (asked, told string) {
	d.Helper()
	before := len(d.slack.Ephemerals())
	if err := d.slack.Press(d.Context(), d.ts, action, user); err != nil {
		d.Fatalf("%s: %v", action, err)
	}
	synctest.Wait()
	for _, e := range d.slack.Ephemerals()[before:] {
		if e.User != user {
			d.Errorf("%s is told what %s pressed", e.User, user)
		}
		told += e.Text
	}
	return d.people.read(), told
}

func (d *desktop) want(action, user, asked, told string) {
	d.Helper()
	if a, s := d.press(action, user); a != asked || !strings.Contains(s, told) || (told == "") != (s == "") {
		d.Errorf("%s by %s: asked for %q, want %q; told %q, want %q", action, user, a, asked, s, told)
	}
}

func TestButtons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesktop(t)
		d.leg = alert.Leg{GroupBy: []string{"alert", "prompt"}, Approvers: []string{"U012"}}
		d.want(actAcknowledge, "U013", "slack:U013 (bob) acknowledges 9f3c", "")
		d.want(actSilenceHour, "U013", "slack:U013 (bob) silences alert=GroundingBelowFloor prompt=support_intent_classifier until 1h0m0s: by a button in Slack", "")
		d.want(actSilenceResolved, "U012", "slack:U012 (jane) silences alert=GroundingBelowFloor prompt=support_intent_classifier until resolved: by a button in Slack", "")
		d.want(actApprove, "U012", "slack:U012 (jane) decides 9f3c-2 true ", "")
		d.want(actReject, "U012", "slack:U012 (jane) decides 9f3c-2 false by a button in Slack", "")
	})
}

func TestWhoMayPress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesktop(t)
		d.want(actApprove, "U012", "", "Nobody may decide on rollbacks in Slack here")
		d.leg = alert.Leg{Approvers: []string{"S0ML"}, Responders: []string{"U013"}}
		d.want(actApprove, "U013", "", "Sorry, that is for others: <!subteam^S0ML> may decide on a rollback here.")
		d.want(actApprove, "U012", "slack:U012 (jane) decides 9f3c-2 true ", "")
		d.want(actAcknowledge, "U012", "", "<@U013> may acknowledge or silence it here.")
		d.want(actSilenceDialog, "U012", "", "<@U013> may acknowledge or silence it here.")
		asked := func() (n int) {
			for _, c := range d.slack.Calls() {
				if strings.HasPrefix(c, "usergroups.users.list") {
					n++
				}
			}
			return n
		}
		if asked() != 1 {
			t.Errorf("the group was asked for %d times", asked())
		}
		time.Sleep(groupsFor) // synctest's clock
		d.press(actApprove, "U012")
		if asked() != 2 {
			t.Errorf("after five minutes the group was asked for %d times", asked())
		}
	})
}

// A bot that may not read user groups says which scope it needs, to who is not named.
func TestGroupsCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesktop(t, func(c *fakeslack.Config) { c.Scopes = []string{"chat:write"} })
		d.leg = alert.Leg{Approvers: []string{"S0ML", "U013"}}
		d.want(actApprove, "U012", "", "give the bot the scope usergroups:read")
		d.want(actApprove, "U013", "slack:U013 (bob) decides 9f3c-2 true ", "")
	})
}

// A button of a message that has been overtaken says by whom.
func TestStaleButtons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesktop(t)
		d.leg.Approvers = []string{"U012"}
		now := time.Now()
		d.people.err = &desk.DoneError{What: "approved", By: jane, At: now}
		_, told := d.press(actReject, "U012")
		if want := "Already approved by @jane at " + now.UTC().Format("15:04") + " UTC."; told != want {
			t.Errorf("told %q, want %q", told, want)
		}
		d.people.err = &desk.InvalidError{Problem: "the alert does not fire: it resolved at 14:59 UTC"}
		_, told = d.press(actAcknowledge, "U012")
		if told != "The alert does not fire: it resolved at 14:59 UTC." {
			t.Errorf("told %q", told)
		}
		d.people.err = errors.New("broker is gone, with very-secret things")
		_, told = d.press(actAcknowledge, "U012")
		if told != "driftd could not write that down. Please press once more." {
			t.Errorf("told %q", told)
		}
		d.people.err = nil
		d.alert.State, d.alert.Since = detector.Resolved, now
		d.want(actSilenceHour, "U012", "", "there is nothing to silence")
		d.alert.State, d.alert.Silenced = detector.Firing, "s1"
		d.want(actSilenceDialog, "U012", "", "silenced already")
		d.alert.ID = ""
		d.in.cfg.Find = func(string, string) (desk.Alert, alert.Leg, error) {
			return desk.Alert{}, alert.Leg{}, desk.ErrNotFound
		}
		d.want(actAcknowledge, "U012", "", "knows nothing of this alert")
		d.in.cfg.Find = func(string, string) (desk.Alert, alert.Leg, error) { return desk.Alert{}, alert.Leg{}, ErrStarting }
		d.want(actAcknowledge, "U012", "", "press again in a moment")
	})
}

func TestDialog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesktop(t)
		d.leg.GroupBy = []string{"prompt"}
		d.want(actSilenceDialog, "U013", "", "")
		vs := d.slack.Views()
		if len(vs) != 1 || !strings.Contains(string(vs[0].Blocks), "prompt = support_intent_classifier") {
			t.Fatalf("views %+v", vs)
		}
		submit := func(values map[string]any) string {
			if problems, err := d.slack.Submit(t.Context(), "U013", values); err != nil || len(problems) > 0 {
				t.Fatal(problems, err)
			}
			synctest.Wait()
			return d.people.read()
		}
		if got := submit(map[string]any{dialogFor: "4h", dialogText: "deploying <!channel>"}); got != "slack:U013 (bob) silences prompt=support_intent_classifier until 4h0m0s: deploying <!channel>" {
			t.Errorf("asked for %q", got)
		}
		if got := submit(map[string]any{dialogFor: "resolved", dialogText: "x"}); !strings.Contains(got, "until resolved: x") {
			t.Errorf("asked for %q", got)
		}
		// It was open while the routes changed.
		d.leg.Responders = []string{"U012"}
		if got := submit(map[string]any{dialogFor: "4h", dialogText: "x"}); got != "" {
			t.Errorf("asked for %q by someone who may not", got)
		}
		if es := d.slack.Ephemerals(); len(es) != 1 || !strings.Contains(es[0].Text, "Sorry") {
			t.Errorf("told %+v", es)
		}
	})
}

// Only what Slack has signed is taken, once, and not later than five minutes.
func TestSignatures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesktop(t)
		send := func(r *http.Request, err error) int {
			if err != nil {
				t.Fatal(err)
			}
			resp, err := direct{d.in}.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode
		}
		signed := func() *http.Request {
			r, err := d.slack.Pressed(t.Context(), interactURL, d.ts, actAcknowledge, "U012")
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		f := func(name string, want int, change func(r *http.Request)) {
			t.Helper()
			r := signed()
			change(r)
			if got := send(r, nil); got != want {
				t.Errorf("%s: answered %d, want %d", name, got, want)
			}
		}
		f("as it is", 200, func(*http.Request) {})
		f("no signature", 401, func(r *http.Request) { r.Header.Del("X-Slack-Signature") })
		f("another signature", 401, func(r *http.Request) { r.Header.Set("X-Slack-Signature", "v0="+strings.Repeat("ab", 32)) })
		f("another time", 401, func(r *http.Request) { r.Header.Set("X-Slack-Request-Timestamp", "1") })
		f("another body", 401, func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("payload={}")) })
		f("too large", 413, func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", maxBody+1))) })

		r := signed()
		body, _ := io.ReadAll(r.Body)
		again := func() *http.Request {
			c := r.Clone(t.Context())
			c.Body = io.NopCloser(strings.NewReader(string(body)))
			return c
		}
		late := again()
		other := again() // the same signature in other digits
		other.Header.Set("X-Slack-Signature", "v0="+strings.ToUpper(strings.TrimPrefix(r.Header.Get("X-Slack-Signature"), "v0=")))
		if got := []int{send(again(), nil), send(again(), nil), send(other, nil)}; !slices.Equal(got, []int{200, 409, 409}) {
			t.Errorf("a replay is answered %v", got)
		}
		time.Sleep(5*time.Minute + time.Second) // synctest's clock
		if got := send(late, nil); got != 401 {
			t.Errorf("after five minutes: %d", got)
		}
		synctest.Wait()
		if got := d.people.read(); strings.Count(got, "acknowledges") != 2 {
			t.Errorf("asked for %q", got)
		}
		for result, want := range map[string]uint64{"forged": 5, "replayed": 2, "done": 2} {
			if got := d.in.counter(result).Get(); got != want {
				t.Errorf("%s counted %d times, want %d", result, got, want)
			}
		}
	})
}

// What one app has signed counts for the receivers of that app alone: its secret is not the other's.
func TestAppsAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesktop(t)
		d.leg.Approvers = []string{"U012"}
		d.in.apps[0].Receivers = []string{"other"}
		d.want(actApprove, "U012", "", "knows nothing of this alert")
		d.want(actSilenceHour, "U012", "", "knows nothing of this alert")
		second := *d.in.apps[0]
		second.SigningSecret, second.Receivers = "another-secret", []string{"page"}
		d.in.apps = append(d.in.apps, &second)
		d.want(actApprove, "U012", "", "knows nothing of this alert")
		// It is in two workspaces, with one secret.
		second.SigningSecret = d.in.apps[0].SigningSecret
		d.want(actApprove, "U012", "slack:U012 (jane) decides "+d.alert.ID+"-2 true ", "")
	})
}

// It answers at once, however long the alerts topic takes; what waits is bounded.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesktop(t)
		open := make(chan struct{})
		d.in.cfg.Find = func(string, string) (desk.Alert, alert.Leg, error) { <-open; return d.alert, d.leg, nil }
		failed := 0
		refused, err := d.slack.Pressed(t.Context(), interactURL, d.ts, actAcknowledge, "U012")
		if err != nil {
			t.Fatal(err)
		}
		for range waiting + workers + 3 {
			if err := d.slack.Press(t.Context(), d.ts, actAcknowledge, "U012"); err != nil {
				failed++
			}
			synctest.Wait()
		}
		send := func() int {
			r := refused.Clone(t.Context())
			r.Body, _ = refused.GetBody()
			resp, err := direct{d.in}.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode
		}
		busy := send()
		close(open)
		synctest.Wait()
		if failed != 3 || strings.Count(d.people.read(), "acknowledges") != waiting+workers {
			t.Errorf("%d were refused", failed)
		}
		again := send() // what was refused was not done, and so is new
		synctest.Wait()
		if got := d.people.read(); busy != 503 || again != 200 || strings.Count(got, "acknowledges") != 1 {
			t.Errorf("answered %d, again %d: asked for %q", busy, again, got)
		}
	})
}

// What comes while driftd stops is done, or refused so that it comes again; never is it answered and left.
func TestPressedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesktop(t)
		in := NewInteractions(d.in.cfg)
		d.slack.Interact(interactURL, &http.Client{Transport: direct{in}})
		if err := d.slack.Press(t.Context(), d.ts, actAcknowledge, "U012"); err != nil { // before anybody looks
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = in.Run(ctx)
		if got := d.people.read(); !strings.Contains(got, "acknowledges") {
			t.Errorf("what waited was not done: %q", got)
		}
		if err := d.slack.Press(t.Context(), d.ts, actAcknowledge, "U012"); err == nil {
			t.Error("it was answered, and nobody is there to do it")
		}
	})
}

func TestSeenIsBounded(t *testing.T) {
	s := newSeen()
	now := time.Unix(0, 0)
	for i := range maxSeen {
		if !s.first(fmt.Sprint(i), now) {
			t.Fatalf("%d was never seen", i)
		}
	}
	if s.first("one more", now) {
		t.Error("it takes more than it can remember")
	}
	if later := now.Add(rememberFor + time.Second); !s.first("one more", later) || len(s.mu.at) != 1 {
		t.Errorf("what is old is not forgotten: %d", len(s.mu.at))
	}
}

func FuzzParse(f *testing.F) {
	f.Add("payload=%7B%22type%22%3A%22block_actions%22%2C%22actions%22%3A%5B%7B%22type%22%3A%22button%22%2C%22action_id%22%3A%22driftd_approve%22%2C%22value%22%3A%22a%2Fb%22%7D%5D%7D")
	f.Add("payload={\"type\":\"view_submission\",\"view\":{\"callback_id\":\"driftd_silence\",\"private_metadata\":\"{}\",\"state\":{\"values\":{}}}}")
	people := &notebook{}
	in := NewInteractions(InteractionsConfig{
		Apps: []App{{Receivers: []string{"", "a", "page"}, Token: token}}, People: people, APIURL: "https://slack.test/api/", Transport: broken{}, Now: time.Now, Metrics: metrics.NewSet(), Log: slog.New(slog.DiscardHandler),
		Find: func(string, string) (desk.Alert, alert.Leg, error) { return desk.Alert{}, alert.Leg{}, nil },
	})
	f.Fuzz(func(t *testing.T, body string) {
		call, err := parse([]byte(body))
		if err != nil {
			return
		}
		in.handle(t.Context(), in.apps[0], call)
		if got := people.read(); strings.Contains(got, "decides") {
			t.Errorf("nobody may decide, and yet: %s", got)
		}
	})
}
