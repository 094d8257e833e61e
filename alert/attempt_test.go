package alert

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/detector"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts in testdata give into them")

// TestAttempt folds the actions of each block of testdata/attempts.txt, one a line: type, mode of a proposal or actor, and says what
// state it leads to, and what is then known.
func TestAttempt(t *testing.T) {
	const file = "testdata/attempts.txt"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for i, block := range strings.Split(strings.TrimSpace(string(data)), "\n\n") {
		input, want, ok := strings.Cut(block+"\n", "----\n")
		if !ok {
			t.Fatalf("%s: block %d without ----", file, i+1)
		}
		got := foldAttempt(t, input)
		if got != strings.TrimSpace(want) && !*rewrite {
			t.Errorf("%s: after\n%sgot\n%s\nwant\n%s", file, input, got, want)
		}
		if i > 0 {
			out.WriteString("\n")
		}
		fmt.Fprintf(&out, "%s----\n%s\n", input, got)
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func foldAttempt(t *testing.T, input string) string {
	a := &Attempt{Step: detector.Record{ID: "a", Step: 2, Type: detector.Firing, Version: "v23", Previous: "v22"}}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var out []string
	for line := range strings.Lines(input) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		now = now.Add(time.Minute)
		r := detector.Record{ID: "a", Step: 2, Type: detector.RecordType("rollback_" + words[0]), Time: now, Version: "v23", Previous: "v22", Actor: "driftd"}
		switch words[0] {
		case "recovered", "ineffective":
			r.Type = detector.RecordType(words[0])
		case "proposed":
			r.Rollback = words[1]
		case "requested":
			a.Step.Type = detector.RollbackRequested
			a.Step.Version, r.Version = "", ""
		case "refused":
			if r.Guard = "resolved"; len(words) > 1 {
				r.Guard = words[1]
			}
		case "approved", "rejected":
			r.Actor = words[1]
		}
		state, was := string(a.State), len(a.Log)
		if again := line; strings.Contains(again, "again") { // the same record comes once more
			r.Time = a.Last.Time
		}
		if a.Fold(&r) {
			state = "-> " + string(a.State)
		} else if len(a.Log) != was {
			t.Errorf("%q changed nothing, and was kept", line)
		}
		out = append(out, fmt.Sprintf("%-10s %s", words[0], strings.TrimSpace(state)))
	}
	says := fmt.Sprintf("%s, %d actions, over %v", a.ID(), len(a.Log), a.State.Over())
	if a.Decided != nil {
		says += fmt.Sprintf(", %s by %s", a.Decided.Type, a.Decided.Actor)
	}
	if !a.Promoted.IsZero() {
		says += ", promoted at " + a.Promoted.Format("15:04")
	}
	if a.ByHand() {
		says += ", by hand of " + a.Step.Version
	}
	return strings.Join(append(out, says), "\n")
}
