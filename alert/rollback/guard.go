package rollback

import (
	"fmt"
	"strings"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/detector"
)

// Guard is a reason for which nothing is promoted. The set is closed.
type Guard struct {
	Name   string // in a record's Guard
	Doc    string // when it refuses
	Forced bool   // who asks for a rollback by hand may override it
}

// Guards returns all guards, in the order in which they are asked.
func Guards() []Guard {
	out := make([]Guard, len(guards))
	for i := range guards {
		out[i] = guards[i].Guard
	}
	return out
}

// guard is one that can be asked: refuses returns why, empty where it lets pass.
type guard struct {
	Guard
	refuses func(q *question) string
}

// The first that refuses is the one that is told, so those for which there is no help come first.
var guards = []guard{
	{Guard{"kill_switch", "rollbacks are switched off: by `rollback.enabled` in the config, by a person for all prompts or for this one, or by the registry's own label `driftd.rollback=off` on the prompt", false}, killSwitch},
	{Guard{"no_registry", "no registry is configured", false}, noRegistry},
	{Guard{"advisory", "the rule is of a kind that never rolls back: `volume`, `shape`, `change`, `traffic_share`", false}, advisory},
	{Guard{"no_previous", "the version before the bad one is not known, not from the traffic and not from the registry's history; or it is the same one by another name", false}, noPrevious},
	{Guard{"not_current", "another version is current in the registry, by a person or another rollback: driftd stands down", false}, notCurrent},
	{Guard{alert.GuardSetBack, "a person has moved the label again after driftd had moved it: driftd stands down", false}, setBack},
	{Guard{"resolved", "the alert is over", false}, resolved},
	{Guard{"unknown_target", "the registry has no such version", false}, unknownTarget},
	{Guard{"too_late", "a person decided longer ago than `rollback.approve_within`, and nothing could be done since", false}, tooLate},
	{Guard{"everything_moved", "the prompt is not the cause: other versions moved too, or another prompt on the same model began to fire within half an hour", true}, everythingMoved},
	{Guard{"model_changed", "the model changed under the version: pinning the model is the cure", true}, modelChanged},
	{Guard{"cause_unclear", "it is not clear that the version is the cause", true}, causeUnclear},
	{Guard{"target_firing", "the target is firing itself, under any rule that is not about its traffic", true}, targetFiring},
	{Guard{"target_rolled_back", "the target was rolled back itself within `rollback.horizon`", true}, targetRolledBack},
	{Guard{"target_edited", "the target has served more than one template: what would come back may not be what was stable", true}, targetEdited},
	{Guard{"target_few_samples", "the target had fewer calls in 24 hours than `rollback.min_samples`; where that is not known, a person may approve and `auto` is refused", true}, targetFewSamples},
	{Guard{"already_promoted", "the version was rolled back already, less than `rollback.cooldown` ago", true}, alreadyPromoted},
	{Guard{"cooldown", "the last promotion of the prompt is less than `rollback.cooldown` ago", true}, cooldown},
	{Guard{"prompt_limit", "as many promotions of the prompt in 24 hours as `rollback.prompt_per_day`", true}, promptLimit},
	{Guard{"fleet_limit", "as many promotions of all prompts in 24 hours as `rollback.fleet_per_day`", true}, fleetLimit},
	{Guard{"flapping", "two rollbacks of the prompt within `rollback.horizon`: `auto` is refused, a person must decide", true}, flapping},
}

// refusal is why nothing is promoted: the name of the guard, and a sentence for people.
type refusal struct{ guard, why string }

// answer is what the registry said.
type answer struct {
	current registry.Version
	all     []registry.Version // none where it does not tell
	off     bool               // its own kill switch
}

// question is what a guard is asked about.
type question struct {
	*Core
	a   *attempt
	s   *detector.Record
	p   *prompt
	now time.Time
	// person says that a person has decided, or is to: what only they may judge is theirs.
	person bool
	answer *answer // nil before the registry was read
}

func (c *Core) question(a *attempt, seen *answer) *question {
	return &question{c, a, &a.Step, c.books[a.part].prompt(a.Step.Prompt), c.cfg.Now(), a.decided() || a.Step.Rollback == "approve", seen}
}

// refused asks all guards. Nil lets pass; overridden is what the guard said that the author of a request has overridden, empty
// where it did not refuse.
func (c *Core) refused(a *attempt, seen *answer) (no *refusal, overridden string) {
	q := c.question(a, seen)
	for i := range guards {
		g := &guards[i]
		why := g.refuses(q)
		if why == "" {
			continue
		}
		if g.Forced && a.Step.Force == g.Name {
			overridden = why
			continue
		}
		return &refusal{g.Name, why}, overridden
	}
	return nil, overridden
}

func killSwitch(q *question) string {
	if !q.cfg.Enabled {
		return "rollbacks are switched off in the config"
	}
	var all *detector.Record
	for _, b := range q.books {
		// Partitions have no order among each other. Of two at the same time the stop counts.
		if s := b.stop; s != nil && (all == nil || s.Time.After(all.Time) || s.Time.Equal(all.Time) && s.Type == detector.RollbacksStopped) {
			all = s
		}
	}
	for _, stop := range []*detector.Record{all, q.p.stop} {
		if stop == nil || stop.Type != detector.RollbacksStopped {
			continue
		}
		what := "all rollbacks"
		if stop.Prompt != "" {
			what = "rollbacks of " + stop.Prompt
		}
		return fmt.Sprintf("%s stopped %s at %s%s", stop.Actor, what, clock(stop.Time, q.now), because(stop.Reason))
	}
	if q.answer != nil && q.answer.off {
		return fmt.Sprintf("the registry says driftd.rollback=off of %s", q.s.Prompt)
	}
	return ""
}

func noRegistry(q *question) string {
	if q.cfg.Registry == nil {
		return "no registry is configured"
	}
	return ""
}

func advisory(q *question) string {
	switch q.s.Kind {
	case "volume", "shape", "change", "traffic_share":
		return fmt.Sprintf("rules of the kind %s never roll back", q.s.Kind)
	}
	return ""
}

func noPrevious(q *question) string {
	if q.s.Previous == "" || q.s.Previous == q.s.Version {
		return fmt.Sprintf("the version before %s is not known", q.s.Version)
	}
	if q.answer != nil && q.answer.current.Is(q.s.Version) && q.answer.current.Is(q.s.Previous) {
		return fmt.Sprintf("%s and %s are one version in the registry, by two names: the version before it is not known", q.s.Version, q.s.Previous)
	}
	return ""
}

func notCurrent(q *question) string {
	switch {
	case q.answer == nil || q.answer.current.Is(q.s.Version):
		return ""
	case q.s.Version == "": // by hand, of whatever is current
		if q.answer.current.Is(q.s.Previous) {
			return fmt.Sprintf("%s is current already", q.s.Previous)
		}
		return ""
	}
	return fmt.Sprintf("%s is current in the registry, not %s%s: driftd stands down", q.answer.current, q.s.Version, q.mover())
}

// mover says who has made current what is, where the topic tells.
func (q *question) mover() (by string) {
	at := time.Time{}
	if m := q.p.moved; m != nil && q.answer.current.Is(m.Version) {
		by, at = fmt.Sprintf(" (%s promoted it at %s)", who(m), clock(m.Time, q.now)), m.Time
	}
	if n := len(q.p.promotions); n > 0 {
		if last := &q.p.promotions[n-1]; q.answer.current.Is(last.to) && last.time.After(at) && last.id != q.a.ID() {
			by = fmt.Sprintf(" (driftd promoted it at %s, %s)", clock(last.time, q.now), last.why)
		}
	}
	return by
}

// setBack is known of an attempt whose outcome was not, and of a promotion that is watched.
func setBack(q *question) string {
	switch {
	case !q.a.setBack || q.answer == nil || q.answer.current.Is(q.s.Previous):
		return ""
	case q.answer.current.Is(q.s.Version):
		return fmt.Sprintf("%s was set back after %s was promoted%s: driftd stands down", q.s.Version, q.s.Previous, q.mover())
	}
	return fmt.Sprintf("%s was promoted after %s%s: driftd stands down", q.answer.current, q.s.Previous, q.mover())
}

func resolved(q *question) string {
	if !q.a.firing() {
		return "the alert is over"
	}
	return ""
}

func unknownTarget(q *question) string {
	if q.answer == nil || len(q.answer.all) == 0 {
		return ""
	}
	if _, ok := registry.Find(q.answer.all, q.s.Previous); !ok {
		return fmt.Sprintf("the registry has no version %s", q.s.Previous)
	}
	return ""
}

func tooLate(q *question) string {
	if !q.a.decided() || q.a.State != alert.RollbackChecking {
		return ""
	}
	at, what := q.a.Begun(), "asked for"
	if q.a.Decided != nil {
		at, what = q.a.Decided.Time, "approved"
	}
	if age := q.now.Sub(at); age > q.cfg.ApproveWithin {
		return fmt.Sprintf("it was %s %s ago, and nothing could be done since; ask again", what, span(age))
	}
	return ""
}

// clock is a time of day, with the day where it was not within the last.
func clock(t, now time.Time) string {
	if now.Sub(t) < 24*time.Hour {
		return t.UTC().Format("15:04 UTC")
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// span writes a duration without what nobody reads: 1h30m, 45s, 7d.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour && d%time.Hour == 0 && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Minute:
		d = d.Round(time.Minute)
	default:
		return d.Round(time.Second).String()
	}
	s := strings.TrimSuffix(d.String(), "0s")
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// who names the author of a promotion.
func who(r *detector.Record) string {
	if r.Actor == "" || r.Actor == "driftd" {
		return "somebody"
	}
	return r.Actor
}
