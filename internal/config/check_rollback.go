package config

import (
	"time"

	"github.com/driftd/driftd/internal/strictyaml"
)

// The least that makes sense.
const (
	minCooldown           = time.Minute
	minHorizonOfRollbacks = time.Hour
	minDecision           = time.Minute
	minReminder           = time.Minute
	minWatch              = 10 * time.Minute
)

// rollback finds limits that make no sense, alone or together.
func (c *checker) rollback() {
	r := &c.config.Rollback
	for _, d := range []struct {
		name  string
		field *time.Duration
		least time.Duration
		usual string
		why   string
	}{
		{"cooldown", &r.Cooldown, minCooldown, "1h", "a promotion takes minutes to show"},
		{"horizon", &r.Horizon, minHorizonOfRollbacks, "7d", "a version that was just rolled back would be a target again"},
		{"approve_within", &r.ApproveWithin, minDecision, "24h", "people need time to decide"},
		{"remind_after", &r.RemindAfter, minReminder, "1h", "people would be reminded all the time"},
		{"watch", &r.Watch, minWatch, "1h", "figures of ten minutes are watched"},
	} {
		if at := c.doc.At(d.field); *d.field < d.least && !at.Faulty() {
			at.Errorf("write "+strictyaml.FormatDuration(d.least)+" or more; the usual is "+d.usual, "`%s` is too short: %s", d.name, d.why)
		}
	}
	remind, within := c.doc.At(&r.RemindAfter), c.doc.At(&r.ApproveWithin)
	if r.RemindAfter >= r.ApproveWithin && r.ApproveWithin >= minDecision && !remind.Faulty() && !within.Faulty() {
		at := within
		if remind.Present() {
			at = remind
		}
		at.Warnf("the usual is remind_after: 1h, approve_within: 24h", "nobody is reminded: `remind_after` is %s, and a proposal is rejected after %s",
			strictyaml.FormatDuration(r.RemindAfter), strictyaml.FormatDuration(r.ApproveWithin))
	}
	watch := c.doc.At(&r.Watch)
	if g := c.config.Registry; g != nil && r.Watch >= minWatch && r.Watch < 3*g.Grace && !watch.Faulty() && !c.doc.At(&g.Grace).Faulty() {
		at := watch
		if !watch.Present() {
			at = c.doc.At(&g.Grace)
		}
		at.Errorf("write "+strictyaml.FormatDuration(3*g.Grace)+" or more", "`watch` is too short: clients may go on with a version for %s (`registry.grace`), and %s are left to see whether it helps",
			strictyaml.FormatDuration(g.Grace), strictyaml.FormatDuration(max(r.Watch-g.Grace, 0)))
	}
	prompt, fleet := c.doc.At(&r.PromptPerDay), c.doc.At(&r.FleetPerDay)
	if r.FleetPerDay < r.PromptPerDay && !prompt.Faulty() && !fleet.Faulty() {
		at := fleet
		if !fleet.Present() {
			at = prompt
		}
		at.Errorf("the usual is prompt_per_day: 2, fleet_per_day: 10", "`fleet_per_day` is %d, less than `prompt_per_day`, which is %d", r.FleetPerDay, r.PromptPerDay)
	}
}
