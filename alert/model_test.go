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

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/detector"
)

// screen is a receiver as people see it: messages that are changed in place.
type screen struct {
	traits   Traits
	mu       sync.Mutex
	rnd      *rand.Rand
	down     float64 // chance that a delivery fails
	messages []map[string]bool
	told     map[string]bool      // by alert: fires, as told last
	hushed   map[string]time.Time // by prompt: until when it is silenced
	noise    []string             // that was told of what is silenced
	acked    bool                 // the newest message says so, as long as something fires
	silenced bool
}

func (s *screen) Traits() Traits { return s.traits }

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
	s.acked, s.silenced = n.Acknowledged != nil && len(n.Firing) > 0, n.Silenced != nil && len(n.Firing) > 0
	for _, m := range n.Firing {
		if until := s.hushed[m.Record.Prompt]; recordNow().Before(until) && !s.told[m.Record.ID] {
			s.noise = append(s.noise, m.Record.ID)
		}
		shows[m.Record.ID], s.told[m.Record.ID] = true, true
	}
	for _, m := range n.Resolved {
		shows[m.Record.ID], s.told[m.Record.ID] = false, false
	}
	s.messages[i] = shows
	return fmt.Sprintf("m%d", i), nil
}

// Whatever happens on the way (receiver down, log down, restarts, repeated steps, silences, acknowledgements), in the end each alert
// was told as it is, and no message says that something fires which does not; but for what was told and could not be recorded before
// the end. What is silenced is not told anew. Groups are of several partitions in some runs: the order in which a worker reads them
// must not matter.
func TestOutboxModel(t *testing.T) {
	for seed := range uint64(240) {
		synctest.Test(t, func(t *testing.T) { model(t, seed) })
	}
}

func model(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	crashes, updates := seed%3 == 0, seed%2 == 0
	s := &screen{rnd: rand.New(rand.NewPCG(seed, 2)), down: 0.3, told: map[string]bool{}, hushed: map[string]time.Time{}, traits: Traits{Updates: updates}}
	m := newMemLog(2)
	never := time.Duration(0)
	cfg := testConfig(s)
	cfg.Route = &Route{Receiver: "ops", Repeat: &never}
	if seed%4 < 2 {
		cfg.Route.GroupBy = []string{"alert"} // one group over both partitions
	}
	begin := func() (stop func()) {
		cfg.Metrics = metrics.NewSet()
		_, stop = m.run(t, NewOutbox(cfg))
		return stop
	}
	stop := begin()
	type alert struct {
		step   int
		firing bool
	}
	truth, silences := map[string]*alert{}, 0
	var last string
	for range 60 {
		id := fmt.Sprintf("%c%d", 'a'+rune(rnd.IntN(3)), rnd.IntN(3))
		a := truth[id]
		if a == nil {
			a = &alert{}
			truth[id] = a
		}
		part := int(id[0]) % 2
		switch rnd.IntN(14) {
		case 0:
			stop()
			stop = begin()
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
		case 5:
			silences++
			d := time.Duration(rnd.IntN(60)) * time.Second
			m.add(t, rnd.IntN(2), quietFor(fmt.Sprint("s", silences), 1, d, "prompt="+id[:1]))
			time.Sleep(time.Second) // for one that is on its way
			s.mu.Lock()
			if until := recordNow().Add(d - 2*time.Second); until.After(s.hushed[id[:1]]) {
				s.hushed[id[:1]] = until
			}
			s.mu.Unlock()
		case 6:
			if a.firing && updates {
				r := rec(id, a.step, detector.Firing, 0.5)
				m.add(t, part, Action(&r, detector.Acknowledged, recordNow()))
			}
		default:
			a.step++
			typ := detector.Pending
			switch {
			case a.firing && rnd.IntN(3) > 0:
				typ, a.firing = detector.Resolved, false
			case a.firing, rnd.IntN(3) > 0:
				typ, a.firing = detector.Firing, true
			}
			r := rec(id, a.step, typ, rnd.Float64())
			r.Time = recordNow()
			m.add(t, part, r)
			last = id
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
	if len(s.noise) > 0 && !crashes {
		t.Errorf("seed %d: told although silenced: %q", seed, s.noise)
	}
	if s.silenced && updates {
		t.Errorf("seed %d: the last message says that it is silenced", seed)
	}
	acks, any := NewAcks(cfg.UntilWorseBy), false
	for p := range m.parts {
		rs, c := m.of(p)
		for i := range rs {
			acks.Fold(&rs[i])
		}
		if want := int64(len(rs)); c != want && want > 0 {
			t.Errorf("seed %d: committed %d of %d in partition %d", seed, c, want, p)
		}
	}
	for id, a := range truth {
		r := rec(id, 1, detector.Firing, 0)
		any = any || a.firing && acks.Of(Family(&r)) != nil
	}
	if len(cfg.Route.GroupBy) == 1 && s.acked != any && truth[last] != nil {
		t.Errorf("seed %d: the last message says acknowledged %v, it is %v", seed, s.acked, any)
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
