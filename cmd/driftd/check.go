package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/driftd/driftd/internal/config"
	"github.com/driftd/driftd/rules"
)

const checkArgs = "[--config FILE | RULES…] [--events FILE]"

// load reads the config and the rule files that it names, for every subcommand that needs them, so that all give the same text.
// Config and set are of use only where Problems.Err is nil; the config is nil where there is no such file.
func load(src config.Sources) (*config.Config, *rules.Set, rules.Problems) {
	var set *rules.Set
	var found rules.Problems
	src.Labels = func(cfg *config.Config) []string {
		if set, found = loadRules(cfg); found.Err() != nil {
			return nil
		}
		return ruleLabels(set)
	}
	cfg, problems := config.Load(src)
	if cfg == nil {
		return nil, nil, problems
	}
	if set == nil {
		set, found = loadRules(cfg)
	}
	problems = append(problems, found...)
	problems.Sort()
	return cfg, set, problems
}

// ruleLabels are the names of the labels that rules give their alerts.
func ruleLabels(set *rules.Set) []string {
	names := []string{}
	for i := range set.Groups {
		for j := range set.Groups[i].Rules {
			names = slices.AppendSeq(names, maps.Keys(set.Groups[i].Rules[j].Labels))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// loadRules reads the rule files that the config names, at start and at every reload.
func loadRules(cfg *config.Config) (*rules.Set, rules.Problems) {
	return rules.Load(cfg.Rules, rules.Options{Dir: cfg.Dir, Dimensions: cfg.Dimensions, NoRegistry: cfg.Registry == nil})
}

// runCheck reads what it is told to and says what is wrong with it.
func runCheck(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := newFlags("check", checkArgs, stderr)
	file := fs.String("config", "", "check this config and the rule `FILE`s that it names")
	events := fs.String("events", "", "a `FILE` of native events, one a line, gzipped or not, or - for standard input: say what the rules can see in such traffic")
	asJSON := fs.Bool("json", false, "print one JSON object a problem, and nothing else")
	overrides := config.RegisterFlags(fs)
	patterns, code, done := parseFlags(fs, args)
	switch {
	case done:
		return code
	case *file != "" && len(patterns) > 0:
		fmt.Fprintln(stderr, "driftd check: give --config or rule files, not both: the config names its rule files")
		return exitUsage
	case *file == "" && len(overrides) > 0:
		fmt.Fprintln(stderr, "driftd check: flags that override the config need --config")
		return exitUsage
	case *file == "" && len(patterns) == 0:
		fmt.Fprintln(stderr, "driftd check: name rule files, such as rules/*.yaml, or the config with --config")
		return exitUsage
	}
	var cfg *config.Config
	var set *rules.Set
	var problems rules.Problems
	if *file != "" {
		cfg, set, problems = load(config.Sources{File: *file, Environ: os.Environ(), Flags: overrides})
	} else {
		set, problems = rules.Load(patterns, rules.Options{})
	}
	usable := problems.Errors() == 0
	var past *history
	if *events != "" && usable {
		var err error
		if past, err = readHistory(ctx, *events, set, cfg); err != nil {
			fmt.Fprintf(stderr, "driftd check: %v\n", err)
			return exitWrong
		}
		problems = append(problems, past.problems()...)
		problems.Sort()
	}
	code = exitFine
	if problems.Errors() > 0 {
		code = exitWrong
	}
	if *asJSON {
		for _, p := range problems {
			line, err := json.Marshal(p)
			if err != nil {
				fmt.Fprintf(stderr, "driftd check: write problem: %v\n", err)
				return exitWrong
			}
			fmt.Fprintf(stdout, "%s\n", line)
		}
		return code
	}
	text := problems.Text()
	if isTerminal(stdout) {
		text = problems.ColorText()
	}
	fmt.Fprint(stdout, text)
	if text != "" {
		fmt.Fprintln(stdout)
	}
	if usable {
		summarize(stdout, cfg, set, past)
	}
	if code != exitFine {
		fmt.Fprintln(stdout, counts(problems))
		return code
	}
	count := 0
	for i := range set.Groups {
		count += len(set.Groups[i].Rules)
	}
	fine := "fine"
	if n := problems.Warnings(); n > 0 {
		fine += ", with " + plural(n, "warning")
	}
	fmt.Fprintf(stdout, "%s: %s, %s, %s, %s\n", fine, plural(len(set.Files), "rule file"), plural(len(set.Groups), "group"), plural(count, "rule"), plural(len(set.Rubrics), "rubric"))
	return code
}

// counts says how many problems there are.
func counts(problems rules.Problems) string {
	files := make(map[string]bool)
	for _, p := range problems {
		files[p.File] = true
	}
	s := plural(problems.Errors(), "error")
	if n := problems.Warnings(); n > 0 {
		s += " and " + plural(n, "warning")
	}
	if len(files) > 1 {
		s += fmt.Sprintf(" in %d places", len(files))
	}
	return s
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// summarize tells what the files say, so that their author can see whether it is what was meant.
func summarize(w io.Writer, cfg *config.Config, set *rules.Set, past *history) {
	if cfg != nil {
		var topics []string
		for _, s := range cfg.Sources {
			topics = append(topics, fmt.Sprintf("%s (%s)", s.Topic, s.Encoding))
		}
		fmt.Fprintf(w, "kafka      %s\n", strings.Join(cfg.Kafka.Brokers, ", "))
		fmt.Fprintf(w, "sources    %s\n", strings.Join(topics, ", "))
		fmt.Fprintf(w, "series by  %s\n", strings.Join(append([]string{"prompt", "version"}, cfg.Dimensions...), ", "))
		var receivers []string
		for _, r := range cfg.Receivers {
			receivers = append(receivers, r.Name)
		}
		if len(receivers) == 0 {
			receivers = []string{"none: alerts go to " + cfg.Kafka.Topic("alerts") + " alone"}
		}
		fmt.Fprintf(w, "receivers  %s\n", strings.Join(receivers, ", "))
		registry := "none: nothing is rolled back"
		if cfg.Registry != nil {
			registry = cmp.Or(cfg.Registry.URL, cfg.Registry.Dir)
			if !cfg.Rollback.Enabled {
				registry += ", but rollback.enabled is false: nothing is rolled back"
			}
		}
		fmt.Fprintf(w, "registry   %s\n\n", registry)
	}
	for i := range set.Groups {
		g := &set.Groups[i]
		fmt.Fprintf(w, "%s: %s\n", g.Name, g.Scope())
		width := 0
		for _, r := range g.Rules {
			width = max(width, len(r.Alert))
		}
		for j := range g.Rules {
			fmt.Fprintf(w, "  %-*s  %s\n", min(width, 30), g.Rules[j].Alert, g.Rules[j].Describe())
		}
		fmt.Fprintln(w)
	}
	defaults, _ := config.Load(config.Sources{})
	partitions := cmp.Or(cfg, defaults).Kafka.Partitions
	var b strings.Builder
	if past == nil {
		writeForecasts(&b, set, partitions)
	} else {
		past.write(&b)
	}
	fmt.Fprint(w, b.String())
}

// isTerminal is true where colours may be shown.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}
