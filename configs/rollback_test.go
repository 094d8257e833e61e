package configs

import (
	"fmt"
	"strings"

	"github.com/driftd/driftd/alert/rollback"
)

// rollbackPage is the reference of rollbacks: its table of guards is the code's.
func rollbackPage() ([]byte, error) {
	var b strings.Builder
	b.WriteString(`# Rollback

What happens between an alert and the promotion of the version before, by the records of ` + "`driftd.alerts`" + `, in which each step stands
before the next is made. Whatever is killed at any point, no promotion is left out and none is made twice.

` + "```" + `text
firing ─ rule allows it ─> rollback_proposed
   dry_run:  the end. The record says what would be done, or which guard refuses
   approve:  waits for a person: rollback_reminded now and then,
             rollback_approved, or rollback_rejected by a person or by time, or rollback_refused because there is nothing left to decide
   auto:     goes on by itself
guards ─> rollback_refused, or
rollback_promoting ─> the registry: read, compare, move, read back
          ├─ rollback_failed: it did not work, a person has to do it
          └─ rollback_promoted ─> watched: the bad version's share of the calls, the target's figures
                                     ├─ recovered
                                     └─ ineffective: a person has to look
` + "```" + `

` + "`ineffective`" + ` pages whoever was told of the alert: in Slack the channel and not the thread alone, in PagerDuty, Opsgenie and Grafana OnCall
a new incident in place of the old one, in Alertmanager a second alert ` + "`RollbackIneffective`" + ` with the labels of the first. A webhook gets each of
these records as a body of its own.

| ` + "`rollback` of a rule" + ` | what happens when it fires |
|---|---|
| ` + "`off`" + ` (default) | nothing |
| ` + "`dry_run`" + ` | all guards are asked, and it is recorded what would be done |
| ` + "`approve`" + ` | it is proposed in the message; a person approves or rejects in Slack, by ` + "`driftd approve`" + ` or by the API. What nobody has decided on after ` + "`rollback.approve_within`" + ` is rejected |
| ` + "`auto`" + ` | the guards are asked and the version before is promoted. With ` + "`auto_after: 90d`" + ` it is ` + "`approve`" + ` until the rule has been live for so long. Where all that is known of the alert is more than two hours old, as in a backlog, it waits until detect has caught up |

By hand, ` + "`driftd rollback PROMPT --to V`" + ` goes the same way past the same guards. ` + "`--force GUARD`" + ` passes over one of them, where the table
allows it; who did it and why stands in the audit log.

## Guards

Why nothing is promoted. The first that refuses is told, by its name in the record's ` + "`guard`" + ` and a sentence in its ` + "`reason`" + `.

| guard | refuses when | ` + "`--force`" + ` |
|---|---|---|
`)
	for _, g := range rollback.Guards() {
		force := ""
		if g.Forced {
			force = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", g.Name, g.Doc, force)
	}
	return []byte(b.String()), nil
}
