package rollback

import (
	"fmt"
	"time"

	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/detector"
)

// refusal is why nothing is promoted: the name of the guard, from a closed set, and a sentence for people.
type refusal struct{ guard, why string }

// reason is how a refusal stands in a record.
func (r *refusal) reason() string { return r.guard + ": " + r.why }

func refuse(guard, format string, args ...any) *refusal {
	return &refusal{guard, fmt.Sprintf(format, args...)}
}

var over = refuse("resolved", "the alert is over")

// known are the guards that need only the alerts topic and the config. Nil lets pass.
func (c *Core) known(a *attempt) *refusal {
	s := &a.step
	p := c.books[a.part].prompt(s.Prompt)
	switch {
	case !c.cfg.Enabled:
		return refuse("kill_switch", "rollbacks are switched off in the config")
	case c.cfg.Registry == nil:
		return refuse("no_registry", "no registry is configured")
	case s.Previous == "" || s.Previous == s.Version:
		return refuse("no_previous", "the version before %s is not known", s.Version)
	}
	if no := barred(s); no != nil {
		return no
	}
	for _, other := range p.firing {
		if r := &other.last; r.Version == s.Previous && !harmless(r) {
			return refuse("target_firing", "%s is firing itself (%s)", s.Previous, r.Rule)
		}
	}
	if last := p.promoted; last != nil {
		age := c.cfg.Now().Sub(last.Time)
		switch {
		case age >= c.cfg.Cooldown:
		case last.Version == s.Version:
			return refuse("already_promoted", "%s was promoted in place of %s at %s UTC (%s)", last.Previous, last.Version, last.Time.UTC().Format("15:04"), last.Rule)
		default:
			return refuse("cooldown", "%s was promoted %s ago, rollbacks of a prompt are %s apart", last.Previous, age.Round(time.Second), c.cfg.Cooldown)
		}
	}
	return nil
}

// barred are the steps that no rollback may follow, whatever their rule says: promoting the version before helps only where the
// version is the likely cause. A step without a cause is of a rule that watches no values, or of a time when none was looked for.
func barred(s *detector.Record) *refusal {
	switch s.Kind {
	case "volume", "shape", "change", "traffic_share":
		return refuse("advisory", "rules of the kind %s never roll back", s.Kind)
	}
	switch s.Cause {
	case detector.CausePromptVersion, detector.CauseOneCohort:
		return nil
	case detector.CauseEverything:
		return refuse("everything_moved", "%s is not alone: other versions, or other prompts on its model, moved too", s.Version)
	case detector.CauseModelSnapshot:
		return refuse("model_changed", "the model under %s changed, and promoting %s does not bring the old one back", s.Version, s.Previous)
	}
	return refuse("cause_unclear", "it is not clear that %s is the cause", s.Version)
}

// harmless says that an alert is about how much traffic a version has: too little, as one that was replaced, or more than a replaced one
// should have. It is not worse for that.
func harmless(r *detector.Record) bool {
	return r.Kind == "traffic_share" || r.Kind == "volume" && r.Value != nil && r.Bound != nil && *r.Value <= *r.Bound
}

// seen are the guards that look at the registry. Current being the target is not their matter.
func seen(a *attempt, current registry.Version, all []registry.Version) *refusal {
	_, has := registry.Find(all, a.step.Previous)
	switch {
	case !current.Is(a.step.Version):
		return refuse("not_current", "%s is current in the registry, not %s", current, a.step.Version)
	case !a.firing():
		return over
	case len(all) > 0 && !has:
		return refuse("unknown_target", "the registry has no version %s", a.step.Previous)
	}
	return nil
}
