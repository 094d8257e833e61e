// Command driftd watches the quality, latency and cost of LLM prompts in production, and rolls back versions that drift.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // for time zones on machines without a database of them
	"unicode/utf8"
)

// Exit codes of all subcommands.
const (
	exitFine  = 0
	exitWrong = 1 // something was found wrong, or failed
	exitUsage = 2
)

// command is one subcommand. Its run takes the arguments behind its name and gives the exit code; ctx ends on SIGINT and SIGTERM.
type command struct {
	name, args, does string
	run              func(ctx context.Context, args []string, stdout, stderr io.Writer) int
}

// commands is in the order of the help.
var commands = []command{
	{"run", runArgs, "watch prompts: the daemon", runRun},
	{"demo", demoArgs, "show what it does, with nothing but this program", runDemo},
	{"check", checkArgs, "say all that is wrong with config and rule files", runCheck},
	{"backtest", backtestArgs, "say what rules would have done about events that were kept", runBacktest},
	{"explain-event", "[--config FILE | --encoding E] < RECORD", "say what driftd makes of a record of events", runExplain},
	{"alerts", alertsArgs, "say what is going on", runAlerts},
	{"ack", ackArgs, "take on alerts", runAck},
	{"silence", silenceArgs, "keep alerts from being told", runSilence},
	{"approve", approveArgs, "approve a rollback that waits", runApprove},
	{"reject", rejectArgs, "reject it", runReject},
	{"rollback", rollbackArgs, "roll back by hand, and the kill switch", runRollback},
	{"redrive", redriveArgs, "offer again what could not be counted", runRedrive},
	{"version", "", "say which driftd this is", runVersion},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return exitUsage
	}
	switch name := args[0]; name {
	case "help", "-h", "-help", "--help":
		usage(stdout)
		return exitFine
	default:
		for _, c := range commands {
			if c.name == name {
				return c.run(ctx, args[1:], stdout, stderr)
			}
		}
		fmt.Fprintf(stderr, "driftd: there is no command %q\n\n", name)
		usage(stderr)
		return exitUsage
	}
}

func usage(w io.Writer) {
	fmt.Fprint(w, "driftd watches LLM prompts in production and says when a version drifts.\n\n")
	name, width := 0, 0
	for _, c := range commands {
		name, width = max(name, len(c.name)), max(width, utf8.RuneCountInString(c.args))
	}
	for _, c := range commands {
		fmt.Fprintf(w, "  driftd %-*s  %-*s  %s\n", name, c.name, width, c.args, c.does)
	}
	fmt.Fprint(w, "\n`driftd COMMAND --help` has the flags of a command. Exit codes: 0 fine, 1 found wrong, 2 usage.\n")
}

// newFlags is an empty flag set for a subcommand; what parsing says goes to stderr.
func newFlags(name, args string, stderr io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), "usage: driftd %s %s\n\n", name, args)
		fs.VisitAll(func(f *flag.Flag) {
			value, does := flag.UnquoteUsage(f)
			fmt.Fprintf(fs.Output(), "  --%s %s\n        %s\n", f.Name, value, strings.ReplaceAll(does, "\n", "\n        "))
		})
	}
	return fs
}

// parseFlags lets flags stand behind other arguments too, which it gives back; done is true where the exit code is known already.
func parseFlags(fs *flag.FlagSet, args []string) (rest []string, code int, done bool) {
	for {
		switch err := fs.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			return nil, exitFine, true
		case err != nil:
			return nil, exitUsage, true
		}
		left := fs.Args()
		if len(left) == 0 {
			return rest, 0, false
		}
		if terminated := len(args) > len(left) && args[len(args)-len(left)-1] == "--"; terminated {
			return append(rest, left...), 0, false
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}
