package producers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/testkit"
)

// wanted skips what takes a Collector, unless it was asked for.
func wanted(t *testing.T) {
	t.Helper()
	if os.Getenv("DRIFTD_TEST_COLLECTOR") != "1" {
		t.Skip("builds a Collector and installs SDKs: make test-collector")
	}
}

// got returns what a build gave, skips the test for what the network denies, and fails it for the rest.
func got(t *testing.T) func(path string, err error) string {
	return func(path string, err error) string {
		t.Helper()
		if m, ok := errors.AsType[missingError](err); ok {
			t.Skip(m)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
}

// rig is a broker, and a Collector that writes to it.
type rig struct {
	*collector
	t      *testing.T
	client *kafkalog.Client
	prefix string
}

// newRig starts them; the routes' topics get a prefix of their own, and partitions.
func newRig(t *testing.T, partitions int, routes ...route) *rig {
	t.Helper()
	wanted(t)
	binary := got(t)(buildCollector())
	brokers := testkit.Broker(t)
	client, err := kafkalog.Dial(kafkalog.Config{Brokers: brokers, ClientID: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	r := &rig{t: t, client: client, prefix: testkit.Name(t) + "."}
	for i := range routes {
		routes[i].Spans, routes[i].Logs = r.prefix+routes[i].Name+".spans", r.prefix+routes[i].Name+".logs"
		r.ensure(partitions, routes[i].Spans, routes[i].Logs)
	}
	r.collector = startCollector(t, binary, settings{Brokers: brokers, Routes: routes})
	return r
}

func (r *rig) ensure(partitions int, topics ...string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	for _, name := range topics {
		if err := r.client.EnsureTopics(ctx, []kafkalog.TopicSpec{{Name: name, Partitions: partitions}}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// sent is what a producer tells of itself on the last line of its standard output.
type sent struct {
	Spans, Calls, Scores, Held int
	Versions                   map[string]string
}

// runGoSDK runs the application under the Go SDK to its end.
func runGoSDK(t *testing.T, endpoint string, args ...string) sent {
	t.Helper()
	s, err := startGoSDK(t, endpoint, args...)()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// startGoSDK starts it; the returned function waits for its end, in any goroutine.
func startGoSDK(t *testing.T, endpoint string, args ...string) (wait func() (sent, error)) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), got(t)(buildGoSDK()), append([]string{"-endpoint", endpoint}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() (s sent, err error) {
		if err := cmd.Wait(); err != nil {
			return s, fmt.Errorf("run the Go SDK's application: %w", err)
		}
		if err := json.Unmarshal(out.Bytes(), &s); err != nil {
			return s, fmt.Errorf("read what the Go SDK's application says: %w", err)
		}
		return s, nil
	}
}
