package detector

// clues are what an inquiry found out about a firing step, as far as they decide on its cause.
type clues struct {
	real     bool   // the version's values have moved where the alert says, in the direction that it says, beyond chance
	mix      bool   // at least half of it is a shift of the mix of cohorts
	beside   bool   // of a canary: the alert is about two versions that serve at the same time
	within   bool   // and both are variants of this version
	began    bool   // the version came with the change: its values are compared with those of the version before
	edited   bool   // the version's template took a new hash near the turn
	model    bool   // another model answers for the version since near the turn
	shared   bool   // what else moved is on that model too
	spared   bool   // a version that stood is on that model too
	fallback bool   // the version's calls got a fallback prompt since near the turn
	cohort   bool   // one minor cohort makes up most of the change
	versions motion // of the other versions that serve the same cohorts
	prompts  motion // of other prompts on the same model
}

// decide names the likely cause. The first line that applies counts; a line that is not there is unclear, since a wrong cause is
// worse than none: people act on it, and a rollback may.
//
//	what was found                                                    cause
//	the values have not surely moved, or too few to say               unclear
//	the mix of cohorts shifted, and that is half of it or more        unclear
//	two variants of this very version at the same time                unclear: the version is not at fault, and going back may not help
//	two versions at the same time: what moves both does not count     prompt version, unless the model of this one changed
//	other versions moved, all that can be judged                      model snapshot where it changed under all of them, else everything moved
//	some other versions moved and others did not                      unclear
//	other prompts on the model moved, and no version stood            model snapshot where it changed under all of them, else everything moved
//	the model changed, but a version that stood is on it too          prompt version: what fails is this version on that model
//	the model changed in the very minutes in which the version came   unclear
//	the model changed                                                 model snapshot
//	calls got a fallback prompt                                       unclear: it is not this version that they saw
//	the version came, and is worse than the one before it was         prompt version
//	the template was edited in place                                  prompt version
//	other versions serve the same cohorts, and stood                  prompt version
//	one minor cohort makes up most of it                              one cohort
//	nothing of all this                                               unclear
func decide(c clues) Cause {
	elsewhere := CauseEverything // the cause where others moved as well
	if c.model && c.shared {
		elsewhere = CauseModelSnapshot
	}
	switch {
	case !c.real, c.mix, c.within:
		return CauseUnclear
	case c.beside && !c.model:
		return CausePromptVersion
	case c.versions == moved:
		return elsewhere
	case c.versions == mixed:
		return CauseUnclear
	case c.prompts == moved && c.versions != stood:
		return elsewhere
	case c.model && c.spared:
		return CausePromptVersion
	case c.model && c.began:
		return CauseUnclear
	case c.model:
		return CauseModelSnapshot
	case c.fallback:
		return CauseUnclear
	case c.began, c.edited, c.versions == stood:
		return CausePromptVersion
	case c.cohort:
		return CauseOneCohort
	}
	return CauseUnclear
}
