package alert

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/detector"
)

var t0 = time.Date(2026, 11, 20, 14, 41, 0, 0, time.UTC)

// rec makes a step of the alert id, whose first letter is the prompt: "a1" and "a2" are two cohorts of prompt a.
func rec(id string, step int, typ detector.RecordType, value float64) detector.Record {
	bound := 0.85
	return detector.Record{ID: id, Step: step, Type: typ, Time: t0.Add(time.Duration(step) * time.Minute), Group: "g", Rule: "R",
		Prompt: id[:1], Version: "v2", Cohort: map[string]string{"tier": id[1:]}, Metric: "m", Kind: "threshold", Value: &value, Bound: &bound, Samples: 100}
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got  %s\n want %s", what, strings.Join(got, "\n      "), strings.Join(want, "\n      "))
	}
}

func TestOutboxTellsGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemLog(2), &fakeReceiver{}
		_, stop := m.run(t, newTestOutbox(r))
		defer stop()
		step := func(part int, what string, rs []detector.Record, want ...string) {
			t.Helper()
			m.add(t, part, rs...)
			time.Sleep(2 * time.Second)
			expect(t, what, r.take(), want...)
		}
		step(0, "pending", []detector.Record{rec("a1", 1, detector.Pending, 0.8)})
		step(0, "pending went away", []detector.Record{rec("a1", 2, detector.Resolved, 0.9)})
		step(0, "two cohorts and another prompt fire",
			[]detector.Record{rec("a1", 3, detector.Pending, 0.8), rec("a1", 4, detector.Firing, 0.8), rec("a2", 4, detector.Firing, 0.7), rec("b1", 2, detector.Firing, 0.5)},
			"b/v2 1 2 firing", "a/v2 2 4 firing 1 4 firing")
		step(0, "one joins", []detector.Record{rec("a3", 5, detector.Firing, 0.6)},
			"a/v2 (m2) 3 5 firing 2 4 firing 1 4 firing")
		step(0, "a repetition", []detector.Record{rec("a3", 5, detector.Firing, 0.6)})
		step(0, "two are over", []detector.Record{rec("a3", 6, detector.Resolved, 0.9), rec("a1", 6, detector.Resolved, 0.9)},
			"a/v2 (m2) 2 4 firing 1 6 resolved 3 6 resolved")
		step(0, "all are over", []detector.Record{rec("a2", 7, detector.Resolved, 0.9)},
			"a/v2 (m2) 1 6 resolved 2 7 resolved 3 6 resolved")
		step(0, "fires anew: a new message, without those that did not", []detector.Record{rec("a2", 9, detector.Firing, 0.7)},
			"a/v2 2 9 firing")
		step(1, "another partition", []detector.Record{rec("c1", 2, detector.Firing, 0.7)}, "c/v2 1 2 firing")
		if rs, committed := m.of(0); committed < int64(len(rs))-1 {
			t.Errorf("committed %d of %d", committed, len(rs))
		}
	})
}

// What came and went within a minute is not told, and so no news either: not the first time, nor each time, nor to the next worker.
func TestOutboxPassesOverWhatCameAndWent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemLog(1), &fakeReceiver{}
		_, stop := m.run(t, newTestOutbox(r))
		step := func(want string, rs ...detector.Record) {
			t.Helper()
			m.add(t, 0, rs...)
			time.Sleep(2 * time.Second)
			if got := strings.Join(r.news(), " "); got != want {
				t.Errorf("news %q, want %q", got, want)
			}
		}
		step("firing", rec("a1", 2, detector.Firing, 0.8))
		step("firing", rec("a2", 3, detector.Firing, 0.8), rec("a2", 4, detector.Resolved, 0.9), rec("a1", 5, detector.Firing, 0.5))
		step("resolved", rec("a1", 6, detector.Resolved, 0.9))
		stop()
		_, stop = m.run(t, newTestOutbox(r))
		defer stop()
		step("firing", rec("a1", 7, detector.Firing, 0.5))
		step("firing resolved firing", rec("a2", 8, detector.Firing, 0.8)) // now that it is told, all of it is
		step("resolved", rec("a2", 9, detector.Resolved, 0.8))
	})
}

func TestOutboxWaitsForQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemLog(1), &fakeReceiver{start: time.Now()}
		_, stop := m.run(t, newTestOutbox(r))
		defer stop()
		m.add(t, 0, rec("a1", 2, detector.Firing, 0.8))
		time.Sleep(400 * time.Millisecond)
		m.add(t, 0, rec("a2", 2, detector.Firing, 0.8))
		time.Sleep(400 * time.Millisecond)
		expect(t, "before it is quiet", r.take())
		time.Sleep(200 * time.Millisecond)
		expect(t, "when it is quiet", r.take(), "a/v2 1 2 firing 2 2 firing")

		// A log that is never quiet does not put it off for ever.
		for i := range 100 {
			m.add(t, 0, rec("a3", 2+i*2, detector.Firing, 0.8), rec("a3", 3+i*2, detector.Pending, 0.8))
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(r.take()); n < 1 || n > 3 {
			t.Errorf("told %d times in 10 s of noise", n)
		}
	})
}

func TestOutboxCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemLog(1), &fakeReceiver{}
		var up atomic.Bool
		r.answer = func(*Notification) error {
			if !up.Load() {
				return &Failure{Kind: Unavailable, Reason: "no answer", Err: errors.New("dial: refused")}
			}
			return nil
		}
		l, stop := m.run(t, newTestOutbox(r))
		defer stop()
		m.add(t, 0, rec("a1", 2, detector.Firing, 0.8))
		time.Sleep(5 * time.Second)
		if s := l.state.Load(); s.Problem != "no answer" || s.Outstanding != 1 {
			t.Errorf("status %+v", s)
		}
		for i := range 20 {
			m.add(t, 0, rec("a1", 3+2*i, detector.Resolved, 0.9), rec("a1", 4+2*i, detector.Firing, 0.8))
			m.add(t, 0, rec("b1", 3+2*i, detector.Firing, 0.9), rec("b1", 4+2*i, detector.Resolved, 0.8))
			time.Sleep(time.Minute)
		}
		if tries := len(r.take()); tries < 20 || tries > 45 {
			t.Errorf("%d tries in 20 minutes", tries)
		}
		if rs, committed := m.of(0); committed > int64(len(rs)-3) {
			t.Errorf("committed %d although the step at %d was not told", committed, len(rs)-3)
		}
		up.Store(true)
		time.Sleep(2 * time.Minute)
		expect(t, "after the outage", r.take(), "a/v2 1 42 firing")
		if s := l.state.Load(); s.Status != (Status{}) {
			t.Errorf("status %+v", s)
		}
		if rs, committed := m.of(0); committed != int64(len(rs)) {
			t.Errorf("committed %d of %d", committed, len(rs))
		}
	})
}

func TestOutboxRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemLog(1), &fakeReceiver{}
		session := func(what string, rs []detector.Record, want ...string) {
			t.Helper()
			m.add(t, 0, rs...)
			_, stop := m.run(t, newTestOutbox(r))
			time.Sleep(time.Second)
			got := r.take()
			stop()
			expect(t, what, got, want...)
		}
		session("old alerts at the first start", []detector.Record{rec("a1", 2, detector.Firing, 0.8), rec("b1", 2, detector.Firing, 0.8), rec("b1", 3, detector.Resolved, 0.9)},
			"a/v2 1 2 firing")
		session("nothing new", nil)
		session("ended meanwhile", []detector.Record{rec("a1", 3, detector.Resolved, 0.9)}, "a/v2 (m1) 1 3 resolved")
		session("nothing new", nil)
		session("came and went", []detector.Record{rec("a1", 4, detector.Firing, 0.9), rec("a1", 5, detector.Resolved, 0.9)})
		session("fires", []detector.Record{rec("a1", 6, detector.Firing, 0.9)}, "a/v2 1 6 firing")
		m.parts[0] = slices.DeleteFunc(m.parts[0], func(r detector.Record) bool { return r.Type == detector.Notified })
		m.committed[0] = int64(len(m.parts[0]))
		session("dealt with below the committed offset", nil)
	})
}

// A crash between the delivery and the record of it repeats one message, and only that.
func TestOutboxUnrecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemLog(1), &fakeReceiver{}
		_, stop := m.run(t, newTestOutbox(r))
		m.breakWith(errors.New("not enough replicas"), false)
		m.add(t, 0, rec("a1", 2, detector.Firing, 0.8), rec("b1", 2, detector.Firing, 0.8))
		time.Sleep(10 * time.Second)
		expect(t, "told once each although it cannot be recorded", r.take(), "a/v2 1 2 firing", "b/v2 1 2 firing")
		if _, committed := m.of(0); committed > 0 {
			t.Errorf("committed %d of what was not recorded", committed)
		}
		m.breakWith(errors.New("time-out, but written"), true)
		time.Sleep(20 * time.Second)
		m.breakWith(nil, false)
		m.add(t, 0, rec("a1", 3, detector.Firing, 0.8))
		time.Sleep(3 * time.Minute)
		expect(t, "goes on", r.take(), "a/v2 (m1) 1 3 firing")
		stop()

		m.breakWith(errors.New("gone"), false)
		_, stop = m.run(t, newTestOutbox(r))
		m.add(t, 0, rec("b1", 3, detector.Resolved, 0.8))
		time.Sleep(time.Second)
		stop()
		m.breakWith(nil, false)
		_, stop = m.run(t, newTestOutbox(r))
		defer stop()
		time.Sleep(time.Second)
		expect(t, "the crash repeats the last", r.take(), "b/v2 (m2) 1 3 resolved", "b/v2 (m2) 1 3 resolved")
	})
}

func TestOutboxFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemLog(1), &fakeReceiver{start: time.Now()}
		var fail atomic.Pointer[Failure]
		r.answer = func(n *Notification) error {
			if f := fail.Load(); f != nil && n.Key.Prompt == "a" {
				return f
			}
			return nil
		}
		var said strings.Builder
		o := newTestOutbox(r)
		o.cfg.Log = slog.New(slog.NewTextHandler(&said, nil))
		l, stop := m.run(t, o)
		defer stop()

		fail.Store(&Failure{Kind: Unsendable, Reason: "msg_too_long"})
		m.add(t, 0, rec("a1", 2, detector.Firing, 0.8), rec("b1", 2, detector.Firing, 0.8))
		time.Sleep(10 * time.Second)
		expect(t, "one cannot be sent, the other is", r.take(), "failed: a/v2 1 2 firing", "b/v2 1 2 firing")
		if s := l.state.Load(); s.Problem != "msg_too_long" || s.Outstanding != 1 {
			t.Errorf("status %+v", s)
		}
		time.Sleep(3 * time.Minute)
		expect(t, "tried slowly", r.take(), "failed: a/v2 1 2 firing", "failed: a/v2 1 2 firing", "failed: a/v2 1 2 firing")

		fail.Store(&Failure{Kind: Blocked, Reason: "invalid_auth", Hint: "give a new token"})
		time.Sleep(time.Minute)
		r.take()
		if s := l.state.Load(); s.Problem != "invalid_auth (give a new token)" {
			t.Errorf("status %+v", s)
		}
		fail.Store(&Failure{Kind: Unavailable, Reason: "429", After: 17 * time.Second})
		time.Sleep(time.Minute)
		r.mu.Lock()
		for i := 1; i < len(r.times); i++ {
			if d := r.times[i] - r.times[i-1]; d < 17*time.Second {
				t.Errorf("came back after %v", d)
			}
		}
		r.mu.Unlock()
		r.take()
		fail.Store(&Failure{Kind: Refused, Reason: "answered 410"})
		time.Sleep(time.Minute)
		expect(t, "refused", r.take(), "failed: a/v2 1 2 firing")
		if s := l.state.Load(); s.Status != (Status{Problem: "the last notification was refused and is lost: answered 410"}) {
			t.Errorf("status %+v", s)
		}
		expect(t, "records", m.actions(0), "notified b1/2 firing m1", "notify_failed a1/2 firing: answered 410 ")
		synctest.Wait()
		if want := `level=ERROR msg="notification refused, it will not be tried again" receiver=ops rule=R prompt=a version=v2 reason="answered 410"` + "\n"; !strings.Contains(said.String(), want) {
			t.Errorf("no %q in the log:\n%s", want, said.String())
		}
		var b strings.Builder
		o.cfg.Metrics.WritePrometheus(&b)
		for _, want := range []string{
			`driftd_alert_notifications_total{receiver="ops",result="delivered"} 1`, `driftd_alert_notifications_total{receiver="ops",result="refused"} 1`,
			`driftd_alert_notifications_total{receiver="ops",result="blocked"} `, `driftd_alert_outstanding{receiver="ops"} 0`,
		} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("no %s in\n%s", want, b.String())
			}
		}

		fail.Store(nil)
		m.add(t, 0, rec("a1", 3, detector.Resolved, 0.9), rec("a1", 4, detector.Firing, 0.8))
		time.Sleep(time.Minute)
		if s := l.state.Load(); s.Status != (Status{}) {
			t.Errorf("status after a delivery %+v", s)
		}
	})
}

// One group whose delivery always fails does not keep the others from being told.
func TestOutboxPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemLog(1), &fakeReceiver{}
		r.answer = func(n *Notification) error {
			if n.Key.Prompt == "a" {
				return errors.New("500")
			}
			return nil
		}
		_, stop := m.run(t, newTestOutbox(r))
		defer stop()
		m.add(t, 0, rec("a1", 2, detector.Firing, 0.8), rec("b1", 2, detector.Firing, 0.8), rec("c1", 2, detector.Firing, 0.8))
		time.Sleep(20 * time.Second)
		told := r.take()
		for _, want := range []string{"b/v2 1 2 firing", "c/v2 1 2 firing"} {
			if !slices.Contains(told, want) {
				t.Errorf("%q is not among %q", want, told)
			}
		}
	})
}

func TestOutboxInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemLog(1), &fakeReceiver{start: time.Now(), traits: Traits{Interval: time.Second}}
		_, stop := m.run(t, newTestOutbox(r))
		defer stop()
		m.add(t, 0, rec("a1", 2, detector.Firing, 0.8), rec("b1", 2, detector.Firing, 0.8), rec("c1", 2, detector.Firing, 0.8))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.times) != 3 || r.times[1]-r.times[0] < time.Second || r.times[2]-r.times[1] < time.Second {
			t.Errorf("told at %v", r.times)
		}
	})
}

func TestOutboxPerAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemLog(1), &fakeReceiver{traits: Traits{PerAlert: true}}
		_, stop := m.run(t, newTestOutbox(r))
		defer stop()
		fire := rec("a1", 2, detector.Firing, 0.8)
		m.add(t, 0, fire, rec("a2", 2, detector.Firing, 0.7), Action(&fire, detector.RollbackPromoted, t0))
		time.Sleep(time.Second)
		expect(t, "firing", r.take(), "a/v2 1 2 firing", "a/v2 2 2 firing")
		m.add(t, 0, rec("a1", 3, detector.Resolved, 0.9))
		time.Sleep(time.Second)
		expect(t, "resolved", r.take(), "a/v2 1 3 resolved")
	})
}

func TestOutboxTellsRollbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemLog(1), &fakeReceiver{}
		_, stop := m.run(t, newTestOutbox(r))
		defer func() { stop() }()
		fire := rec("a1", 2, detector.Firing, 0.8)
		fire.Rollback = "auto"
		step := func(what string, r0 detector.Record, want ...string) {
			t.Helper()
			m.add(t, 0, r0)
			time.Sleep(2 * time.Second)
			expect(t, what, r.take(), want...)
		}
		act := func(typ detector.RecordType) detector.Record { return Action(&fire, typ, t0) }
		step("fires", fire, "a/v2 1 2 firing")
		step("proposed", act(detector.RollbackProposed), "a/v2 (m1) 1 2 firing rollback_proposed")
		step("promoted", act(detector.RollbackPromoted), "a/v2 (m1) 1 2 firing rollback_promoted")
		step("over", rec("a1", 3, detector.Resolved, 0.9), "a/v2 (m1) 1 3 resolved rollback_promoted")
		step("recovered", act(detector.Recovered), "a/v2 (m1) 1 3 resolved recovered")
		stop()
		_, stop = m.run(t, newTestOutbox(r))
		time.Sleep(2 * time.Second)
		expect(t, "after a restart", r.take())
		fire = rec("a1", 5, detector.Firing, 0.8)
		step("anew", fire, "a/v2 1 5 firing")
		fire.Rollback = "dry_run"
		step("dry run", act(detector.RollbackProposed), "a/v2 (m2) 1 5 firing rollback_proposed")
		step("told before", act(detector.RollbackProposed))
	})
}

func TestOutboxRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemLog(1), &fakeReceiver{}
		route := &Route{Receiver: "other", Routes: []Route{{Match: map[string]string{"tier": "1"}, Receiver: "ops"}}}
		o := NewOutbox(OutboxConfig{Name: "ops", Receiver: r, Route: route, Now: recordNow, Metrics: metrics.NewSet(), Log: quietLog})
		_, stop := m.run(t, o)
		m.add(t, 0, rec("a1", 2, detector.Firing, 0.8), rec("a2", 2, detector.Firing, 0.8), rec("b2", 2, detector.Firing, 0.8))
		time.Sleep(time.Second)
		expect(t, "only what is routed here", r.take(), "a/v2 1 2 firing")
		stop()
		// The routes changed: who was told that it fires is told the end.
		route = &Route{Receiver: "other"}
		o = NewOutbox(OutboxConfig{Name: "ops", Receiver: r, Route: route, Now: recordNow, Metrics: metrics.NewSet(), Log: quietLog})
		_, stop = m.run(t, o)
		defer stop()
		m.add(t, 0, rec("a1", 3, detector.Resolved, 0.9), rec("a2", 3, detector.Resolved, 0.8))
		time.Sleep(time.Second)
		expect(t, "the end", r.take(), "a/v2 (m1) 1 3 resolved")
	})
}

// A delivery that hangs when the daemon stops is given up after a while, and told by the next worker.
func TestOutboxStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemLog(1), &fakeReceiver{block: make(chan struct{})}
		_, stop := m.run(t, newTestOutbox(r))
		m.add(t, 0, rec("a1", 2, detector.Firing, 0.8))
		time.Sleep(time.Second)
		begin := time.Now()
		stop()
		if d := time.Since(begin); d != grace {
			t.Errorf("stopped after %v", d)
		}
		close(r.block)
		_, stop = m.run(t, newTestOutbox(r))
		defer stop()
		time.Sleep(time.Second)
		expect(t, "the next worker", r.take(), "a/v2 1 2 firing")
	})
}
