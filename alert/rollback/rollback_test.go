package rollback

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeregistry"
)

const proposed = "rollback_proposed: promote v22 in place of v23"

// in runs a test on a clock that stands still while nobody waits.
func in(t *testing.T, name string, f func(g *rig)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := newRig(t)
			g.t = t
			f(g)
		})
	})
}

func TestRollback(t *testing.T) {
	in(t, "fires, is promoted, recovers", func(g *rig) {
		g.add(fire("a1", 2))
		g.settle()
		g.expect("promoted", proposed, "rollback_promoted")
		g.promoted(1)
		if p := g.reg.Promotions()[0]; p.Alert != "a1" || p.Key != "a1-2" || p.From != "v23" || p.To != "v22" || p.Reason != "driftd: a fires for v23 (1)" {
			g.t.Errorf("promotion %+v", p)
		}
		g.add(end("a1", 3))
		g.settle()
		g.expect("recovered", proposed, "rollback_promoted", "recovered")
		g.start()
		g.settle()
		g.expect("after a restart", proposed, "rollback_promoted", "recovered")
		var b strings.Builder
		g.cfg.Metrics.WritePrometheus(&b)
		for _, want := range []string{`{result="rollback_proposed"} 1`, `{result="rollback_promoted"} 1`, `{result="recovered"} 1`} {
			if !strings.Contains(b.String(), "driftd_alert_rollbacks_total"+want) {
				g.t.Errorf("no %s in %s", want, b.String())
			}
		}
	})
	in(t, "no rule allows it", func(g *rig) {
		g.add(step("a1", 2, detector.Firing, ""))
		g.settle()
		g.expect("nothing")
	})
	in(t, "pending is not firing", func(g *rig) {
		g.add(step("a1", 1, detector.Pending, "auto"))
		g.settle()
		g.expect("nothing")
	})
	in(t, "cohorts make one", func(g *rig) {
		g.add(fire("a1", 2), fire("a2", 2), fire("a", 2))
		g.settle()
		g.add(fire("a3", 2), end("a1", 3), end("a2", 3))
		g.settle()
		g.expect("one promotion, not over yet", proposed, "rollback_promoted")
		g.promoted(1)
		g.add(end("a", 3), end("a3", 3))
		g.settle()
		g.expect("all are over", proposed, "rollback_promoted", "recovered")
	})
	in(t, "several rules make one", func(g *rig) {
		g.add(fire("a1", 2), fire("b1", 2))
		g.settle()
		at := time.Now().UTC().Format("15:04")
		g.expect("the second is refused", proposed, "rollback_promoted", proposed,
			"rollback_refused: already_promoted: v22 was promoted in place of v23 at "+at+" UTC (a)")
		g.promoted(1)
	})
	in(t, "once while it fires", func(g *rig) {
		g.add(fire("a1", 2))
		g.settle()
		g.reg.Set("p", "v23") // a person wants it back
		g.add(fire("a1", 3), fire("a1", 2))
		time.Sleep(2 * time.Hour)
		g.settle()
		g.start()
		g.settle()
		g.promoted(1)
	})
	in(t, "again when it fires anew after the cooldown", func(g *rig) {
		g.add(fire("a1", 2))
		g.settle()
		g.add(end("a1", 3))
		g.settle()
		g.reg.Set("p", "v23")
		time.Sleep(2 * time.Hour)
		g.add(fire("a1", 5))
		g.settle()
		g.expect("two rounds", proposed, "rollback_promoted", "recovered", proposed, "rollback_promoted")
		g.promoted(2)
	})
	in(t, "dry run and approve only say so", func(g *rig) {
		g.add(step("a1", 2, detector.Firing, "dry_run"), step("b1", 2, detector.Firing, "approve"))
		g.settle()
		g.expect("said", "rollback_proposed: Dry run: would promote v22 in place of v23",
			"rollback_proposed: Proposed: promote v22 in place of v23; a person decides")
		if ops := g.ops; slices.Contains(ops, "read") || slices.Contains(ops, "promote") {
			g.t.Errorf("calls %v", ops)
		}
	})
	in(t, "old news", func(g *rig) {
		g.log = append(g.log, fire("a1", 2))
		g.core.Begin(0, 1)
		g.core.Fold(0, alert.Entry{Offset: 0, Record: g.log[0]})
		g.core.Live(0)
		g.settle()
		g.expect("below the committed offset")
	})
	in(t, "over before it began", func(g *rig) {
		g.add(fire("a1", 2), end("a1", 3))
		g.settle()
		g.expect("nothing")
	})
}

func TestGuards(t *testing.T) {
	refused := func(name, why string, arrange func(g *rig)) {
		t.Helper()
		in(t, name, func(g *rig) {
			arrange(g)
			g.settle()
			got := g.actions()
			if len(got) == 0 || got[len(got)-1] != "rollback_refused: "+why {
				g.t.Errorf("got %q, want %q", got, why)
			}
			before := len(got)
			g.start()
			g.settle()
			if len(g.actions()) != before {
				g.t.Errorf("after a restart %q", g.actions())
			}
			g.promoted(0)
		})
	}
	auto := func(g *rig) { g.add(fire("a1", 2)) }
	refused("kill switch", "kill_switch: rollbacks are switched off in the config", func(g *rig) {
		g.cfg.Enabled = false
		g.start()
		auto(g)
	})
	refused("no registry", "no_registry: no registry is configured", func(g *rig) {
		g.cfg.Registry = nil
		g.start()
		auto(g)
	})
	refused("no previous", "no_previous: the version before v23 is not known", func(g *rig) {
		r := fire("a1", 2)
		r.Previous = ""
		g.add(r)
	})
	refused("itself", "no_previous: the version before v23 is not known", func(g *rig) {
		r := fire("a1", 2)
		r.Previous = "v23"
		g.add(r)
	})
	refused("target fires", "target_firing: v22 is firing itself (b)", func(g *rig) {
		r := step("b1", 2, detector.Firing, "")
		r.Version = "v22"
		g.add(r)
		auto(g)
	})
	refused("not current", "not_current: v24 is current in the registry, not v23", func(g *rig) {
		g.reg.Set("p", "v24")
		auto(g)
	})
	refused("somebody was faster", "not_current: v22 is current in the registry, not v23", func(g *rig) {
		g.reg.Set("p", "v22")
		auto(g)
	})
	refused("unknown target", "unknown_target: the registry has no version v21", func(g *rig) {
		r := fire("a1", 2)
		r.Previous = "v21"
		g.add(r)
	})

	// What the alert says of its cause, and of what kind it is.
	say := func(name, why string, change func(r *detector.Record)) {
		t.Helper()
		refused(name, why, func(g *rig) {
			r := fire("a1", 2)
			change(&r)
			g.add(r)
		})
	}
	cause := func(c detector.Cause) func(r *detector.Record) { return func(r *detector.Record) { r.Cause = c } }
	say("everything moved", "everything_moved: v23 is not alone: other versions, or other prompts on its model, moved too", cause(detector.CauseEverything))
	say("unclear", "cause_unclear: it is not clear that v23 is the cause", cause(detector.CauseUnclear))
	say("no cause", "cause_unclear: it is not clear that v23 is the cause", cause(""))
	say("a cause that nobody knows", "cause_unclear: it is not clear that v23 is the cause", cause("the moon"))
	say("model", "model_changed: the model under v23 changed, and promoting v22 does not bring the old one back", cause(detector.CauseModelSnapshot))
	for _, kind := range []string{"volume", "shape", "change", "traffic_share"} {
		say(kind, "advisory: rules of the kind "+kind+" never roll back", func(r *detector.Record) { r.Kind = kind })
	}
	in(t, "one cohort is no reason to refuse", func(g *rig) {
		r := fire("a1", 2)
		r.Cause = detector.CauseOneCohort
		g.add(r)
		g.settle()
		g.promoted(1)
	})
	in(t, "a cohort that is clear after one that is not", func(g *rig) {
		r := fire("a1", 2)
		r.Cause = detector.CauseUnclear
		g.add(r)
		g.settle()
		g.add(fire("a2", 2), fire("a3", 2))
		g.settle()
		why := "rollback_refused: cause_unclear: it is not clear that v23 is the cause"
		g.expect("refused, then promoted once", proposed, why, proposed, "rollback_promoted")
		g.add(end("a1", 3), end("a2", 3), end("a3", 3))
		g.start()
		g.settle()
		g.expect("after a restart", proposed, why, proposed, "rollback_promoted", "recovered")
		g.promoted(1)
	})
	in(t, "both at once", func(g *rig) {
		r := fire("a1", 2)
		r.Cause = detector.CauseEverything
		g.add(r, fire("a2", 2))
		g.settle()
		g.expect("the clear one counts", proposed, "rollback_promoted")
	})
	in(t, "one that is not clear after one that is", func(g *rig) {
		g.reg.Set("p", "v24")
		r := fire("a2", 2)
		r.Cause = detector.CauseUnclear
		g.add(fire("a1", 2), r)
		g.settle()
		g.expect("it makes no attempt of its own", proposed, "rollback_refused: not_current: v24 is current in the registry, not v23")
	})
	in(t, "dry run tells that the cause would refuse", func(g *rig) {
		r := step("a1", 2, detector.Firing, "dry_run")
		r.Cause = detector.CauseEverything
		g.add(r)
		g.settle()
		g.expect("said", "rollback_proposed: Would not promote: v23 is not alone: other versions, or other prompts on its model, moved too")
	})
	in(t, "a target that only lingers", func(g *rig) {
		r := step("b1", 2, detector.Firing, "")
		r.Version, r.Kind = "v22", "traffic_share"
		g.add(r, fire("a1", 2))
		g.settle()
		g.promoted(1)
	})
	in(t, "cooldown", func(g *rig) {
		g.add(fire("a1", 2))
		g.settle()
		time.Sleep(10 * time.Minute)
		g.reg.Set("p", "v24")
		r := fire("c1", 2)
		r.Version, r.Previous = "v24", "v22"
		g.add(r)
		g.settle()
		got := g.actions()
		if want := "rollback_refused: cooldown: v22 was promoted 10m0s ago, rollbacks of a prompt are 1h0m0s apart"; got[len(got)-1] != want {
			g.t.Errorf("got %q", got)
		}
		g.promoted(1)
	})
	in(t, "a target without traffic is none that fires", func(g *rig) {
		r := step("b1", 2, detector.Firing, "")
		r.Version, r.Kind = "v22", "volume"
		g.add(r)
		g.add(fire("a1", 2))
		g.settle()
		g.promoted(1)
	})
	in(t, "a target that fired once", func(g *rig) {
		r := step("b1", 2, detector.Firing, "")
		r.Version = "v22"
		e := step("b1", 3, detector.Resolved, "")
		e.Version = "v22"
		g.add(r, e, fire("a1", 2))
		g.settle()
		g.promoted(1)
	})
	in(t, "dry run tells what would refuse", func(g *rig) {
		g.cfg.Enabled = false
		g.start()
		g.add(step("a1", 2, detector.Firing, "dry_run"))
		g.settle()
		g.expect("said", "rollback_proposed: Would not promote: rollbacks are switched off in the config")
	})
}

func TestRegistryFaults(t *testing.T) {
	in(t, "down for a while", func(g *rig) {
		for range 5 {
			g.reg.Fail(fakeregistry.Fault{Method: "GET", Status: 503})
		}
		begin := time.Now()
		g.add(fire("a1", 2))
		g.settle()
		g.expect("in the end", proposed, "rollback_promoted")
		if d := time.Since(begin); d < 20*time.Second || d > 40*time.Second {
			g.t.Errorf("waited %v over five failures", d)
		}
	})
	in(t, "status while down", func(g *rig) {
		g.reg.Fail(fakeregistry.Fault{Method: "GET", Status: 503})
		g.add(fire("a1", 2))
		g.core.Act(g.t.Context(), g)
		g.core.Act(g.t.Context(), g)
		if s := g.core.Status(); s.Problem != "the registry answered 503" || s.Outstanding != 1 {
			g.t.Errorf("status %+v", s)
		}
		if off, ok := g.core.Outstanding(0); !ok || off != 0 {
			g.t.Errorf("outstanding %d %v", off, ok)
		}
		g.settle()
		if s := g.core.Status(); s.Problem != "" || s.Outstanding != 0 {
			g.t.Errorf("status %+v", s)
		}
	})
	in(t, "time-out after promoting", func(g *rig) {
		g.reg.Fail(fakeregistry.Fault{Method: "POST", Late: true})
		g.add(fire("a1", 2))
		g.settle()
		g.expect("found by reading back", proposed, "rollback_promoted: already current")
		g.promoted(1)
	})
	in(t, "time-out before promoting", func(g *rig) {
		g.reg.Fail(fakeregistry.Fault{Method: "POST"}, fakeregistry.Fault{Method: "POST", Status: 500})
		g.add(fire("a1", 2))
		g.settle()
		g.expect("promoted by the third", proposed, "rollback_promoted")
		g.promoted(1)
	})
	in(t, "a person moves it while we wait", func(g *rig) {
		g.reg.Fail(fakeregistry.Fault{Method: "POST", Status: 500})
		g.add(fire("a1", 2))
		for !slices.Contains(g.ops, "promote") {
			g.core.Act(g.t.Context(), g)
		}
		g.reg.Set("p", "v24")
		g.settle()
		g.expect("stands down", proposed, "rollback_refused: not_current: v24 is current in the registry, not v23")
	})
	in(t, "a person moves it between reading and promoting", func(g *rig) {
		g.cfg.Registry = meddler{g.cfg.Registry, func() { g.reg.Set("p", "v24") }}
		g.start()
		g.add(fire("a1", 2))
		g.settle()
		g.expect("409", proposed, "rollback_refused: not_current: v24 is current in the registry, not v23")
		if calls := g.reg.Calls(); !slices.Contains(calls, "POST 409") {
			g.t.Errorf("calls %v", calls)
		}
		g.promoted(0)
	})
	in(t, "it says yes and does not", func(g *rig) {
		g.cfg.Registry = liar{g.cfg.Registry}
		g.start()
		g.add(fire("a1", 2))
		g.settle()
		g.expect("found out", proposed, "rollback_failed: the registry answered yes, but v23 is current")
	})
	in(t, "over while the registry was down", func(g *rig) {
		for range 50 {
			g.reg.Fail(fakeregistry.Fault{Method: "GET", Status: 503})
		}
		g.add(fire("a1", 2))
		g.core.Act(g.t.Context(), g)
		g.core.Act(g.t.Context(), g)
		g.add(end("a1", 3))
		g.settle()
		g.expect("too late", proposed, "rollback_refused: resolved: the alert is over")
		g.promoted(0)
	})
	in(t, "it does not know us", func(g *rig) {
		g.reg.Fail(fakeregistry.Fault{Method: "GET", Status: 401})
		var said strings.Builder
		g.cfg.Log = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelError}))
		g.start()
		g.add(fire("a1", 2))
		g.settle()
		if !strings.Contains(said.String(), "level=ERROR msg=rollback result=rollback_failed prompt=p version=v23 target=v22") {
			t.Errorf("no error is logged: %q", said.String())
		}
		g.expect("given up", proposed, `rollback_failed: read current version of "p": the registry answered 401: fault`)
	})
	in(t, "the log is down", func(g *rig) {
		g.deaf = 3
		g.add(fire("a1", 2))
		g.settle()
		g.deaf = 0
		g.expect("promoted once it is back", proposed, "rollback_promoted")
		g.promoted(1)
	})
}

// Whatever call the process dies at, before or after it had its effect: the next one finishes the job, and the registry
// is moved once.
func TestCrashes(t *testing.T) {
	const ops = 5 // append proposed, read, promote, read, append promoted
	for at := 1; at <= ops; at++ {
		for _, after := range []bool{false, true} {
			in(t, fmt.Sprintf("op %d after=%v", at, after), func(g *rig) {
				g.dieAt, g.dieAfter = at, after
				g.add(fire("a1", 2), fire("a2", 2))
				g.settle()
				if !g.dead {
					g.t.Fatalf("did not die in %q", g.ops)
				}
				g.start()
				g.settle()
				got := g.actions()
				if last := got[len(got)-1]; !strings.HasPrefix(last, "rollback_promoted") {
					g.t.Errorf("died at %s: %q", g.ops[at-1], got)
				}
				g.promoted(1)
				if g.reg.Current("p") != "v22" {
					g.t.Error("v22 is not current")
				}
				// And once more, with everything known.
				g.add(end("a1", 3), end("a2", 3))
				g.start()
				g.settle()
				got = g.actions()
				if got[len(got)-1] != "recovered" {
					g.t.Errorf("at the end: %q", got)
				}
				n := len(g.log)
				g.start()
				g.settle()
				if len(g.log) != n {
					g.t.Errorf("a restart added %q", g.actions()[n:])
				}
			})
		}
	}
}

// A crash with the alert over when the next worker looks: done is done, and nothing is begun.
func TestCrashThenOver(t *testing.T) {
	in(t, "promoted before the crash", func(g *rig) {
		g.dieAt, g.dieAfter = 3, true
		g.add(fire("a1", 2))
		g.settle()
		g.add(end("a1", 3))
		g.start()
		g.settle()
		g.expect("found, and recovered", proposed, "rollback_promoted: already current", "recovered")
		g.promoted(1)
	})
	in(t, "not promoted before the crash", func(g *rig) {
		g.dieAt = 3
		g.add(fire("a1", 2))
		g.settle()
		g.add(end("a1", 3))
		g.start()
		g.settle()
		g.expect("not begun", proposed, "rollback_refused: resolved: the alert is over")
		g.promoted(0)
	})
	in(t, "the target began to fire", func(g *rig) {
		g.dieAt = 3
		g.add(fire("a1", 2))
		g.settle()
		r := step("b1", 2, detector.Firing, "")
		r.Version = "v22"
		g.add(r)
		g.start()
		g.settle()
		g.expect("refused", proposed, "rollback_refused: target_firing: v22 is firing itself (b)")
	})
}
