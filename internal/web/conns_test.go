package web

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are made by dial, in memory, so that a test's clock is theirs.
type pipes struct {
	next chan net.Conn
	shut chan struct{}
	once sync.Once
}

func newPipes() *pipes { return &pipes{next: make(chan net.Conn), shut: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.next:
		return c, nil
	case <-p.shut:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.shut) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8430} }

func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.next <- there
	return here
}

// TestSlowClients are ended by the server, whatever they are slow at; the clock is the test's.
func TestSlowClients(t *testing.T) {
	for what, f := range map[string]struct {
		begins string        // what the client says at once
		each   string        // and then each second
		deaf   bool          // it does not read the answer
		within time.Duration // that it may stay, a second more at most
	}{
		"says nothing":            {within: 5 * time.Second},
		"headers by the letter":   {begins: "GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n", each: "X-A: b\r\n", within: 5 * time.Second},
		"a line that never ends":  {begins: "GET /", each: "a", within: 5 * time.Second},
		"a body by the letter":    {begins: "POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", each: "x", within: 10 * time.Second},
		"chunks":                  {begins: "POST /slow HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", each: "1\r\nx\r\n", within: 10 * time.Second},
		"does not read":           {begins: "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n", deaf: true, each: "\r\n", within: time.Minute},
		"keeps a connection open": {begins: "GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n", within: 2 * time.Minute},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes()
				s := &Server{listener: p, cfg: Config{
					Keys: func() (Keys, error) { return Keys{}, nil }, Ready: func() []Check { return nil }, Log: slog.New(slog.DiscardHandler),
					Handlers: map[string]http.Handler{
						"POST /slow": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) }),
						"GET /large": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) }),
					},
				}}
				s.use(Keys{})
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- s.Run(ctx) }()
				c := p.dial()
				ended := make(chan struct{})
				if !f.deaf {
					go func() { defer close(ended); _, _ = io.Copy(io.Discard, c) }()
				}
				began := time.Now()
				if _, err := io.WriteString(c, f.begins); err != nil {
					t.Fatal(err)
				}
				for alive := true; alive && time.Since(began) < 10*time.Minute; {
					select {
					case <-ended:
						alive = false
					case <-time.After(time.Second):
					}
					if f.each == "" {
						continue
					}
					// A write into a pipe that nobody reads waits; one into a closed pipe fails at once.
					_ = c.SetWriteDeadline(time.Now().Add(time.Millisecond))
					_, err := io.WriteString(c, f.each)
					alive = alive && (err == nil || errors.Is(err, os.ErrDeadlineExceeded))
				}
				if stayed := time.Since(began); stayed > f.within+2*time.Second {
					t.Errorf("may stay for %v, want %v", stayed, f.within)
				}
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
				c.Close()
			})
		})
	}
}

// TestLimits are those that keep a client from taking up the server.
func TestLimits(t *testing.T) {
	s := &Server{cfg: Config{Log: slog.New(slog.DiscardHandler)}}
	s.use(Keys{})
	srv := s.server()
	for what, ok := range map[string]bool{
		"headers": srv.ReadHeaderTimeout > 0 && srv.ReadHeaderTimeout <= 10*time.Second, "body": srv.ReadTimeout > 0 && srv.ReadTimeout <= 30*time.Second,
		"answer": srv.WriteTimeout > 0 && srv.WriteTimeout <= time.Minute, "idle": srv.IdleTimeout > 0 && srv.IdleTimeout <= 2*time.Minute,
		"size of headers": srv.MaxHeaderBytes > 0 && srv.MaxHeaderBytes <= 64<<10, "connections": srv.ConnState != nil, "HTTP/2": !srv.Protocols.HTTP2() && !srv.Protocols.UnencryptedHTTP2(),
	} {
		if !ok {
			t.Errorf("%s: no bound, or none that is worth the name", what)
		}
	}
}

// TestLargeHeaders are refused, however they are made large.
func TestLargeHeaders(t *testing.T) {
	var checks []Check
	s := newServer(t, "", &checks, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	for what, text := range map[string]string{
		"one header":    "X-A: " + strings.Repeat("a", 32<<10) + "\r\n",
		"many":          strings.Repeat("X-A: a\r\n", 4<<10),
		"a long line":   "",
		"two lengths":   "Content-Length: 1\r\nContent-Length: 2\r\n",
		"length, chunk": "Content-Length: -1\r\n",
		"line breaks":   "X-A: a\rb\r\n",
		"no host":       "\x00",
		"two hosts":     "Host: evil.example\r\n",
	} {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		path := "/-/healthy"
		if what == "a long line" {
			path += "?" + strings.Repeat("a", 32<<10)
		}
		go func() { _, _ = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, text) }()
		line, err := bufio.NewReader(c).ReadString('\n')
		if !strings.HasPrefix(line, "HTTP/1.1 4") {
			t.Errorf("%s: %q %v", what, line, err)
		}
		c.Close()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// named conns are told apart by their addresses.
type fakeConn struct {
	net.Conn
	closed bool
}

func (c *fakeConn) Close() error { c.closed = true; return nil }

func TestConnectionsAreBounded(t *testing.T) {
	var said bytes.Buffer
	c := newConns(3, slog.New(slog.NewTextHandler(&said, nil)))
	open := func() *fakeConn { f := &fakeConn{}; c.state(f, http.StateNew); return f }
	ends := func(f *fakeConn) { c.state(f, http.StateClosed) }
	a, b, d := open(), open(), open()
	c.state(a, http.StateActive)
	c.state(a, http.StateIdle) // later than b and d were made
	if said.Len() > 0 {
		t.Errorf("said %s", &said)
	}
	e := open()
	if a.closed || !b.closed || d.closed || e.closed || strings.Count(said.String(), "no room") != 1 {
		t.Errorf("the one that has waited for longest is not the one that went: %v %v %v %v, said %s", a.closed, b.closed, d.closed, e.closed, &said)
	}
	ends(b)
	for _, f := range []*fakeConn{a, d, e} {
		c.state(f, http.StateActive)
	}
	g := open() // all have something to do
	if !g.closed || a.closed || d.closed || e.closed || strings.Count(said.String(), "no room") != 1 {
		t.Errorf("%v %v %v %v, said %s", g.closed, a.closed, d.closed, e.closed, &said)
	}
	for _, f := range []*fakeConn{a, d, e, g} {
		ends(f)
	}
	if c.mu.open != 0 || len(c.mu.waiting) != 0 || c.mu.full {
		t.Errorf("left: %d open, %d wait, full %v", c.mu.open, len(c.mu.waiting), c.mu.full)
	}
}

// TestCrowd: many connections that say nothing keep nobody out, over TLS neither.
func TestCrowd(t *testing.T) {
	var checks []Check
	s := newServer(t, "", &checks, nil)
	srv := s.server()
	srv.ConnState = newConns(8, slog.New(slog.DiscardHandler)).state
	go func() { _ = srv.Serve(s.listener) }()
	defer srv.Close()
	for range 50 {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{}}}
	for range 20 {
		resp, err := client.Get("http://" + s.Addr() + "/-/healthy")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
}
