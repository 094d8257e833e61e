package fakeslack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const socketPath = "/link"

// socket is an open connection of Socket Mode.
type socket struct {
	conn *websocket.Conn
	out  sync.Mutex // one writer at a time

	mu struct {
		sync.Mutex
		serial  int
		waiting map[string]chan json.RawMessage // envelope's id to where its answer goes
	}
	gone chan struct{}
}

// open is apps.connections.open.
func (s *Server) open(token string) answer {
	switch {
	case token == "":
		return answer{code: "not_authed"}
	case s.cfg.AppToken == "" || token != s.cfg.AppToken:
		return answer{code: "invalid_auth"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return answer{more: map[string]any{"url": strings.Replace(s.mu.base, "http", "ws", 1) + socketPath}}
}

// Connected waits until the app has opened a connection.
func (s *Server) Connected(ctx context.Context) error {
	return s.await(ctx, "the app has opened no connection", func() bool { return len(s.mu.app.sockets) > 0 })
}

// Disconnect drops all connections, as a network does.
func (s *Server) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for so := range s.mu.app.sockets {
		so.conn.Close()
		delete(s.mu.app.sockets, so)
	}
}

// Refresh asks the app to connect anew, as Slack does from time to time.
func (s *Server) Refresh() error {
	so := s.socket()
	if so == nil {
		return errors.New("no connection is open")
	}
	s.mu.Lock()
	delete(s.mu.app.sockets, so)
	s.mu.Unlock()
	return so.write(map[string]any{"type": "disconnect", "reason": "refresh_requested"})
}

func (s *Server) socket() *socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	for so := range s.mu.app.sockets {
		return so
	}
	return nil
}

// serveSocket takes a connection until it ends.
func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	so := &socket{conn: conn, gone: make(chan struct{})}
	so.mu.waiting = map[string]chan json.RawMessage{}
	defer conn.Close()
	defer close(so.gone)
	if so.write(map[string]any{"type": "hello", "num_connections": 1, "connection_info": map[string]string{"app_id": "A0"}}) != nil {
		return
	}
	s.mu.Lock()
	s.mu.app.sockets[so] = true
	s.changed()
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.mu.app.sockets, so)
		s.mu.Unlock()
	}()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(so.ping)
	so.read()
}

// ping keeps the connection alive.
func (so *socket) ping() {
	t := time.NewTicker(5 * time.Second)
	defer t.Stop()
	for {
		if so.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) != nil {
			so.conn.Close()
			return
		}
		select {
		case <-t.C:
		case <-so.gone:
			return
		}
	}
}

func (so *socket) write(v any) error {
	so.out.Lock()
	defer so.out.Unlock()
	return so.conn.WriteJSON(v)
}

// read takes answers.
func (so *socket) read() {
	for {
		var a struct {
			EnvelopeID string          `json:"envelope_id"`
			Payload    json.RawMessage `json:"payload"`
		}
		if so.conn.ReadJSON(&a) != nil {
			so.conn.Close()
			return
		}
		so.mu.Lock()
		if ch := so.mu.waiting[a.EnvelopeID]; ch != nil {
			delete(so.mu.waiting, a.EnvelopeID)
			ch <- a.Payload
		}
		so.mu.Unlock()
	}
}

// ask sends an interaction and waits for its answer.
func (so *socket) ask(ctx context.Context, payload []byte) ([]byte, error) {
	ch := make(chan json.RawMessage, 1)
	so.mu.Lock()
	so.mu.serial++
	id := fmt.Sprintf("envelope-%p-%d", so, so.mu.serial)
	so.mu.waiting[id] = ch
	so.mu.Unlock()
	err := so.write(map[string]any{"type": "interactive", "envelope_id": id, "accepts_response_payload": true, "payload": json.RawMessage(payload)})
	if err != nil {
		return nil, err
	}
	select {
	case p := <-ch:
		return p, nil
	case <-so.gone:
		return nil, errors.New("the app's connection is gone")
	case <-ctx.Done():
		return nil, fmt.Errorf("the app did not answer: %w", ctx.Err())
	}
}
