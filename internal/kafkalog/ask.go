package kafkalog

import (
	"context"
	"net"
)

// asking is which of the configured brokers is asked for the group's coordinator. kafka-go asks the first that takes a connection, so that
// one which takes it and does not answer would hide the others; each attempt to join begins with another one.
type asking struct {
	asked string           // in the attempt at hand; empty before
	vain  map[string]error // those that were asked in vain, until all others have been
}

// passes returns the error of the last attempt with a broker that another one is to be asked for.
func (a *asking) passes(address string) error {
	if a.asked != "" { // this is the coordinator
		return nil
	}
	return a.vain[address]
}

// ends is when an attempt has ended, with nil when the group was joined; brokers is how many there are.
func (a *asking) ends(err error, brokers int) {
	asked := a.asked
	a.asked = ""
	switch {
	case err == nil: // it is asked again when the group is left
		return
	case asked == "": // none took the connection
		a.vain = nil
		return
	case a.vain == nil, len(a.vain) >= brokers-1:
		a.vain = make(map[string]error)
	}
	if brokers > 1 {
		a.vain[asked] = err
	}
}

// dial opens a connection that leave can cut: kafka-go's own calls cannot be cancelled.
func (g *Group) dial(ctx context.Context, network, address string) (net.Conn, error) {
	g.mu.Lock()
	err := g.mu.asking.passes(address)
	g.mu.Unlock()
	if err != nil {
		return nil, err
	}
	conn, err := dialConn(ctx, network, address)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.asking.asked == "" {
		g.mu.asking.asked = address
	}
	g.mu.conns[conn] = struct{}{}
	return &trackedConn{Conn: conn, group: g}, nil
}
