package rollback

import (
	"fmt"
	"time"

	"github.com/driftd/driftd/detector"
)

const day = 24 * time.Hour

func targetFiring(q *question) string {
	var found *detector.Record
	for _, a := range q.p.firing {
		if r := a.last; r.Version == q.s.Previous && !harmless(r) && (found == nil || r.Rule < found.Rule) {
			found = r
		}
	}
	if found == nil {
		return ""
	}
	return fmt.Sprintf("%s is firing itself (%s)", q.s.Previous, found.Rule)
}

// harmless says that an alert is about how much traffic a version has: too little, as one that was replaced, or more than a replaced one
// should have. It is not worse for that.
func harmless(r *detector.Record) bool {
	return r.Kind == "traffic_share" || r.Kind == "volume" && r.Value != nil && r.Bound != nil && *r.Value <= *r.Bound
}

func targetRolledBack(q *question) string {
	for _, p := range q.p.since(q.now.Add(-q.cfg.Horizon)) {
		if p.from == q.s.Previous && p.id != q.a.ID() {
			return fmt.Sprintf("%s was rolled back itself, to %s at %s (%s): it is not stable", p.from, p.to, clock(p.time, q.now), p.why)
		}
	}
	return ""
}

// target is the newest of what is known of the version that would be promoted; nil where nothing is. What was said more than a
// day ago says nothing about the last day.
func (q *question) target() *detector.Target {
	seen, ok := q.p.targets[q.s.Previous]
	if !ok || q.now.Sub(seen.at) > day {
		return nil
	}
	return &seen.target
}

func targetEdited(q *question) string {
	if t := q.target(); t != nil && t.Templates > 1 {
		return fmt.Sprintf("%s has served %d templates: what would come back may not be what was stable", t.Version, t.Templates)
	}
	return ""
}

func targetFewSamples(q *question) string {
	switch t := q.target(); {
	case t == nil && q.person:
		return ""
	case t == nil:
		return fmt.Sprintf("it is not known how much %s was called in the last 24 hours", q.s.Previous)
	case t.Calls < int64(q.cfg.MinSamples):
		return fmt.Sprintf("%s had %s in the last 24 hours, %d are asked for", t.Version, count(t.Calls, "call"), q.cfg.MinSamples)
	}
	return ""
}

// since returns the promotions after t.
func (p *prompt) since(t time.Time) (out []promotion) {
	for _, one := range p.promotions {
		if one.time.After(t) {
			out = append(out, one)
		}
	}
	return out
}

// last is the newest promotion of the prompt less than a cooldown ago; nil for none.
func (q *question) last() *promotion {
	recent := q.p.since(q.now.Add(-q.cfg.Cooldown))
	if len(recent) == 0 {
		return nil
	}
	return &recent[len(recent)-1]
}

func alreadyPromoted(q *question) string {
	if last := q.last(); last != nil && last.from == q.s.Version {
		return fmt.Sprintf("%s was promoted in place of %s at %s (%s)", last.to, last.from, clock(last.time, q.now), last.why)
	}
	return ""
}

func cooldown(q *question) string {
	if last := q.last(); last != nil && last.from != q.s.Version {
		return fmt.Sprintf("%s was promoted %s ago, rollbacks of a prompt are %s apart", last.to, span(q.now.Sub(last.time)), span(q.cfg.Cooldown))
	}
	return ""
}

func promptLimit(q *question) string {
	if n := len(q.p.since(q.now.Add(-day))); n >= q.cfg.PromptPerDay {
		return fmt.Sprintf("%s of %s in the last 24 hours, %d are allowed", count(int64(n), "rollback"), q.s.Prompt, q.cfg.PromptPerDay)
	}
	return ""
}

// fleetLimit counts what is under way as well: it may have been made.
func fleetLimit(q *question) string {
	n := 0
	for _, b := range q.books {
		for _, p := range b.prompts {
			n += len(p.since(q.now.Add(-day)))
		}
	}
	for a := range q.open {
		if a != q.a && a.underWay() {
			n++
		}
	}
	if n >= q.cfg.FleetPerDay {
		return fmt.Sprintf("%s of all prompts in the last 24 hours, %d are allowed", count(int64(n), "rollback"), q.cfg.FleetPerDay)
	}
	return ""
}

func flapping(q *question) string {
	if q.person {
		return ""
	}
	if n := len(q.p.since(q.now.Add(-q.cfg.Horizon))); n >= 2 {
		return fmt.Sprintf("%s of %s in the last %s: a person must decide", count(int64(n), "rollback"), q.s.Prompt, span(q.cfg.Horizon))
	}
	return ""
}

// count writes a number with its noun: 1 call, 2 calls.
func count(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
