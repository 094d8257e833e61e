package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/driftd/driftd/internal/demo"
)

const (
	demoArgs = "[--yes | --no] [--seed N] [--verbose]"

	// exitInterrupted is the demo's exit code when it was stopped before the end: 128 and SIGINT, as shells have it.
	exitInterrupted = 130
)

// demoPace is for a clock on which a second of the machine is some ten minutes: what a daemon does now and then it does now.
var demoPace = pace{Flush: 10 * time.Millisecond, Heartbeat: 20 * time.Millisecond, Quiet: 20 * time.Millisecond}

// runDemo shows what driftd does, without anything but this process.
func runDemo(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := newFlags("demo", demoArgs, stderr)
	seed := fs.Uint64("seed", 22, "`N` makes other traffic; the story is the same")
	yes := fs.Bool("yes", false, "approve the rollback without a key press, as it is where there is no terminal")
	no := fs.Bool("no", false, "reject it, and see what becomes of that")
	verbose := fs.Bool("verbose", false, "log what the stages do, on standard error")
	usage := fs.Usage
	fs.Usage = func() {
		usage()
		fmt.Fprint(fs.Output(), "\nExit codes: 0 the whole story happened, each event was counted once; 1 something was missing or wrong;\n130 stopped before the end.\n")
	}
	rest, code, done := parseFlags(fs, args)
	if done {
		return code
	}
	if len(rest) > 0 || *yes && *no {
		fmt.Fprintf(stderr, "driftd demo: usage: driftd demo %s\n", demoArgs)
		return exitUsage
	}
	screen := &demo.Screen{Out: stdout, Err: stderr, Color: isTerminal(stdout)}
	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelInfo
	}
	if f, ok := stderr.(*os.File); ok && isTerminal(stdout) && term.IsTerminal(int(f.Fd())) {
		screen.Live = true
	}
	log := slog.New(slog.NewTextHandler(screen, &slog.HandlerOptions{Level: level}))
	person := decided(!*no)
	switch {
	case *yes || *no:
	case screen.Live && term.IsTerminal(int(os.Stdin.Fd())):
		person = keyPress(os.Stdin, screen)
	default:
		person = nobody(screen)
	}
	err := playDemo(ctx, demo.Day, *seed, screen, log, person)
	switch {
	case err == nil:
		fmt.Fprint(stdout, demoNext())
		return exitFine
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "driftd demo: stopped before the end")
		return exitInterrupted
	}
	fmt.Fprintf(stderr, "driftd demo: this is not how it should have gone\n%v\n", err)
	return exitWrong
}

// playDemo runs driftd in the demo's world until the story is over.
func playDemo(ctx context.Context, plan demo.Plan, seed uint64, screen *demo.Screen, log *slog.Logger, person demo.Person) error {
	world, err := demo.Open(ctx, plan, seed, log)
	if err != nil {
		return err
	}
	defer world.Close()
	set := demo.Rules()
	d, err := newDaemon(daemonOptions{
		Config: world.Config(), Rules: set, Stages: allStages, Now: world.Now, Pace: demoPace, SlackAPI: world.SlackAPI(), Log: log,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if err := d.run(ctx); err != nil {
			cancel(fmt.Errorf("driftd stopped: %w", err))
		}
	}()
	err = world.Play(ctx, screen, set, "http://"+d.web.Addr(), person)
	cancel(errors.New("the demo is over"))
	<-stopped
	return err
}

// demoNext says what to try next, with the commands as this program was called.
func demoNext() string {
	name := filepath.Base(os.Args[0])
	if strings.Contains(os.Args[0], "go-build") { // by `go run`
		name = "go run ./cmd/driftd"
	}
	return fmt.Sprintf(`
Next:
  %[1]s check configs/rules/*.yaml           rules to start with
  %[1]s check --config configs/driftd.yaml   says what to set
  %[1]s run --config configs/driftd.yaml     on your own Kafka
`, name)
}
