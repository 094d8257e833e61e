package rollback

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/detector"
)

func TestPartitions(t *testing.T) {
	in(t, "nothing is done before all of the topic was read", func(g *rig) {
		g.core = New(g.cfg)
		g.core.Begin(0, -1)
		g.core.Begin(1, -1)
		g.core.Live(0)
		g.add(fire("a1", 2))
		if _, ok := g.core.Due(); ok {
			g.t.Error("due with a partition missing")
		}
		g.core.Act(g.t.Context(), g)
		if len(g.said(0)) > 0 {
			g.t.Errorf("acted: %q", g.said(0))
		}
		g.core.Live(1)
		g.now()
		g.moves(1)
	})
	in(t, "what is gone is not acted on", func(g *rig) {
		g.add(fire("a1", 2))
		g.core.End(0)
		if _, ok := g.core.Due(); ok || g.core.Status().Outstanding != 0 {
			g.t.Error("due without its partition")
		}
		g.core.Fold(0, alert.Entry{Offset: 7, Record: fire("b1", 2)})
		g.now()
		g.moves(0)
	})
	in(t, "what was dealt with before", func(g *rig) {
		g.core = New(g.cfg)
		g.core.Begin(0, 1)
		g.core.Fold(0, alert.Entry{Offset: 0, Record: fire("a1", 2)})
		g.core.Live(0)
		g.now()
		if len(g.said(0)) > 0 {
			g.t.Errorf("acted: %q", g.said(0))
		}
	})
	in(t, "stops of two partitions", func(g *rig) {
		at := time.Now()
		stop := func(n int, typ detector.RecordType, after time.Duration) {
			g.core.Fold(n, alert.Entry{Offset: 5, Record: detector.Record{ID: "s", Step: 1, Type: typ, Time: at.Add(after), Actor: "jane"}})
		}
		q := g.core.question(&attempt{Attempt: alert.Attempt{Step: fire("a1", 2)}}, nil)
		f := func(what string, stopped bool) {
			g.t.Helper()
			if (killSwitch(q) != "") != stopped {
				g.t.Errorf("%s: %q", what, killSwitch(q))
			}
		}
		f("none", false)
		stop(1, detector.RollbacksStopped, 0)
		f("one", true)
		stop(0, detector.RollbacksResumed, 0)
		f("at the same time the stop counts", true)
		stop(0, detector.RollbacksResumed, time.Second)
		f("resumed later", false)
		stop(1, detector.RollbacksStopped, 2*time.Second)
		f("stopped again", true)
	})
}

// A worker that has been replaced ends the call that it is in. What it then writes comes behind what its successor did, and changes
// nothing.
func TestReplacedWorker(t *testing.T) {
	successor := func(g *rig) {
		old := g.core
		g.start()
		g.now()
		if a := newest(g); a.State != alert.RollbackWatching {
			g.t.Errorf("the successor: %q", g.said(0))
		}
		g.core = old
	}
	f := func(name string, forgets bool, arrange func(g *rig), late string) {
		in(t, name, func(g *rig) {
			g.forgets = forgets
			arrange(g)
			g.add(fire("a1", 2))
			old := g.core
			g.now()
			said := g.said(0)
			if last := said[len(said)-1]; !strings.HasPrefix(last, late) {
				g.t.Errorf("the replaced worker wrote %q, want %q", last, late)
			}
			if g.core = old; g.attempt("a1-2").State != alert.RollbackWatching || g.reg.Current("p") != "v22" {
				g.t.Errorf("%q", said)
			}
			g.moves(1)
			g.start()
			g.add(end("a1", 3))
			g.now()
			if a := g.attempt("a1-2"); a.State != alert.RollbackRecovered {
				g.t.Errorf("in the end %s: %q", a.State, g.said(0))
			}
		})
	}
	during := func(g *rig) { g.before = func(registry.Move) { g.before = nil; successor(g) } }
	f("in its move, of a registry with idempotency keys", false, during, "rollback_promoted")
	f("in its move, of one without", true, during, "rollback_promoted: found by reading back")
	f("in its first read", true, func(g *rig) { g.reading = func() { successor(g) } }, "rollback_refused: v22 is current")
}

// A registry that hangs is asked by one attempt at a time, and people are asked all the same.
func TestRegistryThatHangs(t *testing.T) {
	in(t, "twenty attempts", func(g *rig) {
		reads := 0
		g.cfg.Registry = hanging{g.cfg.Registry, &reads}
		g.start()
		for i := range 20 {
			r := step(fmt.Sprintf("%c1", 'a'+i), 2, detector.Firing, []string{"auto", "approve"}[i%2])
			g.add(r)
		}
		began := time.Now()
		g.now()
		if d := time.Since(began); d > 15*time.Second || reads != 1 {
			g.t.Errorf("%d reads in %s", reads, d)
		}
		waiting := 0
		for _, said := range g.said(0) {
			if strings.HasSuffix(said, "the registry could not be asked: no answer") {
				waiting++
			}
		}
		if waiting != 10 {
			g.t.Errorf("%d of 10 are proposed: %q", waiting, g.said(0))
		}
		g.advance(10 * time.Minute)
		if reads > 30 {
			g.t.Errorf("%d reads", reads)
		}
	})
}

// The registry may be gone from the config when a daemon comes back.
func TestRegistryThatIsGone(t *testing.T) {
	in(t, "with a promotion under way", func(g *rig) {
		g.dieAt = 5
		g.add(fire("a1", 2))
		g.now()
		g.cfg.Registry = nil
		n := len(g.all)
		g.start()
		g.now()
		want := "rollback_failed: ask the registry: no registry is configured; whether it was promoted is not known, look at the registry"
		if got := g.said(n); len(got) != 1 || got[0] != want {
			g.t.Errorf("%q", got)
		}
	})
	in(t, "with a proposal, and a promotion that is watched", func(g *rig) {
		g.add(step("a1", 2, detector.Firing, "approve"), step("b1", 2, detector.Firing, "approve"))
		g.now()
		g.add(decision(g, "a1-2", detector.RollbackApproved, "jane"))
		n := len(g.all)
		g.cfg.Registry = nil
		g.start()
		g.advance(61 * time.Minute)
		g.add(decision(g, "b1-2", detector.RollbackApproved, "jane"))
		g.now()
		if got := strings.Join(g.said(n), "|"); got != "rollback_refused: no registry is configured [no_registry]|"+
			"rollback_reminded: promote v22 in place of v23? It has waited for 1h, and is rejected in 23h|rollback_approved|rollback_refused: no registry is configured [no_registry]" {
			g.t.Errorf("%q", got)
		}
	})
}

// What is under way may have been made, and counts.
func TestLimitCountsWhatIsUnderWay(t *testing.T) {
	in(t, "one of one", func(g *rig) {
		g.cfg.FleetPerDay = 1
		g.start()
		g.before = func(registry.Move) { g.before, g.down = nil, true }
		g.add(fire("a1", 2))
		g.now()
		if a := newest(g); a.State != alert.RollbackVerifying {
			g.t.Fatalf("%s: %q", a.State, g.said(0))
		}
		n := len(g.all)
		r := fire("b1", 2)
		r.Prompt = "q"
		g.add(r)
		g.now()
		if got := g.said(n); len(got) != 2 || !strings.HasSuffix(got[1], "[fleet_limit]") {
			g.t.Errorf("%q", got)
		}
	})
}

func TestOutstanding(t *testing.T) {
	in(t, "what is to be committed", func(g *rig) {
		g.down = true
		g.add(end("z1", 1), fire("a1", 2))
		g.now()
		if at, ok := g.core.Outstanding(0); !ok || at != 1 {
			g.t.Errorf("outstanding %d, %v", at, ok)
		}
		if _, ok := g.core.Outstanding(1); ok {
			g.t.Error("outstanding in the other partition")
		}
		g.down = false
		g.advance(time.Minute)
		if _, ok := g.core.Outstanding(0); ok || newest(g).State != alert.RollbackWatching {
			g.t.Error("a promotion that is watched holds the log back")
		}
	})
	in(t, "what waits for a person", func(g *rig) {
		g.add(step("a1", 2, detector.Firing, "approve"))
		g.now()
		if _, ok := g.core.Outstanding(0); ok || newest(g).State != alert.RollbackWaiting {
			g.t.Error("a proposal holds the log back")
		}
	})
}

// An accelerated clock is looked at each second.
func TestFastClock(t *testing.T) {
	in(t, "an hour in a minute", func(g *rig) {
		began := time.Now()
		g.cfg.Now = func() time.Time { return began.Add(60 * time.Since(began)) }
		g.start()
		g.add(step("a1", 2, detector.Firing, "approve"))
		g.advance(2 * time.Minute)
		if said := g.said(1); len(said) != 3 || !strings.HasPrefix(said[1], "rollback_reminded") || !strings.HasPrefix(said[2], "rollback_reminded") {
			g.t.Errorf("%q", said)
		}
	})
}

// What fires in a backlog may have been over for long: it waits for what detect says of today, unless a person decided.
func TestBacklog(t *testing.T) {
	old := func(g *rig, mode string) detector.Record {
		r := step("a1", 2, detector.Firing, mode)
		r.Time = r.Time.Add(-9 * time.Hour)
		g.start()
		g.add(r)
		g.advance(time.Minute)
		return r
	}
	in(t, "it still fires", func(g *rig) {
		r := old(g, "auto")
		const waits = "p: what is known of the alert is 9h old: it waits until detect has caught up"
		if a := newest(g); a.State != alert.RollbackChecking || g.core.Status().Problem != waits {
			g.t.Fatalf("%s, %q: %q", a.State, g.core.Status().Problem, g.said(0))
		}
		g.add(observed(r, 1, 0.9, 50))
		g.advance(10 * time.Minute)
		if a := newest(g); a.State != alert.RollbackWatching {
			g.t.Errorf("%s: %q", a.State, g.said(0))
		}
	})
	in(t, "it is over", func(g *rig) {
		old(g, "auto")
		g.add(end("a1", 3))
		g.now()
		if a := newest(g); a.State != alert.RollbackRefused || len(g.reg.Promotions()) > 0 {
			g.t.Errorf("%s: %q", a.State, g.said(0))
		}
	})
	in(t, "a person wants it", func(g *rig) {
		r := old(g, "approve")
		approved := alert.Action(&r, detector.RollbackApproved, time.Now())
		approved.Actor = "token:jane"
		g.add(approved)
		g.now()
		if a := newest(g); a.State != alert.RollbackWatching {
			g.t.Errorf("%s: %q", a.State, g.said(0))
		}
	})
}

// Versions are compared by all of their names, and moved by what the registry calls them.
func TestNamesOfVersions(t *testing.T) {
	in(t, "3 and v3", func(g *rig) {
		reg := &named{current: 1, all: []registry.Version{{ID: "id-22", Names: []string{"22", "v22"}}, {ID: "id-23", Names: []string{"23", "v23"}}}}
		g.cfg.Registry = reg
		g.start()
		g.add(fire("a1", 2))
		g.now()
		if a := newest(g); a.State != alert.RollbackWatching || reg.current != 0 || reg.moved.To.ID != "id-22" || reg.moved.Seen.ID != "id-23" {
			g.t.Errorf("%q, %+v", g.said(0), reg)
		}
		g.add(end("a1", 3))
		g.now()
		if a := newest(g); a.State != alert.RollbackRecovered {
			g.t.Errorf("%q", g.said(0))
		}
	})
}

func TestLogsAndMetrics(t *testing.T) {
	in(t, "counted by what the records say", func(g *rig) {
		g.add(fire("a1", 2))
		g.now()
		g.add(end("a1", 3))
		g.now()
		var b strings.Builder
		g.cfg.Metrics.WritePrometheus(&b)
		for _, want := range []string{`rollbacks_total{result="rollback_proposed"} 1`, `rollbacks_total{result="rollback_promoting"} 1`,
			`rollbacks_total{result="rollback_promoted"} 1`, `rollbacks_total{result="recovered"} 1`, `rollback_waiting 0`} {
			if !strings.Contains(b.String(), "driftd_alert_"+want) {
				g.t.Errorf("no %s in %s", want, b.String())
			}
		}
	})
}

// Ten thousand alerts whose rules allow a rollback come at once.
func BenchmarkManyAttempts(b *testing.B) {
	for b.Loop() {
		g := &rig{off: map[string]bool{}}
		g.configure(&named{all: []registry.Version{{ID: "v23"}, {ID: "v22"}}})
		for i := range 10_000 {
			r := fire("a1", 2)
			r.ID, r.Rule, r.Prompt = fmt.Sprintf("a%d", i), fmt.Sprintf("r%d", i), "q"
			r.Cause = detector.CauseUnclear
			g.add(r)
		}
		for {
			at, ok := g.core.Due()
			if !ok || at.After(time.Now()) {
				break
			}
			g.core.Act(b.Context(), g)
		}
	}
}

// Callers that write 3 and callers that write v3 have one version, and promoting one in place of the other would do nothing.
func TestOneVersionByTwoNames(t *testing.T) {
	for _, mode := range []string{"auto", "approve", "dry_run"} {
		synctest.Test(t, func(t *testing.T) {
			g := newRig(t)
			reg := &named{all: []registry.Version{{ID: "3", Names: []string{"3", "v3"}}, {ID: "2", Names: []string{"2", "v2"}}}}
			g.configure(reg)
			r := step("a1", 1, detector.Firing, mode)
			r.Version, r.Previous, r.Target = "v3", "3", &detector.Target{Version: "3", Calls: 5000, Templates: 1}
			g.add(r)
			g.now()
			last := g.all[len(g.all)-1]
			if reg.current != 0 || last.Guard != "no_previous" || last.Type == detector.RollbackPromoted {
				t.Errorf("%s: %q, current is %d", mode, g.said(0), reg.current)
			}
		})
	}
}

// The topic has a year of alerts that are over; of those no more is kept than is needed to know them again.
func TestOverIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		for _, id := range []string{"a1", "a2", "b1"} {
			g.add(step(id, 1, detector.Pending, ""), step(id, 2, detector.Firing, ""))
		}
		g.add(step("c1", 1, detector.Pending, ""), end("c1", 2), end("a1", 3), end("b1", 3))
		g.add(step("b1", 2, detector.Firing, "auto")) // a repetition
		g.now()
		for id, a := range g.core.books[0].alerts {
			if fires := id == "a2"; a.firing != fires || (a.last != nil) != fires {
				t.Errorf("%s: fires %v, kept %v", id, a.firing, a.last)
			}
		}
		g.moves(0)
	})
}

// A person approves as the time to decide runs out: their record is in the log before the worker's, which has not read it yet. The
// log counts, for this worker as for all others.
func TestApprovedInTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		r := step("a1", 1, detector.Firing, "approve")
		g.add(r)
		g.advance(day - time.Minute)
		approved := alert.Action(&r, detector.RollbackApproved, time.Now())
		approved.Actor = "jane"
		at := int64(len(g.logs[0]))
		g.logs[0] = append(g.logs[0], approved) // and is on its way
		g.advance(2 * time.Minute)
		if last := g.all[len(g.all)-1]; last.Type != detector.RollbackRejected {
			t.Fatalf("%q", g.said(0))
		}
		g.core.Fold(0, alert.Entry{Offset: at, Record: approved})
		g.advance(time.Minute)
		g.moves(1)
		if a := g.attempt("a1-1"); a.State != alert.RollbackWatching || a.Decided == nil || a.Decided.Actor != "jane" {
			t.Errorf("the log says %s: %q", a.State, g.said(0))
		}
	})
}
