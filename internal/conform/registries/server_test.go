package registries

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// server is a registry that people talk to over HTTP: a fake in this process, or a real one.
type server struct {
	base      string
	transport http.RoundTripper
	sign      func(*http.Request) // as one who may everything; may be nil
	off       power               // nil where it is not ours
}

// fake is a server in this process.
func fake(h http.Handler) *server {
	in := &inside{handler: h}
	return &server{base: "http://registry.test", transport: in, off: in}
}

// inside answers without a network, or not at all while it is down.
type inside struct {
	handler http.Handler
	down    atomic.Bool
}

func (in *inside) RoundTrip(r *http.Request) (*http.Response, error) {
	if in.down.Load() {
		return nil, fmt.Errorf("dial tcp %s: connection refused", r.URL.Host)
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.RequestURI = r.URL.RequestURI()
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	in.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

func (in *inside) stop(*testing.T)  { in.down.Store(true) }
func (in *inside) start(*testing.T) { in.down.Store(false) }

// control is the environment variable that names a program which starts and stops the real servers: PROGRAM start NAME prints the
// address when it answers, PROGRAM stop NAME kills it. What it keeps outlives that.
const control = "DRIFTD_TEST_REGISTRIES"

// real is a server whose address is in the environment, or that is started for this test; nil where there is neither.
func real(t *testing.T, variable, name string) *server {
	t.Helper()
	s := &server{base: os.Getenv(variable), transport: &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute}}
	if program := os.Getenv(control); program != "" && s.base == "" {
		p := process{program, name}
		t.Cleanup(func() { p.stop(t) })
		s.base, s.off = p.do(t, "start"), p
	}
	if s.base == "" {
		return nil
	}
	return s
}

type process struct{ program, name string }

func (p process) do(t *testing.T, verb string) string {
	t.Helper()
	cmd := exec.Command(p.program, verb, p.name)
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", verb, p.name, err, trouble.Bytes())
	}
	return strings.TrimSpace(out.String())
}

func (p process) stop(t *testing.T)  { t.Helper(); p.do(t, "stop") }
func (p process) start(t *testing.T) { t.Helper(); p.do(t, "start") }

// ask is a call of a person or of the suite itself. It fails the test unless the answer is 2xx or one of those that are fine too.
func (s *server) ask(t *testing.T, method, path string, query url.Values, body, out any, fine ...int) int {
	t.Helper()
	status, text := s.try(method, path, query, body)
	for _, ok := range fine {
		if status == ok {
			return status
		}
	}
	if status < 200 || status > 299 {
		t.Errorf("%s %s: %d %s", method, path, status, text)
		return status
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			t.Errorf("%s %s: %v: %.200s", method, path, err, text)
		}
	}
	return status
}

func (s *server) try(method, path string, query url.Values, body any) (int, []byte) {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return 0, []byte(err.Error())
		}
	}
	r, err := http.NewRequest(method, s.base+path+"?"+query.Encode(), bytes.NewReader(raw))
	if err != nil {
		return 0, []byte(err.Error())
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if s.sign != nil {
		s.sign(r)
	}
	resp, err := (&http.Client{Transport: s.transport, Timeout: 30 * time.Second}).Do(r)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return resp.StatusCode, text
}

// anyHost reaches the server by whatever host name is asked for.
func (s *server) anyHost() http.RoundTripper {
	if _, ok := s.transport.(*http.Transport); !ok {
		return s.transport
	}
	return &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(s.base, "http://"))
	}}
}

// between puts middleware between a client and the server.
func (s *server) between(through middleware) http.RoundTripper {
	if through == nil {
		return s.transport
	}
	return through(s.transport)
}
