// Command bench measures the figures that driftd promises and prints them as one table beside their targets.
//
// Each part runs in a process of its own, with an embedded broker in another, so that what counts is the CPU time of driftd's
// own work, all threads and garbage collection included, and no part's heap weighs on the next. Loads are made from fixed
// seeds. It is a tool for developers; the daemon does not need it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/embedded"
)

// part is what can be measured by itself.
type part struct {
	name string
	run  func(*bench) error
}

var parts = []part{
	{"decode", (*bench).decode},
	{"ingest", (*bench).ingest},
	{"link", (*bench).link},
	{"dedup", (*bench).dedup},
	{"fold-1000", func(b *bench) error { return b.fold(1_000, 3) }},
	{"fold-20000", func(b *bench) error { return b.fold(20_000, 1.5) }},
	{"job-1000", func(b *bench) error { return b.job(1_000, "1 h mean", meanRule, 1.5) }},
	{"job-20000", func(b *bench) error { return b.job(20_000, "1 h mean", meanRule, 2.5) }},
	{"job-p95", func(b *bench) error { return b.job(1_000, "1 h p95", tailRule, 2.0) }},
	{"sequential", (*bench).sequential},
	{"backtest", (*bench).backtest},
	{"memory", (*bench).memory},
	{"latency", (*bench).latency},
	{"storm", (*bench).storm},
}

// scaleParts are measured with whole daemons, on an idle machine.
var scaleParts = []part{
	{"out", (*bench).scaleOut},
	{"restart-20000", func(b *bench) error { return b.restarts(20_000, 5, 3, true) }},
	{"restart-100000", func(b *bench) error { return b.restarts(100_000, 20, 2, false) }},
}

// bench is one part under way.
type bench struct {
	ctx     context.Context
	quick   bool // small loads: it works, but its figures mean little
	profile string
	brokers []string
	report  func(figure)
}

// size is n, or a twentieth of it where figures need not be good.
func (b *bench) size(n int) int {
	if b.quick {
		return max(n/20, 1)
	}
	return n
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	scale := fs.Bool("scale", false, "measure what takes whole daemons: "+partNames(scaleParts))
	only := fs.String("only", "", "measure only the `parts` whose names begin so, separated by commas: "+partNames(parts))
	quick := fs.Bool("quick", false, "use small loads, to see that it works; the figures mean little")
	profile := fs.String("cpuprofile", "", "write a CPU profile of each measurement into this `folder`")
	one := fs.String("part", "", "measure this part here and print figures as JSON; for bench itself")
	brokers := fs.String("brokers", "", "with -part: the broker's `addresses`")
	broker := fs.Bool("broker", false, "be the broker until standard input ends; for bench itself")
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch {
	case *broker:
		return serve(stdout)
	case *one != "":
		all := slices.Concat(parts, scaleParts)
		i := slices.IndexFunc(all, func(p part) bool { return p.name == *one })
		if i < 0 {
			return fmt.Errorf("there is no part %q, only %s", *one, partNames(all))
		}
		out := json.NewEncoder(stdout)
		b := &bench{ctx: ctx, quick: *quick, profile: *profile, brokers: strings.Split(*brokers, ",")}
		var broken error
		b.report = func(f figure) { broken = errors.Join(broken, out.Encode(f)) }
		return errors.Join(all[i].run(b), broken)
	}
	chosen := parts
	if *scale {
		chosen = scaleParts
	}
	if *only != "" {
		chosen = slices.DeleteFunc(slices.Clone(chosen), func(p part) bool {
			return !slices.ContainsFunc(strings.Split(*only, ","), func(name string) bool { return strings.HasPrefix(p.name, name) })
		})
		if len(chosen) == 0 {
			return fmt.Errorf("there is no part %q, only %s", *only, partNames(slices.Concat(parts, scaleParts)))
		}
	}
	if *profile != "" {
		if err := os.MkdirAll(*profile, 0o755); err != nil {
			return err
		}
	}
	began := time.Now()
	var figures []figure
	for _, p := range chosen {
		fmt.Fprintf(stderr, "bench: %s …\n", p.name)
		found, err := measure(ctx, p, *quick, *profile, stderr)
		if err != nil {
			return fmt.Errorf("measure %s: %w", p.name, err)
		}
		figures = append(figures, found...)
	}
	fmt.Fprintf(stderr, "bench: done in %s\n\n", time.Since(began).Round(time.Second))
	says := "CPU time of driftd's process, the broker's does not count"
	if *scale {
		says = "daemons, each a process, the broker another; times by the clock"
	}
	fmt.Fprintf(stdout, "%s/%s, %d CPUs, %s; %s\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), says)
	if *quick {
		fmt.Fprint(stdout, "Small loads: these figures mean little, and are held against no targets.\n\n")
		for i := range figures {
			figures[i].Target = 0
		}
	}
	return print(stdout, figures)
}

func partNames(parts []part) string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return strings.Join(names, ", ")
}

// measure runs one part in a process of its own beside a broker in another.
func measure(ctx context.Context, p part, quick bool, profile string, stderr io.Writer) ([]figure, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	brokers, stop, err := startBroker(ctx, self, stderr)
	if err != nil {
		return nil, err
	}
	defer stop()
	cmd := exec.CommandContext(ctx, self, "-part", p.name, "-brokers", brokers, fmt.Sprintf("-quick=%t", quick), "-cpuprofile", profile)
	cmd.Stderr = stderr
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(os.Interrupt) }, 10*time.Second // it may have started others
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var figures []figure
	for d := json.NewDecoder(out); err == nil; {
		var f figure
		if err = d.Decode(&f); err == nil {
			fmt.Fprintf(stderr, "bench:   %s\n", f.line())
			figures = append(figures, f)
		}
	}
	if err == io.EOF {
		err = nil
	}
	if ended := cmd.Wait(); ended != nil {
		err = ended
	}
	return figures, err
}

func startBroker(ctx context.Context, self string, stderr io.Writer) (addrs string, stop func(), err error) {
	cmd := exec.CommandContext(ctx, self, "-broker")
	cmd.Stderr = stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		in.Close()
		if err := cmd.Wait(); err != nil && ctx.Err() == nil {
			fmt.Fprintln(stderr, "bench: the broker's process:", err)
		}
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("start broker: %w", err)
	}
	return strings.TrimSpace(line), stop, nil
}

// brokerGarbage is how much of what the broker keeps may be garbage, in percent: its log is large, and fresh memory is dear.
const brokerGarbage = 20

// serve is the broker's process: it ends when its standard input does.
func serve(stdout io.Writer) error {
	debug.SetGCPercent(brokerGarbage)
	b, err := embedded.Start(embedded.Options{})
	if err != nil {
		return err
	}
	defer b.Close()
	fmt.Fprintln(stdout, strings.Join(b.Addrs(), ","))
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// profiled runs work, with a CPU profile of the given name where profiles are wanted.
func (b *bench) profiled(name string, work func() error) error {
	if b.profile == "" {
		return work()
	}
	f, err := os.Create(filepath.Join(b.profile, name+".prof"))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return work()
}
