package alert

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/detector"
)

// An outbox waits for partitions that cannot be read, but not for ever; one that must know all waits until they can be.
func TestLoopWaitsForAllPartitions(t *testing.T) {
	for _, whole := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m, r := newMemLog(3), &fakeReceiver{}
			m.whole, m.late = whole, map[int]chan struct{}{2: make(chan struct{})}
			m.add(t, 0, rec("a1", 2, detector.Firing, 0.8))
			l, stop := m.run(t, newTestOutbox(r))
			defer stop()
			time.Sleep(29 * time.Second)
			expect(t, "before", r.take())
			if s := l.state.Load(); s.Problem != "" || !s.Active {
				t.Errorf("status %+v", s)
			}
			time.Sleep(10 * time.Second)
			says := l.state.Load().Problem
			if whole {
				expect(t, "must know all", r.take())
				if says != "does nothing without 1 of 3 partitions of the alerts topic that cannot be read (see to their brokers)" {
					t.Errorf("problem %q", says)
				}
			} else {
				expect(t, "goes on", r.take(), "a/v2 1 2 firing")
				if !strings.HasPrefix(says, "goes on without 1 of 3 partitions") {
					t.Errorf("problem %q", says)
				}
			}
			time.Sleep(time.Hour)
			expect(t, "an hour", r.take())
			close(m.late[2])
			m.add(t, 2, rec("c1", 2, detector.Firing, 0.8))
			time.Sleep(time.Second)
			want := []string{"c/v2 1 2 firing"}
			if whole {
				want = []string{"a/v2 1 2 firing", "c/v2 1 2 firing"}
			}
			expect(t, "when it can be read", r.take(), want...)
			if s := l.state.Load(); s.Problem != "" {
				t.Errorf("status %+v", s)
			}
		})
	}
}
