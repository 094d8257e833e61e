package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	scalePartitions = 16
	scaleSource     = "spans"
	scalePatience   = 3 * time.Minute // for what must happen
	scaleLook       = 20 * time.Millisecond
)

// fleet are daemons as operators start them, with one config but for the address they listen on.
type fleet struct {
	b      *bench
	dir    string
	binary string
	prefix string // of topics
	share  *share // of CPU that each gets; nil: all there is
	all    []*instance
}

const scaleRules = `
groups:
  - name: all
    match: {prompt: "*"}
    slice_by: [tier, locale]
    rules:
      - {alert: Mean, rubric: grounding, threshold: {stat: mean, window: 1h, below: 0.01}, min_samples: 1}
      - {alert: Tail, metric: latency, threshold: {stat: p95, window: 1h, above: 1000s}, min_samples: 20}
rubrics: {grounding: {min: 0, max: 1, better: higher}, helpfulness: {min: 1, max: 5, better: higher}}
`

// newFleet builds the binary; close ends what was started and removes the files.
func (b *bench) newFleet(prefix string) (*fleet, error) {
	dir, err := os.MkdirTemp("", "driftd-bench-")
	if err != nil {
		return nil, err
	}
	f := &fleet{b: b, dir: dir, binary: filepath.Join(dir, "driftd"), prefix: prefix}
	if out, err := exec.CommandContext(b.ctx, "go", "build", "-o", f.binary, "github.com/driftd/driftd/cmd/driftd").CombinedOutput(); err != nil {
		f.close()
		return nil, fmt.Errorf("build driftd: %w\n%s", err, out)
	}
	return f, os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(scaleRules), 0o600)
}

func (f *fleet) close() {
	for _, i := range f.all {
		i.kill()
	}
	os.RemoveAll(f.dir)
}

// instance is one of them. It may be started again after its end.
type instance struct {
	f      *fleet
	name   string
	listen string
	config string
	cmd    *exec.Cmd
	ended  chan struct{}
	told   bool // to end

	mu    sync.Mutex
	lines []logLine // of the process that runs, or ran last
}

type logLine struct {
	at   time.Time
	text string
}

// start makes an instance and starts it.
func (f *fleet) start(name string) (*instance, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	i := &instance{f: f, name: name, listen: l.Addr().String(), config: filepath.Join(f.dir, name+".yaml")}
	l.Close()
	text := fmt.Sprintf(`
kafka: {brokers: [%s], topic_prefix: %s, partitions: %d, replication_factor: 1}
sources: [{topic: %s, encoding: otlp_proto}]
dimensions: [tier, locale]
rules: [rules.yaml]
receivers: [{name: nobody, webhook: {url: "http://127.0.0.1:9/", secret: "${HOOK_SECRET}"}}]
route: {receiver: nobody}
http: {listen: "%s"}
`, strings.Join(f.b.brokers, ", "), f.prefix, scalePartitions, scaleSource, i.listen)
	if err := os.WriteFile(i.config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	f.all = append(f.all, i)
	return i, i.start()
}

func (i *instance) start() error {
	i.cmd = exec.Command(i.f.binary, "run", "--config", i.config)
	i.cmd.Env = append(os.Environ(), "HOOK_SECRET=whsec_"+strings.Repeat("c2Vj", 8))
	out, err := i.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := i.cmd.Start(); err != nil {
		return err
	}
	if err := i.f.share.add(i.name, i.cmd.Process.Pid); err != nil {
		return err
	}
	i.mu.Lock()
	i.lines = nil
	i.mu.Unlock()
	i.ended, i.told = make(chan struct{}), false
	go func(cmd *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		for s := bufio.NewScanner(out); s.Scan(); {
			i.mu.Lock()
			i.lines = append(i.lines, logLine{time.Now(), s.Text()})
			i.mu.Unlock()
		}
		cmd.Wait()
	}(i.cmd, i.ended)
	return nil
}

// kill ends it as a crash does.
func (i *instance) kill() {
	i.told = true
	i.cmd.Process.Signal(syscall.SIGKILL)
	<-i.ended
}

// stop ends it in good order.
func (i *instance) stop() {
	i.told = true
	i.cmd.Process.Signal(syscall.SIGTERM)
	<-i.ended
}

// cpu is what the process has used so far.
func (i *instance) cpu() time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", i.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(raw, []byte(") "))
	fields := strings.Fields(string(rest))
	if len(fields) < 13 {
		return 0
	}
	ticks := 0
	for _, s := range fields[11:13] { // in user and in system mode, in hundredths of a second
		n, _ := strconv.Atoi(s)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// said are the moments at which the process that runs logged lines that contain text.
func (i *instance) said(text string) (at []time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, l := range i.lines {
		if strings.Contains(l.text, text) {
			at = append(at, l.at)
		}
	}
	return at
}

// tail is the end of its log, for errors.
func (i *instance) tail() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var b strings.Builder
	for _, l := range i.lines[max(0, len(i.lines)-15):] {
		b.WriteString("\n\t" + l.text)
	}
	return b.String()
}

// figures are its metrics by their whole names; nil while it does not answer.
func (i *instance) figures() scrape {
	ctx, cancel := context.WithTimeout(i.f.b.ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.listen+"/metrics", nil)
	if err != nil {
		return nil
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil
	}
	found := make(scrape)
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		if ok {
			name += "}"
		} else {
			name, value, _ = strings.Cut(strings.TrimSpace(line), " ")
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil && !strings.HasPrefix(line, "#") {
			found[name] = v
		}
	}
	return found
}

type scrape map[string]float64

// sum adds up a metric over its labels.
func (s scrape) sum(name string) (total float64) {
	for n, v := range s {
		if n == name || strings.HasPrefix(n, name+"{") {
			total += v
		}
	}
	return total
}

var partitionLabel = regexp.MustCompile(`partition="(\d+)"`)

// byPartition are the values of a metric that each partition has one of; name is the beginning of its whole name.
func (s scrape) byPartition(name string) map[int]float64 {
	found := make(map[int]float64)
	for n, v := range s {
		if m := partitionLabel.FindStringSubmatch(n); m != nil && strings.HasPrefix(n, name) {
			p, _ := strconv.Atoi(m[1])
			found[p] = v
		}
	}
	return found
}

// owned are the partitions that the instance has, of the topic of the load and of samples.
func (s scrape) owned() (ingest, detect int) {
	for n := range s {
		if strings.HasPrefix(n, `driftd_consumer_lag_records{topic="`+scaleSource+`"`) {
			ingest++
		}
	}
	return ingest, int(s["driftd_detector_partitions"])
}

// until waits for what must happen.
func (f *fleet) until(what string, ok func() bool) error {
	tick := time.NewTicker(scaleLook)
	defer tick.Stop()
	for end := time.Now().Add(scalePatience); !ok(); {
		select {
		case <-f.b.ctx.Done():
			return context.Cause(f.b.ctx)
		case <-tick.C:
		}
		if time.Now().After(end) || f.lost() {
			var logs strings.Builder
			for _, i := range f.all {
				logs.WriteString("\n" + i.name + ":" + i.tail())
			}
			return fmt.Errorf("%s: not within %v, or an instance has ended%s", what, scalePatience, logs.String())
		}
	}
	return nil
}

// lost tells whether an instance has ended by itself.
func (f *fleet) lost() bool {
	for _, i := range f.all {
		select {
		case <-i.ended:
			if !i.told {
				return true
			}
		default:
		}
	}
	return false
}

// settled waits until these share all partitions evenly.
func (f *fleet) settled(these ...*instance) error {
	least := scalePartitions / len(these)
	return f.until(fmt.Sprintf("an even share for %d", len(these)), func() bool {
		ingest, detect := 0, 0
		for _, i := range these {
			in, de := i.figures().owned()
			if in < least || de < least {
				return false
			}
			ingest, detect = ingest+in, detect+de
		}
		return cmp.Or(ingest-scalePartitions, detect-scalePartitions) == 0
	})
}
