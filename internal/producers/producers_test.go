package producers

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

var (
	only    = flag.String("only", "", "names of the producers to run, by comma; all if empty")
	rewrite = flag.Bool("rewrite", false, "write what producers send into the fixtures of consumer/otlp")
)

// producer is something that writes to a Collector, and what driftd must make of it.
type producer struct {
	name    string // of its fixtures' folder, of its script, and before its prompt's
	version string // of its prompt
	want    tally
	note    string // what its telemetry leaves out
}

func (p producer) prompt() string { return p.name + ".refund" }

var producers = []producer{
	{"gosdk", "v18", tally{calls: 3, scores: 3}, "prompt on a span beside the call; scores as log records by span and by response id, and by span link"},
	{"otel", "v18", tally{calls: 2, scores: 2}, "prompt on the span above the call, scores as a log record and as a span event"},
	{"openinference", "v18", tally{calls: 2, scores: 2}, "prompt on the span above, version on the call; a call inside a call counts once"},
	{"openllmetry", "7", tally{calls: 1, scores: 0}, "no scores over OTLP"},
	{"langfuse", "7", tally{calls: 2, scores: 0}, "no scores over OTLP; a fallback prompt links nothing"},
	{"mlflow", "2", tally{calls: 2, scores: 0}, "prompt on the span that loaded it; no scores over OTLP"},
	{"langwatch", "7", tally{calls: 1, scores: 1}, "prompt on spans beside the call"},
	{"promptlayer", "7", tally{calls: 1, scores: 0}, "no scores over OTLP"},
	{"langsmith", "b1d7e4c0ffee00000000000000000000000000000000000000000000000000aa", tally{calls: 1, scores: 0}, "prompt on a span beside the call; no scores over OTLP"},
	{"litellm", "v18", tally{calls: 1, scores: 0}, "prompt on the span above, cost on the call"},
	{"traceai", "v18", tally{calls: 1, scores: 0}, ""},
}

// outcome is a row of the table that is printed at the end.
type outcome struct {
	producer
	ran            sent
	spans, records int
	got            tally
	tried          string // "for real", FAILED or SKIPPED
	skipped        string
}

// TestProducers runs each producer, takes what it really writes from the log, and holds what driftd makes of it in both encodings.
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
	var outcomes []*outcome
	for _, p := range producers {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), p.name) {
			continue
		}
		o := &outcome{producer: p, tried: "for real"}
		outcomes = append(outcomes, o)
		var err error
		if p.name == "gosdk" {
			o.ran = runGoSDK(t, r.GRPC, "-prompt", p.prompt(), "-traces", "3", "-judges", "ids,response,link")
		} else {
			o.ran, err = runPython(t, p.name, p.prompt(), r.HTTP, v.URL)
		}
		if skippable(err) {
			o.tried, o.skipped = "SKIPPED", err.Error()
			continue
		}
		if err != nil {
			o.tried = "FAILED"
			t.Errorf("%v\nthe vendor was asked for: %s", err, v.paths())
			continue
		}
		if *rewrite {
			forget(t, p.name)
		}
		mark := r.mark()
		for _, route := range r.Routes {
			for signal, topic := range map[string]string{"spans": route.Spans, "logs": route.Logs} {
				for i, rec := range taps[topic].untilMark("mark in "+topic, mark) {
					if route.Encoding == "otlp_proto" {
						o.records++
					}
					if route.Encoding == "otlp_proto" && signal == "spans" {
						o.spans += countEvents(t, route.Encoding, rec.Value)
					}
					if *rewrite {
						keep(t, p.name, fmt.Sprintf("%s-%d.%s", signal, i+1, route.Encoding), rec.Value)
					}
				}
			}
		}
	}

	// The last to come: what is behind it in each topic has been counted before it.
	end := cell{"end.refund", "v18"}
	runGoSDK(t, r.GRPC, "-prompt", end.prompt)
	for _, route := range r.Routes {
		in := newIntake(t, r, route, 1)
		stop := in.run()
		in.until("last sample", func() bool { return in.counted[end] == tally{calls: 1, scores: 1} })
		stop()
		t.Logf("%s: needed a link: %v; refused: %v", route.Name, in.links(), in.dead())
		if len(in.dead()) > 0 {
			t.Errorf("%s: refused %v", route.Name, in.dead())
		}
		want := map[cell]tally{end: {calls: 1, scores: 1}}
		for _, o := range outcomes {
			if c := (cell{o.prompt(), o.version}); o.tried == "for real" {
				want[c] = o.want
				o.got = in.counted[c]
			}
		}
		if in.differs(want) {
			t.Errorf("%s: counted\n%v\nwant\n%v", route.Name, in.counted, want)
		}
	}
	print(t, outcomes)
}

// print writes the table, and what was skipped so that it cannot be overlooked.
func print(t *testing.T, outcomes []*outcome) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "producer\tversion\tspans\trecords\tcalls linked\tscores\ttried\tnote")
	for _, o := range outcomes {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d of %d\t%d of %d\t%s\t%s\n", o.name, o.ran.version(), o.spans, o.records, o.got.calls, o.want.calls, o.got.scores, o.want.scores, o.tried, o.note)
	}
	w.Flush()
	t.Logf("what driftd makes of real producers, through a Collector %s\n%s", collectorVersion, &b)
	for _, o := range outcomes {
		if o.skipped != "" {
			t.Run(o.name, func(t *testing.T) { t.Skip(o.skipped) })
		}
	}
}

// version is that of the package that a producer is known by.
func (s sent) version() string {
	for _, p := range []string{
		"go.opentelemetry.io/otel/sdk", "opentelemetry-instrumentation-openai-v2", "openinference-instrumentation-openai", "traceloop-sdk", "langfuse", "mlflow",
		"langwatch", "promptlayer", "traceAI-openai", "langsmith", "litellm",
	} {
		if v, ok := s.Versions[p]; ok {
			return p + " " + v
		}
	}
	return ""
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
