package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/internal/explain"
	"github.com/driftd/driftd/rules"
)

const explainArgs = "[--config FILE [--topic T] | --encoding E [--attributes PRESET]] < RECORD"

const explainHelp = `
One record of a topic of events comes in on standard input, or in a file: its bytes as they are, or base64 or hex of them.

  kcat -C -b localhost:9092 -t otlp_spans -o -1 -c 1 -e | driftd explain-event
  kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic otlp_spans --max-messages 1 | driftd explain-event

Of the record only what driftd takes from it is shown, and the names of other attributes; never their values.
Exit codes: 0 it is used, 1 it would be dropped or holds nothing for driftd, 2 usage.
`

// maxRecord bounds the record that is read, bytes.
const maxRecord = 64 << 20

// runExplain says what becomes of one record.
func runExplain(_ context.Context, args []string, stdout, stderr io.Writer) int {
	fs := newFlags("explain-event", explainArgs, stderr)
	file := fs.String("file", "", "read the record from this `FILE`")
	configFile := fs.String("config", "", "read records as this config `FILE` says: encodings, attributes, dimensions, and the rubrics of its rules")
	topic := fs.String("topic", "", "the `TOPIC` of the config that the record is of; the first that it can be of by default")
	encoding := fs.String("encoding", "", "`ENCODING` of the record: "+strings.Join(slices.Sorted(maps.Keys(formats)), ", ")+"; guessed by default")
	preset := fs.String("attributes", "", "the `PRESET` of attribute names to look for: "+strings.Join(consumer.Presets(), ", "))
	asJSON := fs.Bool("json", false, "print one JSON object, and nothing else")
	usage := fs.Usage
	fs.Usage = func() { usage(); fmt.Fprint(fs.Output(), explainHelp) }
	rest, code, done := parseFlags(fs, args)
	wrong := func(format string, args ...any) int {
		fmt.Fprintf(stderr, "driftd explain-event: "+format+"\n", args...)
		return exitUsage
	}
	_, known := formats[*encoding]
	switch {
	case done:
		return code
	case len(rest) > 0:
		return wrong("the record comes in on standard input, or by --file: usage: driftd explain-event %s", explainArgs)
	case *configFile == "" && *topic != "":
		return wrong("--topic needs --config: it chooses among the config's sources")
	case *configFile != "" && (*encoding != "" || *preset != ""):
		return wrong("give --config or --encoding and --attributes, not both: the config has them by topic")
	case *encoding != "" && !known:
		return wrong("--encoding: there is no encoding %q, only %s", *encoding, strings.Join(slices.Sorted(maps.Keys(formats)), ", "))
	case *preset != "" && !slices.Contains(consumer.Presets(), *preset):
		return wrong("--attributes: there is no preset %q, only %s", *preset, strings.Join(consumer.Presets(), ", "))
	}
	o := explain.Options{Dead: "driftd.dead", Config: plainConfig(), Topic: consumer.SourceTopic{Encoding: *encoding, Preset: *preset}}
	if *configFile != "" {
		cfg, set, err := explainConfig(*configFile, stderr)
		if err != nil {
			return wrong("%v", err)
		}
		o.Config, o.Dead = ingestConfig(cfg), cfg.Kafka.Topic("dead")
		var current atomic.Pointer[rules.Set]
		current.Store(set)
		o.Config.Scales = (*scales)(&current)
	}
	if o.Config.Now = time.Now; *file == "" && term.IsTerminal(int(os.Stdin.Fd())) {
		fmt.Fprint(stderr, "driftd explain-event: there is no record: pipe one in, or name it with --file\n"+explainHelp)
		return exitUsage
	}
	record, err := readRecord(*file)
	if err != nil {
		return wrong("%v", err)
	}
	if *configFile != "" {
		if o.Topic, err = sourceOf(o.Config.Sources, *topic, record); err != nil {
			return wrong("%v", err)
		}
	}
	report, err := explain.Explain(o, record)
	if err != nil {
		return wrong("%v", err)
	}
	if *asJSON {
		out := json.NewEncoder(stdout)
		out.SetEscapeHTML(false)
		err = out.Encode(report)
	} else {
		report.Text(stdout)
	}
	if err != nil || report.Verdict != explain.OK {
		return exitWrong
	}
	return exitFine
}

// plainConfig is how records are read without a config: as one without entries says.
func plainConfig() consumer.Config {
	cfg, _ := config.Load(config.Sources{})
	return ingestConfig(cfg)
}

// explainConfig reads a config and its rules. Rules that are wrong do not matter here, but that there are no scales then.
func explainConfig(file string, stderr io.Writer) (*config.Config, *rules.Set, error) {
	cfg, problems := config.Load(config.Sources{File: file, Environ: os.Environ(), NoSecrets: true})
	if problems.Err() != nil {
		fmt.Fprintln(stderr, problems.Text())
		return nil, nil, errors.New("the config cannot be used")
	}
	set, problems := loadRules(cfg)
	if problems.Err() != nil {
		fmt.Fprintln(stderr, "driftd explain-event: the rules are wrong, so that scales of rubrics are not known; `driftd check` has more")
		set = &rules.Set{}
	}
	return cfg, set, nil
}

// readRecord reads standard input, or a file.
func readRecord(file string) ([]byte, error) {
	in := io.Reader(os.Stdin)
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("read record: %w", err)
		}
		defer f.Close()
		in = f
	}
	record, err := io.ReadAll(io.LimitReader(in, maxRecord+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read record: %w", err)
	case len(record) > maxRecord:
		return nil, fmt.Errorf("read record: it is longer than %d MiB", maxRecord>>20)
	case len(strings.TrimSpace(string(record[:min(len(record), 4096)]))) == 0:
		return nil, errors.New("there is no record: nothing came in")
	}
	return record, nil
}

// sourceOf is the source of the config that is named, or else the first that the record can be of.
func sourceOf(sources []consumer.SourceTopic, topic string, record []byte) (consumer.SourceTopic, error) {
	var names []string
	for _, s := range sources {
		if s.Topic == topic {
			return s, nil
		}
		names = append(names, s.Topic)
	}
	if topic != "" {
		return consumer.SourceTopic{}, fmt.Errorf("--topic: the config has no source %q, only %s", topic, strings.Join(names, ", "))
	}
	raw, _ := explain.Record(record)
	encoding, wrapped := explain.Guess(raw)
	for _, s := range sources {
		if wrapped && s.Unwrap != nil || s.Encoding == encoding {
			return s, nil
		}
	}
	return sources[0], nil
}
