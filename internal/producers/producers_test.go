package producers

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var only = flag.String("only", "", "name of the one producer to run")

var rewrite = flag.Bool("rewrite", false, "write what producers send into the fixtures of consumer/otlp")

// producer is something that writes to a Collector, and what driftd must make of it.
type producer struct {
	name    string // of its fixtures' folder, of its script, and before its prompt's
	version string // of its prompt
	rubric  string // of its scores; none if empty
}

func (p producer) prompt() string { return p.name + ".refund" }

var all = []producer{
	{name: "gosdk", version: "v18", rubric: "citation_grounding"},
	{name: "otel", version: "v18", rubric: "grounding"},
	{name: "openinference", version: "v18", rubric: "grounding"},
	{name: "openllmetry", version: "7"},
	{name: "langfuse", version: "7"},
	{name: "mlflow", version: "2"},
	{name: "langwatch", version: "7", rubric: "grounding"},
	{name: "promptlayer", version: "7"},
	{name: "traceai", version: "v18"},
}

// TestProducers runs each producer, takes what it really writes from the log, and holds what driftd makes of it.
func TestProducers(t *testing.T) {
	r := newRig(t, 1,
		route{Name: "otlp_proto", Encoding: "otlp_proto", Keyed: true},
		route{Name: "otlp_json", Encoding: "otlp_json", Keyed: true})
	v := startVendor(t, r.HTTP)
	taps := map[string]*tap{}
	for _, route := range r.Routes {
		taps[route.Spans] = newTap(t, r.Brokers, route.Spans)
		taps[route.Logs] = newTap(t, r.Brokers, route.Logs)
	}
	for _, p := range all {
		if *only != "" && !strings.Contains(*only, p.name) {
			continue
		}
		var s sent
		var err error
		if p.name == "gosdk" {
			s = runGoSDK(t, r.GRPC, "-prompt", p.prompt())
		} else {
			s, err = runPython(t, p.name, p.prompt(), r.HTTP, v.URL)
		}
		if skippable(err) {
			t.Logf("SKIP %s: %v", p.name, err)
			continue
		}
		if err != nil {
			t.Errorf("%v\nthe vendor was asked for: %s", err, v.paths())
			continue
		}
		if *rewrite {
			forget(t, p.name)
		}
		mark := r.mark()
		records := 0
		for _, route := range r.Routes {
			for signal, topic := range map[string]string{"spans": route.Spans, "logs": route.Logs} {
				for i, rec := range taps[topic].untilMark("mark in "+topic, mark) {
					records++
					if *rewrite {
						keep(t, p.name, fmt.Sprintf("%s-%d.%s", signal, i+1, route.Encoding), rec.Value)
					}
				}
			}
		}
		t.Logf("%s: %+v, %d records", p.name, s, records)
	}
}

// fixtures is the folder of a producer's records.
func fixtures(producer string) string {
	return filepath.Join("..", "..", "consumer", "otlp", "testdata", "producers", producer)
}

// forget removes a producer's records.
func forget(t *testing.T, producer string) {
	t.Helper()
	old, err := filepath.Glob(filepath.Join(fixtures(producer), "*.otlp_*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range old {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}

// keep writes a fixture.
func keep(t *testing.T, producer, name string, value []byte) {
	t.Helper()
	dir := fixtures(producer)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), scrub(value, append(machine(), said...)), 0o644); err != nil {
		t.Fatal(err)
	}
}
