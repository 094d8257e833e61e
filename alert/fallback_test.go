package alert

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/detector"
)

// pair is a receiver and its fallback, over one log.
type pair struct {
	*bubble
	to    *fakeReceiver // the fallback
	other *loop
	end   func()
	fail  atomic.Pointer[Failure] // what the first answers
}

func newPair(t *testing.T, route *Route) *pair {
	p := &pair{to: &fakeReceiver{}}
	p.bubble = newBubble(t, 2, Traits{}, func(c *OutboxConfig) { c.Route = route })
	p.r.answers(func(*Notification) error {
		if f := p.fail.Load(); f != nil {
			return f
		}
		return nil
	})
	p.startOther()
	return p
}

func (p *pair) startOther() {
	cfg := testConfig(p.to)
	cfg.Name, cfg.Route, cfg.Metrics = "back", p.cfg.Route, metrics.NewSet()
	p.other, p.end = p.m.runOther(p.t, NewOutbox(cfg))
}

// told are those that got through to the first.
func (p *pair) told() (out []string) {
	for _, s := range p.r.take() {
		if !strings.HasPrefix(s, "failed") {
			out = append(out, strings.ReplaceAll(s, "(m2)", "(m1)")) // two wait when it works again: either may come first
		}
	}
	return out
}

var toBack = &Route{Receiver: "ops", Fallback: "back", Routes: []Route{{Match: map[string]string{"prompt": "b"}, Receiver: "back"}, {Match: map[string]string{"prompt": "n"}, Fallback: "nobody"}}}

func TestFallback(t *testing.T) {
	for _, f := range []*Failure{{Kind: Unavailable, Reason: "no answer"}, {Kind: Blocked, Reason: "invalid_auth", Hint: "set a token"}, {Kind: Unavailable, Reason: "later", After: time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, toBack)
			defer func() { p.stop(); p.end() }()
			p.fail.Store(f)
			p.m.add(t, 0, rec("a1", 2, detector.Firing, 0.8), rec("n1", 2, detector.Firing, 0.8))
			p.m.add(t, 1, rec("b1", 2, detector.Firing, 0.8))
			time.Sleep(4 * time.Minute)
			expect(t, "not yet", p.to.take(), "b/v2 1 2 firing")
			time.Sleep(2 * time.Minute)
			expect(t, "after five minutes", p.to.take(), "a/v2 1 2 firing for ops")
			if s := p.l.state.Load(); !strings.HasPrefix(s.Problem, f.Reason) || !strings.HasSuffix(s.Problem, " is told in its place") || s.Outstanding != 2 {
				t.Errorf("status %+v", s)
			}
			time.Sleep(time.Hour)
			expect(t, "once", p.to.take())
			p.m.add(t, 0, rec("a1", 3, detector.Firing, 0.5), rec("a2", 3, detector.Firing, 0.5))
			time.Sleep(time.Minute)
			expect(t, "what goes on is told too", p.to.take(), "a/v2 (m2) 1 3 firing for ops", "a/v2 (m2) 1 3 firing 2 3 firing for ops")
			p.stop()
			p.end()
			p.start()
			p.startOther()
			time.Sleep(time.Minute)
			expect(t, "restart of both", p.to.take())
			p.told()
			p.fail.Store(nil)
			time.Sleep(2 * time.Hour)
			got := p.told()
			if len(got) < 2 || got[0] != "a/v2 1 3 firing 2 3 firing" && got[1] != "a/v2 1 3 firing 2 3 firing" {
				t.Errorf("when it works again: %q", got)
			}
			p.m.add(t, 0, rec("a1", 4, detector.Firing, 0.4))
			time.Sleep(time.Minute)
			expect(t, "the first goes on", p.told(), "a/v2 (m1) 1 4 firing 2 3 firing")
			expect(t, "the other does not", p.to.take())
			p.m.add(t, 0, rec("a1", 5, detector.Resolved, 0.9), rec("a2", 5, detector.Resolved, 0.9))
			time.Sleep(time.Minute)
			expect(t, "the end", p.told(), "a/v2 (m1) 1 5 resolved 2 5 resolved")
			expect(t, "is told to both", p.to.take(), "a/v2 (m2) 1 5 resolved 2 5 resolved for ops")
			p.m.add(t, 0, rec("a1", 9, detector.Firing, 0.4))
			time.Sleep(10 * time.Minute)
			expect(t, "the next time as ever", p.to.take())
		})
	}
}

// What is refused, or cannot be sent as it is, goes to the fallback as well, and only that.
func TestFallbackOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, toBack)
		defer func() { p.stop(); p.end() }()
		p.r.answers(func(n *Notification) error {
			switch n.Key.Prompt {
			case "r":
				return &Failure{Kind: Refused, Reason: "answered 400"}
			case "u":
				return &Failure{Kind: Unsendable, Reason: "msg_too_long"}
			}
			return nil
		})
		p.m.add(t, 0, rec("r1", 2, detector.Firing, 0.8), rec("u1", 2, detector.Firing, 0.8), rec("a1", 2, detector.Firing, 0.8))
		time.Sleep(10 * time.Second)
		expect(t, "refused", p.to.take(), "r/v2 1 2 firing for ops")
		if s := p.l.state.Load(); !strings.Contains(s.Problem, "msg_too_long") {
			t.Errorf("status %+v", s)
		}
		time.Sleep(10 * time.Minute)
		expect(t, "cannot be sent for five minutes", p.to.take(), "u/v2 1 2 firing for ops")
		p.m.add(t, 0, rec("r1", 3, detector.Resolved, 0.9))
		time.Sleep(time.Minute)
		expect(t, "the end of what was refused", p.to.take(), "r/v2 (m1) 1 3 resolved for ops")
	})
}

// Two that stand in for each other do not throw an alert to and fro.
func TestFallbackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, &Route{Receiver: "ops", Fallback: "back", Routes: []Route{{Match: map[string]string{"prompt": "b"}, Receiver: "back", Fallback: "ops"}}})
		defer func() { p.stop(); p.end() }()
		down := &Failure{Kind: Unavailable, Reason: "no answer"}
		p.fail.Store(down)
		p.to.answers(func(*Notification) error { return down })
		p.m.add(t, 0, rec("a1", 2, detector.Firing, 0.8), rec("b1", 2, detector.Firing, 0.8))
		time.Sleep(3 * time.Hour)
		given := 0
		for _, a := range p.m.actions(0) {
			if strings.Contains(a, "fallback: ") {
				given++
			}
		}
		if given != 2 {
			t.Errorf("given away %d times:\n%s", given, strings.Join(p.m.actions(0), "\n"))
		}
		p.fail.Store(nil)
		p.to.take()
		time.Sleep(5 * time.Minute)
		told := strings.Join(p.told(), "\n")
		for _, want := range []string{"a/v2 1 2 firing", "b/v2 1 2 firing for back"} {
			if !strings.Contains(told, want) {
				t.Errorf("%q is not told by the one that works:\n%s", want, told)
			}
		}
	})
}

// A watchdog that has only begun to look is not sent, and nobody has to mend anything.
func TestOutboxWatchdogBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var problem atomic.Pointer[string]
		begins := WatchdogBegins
		problem.Store(&begins)
		b := newBubble(t, 1, Traits{}, func(c *OutboxConfig) { c.Watchdog = &WatchdogConfig{Every: time.Minute, Alive: aliveUnless(&problem)} })
		defer func() { b.stop() }()
		b.after("it looks", 15*time.Second)
		if s := b.l.state.Load(); s.Problem != "" {
			t.Errorf("status %+v", s)
		}
		problem.Store(nil)
		b.after("soon after it has seen enough", 10*time.Second, "/ all 1 firing")
	})
}

// A watchdog comes at its pace while all goes on; it waits for the receiver as all do, and is not recorded.
func TestOutboxWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var problem atomic.Pointer[string]
		b := newBubble(t, 1, Traits{}, func(c *OutboxConfig) { c.Watchdog = &WatchdogConfig{Every: time.Minute, Alive: aliveUnless(&problem)} })
		defer func() { b.stop() }()
		bark := "/ all 1 firing"
		b.after("at once, then each minute", 150*time.Second, bark, bark, bark)
		says := "ingest stands still"
		problem.Store(&says)
		b.after("stands still", 5*time.Minute)
		if s := b.l.state.Load(); s.Problem != "the watchdog is not sent: ingest stands still" {
			t.Errorf("status %+v", s)
		}
		b.step("alerts go on", 0, list(rec("a1", 2, detector.Firing, 0.8)), "a/v2 1 2 firing")
		problem.Store(nil)
		b.after("soon after it goes on", 10*time.Second, bark)
		b.r.answers(func(*Notification) error { return &Failure{Kind: Blocked, Reason: "401"} })
		b.after("as the receiver allows", 3*time.Minute, "failed: "+bark, "failed: "+bark, "failed: "+bark)
		expect(t, "records", b.m.actions(0), "notified a1/2 firing m4")
	})
}
