package rig

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/internal/apache"
	"github.com/driftd/driftd/internal/embedded"
)

// Brokers are a Kafka cluster.
type Brokers interface {
	Addrs() []string
	// Restart stops all nodes, calls down and starts them again, at the same addresses and with the same data.
	Restart(ctx context.Context, down func()) error
	Close()
}

// Shared are brokers that outlive a world.
type Shared struct{ Brokers }

// Close does nothing.
func (Shared) Close() {}

// Embedded is the embedded broker, in this process.
type Embedded struct {
	*embedded.Broker
	options embedded.Options
	late    atomic.Int64 // by how long it holds what is written, ns
	refuse  atomic.Int32 // code that it answers to what is written, instead of writing it
	refused atomic.Int64
}

// StartEmbedded starts one that keeps its data in dir, behind a wire.
func StartEmbedded(dir string, wire *Wire) (*Embedded, error) {
	e := &Embedded{options: embedded.Options{DataDir: dir, MinSession: minSession, Listen: wire.Listen}}
	if err := e.start(); err != nil {
		return nil, err
	}
	for _, addr := range e.Addrs() {
		var port int
		if _, err := fmt.Sscanf(addr, "127.0.0.1:%d", &port); err != nil {
			return nil, fmt.Errorf("address %s of the embedded broker: %w", addr, err)
		}
		e.options.Ports = append(e.options.Ports, port)
	}
	return e, nil
}

func (e *Embedded) start() (err error) {
	if e.Broker, err = embedded.Start(e.options); err != nil {
		return err
	}
	broker := e.Broker
	broker.Control(kmsg.Produce, func(req kmsg.Request) (kmsg.Response, error, bool) {
		broker.Keep()
		if d := time.Duration(e.late.Load()); d > 0 {
			broker.Cluster().SleepControl(func() { time.Sleep(d) })
		}
		code := int16(e.refuse.Load())
		if code == 0 {
			return nil, nil, false
		}
		e.refused.Add(1)
		return refusal(req.(*kmsg.ProduceRequest), code), nil, true
	})
	return nil
}

// refusal answers a code for every partition of a request.
func refusal(req *kmsg.ProduceRequest, code int16) kmsg.Response {
	res := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition, rp.ErrorCode, rp.BaseOffset = p.Partition, code, -1
			rt.Partitions = append(rt.Partitions, rp)
		}
		res.Topics = append(res.Topics, rt)
	}
	return res
}

// Late holds what is written for so long before it writes it; 0 undoes that.
func (e *Embedded) Late(d time.Duration) { e.late.Store(int64(d)) }

// Refuse answers a code instead of writing; 0 undoes that.
func (e *Embedded) Refuse(code int16) { e.refuse.Store(int32(code)) }

// Refused is how many writes were refused.
func (e *Embedded) Refused() int { return int(e.refused.Load()) }

// Restart implements Brokers.
func (e *Embedded) Restart(_ context.Context, down func()) error {
	e.Close()
	down()
	return e.start()
}

// Apache is Apache Kafka behind a wire.
type Apache struct {
	*apache.Cluster
	proxies []*Proxy
}

// StartApache starts a cluster whose nodes are reached through the wire.
func StartApache(nodes int, wire *Wire) (*Apache, error) {
	a := &Apache{}
	o := apache.Options{Nodes: nodes}
	l := apache.Listener{Name: "WIRE", Protocol: "PLAINTEXT"}
	for range max(nodes, 1) {
		p, err := NewProxy(wire)
		if err != nil {
			return nil, err
		}
		a.proxies = append(a.proxies, p)
		l.Advertised = append(l.Advertised, p.Addr())
	}
	o.Listeners = []apache.Listener{l}
	var err error
	if a.Cluster, err = apache.Start(o); err != nil {
		return nil, err
	}
	for i, p := range a.proxies {
		p.Serve(a.Cluster.Addr("WIRE", i))
	}
	return a, nil
}

// Addrs implements Brokers.
func (a *Apache) Addrs() (addrs []string) {
	for _, p := range a.proxies {
		addrs = append(addrs, p.Addr())
	}
	return addrs
}

// Kill ends a node as SIGKILL does; nobody listens at its address any more.
func (a *Apache) Kill(node int) {
	a.proxies[node].Close()
	a.Cluster.Kill(node)
}

// StartNode starts it again.
func (a *Apache) StartNode(ctx context.Context, node int) error {
	if err := a.Cluster.StartNode(ctx, node); err != nil {
		return err
	}
	return a.proxies[node].Reopen()
}

// Close implements Brokers.
func (a *Apache) Close() {
	for _, p := range a.proxies {
		p.Close()
	}
	a.Cluster.Close()
}
