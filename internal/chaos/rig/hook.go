package rig

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/driftd/driftd/internal/signature"
)

// Hook is somebody's webhook: it takes what is signed, and remembers it as it came.
type Hook struct {
	*httptest.Server
	key signature.Key
	mu  struct {
		sync.Mutex
		got     []Delivery
		refused int
		answer  http.HandlerFunc
		refuse  http.HandlerFunc
	}
}

// Delivery is one request that was taken.
type Delivery struct {
	ID   string // webhook-id
	Body json.RawMessage
}

func newHook() (*Hook, error) {
	key, err := signature.ParseKey(hookSecret)
	if err != nil {
		return nil, err
	}
	h := &Hook{key: key}
	h.Server = httptest.NewServer(h)
	return h, nil
}

// Answer makes f answer in place of 200, after the delivery was remembered; nil undoes that.
func (h *Hook) Answer(f http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.answer = f
}

// Refuse makes f answer in place of taking the delivery; nil undoes that.
func (h *Hook) Refuse(f http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.refuse = f
}

// ServeHTTP implements http.Handler.
func (h *Hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err == nil {
		err = h.key.Verify(r.Header, time.Now(), body)
	}
	h.mu.Lock()
	answer := h.mu.answer
	if err != nil {
		h.mu.refused++
	} else if h.mu.refuse != nil {
		answer = h.mu.refuse
	} else {
		h.mu.got = append(h.mu.got, Delivery{r.Header.Get("webhook-id"), body})
	}
	h.mu.Unlock()
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusUnauthorized)
	case answer != nil:
		answer(w, r)
	}
}

// Got are the deliveries so far, in their order.
func (h *Hook) Got() []Delivery {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Delivery(nil), h.mu.got...)
}
