package producers

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"
)

// route is one Kafka exporter of the Collector: both signals in one encoding.
type route struct {
	Name, Encoding string // otlp_proto or otlp_json
	Spans, Logs    string // topics
	Keyed          bool   // by trace id
	Murmur2        bool   // instead of the exporter's own choice of a hash
	Codec          string // default none
	Concurrent     bool   // several batches on their way at once, as by default; else in order
}

// settings of a Collector.
type settings struct {
	Brokers    []string
	Routes     []route
	GRPC, HTTP string // addresses of the receiver
}

var collectorConfig = template.Must(template.New("").Parse(`receivers:
  otlp:
    protocols:
      grpc: {endpoint: "{{.GRPC}}"}
      http: {endpoint: "{{.HTTP}}"}
processors:
  batch: {timeout: 200ms}
exporters:
{{- range .Routes}}
  kafka/{{.Name}}:
    brokers: [{{range $i, $b := $.Brokers}}{{if $i}}, {{end}}"{{$b}}"{{end}}]
    traces: {topic: "{{.Spans}}", encoding: {{.Encoding}}}
    logs: {topic: "{{.Logs}}", encoding: {{.Encoding}}}
{{- if .Keyed}}
    partition_traces_by_id: true
    partition_logs_by_trace_id: true
{{- end}}
{{- if .Murmur2}}
    record_partitioner: {sticky_key: {hasher: murmur2}}
{{- end}}
{{- if .Codec}}
    producer: {compression: {{.Codec}}}
{{- end}}
{{- if not .Concurrent}}
    sending_queue: {num_consumers: 1}
{{- end}}
{{- end}}
service:
  telemetry: {metrics: {level: none}, logs: {level: warn}}
  pipelines:
    traces: {receivers: [otlp], processors: [batch], exporters: [{{range $i, $r := .Routes}}{{if $i}}, {{end}}kafka/{{$r.Name}}{{end}}]}
    logs: {receivers: [otlp], processors: [batch], exporters: [{{range $i, $r := .Routes}}{{if $i}}, {{end}}kafka/{{$r.Name}}{{end}}]}
`))

// collector is a running Collector.
type collector struct{ settings }

// startCollector starts a Collector that ends with t, however this process ends.
func startCollector(t *testing.T, binary string, s settings) *collector {
	t.Helper()
	s.GRPC, s.HTTP = freeAddr(t), freeAddr(t)
	var config bytes.Buffer
	if err := collectorConfig.Execute(&config, s); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "collector.yaml")
	if err := os.WriteFile(file, config.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	// A shell ends it when the pipe to the shell's input closes, which it also does when this process is killed.
	cmd := exec.Command("sh", "-c", `"$@" </dev/null & pid=$!; cat >/dev/null; kill $pid; wait $pid`, "sh", binary, "--config", file)
	out := &buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Logf("the Collector's end: %v", err)
		}
		if said := out.String(); said != "" {
			t.Logf("the Collector says:\n%s", said)
		}
	})
	if err := await(s.HTTP, time.Minute); err != nil {
		t.Fatalf("the Collector does not begin: %v\n%s", err, out)
	}
	return &collector{s}
}

// buffer is a bytes.Buffer for concurrent use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.TrimSpace(b.b.String())
}

// await waits until something listens at addr.
func await(addr string, patience time.Duration) error {
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	deadline := time.After(patience)
	for {
		select {
		case <-deadline:
			return fmt.Errorf("nothing listens at %s after %v", addr, patience)
		case <-poll.C:
			if conn, err := net.Dial("tcp", addr); err == nil {
				return conn.Close()
			}
		}
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
