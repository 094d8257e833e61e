package detector

import (
	"bytes"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/scripts"
	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// A rule that is gone is remembered for a week: within it the count goes on, behind it the count begins anew.
func TestLivesAreForgotten(t *testing.T) {
	s := &script{t: t, p: NewPartition(PartitionOptions{Windows: scriptOptions, Rules: parsed(t, fixtureRules)})}
	s.run(scripts.Block{Input: "add for=3m series=p/v1/free latency=1 n=20\nadvance 3m\n"})
	r := &rule{Rule: &rules.Rule{Alert: "A", Rollback: rules.RollbackAuto, AutoAfter: 90 * day}, group: &rules.Group{Name: "g"}}
	l := make(lives)
	if l.tick(scriptStart, []*rule{r}); len(l) != 0 {
		t.Fatal("a rule without data is live")
	}
	r.seen = s.p.engine.rules[0].seen
	there, began := []*rule{r}, scriptStart.Add(time.Hour)
	l.tick(began, there)
	now := began
	for _, c := range []struct {
		away time.Duration
		anew bool
	}{{time.Hour, false}, {liveKept, false}, {liveKept + 2*time.Hour, true}} {
		for end := now.Add(c.away); now.Before(end); {
			now = now.Add(time.Hour)
			l.tick(now, nil)
		}
		now = now.Add(time.Hour)
		state := l.save(nil)
		l = make(lives)
		if l.load(&reader{rest: state}); !bytes.Equal(l.save(nil), state) {
			t.Errorf("away for %v: saved and loaded is not the same", c.away)
		}
		if l.tick(now, there); c.anew {
			began = now
		}
		if got, from := l.allowed(now, r); got != rules.RollbackApprove || !from.Equal(began.Add(90*day)) {
			t.Errorf("away for %v: %v until %v, want approve until %v", c.away, got, from, began.Add(90*day))
		}
	}
	if got, from := l.allowed(began.Add(90*day), r); got != rules.RollbackAuto || !from.IsZero() {
		t.Errorf("after 90 days %v from %v, want auto", got, from)
	}
}

// What an older release saved is taken.
func TestRestoreOfOlderVersion(t *testing.T) {
	s := &script{t: t, p: NewPartition(PartitionOptions{Windows: scriptOptions, Rules: parsed(t, fixtureRules)})}
	s.run(scripts.Block{Input: "add for=3m series=p/v1/free latency=5 n=20\nadvance 3m\n"})
	state := saved(t, s.p)
	old := bytes.Clone(state[:len(state)-len(s.p.engine.days.save(s.p.engine.lives.save(nil)))])
	old[0] = 2
	e := NewPartition(PartitionOptions{Windows: scriptOptions, Rules: parsed(t, fixtureRules)}).engine
	if err := e.restore(old); err != nil {
		t.Fatal(err)
	}
	if len(e.alerts) == 0 || len(e.alerts) != len(s.p.engine.alerts) || len(e.lives) != 0 {
		t.Errorf("%d alerts and %d lives, want %d and none", len(e.alerts), len(e.lives), len(s.p.engine.alerts))
	}
	for _, version := range []byte{1, snapshotVersion + 1} {
		old[0] = version
		if err := NewPartition(PartitionOptions{Windows: windows.Options{}, Rules: &rules.Set{}}).engine.restore(old); err == nil {
			t.Errorf("took version %d", version)
		}
	}
}
