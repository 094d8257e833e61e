package producers

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestLinked holds that every call and every score that can be linked is, when spans and scores come out of order and the ingest
// stage is started anew in the middle: after it was stopped, and after driftd itself was killed. Prompts stand on a span beside the
// call; scores are log records on a topic of their own, some before their span. Nothing says which trace a link was made for, so
// wrong links show as counts that differ between prompt versions.
func TestLinked(t *testing.T) {
	t.Run("stopped", func(t *testing.T) {
		testLinked(t, func(in *intake) (run func() (stop func())) { return in.run })
	})
	t.Run("killed", func(t *testing.T) {
		testLinked(t, func(in *intake) (run func() (stop func())) { return newDaemon(in).run })
	})
}

func testLinked(t *testing.T, prepare func(*intake) (run func() (stop func()))) {
	const partitions, spread, each = 4, 5, 120
	const traces = spread * spread * each
	r := newRig(t, partitions, route{Name: "otlp_proto", Encoding: "otlp_proto", Keyed: true, Concurrent: true})
	in := newIntake(t, r, r.Routes[0], partitions)
	run := prepare(in)
	stop := run()

	want := map[cell]tally{}
	for p := range spread {
		for v := range spread {
			want[cell{fmt.Sprintf("gosdk.refund.%d", p), fmt.Sprintf("v18.%d", v)}] = tally{calls: each, scores: each}
		}
	}
	counted := func() (calls, scores int) {
		for _, n := range in.counted {
			calls, scores = calls+n.calls, scores+n.scores
		}
		return calls, scores
	}

	wait := startGoSDK(t, r.GRPC, "-prompt", "gosdk.refund", "-spread", fmt.Sprint(spread), "-traces", fmt.Sprint(traces),
		"-over", "40s", "-disorder", "0.05", "-held", "2s")
	type end struct {
		sent
		err error
	}
	ended := make(chan end, 1)
	go func() { s, err := wait(); ended <- end{s, err} }()
	in.until("part of the calls", func() bool { n, _ := counted(); return n >= traces/4 })
	stop()
	n, _ := counted()
	select {
	case e := <-ended:
		t.Fatalf("the producer had ended when ingest was stopped, so that was not in the middle: %+v", e)
	default:
	}
	t.Logf("ingest is started anew when %d of %d calls were counted, and spans still come", n, traces)
	stop = run()

	in.until("end", func() bool { c, s := counted(); return c >= traces && s >= traces })
	s := <-ended
	stop()
	if s.err != nil {
		t.Fatal(s.err)
	}
	calls, scores := counted()
	t.Logf("%d spans and %d scores, %d of them held back; %d samples repeated, and counted once", s.Spans, s.Scores, s.Held, in.repeated)
	t.Logf("linked %d of %d", calls+scores, s.Calls+s.Scores)
	if in.differs(want) {
		t.Errorf("counted\n%v\nwant\n%v", in.counted, want)
	}
}

// daemon is driftd as a process of its own, with a config that reads the intake's topics.
type daemon struct {
	t              *testing.T
	binary, config string
}

func newDaemon(in *intake) *daemon {
	in.t.Helper()
	dir := in.t.TempDir()
	d := &daemon{t: in.t, binary: filepath.Join(dir, "driftd"), config: filepath.Join(dir, "driftd.yaml")}
	if _, err := command(".", nil, goCommand(), "build", "-o", d.binary, "../../cmd/driftd"); err != nil {
		in.t.Fatal(err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "kafka: {brokers: %q, topic_prefix: %q, partitions: 4, replication_factor: 1}\nsources:\n", in.brokers, in.cfg.TopicPrefix)
	for _, s := range in.cfg.Sources {
		fmt.Fprintf(&b, "  - {topic: %q, encoding: %s}\n", s.Topic, s.Encoding)
	}
	fmt.Fprint(&b, "linking: {wait: 10s, horizon: 30m, memory: 64MiB}\ndimensions: [tier, locale]\nhttp: {listen: \"127.0.0.1:0\"}\nrules: [rules.yaml]\n")
	const rules = "groups: [{name: all, rules: [{alert: Slow, metric: latency, threshold: {stat: p95, window: 1h, above: 4s}}]}]\n"
	for name, content := range map[string]string{d.config: b.String(), filepath.Join(dir, "rules.yaml"): rules} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			in.t.Fatal(err)
		}
	}
	if out, err := d.command("check", "--config", d.config).CombinedOutput(); err != nil {
		in.t.Fatalf("driftd check: %v\n%s", err, out)
	}
	return d
}

// command is one of driftd's, without this test's own variables, which would look like settings.
func (d *daemon) command(args ...string) *exec.Cmd {
	cmd := exec.Command(d.binary, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "DRIFTD_") })
	return cmd
}

// run starts the ingest stage; the returned function kills it.
func (d *daemon) run() (kill func()) {
	d.t.Helper()
	cmd := d.command("run", "--config", d.config, "--stages", "ingest")
	out := &buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if d.t.Failed() {
			d.t.Logf("driftd, until it was killed, says:\n%s", out)
		}
	})
	d.t.Cleanup(kill)
	return kill
}
