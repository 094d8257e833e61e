package web

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
)

// maxConns is how many connections may be open at once.
const maxConns = 512

// conns bounds the connections that are open at once. When there is one too many, the one goes that has waited for its client for
// longest; where all have something to do, the new one. So clients that say nothing keep nobody out, and those that are slow are ended by
// the time-outs of the server. Its methods are for concurrent use.
type conns struct {
	most int
	log  *slog.Logger

	mu struct {
		sync.Mutex
		turn    uint64
		open    int
		waiting map[net.Conn]uint64 // those that wait for a request, to the turn since which they do
		full    bool                // it was said that there is no room
	}
}

func newConns(most int, log *slog.Logger) *conns {
	c := &conns{most: most, log: log}
	c.mu.waiting = make(map[net.Conn]uint64)
	return c
}

// state is http.Server.ConnState.
func (c *conns) state(conn net.Conn, now http.ConnState) {
	if over, full := c.step(conn, now); over != nil {
		if t, ok := over.(*tls.Conn); ok {
			over = t.NetConn() // no parting words: writing them could take long, and nobody is let in meanwhile
		}
		over.Close()
		if full {
			c.log.Warn("there is no room for more HTTP connections, new ones take the place of those that wait", "most", c.most)
		}
	}
}

// step keeps count and returns the connection that has to go, nil for none, and whether that is news.
func (c *conns) step(conn net.Conn, now http.ConnState) (over net.Conn, news bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.turn++
	switch now {
	case http.StateNew:
		c.mu.open++
		c.mu.waiting[conn] = c.mu.turn
	case http.StateIdle:
		c.mu.waiting[conn] = c.mu.turn
	case http.StateActive:
		delete(c.mu.waiting, conn)
	case http.StateClosed, http.StateHijacked:
		delete(c.mu.waiting, conn)
		c.mu.open--
		c.mu.full = c.mu.full && c.mu.open > c.most/2
	}
	if now != http.StateNew || c.mu.open <= c.most {
		return nil, false
	}
	since := uint64(0)
	for other, turn := range c.mu.waiting {
		if over == nil || turn < since {
			over, since = other, turn
		}
	}
	delete(c.mu.waiting, over) // it is told that it is closed later
	news, c.mu.full = !c.mu.full, true
	return over, news
}
