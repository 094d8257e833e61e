package rules

import (
	"fmt"
	"time"

	"github.com/driftd/driftd/internal/strictyaml"
)

func (c *ruleCheck) rollback() {
	at := c.doc.At(&c.file.Rollback)
	if c.l.opts.NoRegistry && at.Present() && c.file.Rollback != "off" && c.file.Rollback != "" {
		at.Warnf("add `registry` to the config", "the config has no registry: nothing will be rolled back")
	}
	switch c.file.Rollback {
	case "dry_run":
		c.rule.Rollback = RollbackDryRun
	case "auto":
		c.rule.Rollback = RollbackAuto
	case "approve":
		c.rule.Rollback = RollbackApprove
	}
	after := c.doc.At(&c.file.AutoAfter)
	switch {
	case after.Faulty():
		c.ok = false
	case !after.Present(), at.Faulty():
	case c.rule.Rollback != RollbackAuto:
		c.wrong(after, "remove it, or write `rollback: auto`", "`auto_after` says when `rollback: auto` begins, and this rule has %s", c.rollbackWord())
	case c.file.AutoAfter > maxAutoAfter:
		c.wrong(after, "90d is human review for the first quarter", "`auto_after` is more than %s: write `rollback: approve`", Duration(maxAutoAfter))
	default:
		c.rule.AutoAfter = c.file.AutoAfter
	}
}

// maxAutoAfter is the longest that an author can mean.
const maxAutoAfter = 5 * 365 * 24 * time.Hour

func (c *ruleCheck) rollbackWord() string {
	if c.doc.At(&c.file.Rollback).Present() {
		return "`rollback: " + c.rule.Rollback.String() + "`"
	}
	return "no `rollback`"
}

// autoOnThreshold asks a threshold that rolls back by itself for what keeps chance from doing so, as far as that can be, and says that there
// is no more to it.
func (c *ruleCheck) autoOnThreshold() {
	if c.rule.Rollback != RollbackAuto {
		return
	}
	at, f := c.doc.At(&c.file.Rollback), c.file
	samples, wait := f.MinSamples == nil && !c.doc.At(&f.MinSamples).Present(), f.For <= 0 && !c.doc.At(&f.For).Faulty()
	switch {
	case samples && wait:
		c.wrong(at, "add `min_samples: 200` and `for: 5m`, or write `rollback: approve`", "`auto` on a threshold needs `min_samples` and `for`: a few bad values in one minute must not roll a version back")
	case samples:
		c.wrong(at, "add `min_samples: 200`, or write `rollback: approve`", "`auto` on a threshold needs `min_samples`: a few bad values must not roll a version back")
	case wait:
		c.wrong(at, "add `for: 5m`, or write `rollback: approve`", "`auto` on a threshold needs `for`: one bad minute must not roll a version back")
	default:
		at.Warnf(fmt.Sprintf("%s would promise at most %s in %s", c.budgeted(), falseAlarmsText(RollbackBudget.Count), strictyaml.FormatDuration(RollbackBudget.Per)),
			"a threshold has no budget of false alarms: nobody can say how often `auto` will roll a good version back")
	}
}

// budgeted is the kind with a budget that would watch the same.
func (c *ruleCheck) budgeted() string {
	side, change := "below", "drop"
	if c.file.Threshold != nil && c.file.Threshold.Above != nil {
		side, change = "above", "rise"
	}
	if binary(c.rule.Metric) && !c.rule.Rubric || c.rubric.HasRange {
		return fmt.Sprintf("`canary: {%s: …, against: previous_version}`", change)
	}
	return fmt.Sprintf("`exceed: {%s: …, share: 5%%}`", side)
}

// noRollback refuses what cannot find the version that is at fault.
func (c *ruleCheck) noRollback(why string) {
	if c.rule.Rollback != RollbackOff {
		c.wrong(c.doc.At(&c.file.Rollback), "remove it", "%s", why)
	}
}
