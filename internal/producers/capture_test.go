package producers

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// runPython runs python/use_<name>.py to its end.
func runPython(t *testing.T, name, prompt, otlp, vendorURL string) (s sent, err error) {
	t.Helper()
	python, err := installPython(name)
	if err != nil {
		return s, err
	}
	dir, err := filepath.Abs("python")
	if err != nil {
		return s, err
	}
	scratch := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, filepath.Join(dir, "use_"+name+".py"))
	cmd.Dir = scratch
	cmd.Env = append(os.Environ(), "DRIFTD_OTLP=http://"+otlp, "DRIFTD_VENDOR="+vendorURL, "DRIFTD_PROMPT="+prompt, "DRIFTD_SCRATCH="+scratch,
		"PYTHONPATH="+dir, "PYTHONDONTWRITEBYTECODE=1", "HOME="+scratch, "NO_PROXY=127.0.0.1,localhost")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return s, fmt.Errorf("run use_%s.py: %w\n%s", name, err, &stderr)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil {
		return s, fmt.Errorf("read what use_%s.py says: %w", name, err)
	}
	return s, nil
}

// mark sends a span and a log record through the Collector, behind all that was sent before, and returns their trace id in hex.
func (r *rig) mark() string {
	r.t.Helper()
	var id [16]byte
	rand.Read(id[:])
	trace, now := hex.EncodeToString(id[:]), fmt.Sprint(time.Now().UnixNano())
	for path, body := range map[string]string{
		"/v1/traces": `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"` + trace + `","spanId":"` + trace[:16] + `","name":"mark","startTimeUnixNano":"` + now + `","endTimeUnixNano":"` + now + `"}]}]}]}`,
		"/v1/logs":   `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"` + trace + `","timeUnixNano":"` + now + `","body":{"stringValue":"mark"}}]}]}]}`,
	} {
		res, err := http.Post("http://"+r.HTTP+path, "application/json", strings.NewReader(body))
		if err != nil {
			r.t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			r.t.Fatalf("the Collector answers %s to a mark", res.Status)
		}
	}
	return trace
}

// untilMark returns what came before the mark.
func (p *tap) untilMark(what, trace string) []*kgo.Record {
	p.t.Helper()
	isMark := func(r *kgo.Record) bool { return string(r.Key) == trace }
	var records []*kgo.Record
	for _, r := range p.until(what, isMark) {
		if !isMark(r) {
			records = append(records, r)
		}
	}
	return records
}

// skippable tells what a producer cannot be had for.
func skippable(err error) bool {
	_, ok := errors.AsType[missingError](err)
	return ok
}
