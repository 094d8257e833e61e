package rig

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Wire is the network in front of brokers: it can be cut in the middle of a request or of its answer, and be slow. It is for concurrent
// use.
type Wire struct {
	mu struct {
		sync.Mutex
		delay time.Duration
		share float64 // of what is read or written, where the connection is cut
		cuts  int
		rng   *rand.Rand
	}
}

// NewWire returns one that does no harm yet.
func NewWire(seed uint64) *Wire {
	w := &Wire{}
	w.mu.rng = rand.New(rand.NewPCG(seed, 7))
	return w
}

// Slow lets each answer wait; 0 undoes that.
func (w *Wire) Slow(delay time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.delay = delay
}

// Cut cuts connections where so many of all pieces that go over them have come half of the way; 0 undoes that.
func (w *Wire) Cut(share float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.share = share
}

// Cuts is how many connections were cut.
func (w *Wire) Cuts() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.cuts
}

func (w *Wire) next() (delay time.Duration, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if cut = w.mu.rng.Float64() < w.mu.share; cut {
		w.mu.cuts++
	}
	return w.mu.delay, cut
}

// Listen is net.Listen for a broker behind the wire.
func (w *Wire) Listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return &listener{l, w}, nil
}

type listener struct {
	net.Listener
	wire *Wire
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{c, l.wire}, nil
}

// conn is the broker's end of a connection.
type conn struct {
	net.Conn
	wire *Wire
}

var errCut = errors.New("cut")

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if _, cut := c.wire.next(); cut && err == nil && n > 1 {
		c.Close()
		return n / 2, nil
	}
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	delay, cut := c.wire.next()
	if delay > 0 {
		time.Sleep(delay)
	}
	if cut {
		n, _ := c.Conn.Write(b[:len(b)/2])
		c.Close()
		return n, errCut
	}
	return c.Conn.Write(b)
}

// Proxy leads to a broker behind the wire.
type Proxy struct {
	wire *Wire
	l    net.Listener
	to   string
	wg   sync.WaitGroup
}

// NewProxy listens on a free port; Serve begins to lead what comes there to a broker.
func NewProxy(w *Wire) (*Proxy, error) {
	l, err := w.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &Proxy{wire: w, l: l}, nil
}

// Addr is where it listens.
func (p *Proxy) Addr() string { return p.l.Addr().String() }

// Serve leads connections to a broker until Close.
func (p *Proxy) Serve(to string) {
	p.to = to
	p.wg.Go(func() {
		for {
			c, err := p.l.Accept()
			if err != nil {
				return
			}
			go p.lead(c)
		}
	})
}

func (p *Proxy) lead(c net.Conn) {
	defer c.Close()
	b, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer b.Close()
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{c, b}, {b, c}} {
		go func() {
			_, _ = io.Copy(struct{ io.Writer }{way[1]}, struct{ io.Reader }{way[0]}) // piece by piece, past no method of the wire's
			done <- struct{}{}
		}()
	}
	<-done
}

// Reopen listens again, after Close.
func (p *Proxy) Reopen() error {
	l, err := p.wire.Listen("tcp", p.Addr())
	if err != nil {
		return err
	}
	p.l = l
	p.Serve(p.to)
	return nil
}

// Close ends it; connections end with their brokers.
func (p *Proxy) Close() {
	p.l.Close()
	p.wg.Wait()
}
