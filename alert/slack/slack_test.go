package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf16"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeslack"
)

const (
	token   = "xoxb-very-secret-token"
	hookURL = "https://hooks.slack.test/services/T000/B000/very-secret-path"
)

// direct is a transport that calls the handler itself, so that a test needs no network and its clock stands still.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() { defer close(done); d.ServeHTTP(w, r) }()
	select {
	case <-done:
		return w.Result(), nil
	case <-r.Context().Done():
		<-done
		return nil, r.Context().Err()
	}
}

func newFake() *fakeslack.Server {
	return fakeslack.New(fakeslack.Config{
		Token: token, Channels: map[string]string{"llm-alerts": "C012"},
		Webhooks: map[string]string{"/services/T000/B000/very-secret-path": "C012"}, Now: time.Now,
		Users: map[string]string{"U012": "jane", "U013": "bob"}, Groups: map[string][]string{"S0ML": {"U012"}},
	})
}

func newBot(s *fakeslack.Server, change ...func(*Config)) alert.Receiver {
	cfg := Config{Token: token, Channel: "#llm-alerts", TraceURL: traceURL, APIURL: "https://slack.test/api/", Transport: direct{s}, Now: time.Now, Buttons: true, Charts: true}
	for _, f := range change {
		f(&cfg)
	}
	return New(cfg)
}

func newIncoming(s *fakeslack.Server) alert.Receiver {
	return New(Config{WebhookURL: hookURL, TraceURL: traceURL, Transport: direct{s}, Now: time.Now})
}

func failure(t *testing.T, err error) *alert.Failure {
	t.Helper()
	f, ok := errors.AsType[*alert.Failure](err)
	if !ok {
		t.Fatalf("error %v is no Failure", err)
	}
	for _, secret := range []string{token, "very-secret-path", "very-secret"} {
		if strings.Contains(f.Error()+f.Hint, secret) {
			t.Errorf("the error shows a secret: %v", f)
		}
	}
	return f
}

func TestBotUpdatesInPlace(t *testing.T) {
	s := newFake()
	b := newBot(s)
	cases := renderCases()
	ref := ""
	for _, name := range []string{"one", "under way", "promoted", "resolved", "recovered"} {
		n := *cases[name]
		n.Ref = ref
		var err error
		if ref, err = b.Deliver(t.Context(), &n); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if ms := s.Messages(); len(ms) != 1 || ref != "C012:"+ms[0].TS || ms[0].Text != Render(&n, view).Text {
			t.Fatalf("%s: ref %s, messages %v", name, ref, ms)
		}
	}
	// A person deleted it: it is posted anew.
	old := ref
	s.Delete(strings.TrimPrefix(ref, "C012:"))
	n := *cases["one"]
	n.Ref = ref
	ref, err := b.Deliver(t.Context(), &n)
	if err != nil || ref == old || len(s.Messages()) != 1 {
		t.Errorf("after deletion: ref %s, %v, %d messages", ref, err, len(s.Messages()))
	}
	calls := s.Calls()
	want := []string{"chat.postMessage ok", "chat.update ok", "chat.update ok", "chat.update ok", "chat.update ok", "chat.update message_not_found", "chat.postMessage ok"}
	if !slices.Equal(calls, want) {
		t.Errorf("calls %q", calls)
	}
}

// Every message that we render is one that Slack takes, by either way.
func TestAllCasesAreTaken(t *testing.T) { synctest.Test(t, testAllCasesAreTaken) }

func testAllCasesAreTaken(t *testing.T) {
	s := newFake()
	bot, hook := newBot(s), newIncoming(s)
	for name, n := range renderCases() {
		if _, err := bot.Deliver(t.Context(), n); err != nil {
			t.Errorf("%s by token: %v", name, err)
		}
		if ref, err := hook.Deliver(t.Context(), n); err != nil || ref != "" {
			t.Errorf("%s by webhook: %q %v", name, ref, err)
		}
	}
	for _, c := range s.Calls() {
		if !strings.HasSuffix(c, " ok") {
			t.Errorf("call %s", c)
		}
	}
	for _, m := range s.Messages() {
		if len(m.Blocks) == 0 {
			t.Errorf("a message went without blocks: %s", m.Text)
		}
	}
}

func TestBotFailures(t *testing.T) {
	one := renderCases()["one"]
	f := func(fault fakeslack.Fault, kind alert.FailureKind, reason string, after time.Duration) {
		t.Helper()
		s := newFake()
		s.Fail(fault, fault)
		_, err := newBot(s).Deliver(t.Context(), one)
		if got := failure(t, err); got.Kind != kind || got.Reason != reason || got.After != after {
			t.Errorf("%+v gives %+v", fault, got)
		}
	}
	f(fakeslack.Fault{Status: 429, Error: "ratelimited", RetryAfter: "30"}, alert.Unavailable, "ratelimited", 30*time.Second)
	f(fakeslack.Fault{Status: 429, Error: "ratelimited"}, alert.Unavailable, "Slack answered 429", 0)
	f(fakeslack.Fault{Status: 500, Error: "<html>"}, alert.Unavailable, "Slack answered 500", 0)
	f(fakeslack.Fault{Error: "internal_error"}, alert.Unavailable, "internal_error", 0)
	f(fakeslack.Fault{Error: "fatal_error"}, alert.Unavailable, "fatal_error", 0)
	f(fakeslack.Fault{Error: "rate_limited"}, alert.Unavailable, "rate_limited", 0)
	f(fakeslack.Fault{Error: "token_revoked"}, alert.Blocked, "token_revoked", 0)
	f(fakeslack.Fault{Error: "not_in_channel"}, alert.Blocked, "not_in_channel", 0)
	f(fakeslack.Fault{Error: "is_archived"}, alert.Blocked, "is_archived", 0)
	f(fakeslack.Fault{Error: "something new"}, alert.Blocked, "something new", 0)
	f(fakeslack.Fault{Error: "msg_too_long"}, alert.Unsendable, "msg_too_long", 0)

	// What a person has to mend, and how.
	for code, hint := range map[string]string{
		"token_revoked": "install the app anew", "invalid_auth": "set token", "missing_scope": "chat:write", "is_archived": "unarchive the channel",
		"not_in_channel": "invite the bot to #llm-alerts", "channel_not_found": "invite the bot to #llm-alerts", "restricted_action": "an admin",
	} {
		s := newFake()
		s.Fail(fakeslack.Fault{Error: code})
		_, err := newBot(s).Deliver(t.Context(), one)
		if got := failure(t, err); got.Kind != alert.Blocked || !strings.Contains(got.Hint, hint) {
			t.Errorf("%s: %+v", code, got)
		}
	}

	s := newFake()
	_, err := newBot(s, func(c *Config) { c.Channel = "#nowhere" }).Deliver(t.Context(), one)
	if got := failure(t, err); got.Reason != "channel_not_found" || got.Hint != "invite the bot to #nowhere" {
		t.Errorf("unknown channel: %+v", got)
	}
	_, err = newBot(s, func(c *Config) { c.Token = "xoxb-very-secret-wrong" }).Deliver(t.Context(), one)
	if got := failure(t, err); got.Reason != "invalid_auth" || got.Kind != alert.Blocked {
		t.Errorf("wrong token: %+v", got)
	}
}

// A message whose blocks are refused is sent as text.
func TestTextInsteadOfBlocks(t *testing.T) {
	for _, fault := range []fakeslack.Fault{{Error: "invalid_blocks"}, {Error: "msg_too_long"}} {
		s := newFake()
		s.Fail(fault)
		if ref, err := newBot(s).Deliver(t.Context(), renderCases()["one"]); err != nil || ref == "" {
			t.Fatal(err)
		}
		if ms := s.Messages(); len(ms) != 1 || len(ms[0].Blocks) != 0 || !strings.Contains(ms[0].Text, "citation_grounding 0.78") {
			t.Errorf("%v: messages %+v", fault, ms)
		}
	}
	s := newFake()
	s.Fail(fakeslack.Fault{Status: 400, Error: "invalid_blocks"})
	if _, err := newIncoming(s).Deliver(t.Context(), renderCases()["one"]); err != nil {
		t.Fatal(err)
	}
}

func TestIncomingFailures(t *testing.T) {
	one := renderCases()["one"]
	f := func(fault fakeslack.Fault, kind alert.FailureKind, reason string, after time.Duration) {
		t.Helper()
		s := newFake()
		s.Fail(fault, fault)
		_, err := newIncoming(s).Deliver(t.Context(), one)
		if got := failure(t, err); got.Kind != kind || got.Reason != reason || got.After != after {
			t.Errorf("%+v gives %+v", fault, got)
		}
	}
	f(fakeslack.Fault{Status: 429, RetryAfter: "3"}, alert.Unavailable, "Slack answered 429", 3*time.Second)
	f(fakeslack.Fault{Status: 503}, alert.Unavailable, "Slack answered 503", 0)
	f(fakeslack.Fault{Status: 404, Error: "no_service"}, alert.Blocked, "Slack answered 404 no_service", 0)
	f(fakeslack.Fault{Status: 410, Error: "channel_is_archived"}, alert.Blocked, "Slack answered 410 channel_is_archived", 0)
	f(fakeslack.Fault{Status: 302, Error: "moved"}, alert.Blocked, "Slack answered 302 moved", 0)
	f(fakeslack.Fault{Status: 403, Error: "no hook at " + hookURL}, alert.Blocked, "Slack answered 403 no hook at ***", 0)

	_, err := New(Config{WebhookURL: "://very-secret", Now: time.Now}).Deliver(t.Context(), one)
	failure(t, err)
	_, err = New(Config{WebhookURL: hookURL, Now: time.Now, Transport: broken{}}).Deliver(t.Context(), one)
	if got := failure(t, err); got.Kind != alert.Unavailable {
		t.Errorf("no connection: %+v", got)
	}
	_, err = New(Config{Token: token, Channel: "C1", Now: time.Now, Transport: broken{}}).Deliver(t.Context(), one)
	if got := failure(t, err); got.Kind != alert.Unavailable {
		t.Errorf("no connection: %+v", got)
	}
}

// broken fails as a proxy might that repeats what it was sent.
type broken struct{}

func (broken) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	return nil, fmt.Errorf("cannot reach %s with %s %v", r.URL, body, r.Header)
}

// A Slack that hangs costs the time-out and no more.
func TestHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		s.Fail(fakeslack.Fault{Hang: make(chan struct{})})
		begin := time.Now()
		_, err := newBot(s).Deliver(t.Context(), renderCases()["one"])
		if got := failure(t, err); got.Kind != alert.Unavailable || time.Since(begin) != 10*time.Second {
			t.Errorf("%+v after %v", got, time.Since(begin))
		}
	})
}

func FuzzRender(f *testing.F) {
	f.Add("p", "v", "m", "tier", "s", "reason", "abc", "https://x.example/?q=<a|b>&c", "threshold", "v22 stood", 0.5, 0.7)
	f.Add("<!channel>", "*", "_", "`", "&lt;", "not_current: <@U1>", "..|", "javascript:x", "drift", "<!here>", -1e300, 1e-300)
	for _, kind := range []string{"canary", "exceed", "shape", "change", "traffic_share"} {
		f.Add("p", "v", "latency", "t", "s", "r", "ab", "", kind, "*_`~", 0.1, 4.0)
	}
	plainly := func(c *Config) { c.Charts = false }
	f.Fuzz(func(t *testing.T, prompt, version, metric, tier, summary, reason, trace, runbook, kind, fact string, value, bound float64) {
		r := grounding()
		r.Prompt, r.Version, r.Metric, r.Previous, r.Rule = prompt, version, metric, version, prompt
		r.Cohort, r.Value, r.Bound = map[string]string{tier: tier}, &value, &bound
		r.Annotations = map[string]string{"summary": summary, "runbook_url": runbook}
		r.Exemplars = []string{trace}
		r.Kind, r.Cause, r.Because, r.FalseAlarms = kind, detector.Cause(fact), []string{fact, summary}, fact
		r.Interval, r.Above, r.Against = []float64{bound, value}, &bound, &detector.Against{Kind: kind, Version: fact}
		r.Changed = []detector.Changed{{Axis: metric, From: fact, To: version, Time: t0}}
		act := alert.Action(&r, detector.RollbackRefused, t0)
		act.Reason = reason
		r.Trend = &detector.Trend{From: t0, Every: fact, Values: []*float64{&value, nil, &bound}, Previous: []*float64{&bound, &value}}
		r.Target = &detector.Target{Version: fact, Calls: int64(len(fact)), Value: &value, Samples: 7}
		r.ExplainedBy = []detector.Explained{{Cohort: map[string]string{tier: fact}, Share: value}}
		r.Reason = reason
		other := r
		other.ID, other.Prompt, other.Version, other.Rule = "2", fact, summary, metric
		actor := func(typ detector.RecordType) *detector.Record {
			a := alert.Action(&r, typ, t0)
			a.Actor, a.Reason, a.Guard, a.Force = prompt, reason, metric, fact
			a.Silence = &detector.Silence{Starts: t0, Ends: t0.Add(time.Hour), Comment: fact}
			return &a
		}
		n := &alert.Notification{Firing: []alert.Member{member(r), member(other)}, Rollback: &act, StandIn: fact,
			Acknowledged: actor(detector.Acknowledged), Silenced: actor(detector.Silenced), Introduced: actor(detector.RegistryPromoted), Observed: actor(detector.Observed),
			Attempt: &alert.Attempt{Step: *actor(detector.RollbackRequested), State: alert.RollbackState(version), Last: act, Decided: actor(detector.RollbackApproved)}}
		n.Observed.Share, n.Observed.Target = &value, r.Target
		n.Leg.Approvers = []string{"U012", "S0ML"}
		for _, state := range []alert.RollbackState{alert.RollbackWaiting, alert.RollbackWatching, alert.RollbackRefused, alert.RollbackRejected, alert.RollbackFailed, alert.RollbackIneffective} {
			if len(prompt)%6 == len(state)%6 {
				n.Attempt.State = state
			}
		}
		for _, typ := range []detector.RecordType{detector.Firing, detector.Resolved, detector.Acknowledged, detector.Silenced, detector.RollbackRequested, detector.RollbackReminded,
			detector.RollbackRejected, detector.RollbackRefused, detector.RollbackPromoted, detector.RollbackFailed, detector.Ineffective, detector.RegistryPromoted} {
			n.News = append(n.News, *actor(typ))
		}
		if re := replyTo(n, false); strings.Count(re.text, "\n") != len(n.News)-1 || len(utf16.Encode([]rune(re.text))) > maxSection {
			t.Fatalf("%d lines of %d, %d characters", strings.Count(re.text, "\n")+1, len(n.News), len(utf16.Encode([]rune(re.text))))
		}
		n.News = n.News[:0]
		s := newFake()
		if _, err := newBot(s, plainly).Deliver(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		ms := s.Messages()
		if len(ms[0].Blocks) == 0 {
			b, _ := json.Marshal(Render(n, view).Blocks)
			t.Fatalf("refused: %s %s", s.Calls(), b)
		}
		m, err := Decode(ms[0].Text, ms[0].Blocks)
		if err != nil {
			t.Fatal(err)
		}
		DrawText(m, 30)
		n.Resolved, n.Firing = n.Firing, nil
		if _, err := newBot(newFake(), plainly).Deliver(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzEscape(f *testing.F) {
	f.Add("a_b *c* <d> &amp; `e` ~f~ _g_")
	f.Fuzz(func(t *testing.T, s string) {
		e := escape(s)
		if strings.ContainsAny(e, "<>*~`\n\r") {
			t.Errorf("%q becomes %q", s, e)
		}
		if got, want := unescape(e), clean(s); len([]rune(got)) != len([]rune(want)) {
			t.Errorf("%q is shown as %q", want, got)
		}
	})
}
