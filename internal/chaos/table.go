package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// table prints a row for each fault, as it is done, and at its end what else there is to know.
type table struct {
	out    io.Writer
	name   int // width
	rows   int // that were run
	events int
	lacks  []string            // why rows cannot be had, in their order
	names  map[string][]string // of these rows, by why
	notes  []string
}

func newTable(out io.Writer, rows []*row) *table {
	t := &table{out: out, names: make(map[string][]string)}
	for _, r := range rows {
		t.name = max(t.name, utf8.RuneCountInString(r.does))
	}
	return t
}

const columns = "%7s %8s %6s %8s %8s │ %8s %8s │ %8s %8s │ %9s"

func (t *table) head(m *matrix) {
	fmt.Fprintf(t.out, "chaos on %s, seed %d\n\n", m.broker(), m.seed)
	head := func(c ...any) { fmt.Fprintf(t.out, "%-*s "+columns+"\n", append([]any{t.name}, c...)...) }
	head("", "", "", "", "", "wrong", "alerts", "", "received", "", "recovery")
	head("fault", "rounds", "events", "lost", "doubled", "windows", "missing", "doubled", "missing", "doubled", "p50…max s")
	fmt.Fprintln(t.out, strings.Repeat("─", t.name+1+7+1+8+1+6+1+8+1+8+3+8+1+8+3+8+1+8+3+9))
}

func (t *table) print(m *matrix, r *row, res *result) {
	pad := r.does + strings.Repeat(" ", t.name-utf8.RuneCountInString(r.does))
	if res.skipped != "" {
		fmt.Fprintf(t.out, "%s %7s\n", pad, "n/a")
		if t.names[res.skipped] == nil {
			t.lacks = append(t.lacks, res.skipped)
		}
		t.names[res.skipped] = append(t.names[res.skipped], r.name)
		return
	}
	t.rows++
	t.events += max(res.events, 0)
	n := func(v int) string {
		if v < 0 {
			return "n/a"
		}
		return grouped(v)
	}
	fmt.Fprintf(t.out, "%s "+columns+"\n", pad, n(res.rounds), n(res.events), n(res.lost), n(res.doubled), n(res.windows), n(res.missing), n(res.repeated),
		n(res.unreceived), n(res.receivedMore), spread(res.recovery))
	for _, note := range res.notes {
		t.notes = append(t.notes, r.name+": "+note)
	}
	if !res.wrong() {
		return
	}
	if res.err != nil {
		fmt.Fprintf(t.out, "  FAILED: %v\n", res.err)
	}
	const shown = 5
	for _, d := range res.differences[:min(shown, len(res.differences))] {
		fmt.Fprintf(t.out, "  %s\n", d)
	}
	if more := len(res.differences) - shown; more > 0 {
		fmt.Fprintf(t.out, "  … and %d more\n", more)
	}
	fmt.Fprintf(t.out, "  logs and all differences: %s\n", res.dir)
	short := ""
	if m.short {
		short = " --short"
	}
	fmt.Fprintf(t.out, "  again: go run ./internal/chaos%s --kafka %s --fault %s --seed %d\n", short, m.kafka, r.name, m.seed)
}

func (t *table) foot(m *matrix, wrong bool, took time.Duration) {
	verdict := "no difference"
	switch {
	case wrong:
		verdict = "DIFFERENCES"
	case t.rows == 0:
		verdict = "NOTHING TRIED"
	}
	fmt.Fprintf(t.out, "\n%s: %d of %d rows, %s events, in %s\n", verdict, t.rows, len(m.rows), grouped(t.events), took.Round(time.Second))
	fmt.Fprintf(t.out, "seed %d; %s; event time runs %d times as fast; %d rows at a time on %d processors\n", m.seed, m.broker(), speed, m.jobs, runtime.NumCPU())
	for _, why := range t.lacks {
		fmt.Fprintf(t.out, "n/a %s: %s\n", strings.Join(t.names[why], ", "), why)
	}
	for _, note := range t.notes {
		fmt.Fprintln(t.out, note)
	}
}

// spread is the median and the most.
func spread(all []time.Duration) string {
	if len(all) == 0 {
		return "–"
	}
	slices.Sort(all)
	return fmt.Sprintf("%.1f…%.1f", all[(len(all)-1)/2].Seconds(), all[len(all)-1].Seconds())
}

// grouped writes thousands apart.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
