package rig

import (
	"context"
	"fmt"

	"github.com/driftd/driftd/internal/embedded"
)

// Brokers are a Kafka cluster.
type Brokers interface {
	Addrs() []string
	// Restart stops all nodes, calls down and starts them again, at the same addresses and with the same data.
	Restart(ctx context.Context, down func()) error
	Close()
}

// Embedded is the embedded broker, in this process.
type Embedded struct {
	*embedded.Broker
	options embedded.Options
}

// StartEmbedded starts one that keeps its data in dir.
func StartEmbedded(dir string) (*Embedded, error) {
	e := &Embedded{options: embedded.Options{DataDir: dir, MinSession: minSession}}
	var err error
	if e.Broker, err = embedded.Start(e.options); err != nil {
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

// Restart implements Brokers.
func (e *Embedded) Restart(_ context.Context, down func()) (err error) {
	e.Close()
	down()
	e.Broker, err = embedded.Start(e.options)
	return err
}

// Shared are brokers that outlive a world.
type Shared struct{ Brokers }

// Close does nothing.
func (Shared) Close() {}
