package main

import (
	"context"
	"fmt"
	"io"
	"net/url"

	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/internal/web"
)

const ackArgs = "ID… [--comment TEXT] [--json]"

const ackHelp = `
Takes on alerts, each with all cohorts of its version under its rule: they are not said again until they get clearly worse.
Ids stand in driftd alerts; any beginning of four characters or more that only one has will do.
`

// runAck acknowledges alerts.
func runAck(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, fs := newClient("ack", ackArgs, ackHelp, stdout, stderr)
	comment := fs.String("comment", "", "what you are going to do, for the others: `TEXT`")
	rest, code, done := parseFlags(fs, args)
	if done {
		return code
	}
	if len(rest) == 0 {
		return c.usage("usage: driftd ack %s", ackArgs)
	}
	if code, ok := c.open(); !ok {
		return code
	}
	code = exitFine
	for _, id := range rest {
		if code, ok := c.isID(id); !ok {
			return code
		}
		var a desk.Alert
		err := c.ask(ctx, "POST", "alerts/"+url.PathEscape(id)+"/acknowledge", nil, web.Acknowledge{By: c.by(), Comment: *comment}, &a)
		if e, ok := pending(err); ok {
			fmt.Fprintf(c.stderr, "driftd ack: %v\n", e)
		} else if err != nil {
			code = c.failed(err)
		} else if *c.json {
			c.printJSON(&a)
		} else {
			fmt.Fprintf(stdout, "acknowledged: %s, with all cohorts of it\n", phrase.Title(&a.Step))
		}
	}
	return code
}
