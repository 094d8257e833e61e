package receivers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// Wire is a transport in memory to a peer, with faults. It is for concurrent use.
type Wire struct {
	Peer http.Handler
	// Taken, where set, is called after the peer has taken a call and before its answer is on its way.
	Taken func()

	mu     sync.Mutex
	fault  *Fault
	next   http.RoundTripper
	calls  []time.Time
	called chan struct{}
}

// Fault is how calls fail. The zero value answers nothing: the connection is refused.
type Fault struct {
	Status     int    // the answer, with all that was sent in its text, as careless peers do; the peer does not see the call
	RetryAfter string // header of it
	Hang       bool   // no answer
	SlowBody   bool   // the peer takes the call, answers, and sends a byte of the answer each second
	Lost       bool   // the peer takes the call, and the connection breaks before its answer
}

// Break makes all calls fail from now on; nil mends it.
func (w *Wire) Break(f *Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

// Through makes a transport carry the calls in place of all else, such as one to a real listener; nil ends that.
func (w *Wire) Through(rt http.RoundTripper) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next = rt
}

// Calls is when calls were made.
func (w *Wire) Calls() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]time.Time(nil), w.calls...)
}

// Called returns a channel that gets a value with each call from now on, as far as somebody takes it.
func (w *Wire) Called() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.called = make(chan struct{}, 1)
	return w.called
}

// RoundTrip implements http.RoundTripper.
func (w *Wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	f, next := w.fault, w.next
	w.calls = append(w.calls, time.Now())
	if w.called != nil {
		select {
		case w.called <- struct{}{}:
		default:
		}
	}
	w.mu.Unlock()
	if next != nil {
		return next.RoundTrip(r)
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body.Close()
	}
	switch {
	case f == nil || f.SlowBody || f.Lost:
	case f.Hang:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case f.Status != 0:
		return refusal(r, f, body), nil
	default:
		return nil, fmt.Errorf("dial tcp %s: connect: connection refused", r.URL.Host)
	}
	in := r.Clone(r.Context())
	in.Body = io.NopCloser(bytes.NewReader(body))
	rec := httptest.NewRecorder()
	w.Peer.ServeHTTP(rec, in)
	if w.Taken != nil {
		w.Taken()
	}
	resp := rec.Result()
	resp.Request = r
	switch {
	case f != nil && f.Lost:
		return nil, errors.New("read tcp: connection reset by peer")
	case f != nil && f.SlowBody:
		resp.ContentLength = -1
		resp.Body = &slow{r, strings.Repeat(" ", 60) + rec.Body.String()}
	}
	return resp, nil
}

func refusal(r *http.Request, f *Fault, body []byte) *http.Response {
	rec := httptest.NewRecorder()
	rec.Header().Set("Retry-After", f.RetryAfter)
	if f.RetryAfter == "" {
		rec.Header().Del("Retry-After")
	}
	rec.WriteHeader(f.Status)
	fmt.Fprintf(rec, "%s %s %v %s", r.Header.Get("Authorization"), r.URL, r.Header.Get("Webhook-Signature"), body)
	resp := rec.Result()
	resp.Request = r
	return resp
}

// slow is a body of which a byte comes each second.
type slow struct {
	r    *http.Request
	rest string
}

func (s *slow) Read(p []byte) (int, error) {
	if s.rest == "" {
		return 0, io.EOF
	}
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.r.Context().Done():
		return 0, s.r.Context().Err()
	}
	n := copy(p[:1], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *slow) Close() error { return nil }
