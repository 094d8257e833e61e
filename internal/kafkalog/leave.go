package kafkalog

import (
	"context"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
)

// leaveGrace is for leaving a group before its connections are cut.
const leaveGrace = 2 * time.Second

// leave tells the coordinator, so that others take over at once. A coordinator that does not answer is not waited for long.
func (g *Group) leave(cg *kafka.ConsumerGroup) {
	left := make(chan struct{})
	go func() {
		cg.Close()
		close(left)
	}()
	for t := time.NewTicker(leaveGrace); ; {
		select {
		case <-left:
			t.Stop()
			return
		case <-t.C:
			g.mu.Lock()
			for conn := range g.mu.conns {
				conn.Close()
			}
			g.mu.Unlock()
		}
	}
}

// dial opens a connection that leave can cut: kafka-go's own calls cannot be cancelled.
func (g *Group) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := dialConn(ctx, network, address)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.conns[conn] = struct{}{}
	return &trackedConn{Conn: conn, group: g}, nil
}

type trackedConn struct {
	net.Conn
	group *Group
}

func (c *trackedConn) Close() error {
	c.group.mu.Lock()
	delete(c.group.mu.conns, c.Conn)
	c.group.mu.Unlock()
	return c.Conn.Close()
}
