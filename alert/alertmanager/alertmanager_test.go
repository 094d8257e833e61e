package alertmanager_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/alertmanager"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/conform/receivers"
)

// cluster is Alertmanagers by host.
type cluster map[string]*receivers.Wire

func (c cluster) RoundTrip(r *http.Request) (*http.Response, error) {
	return c[r.URL.Host].RoundTrip(r)
}

func receiver(c cluster, log *bytes.Buffer, change func(*alertmanager.Config)) *alertmanager.Receiver {
	cfg := alertmanager.Config{
		Name: "am", URLs: []string{"http://am1:9093/", "http://am2:9093"}, PublicURL: "https://driftd.test", TraceURL: "https://traces.test/{trace_id}",
		Transport: c, Now: time.Now, Metrics: metrics.NewSet(), Log: slog.New(slog.NewTextHandler(log, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	return alertmanager.New(cfg)
}

func two() (cluster, *receivers.Alertmanager, *receivers.Alertmanager) {
	a, b := receivers.NewAlertmanager(), receivers.NewAlertmanager()
	return cluster{"am1:9093": {Peer: a}, "am2:9093": {Peer: b}}, a, b
}

func record(typ detector.RecordType, at time.Time) detector.Record {
	value := 0.78
	return detector.Record{
		ID: "9f3c", Step: 3, Type: typ, Time: at, Group: "support", Rule: "GroundingRegressed", Prompt: "support_intent_classifier",
		Version: "v23", Cohort: map[string]string{"tier": "enterprise", "locale": "de"}, Metric: "citation_grounding", Kind: "drift",
		Value: &value, Samples: 412, Cause: detector.CausePromptVersion, Because: []string{"v23 began at 14:22", "v22 has not moved"},
		Exemplars: []string{"5b8e"}, Labels: map[string]string{"severity": "page", "team": "support-ml"},
		Annotations: map[string]string{"summary": "grounding is down", "runbook_url": "https://runbooks.test/g", "empty": ""},
	}
}

func firing(r detector.Record, since time.Time) *alert.Notification {
	return &alert.Notification{Firing: []alert.Member{{Record: r, Since: since}}}
}

func deliver(t *testing.T, r *alertmanager.Receiver, n *alert.Notification) {
	t.Helper()
	if ref, err := r.Deliver(t.Context(), n); err != nil || ref != "" {
		t.Fatal(ref, err)
	}
}

func TestAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a, b := two()
		r := receiver(c, &bytes.Buffer{}, nil)
		began := time.Now()
		time.Sleep(time.Hour)
		deliver(t, r, firing(record(detector.Firing, time.Now()), began))
		if len(a.Alerts()) != 1 || len(b.Alerts()) != 1 {
			t.Fatalf("%v and %v", a.Alerts(), b.Alerts())
		}
		got := a.Alerts()[0]
		labels := map[string]string{
			"alertname": "GroundingRegressed", "severity": "page", "team": "support-ml", "group": "support", "prompt": "support_intent_classifier",
			"version": "v23", "tier": "enterprise", "locale": "de", "metric": "citation_grounding", "kind": "drift",
		}
		if !maps.Equal(got.Labels, labels) {
			t.Errorf("labels %v", got.Labels)
		}
		annotations := map[string]string{
			"summary": "grounding is down", "runbook_url": "https://runbooks.test/g", "value": "0.78", "samples": "412", "cause": "prompt version",
			"because": "v23 began at 14:22; v22 has not moved", "trace_1": "https://traces.test/5b8e",
		}
		if !maps.Equal(got.Annotations, annotations) {
			t.Errorf("annotations %v", got.Annotations)
		}
		if !got.StartsAt.Equal(began) || time.Until(got.EndsAt) != 5*time.Minute || got.GeneratorURL != "https://driftd.test/api/v1/alerts/9f3c" {
			t.Errorf("%+v", got)
		}

		time.Sleep(time.Minute) // a worse value is the same alert, and its end moves on
		worse := record(detector.Firing, time.Now())
		*worse.Value, worse.Step, worse.Cause = 0.5, 4, detector.CauseUnclear
		n := firing(worse, began)
		proposed := alert.Action(&worse, detector.RollbackProposed, time.Now())
		proposed.Rollback, proposed.Previous, proposed.Reason = "approve", "v22", "Proposed: promote v22 in place of v23; a person decides"
		n.Firing[0].Attempt = &alert.Attempt{Step: worse}
		n.Firing[0].Attempt.Fold(&proposed)
		deliver(t, r, n)
		if all := a.Alerts(); len(all) != 1 || time.Until(all[0].EndsAt) != 5*time.Minute || all[0].Annotations["value"] != "0.5" ||
			all[0].Annotations["rollback"] != proposed.Reason+". To decide: driftd approve 9f3c-4, or driftd reject 9f3c-4 --reason …" {
			t.Errorf("%+v", all)
		}

		time.Sleep(time.Minute)
		ended := time.Now().Add(-20 * time.Second) // in event time
		deliver(t, r, &alert.Notification{Resolved: []alert.Member{{Record: record(detector.Resolved, ended), Since: began}}})
		if all := a.Alerts(); len(all) != 1 || !all[0].EndsAt.Equal(ended) || !all[0].StartsAt.Equal(began) {
			t.Errorf("%+v", all)
		}
	})
}

// A rollback that has not helped is an alert of its own, so that people are told anew: beside the alert whose it is, in whatever call
// that comes, until it is over.
func TestIneffective(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a, _ := two()
		r := receiver(c, &bytes.Buffer{}, nil)
		began := time.Now()
		time.Sleep(time.Hour)
		fires, other := record(detector.Firing, began), record(detector.Firing, began)
		other.ID, other.Rule = "0af7", "SlowTail"
		attempt := &alert.Attempt{Step: fires}
		n := firing(other, began)
		n.Firing = append(n.Firing, alert.Member{Record: fires, Since: began, Attempt: attempt})
		for _, typ := range []detector.RecordType{detector.RollbackProposed, detector.RollbackPromoting, detector.RollbackPromoted, detector.Ineffective} {
			if deliver(t, r, n); len(a.Alerts()) != 2 {
				t.Fatalf("%s: %+v", attempt.State, a.Alerts())
			}
			did := alert.Action(&fires, typ, time.Now())
			did.Previous, did.Rollback, did.Reason = "v22", "auto", "v22 has 0.77"
			attempt.Fold(&did)
		}
		failed := time.Now()
		deliver(t, r, n)
		shown := func() map[string]string {
			out := a.Shown(time.Now())
			return map[string]string{"SlowTail": out["SlowTail"], "GroundingRegressed": out["GroundingRegressed"], "RollbackIneffective": out["RollbackIneffective"]}
		}
		if got := shown(); !maps.Equal(got, map[string]string{"SlowTail": "firing", "GroundingRegressed": "firing", "RollbackIneffective": "firing"}) {
			t.Errorf("%v", got)
		}
		for _, p := range a.Alerts() {
			switch p.Labels["alertname"] {
			case "RollbackIneffective":
				if p.Labels["rule"] != "GroundingRegressed" || p.Labels["severity"] != "page" || p.Labels["version"] != "v23" || !p.StartsAt.Equal(failed) ||
					!strings.Contains(p.Annotations["summary"], "v22 was promoted in place of v23, and it did not help: v22 has 0.77") {
					t.Errorf("%+v", p)
				}
			case "SlowTail":
				if p.Annotations["rollback"] != "" {
					t.Errorf("the rollback of another alert: %+v", p)
				}
			}
		}
		time.Sleep(time.Minute)
		over := record(detector.Resolved, time.Now())
		deliver(t, r, &alert.Notification{Resolved: []alert.Member{{Record: over, Since: began, Attempt: attempt}}})
		if got := shown(); !maps.Equal(got, map[string]string{"SlowTail": "firing", "GroundingRegressed": "resolved", "RollbackIneffective": "resolved"}) {
			t.Errorf("%v", got)
		}
		if p := a.Problems(); len(p) > 0 {
			t.Error(p)
		}
	})
}

// Event time may be ahead of the clock, and the rule may have no time at all to fire in.
func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a, _ := two()
		r := receiver(c, &bytes.Buffer{}, nil)
		ahead := time.Now().Add(4 * time.Minute)
		deliver(t, r, &alert.Notification{Resolved: []alert.Member{{Record: record(detector.Resolved, ahead), Since: ahead}}})
		if got := a.Shown(time.Now())["GroundingRegressed"]; got != "resolved" {
			t.Errorf("one that ended ahead of the clock is %s", got)
		}
		deliver(t, r, firing(record(detector.Firing, ahead), time.Now().Add(time.Hour)))
		if got := a.Shown(time.Now())["GroundingRegressed"]; got != "firing" {
			t.Errorf("one that began ahead of the clock is %s", got)
		}
		if p := a.Problems(); len(p) > 0 {
			t.Error(p)
		}
	})
}

// Labels say which alert it is: no two may have the same.
func TestIdentity(t *testing.T) {
	c, a, _ := two()
	r := receiver(c, &bytes.Buffer{}, func(cfg *alertmanager.Config) { cfg.PublicURL = "" })
	now := time.Now()
	total, nobody, hostile := record(detector.Firing, now), record(detector.Firing, now), record(detector.Firing, now)
	total.Cohort = nil
	nobody.Cohort = map[string]string{"tier": "", "locale": ""}
	hostile.Cohort = map[string]string{"tier": "a\"b\n\xff", "9 lives!": "x"}
	hostile.Labels = map[string]string{"alertname": "Mine", "prompt": "the rule's own"}
	hostile.Annotations = map[string]string{"runbook_url": "javascript:alert(1)"}
	for _, rec := range []detector.Record{total, nobody, hostile} {
		deliver(t, r, firing(rec, now))
	}
	if all := a.Alerts(); len(all) != 3 {
		t.Fatalf("%d alerts", len(all))
	}
	for _, p := range a.Alerts() {
		if p.Labels["_9_lives_"] == "" {
			if p.GeneratorURL != "https://runbooks.test/g" {
				t.Errorf("generatorURL %q", p.GeneratorURL)
			}
			continue
		}
		if p.Labels["alertname"] != "GroundingRegressed" || p.Labels["prompt"] != "the rule's own" || p.GeneratorURL != "" {
			t.Errorf("%+v", p)
		}
	}
}

func TestSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c, a, b := two()
		r := receiver(c, &log, nil)
		n := firing(record(detector.Firing, time.Now()), time.Now())
		bad := c["am2:9093"]
		bad.Break(&receivers.Fault{Hang: true})
		began := time.Now()
		for range 30 {
			deliver(t, r, n)
		}
		if len(a.Told("GroundingRegressed")) != 30 {
			t.Errorf("the one that works was told %d times", len(a.Told("GroundingRegressed")))
		}
		if d := time.Since(began); d > 11*time.Second {
			t.Errorf("thirty alerts waited %v for one that hangs", d)
		}
		if what, text := r.Complaint(); what != alert.TroublePart || text != "the Alertmanager am2:9093 did not take the last alert, others did: no answer" {
			t.Errorf("people are told %s: %q", what, text)
		}
		time.Sleep(time.Minute)
		bad.Break(nil)
		deliver(t, r, n)
		if what, text := r.Complaint(); what != "" || text != "" {
			t.Errorf("people are told %s: %q", what, text)
		}
		if len(b.Told("GroundingRegressed")) != 1 {
			t.Errorf("the one that is back was told %d times", len(b.Told("GroundingRegressed")))
		}
		for _, says := range []string{"one of the alertmanagers does not take alerts", "takes alerts again", "am2:9093"} {
			if strings.Count(log.String(), says) == 0 || strings.Count(log.String(), "does not take") != 1 {
				t.Errorf("the log lacks %q, or says it twice:\n%s", says, &log)
			}
		}
		if len(a.Problems())+len(b.Problems()) > 0 {
			t.Error(a.Problems(), b.Problems())
		}
	})
}

func TestAnswers(t *testing.T) {
	c, _, _ := two()
	f := func(one, other *receivers.Fault, kind alert.FailureKind, after time.Duration, reason string) {
		t.Helper()
		r := receiver(c, &bytes.Buffer{}, func(cfg *alertmanager.Config) { cfg.Token = "very-secret" })
		c["am1:9093"].Break(one)
		c["am2:9093"].Break(other)
		_, err := r.Deliver(t.Context(), firing(record(detector.Firing, time.Now()), time.Now()))
		got, ok := errors.AsType[*alert.Failure](err)
		if !ok || got.Kind != kind || got.After != after || got.Reason != reason {
			t.Errorf("gives %+v", err)
		}
		if s := fmt.Sprint(err); strings.Contains(s, "very-secret") {
			t.Error(s)
		}
	}
	f(&receivers.Fault{}, &receivers.Fault{}, alert.Unavailable, 0, "no answer")
	f(&receivers.Fault{Status: 400}, &receivers.Fault{Status: 400}, alert.Refused, 0, "answered 400")
	f(&receivers.Fault{Status: 400}, &receivers.Fault{Status: 503, RetryAfter: "9"}, alert.Unavailable, 9*time.Second, "answered 503")
	f(&receivers.Fault{Status: 401}, &receivers.Fault{Status: 400}, alert.Blocked, 0, "answered 401")
	f(&receivers.Fault{Status: 404}, &receivers.Fault{Status: 404}, alert.Blocked, 0, "answered 404")
}
