package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// decoders are the benchmarks by name.
var decoders = map[string]struct {
	figure figure
	event  string
	record float64 // events of one record
}{
	"OTLPDecode":     {figure{What: "OTLP proto decode to samples", Unit: "M spans/s/core", Target: 1.0}, "span", 50},
	"OTLPJSONDecode": {figure{What: "OTLP JSON decode to samples", Unit: "M spans/s/core", Target: 0.25, Note: "19 attributes and 1.2 kB of messages a span, 2.8 kB of JSON"}, "span", 50},
	"NativeDecode":   {figure{What: "native JSON decode to samples", Unit: "M events/s/core", Target: 0.6}, "event", 1},
}

// decode runs the benchmarks of the consumer's core, which is no API: records to samples in batches, without any I/O.
func (b *bench) decode() error {
	return b.benchmarks("^Benchmark(OTLP|OTLPJSON|Native)Decode$", func(name string, per map[string]float64) error {
		d, ok := decoders[name]
		if !ok {
			return fmt.Errorf("read benchmark %q: there is no figure for it", name)
		}
		f := d.figure
		f.PerEvent = &cost{d.event, per["cpu-ns/event"], per["B/op"] / d.record, per["allocs/op"] / d.record}
		f.Value = 1e3 / f.PerEvent.Nanos
		b.report(f)
		if d.event == "span" {
			what := strings.TrimSuffix(f.What, " to samples") + ", strings seen before"
			b.report(figure{What: what, Value: f.PerEvent.Allocs, Unit: "allocs/span", Target: noAllocs, AtMost: true})
		}
		return nil
	})
}

// dedup runs the benchmark of what `dedup` of a source adds to each event; where it is off nothing is added.
func (b *bench) dedup() error {
	return b.benchmarks("^BenchmarkDedup$", func(_ string, per map[string]float64) error {
		each := &cost{"event", per["cpu-ns/event"], per["B/op"], per["allocs/op"]}
		b.report(figure{What: "dedup: an id looked up and remembered", Value: each.Nanos, Unit: "ns/event", Target: 300, AtMost: true, PerEvent: each,
			Note: "10 min at 1000 events/s"})
		b.report(figure{What: "  memory of an id in the horizon", Value: per["B/id"], Unit: "B/event", Target: 24, AtMost: true,
			Note: fmt.Sprintf("%.1f MB", per["B/id"]*600_000/1e6)})
		return nil
	})
}

// benchmarks runs benchmarks of the consumer and shows the figures of each.
func (b *bench) benchmarks(pattern string, show func(name string, per map[string]float64) error) error {
	args := []string{"test", "-run", "^$", "-bench", pattern, "-cpu", "1"}
	if b.quick {
		args = append(args, "-benchtime", "100ms")
	} else {
		args = append(args, "-benchtime", "3s")
	}
	cmd := exec.CommandContext(b.ctx, "go", append(args, "github.com/driftd/driftd/consumer")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("run consumer's benchmarks: %w\n%s%s", err, out, stderr.Bytes())
	}
	for _, line := range strings.Split(string(out), "\n") {
		name, rest, ok := strings.Cut(line, "\t")
		if !ok || !strings.HasPrefix(name, "Benchmark") {
			continue
		}
		per, err := parseBenchmark(rest)
		if err != nil {
			return err
		}
		if err := show(strings.TrimPrefix(strings.TrimSpace(name), "Benchmark"), per); err != nil {
			return err
		}
	}
	return nil
}

// noAllocs is the target of none, with room for what the runtime allocates now and then.
const noAllocs = 0.001

// parseBenchmark reads the pairs of value and unit behind a benchmark's name.
func parseBenchmark(line string) (map[string]float64, error) {
	per := make(map[string]float64)
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return nil, fmt.Errorf("read benchmark %q: it has no figures", line)
	}
	for f := fields[1:]; len(f) >= 2; f = f[2:] {
		v, err := strconv.ParseFloat(f[0], 64)
		if err != nil {
			return nil, fmt.Errorf("read benchmark %q: %w", line, err)
		}
		per[f[1]] = v
	}
	return per, nil
}
