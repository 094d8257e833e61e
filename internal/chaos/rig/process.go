package rig

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Build compiles driftd with the tag chaos into dir and returns the program.
func Build(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "driftd")
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "chaos", "-o", program, "github.com/driftd/driftd/cmd/driftd")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build driftd: %w\n%s", err, out)
	}
	return program, nil
}

// Process is a driftd of its own. It ends with this process at the latest, for it watches its standard input.
type Process struct {
	Name string
	Log  string // file with all that it says

	cmd   *exec.Cmd
	stdin io.Closer
	ended chan struct{} // closed when it has
	err   error         // what it ended with
	addr  string        // of HTTP, once it is known

	paused atomic.Bool
}

// start runs a program.
func start(name, dir, program string, args, env []string) (*Process, error) {
	p := &Process{Name: name, Log: filepath.Join(dir, name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.Command(program, args...)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = append(os.Environ(), env...), log, log
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// Signal sends a signal; one to a process that has ended is lost.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// Kill ends it as SIGKILL does, and waits until it has.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.ended
}

// Pause lets it stand still until Continue.
func (p *Process) Pause() {
	p.paused.Store(true)
	p.Signal(syscall.SIGSTOP)
}

// Continue lets it go on.
func (p *Process) Continue() {
	p.Signal(syscall.SIGCONT)
	p.paused.Store(false)
}

// Fault is the point at which a fault has ended it, as it said.
func (p *Process) Fault() (point string, ok bool) {
	log, err := os.ReadFile(p.Log)
	if err != nil {
		return "", false
	}
	_, rest, ok := strings.Cut(string(log), "fault: killed at ")
	point, _, _ = strings.Cut(rest, "\n")
	return point, ok
}

// Ended is closed when the process has ended, however it did.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Alive tells whether it has not ended.
func (p *Process) Alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Await waits until it has ended.
func (p *Process) Await(ctx context.Context) error {
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of %s: %w", p.Name, context.Cause(ctx))
	}
}

// Terminate asks it to end and waits; took is how long that was. It fails where its exit code is not 0.
func (p *Process) Terminate(ctx context.Context) (took time.Duration, err error) {
	began := time.Now()
	p.Signal(syscall.SIGTERM)
	if err := p.Await(ctx); err != nil {
		return time.Since(began), err
	}
	if p.err != nil {
		return time.Since(began), fmt.Errorf("%s, asked to end: %w", p.Name, p.err)
	}
	return time.Since(began), nil
}

// Addr is where it answers HTTP; empty until it has said so.
func (p *Process) Addr() string {
	if p.addr != "" {
		return p.addr
	}
	log, err := os.Open(p.Log)
	if err != nil {
		return ""
	}
	defer log.Close()
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if _, rest, ok := strings.Cut(lines.Text(), `msg="driftd starts"`); ok {
			if _, rest, ok = strings.Cut(rest, " http="); ok {
				p.addr, _, _ = strings.Cut(rest, " ")
			}
		}
	}
	return p.addr
}

var errNotYet = errors.New("it does not answer HTTP now")

// Metrics are its figures by their whole names, labels and all.
func (p *Process) Metrics(ctx context.Context) (Metrics, error) {
	if p.paused.Load() || p.Addr() == "" {
		return nil, errNotYet
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	m := Metrics{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if i := strings.LastIndexByte(lines.Text(), ' '); ok && i > 0 {
			name, value = lines.Text()[:i], lines.Text()[i+1:]
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			m[name] = v
		}
	}
	return m, nil
}

// Ready is what it says of how it is.
func (p *Process) Ready(ctx context.Context) (string, error) {
	if p.Addr() == "" {
		return "", errNotYet
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+"/-/ready", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// Metrics are figures by name.
type Metrics map[string]float64

// Each calls f with the labels, as they are written, and the value of each figure of a name.
func (m Metrics) Each(name string, f func(labels string, v float64)) {
	for full, v := range m {
		if base, labels, _ := strings.Cut(full, "{"); base == name {
			f(strings.TrimSuffix(labels, "}"), v)
		}
	}
}

// Sum adds up all figures of a name.
func (m Metrics) Sum(name string) (sum float64) {
	m.Each(name, func(_ string, v float64) { sum += v })
	return sum
}
