// Package embedded is a Kafka broker inside the process, over the wire: for the demo, and for tests that must run with Go alone.
// It keeps everything in memory and serves one node unless told otherwise. It is kfake, and no place for data that matters.
package embedded

import (
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Options of a broker; the zero value serves one node in plain text to everybody.
type Options struct {
	Nodes int // default 1
	// DataDir keeps the log on disk, for a broker that is stopped and started again. Empty: in memory.
	DataDir string
	// Ports to listen on, one a node; default: free ones on the loopback interface.
	Ports []int
	// MinSession is the shortest session timeout that a group may ask for. Default 6 s, as Kafka's.
	MinSession time.Duration
	// TLS, when set, is how the broker presents itself.
	TLS *tls.Config
	// Listen is how the nodes listen; default net.Listen.
	Listen func(network, address string) (net.Listener, error)
	// Users, when set, must authenticate.
	Users []User
}

// User may connect. Mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
type User struct{ Mechanism, Name, Password string }

// Broker is a running cluster. Its methods are for concurrent use.
type Broker struct{ cluster *kfake.Cluster }

// Start starts a broker on the loopback interface. It has no topics and makes none unasked.
func Start(o Options) (*Broker, error) {
	opts := []kfake.Opt{kfake.NumBrokers(max(o.Nodes, 1)), kfake.ClusterID("driftd-embedded")}
	if o.DataDir != "" {
		opts = append(opts, kfake.DataDir(o.DataDir))
	}
	if len(o.Ports) > 0 {
		opts = append(opts, kfake.Ports(o.Ports...))
	}
	if o.Listen != nil {
		opts = append(opts, kfake.ListenFn(o.Listen))
	}
	if o.MinSession > 0 {
		opts = append(opts, kfake.GroupMinSessionTimeout(o.MinSession))
	}
	if o.TLS != nil {
		opts = append(opts, kfake.TLS(o.TLS))
	}
	if len(o.Users) > 0 {
		opts = append(opts, kfake.EnableSASL())
		for _, u := range o.Users {
			opts = append(opts, kfake.Superuser(u.Mechanism, u.Name, u.Password))
		}
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("start embedded broker: %w", err)
	}
	return &Broker{cluster: cluster}, nil
}

// Addrs are the nodes' addresses, host:port.
func (b *Broker) Addrs() []string { return b.cluster.ListenAddrs() }

// Close stops the broker and cuts its connections.
func (b *Broker) Close() { b.cluster.Close() }

// Control calls fn for each request of a kind, in the order in which they come, until fn handles one by returning true: its answer is
// sent, or, with an error, the connection is closed. Keep inside fn keeps it for the next request too.
func (b *Broker) Control(kind kmsg.Key, fn func(kmsg.Request) (kmsg.Response, error, bool)) {
	b.cluster.ControlKey(kind.Int16(), fn)
}

// Keep is for use inside a Control function.
func (b *Broker) Keep() { b.cluster.KeepControl() }

// Cluster is the broker itself, for faults that Control cannot make.
func (b *Broker) Cluster() *kfake.Cluster { return b.cluster }
