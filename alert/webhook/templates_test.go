package webhook_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/webhook"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/conform/receivers"
	"github.com/driftd/driftd/internal/signature"
)

func firing() *alert.Notification {
	at := time.Date(2026, 11, 20, 14, 41, 0, 0, time.UTC)
	value, bound := 0.78, 0.85
	r := detector.Record{
		ID: "9f3c", Step: 3, Type: detector.Firing, Time: at, Group: "support", Rule: "GroundingBelowFloor", Prompt: "support_intent_classifier", Version: "v23",
		Metric: "citation_grounding", Kind: "threshold", Value: &value, Bound: &bound, Samples: 412, Exemplars: []string{"5b8e"},
		Labels: map[string]string{"severity": "page", "team": "support-ml"}, Annotations: map[string]string{"runbook_url": "https://runbooks.test/g"},
	}
	return &alert.Notification{Key: alert.Key{Rule: r.Rule, Prompt: r.Prompt, Version: r.Version}, Firing: []alert.Member{{Record: r, Since: at}}}
}

func over(n *alert.Notification) {
	n.Firing, n.Resolved = nil, n.Firing
	n.Resolved[0].Record.Type = detector.Resolved
	n.Resolved[0].Record.Time = n.Resolved[0].Since.Add(12 * time.Minute)
}

func deliver(t *testing.T, r alert.Receiver, n *alert.Notification) {
	t.Helper()
	ref, err := r.Deliver(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	n.Ref = ref
}

func TestOnCall(t *testing.T) {
	peer := receivers.NewOnCall("/integrations/v1/formatted_webhook/abc/")
	r := webhook.New(webhook.Config{
		URL: "https://oncall.test" + peer.Path, Template: webhook.GrafanaOnCall, PublicURL: "https://driftd.test", TraceURL: "https://traces.test/{trace_id}",
		Transport: &receivers.Wire{Peer: peer}, Now: time.Now,
	})
	n := firing()
	deliver(t, r, n)
	got := peer.Alerts()[n.Ref]
	want := receivers.OnCallAlert{
		AlertUID: n.Ref, Title: "GroundingBelowFloor · support_intent_classifier v23: citation_grounding 0.78, below 0.85 for all traffic", State: "alerting",
		Link: "https://driftd.test/api/v1/alerts/9f3c",
		Message: "citation_grounding 0.78, below 0.85; 412 scores, since 14:41 UTC\nTrace: https://traces.test/5b8e\n" +
			"Runbook: https://runbooks.test/g",
	}
	if got != want {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	uid := n.Ref
	n.Rollback = &detector.Record{Type: detector.Ineffective, Version: "v23", Previous: "v22", Reason: "v22 has 0.77"}
	deliver(t, r, n)
	deliver(t, r, n)
	if told := peer.Told("GroundingBelowFloor"); !slices.Equal(told, []string{"firing", "resolved", "firing", "firing"}) {
		t.Errorf("a rollback has not helped, which pages once: told %v", told)
	}
	over(n)
	deliver(t, r, n)
	if all := peer.Alerts(); n.Ref != uid || len(all) != 1 || all[n.Ref].State != "ok" || !strings.HasPrefix(all[n.Ref].Title, "Resolved: ") {
		t.Errorf("%+v", all)
	}
}

func TestOpsgenie(t *testing.T) {
	for _, url := range []string{"https://api.opsgenie.test", "https://api.opsgenie.test/", "https://api.opsgenie.test/v2/alerts"} {
		peer := receivers.NewOpsgenie("key")
		r := webhook.New(webhook.Config{
			URL: url, Template: webhook.Opsgenie, Token: "key", PublicURL: "https://driftd.test", TraceURL: "https://traces.test/{trace_id}",
			Transport: &receivers.Wire{Peer: peer}, Now: time.Now,
		})
		n := firing()
		f := func(what, state string, opened, notes int) receivers.OpsgenieAlert {
			t.Helper()
			deliver(t, r, n)
			a := peer.Alerts()[strings.Fields(n.Ref)[0]]
			if len(peer.Alerts()) != 1 || a.State != state || a.Opened != opened || len(a.Notes) != notes {
				t.Errorf("%s: %s, opened %d times, notes %q", what, a.State, a.Opened, a.Notes)
			}
			return a
		}
		c := f("begins", "firing", 1, 0).Created
		if c.Priority != "P1" || c.Entity != "support_intent_classifier" || strings.Join(c.Tags, " ") != "severity:page team:support-ml" ||
			c.Details["value"] != "0.78" || c.Details["version"] != "v23" || !strings.Contains(c.Description, "Runbook: https://runbooks.test/g") {
			t.Errorf("%+v", c)
		}
		n.Rollback = &detector.Record{Type: detector.RollbackPromoted, Previous: "v22", Version: "v23", Time: n.Firing[0].Since}
		if a := f("rolled back", "firing", 1, 1); !strings.Contains(a.Notes[0], "v22 promoted in place of v23 at 14:41 UTC") {
			t.Errorf("notes %q", a.Notes)
		}
		n.Repeat = true
		f("again", "firing", 1, 1)
		n.Repeat = false
		n.Acknowledged = &detector.Record{Actor: "slack:U1 (jane)", Reason: "on it", Time: n.Firing[0].Since}
		if a := f("acknowledged", "acknowledged", 1, 2); a.Notes[1] != "on it" {
			t.Errorf("notes %q", a.Notes)
		}
		n.Acknowledged = nil
		f("worse", "firing", 2, 0)
		over(n)
		f("over", "resolved", 2, 1)
		if p := peer.Problems(); len(p) > 0 {
			t.Error(p)
		}
	}
}

// A message that is sent again is known by its id.
func TestRepetition(t *testing.T) {
	key, err := signature.ParseKey("hush-hush")
	if err != nil {
		t.Fatal(err)
	}
	program := receivers.NewProgram(key)
	wire := &receivers.Wire{Peer: program}
	n := firing()
	deliver(t, webhook.New(webhook.Config{URL: "https://hook.test", Key: key, Transport: wire, Now: time.Now}), n)
	if told := program.Told("GroundingBelowFloor"); len(told) != 1 || len(program.Problems()) > 0 {
		t.Errorf("%v %v", told, program.Problems())
	}
	deliver(t, webhook.New(webhook.Config{URL: "https://hook.test", Key: key, Transport: wire, Now: time.Now}), n)
	if told := program.Told("GroundingBelowFloor"); len(told) != 1 {
		t.Errorf("the same message was told %d times", len(told))
	}
	for i := range 3 { // but a dead man's switch is heard each time
		at := time.Now().Add(time.Duration(i) * time.Minute)
		n.Firing[0].Record.ID, n.Firing[0].Record.Step, n.Firing[0].Record.Time, n.Firing[0].Record.Rule = alert.WatchdogID, 1, at, "Watchdog"
		deliver(t, webhook.New(webhook.Config{URL: "https://hook.test", Key: key, Transport: wire, Now: time.Now}), n)
	}
	if told := program.Told("Watchdog"); len(told) != 3 {
		t.Errorf("the watchdog was heard %d times", len(told))
	}
}
