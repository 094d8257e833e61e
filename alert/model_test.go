package alert

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/detector"
)

// screen is a receiver as people see it: messages that are changed in place.
type screen struct {
	mu       sync.Mutex
	rnd      *rand.Rand
	down     float64 // chance that a delivery fails
	messages []map[string]bool
	told     map[string]bool // by alert: fires, as told last
}

func (*screen) Traits() Traits { return Traits{} }

func (s *screen) Deliver(_ context.Context, n *Notification) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rnd.Float64() < s.down {
		return "", []error{errors.New("500"), &Failure{Kind: Blocked, Reason: "invalid_auth"}, &Failure{Kind: Unsendable, Reason: "msg_too_long"}}[s.rnd.IntN(3)]
	}
	i := len(s.messages)
	if n.Ref == "" {
		s.messages = append(s.messages, nil)
	} else if _, err := fmt.Sscanf(n.Ref, "m%d", &i); err != nil {
		return "", err
	}
	shows := map[string]bool{}
	for _, m := range n.Firing {
		shows[m.Record.ID], s.told[m.Record.ID] = true, true
	}
	for _, m := range n.Resolved {
		shows[m.Record.ID], s.told[m.Record.ID] = false, false
	}
	s.messages[i] = shows
	return fmt.Sprintf("m%d", i), nil
}

// Whatever happens on the way (receiver down, log down, restarts, repeated steps), in the end each alert was told as it is,
// and no message says that something fires which does not; but for what was told and could not be recorded before the end.
func TestOutboxModel(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			crashes := seed%3 == 0
			s := &screen{rnd: rand.New(rand.NewPCG(seed, 2)), down: 0.3, told: map[string]bool{}}
			m := newMemLog(2)
			_, stop := m.run(t, newTestOutbox(s))
			type alert struct {
				step   int
				firing bool
			}
			truth := map[string]*alert{}
			for range 60 {
				id := fmt.Sprintf("%c%d", 'a'+rune(rnd.IntN(3)), rnd.IntN(3))
				a := truth[id]
				if a == nil {
					a = &alert{}
					truth[id] = a
				}
				part := int(id[0]) % 2
				switch rnd.IntN(12) {
				case 0:
					stop()
					_, stop = m.run(t, newTestOutbox(s))
				case 1:
					if crashes {
						m.breakWith(errors.New("not enough replicas"), rnd.IntN(2) == 0)
					}
				case 2, 3:
					m.breakWith(nil, false)
				case 4: // detect crashed and makes its last steps again
					rs, _ := m.of(part)
					for _, r := range rs[max(0, len(rs)-3):] {
						if r.Type.IsStep() {
							m.add(t, part, r)
						}
					}
				default:
					a.step++
					typ := detector.Pending
					switch {
					case a.firing:
						typ, a.firing = detector.Resolved, false
					case rnd.IntN(3) > 0:
						typ, a.firing = detector.Firing, true
					}
					m.add(t, part, rec(id, a.step, typ, rnd.Float64()))
				}
				time.Sleep(time.Duration(rnd.IntN(4000)) * time.Millisecond)
			}
			m.breakWith(nil, false)
			s.mu.Lock()
			s.down = 0
			s.mu.Unlock()
			time.Sleep(10 * time.Minute)
			stop()
			for id, a := range truth {
				// A crash between telling and recording may hide that something that is over was told; never what fires.
				if s.told[id] != a.firing && (a.firing || !crashes) {
					t.Errorf("seed %d: alert %s was told as firing=%v, is %v", seed, id, s.told[id], a.firing)
				}
			}
			for i, shows := range s.messages {
				for id, red := range shows {
					if red && !truth[id].firing && !crashes {
						t.Errorf("seed %d: message %d says for ever that %s fires", seed, i, id)
					}
				}
			}
			for p := range m.parts {
				rs, c := m.of(p)
				if want := int64(len(rs)); c != want && want > 0 {
					t.Errorf("seed %d: committed %d of %d in partition %d", seed, c, want, p)
				}
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"id":"a","step":2,"type":"firing","time":"2026-11-20T14:41:00Z","prompt":"p","rollback":"auto"}`), []byte(`{"id":"a","step":2,"type":"notified","time":"2026-11-20T14:41:00Z","receiver":"ops","reason":"firing, x"}`))
	f.Add([]byte(`{"id":"a","step":1e9,"type":"x","time":"9999-12-31T23:59:59Z","value":1e308}`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		o := newTestOutbox(&fakeReceiver{})
		o.Begin(0, -1)
		o.Live(0)
		for i, raw := range [][]byte{a, b, a} {
			r, err := Decode(raw)
			if err != nil {
				continue
			}
			if r.ID == "" || r.Step < 1 {
				t.Errorf("decoded %+v", r)
			}
			o.Fold(0, Entry{Offset: int64(i), Record: r})
		}
		o.Due()
		for _, g := range o.ledger.groups {
			if n := o.notification(g, t0); g.task != 0 && len(n.Firing)+len(n.Resolved) == 0 && g.attempt == nil {
				t.Error("an empty notification waits")
			}
		}
	})
}
