package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/web"
)

const alertsArgs = "[--all] [--prompt P] [--json]"

const alertsHelp = `
Lists the alerts that fire or are pending, the rollbacks that wait for a person, kill switches that are thrown, and receivers
that cannot be told, with what to do.
`

// shownRollbacks is how many of those that are open are shown below the alerts.
const shownRollbacks = 20

// overview is `driftd alerts --json`.
type overview struct {
	Status web.Status `json:"status"`
	web.Alerts
	Rollbacks []desk.Attempt `json:"rollbacks"` // those that are not over
	Silences  []desk.Silence `json:"silences"`  // in force
}

// runAlerts shows what is going on.
func runAlerts(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, fs := newClient("alerts", alertsArgs, alertsHelp, stdout, stderr)
	all := fs.Bool("all", false, "resolved alerts too")
	prompt := fs.String("prompt", "", "only those of this `PROMPT`")
	rest, code, done := parseFlags(fs, args)
	if done {
		return code
	}
	if len(rest) > 0 {
		return c.usage("usage: driftd alerts %s", alertsArgs)
	}
	if code, ok := c.open(); !ok {
		return code
	}
	o, err := c.overview(ctx, *all, *prompt)
	if err != nil {
		return c.failed(err)
	}
	if *c.json {
		return c.printJSON(o)
	}
	writeOverview(stdout, o, *all)
	return exitFine
}

func (c *client) overview(ctx context.Context, all bool, prompt string) (*overview, error) {
	o := &overview{}
	query := url.Values{}
	if prompt != "" {
		query.Set("prompt", prompt)
	}
	var rollbacks web.Rollbacks
	var silences web.Silences
	for _, q := range []struct {
		path, state string
		into        any
	}{{"status", "", &o.Status}, {"alerts", "open", &o.Alerts}, {"rollbacks", "open", &rollbacks}, {"silences", "", &silences}} {
		query := url.Values{}
		if q.state != "" && !(all && q.path == "alerts") {
			query.Set("state", q.state)
		}
		if prompt != "" && q.state != "" {
			query.Set("prompt", prompt)
		}
		if err := c.ask(ctx, "GET", q.path, query, nil, q.into); err != nil {
			return nil, err
		}
	}
	o.Rollbacks, o.Silences = rollbacks.Rollbacks, []desk.Silence{}
	for _, s := range silences.Silences {
		if s.State == desk.SilenceActive {
			o.Silences = append(o.Silences, s)
		}
	}
	return o, nil
}

func writeOverview(w io.Writer, o *overview, all bool) {
	now := o.Status.Now
	var ids []string
	for i := range o.Alerts.Alerts {
		ids = append(ids, o.Alerts.Alerts[i].ID)
	}
	for i := range o.Rollbacks {
		ids = append(ids, o.Rollbacks[i].Step.ID)
	}
	short := shortIDs(ids)
	if n := len(o.Alerts.Alerts); n == 0 && all {
		fmt.Fprintln(w, "There are no alerts.")
	} else if n == 0 {
		fmt.Fprintln(w, "No alert fires or is pending.")
	} else {
		table := [][]string{{"id", "state", "for", "alert", "prompt", "version", "cohort", "what", ""}}
		for i := range o.Alerts.Alerts {
			a := &o.Alerts.Alerts[i]
			r := &a.Step
			table = append(table, []string{
				short(a.ID), string(a.State), phrase.Lasted(now.Sub(a.Since)), phrase.Brief(r.Rule), phrase.Brief(r.Prompt), phrase.Brief(r.Version),
				phrase.Cohort(r), what(r), note(a),
			})
		}
		writeColumns(w, table, len(table[0]))
		if n := o.Total - n; n > 0 {
			fmt.Fprintf(w, "and %d more\n", n)
		}
	}
	var more []string
	for i := range o.Rollbacks {
		if i == shownRollbacks {
			more = append(more, fmt.Sprintf("and %d rollbacks more: driftd rollback --list", len(o.Rollbacks)-i))
			break
		}
		more = append(more, openRollback(&o.Rollbacks[i], now, short))
	}
	for _, s := range o.Status.Stops {
		more = append(more, stopped(&s, now))
	}
	if n := len(o.Silences); n > 0 {
		more = append(more, fmt.Sprintf("%s in force: driftd silence --list", phrase.Plural(int64(n), "silence is", "silences are")))
	}
	more = append(more, troubles(o.Status.Checks)...)
	if len(more) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(more, "\n"))
	}
}

// what is the sentence with the figure; of a resolved alert it is the figure alone, which is not beyond the bound any more.
func what(r *detector.Record) string {
	if r.Type != detector.Resolved || r.Value == nil {
		return phrase.Headline(r)
	}
	value, _ := phrase.Figures(r)
	return phrase.Measure(r) + " " + value
}

// note says who deals with an alert.
func note(a *desk.Alert) string {
	var parts []string
	if a.Acknowledged != nil {
		by := "acknowledged by " + phrase.Brief(a.Acknowledged.Actor)
		if a.Acknowledged.Reason != "" {
			by += ": " + phrase.Brief(a.Acknowledged.Reason)
		}
		parts = append(parts, by)
	}
	if a.Silenced != "" {
		parts = append(parts, "silenced")
	}
	for i := range a.Events {
		if e := &a.Events[i]; e.Type == detector.NotifyFailed && e.Step == a.Step.Step {
			why := e.Reason // what was to be told, and why that was not possible
			if _, cause, ok := strings.Cut(why, ": "); ok {
				why = cause
			}
			parts = append(parts, phrase.Brief(e.Receiver)+" was not told: "+phrase.Brief(why))
			break
		}
	}
	return strings.Join(parts, ", ")
}

// openRollback is a rollback that is not over, with what can be done about it.
func openRollback(a *desk.Attempt, now time.Time, short func(string) string) string {
	s := fmt.Sprintf("rollback %s: %s", short(a.ID), change(a))
	switch a.State {
	case alert.RollbackWaiting:
		return fmt.Sprintf("%s waits for a person since %s UTC\n    driftd approve %s, or driftd reject %s --reason …", s, phrase.Clock(a.Began, now), short(a.ID), short(a.ID))
	case alert.RollbackWatching:
		return s + " was promoted and is watched" + lingers(a)
	}
	return fmt.Sprintf("%s is %s", s, a.State)
}

// change is what a rollback does: "intent v22 in place of v23".
func change(a *desk.Attempt) string {
	s := phrase.Brief(a.Prompt) + " " + phrase.Brief(a.Target)
	if a.Target == "" {
		s = phrase.Brief(a.Prompt) + " to the version before"
	} else if a.Version == "" {
		s = phrase.Brief(a.Prompt) + " to " + phrase.Brief(a.Target)
	}
	if a.Version != "" {
		s += " in place of " + phrase.Brief(a.Version)
	}
	return s
}

// lingers says how much traffic the version that was replaced still has.
func lingers(a *desk.Attempt) string {
	if a.Observed == nil || a.Observed.Share == nil {
		return ""
	}
	return fmt.Sprintf(": %s has %s %% of the calls", phrase.Brief(a.Observed.Version), phrase.Number(*a.Observed.Share*100, 2))
}

func stopped(s *desk.Stop, now time.Time) string {
	of, name := "all prompts", ""
	if s.Prompt != "" {
		of, name = phrase.Brief(s.Prompt), " "+phrase.Brief(s.Prompt)
	}
	out := fmt.Sprintf("rollbacks of %s are stopped since %s UTC by %s", of, phrase.Clock(s.At, now), phrase.Brief(s.By))
	if s.Reason != "" {
		out += ": " + phrase.Brief(s.Reason)
	}
	return out + "\n    driftd rollback --resume" + name
}

// troubles are what a person has to mend, in the process that was asked.
func troubles(checks []web.Check) (out []string) {
	var elsewhere []string
	for _, c := range checks {
		name := phrase.Clean(c.Name)
		if receiver, ok := strings.CutPrefix(name, "act "); ok && receiver != "registry" {
			name = "receiver " + receiver
		} else if ok {
			name = "the registry"
		}
		if c.OK && c.Detail == standsBy {
			elsewhere = append(elsewhere, name)
		}
		if c.OK && !c.Trouble {
			continue
		}
		detail := c.Detail
		if detail == "" {
			detail = "is not ready"
		}
		out = append(out, "trouble: "+name+": "+phrase.Clean(detail))
	}
	if elsewhere != nil {
		out = append(out, "another process of driftd knows how they are: "+strings.Join(elsewhere, ", "))
	}
	return out
}
