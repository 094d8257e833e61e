package protocol

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/internal/kafkalog"
)

// outcome is what becomes of a call that changes something.
type outcome int

const (
	fine       outcome = iota
	doubled            // a produce is written twice
	unanswered         // it happens, and the answer is lost
	refused            // it does not happen
	delayed            // a produce is answered with an error, and written later
	diesBefore         // the process dies
	diesAfter          // it happens, and the process dies
)

func (o outcome) String() string {
	return [...]string{"", "produce doubled", "answer lost", "refused", "written late", "killed before a write", "killed after a write"}[o]
}

// once is the outcome of what a sender sends but once.
func (o outcome) once() outcome {
	if o == delayed {
		return unanswered
	}
	return o
}

// happens tells whether a call that is not a produce does what it should.
func (o outcome) happens() bool { return o != refused && o != diesBefore && o != delayed }

// call is what a process wants of the world.
type call struct {
	p      *process
	what   string
	ready  func() bool // whether there is something to answer; nil for always
	faulty int         // how often it is tossed up whether it goes wrong; 0 for what changes nothing
	do     func(outcome)
	wait   time.Duration // how long to wait for ready; 0 for ever
	offset int64         // of a read
	done   chan struct{}
	err    error
	late   bool // the wait is over
	since  int  // pulses, with the next, when it could first be answered; 0 for not yet
}

// process is a process of one stage.
type process struct {
	s      *simulation
	id     int
	stage  *stage
	cancel context.CancelFunc
	client *kafkalog.Client
	set    *metrics.Set
	member *member

	// Guarded by the simulation's mutex.
	dead, frozen, ended bool
	failed              bool     // the last call, of the scheduler's
	notice              int      // calls until a zombie learns that it is one; 0 for it is none
	lost                []*owner // tasks of a zombie
}

var errDead = errors.New("the process is gone")

// ask waits for the scheduler to do the call. It fails when ctx ends before, or the process does.
func (p *process) ask(ctx context.Context, c *call) error {
	s := p.s
	c.p, c.done = p, make(chan struct{})
	s.mu.Lock()
	if p.dead {
		s.mu.Unlock()
		return errDead
	}
	if ctx.Err() != nil {
		s.mu.Unlock()
		return ctx.Err()
	}
	s.calls = append(s.calls, c)
	s.mu.Unlock()
	var timer <-chan time.Time
	if c.wait > 0 {
		t := time.NewTimer(c.wait)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-c.done:
		return c.err
	case <-timer:
		s.mu.Lock()
		c.late = true // it is answered with nothing
		s.mu.Unlock()
		select {
		case <-c.done:
			return c.err
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	s.mu.Lock()
	took := s.withdraw(c)
	s.mu.Unlock()
	if !took {
		<-c.done
		return c.err
	}
	return ctx.Err()
}

// withdraw takes a call back; false when it is being done.
func (s *simulation) withdraw(c *call) bool {
	for i := range s.calls {
		if s.calls[i] == c {
			s.calls = append(s.calls[:i], s.calls[i+1:]...)
			return true
		}
	}
	return false
}

// member is a process in its group.
type member struct {
	p    *process
	cfg  kafkalog.GroupConfig
	task func(ctx context.Context, topic string, partition int, commit kafkalog.CommitFunc) error
	ctx  context.Context
	wg   sync.WaitGroup

	leaving bool // guarded by the simulation's mutex
}

// owner is a task of a member on a partition.
type owner struct {
	member *member
	cancel context.CancelFunc
	ended  bool // guarded by the simulation's mutex
	moving bool
}

// Join implements kafkalog.Cluster.
func (v *view) Join(ctx context.Context, cfg kafkalog.GroupConfig, task func(context.Context, string, int, kafkalog.CommitFunc) error) error {
	m := &member{p: v.p, cfg: cfg, task: task, ctx: ctx}
	v.s.mu.Lock()
	v.p.member, v.s.moved = m, true
	v.s.mu.Unlock()
	<-ctx.Done()
	v.s.mu.Lock()
	m.leaving, v.s.moved = true, true
	v.s.mu.Unlock()
	m.wg.Wait()
	v.s.mu.Lock()
	v.p.member, v.s.moved = nil, true
	v.s.mu.Unlock()
	return nil
}

// start begins a task.
func (m *member) start(at place) {
	s := m.p.s
	ctx, cancel := context.WithCancel(m.ctx)
	o := &owner{member: m, cancel: cancel}
	s.owners[at] = o
	v := &view{s, m.p}
	m.wg.Go(func() {
		err := m.task(ctx, at.topic, at.partition, func(ctx context.Context, offset int64, metadata string) error {
			return v.commit(ctx, m, at, commit{offset, metadata})
		})
		s.mu.Lock()
		o.ended, s.moved = true, true
		if err != nil && ctx.Err() == nil {
			s.failed = append(s.failed, fmt.Sprintf("the task on %v: %v", at, err))
		}
		s.mu.Unlock()
	})
}

// share brings tasks in line with who is there, and waits for what comes of it.
func (s *simulation) share() {
	synctest.Wait()
	for s.reassign() {
		synctest.Wait()
	}
}

func (s *simulation) reassign() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.moved {
		return false
	}
	s.moved = false
	for at, o := range s.owners { // of zombies, and of the dead
		if p := o.member.p; p.dead || p.frozen {
			p.lost = append(p.lost, o)
			delete(s.owners, at)
		}
	}
	for _, st := range s.stages {
		var there []*member
		for _, p := range st.processes {
			if m := p.member; m != nil && !p.dead && !p.frozen && p.notice == 0 && !m.leaving && !slices.ContainsFunc(p.lost, func(o *owner) bool { return !o.ended }) {
				there = append(there, m)
			}
		}
		for _, at := range s.places(st) {
			var want *member
			if len(there) > 0 {
				want = there[at.partition%len(there)]
				if st.alone {
					want = there[0]
				}
			}
			switch o := s.owners[at]; {
			case o == nil && want != nil:
				want.start(at)
			case o == nil || o.member == want && !o.ended:
			case o.ended:
				delete(s.owners, at)
				if want != nil && o.member != want {
					want.start(at)
				}
			case !o.moving && (want != nil || o.member.leaving):
				o.moving = true
				o.cancel()
			}
		}
	}
	return true
}

// places are the partitions that a stage's group reads.
func (s *simulation) places(st *stage) (all []place) {
	for _, topic := range st.topics {
		for p := range s.kafka.topics[topic].parts {
			all = append(all, place{st.group, topic, p})
		}
	}
	return all
}
