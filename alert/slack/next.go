package slack

import (
	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
)

// next is what to do now.
func next(n *alert.Notification, v View) string {
	r := &n.Firing[0].Record
	bad, to := subject(r), escape(brief(r.Previous))
	look := "open the traces below"
	if len(r.Exemplars) == 0 {
		look = "look at recent traces of " + bad
	}
	if s, ok := nextOfRollback(n, v, look); ok {
		return s
	}
	switch mend := advice(n); {
	case mend != "":
		return "*Next*: " + mend
	case attempt(n) == nil && r.Rollback == "auto" && to != "" && phrase.Clearest(n).Cause != detector.CauseUnclear && phrase.Clearest(n).Cause != "":
		return "*Next*: driftd is about to ask the registry to promote " + to + "."
	case r.Metric == "link_coverage":
		return "*Next*: find the callers of " + escape(brief(r.Prompt)) + " that send no prompt version."
	case r.Metric == "score_coverage":
		return "*Next*: check that what scores " + escape(brief(r.Prompt)) + " still runs."
	case r.Metric == "volume":
		return "*Next*: check that callers still reach " + escape(brief(r.Prompt)) + "."
	case phrase.Clearest(n).Cause == detector.CauseUnclear:
		return "*Next*: " + look + " and decide by hand."
	case to != "":
		return "*Next*: " + look + "; if " + bad + " is the cause, promote " + to + "."
	}
	return "*Next*: " + look + "."
}

// nextOfRollback is what to do where a rollback says it; ok is false where it does not.
func nextOfRollback(n *alert.Notification, v View, look string) (s string, ok bool) {
	a := attempt(n)
	if a == nil {
		return "", false
	}
	bad := subject(&a.Step)
	switch a.State {
	case alert.RollbackWaiting:
		return "*Next*: " + look + ", then approve or reject.", true
	case alert.RollbackChecking, alert.RollbackPromoting, alert.RollbackVerifying:
		return "", true
	case alert.RollbackWatching, alert.RollbackRecovered:
		if a.State == alert.RollbackWatching && lingering(n, a, v) {
			return "*Next*: find the callers that hold on to " + bad + ", and shorten their caches.", true
		}
		return "*Next*: nothing to do. Clients may cache " + bad + " for some minutes; this resolves when its window is clean.", true
	case alert.RollbackIneffective:
		if share := a.Last.Share; share != nil && *share >= 0.05 {
			return "*Next*: restart what calls " + bad + ", or empty its caches: it does not know yet that " + target(&a.Step) + " is current.", true
		}
		return "*Next*: " + look + ": the cause lies elsewhere. " + target(&a.Step) + " stays current until a person promotes another.", true
	case alert.RollbackRefused:
		if mend := advice(n); mend != "" {
			return "*Next*: " + mend, true
		}
		return "*Next*: " + refused(a, look), true
	case alert.RollbackFailed:
		return "*Next*: promote " + target(&a.Step) + " by hand, and see what the registry says.", true
	case alert.RollbackRejected:
		return "*Next*: " + look + "; nothing is promoted until it fires anew.", true
	}
	return "", false
}

// refused is what to do when a guard has refused: the guard's own advice, and how to pass over it where that can be right.
func refused(a *alert.Attempt, look string) string {
	g, ok := guards[a.Last.Guard]
	if !ok {
		return look + " and decide by hand."
	}
	if g.pass {
		g.hint += " If it is to be rolled back all the same: `driftd rollback " + escape(brief(a.Step.Prompt)) + " --to " + target(&a.Step) + " --force " + a.Last.Guard + "`, with a --reason."
	}
	return g.hint
}

// guards say what to do when they refuse, and whether --force passes over them. What is missing here leaves it to the reader.
var guards = map[string]struct {
	hint string
	pass bool
}{
	"kill_switch":        {"rollbacks are switched off: promote by hand, or let driftd roll back again.", false},
	"no_registry":        {"promote by hand; with a registry in the config driftd could.", false},
	"no_previous":        {"promote a version that you know to be good.", false},
	"not_current":        {"the version is not the current one any more: its callers hold on to it, or someone has promoted another.", false},
	"set_back":           {"someone has moved the label since: ask them before it is moved again.", false},
	"unknown_target":     {"promote a version that the registry has.", false},
	"too_late":           {"it was decided too late: see whether it still fires, and roll back by hand if so.", false},
	"cause_unclear":      {"look at recent traces; what else has changed?", true},
	"target_firing":      {"the version before is no better: promote one that is well.", true},
	"target_rolled_back": {"the version before was bad itself: promote one that was well.", true},
	"target_edited":      {"see which template the version before would serve now.", true},
	"target_few_samples": {"see whether the version before was well.", true},
	"already_promoted":   {"it was rolled back already: see who has moved the label since, or whose clients do not know of it.", true},
	"cooldown":           {"a rollback was made just now: see whether it helps.", true},
	"prompt_limit":       {"rolling back again and again does not hold: find out why.", true},
	"fleet_limit":        {"many prompts were rolled back today: see what they have in common.", true},
	"flapping":           {"two rollbacks did not hold: find out why before a third.", true},
}
