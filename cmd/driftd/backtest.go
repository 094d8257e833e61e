package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/backtest"
	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/rules"
)

const backtestArgs = "--rules GLOB (--events FILE | --config FILE --since 3d)"

const backtestHelp = `
Runs the rules over events that were kept, by the daemon's own code, and prints each step of each alert. Events are native ones
(driftd_json), one a line, gzipped or not, in the order of their times within 10s; later ones are counted as late, as the daemon
counts them. What happened is judged up to the end of the last event's minute.

  driftd backtest --rules 'rules/*.yaml' --events last-week.jsonl
  kcat -C -b localhost:9092 -t llm_events -o beginning -e | driftd backtest --rules new.yaml --events -

With --config, dimensions, limits, linking and partitions are those of the config, and so are the rules unless --rules names others.
With --since as well it runs over the samples that the daemon has kept in Kafka, three days of them, and needs no events; nothing
there is touched. Windows are empty at the start: what compares with the last day has something to compare with a day later.

Steps go to standard output, a summary to standard error.
Exit codes: 0 fine, 1 the file or the rules cannot be used, or no event counts, 2 usage.
`

// runBacktest says what rules would have done.
func runBacktest(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := newFlags("backtest", backtestArgs, stderr)
	var patterns []string
	fs.Func("rules", "rule files: a `GLOB`, may be given again; those of the config by default", func(s string) error {
		patterns = append(patterns, s)
		return nil
	})
	events := fs.String("events", "", "the `FILE` of native events; - is standard input")
	file := fs.String("config", "", "read dimensions, attributes, limits, linking and partitions from this config `FILE`")
	since := fs.String("since", "", "read the samples topic of the config from this `TIME` on: an age, such as 6h or 3d, or 2026-11-20T14:00:00Z")
	asJSON := fs.Bool("json", false, "print one alert record a line, as the daemon writes them, and nothing else")
	usage := fs.Usage
	fs.Usage = func() { usage(); fmt.Fprint(fs.Output(), backtestHelp) }
	rest, code, done := parseFlags(fs, args)
	wrong := func(code int, format string, args ...any) int {
		fmt.Fprintf(stderr, "driftd backtest: "+format+"\n", args...)
		return code
	}
	for len(rest) > 0 && len(patterns) > 0 && strings.HasSuffix(strings.TrimSuffix(rest[0], ".yml"), ".yaml") { // the shell's work on an unquoted glob
		patterns, rest = append(patterns, rest[0]), rest[1:]
	}
	switch {
	case done:
		return code
	case len(rest) > 0:
		return wrong(exitUsage, "what is %q? usage: driftd backtest %s", rest[0], backtestArgs)
	case *events == "" && *since == "":
		return wrong(exitUsage, "name the events with --events, a file or - for standard input; or samples with --config and --since")
	case *events != "" && *since != "":
		return wrong(exitUsage, "give --events or --since, not both")
	case *since != "" && *file == "":
		return wrong(exitUsage, "--since needs --config: it says where the samples are")
	case len(patterns) == 0 && *file == "":
		return wrong(exitUsage, "name rule files with --rules, such as 'rules/*.yaml', or a config with --config")
	}
	from, err := parseSince(*since, time.Now())
	if err != nil {
		return wrong(exitUsage, "%v", err)
	}
	cfg, set, problems := backtestFiles(config.Sources{File: *file, Environ: os.Environ(), NoSecrets: *since == ""}, patterns)
	if text := problems.Text(); text != "" {
		fmt.Fprintln(stderr, text)
	}
	if problems.Err() != nil {
		return wrong(exitWrong, "%s", counts(problems))
	}
	b := &backtesting{cfg: cfg, set: set, stderr: stderr, out: backtest.JSON(stdout)}
	if !*asJSON {
		b.out = backtest.Text(stdout, set, isTerminal(stdout))
	}
	var report *backtest.Report
	began, source := time.Now(), *events
	if *since == "" {
		report, err = b.events(ctx, *events)
	} else {
		source = cfg.Kafka.Topic("samples") + " since " + from.UTC().Format(time.RFC3339)
		report, err = b.samples(ctx, from)
	}
	if report == nil {
		return wrong(exitWrong, "%v", err)
	}
	fmt.Fprintln(stderr)
	if ctx.Err() != nil {
		fmt.Fprintln(stderr, "interrupted; so far:")
	}
	report.Summary(stderr, time.Since(began))
	switch {
	case ctx.Err() != nil:
		return exitWrong
	case err != nil:
		return wrong(exitWrong, "%v", err)
	case report.Events.Records == 0:
		return wrong(exitWrong, "there are no events in %s", source)
	case report.Newest.IsZero() || report.Refused() >= report.Events.Records && report.Events.Samples+report.Events.Scores == 0:
		return wrong(exitWrong, "no event counts; `driftd explain-event --encoding driftd_json` says what is made of one")
	}
	return exitFine
}

// backtestFiles reads the config, if there is one, and the rules that are named, or else its own.
func backtestFiles(src config.Sources, patterns []string) (*config.Config, *rules.Set, rules.Problems) {
	if len(patterns) == 0 {
		return load(src)
	}
	var problems rules.Problems
	cfg, _ := config.Load(config.Sources{})
	if src.File != "" {
		if cfg, problems = config.Load(src); problems.Err() != nil {
			return nil, nil, problems
		}
	}
	set, found := rules.Load(patterns, rules.Options{Dimensions: cfg.Dimensions})
	problems = append(problems, found...)
	problems.Sort()
	return cfg, set, problems
}

// backtesting is a replay and where it is shown.
type backtesting struct {
	cfg    *config.Config
	set    *rules.Set
	stderr io.Writer
	out    func([]detector.Record) error
}

// events replays a file. The report is nil where nothing could be begun.
func (b *backtesting) events(ctx context.Context, name string) (*backtest.Report, error) {
	in, size, err := openEvents(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var current atomic.Pointer[rules.Set]
	current.Store(b.set)
	c := ingestConfig(b.cfg)
	c.Scales = (*scales)(&current)
	partitions := b.cfg.Kafka.Partitions
	feed, err := consumer.NewFeed(c, consumer.SourceTopic{Topic: name, Encoding: "driftd_json"}, partitions,
		func(prompt string) int { return kafkalog.PartitionFor(prompt, partitions) })
	if err != nil {
		return nil, err
	}
	lines := backtest.NewLines(ctx, in)
	o := backtest.Options{Rules: b.set, Windows: windowsOptions(b.cfg), Partitions: partitions, Steps: b.out}
	bar, stop := b.show(&o, func() (int64, int64) { return lines.Read(), size })
	defer stop()
	report, err := backtest.Events(ctx, o, feed, lines)
	bar.Hide()
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("read %s behind line %d: %w", name, report.Lines, err)
	}
	return report, err
}

// samples replays what ingest has written since a time.
func (b *backtesting) samples(ctx context.Context, since time.Time) (*backtest.Report, error) {
	client, err := dial(&b.cfg.Kafka, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	log := &backtest.Log{Client: client, Topic: b.cfg.Kafka.Topic("samples"), Since: since}
	o := backtest.Options{Rules: b.set, Windows: windowsOptions(b.cfg), Steps: b.out}
	bar, stop := b.show(&o, log.Done)
	defer stop()
	report, err := backtest.Samples(ctx, o, log)
	bar.Hide()
	return report, err
}

// show makes a bar that moves where standard error is a terminal.
func (b *backtesting) show(o *backtest.Options, done func() (done, all int64)) (bar *backtest.Bar, stop func()) {
	bar = &backtest.Bar{Out: b.stderr, Done: done, Since: time.Now()}
	f, ok := b.stderr.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" || !term.IsTerminal(int(f.Fd())) {
		return bar, func() {}
	}
	tick := time.NewTicker(100 * time.Millisecond)
	o.Tick, o.Look = tick.C, func(r *backtest.Report) { bar.Show(r, time.Now()) }
	o.Steps = func(steps []detector.Record) error {
		bar.Hide()
		return b.out(steps)
	}
	return bar, tick.Stop
}

// openEvents opens a file, or standard input for -; size is 0 where nobody knows it.
func openEvents(name string) (in io.ReadCloser, size int64, err error) {
	if name == "-" {
		return io.NopCloser(os.Stdin), 0, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, fmt.Errorf("read events: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("read events: %s is a folder", name)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	if info.Mode().IsRegular() {
		size = info.Size()
	}
	return f, size, nil
}
