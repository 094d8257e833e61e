package phrase

import (
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

func at(clock string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", "2026-11-20 "+clock)
	if err != nil {
		panic(err)
	}
	return t
}

func ptr(v float64) *float64 { return &v }

func drift() detector.Record {
	return detector.Record{
		ID: "9f3c", Step: 3, Type: detector.Firing, Time: at("14:41"), Group: "support", Rule: "GroundingRegressed",
		Prompt: "support_intent_classifier", Version: "v23", Cohort: map[string]string{"tier": "enterprise", "locale": "de"},
		Metric: "citation_grounding", Kind: "drift", Value: ptr(0.78), Reference: ptr(0.91), Bound: ptr(0.86), Interval: []float64{0.75, 0.81},
		Samples: 412, Against: &detector.Against{Kind: "previous_version", Version: "v22"}, Previous: "v22",
		Cause: detector.CausePromptVersion, Because: []string{"v23 began at 14:22, after v22"},
		Annotations: map[string]string{"summary": "grounding is down"},
	}
}

func TestSummary(t *testing.T) {
	f := func(want string, change func(n *alert.Notification)) {
		t.Helper()
		n := &alert.Notification{Firing: []alert.Member{{Record: drift(), Since: at("14:30")}}}
		change(n)
		if got := Summary(n); got != want {
			t.Errorf("summary\n%s\nwant\n%s", got, want)
		}
	}
	title := "GroundingRegressed · support_intent_classifier v23"
	f(title+": citation_grounding 0.78 (0.75–0.81) for enterprise × de; likely cause prompt version", func(*alert.Notification) {})
	f(title+": citation_grounding 0.78 (0.75–0.81) for enterprise × de and 1 more; likely cause prompt version", func(n *alert.Notification) {
		n.Firing = append(n.Firing, alert.Member{Record: drift(), Since: at("14:30")})
	})
	f("Resolved: "+title+", lasted 42m", func(n *alert.Notification) {
		n.Firing[0].Record.Time, n.Firing[0].Record.Type = at("15:12"), detector.Resolved
		n.Firing, n.Resolved = nil, n.Firing
	})
	f(title+": citation_grounding has no data in the last 1h for all traffic", func(n *alert.Notification) {
		r := &n.Firing[0].Record
		r.Value, r.Cohort, r.Cause, r.Window = nil, nil, detector.CauseUnclear, "1h"
	})
	f(title+": model of v23 changed: a → b at 14:20 UTC", func(n *alert.Notification) {
		r := &n.Firing[0].Record
		r.Kind, r.Metric, r.Cause, r.Changed = "change", "model", "", []detector.Changed{{Axis: "model", From: "a", To: "b", Time: at("14:20")}}
	})
}

func TestDetails(t *testing.T) {
	n := &alert.Notification{Firing: []alert.Member{{Record: drift(), Since: at("14:30")}}}
	got := strings.Join(Details(n), "\n")
	want := `citation_grounding 0.78 (0.75–0.81), was 0.91 (v22); 412 scores, since 14:30 UTC
Likely cause: prompt version
- v23 began at 14:22, after v22
grounding is down`
	if got != want {
		t.Errorf("details\n%s\nwant\n%s", got, want)
	}
	r := alert.Action(&n.Firing[0].Record, detector.Ineffective, at("15:50"))
	r.Reason = "0.79 after an hour"
	n.Rollback = &r
	if got := Rollback(n); got != "v22 was promoted in place of v23, and it did not help: 0.79 after an hour" {
		t.Errorf("rollback %q", got)
	}
	proposed := alert.Action(&n.Firing[0].Record, detector.RollbackProposed, at("14:42"))
	proposed.Rollback, proposed.Reason = "approve", "v22 has 0.91"
	n.Attempt = &alert.Attempt{Step: n.Firing[0].Record}
	n.Attempt.Fold(&proposed)
	n.Rollback, n.StandIn = &proposed, "ml-oncall"
	n.Introduced = &detector.Record{Version: "v23", Actor: "jane", Time: at("14:20")}
	for reason, want := range map[string]string{
		"Proposed: promote v22 in place of v23; a person decides": "Proposed: promote v22 in place of v23; a person decides",
		"Dry run: would promote v22 in place of v23":              "Dry run: would promote v22 in place of v23",
		"promote v22 in place of v23? It has waited for 1h":       "Rollback to v22 proposed: promote v22 in place of v23? It has waited for 1h",
	} {
		p := proposed
		p.Reason = reason
		if got := Rollback(&alert.Notification{Firing: n.Firing, Rollback: &p}); got != want {
			t.Errorf("rollback %q", got)
		}
	}
	got = strings.Join(Details(n)[3:7], "\n")
	want = `v23 was promoted by jane at 14:20 UTC
Rollback to v22 proposed: v22 has 0.91
To decide: driftd approve 9f3c-3, or driftd reject 9f3c-3 --reason …
Told in place of ml-oncall, which cannot be told at the moment`
	if got != want {
		t.Errorf("details\n%s\nwant\n%s", got, want)
	}
}

func TestTextFromOutside(t *testing.T) {
	if got := Clean("a\u202e\n\x00b\xff c"); got != "a b c" {
		t.Errorf("clean %q", got)
	}
	if got := Brief(strings.Repeat("ü", 200)); len([]rune(got)) > 80 || !strings.HasSuffix(got, "…") {
		t.Errorf("brief %q", got)
	}
	for id, want := range map[string]string{"5b8e": "https://t.test/5b8e", "": "", "../x": "", strings.Repeat("a", 65): ""} {
		if got := Trace("https://t.test/{trace_id}", id); got != want {
			t.Errorf("trace %q is %q", id, got)
		}
	}
}

func TestLink(t *testing.T) {
	for public, want := range map[string]string{
		"": "", "https://driftd.test": "https://driftd.test/api/v1/alerts/9f3c", "https://driftd.test/under/": "https://driftd.test/under/api/v1/alerts/9f3c", "driftd": "",
	} {
		if got := Link(public, "9f3c"); got != want {
			t.Errorf("at %q it is %q", public, got)
		}
	}
}

// TestVisible: nothing hides, and what differs goes on to differ.
func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"de": "de", "de\u200b": `de\u200b`, "a\x1b[2Jb\nc\x00": `a\u001b[2Jb\u000ac\u0000`, "user\u202egnp": `user\u202egnp`, "a\xffb": "a\ufffdb", "👩\u200d🚀 ä": "👩\u200d🚀 ä",
	} {
		if got := Visible(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := Lines("a\nb\r\x1b"); got != "a\nb"+`\u000d\u001b` {
		t.Errorf("%q", got)
	}
}
