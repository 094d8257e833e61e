package alert

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/detector"
)

// A program is told each thing that is done about the rollback of an alert, once and in its order, whatever happens on the way; and
// nothing of one that was asked for by hand, which is of no alert.
func TestOutboxActions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // what the receiver has
		var told []string
		down := false
		r := &fakeReceiver{traits: Traits{PerAlert: true, Actions: true}}
		r.answer = func(n *Notification) error {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return errors.New("500")
			}
			for i := range n.News {
				told = append(told, fmt.Sprintf("%s-%d %s", n.News[i].ID, n.News[i].Step, n.News[i].Type))
			}
			if n.Attempt != n.Worst().Attempt {
				t.Errorf("the alert has %+v, the message %+v", n.Worst().Attempt, n.Attempt)
			}
			return nil
		}
		m := newMemLog(1)
		_, stop := m.run(t, newTestOutbox(r))
		defer func() { stop() }()
		restart := func() {
			stop()
			_, stop = m.run(t, newTestOutbox(r))
			time.Sleep(2 * time.Second)
		}
		fire := rec("a1", 2, detector.Firing, 0.8)
		fire.Rollback = "auto"
		act := func(typ detector.RecordType) detector.Record { return Action(&fire, typ, t0.Add(-time.Hour)) } // the clock of who did it is behind
		step := func(what string, want []string, rs ...detector.Record) {
			t.Helper()
			m.add(t, 0, rs...)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(told, want) {
				t.Errorf("%s: told %q, want %q", what, told, want)
			}
			told = nil
		}
		step("fires", []string{"a1-2 firing", "a1-2 rollback_proposed"}, fire, act(detector.RollbackProposed))
		step("is about to be promoted", nil, act(detector.RollbackPromoting))
		restart()
		step("promoted", []string{"a1-2 rollback_promoting", "a1-2 rollback_promoted"}, act(detector.RollbackPromoted))
		set := func(is bool) { mu.Lock(); defer mu.Unlock(); down = is }
		set(true)
		step("down", nil, act(detector.Ineffective), rec("a1", 3, detector.Resolved, 0.9))
		restart()
		set(false)
		time.Sleep(2 * time.Minute)
		step("up again", []string{"a1-3 resolved", "a1-2 ineffective"})
		restart()
		step("told all", nil)

		fire = rec("a1", 5, detector.Firing, 0.8)
		step("anew", []string{"a1-5 firing"}, fire)
		hand := detector.Record{ID: "h1", Step: 1, Type: detector.RollbackRequested, Time: t0, Prompt: fire.Prompt, Version: fire.Version, Actor: "jane"}
		step("by hand", nil, hand, Action(&hand, detector.RollbackPromoted, t0))
		ack := Action(&fire, detector.Acknowledged, t0)
		worse := rec("a1", 6, detector.Firing, 0.79)
		step("worse, and somebody is on it", []string{"a1-6 firing", "a1-5 rollback_refused"}, ack, act(detector.RollbackRefused), worse)

		fire = rec("a1", 8, detector.Firing, 0.8)
		step("over", []string{"a1-7 resolved"}, rec("a1", 7, detector.Resolved, 0.9))
		step("a third time", []string{"a1-8 firing", "a1-8 rollback_promoted"}, fire, act(detector.RollbackPromoted))
		step("over again", []string{"a1-9 resolved"}, rec("a1", 9, detector.Resolved, 0.9))
		restart()
		step("and recovered later", []string{"a1-8 recovered"}, act(detector.Recovered))
	})
}
