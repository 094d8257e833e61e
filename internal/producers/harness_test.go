package producers

import (
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

func runGoSDK(t *testing.T, endpoint string, args ...string) sent {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), got(t)(buildGoSDK()), append([]string{"-endpoint", endpoint}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run the Go SDK's application: %v", err)
	}
	var s sent
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatal(fmt.Errorf("read what the Go SDK's application says: %w", err))
	}
	return s
}
