package alert

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/outbound"
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

// A process that stood still sends nothing before it knows that it has its partitions still: not what it was about to, nor the rest of
// what it was at.
func TestLoopStoodStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, r := newMemLog(1), &fakeReceiver{}
		var mine atomic.Bool
		mine.Store(true)
		c := checkedClaim{mine.Load}
		l := newLoop(newTestOutbox(r), 500*time.Millisecond)
		l.append, l.vigil = m.append, newVigil(15*time.Second)
		go l.run(t.Context())
		l.events <- event{kind: began, ctx: t.Context(), claim: c, next: -1}
		l.events <- event{kind: caught}
		time.Sleep(6 * time.Second)
		tell := func(offset int64, step int, of detector.RecordType) {
			rec := rec("a1", step, of, 0.8)
			l.events <- event{kind: read, next: offset + 1, entry: &Entry{Offset: offset, Record: rec}}
			time.Sleep(time.Second)
		}
		tell(0, 2, detector.Firing)
		expect(t, "awake", r.take(), "a/v2 1 2 firing")
		mine.Store(false)
		time.Sleep(time.Minute) // nobody keeps the vigil
		tell(2, 3, detector.Resolved)
		expect(t, "not asked yet", r.take())
		if l.vigil.sure() {
			t.Error("it is sure")
		}
		mine.Store(true)
		time.Sleep(time.Second)
		expect(t, "asked", r.take(), "a/v2 (m1) 1 3 resolved")
		ctx := l.whileSure(t.Context())
		time.Sleep(time.Minute)
		if _, err := outbound.NewTransport(outbound.Guard{}).RoundTrip(httptest.NewRequestWithContext(ctx, "POST", "http://127.0.0.1:1/", nil)); err != outbound.ErrHeld {
			t.Errorf("the rest is sent: %v", err)
		}
	})
}

// checkedClaim refuses commits of who is not the owner.
type checkedClaim struct{ mine func() bool }

func (c checkedClaim) Commit(context.Context, int64) error {
	if !c.mine() {
		return errors.New("not the owner")
	}
	return nil
}
