package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/alert/rollback"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/web"
)

const (
	rollbackArgs = "PROMPT [--to V] [--reason TEXT] | --list | --stop | --resume"

	lookEach   = 300 * time.Millisecond
	quietLooks = 4 // without news, before it is asked why

	lookUntil = 2 * time.Minute // a rollback that takes longer goes on by itself
)

const rollbackHelp = `
Rolls back by hand: the registry is asked to promote another version, past the same guards as for any rollback. It shows each step
until the version is promoted and watched, or it is over. Without --to it is the version before the current one, where driftd knows it.
--force passes over the one guard that it names, wants a --reason and is audited. --stop is the kill switch: of one prompt, or of
all where none is named, until --resume.
`

// runRollback rolls back by hand, lists rollbacks and turns the kill switch.
func runRollback(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, fs := newClient("rollback", rollbackArgs, rollbackHelp, stdout, stderr)
	to := fs.String("to", "", "the version to promote: `V`")
	reason := fs.String("reason", "", "why, for those who read it later: `TEXT`")
	force := fs.String("force", "", "pass over this `GUARD`")
	list := fs.Bool("list", false, "list rollbacks, the newest first")
	stop := fs.Bool("stop", false, "stop rollbacks of PROMPT, of all without it")
	resume := fs.Bool("resume", false, "let them go on")
	noWait := fs.Bool("no-wait", false, "ask for it, and do not wait")
	rest, code, done := parseFlags(fs, args)
	if done {
		return code
	}
	what := 0
	for _, on := range []bool{*list, *stop, *resume} {
		if on {
			what++
		}
	}
	if what > 1 || len(rest) > 1 || what == 0 && len(rest) == 0 || *list && len(rest) > 0 || what > 0 && (*to != "" || *force != "") {
		return c.usage("usage: driftd rollback %s", rollbackArgs)
	}
	prompt := strings.Join(rest, "")
	if len(rest) == 1 && strings.TrimSpace(prompt) == "" { // such as a variable that is not set: not all prompts are meant
		return c.usage("the name of the prompt is empty")
	}
	if code, ok := c.open(); !ok {
		return code
	}
	switch {
	case *list:
		return c.listRollbacks(ctx)
	case *stop:
		return c.turn(ctx, "rollbacks/stop", prompt, *reason)
	case *resume:
		return c.turn(ctx, "rollbacks/resume", prompt, *reason)
	}
	var a desk.Attempt
	err := c.ask(ctx, "POST", "rollbacks", nil, web.NewRollback{By: c.by(), Prompt: prompt, To: *to, Reason: *reason, Force: *force}, &a)
	if e, ok := pending(err); ok {
		a.ID = e.ID
	} else if err != nil {
		return c.failed(err)
	}
	return c.follow(ctx, a.ID, !*noWait)
}

// runApprove approves a rollback.
func runApprove(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return runDecide(ctx, "approve", approveArgs, args, stdout, stderr)
}

// runReject rejects one.
func runReject(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return runDecide(ctx, "reject", rejectArgs, args, stdout, stderr)
}

const (
	approveArgs = "ID [--reason TEXT] [--no-wait] [--json]"
	rejectArgs  = "ID --reason TEXT [--json]"
)

func runDecide(ctx context.Context, name, usage string, args []string, stdout, stderr io.Writer) int {
	help := "\nRollbacks that wait stand in driftd alerts; any beginning of an id that only one has will do.\n"
	if name == "approve" {
		help += "The guards are checked once more; each step is shown until the version is promoted and watched, or it is over.\n"
	}
	c, fs := newClient(name, usage, help, stdout, stderr)
	reason := fs.String("reason", "", "why, for those who read it later: `TEXT`")
	noWait := name == "reject"
	if name == "approve" {
		fs.BoolVar(&noWait, "no-wait", false, "approve, and do not wait")
	}
	rest, code, done := parseFlags(fs, args)
	switch {
	case done:
		return code
	case len(rest) != 1:
		return c.usage("usage: driftd %s %s", name, usage)
	case name == "reject" && strings.TrimSpace(*reason) == "":
		return c.usage("say why, for those who read it later: --reason TEXT")
	}
	if code, ok := c.open(); !ok {
		return code
	}
	if code, ok := c.isID(rest[0]); !ok {
		return code
	}
	var a desk.Attempt
	err := c.ask(ctx, "POST", "rollbacks/"+url.PathEscape(rest[0])+"/"+name, nil, web.Reason{By: c.by(), Reason: *reason}, &a)
	if e, ok := pending(err); ok {
		fmt.Fprintf(stderr, "driftd %s: %v\n", name, e)
		return exitFine
	}
	if err != nil {
		return c.failed(c.anew(ctx, name, rest[0], err))
	}
	if name == "reject" {
		if *c.json {
			return c.printJSON(&a)
		}
		fmt.Fprintf(stdout, "rejected: rollback %s: %s\n", shortIDs(nil)(a.ID), change(&a))
		return exitFine
	}
	return c.follow(ctx, a.ID, !noWait)
}

// anew adds to why a rollback cannot be approved what can be done instead, where it is over and nothing was promoted.
func (c *client) anew(ctx context.Context, name, id string, err error) error {
	e, ok := errors.AsType[*apiError](err)
	var a desk.Attempt
	if name != "approve" || !ok || e.Hint != "" || c.ask(ctx, "GET", "rollbacks/"+url.PathEscape(id), nil, nil, &a) != nil {
		return err
	}
	switch a.State {
	case alert.RollbackProposed, alert.RollbackRejected, alert.RollbackRefused, alert.RollbackFailed:
		e.Hint = fmt.Sprintf("to ask for it by hand: driftd rollback %s --to %s --reason …", phrase.Brief(a.Prompt), phrase.Brief(a.Target))
	}
	return e
}

// follow shows what becomes of a rollback, until it is promoted and watched or over.
func (c *client) follow(ctx context.Context, id string, wait bool) int {
	ctx, cancel := context.WithTimeoutCause(ctx, lookUntil, errors.New("it takes long"))
	defer cancel()
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	var a desk.Attempt
	trouble := "" // of the registry that was told
	for told, seen, quiet := 0, 0, 0; ; quiet++ {
		err := c.ask(ctx, "GET", "rollbacks/"+id, nil, nil, &a)
		if e, ok := errors.AsType[*apiError](err); ok && e.code == http.StatusNotFound { // the daemon has not seen it yet
			err = nil
		}
		if n := len(a.Log); n > seen {
			seen, quiet = n, 0
		}
		if err == nil && !*c.json {
			told = c.tell(&a, told)
		}
		if wait && quiet == quietLooks {
			trouble = c.registryTrouble(ctx, trouble)
			quiet = 0
		}
		settled := a.State.Over() || a.State == alert.RollbackWatching
		switch {
		case ctx.Err() != nil:
			fmt.Fprintf(c.stderr, "driftd %s: it goes on without this command: driftd rollback --list\n", c.name)
			return exitWrong
		case err != nil:
			return c.failed(err)
		case settled || !wait:
			return c.outcome(&a)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// registryTrouble says on stderr what keeps the registry from being asked, once while it stays the same.
func (c *client) registryTrouble(ctx context.Context, told string) string {
	var status web.Status
	if c.ask(ctx, "GET", "status", nil, nil, &status) != nil {
		return told
	}
	for _, check := range status.Checks {
		if check.Name == "act registry" && check.Trouble && check.Detail != told && !strings.Contains(check.Detail, rollback.Lingers) {
			fmt.Fprintf(c.stderr, "driftd %s: the registry: %s; it is tried again\n", c.name, phrase.Clean(check.Detail))
			return check.Detail
		}
	}
	return told
}

// tell prints what is new in the log of a rollback, and returns how much has been told.
func (c *client) tell(a *desk.Attempt, told int) int {
	if told == 0 && a.ID != "" {
		fmt.Fprintf(c.stdout, "rollback %s: %s\n", shortIDs(nil)(a.ID), change(a))
	}
	for i := min(told, len(a.Log)); i < len(a.Log); i++ {
		if s := happened(&a.Log[i]); s != "" {
			fmt.Fprintf(c.stdout, "%s  %s\n", a.Log[i].Time.UTC().Format("15:04:05"), s)
		}
	}
	return max(told, len(a.Log))
}

// happened says what an action was.
func happened(e *desk.Event) string {
	actor, reason := phrase.Brief(e.Actor), phrase.Clean(e.Reason)
	if reason != "" {
		reason = ": " + reason
	}
	switch e.Type {
	case detector.RollbackRequested:
		if e.Force != "" {
			actor += ", past the guard " + phrase.Brief(e.Force)
		}
		return "asked for by " + actor + reason
	case detector.RollbackProposed:
		if strings.HasPrefix(e.Reason, "Proposed: ") || strings.HasPrefix(e.Reason, "Dry run: ") {
			return phrase.Clean(e.Reason)
		}
		return "proposed" + reason
	case detector.RollbackReminded:
		return "reminded" + reason
	case detector.RollbackApproved:
		return "approved by " + actor + reason
	case detector.RollbackRejected:
		return "rejected by " + actor + reason
	case detector.RollbackRefused:
		if e.Guard != "" {
			return "refused by the guard " + phrase.Brief(e.Guard) + reason
		}
		return "refused" + reason
	case detector.RollbackPromoting:
		return "asking the registry" + reason
	case detector.RollbackPromoted:
		return "promoted, and read back" + reason
	case detector.RollbackFailed:
		return "failed" + reason
	case detector.Recovered:
		return "recovered" + reason
	case detector.Ineffective:
		return "ineffective" + reason
	}
	return ""
}

// outcome ends the story and gives the exit code.
func (c *client) outcome(a *desk.Attempt) int {
	if *c.json {
		c.printJSON(a)
	} else if a.State == alert.RollbackWatching {
		fmt.Fprintf(c.stdout, "it is watched now%s; driftd alerts shows how it goes\n", lingers(a))
	} else if n := len(a.Log); a.State == alert.RollbackRefused && n > 0 && slices.Contains(forced(), a.Log[n-1].Guard) {
		fmt.Fprintf(c.stdout, "    driftd rollback %s --to %s --force %s --reason … passes over it\n", phrase.Brief(a.Prompt), phrase.Brief(a.Target), a.Log[n-1].Guard)
	}
	switch a.State {
	case alert.RollbackRefused, alert.RollbackFailed, alert.RollbackRejected, alert.RollbackIneffective:
		return exitWrong
	}
	return exitFine
}

func (c *client) listRollbacks(ctx context.Context) int {
	var all web.Rollbacks
	if err := c.ask(ctx, "GET", "rollbacks", nil, nil, &all); err != nil {
		return c.failed(err)
	}
	if *c.json {
		return c.printJSON(&all)
	}
	if len(all.Rollbacks) == 0 {
		fmt.Fprintln(c.stdout, "There are no rollbacks.")
	} else {
		var ids []string
		for i := range all.Rollbacks {
			ids = append(ids, all.Rollbacks[i].Step.ID)
		}
		short := shortIDs(ids)
		table := [][]string{{"id", "began (UTC)", "state", "mode", "prompt", "from", "to", "last"}}
		for i := range all.Rollbacks {
			a := &all.Rollbacks[i]
			last := ""
			if n := len(a.Log); n > 0 {
				last = phrase.Cut(happened(&a.Log[n-1]), 100)
			}
			table = append(table, []string{
				short(a.ID), a.Began.UTC().Format("2006-01-02 15:04"), string(a.State), strings.ReplaceAll(a.Mode, "_", " "),
				phrase.Brief(a.Prompt), phrase.Brief(a.Version), phrase.Brief(a.Target), last,
			})
		}
		writeColumns(c.stdout, table, len(table[0]))
	}
	c.writeStops(all.Stops)
	return exitFine
}

func (c *client) writeStops(stops []desk.Stop) {
	for _, s := range stops {
		fmt.Fprintln(c.stdout, stopped(&s, time.Time{}))
	}
}

func (c *client) turn(ctx context.Context, path, prompt, reason string) int {
	var out web.Stops
	err := c.ask(ctx, "POST", path, nil, web.Switch{By: c.by(), Prompt: prompt, Reason: reason}, &out)
	if e, ok := pending(err); ok {
		fmt.Fprintf(c.stderr, "driftd rollback: %v\n", e)
		return exitFine
	}
	if err != nil {
		return c.failed(err)
	}
	if *c.json {
		return c.printJSON(&out)
	}
	if len(out.Stops) == 0 {
		fmt.Fprintln(c.stdout, "rollbacks go on")
	}
	c.writeStops(out.Stops)
	if out.Note != "" {
		fmt.Fprintln(c.stdout, phrase.Clean(out.Note))
	}
	return exitFine
}
