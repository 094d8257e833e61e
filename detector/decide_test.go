package detector

import "testing"

// Each line of the table that decide is.
func TestDecide(t *testing.T) {
	f := func(name string, c clues, want Cause) {
		t.Helper()
		if got := decide(c); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	f("nothing moved", clues{}, CauseUnclear)
	f("nothing moved, whatever else", clues{began: true, edited: true, model: true, shared: true, cohort: true, versions: stood, prompts: stood, beside: true}, CauseUnclear)
	f("the mix", clues{real: true, mix: true, began: true, versions: stood}, CauseUnclear)

	f("canary", clues{real: true, beside: true}, CausePromptVersion)
	f("canary of variants of one version", clues{real: true, beside: true, within: true, began: true, versions: stood}, CauseUnclear)
	f("canary, on a bad day", clues{real: true, beside: true, versions: moved, prompts: moved}, CausePromptVersion)
	f("canary, the model changed", clues{real: true, beside: true, model: true}, CauseModelSnapshot)
	f("canary, the model changed under all", clues{real: true, beside: true, model: true, versions: moved, shared: true}, CauseModelSnapshot)
	f("canary, the model changed on a bad day", clues{real: true, beside: true, model: true, versions: moved}, CauseEverything)
	f("canary, the other one is on that model too", clues{real: true, beside: true, model: true, versions: stood, spared: true}, CausePromptVersion)

	f("versions moved", clues{real: true, versions: moved}, CauseEverything)
	f("versions moved as a new one came", clues{real: true, versions: moved, began: true}, CauseEverything)
	f("versions moved in one cohort", clues{real: true, versions: moved, cohort: true}, CauseEverything)
	f("versions moved, this one was edited", clues{real: true, versions: moved, edited: true}, CauseEverything)
	f("versions moved, and the model under one", clues{real: true, versions: moved, model: true}, CauseEverything)
	f("versions moved, and the model under all", clues{real: true, versions: moved, model: true, shared: true}, CauseModelSnapshot)
	f("some versions moved", clues{real: true, versions: mixed, began: true}, CauseUnclear)
	f("some versions moved, and the model changed", clues{real: true, versions: mixed, model: true, shared: true}, CauseUnclear)

	f("prompts moved", clues{real: true, prompts: moved}, CauseEverything)
	f("prompts moved as a version came", clues{real: true, prompts: moved, began: true}, CauseEverything)
	f("prompts moved, and their model", clues{real: true, prompts: moved, model: true, shared: true}, CauseModelSnapshot)
	f("prompts moved, but no version", clues{real: true, prompts: moved, versions: stood}, CausePromptVersion)
	f("prompts are even", clues{real: true, prompts: mixed, cohort: true}, CauseOneCohort)

	f("model", clues{real: true, model: true, shared: true}, CauseModelSnapshot)
	f("model, versions on the old one stood", clues{real: true, model: true, versions: stood}, CauseModelSnapshot)
	f("model, versions on the new one stood", clues{real: true, model: true, versions: stood, spared: true}, CausePromptVersion)
	f("model and version at once", clues{real: true, model: true, began: true}, CauseUnclear)
	f("model and version at once, one on the model stood", clues{real: true, model: true, began: true, versions: stood, spared: true}, CausePromptVersion)
	f("model, in one cohort", clues{real: true, model: true, cohort: true}, CauseModelSnapshot)

	f("fallback", clues{real: true, fallback: true, began: true, edited: true, versions: stood}, CauseUnclear)

	f("version", clues{real: true, began: true}, CausePromptVersion)
	f("version, in one cohort", clues{real: true, began: true, cohort: true, versions: stood}, CausePromptVersion)
	f("version, prompts stood", clues{real: true, began: true, prompts: stood}, CausePromptVersion)
	f("template", clues{real: true, edited: true}, CausePromptVersion)
	f("others stood", clues{real: true, versions: stood}, CausePromptVersion)

	f("one cohort", clues{real: true, cohort: true}, CauseOneCohort)
	f("one cohort, prompts stood", clues{real: true, cohort: true, prompts: stood}, CauseOneCohort)
	f("nothing is known", clues{real: true}, CauseUnclear)
	f("only prompts stood", clues{real: true, prompts: stood}, CauseUnclear)
}
