package kafkalog

import (
	"context"
	"net"
)

// dialConn opens a connection to a broker.
func dialConn(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return calmConn{conn}, nil
}

// calmConn is a connection whose errors say the same each time. Those of package net name the local port, which is another one
// after each attempt; who logs a failure when it changes would log them all.
type calmConn struct{ net.Conn }

func (c calmConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, calm(err)
}

func (c calmConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, calm(err)
}

func calm(err error) error {
	op, ok := err.(*net.OpError)
	if !ok || op.Source == nil {
		return err
	}
	same := *op
	same.Source = nil
	return &same
}
