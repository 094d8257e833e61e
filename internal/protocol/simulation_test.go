package protocol

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/internal/kafkalog"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

const (
	pace    = 20                     // of the clock that events go by
	pulse   = 250 * time.Millisecond // that goes by when nobody can do anything
	streams = 6                      // different streams of events
)

// chance decides what happens: by a seed, or by a fuzzer's bytes. Where those end nothing goes wrong any more.
type chance struct {
	r     *rand.Rand
	bytes []byte
}

func (c *chance) pick(n int) int {
	if c.r != nil {
		return c.r.IntN(n)
	}
	if len(c.bytes) == 0 {
		return 0
	}
	b := int(c.bytes[0])
	c.bytes = c.bytes[1:]
	return b % n
}

// outcome decides what becomes of a call that changes something.
func (c *chance) outcome() outcome {
	switch c.pick(96) {
	case 1, 2, 3:
		return doubled
	case 4:
		return unanswered
	case 5:
		return refused
	case 6:
		return diesBefore
	case 7:
		return diesAfter
	case 8, 9:
		return delayed
	}
	return fine
}

// simulation is a run of the three stages. One goroutine, the scheduler, decides what is done next; all others wait for it.
type simulation struct {
	evidence
	t     testing.TB
	c     *chance
	w     *world
	began time.Time
	kafka *cluster

	stages  []*stage
	made    int            // processes
	revive  map[*stage]int // pulses until there is a process again
	owners  map[place]*owner
	quietly bool           // nothing goes wrong
	over    bool           // all has been written: ingest is left alone from now on, as the clock runs ahead
	faults  int            // that are still to come
	did     map[string]int // faults, by kind
	told    []string       // what happened, for who looks into a failure
	pulses  int
	ahead   atomic.Int64 // of the clock that events go by, ns
	hurt    int          // until this pulse ingest is to be left alone
	look    *rand.Rand   // chooses what is looked at, not what happens

	late []func() // writes under way

	mu    sync.Mutex
	moved bool // somebody has come or gone
	calls []*call
}

// stage is one of driftd's, or a receiver's part of one.
type stage struct {
	name, group string
	topics      []string
	alone       bool // one member has all partitions
	run         func(ctx context.Context, p *process) error
	processes   []*process
	wg          sync.WaitGroup
}

func (s *simulation) pick(n int) int {
	if s.quietly {
		return 0
	}
	return s.c.pick(n)
}

func (s *simulation) now() time.Time {
	return start.Add(pace*time.Since(s.began) + time.Duration(s.ahead.Load()))
}

func (s *simulation) note(what string) { s.told = append(s.told, what) }

// outcome decides what becomes of a call. None fails twice in a row: the pauses between attempts are long by the clock of events, and
// a source partition that is not heard of for a minute of it is no longer waited for.
func (s *simulation) outcome(p *process) outcome {
	if s.quietly || s.faults == 0 || s.over && p.stage == s.stages[0] {
		return fine
	}
	if p.failed {
		p.failed = false
		return fine
	}
	o := s.c.outcome()
	if (o == diesBefore || o == diesAfter) && !s.spare(p.stage) {
		o = fine
	}
	if o != fine {
		p.failed = o != doubled
		s.faults--
		s.did[o.String()]++
	}
	return o
}

// spare tells whether a stage can do without a process now, and notes that it does. Ingest is not hurt again at once, for the same reason.
func (s *simulation) spare(st *stage) bool {
	if st != s.stages[0] {
		return true
	}
	if s.pulses < s.hurt || s.over {
		return false
	}
	s.hurt = s.pulses + 8
	return true
}

// spawn starts a process.
func (s *simulation) spawn(st *stage) {
	s.made++
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{s: s, id: s.made, stage: st, cancel: cancel, set: metrics.NewSet()}
	p.client = kafkalog.Over(&view{s, p}, quiet)
	st.processes = append(st.processes, p)
	s.w.sets = append(s.w.sets, p.set)
	st.wg.Go(func() {
		err := st.run(ctx, p)
		s.mu.Lock()
		defer s.mu.Unlock()
		p.ended = true
		if err != nil && !p.dead {
			s.failed = append(s.failed, st.name+": "+err.Error())
		}
	})
}

// kill ends a process as SIGKILL does.
func (s *simulation) kill(p *process) {
	s.mu.Lock()
	p.dead, s.moved = true, true
	for _, c := range s.calls {
		if c.p == p {
			c.err = errDead
			close(c.done)
		}
	}
	s.calls = slices.DeleteFunc(s.calls, func(c *call) bool { return c.p == p })
	s.mu.Unlock()
	p.cancel()
	p.stage.processes = slices.DeleteFunc(p.stage.processes, func(x *process) bool { return x == p })
	if len(p.stage.processes) == 0 {
		s.revive[p.stage] = 1 + s.pick(3)
		if p.stage != s.stages[0] { // for as long as it takes an alert to end
			s.revive[p.stage] += s.pick(12)
		}
	}
}

// run plays until all that was written has passed through, and then ends everything in order.
func (s *simulation) run() {
	s.began = time.Now()
	for _, st := range s.stages {
		s.spawn(st)
	}
	for calm, over := 0, 0; calm < 9; { // pulses after the last event, in which windows come to their end; ingest's time is some pulses behind
		s.share()
		if c, must := s.next(); c != nil && (must || s.pick(24) != 1) {
			s.grant(c)
			continue
		}
		if s.pulses++; s.pulses > 3000 {
			s.t.Fatalf("it does not come to an end\n%s", s.story())
		}
		time.Sleep(pulse)
		s.tend()
		if s.w.done(s) && len(s.late) == 0 {
			s.over = true
			// What is still on its way must not be left a minute behind. What never comes is not waited for.
			if over++; s.written() || over > 60 {
				calm++
				s.ahead.Add(int64(20 * time.Second))
			}
		}
	}
	s.quietly = true
	for _, st := range s.stages { // those who read are the last
		for _, p := range st.processes {
			p.cancel()
		}
		for rest := 0; rest < 3; {
			synctest.Wait()
			s.share()
			synctest.Wait()
			if c, _ := s.next(); c != nil {
				s.grant(c)
				continue
			}
			time.Sleep(pulse)
			rest++
		}
		st.wg.Wait()
	}
}

// next chooses among the calls that can be answered; nil when there is none. One that waits since before the last pulse must be answered
// before the next: whoever is not heard of for a minute, by the clock of events, is no longer waited for.
func (s *simulation) next() (c *call, must bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ready []*call
	for _, c := range s.calls {
		if !c.p.frozen && (c.late || c.ready == nil || c.ready()) {
			if c.since == 0 {
				c.since = s.pulses + 1
			}
			must = must || c.since <= s.pulses
			ready = append(ready, c)
		}
	}
	if len(ready) == 0 {
		return nil, false
	}
	if must {
		ready = slices.DeleteFunc(ready, func(c *call) bool { return c.since > s.pulses })
	}
	slices.SortStableFunc(ready, func(a, b *call) int { return cmp.Or(a.p.id-b.p.id, cmp.Compare(a.what, b.what)) })
	return ready[s.pick(len(ready))], must
}

// grant does a call.
func (s *simulation) grant(c *call) {
	s.mu.Lock()
	taken := s.withdraw(c)
	s.mu.Unlock()
	if !taken {
		return
	}
	o := fine
	for i := 0; i < c.faulty && o == fine; i++ {
		o = s.outcome(c.p)
	}
	c.do(o)
	close(c.done)
	if p := c.p; p.notice > 0 {
		if p.notice--; p.notice == 0 {
			s.mu.Lock()
			s.moved = true
			s.mu.Unlock()
			for _, o := range p.lost {
				o.cancel()
			}
		}
	}
	if o == diesBefore || o == diesAfter {
		s.note(c.what + ": its process is killed")
		s.kill(c.p)
		return
	}
	if s.faults > 0 && !s.quietly && s.pick(60) == 1 {
		s.fault()
	}
}

// tend lets the world go on.
func (s *simulation) tend() {
	s.w.write(s)
	if n := len(s.late); n > 0 && (s.faults == 0 || s.over || s.pick(2) == 1) {
		s.late[0]()
		s.late = s.late[1:]
	}
	for _, st := range s.stages {
		if n, ok := s.revive[st]; ok {
			if s.revive[st] = n - 1; n <= 1 {
				delete(s.revive, st)
				s.spawn(st)
			}
		}
		for _, p := range slices.Clone(st.processes) {
			s.mu.Lock()
			ended := p.ended
			s.mu.Unlock()
			switch {
			case ended:
				st.processes = slices.DeleteFunc(st.processes, func(x *process) bool { return x == p })
			case p.frozen && (s.pick(4) != 1 || s.over || s.faults == 0):
				s.mu.Lock()
				p.frozen, p.notice, s.moved = false, 1+s.pick(20), true
				s.mu.Unlock()
			}
		}
		if len(st.processes) == 0 && s.revive[st] == 0 {
			s.revive[st] = 1
		}
	}
}
