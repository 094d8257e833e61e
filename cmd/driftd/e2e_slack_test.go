package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/testkit"
)

// TestSlackButtons is an alert as people in Slack live through it: the message has buttons, what they press is heard over HTTP,
// written down and shown, a person who may approves the rollback, and the thread tells each step.
func TestSlackButtons(t *testing.T) {
	w, s := newStoryWorld(t, testkit.Broker(t))
	w.file("rules.yaml", strings.Replace(s.rules(), "rollback: auto", "rollback: approve", 1))
	w.slackKeys, w.routeKeys = `, signing_secret: "${SLACK_SIGNING_SECRET}"`, ", approvers: [S0ML]"
	w.makeSources()
	d := w.start()
	w.slack.Interact("http://"+d.web.Addr()+"/slack/interactions", http.DefaultClient)
	w.publish(s.msgs[:s.until(rolledBackAt)])

	shows := func(what string) {
		t.Helper()
		w.until("Slack's message shows "+what, func() bool {
			m := w.messages(badRule)
			return len(m) == 1 && strings.Contains(string(m[0].Blocks), what)
		})
	}
	press := func(action, user string) {
		t.Helper()
		w.until("the desk is ready for "+action, d.desk.Board().Ready)
		if err := w.slack.Press(t.Context(), w.messages(badRule)[0].TS, action, user); err != nil {
			t.Fatal(err)
		}
	}
	shows("waits for approval")
	shows("driftd_acknowledge")
	press("driftd_acknowledge", "U013")
	shows("acknowledged by @bob")

	press("driftd_approve", "U013")
	w.until("bob is told that he may not", func() bool {
		e := w.slack.Ephemerals()
		return len(e) == 1 && e[0].User == "U013" && strings.Contains(e[0].Text, "<!subteam^S0ML> may decide on a rollback here")
	})
	press("driftd_silence_until_resolved", "U012")
	shows("silenced until it resolves")
	press("driftd_approve", "U012")
	w.until("the registry has promoted", func() bool { return w.registry.Current(storyPrompt) == "v17" })
	shows("approved by @jane")

	w.publish(s.msgs[s.until(rolledBackAt):])
	w.untilStep(badRule, detector.Resolved)
	shows("Ended by: the rollback to v17")
	thread := ""
	for _, want := range []string{"acknowledged by @bob", "approved by @jane", "v17 promoted in place of v18", "resolved"} {
		w.until("the thread says "+want, func() bool { // it is behind the message
			thread = ""
			for _, r := range w.slack.Replies(w.messages(badRule)[0].TS) {
				thread += r.Text + "\n"
			}
			return strings.Contains(thread, want)
		})
	}
	for _, r := range w.alerts(func(r *detector.Record) bool { return r.Type == detector.RollbackApproved }) {
		if r.Actor != "slack:U012 (jane)" {
			t.Errorf("approved by %q", r.Actor)
		}
	}
	if n := d.counter("driftd_slack_interactions_total"); n != 4 {
		t.Errorf("%v interactions are counted", n)
	}
	if t.Failed() || testing.Verbose() {
		t.Log(thread)
	}
}

// TestSlackSocket is a daemon that nobody can reach: it hears the buttons by a connection that it opens itself.
func TestSlackSocket(t *testing.T) {
	w, s := newStoryWorld(t, testkit.Broker(t))
	w.slackKeys = `, app_token: "${SLACK_APP_TOKEN}"`
	w.makeSources()
	d := w.start()
	w.publish(s.msgs[:s.until(rolledBackAt)])
	w.until("Slack is told", func() bool { return len(w.messages(badRule)) == 1 })
	if err := w.slack.Connected(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.until("the desk is ready", d.desk.Board().Ready)
	if err := w.slack.Press(t.Context(), w.messages(badRule)[0].TS, "driftd_acknowledge", "U012"); err != nil {
		t.Fatal(err)
	}
	w.until("Slack's message shows who has taken it on", func() bool {
		return strings.Contains(string(w.messages(badRule)[0].Blocks), "acknowledged by @jane")
	})
	w.until("the socket is well", func() bool { return d.sockets[0].Problem() == "" })
	w.until("it is ready, and says how the socket is", func() bool {
		ok, body := d.ready()
		return ok && strings.Contains(body, `"slack buttons"`)
	})
	resp, err := http.Post("http://"+d.web.Addr()+"/slack/interactions", "application/x-www-form-urlencoded", strings.NewReader("payload={}"))
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode == http.StatusOK {
		t.Error("interactions are taken over HTTP though there is no signing secret")
	}
}
