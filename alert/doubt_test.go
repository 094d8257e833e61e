package alert

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/detector"
)

// Before anything is told it is committed that this may be so, by the first worker of all too: when it is killed before it can record
// what it told, the next one tells the end.
func TestFirstOfAllCommitsBeforeItTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemLog(2)
		r := &fakeReceiver{traits: Traits{PerAlert: true}}
		var before []int64
		r.answers(func(*Notification) error {
			_, at := m.of(1)
			before = append(before, at)
			return nil
		})
		_, stop := m.run(t, newTestOutbox(r))
		m.add(t, 1, rec("a", 1, detector.Firing, 0))
		time.Sleep(2 * time.Second)
		stop()
		if len(before) != 1 || before[0] != 0 {
			t.Fatalf("committed %v when it was told, want 0", before)
		}
	})
}
