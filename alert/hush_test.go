package alert

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/detector"
)

// bubble is one receiver over a log, in a bubble whose record clock starts at t0.
type bubble struct {
	t    *testing.T
	m    *memLog
	r    *fakeReceiver
	o    *Outbox
	l    *loop
	stop func()
	cfg  OutboxConfig
}

func newBubble(t *testing.T, parts int, traits Traits, change func(*OutboxConfig)) *bubble {
	b := &bubble{t: t, m: newMemLog(parts), r: &fakeReceiver{traits: traits}}
	b.cfg = testConfig(b.r)
	if change != nil {
		change(&b.cfg)
	}
	b.start()
	return b
}

func (b *bubble) start() {
	b.o = NewOutbox(b.cfg)
	b.l, b.stop = b.m.run(b.t, b.o)
}

// restart is a crash: the next worker knows what is in the log.
func (b *bubble) restart() {
	b.stop()
	b.start()
	time.Sleep(time.Second)
}

// step adds records and says what is told of them within 2 s.
func (b *bubble) step(what string, part int, rs []detector.Record, want ...string) {
	b.t.Helper()
	b.m.add(b.t, part, rs...)
	b.after(what, 2*time.Second, want...)
}

// after says what is told within d.
func (b *bubble) after(what string, d time.Duration, want ...string) {
	b.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	expect(b.t, what, b.r.take(), want...)
}

func list(rs ...detector.Record) []detector.Record { return rs }

// quietFor makes a silence from now on.
func quietFor(id string, step int, d time.Duration, matchers ...string) detector.Record {
	return silenceRec(id, step, recordNow(), recordNow().Add(d), matchers...)
}

func TestOutboxSilences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 2, Traits{}, nil)
		defer func() { b.stop() }()
		b.step("a silence, from another partition", 1, list(quietFor("s", 1, time.Hour, "prompt=a")))
		b.step("silenced, and not", 0, list(rec("a1", 2, detector.Firing, 0.8), rec("b1", 2, detector.Firing, 0.8)), "b/v2 1 2 firing")
		if n := b.o.hushed[silenced].Load(); n != 1 {
			t.Errorf("%d silenced groups", n)
		}
		if s := b.l.state.Load(); s.Outstanding != 0 || s.Problem != "" {
			t.Errorf("status %+v", s)
		}
		b.step("came and went in it", 0, list(rec("a2", 2, detector.Firing, 0.8), rec("a2", 9, detector.Resolved, 0.9)))
		b.restart()
		b.after("restart", time.Minute)
		b.after("it ends: what fires is told", time.Hour, "a/v2 1 2 firing")
		b.step("silenced again, told before", 1, list(quietFor("s2", 1, time.Hour, "tier=~1|9", "prompt=a")))
		b.step("worse", 0, list(rec("a1", 3, detector.Firing, 0.6)))
		b.step("resolved in the silence: a loud receiver waits", 0, list(rec("a1", 4, detector.Resolved, 0.6)))
		b.step("ended early", 1, list(quietFor("s2", 2, 0, "tier=~1|9", "prompt=a")), "a/v2 (m2) 1 4 resolved")
		b.step("a bad one", 1, list(quietFor("bad", 1, time.Hour, "tier=~(")))
		if s := b.l.state.Load(); !strings.Contains(s.Problem, "1 silences have matchers that cannot be read") {
			t.Errorf("status %+v", s)
		}
		if _, c := b.m.of(0); c < 6 {
			t.Errorf("committed %d", c)
		}
	})
}

// A silence of some cohorts leaves them out of the message.
func TestOutboxSilencesSome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 1, Traits{Updates: true}, nil)
		defer func() { b.stop() }()
		b.step("silence", 0, list(quietFor("s", 1, time.Hour, "tier=2")))
		b.step("two cohorts", 0, list(rec("a1", 2, detector.Firing, 0.8), rec("a2", 2, detector.Firing, 0.7)), "a/v2 1 2 firing")
		b.step("the silenced one is over", 0, list(rec("a2", 8, detector.Resolved, 0.9)))
		b.step("all are silenced", 0, list(quietFor("all", 1, time.Hour, "alert=R")), "a/v2 (m1) 1 2 firing silenced")
		b.restart()
		b.after("the next worker knows", time.Minute)
		b.step("the end is told in place", 0, list(rec("a1", 3, detector.Resolved, 0.9)), "a/v2 (m1) 1 3 resolved")
	})
}

func TestOutboxSilencedInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 1, Traits{Updates: true}, nil)
		defer func() { b.stop() }()
		b.step("fires", 0, list(rec("a1", 2, detector.Firing, 0.8)), "a/v2 1 2 firing")
		s := quietFor("s", 1, 10*time.Hour, "prompt=a")
		s.Silence.UntilResolved = true
		b.step("silenced", 0, list(s), "a/v2 (m1) 1 2 firing silenced")
		if news := b.r.notifications()[1].News; len(news) != 1 || news[0].Type != detector.Silenced || news[0].Actor != "jane" {
			t.Errorf("news %+v", news)
		}
		b.after("not repeated", 9*time.Hour)
		b.step("worse waits", 0, list(rec("a1", 3, detector.Firing, 0.6)))
		b.after("it ends by time: what waited is told", 2*time.Hour, "a/v2 (m1) 1 3 firing")
		s = quietFor("u", 1, 100*time.Hour, "prompt=a")
		s.Silence.UntilResolved = true
		b.step("until resolved", 0, list(s), "a/v2 (m1) 1 3 firing silenced")
		over := rec("a1", 4, detector.Resolved, 0.9)
		over.Time = recordNow()
		b.step("resolved", 0, list(over), "a/v2 (m1) 1 4 resolved")
		again := rec("a1", 5, detector.Firing, 0.8)
		again.Time = recordNow()
		b.step("fires anew, the silence is over", 0, list(again), "a/v2 1 5 firing")
		b.restart()
		b.after("restart", time.Minute)
	})
}

func TestOutboxAcks(t *testing.T) {
	ack := func(id string, step int) detector.Record {
		r := rec(id, step, detector.Firing, 0.8)
		r = Action(&r, detector.Acknowledged, recordNow())
		r.Actor = "jane"
		return r
	}
	run := func(traits Traits, f func(t *testing.T, b *bubble)) {
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t, 1, traits, nil)
			defer func() { b.stop() }()
			f(t, b)
		})
	}
	run(Traits{Updates: true}, func(t *testing.T, b *bubble) {
		b.step("fires", 0, list(rec("a1", 2, detector.Firing, 0.8)), "a/v2 1 2 firing")
		b.step("acknowledged", 0, list(ack("a1", 2)), "a/v2 (m1) 1 2 firing acknowledged")
		expect(t, "news", b.r.news(), "acknowledged")
		b.step("a cohort joins", 0, list(rec("a2", 2, detector.Firing, 0.79)), "a/v2 (m1) 2 2 firing 1 2 firing acknowledged")
		expect(t, "is shown, but no news", b.r.news())
		b.after("no repetitions", 9*time.Hour)
		b.restart()
		b.after("restart", 9*time.Hour)
		b.step("worse by the step", 0, list(rec("a1", 3, detector.Firing, 0.55)), "a/v2 (m1) 1 3 firing 2 2 firing")
		if news := b.r.news(); len(news) == 0 || news[len(news)-1] != "firing" {
			t.Errorf("news %q", news)
		}
		b.after("repetitions again", 4*time.Hour, "a/v2 (m1) 1 3 firing 2 2 firing repeated")
		b.step("acknowledged again", 0, list(ack("a2", 2)), "a/v2 (m1) 1 3 firing 2 2 firing acknowledged")
		b.step("over", 0, list(rec("a1", 4, detector.Resolved, 0.9), rec("a2", 4, detector.Resolved, 0.9)), "a/v2 (m1) 1 4 resolved 2 4 resolved")
		b.step("fires anew", 0, list(rec("a1", 9, detector.Firing, 0.8)), "a/v2 1 9 firing")
	})
	// To one that can only say something new, neither the acknowledgement nor what fires meanwhile is told.
	run(Traits{}, func(t *testing.T, b *bubble) {
		b.step("fires", 0, list(rec("a1", 2, detector.Firing, 0.8)), "a/v2 1 2 firing")
		b.step("acknowledged, one joins", 0, list(ack("a1", 2), rec("a2", 2, detector.Firing, 0.79)))
		b.restart()
		b.after("no repetitions", 9*time.Hour)
		b.step("worse", 0, list(rec("a1", 3, detector.Firing, 0.55)), "a/v2 (m1) 1 3 firing 2 2 firing")
		b.step("acknowledged", 0, list(ack("a1", 3)))
		b.step("the end", 0, list(rec("a1", 4, detector.Resolved, 0.9), rec("a2", 4, detector.Resolved, 0.9)), "a/v2 (m1) 1 4 resolved 2 4 resolved")
	})
	// Programs that know acknowledgements are told of them for each alert of the family.
	run(Traits{PerAlert: true, Acks: true}, func(t *testing.T, b *bubble) {
		b.step("fires", 0, list(rec("a1", 2, detector.Firing, 0.8), rec("a2", 2, detector.Firing, 0.7)), "a/v2 1 2 firing", "a/v2 2 2 firing")
		b.step("acknowledged", 0, list(ack("a1", 2)), "a/v2 1 2 firing acknowledged", "a/v2 2 2 firing acknowledged")
	})
}

func TestOutboxRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hour, never := time.Hour, time.Duration(0)
		b := newBubble(t, 2, Traits{}, func(c *OutboxConfig) {
			c.Route = &Route{Receiver: "ops", Routes: []Route{{Match: map[string]string{"prompt": "b"}, Repeat: &hour}, {Match: map[string]string{"prompt": "c"}, Repeat: &never}}}
		})
		defer func() { b.stop() }()
		fires := list(rec("a1", 2, detector.Firing, 0.8), rec("b1", 2, detector.Firing, 0.8), rec("c1", 2, detector.Firing, 0.8))
		b.step("fires", 0, fires, "a/v2 1 2 firing", "b/v2 1 2 firing", "c/v2 1 2 firing")
		b.after("an hour", time.Hour, "b/v2 (m2) 1 2 firing repeated")
		b.after("half of one more", 30*time.Minute)
		b.restart()
		b.after("the clock goes on over a restart", 30*time.Minute, "b/v2 (m2) 1 2 firing repeated")
		b.after("four of them by default", 2*time.Hour, "b/v2 (m2) 1 2 firing repeated", "a/v2 (m1) 1 2 firing repeated", "b/v2 (m2) 1 2 firing repeated")
		b.step("over", 0, list(rec("b1", 3, detector.Resolved, 0.9)), "b/v2 (m2) 1 3 resolved")
		b.after("never again", 3*time.Hour)
	})
}

// A receiver that forgets is told again and again, without a record each time.
func TestOutboxResends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 1, Traits{PerAlert: true, Resend: time.Minute}, nil)
		defer func() { b.stop() }()
		b.step("fires", 0, list(rec("a1", 2, detector.Firing, 0.8)), "a/v2 1 2 firing")
		b.after("again", 3*time.Minute, "a/v2 1 2 firing", "a/v2 1 2 firing", "a/v2 1 2 firing")
		b.step("a silence keeps new ones away, not what is known", 0, list(quietFor("s", 1, time.Hour, "prompt=a")))
		b.after("again", time.Minute, "a/v2 1 2 firing silenced")
		b.restart()
		b.after("at once after a restart", 0, "a/v2 1 2 firing silenced")
		b.step("over", 0, list(rec("a1", 3, detector.Resolved, 0.9)), "a/v2 1 3 resolved")
		b.after("no more", time.Hour)
		expect(t, "records", b.m.actions(0)[2:], "notified a1/3 resolved ")
		if got := b.m.actions(0)[0]; got != "notified a1/2 firing " {
			t.Errorf("first record %q", got)
		}
	})
}

func TestOutboxMutes(t *testing.T) {
	// t0 is a Friday, 14:41 UTC; the mute time is 15:00 to 17:00.
	mutes := map[string]*MuteTime{"tea": {Zone: time.UTC, Days: everyDay, From: 15 * 60, To: 17 * 60}}
	run := func(traits Traits, f func(b *bubble)) {
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t, 1, traits, func(c *OutboxConfig) {
				c.Mutes, c.Route = mutes, &Route{Receiver: "ops", Mute: []string{"tea"}, Routes: []Route{{Match: map[string]string{"prompt": "c"}, Mute: []string{}}}}
			})
			defer func() { b.stop() }()
			b.step("before", 0, list(rec("a1", 2, detector.Firing, 0.8)), "a/v2 1 2 firing")
			b.after("it is 15:01", 20*time.Minute)
			f(b)
		})
	}
	now := func(id string, step int, typ detector.RecordType) detector.Record {
		r := rec(id, step, typ, 0.8)
		r.Time = recordNow()
		return r
	}
	run(Traits{}, func(b *bubble) {
		b.step("muted, and another route", 0, list(now("b1", 2, detector.Firing), now("d1", 2, detector.Firing), now("c1", 2, detector.Firing)), "c/v2 1 2 firing")
		if n := b.o.hushed[muted].Load(); n != 3 { // a, b, d
			b.t.Errorf("%d muted groups", n)
		}
		b.after("an hour", time.Hour)
		b.step("over meanwhile", 0, list(now("d1", 3, detector.Resolved)))
		b.step("told before: a loud receiver waits", 0, list(now("a1", 3, detector.Resolved)))
		b.restart()
		b.after("what still fires is told, and the end of what was told", time.Hour, "b/v2 1 2 firing", "a/v2 (m1) 1 3 resolved")
	})
	run(Traits{Updates: true}, func(b *bubble) {
		b.step("muted", 0, list(now("a2", 2, detector.Firing)))
		b.step("told before: the end in place", 0, list(now("a1", 3, detector.Resolved)), "a/v2 (m1) 1 3 resolved")
		b.after("what still fires", 2*time.Hour, "a/v2 2 2 firing 1 3 resolved")
	})
	run(Traits{PerAlert: true}, func(b *bubble) {
		b.step("a program closes it", 0, list(now("a1", 3, detector.Resolved)), "a/v2 1 3 resolved")
	})
	// Repetitions wait too.
	run(Traits{}, func(b *bubble) {
		b.after("told at 14:41 and again at 18:41", 4*time.Hour, "a/v2 (m1) 1 2 firing repeated")
	})
}

func TestOutboxInhibits(t *testing.T) {
	total := func(step int, typ detector.RecordType, value float64) detector.Record {
		r := rec("a0", step, typ, value)
		r.Cohort = nil
		return r
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 1, Traits{PerAlert: true}, nil)
		defer func() { b.stop() }()
		b.step("a cohort before its total", 0, list(rec("a1", 2, detector.Firing, 0.8)), "a/v2 1 2 firing")
		b.step("the total with cohorts, and another prompt", 0,
			list(rec("a2", 2, detector.Firing, 0.7), total(2, detector.Firing, 0.8), rec("a3", 2, detector.Firing, 0.7), rec("b1", 2, detector.Firing, 0.7)),
			"a/v2 all 2 firing", "b/v2 1 2 firing")
		if n := b.o.hushed[inhibited].Load(); n != 3 {
			t.Errorf("%d inhibited groups", n)
		}
		b.step("what was told is closed, what was not is not told", 0, list(rec("a1", 3, detector.Resolved, 0.9), rec("a3", 9, detector.Resolved, 0.9)), "a/v2 1 3 resolved")
		b.restart()
		b.after("restart", time.Minute)
		b.step("the total is over", 0, list(total(9, detector.Resolved, 0.9)), "a/v2 2 2 firing", "a/v2 all 9 resolved")
	})
	// Messages list the cohorts.
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 1, Traits{}, nil)
		defer func() { b.stop() }()
		b.step("one message", 0, list(total(2, detector.Firing, 0.8), rec("a1", 2, detector.Firing, 0.7)), "a/v2 1 2 firing all 2 firing")
	})
	// A total that goes elsewhere stands for nothing here.
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 1, Traits{PerAlert: true}, func(c *OutboxConfig) {
			c.Route = &Route{Receiver: "other", Routes: []Route{{Match: map[string]string{"tier": "?"}, Receiver: "ops"}}}
		})
		defer func() { b.stop() }()
		b.step("cohorts", 0, list(total(2, detector.Firing, 0.8), rec("a1", 2, detector.Firing, 0.7)), "a/v2 1 2 firing")
	})
}

// What came and went before anybody looked is told once, if it was there for more than a minute and is not old.
func TestOutboxCameAndWent(t *testing.T) {
	at := func(id string, step, minute int, typ detector.RecordType) detector.Record {
		r := rec(id, step, typ, 0.8)
		r.Time = recordNow().Add(time.Duration(minute) * time.Minute)
		return r
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 1, Traits{}, nil)
		defer func() { b.stop() }()
		b.step("first", 0, list(at("z1", 2, 0, detector.Firing)), "z/v2 1 2 firing")
		b.step("a minute, three minutes, long ago", 0, list(
			at("a1", 2, -2, detector.Firing), at("a1", 3, -1, detector.Resolved),
			at("b1", 2, -4, detector.Firing), at("b1", 3, -1, detector.Resolved),
			at("c1", 2, -400, detector.Firing), at("c1", 3, -90, detector.Resolved)), "b/v2 1 3 resolved")
		b.restart()
		b.after("once", time.Hour)
		b.step("as part of a message", 0, list(at("z2", 2, -9, detector.Firing), at("z2", 3, -3, detector.Resolved)), "z/v2 (m1) 1 2 firing 2 3 resolved")
		b.step("a message of its own, not that of last time", 0, list(at("b1", 4, -9, detector.Firing), at("b1", 5, -3, detector.Resolved)), "b/v2 1 5 resolved")
	})
	// Programs have nothing to close.
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 1, Traits{PerAlert: true}, nil)
		defer func() { b.stop() }()
		time.Sleep(time.Second)
		b.step("a program", 0, list(at("b1", 2, -4, detector.Firing), at("b1", 3, -1, detector.Resolved)))
	})
	// A receiver that is new is not told the past.
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 1, Traits{}, nil)
		defer func() { b.stop() }()
		b.stop()
		b.m = newMemLog(1)
		b.m.add(t, 0, at("b1", 2, -4, detector.Firing), at("b1", 3, -1, detector.Resolved), at("c1", 2, -4, detector.Firing))
		b.start()
		b.after("new", time.Hour, "c/v2 1 2 firing")
	})
}
