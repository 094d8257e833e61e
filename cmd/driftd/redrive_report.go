package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/driftd/driftd/consumer"
)

// progress shows what is going on in one line of a terminal; clear takes it away.
func progress(w io.Writer) (show func(doing string, done, all int64), clear func()) {
	last := ""
	clear = func() {
		if last != "" {
			fmt.Fprint(w, "\r\x1b[K")
		}
	}
	return func(doing string, done, all int64) {
		line := doing
		if all > 0 {
			line = fmt.Sprintf("%s: %d %%", doing, 100*done/all)
		}
		if line != last {
			clear()
			fmt.Fprint(w, line)
			last = line
		}
	}, clear
}

// redriveColumns are the outcomes that have a column of their own in the table.
var redriveColumns = []consumer.Outcome{consumer.StillUnlinked, consumer.WasOffered, consumer.WasCounted}

// cannot says, in words, why the others are not offered.
var cannot = []struct {
	outcome consumer.Outcome
	why     string
}{
	{consumer.Unsettled, "ingest has not committed it yet: try again in a moment"},
	{consumer.DiesAgain, "what was wrong still is, or the letter leaves it out"},
	{consumer.TooOld, "more than a day old: no window holds it"},
	{consumer.CutShort, "too large: only the beginning of the record was kept"},
	{consumer.Withheld, "private: nothing of such a record is kept"},
	{consumer.NotKept, "the broker could not give it: nothing was kept"},
	{consumer.NoSource, "its topic is none of the config's sources"},
	{consumer.NothingCounts, "can be read now, and holds nothing that counts"},
}

// writeRedrive prints the report as a table.
func writeRedrive(w io.Writer, topic string, r *consumer.RedriveReport) {
	if len(r.Rows) == 0 {
		fmt.Fprintln(w, "There are no dead letters.")
		return
	}
	offered := "would count"
	if r.Done {
		offered = "offered again"
	}
	table := [][]string{{"topic", "reason", "letters", offered, "still unlinked", "offered before", "counted before", "cannot"}}
	row := func(topic, reason string, e *consumer.RedriveRow) {
		cells := []string{topic, reason, fmt.Sprint(e.Letters), fmt.Sprint(e.Events[consumer.Offerable])}
		for _, o := range redriveColumns {
			cells = append(cells, fmt.Sprint(e.Events[o]))
		}
		not := 0
		for _, c := range cannot {
			not += e.Events[c.outcome]
		}
		table = append(table, append(cells, fmt.Sprint(not)))
	}
	for i := range r.Rows {
		row(r.Rows[i].Topic, r.Rows[i].Reason, &r.Rows[i])
	}
	sum := r.Total()
	if len(r.Rows) > 1 {
		row("", "all", &sum)
	}
	writeColumns(w, table, 2)
	fmt.Fprintln(w)
	said := false
	for _, c := range cannot {
		n := sum.Events[c.outcome]
		if n > 0 && !said {
			fmt.Fprintln(w, "cannot be offered:")
			said = true
		}
		if n > 0 {
			fmt.Fprintf(w, "%6d  %s\n", n, c.why)
		}
	}
	if said {
		fmt.Fprintln(w)
	}
	switch n := sum.Events[consumer.Offerable]; {
	case r.Done && n > 0:
		fmt.Fprintf(w, "%s offered again in %s: the daemon counts each once\n", plural(n, "event"), topic)
	case n > 0:
		fmt.Fprintf(w, "%s would count: --yes offers them again\n", plural(n, "event"))
	default:
		fmt.Fprintln(w, "nothing to offer")
	}
}

// writeColumns prints rows in columns, those behind the first texts with their numbers below each other.
func writeColumns(w io.Writer, rows [][]string, texts int) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			if i < texts {
				fmt.Fprintf(&line, "%-*s", widths[i], cell)
			} else {
				fmt.Fprintf(&line, "%*s", widths[i], cell)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// redriveJSON is the report for tools. Counts of events are by outcome.
type redriveJSON struct {
	Done    bool             `json:"done"` // else "offered" is what would be
	Topic   string           `json:"topic"`
	Letters []redriveRowJSON `json:"letters"`
}

type redriveRowJSON struct {
	Topic   string         `json:"topic"`
	Reason  string         `json:"reason"`
	Letters int            `json:"letters"`
	Events  map[string]int `json:"events"`
}

func writeRedriveJSON(w io.Writer, topic string, r *consumer.RedriveReport) error {
	out := redriveJSON{Done: r.Done, Topic: topic, Letters: []redriveRowJSON{}}
	for i := range r.Rows {
		row := redriveRowJSON{Topic: r.Rows[i].Topic, Reason: r.Rows[i].Reason, Letters: r.Rows[i].Letters, Events: make(map[string]int)}
		for o, n := range r.Rows[i].Events {
			row.Events[consumer.Outcome(o).String()] = n
		}
		out.Letters = append(out.Letters, row)
	}
	return json.NewEncoder(w).Encode(&out)
}
