package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/strictyaml"
	"github.com/driftd/driftd/rules"
)

const redriveArgs = "--config FILE [--reason R[,R]] [--since 6h] [--yes]"

const redriveHelp = `
Reads the dead letters and says which of their events would count now: rules were mended, a score's span has come or stands in
another partition, an encoding was set right. With --yes it offers those again, and the daemon counts each once: run it as
often as you like. Letters are kept for a week; events of more than a day ago are in no window any more.
Exit codes: 0 fine, 1 there are letters and nothing could be done, or it failed, 2 usage.
`

// redriveTopic is the name, behind the prefix, of the topic of events that are offered again.
const redriveTopic = "redrive"

// redriveSource is the source that ingest reads besides those of the config.
func redriveSource(c *config.Config) consumer.SourceTopic {
	return consumer.SourceTopic{Topic: c.Kafka.Topic(redriveTopic), Encoding: "driftd_json", Again: true}
}

// runRedrive offers dead letters again.
func runRedrive(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := newFlags("redrive", redriveArgs, stderr)
	file := fs.String("config", "", "the config `FILE`; required")
	reasons := fs.String("reason", "", "only letters of these reasons: a comma-separated `LIST`, such as unlinked,unknown_label")
	since := fs.String("since", "", "only letters since this `TIME`: an age, such as 6h or 2d, or 2026-11-20T14:00:00Z")
	yes := fs.Bool("yes", false, "do it; without, only say what would be done")
	asJSON := fs.Bool("json", false, "print one JSON object, and nothing else")
	overrides := config.RegisterFlags(fs)
	usage := fs.Usage
	fs.Usage = func() { usage(); fmt.Fprint(fs.Output(), redriveHelp) }
	rest, code, done := parseFlags(fs, args)
	if done {
		return code
	}
	if *file == "" || len(rest) > 0 {
		fmt.Fprintf(stderr, "driftd redrive: usage: driftd redrive %s\n", redriveArgs)
		return exitUsage
	}
	now := time.Now()
	o := consumer.RedriveOptions{Do: *yes}
	var err error
	if o.Reasons, err = parseReasons(*reasons); err == nil {
		o.Since, err = parseSince(*since, now)
	}
	if err != nil {
		fmt.Fprintf(stderr, "driftd redrive: %v\n", err)
		return exitUsage
	}
	cfg, set, problems := load(config.Sources{File: *file, Environ: os.Environ(), Flags: overrides})
	if problems.Err() != nil {
		fmt.Fprintf(stderr, "%s\n%s\n", problems.Text(), counts(problems))
		return exitWrong
	}
	clear := func() {}
	if isTerminal(stderr) {
		o.Progress, clear = progress(stderr)
	}
	report, err := redrive(ctx, cfg, set, o)
	clear()
	if err != nil {
		fmt.Fprintf(stderr, "driftd redrive: %v\n", err)
	}
	if report != nil && *asJSON {
		if failed := writeRedriveJSON(stdout, cfg.Kafka.Topic(redriveTopic), report); failed != nil {
			fmt.Fprintf(stderr, "driftd redrive: write report: %v\n", failed)
			return exitWrong
		}
	} else if report != nil && (err == nil || len(report.Rows) > 0) {
		writeRedrive(stdout, cfg.Kafka.Topic(redriveTopic), report)
	}
	if err != nil || !finished(report) {
		return exitWrong
	}
	return exitFine
}

// redrive reads the dead letters of the installation that cfg describes.
func redrive(ctx context.Context, cfg *config.Config, set *rules.Set, o consumer.RedriveOptions) (*consumer.RedriveReport, error) {
	client, err := dial(&cfg.Kafka, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var inForce atomic.Pointer[rules.Set]
	inForce.Store(set)
	c := ingestConfig(cfg)
	c.Sources = append(c.Sources, redriveSource(cfg))
	c.Client, c.Now, c.Scales, c.Group = client, time.Now, (*scales)(&inForce), groupID(&cfg.Kafka, "ingest")
	return consumer.Redrive(ctx, c, o)
}

// finished tells whether something could be done, or nothing was left to do.
func finished(r *consumer.RedriveReport) bool {
	sum := r.Total()
	left := 0
	for o, n := range sum.Events {
		switch consumer.Outcome(o) {
		case consumer.Offerable:
			if n > 0 {
				return true
			}
		case consumer.WasOffered, consumer.WasCounted, consumer.NothingCounts:
		default:
			left += n
		}
	}
	return left == 0
}

func parseReasons(list string) (reasons []consumer.Reason, err error) {
	for name := range strings.SplitSeq(list, ",") {
		if list == "" {
			break
		}
		r, ok := consumer.ParseReason(strings.TrimSpace(name))
		if !ok {
			return nil, fmt.Errorf("--reason: nothing dies of %q; the reasons are those of driftd_consumer_dead_total, such as unlinked, unknown_label, out_of_range or encoding",
				name)
		}
		reasons = append(reasons, r)
	}
	return reasons, nil
}

func parseSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at, nil
	}
	age, err := strictyaml.ParseDuration(s)
	if err != nil {
		return time.Time{}, errors.New("--since: write an age, such as 6h or 2d, or a time such as 2026-11-20T14:00:00Z")
	}
	return now.Add(-age), nil
}
