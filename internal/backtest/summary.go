package backtest

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/driftd/driftd/rules"
)

// Summary writes, for people, what a replay that took so long came to.
func (r *Report) Summary(w io.Writer, took time.Duration) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-7s  "+format+"\n", append([]any{name}, args...)...)
	}
	if r.Newest.IsZero() {
		row("events", "none that count")
	} else {
		row("time", "%s to %s, %s", r.Oldest.Format("2006-01-02 15:04"), clock(r.Newest, r.Oldest), lasted(r.Newest.Sub(r.Oldest)))
	}
	if n := r.Events.Records; n > 0 {
		row("events", "%s in %s: %s a second", rules.Grouped(n), seconds(took), rules.Grouped(uint64(float64(n)/max(took.Seconds(), 1e-3))))
	}
	if r.Events.Samples+r.Events.Scores > 0 {
		row("samples", "%s, %s, %s", some(r.Events.Samples, "call"), some(r.Events.Scores, "score"), some(uint64(len(r.Prompts)), "prompt"))
	}
	if n := r.Events.Promptless; n > 0 {
		row("unnamed", "%s without a prompt, in the event or in its trace", some(n, "call"))
	}
	r.dead(w)
	if r.Broken > 0 {
		row("broken", "%s of samples cannot be read and are passed over, as the daemon does", some(uint64(r.Broken), "record"))
	}
	r.late(row)
	if n := r.Detected.Other; n > 0 {
		row("limits", "%s counted together as __other__: a limit on prompts, versions or cohorts is reached", some(uint64(n), "sample"))
	}
	if n := r.Detected.Dropped; n > 0 {
		row("limits", "%s beyond the limits on rubrics or series are not counted", some(uint64(n), "score"))
	}
	r.rules(w, row)
}

// dead tells what is not counted, and for each reason where it comes first and what is wrong there.
func (r *Report) dead(w io.Writer) {
	width, digits := 0, 0
	for reason, d := range r.Dead {
		width, digits = max(width, len(reason.String())), max(digits, len(rules.Grouped(d.Events)))
	}
	title := "dead"
	for _, reason := range r.reasons() {
		d := r.Dead[reason]
		fmt.Fprintf(w, "%-7s  %*s %-*s  line %d: %s\n", title, digits, rules.Grouped(d.Events), width, reason, d.First.Offset+1, d.First.Detail)
		title = ""
	}
}

// late tells what came out of order, and what to do about it.
func (r *Report) late(row func(name, format string, args ...any)) {
	switch {
	case r.Lag.Events == 0 && r.Detected.Late > 0: // of a log: ingest had let them pass
		row("late", "%s of minutes that were sealed already", some(uint64(r.Detected.Late), "sample"))
		return
	case r.Lag.Events == 0:
		return
	}
	row("late", "%s, up to %s behind newer ones: the first is line %d, %s behind line %d. Sort the file by time, or mend that line",
		some(r.Lag.Events, "event"), lasted(r.Lag.Most), r.Lag.First+1, lasted(r.Lag.By), r.Lag.Behind+1)
	if n := r.Detected.TooLate; n > 0 {
		row("", "%s not counted: more than a day behind", some(uint64(n), "sample"))
	}
}

func (r *Report) rules(w io.Writer, row func(name, format string, args ...any)) {
	width := 0
	for i := range r.Rules {
		width = min(max(width, len(r.Rules[i].Rule.Alert)), widest)
	}
	title := "rules"
	for i := range r.Rules {
		row(title, "%s  %s", pad(r.Rules[i].Rule.Alert, width), r.rule(i))
		r.Rules[i].standing.compare(w, &r.Rules[i])
		title = ""
	}
}

// rule says what became of one.
func (r *Report) rule(at int) string {
	rule := &r.Rules[at]
	pending, firing := rule.Open()
	parts := []string{}
	switch {
	case rule.Firing > 0:
		in := "for"
		if rule.Firing > 1 {
			in = "together for"
		}
		parts = append(parts, fmt.Sprintf("fired %s, %s %s", times(rule.Firing), in, lasted(rule.fired(r.Newest.Truncate(time.Minute).Add(time.Minute)))))
	case rule.Pending > 0:
		parts = append(parts, fmt.Sprintf("never fired, was pending %s", times(rule.Pending)))
	default:
		if why := r.Unheard(at); why != "" {
			return "silent: " + why
		}
		parts = append(parts, "silent")
	}
	if firing > 0 {
		parts = append(parts, fmt.Sprintf("%d still firing at the end", firing))
	}
	if pending > 0 {
		parts = append(parts, fmt.Sprintf("%d pending at the end", pending))
	}
	said := strings.Join(parts, ", ")
	if more := rule.standing.say(rule); more != "" {
		said += "; " + more
	}
	return said
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return rules.Grouped(n) + " times"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return rules.Grouped(n) + " " + many
}

func some(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return rules.Grouped(n) + " " + what + "s"
}

// lasted writes how long something took, in two units at most: 12s, 3m4s, 1h13m, 9d2h.
func lasted(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		d = d.Round(time.Hour)
		return strings.TrimSuffix(fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour), "0h")
	case d >= time.Hour:
		d = d.Round(time.Minute)
	case d >= time.Second:
		d = d.Round(time.Second)
	}
	return rules.Duration(d).String()
}

func seconds(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
