package alert

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/detector"
)

// keep returns the notifications that are delivered from now on.
func (b *bubble) keep() func() []Notification {
	from := len(b.r.notifications())
	return func() []Notification { return b.r.notifications()[from:] }
}

// Alerts that agree in the labels of group_by are one message, whatever prompt and partition they are of. Each is recorded in
// its own partition.
func TestOutboxGroupsOverPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 2, Traits{}, func(c *OutboxConfig) {
			c.Route = &Route{Receiver: "ops", GroupBy: []string{"alert", "team"}}
		})
		defer func() { b.stop() }()
		kept := b.keep()
		of := func(id string, step int, typ detector.RecordType, team string) detector.Record {
			r := rec(id, step, typ, 0.8)
			r.Labels = map[string]string{"team": team}
			return r
		}
		b.m.add(t, 0, of("a1", 2, detector.Firing, "ml"), of("a2", 2, detector.Firing, "x\"y"))
		b.m.add(t, 1, of("b1", 2, detector.Firing, "ml"))
		time.Sleep(time.Second)
		b.r.take()
		if len(kept()) != 2 || kept()[0].Key != (Key{Rule: "R", Labels: `team="ml"`}) || len(kept()[0].Firing) != 2 || kept()[1].Key.Labels != `team="x\"y"` {
			t.Fatalf("told %+v", kept())
		}
		// The second partition is read first, or late: the group is the same.
		b.restart()
		b.after("restart", time.Minute)
		b.step("one is over", 1, list(of("b1", 3, detector.Resolved, "ml")), "/ (m1) 1 2 firing 1 3 resolved")
		b.step("the rest is over", 0, list(of("a1", 3, detector.Resolved, "ml")), "/ (m1) 1 3 resolved 1 3 resolved")
		for p := range b.m.parts {
			rs, c := b.m.of(p)
			for _, r := range rs {
				if r.Type == detector.Notified && (r.Prompt == "a") != (p == 0) {
					t.Errorf("%s is recorded in partition %d", r.ID, p)
				}
			}
			time.Sleep(10 * time.Second)
			if synctest.Wait(); c > int64(len(rs)) {
				t.Errorf("committed %d of %d", c, len(rs))
			}
		}
	})
}

// How a promotion goes on is shown once a minute, in place alone, and not recorded.
func TestOutboxObservations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 1, Traits{Updates: true}, nil)
		defer func() { b.stop() }()
		fire := rec("a1", 2, detector.Firing, 0.8)
		fire.Rollback, fire.Previous = "approve", "v1"
		act := func(typ detector.RecordType) detector.Record { return Action(&fire, typ, recordNow()) }
		observed := func(share float64) detector.Record {
			r := fire
			r.Type, r.Time, r.Share = detector.Observed, recordNow(), &share
			return r
		}
		b.step("fires", 0, list(fire, act(detector.RollbackProposed)), "a/v2 1 2 firing rollback_proposed")
		b.step("before a promotion nothing is watched", 0, list(observed(1)))
		approved := act(detector.RollbackApproved)
		approved.Actor = "jane"
		kept := b.keep()
		b.step("approved", 0, list(approved), "a/v2 (m1) 1 2 firing rollback_approved")
		if a := kept()[0].Attempt; a == nil || a.State != RollbackChecking || a.Decided == nil || a.Decided.Actor != "jane" || a.ID() != "a1-2" || a.Step.Previous != "v1" {
			t.Errorf("attempt %+v", a)
		}
		b.step("asked: not worth a word", 0, list(act(detector.RollbackPromoting)))
		b.step("promoted", 0, list(act(detector.RollbackPromoted)), "a/v2 (m1) 1 2 firing rollback_promoted observed")
		for range 60 {
			b.m.add(t, 0, observed(0.5))
			time.Sleep(10 * time.Second)
		}
		if n := len(b.r.take()); n < 9 || n > 11 {
			t.Errorf("told %d times in ten minutes", n)
		}
		if last := kept()[len(kept())-1]; last.Observed == nil || *last.Observed.Share != 0.5 || len(last.News) > 0 || last.Repeat {
			t.Errorf("the last is %+v", last)
		}
		if n := len(b.m.actions(0)); n > 80 {
			t.Errorf("%d actions are recorded", n)
		}
		b.step("ineffective", 0, list(act(detector.Ineffective)), "a/v2 (m1) 1 2 firing ineffective")
		b.restart()
		b.after("restart", time.Minute)
	})
	// One that can only say something new is not told each minute.
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 1, Traits{}, nil)
		defer func() { b.stop() }()
		fire := rec("a1", 2, detector.Firing, 0.8)
		fire.Rollback = "auto"
		b.step("promoted", 0, list(fire, Action(&fire, detector.RollbackProposed, recordNow()), Action(&fire, detector.RollbackPromoted, recordNow())), "a/v2 1 2 firing rollback_promoted")
		r := fire
		r.Type = detector.Observed
		b.m.add(t, 0, r)
		b.after("observed", time.Hour)
	})
}

// A rollback that a person asks for is told to the groups of its version, also where it is of whatever is current.
func TestOutboxRollbackByHand(t *testing.T) {
	for _, version := range []string{"v2", ""} {
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t, 1, Traits{Updates: true}, nil)
			defer func() { b.stop() }()
			kept := b.keep()
			b.step("fires", 0, list(rec("a1", 2, detector.Firing, 0.8), rec("b1", 2, detector.Firing, 0.8)), "a/v2 1 2 firing", "b/v2 1 2 firing")
			ask := detector.Record{ID: "hand", Step: 1, Type: detector.RollbackRequested, Time: t0.Add(time.Hour), Prompt: "a", Version: version, Previous: "v1", Actor: "jane"}
			act := func(typ detector.RecordType) detector.Record {
				r := Action(&ask, typ, t0.Add(time.Hour))
				r.Version = "v2"
				return r
			}
			b.step("asked for", 0, list(ask), "a/v2 (m1) 1 2 firing rollback_requested")
			if a := kept()[2].Attempt; a == nil || !a.ByHand() || a.ID() != "hand-1" || a.Last.Actor != "jane" {
				t.Errorf("attempt %+v", a)
			}
			b.step("promoted", 0, list(act(detector.RollbackPromoting), act(detector.RollbackPromoted)), "a/v2 (m1) 1 2 firing rollback_promoted")
			b.restart()
			b.after("restart", time.Minute)
		})
	}
}

// Reminders are news each time, and no less so after a restart.
func TestOutboxReminders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 1, Traits{}, nil)
		defer func() { b.stop() }()
		fire := rec("a1", 2, detector.Firing, 0.8)
		fire.Rollback = "approve"
		act := func(typ detector.RecordType) detector.Record { return Action(&fire, typ, recordNow()) }
		b.step("proposed", 0, list(fire, act(detector.RollbackProposed)), "a/v2 1 2 firing rollback_proposed")
		b.step("reminded", 0, list(act(detector.RollbackReminded)), "a/v2 (m1) 1 2 firing rollback_reminded")
		b.restart()
		b.after("restart", time.Minute)
		b.step("reminded again", 0, list(act(detector.RollbackReminded)), "a/v2 (m1) 1 2 firing rollback_reminded")
		b.step("rejected", 0, list(act(detector.RollbackRejected)), "a/v2 (m1) 1 2 firing rollback_rejected")
		b.step("too late", 0, list(act(detector.RollbackApproved)))
	})
}

// News are what happened since the receiver was last told, oldest first, the newest twenty; who brought the version is said.
func TestOutboxNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 1, Traits{Updates: true}, nil)
		defer func() { b.stop() }()
		kept := b.keep()
		b.m.add(t, 0, detector.Record{ID: "promotion", Step: 1, Type: detector.RegistryPromoted, Time: t0, Prompt: "a", Version: "v2", Previous: "v1", Actor: "registry:jane"})
		b.step("fires", 0, list(rec("a1", 2, detector.Firing, 0.8)), "a/v2 1 2 firing")
		if n := kept()[0]; n.Introduced == nil || n.Introduced.Actor != "registry:jane" || len(n.News) != 1 || n.News[0].Type != detector.Firing || n.Leg.Receiver != "ops" || n.Leg.Repeat != DefaultRepeat {
			t.Errorf("told %+v", n)
		}
		b.r.answers(func(*Notification) error { return &Failure{Kind: Unavailable, Reason: "down", After: 10 * time.Minute} })
		for i := range 30 {
			typ := detector.Firing
			if i%2 == 0 {
				typ = detector.Resolved
			}
			b.m.add(t, 0, rec("a2", 3+i, typ, 0.7), rec("a1", 3+i, detector.Firing, 0.7))
			time.Sleep(time.Second)
		}
		b.r.take()
		kept = b.keep()
		b.r.answers(nil)
		time.Sleep(time.Hour)
		b.r.take()
		if len(kept()) != 1 {
			t.Fatalf("told %d times", len(kept()))
		}
		var says []string
		for _, r := range kept()[0].News {
			says = append(says, fmt.Sprintf("%s %s/%d", r.Type, r.ID, r.Step))
		}
		if len(says) != maxNews || says[len(says)-1] != "firing a1/32" && says[len(says)-1] != "firing a2/32" || !strings.Contains(strings.Join(says, " "), "resolved a2/31") {
			t.Errorf("news %q", says)
		}
		b.step("then only what is new", 0, list(rec("a1", 40, detector.Resolved, 0.9)), "a/v2 (m1) 2 32 firing 1 40 resolved")
		if n := kept()[1]; len(n.News) != 1 || n.News[0].Step != 40 {
			t.Errorf("news %+v", n.News)
		}
	})
}

// What was done by a clock that was ahead is told once, by whoever tells it.
func TestOutboxNewsOfTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 1, Traits{Updates: true}, nil)
		defer func() { b.stop() }()
		kept := b.keep()
		b.step("fires", 0, list(rec("a1", 2, detector.Firing, 0.8)), "a/v2 1 2 firing")
		ack := detector.Record{ID: "a1", Step: 2, Type: detector.Acknowledged, Time: recordNow().Add(10 * time.Minute), Group: "g", Rule: "R", Prompt: "a", Version: "v2", Actor: "slack:jane"}
		b.step("acknowledged", 0, list(ack), "a/v2 (m1) 1 2 firing acknowledged")
		b.restart()
		b.step("is over", 0, list(rec("a1", 3, detector.Resolved, 0.9)), "a/v2 (m1) 1 3 resolved")
		for i, want := range []detector.RecordType{detector.Firing, detector.Acknowledged, detector.Resolved} {
			if n := kept()[i]; len(n.News) != 1 || n.News[0].Type != want {
				t.Errorf("news %d: %+v", i, n.News)
			}
		}
	})
}

// What has been over for a day is forgotten; what fires is not, and neither is what is still to be told.
func TestOutboxForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, 1, Traits{}, nil)
		defer func() { b.stop() }()
		for i := range 50 {
			id := fmt.Sprintf("a%d", i)
			b.m.add(t, 0, rec(id, 2, detector.Firing, 0.8))
			time.Sleep(time.Second)
			if i > 0 {
				b.m.add(t, 0, rec(id, 3, detector.Resolved, 0.9))
			}
		}
		b.m.add(t, 0, rec("b1", 2, detector.Firing, 0.8), rec("b1", 3, detector.Resolved, 0.8))
		time.Sleep(27 * time.Hour)
		b.stop()
		l := b.o.ledger
		// Those of a's message stay with it as long as it fires.
		if len(l.alerts) != 50 || len(l.groups) != 1 || len(l.families) != 1 || len(l.silences.alerts) != 50 || len(l.acks.alerts) != 50 {
			t.Errorf("%d alerts in %d groups, %d families, %d, %d", len(l.alerts), len(l.groups), len(l.families), len(l.silences.alerts), len(l.acks.alerts))
		}
		b.m.add(t, 0, rec("a0", 3, detector.Resolved, 0.9))
		b.start()
		time.Sleep(27 * time.Hour)
		b.stop()
		l = b.o.ledger
		if len(l.alerts)+len(l.groups)+len(b.o.holding)+b.o.ready.Len()+b.o.wakes.Len() > 0 {
			t.Errorf("%d alerts, %d groups are left", len(l.alerts), len(l.groups))
		}
	})
}
