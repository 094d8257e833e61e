package main

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/driftd/driftd/internal/chaos/rig"
	"github.com/driftd/driftd/internal/chaos/stream"
)

const (
	oneNode  = "the embedded broker has one node"
	noFaults = "Apache Kafka takes no orders to fail; see broker-cut and broker-slow"
)

var brokerRows = []row{
	{name: "broker-restart", does: "broker restarted", rounds: 2, slot: 6 * time.Minute, own: true, do: brokerRestart},
	{name: "broker-cut", does: "connections cut mid-request and mid-answer", rounds: 3, own: true, do: brokerCut},
	{name: "broker-slow", does: "each answer 250 ms late", rounds: 2, own: true, do: brokerSlow},
	{name: "broker-late", does: "produce held 3 s, its writer killed meanwhile", rounds: 3, own: true, not: map[string]string{apacheKafka: noFaults}, do: brokerLate},
	{name: "broker-errors", does: "produce answered with errors", rounds: 5, own: true, not: map[string]string{apacheKafka: noFaults}, do: brokerErrors},
	{name: "broker-leader", does: "one of three brokers killed", rounds: 3, slot: 8 * time.Minute, own: true, nodes: 3,
		not: map[string]string{embeddedKafka: oneNode}, do: brokerLeader},
}

// suffer runs one driftd while f does something to its broker in each round; it recovers from when f is back.
func (r *run) suffer(change func(*rig.Options), f func(round int) error) error {
	if err := r.open(stream.Spec{}, change); err != nil {
		return err
	}
	if _, err := r.world.Start("all"); err != nil {
		return err
	}
	err := r.each(func(round int) error {
		if err := f(round); err != nil {
			return err
		}
		return r.recovers(time.Now(), r.world.Clock.True())
	})
	if err != nil {
		return err
	}
	return r.finish()
}

func brokerRestart(r *run) error {
	return r.suffer(nil, func(int) error {
		return r.world.Brokers.Restart(r.ctx, func() { r.pause(2 * time.Second) })
	})
}

func brokerCut(r *run) error {
	err := r.suffer(nil, func(int) error {
		r.wire.Cut(0.1)
		r.pause(2 * time.Second)
		r.wire.Cut(0)
		return nil
	})
	if r.wire.Cuts() == 0 {
		r.differs("no connection was cut")
	}
	r.note("%d connections cut", r.wire.Cuts())
	return err
}

func brokerSlow(r *run) error {
	return r.suffer(nil, func(int) error {
		r.wire.Slow(250 * time.Millisecond)
		r.pause(4 * time.Second)
		r.wire.Slow(0)
		return nil
	})
}

// brokerLate lets the broker write what a process has sent that is dead by then, after what its successor writes.
func brokerLate(r *run) error {
	if err := r.open(stream.Spec{}, nil); err != nil {
		return err
	}
	b := r.world.Brokers.(*rig.Embedded)
	p, err := r.world.Start("all")
	if err != nil {
		return err
	}
	err = r.each(func(int) error {
		began, at := time.Now(), r.world.Clock.True()
		b.Late(3 * time.Second)
		r.pause(500 * time.Millisecond)
		p.Kill()
		b.Late(0)
		if p, err = r.world.Start("all"); err != nil {
			return err
		}
		r.pause(3 * time.Second) // what was held is written
		return r.recovers(began, at)
	})
	if err != nil {
		return err
	}
	return r.finish()
}

func brokerErrors(r *run) error {
	codes := []*kerr.Error{kerr.NotEnoughReplicas, kerr.RequestTimedOut, kerr.NotLeaderForPartition, kerr.KafkaStorageError, kerr.LeaderNotAvailable}
	err := r.suffer(nil, func(round int) error {
		b := r.world.Brokers.(*rig.Embedded)
		b.Refuse(codes[round%len(codes)].Code)
		r.pause(2 * time.Second)
		b.Refuse(0)
		return nil
	})
	if b, ok := r.world.Brokers.(*rig.Embedded); ok {
		r.note("%d writes refused", b.Refused())
	}
	return err
}

// brokerLeader ends one broker after the other: each leads a third of all partitions, and one of them the group and the controllers.
func brokerLeader(r *run) error {
	return r.suffer(func(o *rig.Options) { o.ReplicationFactor = 3 }, func(round int) error {
		a, ok := r.world.Brokers.(*rig.Apache)
		if !ok {
			return fmt.Errorf("BUG: %T is no cluster", r.world.Brokers)
		}
		n := round % len(a.Addrs())
		began, at := time.Now(), r.world.Clock.True()
		a.Kill(n)
		if err := r.recovers(began, at); err != nil { // with two
			return err
		}
		return a.StartNode(r.ctx, n)
	})
}
