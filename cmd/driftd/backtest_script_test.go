package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestBacktest holds what `driftd backtest` prints, and its exit codes.
func TestBacktest(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/backtest", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"events": eventsCommand},
	})
}

// eventsCommand is `events OUT SPEC`: it writes the native events that a spec says.
func eventsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: events OUT SPEC")
	}
	events, err := specEvents(ts.ReadFile(args[1]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Join(append(events, nil), []byte("\n")), 0o600))
}

// specBegins is the time that a spec's are counted from.
var specBegins = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

// specEvents makes native spans, in the order of their times, of lines such as
//
//	10h 12h 30s prompt=refunds version=v18 tier=free latency=1.2~0.4 error=2% score.grounding=0.9~0.05
//
// From, to and every how long; then labels, and figures: 1.2~0.4 is spread evenly between 0.8 and 1.6, and 2% is 1 that often, else 0.
// With linked=yes the prompt stands on a span beside the call and the scores come three seconds later, both by trace.
func specEvents(spec string) ([][]byte, error) {
	type event struct {
		at   time.Time
		line []byte
	}
	var events []event
	for i, line := range strings.Split(spec, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		var times [3]time.Duration
		for j := range times {
			var err error
			if times[j], err = time.ParseDuration(words[j]); err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
		}
		rng := rand.New(rand.NewPCG(uint64(i), 1))
		for at := times[0]; at < times[1]; at += times[2] {
			s := specSpan{at: specBegins.Add(at), rng: rng, trace: fmt.Sprintf("%08x%08x%016x", i+1, len(events)+1, 7)}
			if err := s.take(words[3:]); err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			for k, line := range s.lines() {
				wait := time.Duration(0)
				if k > 1 {
					wait = 3 * time.Second
				}
				events = append(events, event{s.at.Add(wait), line})
			}
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	var out [][]byte
	for _, e := range events {
		out = append(out, e.line)
	}
	return out, nil
}

// specSpan is a span in the making.
type specSpan struct {
	at              time.Time
	rng             *rand.Rand
	trace           string
	linked          bool
	labels, figures []string // JSON members
	scores          [][2]string
}

func (s *specSpan) take(words []string) error {
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		rubric, scored := strings.CutPrefix(key, "score.")
		switch {
		case !ok:
			return fmt.Errorf("%s is no key=value", word)
		case key == "linked":
			s.linked = true
			continue
		case !scored && !slices.Contains([]string{"latency", "ttft", "cost", "input_tokens", "output_tokens", "error", "fallback"}, key):
			s.labels = append(s.labels, fmt.Sprintf("%q:%q", key, value))
			continue
		}
		figure, err := s.figure(value)
		switch {
		case err != nil:
			return err
		case scored:
			s.scores = append(s.scores, [2]string{rubric, figure})
		case key == "error" || key == "fallback":
			s.figures = append(s.figures, fmt.Sprintf("%q:%t", key, figure == "1"))
		default:
			s.figures = append(s.figures, fmt.Sprintf("%q:%s", key, figure))
		}
	}
	return nil
}

func (s *specSpan) figure(text string) (string, error) {
	if percent, ok := strings.CutSuffix(text, "%"); ok {
		p, err := strconv.ParseFloat(percent, 64)
		if s.rng.Float64() < p/100 {
			return "1", err
		}
		return "0", err
	}
	middle, spread, _ := strings.Cut(text, "~")
	v, err := strconv.ParseFloat(middle, 64)
	if err == nil && spread != "" {
		var by float64
		by, err = strconv.ParseFloat(spread, 64)
		v += by * (2*s.rng.Float64() - 1)
	}
	return strconv.FormatFloat(v, 'f', 4, 64), err
}

func (s *specSpan) lines() (lines [][]byte) {
	add := func(kind string, at time.Time, members ...[]string) {
		line := fmt.Appendf(nil, `{"type":%q,"time":%q`, kind, at.Format(time.RFC3339Nano))
		for _, m := range slices.Concat(members...) {
			line = append(append(line, ','), m...)
		}
		lines = append(lines, append(line, '}'))
	}
	if !s.linked {
		var scores []string
		for _, sc := range s.scores {
			scores = append(scores, fmt.Sprintf("%q:%s", sc[0], sc[1]))
		}
		if scores != nil {
			scores = []string{`"scores":{` + strings.Join(scores, ",") + "}"}
		}
		add("span", s.at, s.labels, s.figures, scores)
		return lines
	}
	id := func(span string) []string {
		return []string{fmt.Sprintf(`"trace_id":%q`, s.trace), fmt.Sprintf(`"span_id":%q`, span)}
	}
	add("span", s.at, id("00000000000000a1"), []string{`"kind":"other"`}, s.labels)
	add("span", s.at, id("00000000000000a2"), []string{`"parent_span_id":"00000000000000a1"`}, s.figures)
	for _, sc := range s.scores {
		add("score", s.at.Add(3*time.Second), id("00000000000000a2"), []string{fmt.Sprintf(`"rubric":%q`, sc[0]), `"value":` + sc[1]})
	}
	return lines
}
