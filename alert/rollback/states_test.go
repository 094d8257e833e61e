package rollback

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/detector"
)

// TestStates comes to each state once, by each way that leads there, and prints the table:
//
//	go test ./alert/rollback -run TestStates -v
func TestStates(t *testing.T) {
	type way struct {
		state       alert.RollbackState
		how, script string
	}
	ways := []way{
		{alert.RollbackProposed, "dry run", "fire a1 dry_run"},
		{alert.RollbackProposed, "dry run, a guard would refuse", "fire a1 dry_run cause=unclear"},
		{alert.RollbackWaiting, "approve", "fire a1 approve budget=1/30d"},
		{alert.RollbackWaiting, "approve until auto_after has passed", "fire a1 approve autofrom=2160h"},
		{alert.RollbackWaiting, "reminded", "fire a1 approve\nadvance 61m"},
		{alert.RollbackChecking, "approved, and the registry is down", "fire a1 approve\ndown\napprove a1 by=jane"},
		{alert.RollbackPromoting, "the registry was asked, and gives no answer", "before down\nfail POST late\nfire a1"},
		{alert.RollbackVerifying, "the registry said yes, and is down", "before down\nfire a1"},
		{alert.RollbackWatching, "auto", "fire a1"},
		{alert.RollbackWatching, "the version goes on being called", "fire a1\nadvance 3m\nobserve a1 share=0.4 target=0.9 n=50"},
		{alert.RollbackRecovered, "the share falls, the target is well", "fire a1\nadvance 2m\nobserve a1 share=0.01 target=0.9 n=50"},
		{alert.RollbackRecovered, "the alert is over", "fire a1\nend a1"},
		{alert.RollbackRecovered, "by hand, and held", "request p from=v23 to=v22 by=jane\nadvance 2m"},
		{alert.RollbackRecovered, "a time-out after it was done", "fail POST late\nfire a1\nadvance 2m\nend a1"},
		{alert.RollbackIneffective, "the version lingers", "fire a1\nadvance 59m\nobserve a1 share=0.37 target=0.9 n=50\nadvance 1m"},
		{alert.RollbackIneffective, "the target is no better", "fire a1\nadvance 59m\nobserve a1 share=0 target=0.8 n=50\nadvance 1m"},
		{alert.RollbackIneffective, "nothing is seen any more", "fire a1\nadvance 2h"},
		{alert.RollbackRefused, "by a guard", "fire a1 cause=everything_moved:_not_the_prompt"},
		{alert.RollbackRefused, "a person was faster", "before p v24\nfire a1"},
		{alert.RollbackRefused, "a person set it back", "fire a1\nset p v23\nadvance 1m"},
		{alert.RollbackRefused, "withdrawn: the alert is over", "fire a1 approve\nend a1"},
		{alert.RollbackRefused, "withdrawn: a person promoted another", "fire a1 approve\nset p v24\nmoved p v24 from=v23 by=jane"},
		{alert.RollbackRejected, "by a person", "fire a1 approve\nreject a1 by=bob why=not_now"},
		{alert.RollbackRejected, "nobody decided", "fire a1 approve\nadvance 25h"},
		{alert.RollbackFailed, "the registry does not let us in", "fail GET 401\nfire a1"},
		{alert.RollbackFailed, "it says yes and does nothing", "registry lies=yes\nfire a1\nadvance 1m"},
	}
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-12s %-45s %s\n", "state", "how", "what the newest record says")
	for _, way := range ways {
		synctest.Test(t, func(t *testing.T) {
			s := &script{rig: newRig(t), steps: map[string]int{}, last: map[string]detector.Record{}}
			s.block(way.script)
			a := newest(s.rig)
			if a == nil || a.State != way.state {
				t.Errorf("%s: %q leads to %+v", way.state, way.how, s.said(0))
				return
			}
			last := s.attempt(a.ID()).Last
			says := string(last.Type)
			if last.Guard != "" {
				says += ", " + last.Guard
			}
			if last.Reason != "" {
				says += ": " + last.Reason
			}
			if last.Actor != "driftd" {
				says += " (" + last.Actor + ")"
			}
			fmt.Fprintf(&table, "%-12s %-45s %s\n", a.State, way.how, says)
		})
	}
	t.Log(table.String())
	for _, s := range []alert.RollbackState{alert.RollbackProposed, alert.RollbackWaiting, alert.RollbackChecking, alert.RollbackPromoting, alert.RollbackVerifying,
		alert.RollbackWatching, alert.RollbackRecovered, alert.RollbackIneffective, alert.RollbackRefused, alert.RollbackRejected, alert.RollbackFailed} {
		if !slices.ContainsFunc(ways, func(w way) bool { return w.state == s }) {
			t.Errorf("no way leads to %s", s)
		}
	}
}

// newest is the attempt that came last, as its core knows it.
func newest(g *rig) (found *attempt) {
	for _, b := range g.core.books {
		for _, a := range b.attempts {
			if found == nil || a.offset > found.offset {
				found = a
			}
		}
	}
	return found
}

// Each guard refuses in some script, and by no other name does anything.
func TestEachGuardIsTried(t *testing.T) {
	names := map[string]bool{}
	for _, g := range Guards() {
		if g.Doc == "" || names[g.Name] {
			t.Errorf("guard %q has no description, or stands twice", g.Name)
		}
		names[g.Name] = false
	}
	for _, r := range refusals(t) {
		if _, ok := names[r]; !ok {
			t.Errorf("%q refused, and is no guard", r)
		}
		names[r] = true
	}
	for name, tried := range names {
		if !tried {
			t.Errorf("no script shows how %s refuses", name)
		}
	}
}

// slowReader is a registry whose readers lag behind its writers.
type slowReader struct {
	Registry
	old  registry.Version
	left *int
}

func (s slowReader) Current(ctx context.Context, prompt string) (registry.Version, error) {
	if *s.left > 0 {
		*s.left--
		return s.old, nil
	}
	return s.Registry.Current(ctx, prompt)
}

func TestRegistryThatLags(t *testing.T) {
	in(t, "two readings", func(g *rig) {
		left := 4 // the two before the move, and two after
		g.cfg.Registry = slowReader{g.cfg.Registry, registry.Version{ID: "v23"}, &left}
		g.start()
		g.add(fire("a1", 2))
		g.advance(10 * time.Second)
		if a := newest(g); a.State != alert.RollbackWatching {
			g.t.Errorf("%q", g.said(0))
		}
		g.moves(1)
	})
}

// refusals are the guards of all refusals that stand in the scripts.
func refusals(t *testing.T) (names []string) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`rollback_refused -> refused: ([a-z_]+): `).FindAllStringSubmatch(string(data), -1) {
			names = append(names, found[1])
		}
	}
	return names
}
