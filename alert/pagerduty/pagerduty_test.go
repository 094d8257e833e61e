package pagerduty_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/pagerduty"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/conform/receivers"
)

const key = "0123456789abcdef0123456789abcdef"

// answering answers in place of a server, with what was sent in the text.
type answering func(r *http.Request) (status int, header http.Header, body string)

func (f answering) RoundTrip(r *http.Request) (*http.Response, error) {
	status, header, body := f(r)
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func receiver(rt http.RoundTripper) *pagerduty.Receiver {
	return pagerduty.New(pagerduty.Config{
		RoutingKey: key, URL: "https://events.pagerduty.com/v2/enqueue", PublicURL: "https://driftd.test/", TraceURL: "https://traces.test/{trace_id}",
		Transport: rt, Now: time.Now,
	})
}

func notification() *alert.Notification {
	at := time.Date(2026, 11, 20, 14, 41, 0, 0, time.UTC)
	value, bound, reference := 0.78, 0.86, 0.91
	r := detector.Record{
		ID: "9f3c", Step: 3, Type: detector.Firing, Time: at, Group: "support", Rule: "GroundingRegressed", Prompt: "support_intent_classifier",
		Version: "v23", Cohort: map[string]string{"tier": "enterprise", "locale": "de"}, Metric: "citation_grounding", Kind: "drift",
		Value: &value, Bound: &bound, Reference: &reference, Interval: []float64{0.75, 0.81}, Samples: 412, Previous: "v22",
		Against: &detector.Against{Kind: "previous_version", Version: "v22"}, Cause: detector.CausePromptVersion,
		Because: []string{"v23 began at 14:22, after v22"}, Exemplars: []string{"5b8efff798038103d269b633813fc60c", "../../admin"},
		Labels: map[string]string{"severity": "ticket"}, Annotations: map[string]string{"runbook_url": "https://runbooks.test/g"},
	}
	return &alert.Notification{
		Key: alert.Key{Group: r.Group, Rule: r.Rule, Prompt: r.Prompt, Version: r.Version}, Firing: []alert.Member{{Record: r, Since: at}},
	}
}

func TestIncident(t *testing.T) {
	peer := receivers.NewPagerDuty(key)
	r := receiver(&receivers.Wire{Peer: peer})
	n := notification()
	f := func(what, state string, pages int) {
		t.Helper()
		ref, err := r.Deliver(t.Context(), n)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		n.Ref = ref
		all := peer.Incidents()
		if len(all) != 1 {
			t.Fatalf("%s: %d incidents", what, len(all))
		}
		for _, i := range all {
			if i.State != state || i.Pages != pages {
				t.Errorf("%s: %s, %d pages; want %s, %d", what, i.State, i.Pages, state, pages)
			}
		}
	}
	f("begins", "firing", 1)
	n.Acknowledged = &detector.Record{Actor: "jane", Time: n.Firing[0].Record.Time.Add(time.Minute)}
	f("acknowledged", "acknowledged", 1)
	n.Repeat = true
	f("again", "acknowledged", 1)
	n.Acknowledged, n.Repeat = nil, false
	f("worse", "firing", 2)
	n.Rollback = &detector.Record{Type: detector.Ineffective, Previous: "v22", Version: "v23", Time: n.Firing[0].Record.Time.Add(time.Hour)}
	f("rolled back in vain", "firing", 3)
	n.Firing, n.Resolved = nil, n.Firing
	f("over", "resolved", 3)
	if p := peer.Problems(); len(p) > 0 {
		t.Error(p)
	}
}

func TestEvent(t *testing.T) {
	var sent []byte
	r := receiver(answering(func(r *http.Request) (int, http.Header, string) {
		sent, _ = io.ReadAll(r.Body)
		return 202, nil, "{}"
	}))
	n := notification()
	if _, err := r.Deliver(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	var e receivers.PagerDutyEvent
	if err := json.Unmarshal(sent, &e); err != nil {
		t.Fatal(err)
	}
	p := e.Payload
	if e.EventAction != "trigger" || p.Severity != "warning" || p.Source != "support_intent_classifier" || p.Component != "v23" || p.Group != "support" ||
		p.Class != "GroundingRegressed" || !p.Timestamp.Equal(n.Firing[0].Record.Time) || e.ClientURL != "https://driftd.test/" {
		t.Errorf("%s", sent)
	}
	if want := "GroundingRegressed · support_intent_classifier v23: citation_grounding 0.78 (0.75–0.81) for enterprise × de; likely cause prompt version"; p.Summary != want {
		t.Errorf("summary %q", p.Summary)
	}
	var links []string
	for _, l := range e.Links {
		links = append(links, l.Href)
	}
	if got, want := fmt.Sprint(links), "[https://driftd.test/api/v1/alerts/9f3c https://runbooks.test/g https://traces.test/5b8efff798038103d269b633813fc60c]"; got != want {
		t.Errorf("links %s", got)
	}
	d := p.CustomDetails
	if d["value"] != "0.78" || d["compared"] != "was 0.91 (v22)" || d["cause"] != "prompt version" || d["samples"] != 412.0 ||
		fmt.Sprint(d["cohorts"]) != "map[enterprise × de:0.78]" || !strings.Contains(fmt.Sprint(d["text"]), "- v23 began at 14:22, after v22") {
		t.Errorf("details %v", d)
	}
}

func TestAnswers(t *testing.T) {
	f := func(status int, header http.Header, body string, kind alert.FailureKind, after time.Duration) {
		t.Helper()
		r := receiver(answering(func(*http.Request) (int, http.Header, string) { return status, header, body + key }))
		_, err := r.Deliver(t.Context(), notification())
		got, ok := errors.AsType[*alert.Failure](err)
		if !ok || got.Kind != kind || got.After != after {
			t.Errorf("%d %s gives %+v", status, body, err)
			return
		}
		if strings.Contains(got.Error(), key) {
			t.Errorf("the error shows the key: %v", got)
		}
		if got.Kind == alert.Blocked && got.Hint == "" {
			t.Errorf("%d %s gives no hint", status, body)
		}
	}
	f(400, nil, `{"status":"invalid event","errors":["'payload.severity' is invalid"]}`, alert.Refused, 0)
	f(400, nil, `{"status":"invalid event","errors":["Length of 'routing_key' is incorrect (should be 32 characters)"]}`, alert.Blocked, 0)
	f(400, nil, `{"status":"invalid event","errors":["Invalid routing key"]}`, alert.Blocked, 0)
	f(403, nil, "", alert.Blocked, 0)
	f(404, nil, "", alert.Blocked, 0)
	f(413, nil, "", alert.Refused, 0)
	f(429, nil, "", alert.Unavailable, time.Minute)
	f(429, http.Header{"Retry-After": {"7"}}, "", alert.Unavailable, 7*time.Second)
	f(500, nil, "", alert.Unavailable, 0)
}
