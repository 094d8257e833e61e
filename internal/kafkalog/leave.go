package kafkalog

import (
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
