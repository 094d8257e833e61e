package receivers

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeslack"
)

// TestSlackTroubles: each thing that people have to mend in Slack is a state of its own, which the ready page tells with what to do and
// the metric tells apart; nothing is lost, and when it is mended nothing is told any more.
func TestSlackTroubles(t *testing.T) {
	refused := func(code string) fakeslack.Fault { return fakeslack.Fault{Error: code} }
	for _, c := range []struct {
		fault    fakeslack.Fault
		times    int
		what, do string
		hooks    bool // incoming webhooks say so too
	}{
		{refused("is_archived"), 3, "archived", "unarchive the channel", false},
		{fakeslack.Fault{Status: 410, Error: "channel_is_archived"}, 3, "archived", "unarchive the channel", true},
		{refused("not_in_channel"), 3, "not_in_channel", "invite the bot to #llm-alerts", false},
		{refused("channel_not_found"), 3, "not_in_channel", "invite the bot to #llm-alerts", false},
		{refused("token_revoked"), 3, "credentials", "install the app anew", false},
		{refused("missing_scope"), 3, "rights", "chat:write", false},
		{fakeslack.Fault{Status: 404, Error: "no_service"}, 3, "address", "make a new incoming webhook", true},
		{refused("msg_too_long"), 4, "message", "shorten labels and annotations", false},
		{fakeslack.Fault{Status: 400, Error: "invalid_blocks"}, 4, "message", "shorten labels and annotations", true},
		{fakeslack.Fault{Status: 429, Error: "ratelimited", RetryAfter: "30"}, 2, "rate_limited", "", false},
		{fakeslack.Fault{Status: 429, Error: "ratelimited", RetryAfter: "30"}, 2, "rate_limited", "", true},
		{fakeslack.Fault{Status: 500, Error: "oops"}, 5, "down", "", false},
		{refused("something_new"), 3, "other", "", false},
	} {
		s := subjects()[0]
		c.fault.Method = "chat.postMessage"
		if c.hooks {
			s, c.fault.Method = subjects()[1], "webhook"
		}
		t.Run(s.name+"/"+c.fault.Error, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, s)
				for range c.times {
					w.peer.(*slackChannel).Fail(c.fault)
				}
				w.step("RuleA", detector.Firing)
				w.run(5 * time.Second)
				if p := w.worker.State().Problem; !strings.Contains(p, c.do) || c.fault.Status == 0 && !strings.Contains(p, c.fault.Error) {
					t.Errorf("the ready page says %q", p)
				}
				if got := w.troubles(); got != c.what {
					t.Errorf("the metric says %q, want %s", got, c.what)
				}
				w.settled(5 * time.Minute)
				if got := w.troubles(); got != "" {
					t.Errorf("afterwards the metric says %q", got)
				}
				w.secrets()
			})
		})
	}
}

// TestSlackPlainWords: a message that Slack takes in plain words alone has been told, and it is said until one is taken as it is.
func TestSlackPlainWords(t *testing.T) {
	for _, s := range subjects()[:2] {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, s)
				fault := fakeslack.Fault{Method: "chat.postMessage", Error: "msg_too_long"}
				if s.name != "slack bot" {
					fault.Method, fault.Status = "webhook", 400
				}
				w.peer.(*slackChannel).Fail(fault)
				w.step("RuleA", detector.Firing)
				w.run(5 * time.Second)
				p := w.worker.State().Problem
				if !w.shown() || !strings.Contains(p, "went out in plain words") || !strings.Contains(p, "msg_too_long (shorten") || w.troubles() != "message" {
					t.Errorf("people see %v, the ready page says %q and the metric %q", w.peer.Shown(time.Now()), p, w.troubles())
				}
				if got := w.worker.State().Outstanding; got != 0 {
					t.Errorf("%d outstanding", got)
				}
				w.step("RuleA", detector.Resolved)
				w.settled(10 * time.Second)
				if got := w.troubles(); got != "" {
					t.Errorf("afterwards the metric says %q", got)
				}
				w.secrets()
			})
		})
	}
}

var troubleMetric = regexp.MustCompile(`driftd_alert_trouble\{receiver="it",what="(\w+)"\} 1\n`)

// troubles are those that the metric tells.
func (w *world) troubles() string {
	var m bytes.Buffer
	w.metrics.WritePrometheus(&m)
	var out []string
	for _, is := range troubleMetric.FindAllStringSubmatch(m.String(), -1) {
		out = append(out, is[1])
	}
	return strings.Join(out, " ")
}
