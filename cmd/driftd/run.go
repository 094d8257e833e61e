package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/rules"
)

const runArgs = "--config FILE [--stages ingest,detect,act]"

// runRun is the daemon.
func runRun(ctx context.Context, args []string, _, stderr io.Writer) int {
	fs := newFlags("run", runArgs, stderr)
	file := fs.String("config", "", "the config `FILE`; required")
	names := fs.String("stages", "ingest,detect,act", "the stages that this process runs: a comma-separated `LIST`")
	verbose := fs.Bool("verbose", false, "log what only a developer wants to know")
	overrides := config.RegisterFlags(fs)
	rest, code, done := parseFlags(fs, args)
	if done {
		return code
	}
	if *file == "" || len(rest) > 0 {
		fmt.Fprintf(stderr, "driftd run: usage: driftd run %s\n", runArgs)
		return exitUsage
	}
	st, err := parseStages(*names)
	if err != nil {
		fmt.Fprintf(stderr, "driftd run: %v\n", err)
		return exitUsage
	}
	cfg, set, problems := load(config.Sources{File: *file, Environ: os.Environ(), Flags: overrides})
	if text := problems.Text(); text != "" {
		fmt.Fprintln(stderr, text)
	}
	if problems.Err() != nil {
		fmt.Fprintln(stderr, counts(problems))
		return exitWrong
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	o := daemonOptions{
		Config: cfg, Rules: set, Stages: st, Now: time.Now, Passed: uptime(), Log: log,
		Reload: func() (*rules.Set, rules.Problems) { return loadRules(cfg) },
	}
	if err := doors(&o); err != nil {
		fmt.Fprintf(stderr, "driftd run: %v\n", err)
		return exitWrong
	}
	d, err := newDaemon(o)
	if err != nil {
		fmt.Fprintf(stderr, "driftd run: %v\n", err)
		return exitWrong
	}
	log.Info("driftd starts", "version", version(), "stages", *names, "http", d.web.Addr(), "brokers", cfg.Kafka.Brokers)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hup:
				if err := d.reload(); err != nil {
					fmt.Fprintln(stderr, err)
				}
			}
		}
	}()
	if err := d.run(ctx); err != nil {
		log.Error("driftd stops", "error", err)
		return exitWrong
	}
	log.Info("driftd has stopped")
	return exitFine
}

func parseStages(list string) (st stages, err error) {
	for _, name := range strings.Split(list, ",") {
		switch strings.TrimSpace(name) {
		case "ingest":
			st.ingest = true
		case "detect":
			st.detect = true
		case "act":
			st.act = true
		default:
			return st, fmt.Errorf("--stages: there is no stage %q; the stages are ingest, detect and act", name)
		}
	}
	return st, nil
}

// runVersion says what this is.
func runVersion(_ context.Context, args []string, stdout, stderr io.Writer) int {
	if _, code, done := parseFlags(newFlags("version", "", stderr), args); done {
		return code
	}
	fmt.Fprintln(stdout, "driftd", version())
	return exitFine
}
