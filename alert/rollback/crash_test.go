package rollback

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/detector"
)

// in runs a test on a clock that stands still while nobody waits.
func in(t *testing.T, name string, f func(g *rig)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(newRig(t)) })
	})
}

// paths are rollbacks from their first record to the last, by what comes from outside.
var paths = []struct {
	name, id string
	steps    []func(g *rig)
}{
	{"auto", "a1-2", []func(g *rig){
		func(g *rig) { g.add(fire("a1", 2), fire("a2", 2)) },
		func(g *rig) { g.advance(2 * time.Minute) },
		func(g *rig) {
			g.add(observed(fire("a1", 2), 0.01, 0.92, 80), observed(fire("a2", 2), 0.01, 0.92, 80))
		},
		func(g *rig) { g.add(end("a1", 3), end("a2", 3)) },
	}},
	{"approve", "a1-2", []func(g *rig){
		func(g *rig) { g.add(step("a1", 2, detector.Firing, "approve")) },
		func(g *rig) { g.advance(70 * time.Minute) },
		func(g *rig) { g.add(decision(g, "a1-2", detector.RollbackApproved, "jane")) },
		func(g *rig) { g.advance(2 * time.Minute) },
		func(g *rig) { g.add(end("a1", 3)) },
	}},
	{"by hand", "r-1", []func(g *rig){
		func(g *rig) {
			g.add(detector.Record{ID: "r", Step: 1, Type: detector.RollbackRequested, Time: time.Now(), Prompt: "p", Version: "v23", Previous: "v22", Actor: "jane"})
		},
		func(g *rig) { g.advance(5 * time.Minute) },
	}},
}

func decision(g *rig, id string, typ detector.RecordType, who string) detector.Record {
	a := g.attempt(id)
	r := alert.Action(&a.Step, typ, time.Now())
	r.Actor = who
	return r
}

// Whatever call the process dies at, before or after it had its effect: the next one finishes the job, and the registry is asked
// to move the label once.
func TestCrashes(t *testing.T) {
	for _, p := range paths {
		walk := func(g *rig, dieAt int, after bool) (died bool) {
			g.dieAt, g.dieAfter, g.forgets = dieAt, after, true
			for _, step := range p.steps {
				step(g)
				g.now()
				if g.dead {
					died = true
					g.start()
					g.now()
				}
			}
			g.advance(10 * time.Minute)
			return died
		}
		points := 0
		in(t, p.name, func(g *rig) {
			walk(g, 0, false)
			points = len(g.ops)
			t.Logf("%s: %d points: %s", p.name, points, strings.Join(g.ops, ", "))
		})
		for at := 1; at <= points; at++ {
			for _, after := range []bool{false, true} {
				in(t, fmt.Sprintf("%s dies at %d after=%v", p.name, at, after), func(g *rig) {
					if !walk(g, at, after) {
						g.t.Fatalf("did not die in %q", g.ops)
					}
					a := g.attempt(p.id)
					if a.State != alert.RollbackRecovered {
						g.t.Errorf("died at %q: %s, %q", g.ops[at-1], a.State, g.said(0))
					}
					posts := 0
					for _, call := range g.reg.Calls() {
						if strings.HasPrefix(call, "POST") {
							posts++
						}
					}
					if posts != 1 || g.reg.Current("p") != "v22" {
						g.t.Errorf("died at %q: asked %d times, %s is current", g.ops[at-1], posts, g.reg.Current("p"))
					}
					n := len(g.all)
					g.start()
					g.advance(time.Hour)
					if len(g.all) != n {
						g.t.Errorf("a restart added %q", g.said(n))
					}
				})
			}
		}
	}
}

// A crash with a promotion under way, and the world another one when the next worker looks.
func TestCrashThenOther(t *testing.T) {
	promoting := func(g *rig, done bool) int {
		g.dieAt, g.dieAfter, g.forgets = 5, done, true // proposed, read, promoting, read, promote
		g.add(fire("a1", 2))
		g.now()
		if last := g.ops[len(g.ops)-1]; last != "promote" {
			g.t.Fatalf("died at %s", last)
		}
		return len(g.all)
	}
	expect := func(g *rig, n int, moves int, want ...string) {
		g.t.Helper()
		g.start()
		g.now()
		if got := g.said(n); strings.Join(got, "|") != strings.Join(want, "|") {
			g.t.Errorf("got %q, want %q", got, want)
		}
		g.moves(moves)
	}
	in(t, "over, and promoted", func(g *rig) {
		n := promoting(g, true)
		g.add(end("a1", 3))
		expect(g, n, 1, "rollback_promoted: found by reading back", "recovered: the alert is over")
	})
	in(t, "over, and not promoted", func(g *rig) {
		n := promoting(g, false)
		g.add(end("a1", 3))
		expect(g, n, 0, "rollback_refused: the alert is over [resolved]")
	})
	in(t, "the target began to fire", func(g *rig) {
		n := promoting(g, false)
		r := step("b1", 2, detector.Firing, "")
		r.Version = "v22"
		g.add(r)
		expect(g, n, 0, "rollback_refused: v22 is firing itself (b) [target_firing]")
	})
	in(t, "switched off", func(g *rig) {
		n := promoting(g, false)
		g.cfg.Enabled = false
		expect(g, n, 0, "rollback_refused: rollbacks are switched off in the config [kill_switch]")
	})
	in(t, "a person has promoted another", func(g *rig) {
		n := promoting(g, true)
		g.reg.Set("p", "v24")
		expect(g, n, 1, "rollback_refused: v24 is current in the registry, not v23: driftd stands down [not_current]")
	})
	in(t, "a person has set it back", func(g *rig) {
		n := promoting(g, true)
		g.reg.Set("p", "v23")
		time.Sleep(time.Second)
		g.add(detector.Record{ID: "m", Step: 1, Type: detector.RegistryPromoted, Time: time.Now(), Prompt: "p", Version: "v23", Previous: "v22", Actor: "jane"})
		expect(g, n, 1, "registry_promoted", "rollback_refused: v23 was set back after v22 was promoted (jane promoted it at 00:00 UTC): driftd stands down [set_back]")
	})
	in(t, "a person has set it back, says the history", func(g *rig) {
		g.traits.History = true
		n := promoting(g, true)
		g.reg.Set("p", "v23")
		g.history = []registry.Change{{To: "v23", From: "v22", At: time.Now().Add(time.Second)}}
		expect(g, n, 1, "rollback_refused: v23 was set back after v22 was promoted: driftd stands down [set_back]")
	})
}

// FuzzInterleaving lets two people, the registry's users, faults, crashes and time come in any order. Each attempt moves the label
// at most once, never without the say that it needs, never after a rejection, and only away from the version that is bad.
func FuzzInterleaving(f *testing.F) {
	for seed := range uint64(20) {
		var b []byte
		for rng := rand.New(rand.NewPCG(seed, 7)); len(b) < 60; {
			b = binary.LittleEndian.AppendUint64(b, rng.Uint64())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		synctest.Test(t, func(t *testing.T) { interleave(newRig(t), ops[:min(len(ops), 80)]) })
	})
}

// TestInterleavings is the fuzz target on many orders.
func TestInterleavings(t *testing.T) {
	moved := 0
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			ops := make([]byte, 60)
			for i := range ops {
				ops[i] = byte(rng.Uint32())
			}
			g := newRig(t)
			interleave(g, ops)
			moved += len(g.reg.Promotions())
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
	}
	if moved < 50 {
		t.Errorf("only %d moves in all: this proves little", moved)
	}
}

func interleave(g *rig, ops []byte) {
	g.cfg.Cooldown, g.cfg.PromptPerDay, g.cfg.FleetPerDay, g.cfg.Horizon = time.Minute, 50, 50, 2*time.Minute
	g.cfg.ApproveWithin, g.cfg.RemindAfter = time.Hour, 10*time.Minute
	g.forgets = true
	g.start()
	moved, steps := map[string]int{}, map[string]int{}
	g.before = func(m registry.Move) {
		a := g.attempt(m.Key)
		if a.State != alert.RollbackPromoting {
			g.t.Errorf("%s: the registry is asked in state %q: %q", m.Key, a.State, g.said(0))
		}
		if a.Log[0].Rollback == "approve" && (a.Decided == nil || a.Decided.Type != detector.RollbackApproved) {
			g.t.Errorf("%s: nobody approved it: %q", m.Key, g.said(0))
		}
		if at := g.reg.Current("p"); m.Seen.ID != at || at != a.Step.Version {
			g.t.Errorf("%s: moves from %s, seen was %s, bad is %s", m.Key, at, m.Seen.ID, a.Step.Version)
		}
	}
	decide := func(typ detector.RecordType, who string) {
		for _, log := range g.logs {
			for i := len(log) - 1; i >= 0; i-- {
				if log[i].Type == detector.RollbackProposed {
					g.add(decision(g, alert.AttemptID(&log[i]), typ, who))
					return
				}
			}
		}
	}
	person := func(typ detector.RecordType) detector.Record {
		return detector.Record{ID: "x", Step: 1, Type: typ, Time: time.Now(), Actor: "jane"}
	}
	for _, op := range ops {
		id := "ab"[op>>4&1:][:1] + "1"
		switch op & 15 {
		case 0, 1:
			steps[id] = max(steps[id]+1, 2)
			g.add(step(id, steps[id], detector.Firing, []string{"approve", "auto"}[op>>5&1]))
		case 2:
			if steps[id] > 0 {
				steps[id]++
				g.add(end(id, steps[id]))
			}
		case 3:
			decide(detector.RollbackApproved, "jane")
		case 4:
			decide(detector.RollbackRejected, "bob")
		case 5:
			decide(detector.RollbackApproved, "bob")
		case 6, 7: // and the topic says so: a registry that neither does this nor has a history cannot be known to have been set back
			r := person(detector.RegistryPromoted)
			r.Prompt, r.Version = "p", "v23"
			if op&1 == 1 {
				r.Version = []string{"v22", "v23", "v24"}[op>>4%3]
			}
			g.reg.Set(r.Prompt, r.Version)
			g.add(r)
		case 8:
			r := person(detector.RollbacksStopped)
			if op>>4&1 == 1 {
				r.Prompt = "p"
			}
			g.add(r)
		case 9:
			r := person(detector.RollbacksResumed)
			g.add(r)
			r.Prompt = "p"
			g.add(r)
		case 10:
			g.dieAt, g.dieAfter = len(g.ops)+1+int(op>>4&7), op>>7 == 1
		case 11:
			g.deaf = int(op >> 4 & 3)
		case 12:
			g.down = !g.down
		case 13:
			r := person(detector.RollbackRequested)
			r.ID, r.Prompt, r.Version, r.Previous = fmt.Sprintf("r%d", len(g.all)), "p", "v23", "v22"
			g.add(r)
		case 14:
			g.advance(time.Duration(op>>4) * 20 * time.Second)
		case 15:
			g.now()
		}
		if g.dead {
			g.start()
		}
	}
	g.down, g.dieAt = false, 0
	g.advance(4 * time.Hour)
	for _, m := range g.reg.Promotions() {
		id, _, _ := strings.Cut(m.Key, "#")
		if moved[id]++; moved[id] > 1 {
			g.t.Errorf("%s moved the label %d times", id, moved[id])
		}
		if a := g.attempt(id); a.Decided != nil && a.Decided.Type == detector.RollbackRejected {
			g.t.Errorf("%s was rejected, and moved the label: %q", id, g.said(0))
		}
	}
	for _, log := range g.logs {
		for i := range log {
			if a := g.attempt(alert.AttemptID(&log[i])); a.State != "" && !a.State.Over() {
				g.t.Errorf("%s is %s in the end: %q", a.ID(), a.State, g.said(0))
			}
		}
	}
}

// Twelve prompts fire at once, five promotions are allowed in a day, and the process dies somewhere: there are five.
func TestFleetLimitOverCrashes(t *testing.T) {
	for at := 0; at <= 48; at += 3 {
		for _, after := range []bool{false, true} {
			in(t, fmt.Sprintf("dies at %d after=%v", at, after), func(g *rig) {
				g.cfg.FleetPerDay, g.forgets = 5, true
				g.start()
				g.dieAt, g.dieAfter = at, after
				for i := range 12 {
					r := fire("a1", 2)
					r.ID, r.Prompt = fmt.Sprintf("a%d", i), fmt.Sprintf("q%d", i)
					g.reg.Set(r.Prompt, "v22")
					g.reg.Set(r.Prompt, "v23")
					g.add(r)
				}
				g.now()
				if at > 0 && !g.dead {
					g.t.Fatalf("did not die in %d calls", len(g.ops))
				}
				g.start()
				g.advance(5 * time.Minute)
				g.moves(5)
			})
		}
	}
}
